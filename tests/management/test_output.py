from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from django.core.management.base import OutputWrapper

from smart_storages.management import output
from smart_storages.management.output import Context
from tests.management.calls import Terminal


def make_context(err: Any = None, **options: Any) -> Any:
    out, err = io.StringIO(), err or io.StringIO()
    return Context(OutputWrapper(out), OutputWrapper(err), **options), out, err


def test_columns_of_numbers_are_aligned_to_the_right_and_nothing_is_a_dash() -> None:
    context, out, _ = make_context()
    context.table([("media", 3, None), ("documents", 1200, "x")], ["MODULE", "FILES", "NOTE"])
    assert out.getvalue().splitlines() == [
        "MODULE     FILES  NOTE",
        "media          3  -",
        "documents   1200  x",
    ]


def test_with_json_only_json_reaches_the_output() -> None:
    context, out, err = make_context(json=True)
    context.write("for a person")
    context.warn("told beside it")
    context.write_json({"name": "Grüße"})
    assert json.loads(out.getvalue()) == {"name": "Grüße"}
    assert err.getvalue() == "told beside it\n"


@pytest.mark.parametrize("unit", ["files", "bytes"])
def test_a_person_sees_a_bar_with_the_total(unit: str) -> None:
    context, out, err = make_context(Terminal())
    with context.progress("Copying", total=2000, unit=unit) as progress:
        progress.advance(2000)
    assert "Copying" in err.getvalue()
    assert "2000/2000" in err.getvalue() or "2.0/2.0 KiB" in err.getvalue()
    assert out.getvalue() == ""


def test_a_bar_can_learn_its_total_later() -> None:
    context, _, err = make_context(Terminal())
    with context.progress("Listing") as progress:
        progress.total = 70
        progress.advance(7)
    assert "7/70" in err.getvalue()


def test_without_rich_a_person_sees_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smart_storages.management.bars", None)
    clock = iter([100.0, 101.0, 104.0])
    monkeypatch.setattr(output.time, "monotonic", lambda: next(clock))
    context, _, err = make_context(Terminal())
    with context.progress("Copying", total=100) as progress:
        progress.advance(10)
        progress.advance(10)
    assert err.getvalue() == "Copying: 20 files of 100 files, 5 files/s, 16 s left\n"


def test_nobody_watching_means_no_progress() -> None:
    for watched_by, verbosity in ((io.StringIO(), 1), (Terminal(), 0)):
        context, out, err = make_context(watched_by, verbosity=verbosity)
        with context.progress("Copying", total=10) as progress:
            progress.advance(10)
        assert progress.done == 10
        assert out.getvalue() == err.getvalue() == ""


def test_the_bar_goes_when_its_block_ends_by_an_error() -> None:
    context, _, err = make_context(Terminal())
    with pytest.raises(KeyboardInterrupt), context.progress("Copying", total=10):
        raise KeyboardInterrupt
    assert err.getvalue().endswith("\x1b[2K")
