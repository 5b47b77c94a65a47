"""``python -m benchmarks.page``: docs/measured.md, its plots and the README's table.

All are made from docs/benchmarks/*.json. The page has a place for each subject, between
``<!-- figures: SUBJECT -->`` and ``<!-- end -->``. This module generates what is there; no figure
is written by hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List

from benchmarks import BOTO3, OBSTORE, OURS, THEIRS
from benchmarks.measures import (
    MEASURES,
    Row,
    cases_of,
    contenders_of,
    find_row,
    format_number,
    measures_of,
)

DOCS = Path(__file__).resolve().parents[1] / "docs"
RECORDS = DOCS / "benchmarks"
PAGE = DOCS / "measured.md"
README = DOCS.parent / "README.md"

_PLACE = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
_SLOWER = re.compile(r"(<!-- slower -->\n).*?(<!-- end slower -->\n)", re.DOTALL)
_BESIDE = re.compile(r"(<!-- beside -->\n).*?(<!-- end beside -->\n)", re.DOTALL)
_MISSING = "-"

LIBRARIES = (THEIRS, BOTO3, OBSTORE)
_ONE_CHANGED = "plain: one file changed, 5,000 files, 20 ms away"
#: The lines of the README's table: what is measured, and where it is found. The last is a loss.
LINES = (
    ("first use of 50 tenants' storages", "clients", "50 tenants, 1 thread", "first_use_ms"),
    ("their memory", "clients", "50 tenants, 1 thread", "memory_mb"),
    ("read a small file", "reading", "open(name).read() of 4 KB", "requests"),
    ("save, never overwriting", "writing", "save, name free, 20 ms away", "requests"),
    ("memory while 1 GiB goes up", "writing", "file of 1,024 MiB up", "grown_mib"),
    ("a signed `url()`", "urls", "url() of a plain name", "time_us"),
    ("`collectstatic`, 1 of 5,000 files is new", "static", _ONE_CHANGED, "requests"),
    ("make one more storage", "clients", "construct one storage", "construct_us"),
)
#: Up to this factor, two figures are the same: they differ by as much from run to run.
TOLERANCE = 1.05


def read_records() -> Dict[str, Dict[str, Any]]:
    """Return the recorded figures, by subject."""
    paths = sorted(RECORDS.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def fill(page: str, records: Dict[str, Dict[str, Any]]) -> str:
    """Return the page with the figures of the records in their places."""
    worse = "\n".join(["", *slower(records), "", ""])
    page = _SLOWER.sub(lambda place: f"{place[1]}{worse}{place[2]}", page)
    return _PLACE.sub(lambda place: f"{place[1]}{_section(place[2], records)}{place[3]}", page)


def fill_readme(readme: str, records: Dict[str, Dict[str, Any]]) -> str:
    """Return the README with the figures of the records in its table."""
    lines = "\n".join(["", *beside(records), "", ""])
    return _BESIDE.sub(lambda place: f"{place[1]}{lines}{place[2]}", readme)


def beside(records: Dict[str, Dict[str, Any]]) -> List[str]:
    """Return the README's table: django-storages, this package, how many times less it takes."""
    lines = ["| | django-storages | this package | |", "|---|---:|---:|---:|"]
    for told, subject, case, measure in LINES:
        rows = records[subject]["rows"]
        theirs, ours = (find_row(rows, case, who)[measure] for who in (THEIRS, OURS))
        unit = MEASURES[measure].unit or "requests"
        texts = [f"{format_number(value)} {_singular(unit, value)}" for value in (theirs, ours)]
        ratio = theirs / ours
        factor = f"**{ratio:,.0f}x less**" if ratio > 1 else f"{1 / ratio:.1f}x more"
        lines.append(f"| {told} | {texts[0]} | {texts[1]} | {factor} |")
    return lines


def _singular(unit: str, value: float) -> str:
    return "request" if unit == "requests" and value == 1 else unit


