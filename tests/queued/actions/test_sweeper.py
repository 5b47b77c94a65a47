from __future__ import annotations

import os
import socket
import time
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.queued import ledger
from smart_storages.queued.actions import operations
from smart_storages.queued.actions.sweeper import sweep
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.ledger import crash_points
from smart_storages.queued.models import LedgerIdentity, QueuedFile, new_identity
from smart_storages.queued.tasks import get_task
from smart_storages.resolvers import ByContentType
from tests.queued import broker
from tests.queued.conftest import local_files, pass_time, rolled_back, row_of

DAY = 86400


def die_at(step: str) -> Any:
    def hook(reached: str) -> None:
        if reached == step:
            raise KeyboardInterrupt

    return hook


def test_a_lost_message_is_sent_again_once(queue: Any, messages: list) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    messages.clear()
    assert sweep().requeued == 0, "the message may still be on its way"
    pass_time(1000)
    assert sweep().requeued == 1
    assert sweep().requeued == 0, "another sweep has just sent it"
    assert broker.deliver() == ["done"]


def test_a_save_while_the_broker_is_down_is_delivered_by_the_sweep(
    queue: Any, settings: Any
) -> None:
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.refuse"
    queue.save("a.txt", ContentFile(b"hello"))
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.post"
    sweep(requeue_age=0)
    assert broker.deliver() == ["done"]
    assert queue.remote.open("a.txt").read() == b"hello"


