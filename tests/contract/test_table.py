"""The table in docs/backends.md says what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.capabilities import CAPABILITIES, COLUMNS, Column, measure, place_of
from tests.contract.table import PAGE, read_table, with_table

pytestmark = pytest.mark.documentation

FIXTURES = {"ceph": "ceph", "moto": "moto_server", "azurite": "azurite"}
RUN = "run `make table`"


def _parameter(column: Column) -> Any:
    marks = [pytest.mark.real_s3] if column.kind == "ceph" else []
    return pytest.param(column, id=column.title.replace("`", ""), marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize("column", [_parameter(column) for column in COLUMNS])
def test_the_column_of_a_backend_is_what_it_does(
    column: Column, request: Any, tmp_path: Path
) -> None:
    server = None
    if column.kind:  # skips where it is not installed
        server = request.getfixturevalue(FIXTURES.get(column.kind, column.kind))
    written = read_table(PAGE.read_text("utf-8"))[column.title]
    assert measure(column, server, tmp_path) == written, RUN


def test_the_page_has_every_row_and_every_column() -> None:
    written = read_table(PAGE.read_text("utf-8"))
    assert list(written) == [column.title for column in COLUMNS], RUN
    assert all(list(rows) == list(CAPABILITIES) for rows in written.values()), RUN


def test_a_table_that_is_written_is_read_back() -> None:
    measured = {
        "`one`": {"a row": "yes", "another": "no"},
        "two": {"a row": "no", "another": "yes"},
    }
    page = with_table(PAGE.read_text("utf-8"), measured)
    assert read_table(page) == measured
    assert page.partition("<!--")[0] == PAGE.read_text("utf-8").partition("<!--")[0]


@pytest.mark.parametrize(
    ("broken", "row"),
    [
        ("overwrites", "twelve writers of one name at a time: each keeps its file"),
        ("forgets", "the type, `Cache-Control` and metadata are kept, also by a copy"),
        ("lists backwards", "a listing is in the order of the names' UTF-8 bytes"),
    ],
)
def test_a_row_says_no_of_a_backend_that_cannot(
    broken: str, row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smart_storages.backends.memory import MemoryStore

    put, entries = MemoryStore.put, MemoryStore.entries
    if broken == "overwrites":
        monkeypatch.setattr(
            MemoryStore, "put", lambda *given, overwrite: put(*given, overwrite=True)
        )
    elif broken == "forgets":
        monkeypatch.setattr(
            MemoryStore,
            "put",
            lambda store, key, chunks, kept, **named: put(
                store, key, chunks, type(kept)(), **named
            ),
        )
    else:
        monkeypatch.setattr(
            MemoryStore, "entries", lambda *given: iter(list(entries(*given))[::-1])
        )
    [memory] = [column for column in COLUMNS if column.title == "`memory`"]
    with place_of(memory, None, tmp_path) as place:
        assert CAPABILITIES[row](place) == "no"
