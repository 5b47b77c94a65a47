"""The application deadlocks in the database, and a worker that waits there is not its victim."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any, Callable, List

import pytest
from django.db import Error, OperationalError, connection, transaction
from django.utils import timezone

from smart_storages.queued.ledger import claim, remove, rows
from smart_storages.queued.ledger.deadlocks import is_deadlock, retry_deadlocks
from smart_storages.queued.ledger.recording import record_delete
from smart_storages.queued.models import QueuedFile, State, row_key


def make(name: str, **values: Any) -> QueuedFile:
    given = {"state": State.QUEUED, "task": "t", "local_name": "local", **values}
    return QueuedFile.objects.create(key=row_key("s", name), storage="s", name=name, **given)


def waiting() -> int:
    """Return how many connections wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def wait_for(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.01)


def break_off_after(milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET deadlock_timeout = {milliseconds}")


class Application(threading.Thread):
    """A transaction that changes one row, and when it is told, another."""

    def __init__(self, first: QueuedFile, second: QueuedFile) -> None:
        super().__init__(daemon=True)
        self.first, self.second = first.pk, second.pk
        self.holds, self.go_on = threading.Event(), threading.Event()

    def run(self) -> None:
        with suppress(OperationalError):
            break_off_after(700)
            with transaction.atomic():
                QueuedFile.objects.filter(pk=self.first).update(size=1)
                self.holds.set()
                self.go_on.wait(20)
                QueuedFile.objects.filter(pk=self.second).update(size=2)
        connection.close()


class Deadlock:
    """Two transactions lock a file and its document, each in its own order."""

    def __init__(self, file: QueuedFile) -> None:
        document = make("document")
        self.saver = Application(file, document)
        self.deleter = Application(document, file)
        for each in (self.saver, self.deleter):
            each.start()
            assert each.holds.wait(20)

    def close_around(self, act: Callable[[], Any]) -> Any:
        """Return what a bystander gets that waits for the file when the circle closes."""
        answers: List[Any] = []

        def stand_by() -> None:
            try:
                break_off_after(150)  # it notices the deadlock first, so it becomes the victim
                answers.append(act())
            except Error as error:
                answers.append(error)
            connection.close()

        bystander = threading.Thread(target=stand_by, daemon=True)
        bystander.start()
        wait_for(lambda: waiting() > 0)
        self.deleter.go_on.set()
        self.saver.go_on.set()
        for each in (bystander, self.saver, self.deleter):
            each.join(20)
        (answer,) = answers
        return answer


def refusals(caplog: pytest.LogCaptureFixture) -> int:
    return sum("broke off a deadlock" in each.message for each in caplog.records)


def test_a_claim_survives_a_deadlock_of_others(postgres_ledger: Any, caplog: Any) -> None:
    caplog.set_level("INFO", "smart_storages.queued.ledger.deadlocks")
    file = make("a.txt")
    claimed = Deadlock(file).close_around(lambda: claim(file.pk))
    assert claimed.state == State.TRANSFERRING
    assert refusals(caplog), "the claim was never refused, so this test shows nothing"


def test_a_removed_tombstone_survives_a_deadlock_of_others(
    postgres_ledger: Any, caplog: Any
) -> None:
    caplog.set_level("INFO", "smart_storages.queued.ledger.deadlocks")
    file = make("a.txt", state=State.DELETING, lease_token="mine", lease_until=timezone.now())
    assert Deadlock(file).close_around(lambda: remove(file)) is True
    assert not rows().filter(pk=file.pk).exists()
    assert refusals(caplog)


def test_a_delete_without_a_transaction_survives_a_deadlock_of_others(
    postgres_ledger: Any, caplog: Any
) -> None:
    caplog.set_level("INFO", "smart_storages.queued.ledger.deadlocks")
    file = make("a.txt")
    deadlock = Deadlock(file)
    row, replaced = deadlock.close_around(lambda: record_delete("s", "a.txt", "t", "a.txt"))
    assert (row.state, replaced) == (State.DELETING, "local")
    assert QueuedFile.objects.get(pk=file.pk).generation == 2, "once, not once an attempt"
    assert refusals(caplog)


def test_a_transaction_that_was_broken_off_is_its_owners_to_repeat(postgres_ledger: Any) -> None:
    file = make("a.txt")

    def delete_in_a_transaction() -> Any:
        with transaction.atomic():
            return record_delete("s", "a.txt", "t", "a.txt")

    refused = Deadlock(file).close_around(delete_in_a_transaction)
    assert isinstance(refused, OperationalError)
    assert is_deadlock(refused)


def test_an_endless_deadlock_is_reported_in_the_end(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: List[float] = []
    module = "smart_storages.queued.ledger.deadlocks"
    monkeypatch.setattr(f"{module}.time.sleep", pauses.append)
    monkeypatch.setattr(f"{module}.random.uniform", lambda least, most: (least + most) / 2)
    asked: List[int] = []

    def refuse() -> None:
        asked.append(1)
        raise OperationalError(1213, "Deadlock found when trying to get lock")

    with pytest.raises(OperationalError, match="1213"):
        retry_deadlocks("default", refuse)
    assert len(asked) == 6
    assert pauses == [0.04, 0.08, 0.16, 0.32, 0.64]


class _RefusedError(Exception):
    def __init__(self, **attributes: str) -> None:
        super().__init__("refused")
        self.__dict__.update(attributes)


class _OracleError:
    def __init__(self, code: int) -> None:
        self.code = code


@pytest.mark.parametrize(
    ("arguments", "driver", "expected"),
    [
        (("deadlock detected",), _RefusedError(pgcode="40P01"), True),
        (("deadlock detected",), _RefusedError(sqlstate="40P01"), True),
        (("could not serialize access",), _RefusedError(sqlstate="40001"), True),
        (("duplicate key",), _RefusedError(sqlstate="23505"), False),
        ((1213, "Deadlock found"), None, True),
        ((1205, "Lock wait timeout exceeded"), None, False),
        ((2006, "MySQL server has gone away"), None, False),
        ((_OracleError(60),), None, True),
        ((_OracleError(1),), None, False),
        (("database is locked",), None, False),
        ((), None, False),
    ],
)
def test_a_deadlock_is_known_by_the_code_of_each_database(
    arguments: Any, driver: Any, expected: bool
) -> None:
    error = OperationalError(*arguments)
    error.__cause__ = driver
    assert is_deadlock(error) is expected
