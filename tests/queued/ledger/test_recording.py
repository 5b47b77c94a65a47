"""What a save and a delete write into the ledger, to the column, and what they leave alone."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.db import OperationalError, transaction

from smart_storages.queued.ledger import recording
from smart_storages.queued.ledger.recording import LocalCopy, NameTakenError
from smart_storages.queued.models import QueuedFile, State, row_key
from tests.queued.ledger.conftest import NOW, Ledger, at, values_of

COPY = LocalCopy(name="copy", size=5, checksum="c", md5="m", host="h")
OF_COPY = {"local_name": "copy", "size": 5, "checksum": "c", "md5": "m", "host": "h"}
FRESH = {"attempts": 0, "last_error": "", "not_before": NOW, "enqueued_at": NOW}
NO_ATTEMPT = {"lease_token": "", "lease_until": None, "dirty_until": None, "dirty_generation": 0}
#: A row with a history.
USED: Dict[str, Any] = {
    "attempts": 3,
    "last_error": "no",
    "not_before": at(9),
    "finished_at": at(-9),
    "saved_at": at(-9),
    "remote_name": "elsewhere",
}


@pytest.fixture
def undone() -> List[str]:
    return []


@pytest.fixture
def save(undone: List[str]) -> Any:
    def call(name: str = "a.txt", *, overwrite: bool = True, **given: Any) -> Any:
        values = {"task": "t", "state": State.QUEUED, "copy": COPY, "storage": "s", **given}
        return recording.record_save(
            name=name, overwrite=overwrite, undo=lambda: undone.append(name), **values
        )

    return call


@pytest.mark.parametrize(("overwrite", "remote_name"), [(True, "a.txt"), (False, "")])
def test_a_save_makes_a_row(ledger: Ledger, save: Any, overwrite: bool, remote_name: str) -> None:
    row, replaced = save(overwrite=overwrite, state=State.HELD)
    assert replaced == ""
    assert values_of(row) == {
        "id": row.pk,
        "key": row_key("s", "a.txt"),
        "storage": "s",
        "name": "a.txt",
        "generation": 1,
        "state": State.HELD,
        "task": "t",
        "remote_name": remote_name,
        "saved_at": NOW,
        "finished_at": None,
        **OF_COPY,
        **FRESH,
        **NO_ATTEMPT,
    }


def test_a_save_over_a_file_is_its_next_generation(ledger: Ledger, save: Any) -> None:
    before = ledger.make(state=State.DONE, **USED)
    other = values_of(ledger.make("b.txt"))
    changed = ledger.changes(before, lambda: save(task="u"))
    row, replaced = changed.pop("answer")
    assert (row.pk, row.generation, replaced) == (before.pk, 2, "local")
    assert changed == {
        "generation": 2,
        "state": State.QUEUED,
        "task": "u",
        "saved_at": NOW,
        "finished_at": None,
        **OF_COPY,
        **FRESH,
    }
    assert values_of(QueuedFile.objects.get(name="b.txt")) == other


@pytest.mark.parametrize("state", [each for each in State if each != State.DELETING])
def test_a_save_that_must_not_overwrite_leaves_a_file_alone(
    ledger: Ledger, save: Any, undone: List[str], state: str
) -> None:
    row = ledger.make(state=state)
    before = values_of(row)
    with pytest.raises(NameTakenError, match=r"a\.txt"):
        save(overwrite=False)
    assert values_of(row) == before
    assert undone == [], "who saves tries another name with the same copy"


def test_the_name_of_a_deleted_file_is_free(ledger: Ledger, save: Any) -> None:
    row = ledger.make(state=State.DELETING, local_name="", remote_name="a.txt")
    changed = ledger.changes(row, lambda: save(overwrite=False))
    assert (changed["generation"], changed["state"]) == (2, State.QUEUED)
    assert "remote_name" not in changed


class Late:
    """The rows of a ledger to which another process adds one right after the first look."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self.updates = 0

    def __call__(self) -> Any:
        found = self._rows()
        if not self.updates:
            found.filter = self._filter(found.filter)
        return found

    def _filter(self, real: Any) -> Any:
        def filter_(*args: Any, **kwargs: Any) -> Any:
            chosen = real(*args, **kwargs)
            update = chosen.update

            def late(**values: Any) -> int:
                self.updates += 1
                return 0 if self.updates == 1 else int(update(**values))

            chosen.update = late
            return chosen

        return filter_


