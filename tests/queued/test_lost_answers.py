"""The database does what it is asked, and its answer is lost: nobody knows, and nothing is lost."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from typing import Any, Callable

import pytest
from django.core.files.base import ContentFile
from django.db import Error, connections, transaction

from smart_storages.queued.actions import operations
from smart_storages.queued.actions.sweeper import sweep
from smart_storages.queued.models import QueuedFile
from tests.queued import broker
from tests.queued.conftest import local_files, pass_time, rolled_back, row_of

TABLE = b'"smart_storages_queued_queuedfile"'
COMMIT = b"COMMIT"


def lose(relay: Any, statement: bytes, action: Callable[[], Any], *, raises: bool = True) -> None:
    """Do something whose statement is carried out, but not answered."""
    before = relay.lost
    relay.lose_answer(statement)
    with pytest.raises(Error) if raises else nullcontext():
        action()
    assert relay.lost == before + 1, statement
    connections["default"].close()  # as Django does at the end of a request


def make_old(storage: Any) -> None:
    for name in local_files(storage):
        long_ago = time.time() - 10 * 86400
        os.utime(storage.local.path(name), (long_ago, long_ago))


@pytest.mark.parametrize("delayed", [False, True])
def test_a_save_whose_commit_is_not_answered_leaves_a_readable_file(
    make_queue: Any, postgres_ledger: Any, delayed: bool
) -> None:
    queue = make_queue(delayed=delayed)
    lose(postgres_ledger, COMMIT, lambda: queue.save("a.txt", ContentFile(b"hello")))
    assert queue.open("a.txt").read() == b"hello"
    make_old(queue)
    assert sweep(requeue_age=0).orphans == 0
    assert broker.deliver() == ([] if delayed else ["done"])
    assert queue.open("a.txt").read() == b"hello"


def test_a_save_that_certainly_failed_leaves_no_copy_and_one_in_doubt_does(
    make_queue: Any, postgres_ledger: Any, monkeypatch: Any
) -> None:
    queue = make_queue(overwrite=True)
    lose(postgres_ledger, b"INSERT INTO", lambda: queue.save("a.txt", ContentFile(b"hello")))
    assert not queue.exists("a.txt")
    assert local_files(queue) == [], "nothing was committed: the statement was in a transaction"

    queue.save("a.txt", ContentFile(b"old"))
    lose(postgres_ledger, COMMIT, lambda: queue.save("a.txt", ContentFile(b"new")))
    assert queue.open("a.txt").read() == b"new"
    assert len(local_files(queue)) == 2, "the old copy is the sweep's"
    make_old(queue)
    assert sweep(requeue_age=0).orphans == 1
    assert queue.open("a.txt").read() == b"new"


def test_a_rolled_back_save_in_doubt_is_the_sweeps(make_queue: Any, postgres_ledger: Any) -> None:
    queue = make_queue()

    def save() -> None:
        with transaction.atomic():
            queue.save("a.txt", ContentFile(b"hello"))

    lose(postgres_ledger, COMMIT, save)
    assert queue.open("a.txt").read() == b"hello"
    sweep(requeue_age=0)
    assert broker.deliver() == ["done"]
    assert queue.remote.open("a.txt").read() == b"hello"


def test_a_save_straight_to_the_remote_whose_commit_is_not_answered_is_readable(
    make_queue: Any, postgres_ledger: Any
) -> None:
    queue = make_queue(max_local_bytes=0)
    lose(postgres_ledger, COMMIT, lambda: queue.save("a.txt", ContentFile(b"hello")))
    assert queue.open("a.txt").read() == b"hello"
    lose(postgres_ledger, b"INSERT INTO", lambda: queue.save("b.txt", ContentFile(b"hello")))
    assert not queue.exists("b.txt")
    assert len(queue.remote.listdir("")[1]) == 1, "the object of the row that is not there is gone"


def test_a_delete_whose_commit_is_not_answered_is_carried_out(
    make_queue: Any, postgres_ledger: Any
) -> None:
    queue = make_queue(task="smart_storages.queued.tasks.Transfer")
    queue.save("a.txt", ContentFile(b"hello"))
    broker.deliver()
    lose(postgres_ledger, COMMIT, lambda: queue.delete("a.txt"))
    assert not queue.exists("a.txt")
    make_old(queue)
    sweep(requeue_age=0)
    assert broker.deliver() == ["deleted"]
    assert local_files(queue) == []
    assert queue.remote.listdir("")[1] == []


def test_a_retry_or_a_transfer_whose_answer_is_lost_is_sent_by_the_sweep(
    make_queue: Any, postgres_ledger: Any
) -> None:
    def ask() -> None:
        if queue.delayed:
            queue.transfer("a.txt")
        else:
            operations.retry(QueuedFile.objects.filter(state="failed"))

    for delayed in (True, False):
        queue = make_queue(delayed=delayed, key=f"key {delayed}")
        queue.save("a.txt", ContentFile(b"hello"))
        if not delayed:
            QueuedFile.objects.update(state="failed")
        broker.messages.clear()
        lose(postgres_ledger, b"UPDATE " + TABLE, ask)
        assert row_of(queue, "a.txt").state == "queued"
        sweep(requeue_age=0)
        assert broker.deliver() == ["done"]
        assert queue.open("a.txt").read() == b"hello"
        QueuedFile.objects.all().delete()
        queue.remote.delete("a.txt")


#: What each statement of an attempt holds that no other does, and whether the copy may be gone.
ATTEMPT = {
    "claim": b'"attempts" = ',
    "name": b'SET "remote_name" = ',
    "finish": b'"finished_at" = ',
    "forget the copy": b'SET "local_name" = ',
}


def test_a_transfer_whose_answers_are_lost_ends_whole(
    make_queue: Any, postgres_ledger: Any
) -> None:
    for statement, piece in ATTEMPT.items():
        queue = make_queue(key=statement)
        name = queue.save(f"{statement}.txt", ContentFile(b"hello"))
        lose(postgres_ledger, piece, broker.deliver, raises=statement == "claim")
        for _ in range(3):
            assert queue.open(name).read() == b"hello", statement
            pass_time(1000)
            sweep(requeue_age=0)
            broker.deliver()
        row = row_of(queue, name)
        assert (row.state, row.local_name) == ("done", ""), statement
        assert queue.remote.open(name).read() == b"hello", statement
        make_old(queue)
        sweep()
        assert local_files(queue) == [], statement


def test_a_prune_whose_answer_is_lost_forgets_nothing_that_is_needed(
    make_queue: Any, postgres_ledger: Any
) -> None:
    queue = make_queue()
    queue.save("a.txt", ContentFile(b"hello"))
    broker.deliver()
    pass_time(10 * 86400)
    lose(postgres_ledger, COMMIT, lambda: operations.prune(1))
    assert not QueuedFile.objects.exists()
    assert queue.open("a.txt").read() == b"hello"


def test_an_attempt_inside_a_transaction_that_is_rolled_back_keeps_the_copy(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    with rolled_back():
        assert broker.deliver() == ["done"]
        assert queue.open("a.txt").read() == b"hello"
    assert row_of(queue, "a.txt").state == "queued"
    assert queue.open("a.txt").read() == b"hello"
    QueuedFile.objects.update(state="done", remote_name="a.txt")
    with rolled_back():
        sweep()
    assert len(local_files(queue)) == 1
