"""``python -m benchmarks.page``: docs/measured.md and its plots, from docs/benchmarks/*.json.

The page has a place for each subject, between ``<!-- figures: SUBJECT -->`` and ``<!-- end -->``.
This module generates what is there; no figure is written by hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List

from benchmarks import BOTO3, THEIRS
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

_PLACE = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
_MISSING = "-"


def read_records() -> Dict[str, Dict[str, Any]]:
    """Return the recorded figures, by subject."""
    paths = sorted(RECORDS.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def fill(page: str, records: Dict[str, Dict[str, Any]]) -> str:
    """Return the page with the figures of the records in their places."""
    return _PLACE.sub(lambda place: f"{place[1]}{_section(place[2], records)}{place[3]}", page)


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


if __name__ == "__main__":
    main()