def slower(records: Dict[str, Dict[str, Any]]) -> List[str]:
    """Return the table of what another library does better, by how much, worst first.

    Bare HTTP is left out: it is the floor, not a library.
    """
    found = []
    for subject, record in records.items():
        rows = record["rows"]
        for case in cases_of(rows):
            ours = find_row(rows, case, OURS)
            for measure in ours:
                better = MEASURES[measure].better if measure in MEASURES else ""
                others = [(find_row(rows, case, who).get(measure), who) for who in LIBRARIES]
                known = [(value, who) for value, who in others if value is not None]
                if not better or not known:
                    continue
                value, who = min(known) if better == "less" else max(known)
                low, high = sorted((value, ours[measure]))
                if value != (low if better == "less" else high) or high <= low * TOLERANCE:
                    continue
                ratio = high / low if low else float("inf")
                found.append((ratio, subject, case, MEASURES[measure], ours[measure], who, value))
    if not found:
        return ["Nothing."]
    lines = ["| | | | smart-storages | the best | |", "|---|---|---|---:|---:|---:|"]
    for ratio, subject, case, measure, mine, who, value in sorted(found, key=lambda row: -row[0]):
        best = f"{format_number(value)} ({who})"
        worse = f"{ratio:.2f}x" if ratio != float("inf") else "-"
        lines.append(
            f"| {subject} | {case} | {measure.label} | {format_number(mine)} | {best} | {worse} |"
        )
    return lines


def subjects_of(page: str) -> List[str]:
    """The subjects that the page has a place for."""
    return [place[2] for place in _PLACE.finditer(page)]


def _section(subject: str, records: Dict[str, Dict[str, Any]]) -> str:
    record = records[subject]
    picture = f"![{record['title']}](benchmarks/{subject}.svg)"
    return "\n".join(
        ["", f"`make bench ARGS={subject}`. {describe(record)}", "", *table(record["rows"]), "",
         *_notes(record["rows"]), picture, "", ""]
    )  # fmt: skip


def describe(record: Dict[str, Any]) -> str:
    """Return the versions and the load with which figures were recorded."""
    machine = record["machine"]
    versions = [f"Python {machine['python']}"]
    versions += [f"{name} {version}" for name, version in machine["versions"].items()]
    load, cpus = machine["load_at_start"], machine["cpus"]
    end = f", {machine['load_at_end']} at the end" if "load_at_end" in machine else ""
    busy = ", more than it has processors: times are too long" if load > cpus else ""
    servers = f" Server: {', '.join(machine['servers'])}." if machine.get("servers") else ""
    return (
        f"Median of {record['repeat']}; {', '.join(versions)}; {machine['system']}, "
        f"{machine['machine']}, {cpus} processors, load {load} at the start{end}{busy}.{servers}"
    )


def table(rows: List[Row]) -> List[str]:
    """The rows as a table in Markdown; the best of a line is bold."""
    contenders = contenders_of(rows)
    if THEIRS in contenders and BOTO3 not in contenders:
        contenders.insert(contenders.index(THEIRS) + 1, BOTO3)
    lines = [
        f"| | | {' | '.join(contenders)} |",
        f"|---|---|{'---:|' * len(contenders)}",
    ]
    for case in cases_of(rows):
        told = case
        for measure in measures_of([row for row in rows if row["case"] == case]):
            values = [find_row(rows, case, who).get(measure) for who in contenders]
            cells = " | ".join(_cells(values, MEASURES[measure].better))
            lines.append(f"| {told} | {MEASURES[measure].label} | {cells} |")
            told = ""
    return lines


def _cells(values: List[Any], better: str) -> List[str]:
    known = [value for value in values if value is not None]
    best = None
    if better and len(set(known)) > 1:
        best = min(known) if better == "less" else max(known)
    texts = [_MISSING if value is None else format_number(value) for value in values]
    return [
        f"**{text}**" if value is not None and value == best else text
        for value, text in zip(values, texts)
    ]


def _notes(rows: List[Row]) -> List[str]:
    notes = [f"- {row['case']}, {row['who']}: {row['note']}." for row in rows if row.get("note")]
    return [*notes, ""] if notes else []


def main() -> None:
    """Write the page and its plots."""
    from benchmarks.plots import draw

    records = read_records()
    for subject, record in records.items():
        draw(record["title"], record["rows"], RECORDS / f"{subject}.svg")
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), records), encoding="utf-8")
    README.write_text(fill_readme(README.read_text(encoding="utf-8"), records), encoding="utf-8")


if __name__ == "__main__":
    main()
