"""The harness of ``make bench``: what it finds, what it prints; figures are not judged here."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import BARE, BOTO3, OURS, THEIRS, bench_routing, measures, page, plots, recorded
from benchmarks import __main__ as program
from benchmarks.harness import Context, render_table
from benchmarks.measures import format_number
from benchmarks.memory import peak_memory
from smart_storages.common.recording import observers
from smart_storages.signals import storage_operation

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("module", program.find_subjects().values())
def test_every_subject_has_a_title_and_can_run(module: str) -> None:
    loaded = importlib.import_module(module)
    assert isinstance(loaded.TITLE, str)
    assert callable(loaded.run)


def test_every_way_through_the_routing_can_be_measured() -> None:
    rows = bench_routing.run(Context(quick=True))
    assert {row["who"] for row in rows if row["case"] == "exists(), MirrorStorage"} == {
        bench_routing.BY_HAND,
        bench_routing.DIRECT,
        OURS,
    }


def test_what_a_record_of_an_operation_costs_can_be_measured() -> None:
    rows = recorded.measure_records(Context(quick=True))
    listeners = [row["who"].partition(", ")[2] for row in rows if row["who"].startswith(OURS)]
    assert listeners == ["nobody listens", "a receiver", "the log", "Prometheus", "OpenTelemetry"]
    assert not storage_operation.has_listeners()
    assert observers == []


def test_rows_of_one_case_stand_side_by_side_with_their_ratio() -> None:
    rows = [
        {"case": "read", "who": THEIRS, "time_ms": 30.0},
        {"case": "read", "who": OURS, "time_ms": 10.0},
        {"case": "many", "who": OURS, "time_ms": 0.0, "note": "ours alone"},
    ]
    lines = [line.split() for line in render_table(rows).splitlines()]
    assert lines[0] == ["case", "measure", THEIRS, "/", "ours", OURS, THEIRS]
    assert lines[2] == ["read", "time_ms", "3.00x", "10.0", "30.0"]
    assert lines[3] == ["many", "time_ms", "0", "-"]
    assert lines[4] == ["*", "many,", f"{OURS}:", "ours", "alone"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ("x", "x"), (12345, "12,345"), (12345.6, "12,346"), (0.01234, "0.0123")],
)
def test_numbers_are_printed_with_the_digits_that_count(value: Any, text: str) -> None:
    assert format_number(value) == text


def test_the_median_of_fresh_processes_counts() -> None:
    context = Context(repeat=3)
    outcomes = iter([{"a_ms": 5.0, "b": "x"}, {"a_ms": 1.0, "b": "x"}, {"a_ms": 2.0, "b": "x"}])
    context._in_process = lambda *_: next(outcomes)  # type: ignore[method-assign]
    assert context.measure(print) == {"a_ms": 2.0, "b": "x"}


def test_a_measurement_runs_in_a_process_of_its_own() -> None:
    with Context(repeat=1) as context:
        outcome = context.measure(report_process, text="ä")
    assert outcome["text"] == "ä"
    assert outcome["pid"] != report_process("")["pid"]


@pytest.mark.slow
def test_a_peak_of_memory_is_of_the_process_alone() -> None:
    large = bytearray(b"x") * (256 * 1024**2)
    assert peak_memory() > len(large)
    with Context(repeat=1) as context:
        assert context.measure(report_peak)["bytes"] < len(large)


def report_peak() -> dict[str, int]:
    return {"bytes": peak_memory()}


def report_process(text: str) -> dict[str, Any]:
    import os

    return {"text": text, "pid": os.getpid()}


@pytest.mark.slow
def test_what_was_measured_is_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Subject:
        TITLE = "A subject"

        @staticmethod
        def run(context: Context) -> list[dict[str, Any]]:
            return [{"case": "c", "who": OURS, "time_ms": 1.5}]

    options = program.parse(["--output", str(tmp_path)], {})
    program.run_subject("subject", Subject, options)  # type: ignore[arg-type]
    record = json.loads((tmp_path / "subject.json").read_text())
    assert record["rows"] == [{"case": "c", "who": OURS, "time_ms": 1.5}]
    assert set(record["machine"]["versions"]) >= {OURS, "Django", "boto3", "django-storages"}
    assert record["machine"]["servers"] == []
    assert {"load_at_start", "load_at_end"} <= set(record["machine"])
    assert f"{record['machine']['load_at_end']} at the end" in page.describe(record)
    assert "A subject" in capsys.readouterr().out


def test_nothing_is_recorded_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert f"/{program.parse([], {}).output.relative_to(ROOT)}/" in ignored
    assert program.parse(["--record"], {}).output == ROOT / "docs" / "benchmarks"
    for arguments in (["--record", "--quick"], ["--record", "--output", "x"]):
        with pytest.raises(SystemExit):
            program.parse(arguments, {})


RECORDS = page.read_records()
RUN = "run python -m benchmarks.page"


@pytest.mark.documentation
def test_the_page_of_figures_says_what_the_records_say() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert sorted(page.subjects_of(text)) == sorted(RECORDS) == sorted(program.find_subjects())
    assert page.fill(text, RECORDS) == text, RUN
    for subject, record in RECORDS.items():
        assert f"(benchmarks/{subject}.svg)" in text
        assert str(record["machine"]["load_at_start"]) in page.describe(record)
    # Outside of the places no figure is typed, but for the wait that all have.
    typed = re.sub(r"<!-- (figures|slower).*?<!-- end( slower)? -->", "", text, flags=re.DOTALL)
    assert set(re.findall(r"(?<![\w/])\d[\d.,]*", typed)) <= {"20"}


def test_a_figure_that_changes_changes_the_page() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    changed = json.loads(json.dumps(RECORDS))
    changed["urls"]["rows"][0]["time_us"] *= 2
    assert page.fill(text, changed) != text


@pytest.mark.documentation
def test_the_page_begins_with_what_another_library_does_better() -> None:
    rows = [
        {"case": "read", "who": OURS, "time_ms": 2.0, "mb_per_s": 7.0, "queries": 9},
        {"case": "read", "who": THEIRS, "time_ms": 1.0, "mb_per_s": 6.0, "queries": 1},
        {"case": "read", "who": BOTO3, "time_ms": 0.5, "mb_per_s": 7.3},
        {"case": "read", "who": BARE, "time_ms": 0.1, "mb_per_s": 99.0},
    ]
    assert page.slower({"reading": {"rows": rows}})[2:] == [
        "| reading | read | time, ms | 2 | 0.5 (boto3) | 4.00x |"
    ]
    assert page.slower({"reading": {"rows": rows[:1]}}) == ["Nothing."]
    text = page.PAGE.read_text(encoding="utf-8")
    assert "\n".join(page.slower(RECORDS)) in text


def test_the_table_of_the_readme_says_what_the_records_say_and_a_loss_too() -> None:
    text = page.README.read_text(encoding="utf-8")
    assert "<!-- beside -->" in text
    assert page.fill_readme(text, RECORDS) == text, "run python -m benchmarks.page"
    changed = json.loads(json.dumps(RECORDS))
    for record in changed.values():
        for row in record["rows"]:
            if row["who"] == THEIRS:
                row.update({name: 0.1 for name in row if name in measures.MEASURES})
    assert page.fill_readme(text, changed) != text
    assert [line for line in page.beside(RECORDS) if "more |" in line], "what costs more is told"
    assert len([line for line in page.beside(changed) if "more |" in line]) == len(page.LINES)


def test_boto3_has_a_column_and_the_best_is_bold_whoever_it_is() -> None:
    rows = [
        {"case": "read", "who": OURS, "time_ms": 2.0, "mb_per_s": 7.0},
        {"case": "read", "who": THEIRS, "time_ms": 3.0, "mb_per_s": 5.0},
    ]
    assert page.table(rows) == [
        f"| | | {OURS} | {THEIRS} | {BOTO3} |",
        "|---|---|---:|---:|---:|",
        "| read | time, ms | **2** | 3 | - |",
        "|  | throughput, MB/s | **7** | 5 | - |",
    ]
    rows.append({"case": "read", "who": BOTO3, "time_ms": 1.0, "mb_per_s": 9.0})
    assert page.table(rows)[2:] == [
        "| read | time, ms | 2 | 3 | **1** |",
        "|  | throughput, MB/s | 7 | 5 | **9** |",
    ]
    for subject, record in RECORDS.items():
        others = set(measures.contenders_of(record["rows"]))
        assert (BOTO3 in page.table(record["rows"])[0]) == (THEIRS in others), subject


def _ratio(subject: str, case: str, measure: str) -> float:
    rows = RECORDS[subject]["rows"]
    ours, theirs = (measures.find_row(rows, case, who)[measure] for who in (OURS, BOTO3))
    return ours / theirs


@pytest.mark.documentation
def test_the_figures_in_other_pages_are_those_of_the_records() -> None:
    def text_of(name: str) -> str:
        return " ".join((ROOT / "docs" / name).read_text(encoding="utf-8").split())

    assert "takes about a fifth of the processor time" in text_of("reading.md")
    assert 0.16 < _ratio("reading", "read 4 KB, each", "cpu_ms") < 0.24
    assert "takes some 35 times as long" in text_of("urls.md")
    assert 32 < 1 / _ratio("urls", "url() of a plain name", "time_us") < 38
    own = "each of 1,000 tenants with own keys"
    theirs = measures.find_row(RECORDS["clients"]["rows"], own, THEIRS)
    told = f"{theirs['memory_mb']:.0f} MiB and {theirs['first_use_ms'] / 1000:.2f} s each"
    assert told in text_of("differences.md")
    assert "a ready rule adds about a microsecond to a call" in text_of("routing.md")
    for row in RECORDS["async"]["rows"]:
        if row["case"] == "2,000 reads of 4 KiB":
            for measure in ("all_ms", "cpu_ms"):
                assert f"{row[measure]:,.0f}" in text_of("reading.md"), (row["who"], measure)
    added = [row["added_ns"] for row in RECORDS["routing"]["rows"] if row["who"] == OURS]
    assert 500 < min(added) < max(added) < 1500


@pytest.mark.slow
def test_title_legend_and_panels_of_a_plot_lie_beside_each_other() -> None:
    from matplotlib import pyplot

    for subject in ("async", "queued"):  # the least, and the longest words; each takes its time
        record = RECORDS[subject]
        figure = plots.make(record["title"], record["rows"])
        boxes = [each.get_window_extent() for each in (*figure.texts, *figure.legends)]
        boxes += [panel.get_tightbbox() for panel in figure.axes]
        for number, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:number]), (subject, number)
            assert figure.bbox.contains(box.x0, box.y0), (subject, number)
            assert figure.bbox.contains(box.x1, box.y1), (subject, number)
        assert {panel.get_xscale() for panel in figure.axes} == {"linear"}
        titles = [panel.get_title(loc="left") for panel in figure.axes]
        assert not any("_" in title or title.endswith((" us", " ms")) for title in titles)
        pyplot.close(figure)


@pytest.mark.documentation
@pytest.mark.parametrize("subject", sorted(RECORDS))
def test_a_plot_shows_the_figures_of_its_record(subject: str) -> None:
    # Text is text in the file; its lines differ from one matplotlib to the next.
    drawn = (page.RECORDS / f"{subject}.svg").read_text(encoding="utf-8")
    shown = [each.strip() for each in re.findall(r"<text[^>]*>([^<]*)</text>", drawn)]
    rows = RECORDS[subject]["rows"]
    measured = [each for each in measures.measures_of(rows) if measures.MEASURES[each].better]
    bars = [row[each] for each in measured for row in rows if row.get(each) is not None]
    origins = ["0"] * len(measured)  # the only mark of an axis
    numbers = [each for each in shown if re.fullmatch(r"\d[\d.,]*", each)]
    assert sorted(numbers) == sorted([*map(format_number, bars), *origins]), RUN
    assert set(measures.contenders_of(rows)) <= set(shown), RUN


def test_an_unknown_subject_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.main(["nonsense"])
    assert "no such subject: nonsense; there are" in capsys.readouterr().err
