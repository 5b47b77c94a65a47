"""The harness of ``make bench``: what it finds, what it prints; figures are not judged here."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import OURS, THEIRS, bench_routing
from benchmarks import __main__ as program
from benchmarks.harness import Context, format_number, render_table
from benchmarks.memory import peak_memory


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


def test_rows_of_one_case_stand_side_by_side_with_their_ratio() -> None:
    rows = [
        {"case": "read", "who": THEIRS, "time_ms": 30.0},
        {"case": "read", "who": OURS, "time_ms": 10.0},
        {"case": "many", "who": OURS, "time_ms": 0.0, "note": "ours alone"},
    ]
    lines = [line.split() for line in render_table(rows).splitlines()]
    assert lines[0] == ["case", "measure", OURS, THEIRS, "ratio"]
    assert lines[2] == ["read", "time_ms", "10.0", "30.0", "3.00x"]
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
    assert set(record["machine"]["versions"]) >= {"Django", "boto3", "django-storages"}
    assert "A subject" in capsys.readouterr().out


def test_an_unknown_subject_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.main(["nonsense"])
    assert "no such subject: nonsense; there are" in capsys.readouterr().err