def test_what_a_dead_worker_had_is_sent_again_when_its_lease_is_over(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    ledger.claim(row_of(queue, "a.txt").pk)
    assert sweep(requeue_age=0).requeued == 0
    pass_time(1000)
    assert sweep().requeued == 1


def test_the_sweep_can_carry_files_itself(queue: Any, messages: list) -> None:
    for number in range(3):
        queue.save(f"{number}.txt", ContentFile(b"hello"))
    assert sweep(run=True, requeue_age=0).processed == {"done": 3}
    assert queue.remote.listdir("")[1] != []


@pytest.mark.parametrize("run", [True, False])
def test_a_sweep_that_carries_leaves_what_lies_on_another_hosts_disk(
    queue: Any, settings: Any, run: bool
) -> None:
    queue.save("theirs.txt", ContentFile(b"theirs"))
    queue.save("shared.txt", ContentFile(b"shared"))
    queue.save("deleted.txt", ContentFile(b"deleted"))
    queue.delete("deleted.txt")
    QueuedFile.objects.update(host="elsewhere")
    theirs = queue.local.path(row_of(queue, "theirs.txt").local_name)
    os.rename(theirs, theirs + ".away")
    if not run:
        settings.SMART_STORAGE_TASKS = "inline"
    for _ in range(10):
        sweep(run=run, requeue_age=0)
        pass_time(1000)
    row = row_of(queue, "theirs.txt")
    assert (row.state, row.attempts) == ("queued", 0)
    assert queue.remote.open("shared.txt").read() == b"shared", "that disk is seen from here too"
    assert not QueuedFile.objects.filter(name="deleted.txt").exists()
    os.rename(theirs + ".away", theirs)
    QueuedFile.objects.update(host=socket.gethostname())
    assert sweep(run=True, requeue_age=0).processed == {"done": 1}


def test_a_sweep_that_only_sends_leaves_the_choice_to_the_worker(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(host="elsewhere")
    os.unlink(queue.local.path(row_of(queue, "a.txt").local_name))
    assert sweep(requeue_age=0).requeued == 1


def test_what_is_in_a_staging_bucket_is_carried_from_any_host(queue: Any, monkeypatch: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(host="elsewhere")

    def no_path(name: str) -> str:
        raise NotImplementedError

    monkeypatch.setattr(queue.local, "path", no_path)
    monkeypatch.setattr(queue.local, "exists", no_path)
    monkeypatch.setattr("smart_storages.queued.engines.run", lambda pk: "carried")
    assert sweep(run=True, requeue_age=0).processed == {"carried": 1}


def test_held_and_failed_files_are_left_alone(make_queue: Any, messages: list) -> None:
    queue = make_queue(delayed=True)
    queue.save("held.txt", ContentFile(b"1"))
    queue.save("failed.txt", ContentFile(b"2"))
    QueuedFile.objects.filter(name="failed.txt").update(state="failed")
    pass_time(10 * DAY)
    report = sweep(orphan_age=0)
    assert (report.requeued, report.orphans) == (0, 0)
    assert len(local_files(queue)) == 2


def test_orphans_of_rolled_back_transactions_go_when_they_are_old(queue: Any) -> None:
    queue.save("kept.txt", ContentFile(b"kept"))
    (kept,) = local_files(queue)
    with rolled_back():
        queue.save("a.txt", ContentFile(b"hello"))
    assert len(local_files(queue)) == 2
    assert sweep().orphans == 0
    for name in local_files(queue):
        old = time.time() - 2 * DAY
        os.utime(queue.local.path(name), (old, old))
    assert sweep().orphans == 1
    assert local_files(queue) == [kept]


def test_files_that_are_not_the_queues_are_never_orphans(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    queue.local.save("theirs.txt", ContentFile(b"theirs"))
    queue.local.save("queued-0123456789ab/00/theirs.txt", ContentFile(b"another database's"))
    sweep(orphan_age=-10)
    assert len(local_files(queue)) == 3


def test_a_local_that_records_an_alias_in_the_name_keeps_its_live_copies(
    tmp_path: Any, make_queue: Any
) -> None:
    disk = FileSystemStorage(str(tmp_path / "local"))
    local = StorageDispatcher(
        ByContentType({"image/*": "other"}, default="disk"),
        storages={"disk": disk, "other": FileSystemStorage(str(tmp_path / "other"))},
    )
    queue = QueuedStorage(local, FileSystemStorage(str(tmp_path / "remote")), delayed=True)
    queue.save("a.bin", ContentFile(b"precious"))
    assert row_of(queue, "a.bin").local_name.startswith("disk/queued-")
    assert sweep(orphan_age=-10).orphans == 0
    assert queue.open("a.bin").read() == b"precious"


def test_the_copies_of_another_ledger_with_the_same_settings_are_no_orphans(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"theirs"))
    # Another schema, or another stack: none of our rows is there, and its identity is its own.
    QueuedFile.objects.all().delete()
    LedgerIdentity.objects.update(value=new_identity())
    assert sweep(orphan_age=-10).orphans == 0
    assert len(local_files(queue)) == 1


def test_a_ledger_finds_its_orphans_though_its_identity_was_not_yet_written(queue: Any) -> None:
    LedgerIdentity.objects.all().delete()
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.all().delete()
    assert sweep(orphan_age=-10).orphans == 1
    assert LedgerIdentity.objects.count() == 1


def test_a_local_copy_that_outlived_its_worker_is_deleted(queue: Any, monkeypatch: Any) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(crash_points, "hook", die_at("transfer:recorded"))
        queue.save("a.txt", ContentFile(b"hello"))
        with pytest.raises(KeyboardInterrupt):
            broker.deliver()
    assert row_of(queue, "a.txt").local_name
    assert sweep().local_deleted == 1
    assert local_files(queue) == []
    assert row_of(queue, "a.txt").local_name == ""


def test_the_copy_of_a_worker_that_died_before_deleting_it_is_an_orphan(
    queue: Any, monkeypatch: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(crash_points, "hook", die_at("transfer:local-forgotten"))
        queue.save("a.txt", ContentFile(b"hello"))
        with pytest.raises(KeyboardInterrupt):
            broker.deliver()
    assert row_of(queue, "a.txt").local_name == ""
    assert sweep(orphan_age=-10).orphans == 1
    assert local_files(queue) == []


def test_a_copy_that_is_sent_again_is_not_swept(queue: Any, monkeypatch: Any) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(crash_points, "hook", die_at("transfer:recorded"))
        queue.save("a.txt", ContentFile(b"hello"))
        with pytest.raises(KeyboardInterrupt):
            broker.deliver()
    queue.remote.delete("a.txt")

    def repair(task: Any) -> Any:  # when the sweep has read the row
        operations.verify(ledger.rows(), lambda problem: None, repair=True)
        return get_task(task)

    monkeypatch.setattr("smart_storages.queued.actions.sweeper.get_task", repair)
    assert sweep().local_deleted == 0
    assert queue.open("a.txt").read() == b"hello"
    assert broker.deliver() == ["done"]
    assert queue.remote.open("a.txt").read() == b"hello"


def test_the_kept_copies_of_transfer_stay(make_queue: Any) -> None:
    queue = make_queue(task="smart_storages.queued.tasks.Transfer")
    queue.save("a.txt", ContentFile(b"hello"))
    broker.deliver()
    sweep(orphan_age=-10)
    assert len(local_files(queue)) == 1


def test_rows_of_a_storage_that_nobody_knows_are_reported(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(storage="gone")
    assert sweep(orphan_age=-10).unknown == ["gone"]
    assert len(local_files(queue)) == 1


def test_more_rows_than_a_batch_are_all_sent(queue: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("smart_storages.queued.actions.sweeper._BATCH", 3)
    for number in range(8):
        queue.save(f"{number}.txt", ContentFile(b"hello"))
    assert sweep(requeue_age=0).requeued == 8