@pytest.mark.parametrize(
    ("state", "overwrite"),
    [(State.QUEUED, True), (State.DELETING, False), (State.QUEUED, False)],
)
def test_a_row_that_another_process_adds_meanwhile_is_found(
    ledger: Ledger,
    save: Any,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    overwrite: bool,
) -> None:
    row, _other = ledger.make(state=state), ledger.make("b.txt")
    late = Late(recording.rows)
    monkeypatch.setattr(recording, "rows", late)
    if overwrite or state == State.DELETING:
        saved, replaced = save(overwrite=overwrite)
        assert (saved.pk, saved.generation, replaced) == (row.pk, 2, "local")
        assert late.updates == 2
    else:
        with pytest.raises(NameTakenError):
            save(overwrite=overwrite)
        assert late.updates == 1


@pytest.mark.parametrize(
    "given",
    [
        {"name": "x" * 1025},
        {"storage": "x" * 101},
        {"task": "x" * 201},
        {"copy": LocalCopy("x" * 301, 5, "c", "m", "h")},
        {"copy": LocalCopy("copy", 5, "c", "m", "x" * 256)},
    ],
    ids=["name", "storage", "task", "local name", "host"],
)
def test_what_does_not_fit_is_refused_and_undone(
    ledger: Ledger, save: Any, undone: List[str], given: Dict[str, Any]
) -> None:
    for overwrite in (True, False):
        with pytest.raises(SuspiciousFileOperation, match="Give a shorter one"):
            save(overwrite=overwrite, **given)
    assert undone == [given.get("name", "a.txt")] * 2
    assert not QueuedFile.objects.exists()


@pytest.mark.parametrize("loses", ["statement", "commit"])
def test_a_save_is_undone_where_it_is_certain_that_no_row_was_written(
    ledger: Ledger, save: Any, undone: List[str], monkeypatch: pytest.MonkeyPatch, loses: str
) -> None:
    real = transaction.atomic

    @contextmanager
    def atomic(**given: Any) -> Iterator[None]:
        with real(**given):
            if loses == "statement":
                raise OperationalError("lost")
            yield
        raise OperationalError("lost")

    ways = iter([atomic])  # the outer transaction; within it, all is as it was

    def begin(**given: Any) -> Any:
        return next(ways, real)(**given)

    monkeypatch.setattr(recording, "transaction", SimpleNamespace(atomic=begin))
    with pytest.raises(OperationalError, match="lost"):
        save()
    assert undone == (["a.txt"] if loses == "statement" else [])


def record_remote(undone: List[str], name: str = "a.txt") -> QueuedFile:
    return recording.record_remote(
        "s", name, COPY, task="t", remote_name="b.txt", undo=lambda: undone.append(name)
    )


def test_a_file_that_is_in_the_remote_is_done(ledger: Ledger, undone: List[str]) -> None:
    found = values_of(record_remote(undone))
    expected = {**OF_COPY, "local_name": "", "host": "", **FRESH, **NO_ATTEMPT, "generation": 1}
    expected.update(state=State.DONE, task="t", remote_name="b.txt", finished_at=NOW)
    assert {name: found[name] for name in expected} == expected
    assert undone == []


@pytest.mark.parametrize("state", [State.DONE, State.DELETING])
def test_a_file_that_has_a_row_is_not_recorded_beside_it(
    ledger: Ledger, undone: List[str], state: str
) -> None:
    row = ledger.make(state=state)
    before = values_of(row)
    with pytest.raises(NameTakenError):
        record_remote(undone)
    assert values_of(row) == before
    with pytest.raises(SuspiciousFileOperation):
        record_remote(undone, "x" * 1025)
    assert undone == ["x" * 1025]


def test_a_delete_leaves_a_tombstone(ledger: Ledger) -> None:
    row = ledger.make(state=State.DONE, **USED)
    changed = ledger.changes(row, lambda: recording.record_delete("s", "a.txt", "u", "other"))
    assert changed.pop("answer") == (row, "local")
    assert changed == {
        "generation": 2,
        "state": State.DELETING,
        "local_name": "",
        "finished_at": None,
        **FRESH,
    }


def test_a_delete_of_a_file_without_a_row_makes_one(ledger: Ledger) -> None:
    row, replaced = recording.record_delete("s", "a.txt", "u", "other")
    found = values_of(row)
    expected = {"state": State.DELETING, "task": "u", "remote_name": "other", "local_name": ""}
    assert {name: found[name] for name in expected} == expected
    assert (replaced, found["generation"], found["key"]) == ("", 1, row_key("s", "a.txt"))
