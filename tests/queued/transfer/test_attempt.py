from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.utils.functional import SimpleLazyObject

from smart_storages import signals
from smart_storages.queued import engines, ledger
from smart_storages.queued.ledger import crash_points
from smart_storages.queued.ledger.lease import Lease
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.tasks import Transfer, TransferAndDelete
from smart_storages.queued.transfer import attempt
from tests.queued import broker
from tests.queued.conftest import local_files, pass_time, row_of


class AnswersFalse(Transfer):
    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> bool:
        return False


class AnswersNone(Transfer):
    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> bool:
        super().transfer(name, local, remote, **kwargs)
        return None  # type: ignore[return-value]


class Corrupts(TransferAndDelete):
    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> bool:
        remote.save(name, ContentFile(b"HELLO"))
        return True


class Claims(TransferAndDelete):
    """Says that it has sent the file, and has not."""

    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> bool:
        return True


class Moves(TransferAndDelete):
    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> bool:
        assert local.exists(name)
        assert local.size(name) == kwargs["size"]
        remote.save(f"archive/{name}", local.open(name))
        return True


def path(task: type) -> str:
    return f"{task.__module__}.{task.__name__}"


@pytest.fixture
def heard() -> Any:
    """The names of the signals that were sent, in order."""
    names = []
    receivers = []
    for each in signals.__all__:

        def listen(signal_name: str = each, **kwargs: Any) -> None:
            names.append(signal_name)

        receivers.append((getattr(signals, each), listen))
        getattr(signals, each).connect(listen)
    yield names
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def at(step: str, act: Any) -> Any:
    """Call ``act`` the first time that a step is reached."""
    done = []

    def hook(reached: str) -> None:
        if reached == step and not done:
            done.append(True)
            act()

    crash_points.hook = hook
    return done


@pytest.fixture(autouse=True)
def _no_hook() -> Any:
    yield
    crash_points.hook = None


def test_false_is_tried_again_with_a_growing_delay_and_then_failed(
    make_queue: Any, messages: list, settings: Any, heard: list
) -> None:
    settings.QUEUED_STORAGE_RETRIES = 2
    settings.QUEUED_STORAGE_RETRY_DELAY = 10
    queue = make_queue(task=path(AnswersFalse))
    queue.save("a.txt", ContentFile(b"hello"))
    delays = []
    outcomes = broker.deliver()
    while messages:
        delays.append(messages[0][1])
        assert engines.run(messages[0][0]) is None, "it must not run before it is due"
        pass_time(100)
        outcomes += broker.deliver()
    assert outcomes == ["retry", "retry", "failed"]
    assert 8 <= delays[0] <= 12
    assert 16 <= delays[1] <= 24
    row = row_of(queue, "a.txt")
    assert row.state == "failed"
    assert "returned False" in row.last_error
    assert queue.open("a.txt").read() == b"hello"
    assert heard.count("transfer_failed") == 1
    assert heard.count("transfer_retried") == 2


def test_a_failed_transfer_can_be_asked_for_again(make_queue: Any, settings: Any) -> None:
    settings.QUEUED_STORAGE_RETRIES = 0
    queue = make_queue(task=path(AnswersFalse))
    queue.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["failed"]
    QueuedFile.objects.update(task=path(Transfer))
    assert queue.transfer("a.txt")
    assert broker.deliver() == ["done"]
    assert queue.remote.open("a.txt").read() == b"hello"


def test_anything_but_a_bool_is_a_value_error_and_fails(make_queue: Any) -> None:
    queue = make_queue(task=path(AnswersNone))
    queue.save("a.txt", ContentFile(b"hello"))
    with pytest.raises(ValueError, match="must return True or False, not None"):
        broker.deliver()
    assert row_of(queue, "a.txt").state == "failed"
    assert queue.using_local("a.txt")


@pytest.mark.parametrize("task", [Corrupts, Claims])
def test_a_remote_that_holds_something_else_does_not_count(make_queue: Any, task: type) -> None:
    queue = make_queue(task=path(task))
    queue.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["retry"]
    row = row_of(queue, "a.txt")
    assert row.state == "queued"
    assert "SHA-256" in row.last_error
    assert queue.open("a.txt").read() == b"hello"
    assert len(local_files(queue)) == 1


def test_the_name_that_the_remote_returns_is_honoured(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"mine"))
    queue.remote.save("a.txt", ContentFile(b"somebody else's"))
    assert broker.deliver() == ["done"]
    renamed = row_of(queue, "a.txt").remote_name
    assert renamed != "a.txt"
    assert queue.open("a.txt").read() == b"mine"
    assert queue.url("a.txt") == f"/remote/{renamed}"
    assert queue.listdir("") == ([], ["a.txt"])
    queue.delete("a.txt")
    broker.deliver()
    assert queue.remote.open("a.txt").read() == b"somebody else's"
    assert not queue.remote.exists(renamed)


def test_a_task_may_choose_another_name(make_queue: Any) -> None:
    queue = make_queue(task=path(Moves))
    queue.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["done"]
    assert queue.remote.open("archive/a.txt").read() == b"hello"
    assert queue.open("a.txt").read() == b"hello"


def test_running_it_twice_or_late_changes_nothing(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    pk = row_of(queue, "a.txt").pk
    assert engines.run(pk) == "done"
    before = QueuedFile.objects.values().get()
    assert engines.run(pk) is None
    assert QueuedFile.objects.values().get() == before
    queue.delete("a.txt")
    assert engines.run(pk) == "deleted"
    assert engines.run(pk) is None
    assert not queue.remote.exists("a.txt")


def test_two_workers_at_once_carry_a_file_once(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    pk = row_of(queue, "a.txt").pk
    outcomes = []

    def other() -> None:
        try:
            outcomes.append(engines.run(pk))
        finally:
            connection.close()

    def start_another() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    at("transfer:uploading", start_another)
    assert engines.run(pk) == "done"
    assert outcomes == [None]
    assert queue.remote.listdir("") == ([], ["a.txt"])


@pytest.mark.parametrize(
    "step",
    ["transfer:claimed", "transfer:place-freed", "transfer:uploading", "transfer:uploaded",
     "transfer:verified", "transfer:recorded", "transfer:local-forgotten",
     "transfer:local-deleted"],
)  # fmt: skip
def test_a_save_during_the_transfer_wins(make_queue: Any, step: str) -> None:
    queue = make_queue(overwrite=True)
    queue.save("a.txt", ContentFile(b"old"))
    reached = at(step, lambda: queue.save("a.txt", ContentFile(b"new")))
    broker.deliver()
    assert reached
    assert queue.open("a.txt").read() == b"new"
    broker.deliver()
    row = row_of(queue, "a.txt")
    if row.state == "settling":
        pass_time(1000)
        engines.run(row.pk)
    assert row_of(queue, "a.txt").state == "done"
    assert queue.remote.open("a.txt").read() == b"new"
    assert local_files(queue) == []


@pytest.mark.parametrize(
    "step",
    ["transfer:claimed", "transfer:named", "transfer:uploading", "transfer:uploaded",
     "transfer:verified", "transfer:recorded", "transfer:local-forgotten",
     "transfer:local-deleted"],
)  # fmt: skip
def test_a_delete_during_the_transfer_wins(queue: Any, step: str) -> None:
    queue.save("a.txt", ContentFile(b"old"))
    reached = at(step, lambda: queue.delete("a.txt"))
    broker.deliver()
    assert reached
    assert not queue.exists("a.txt")
    broker.deliver()
    row = QueuedFile.objects.first()
    if row is not None:  # the attempt broke off while it was sending, so it is deleted twice
        pass_time(1000)
        engines.run(row.pk)
    assert not queue.remote.exists("a.txt")
    assert not QueuedFile.objects.exists()
    assert local_files(queue) == []


def test_a_save_during_the_remote_delete_wins(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)
    queue.save("a.txt", ContentFile(b"old"))
    broker.deliver()
    queue.delete("a.txt")
    assert at("remove:remote-deleted", lambda: queue.save("a.txt", ContentFile(b"new"))) == []
    broker.deliver()
    assert queue.open("a.txt").read() == b"new"
    broker.deliver()
    assert queue.remote.open("a.txt").read() == b"new"


def test_an_attempt_that_lost_its_lease_changes_nothing(queue: Any, settings: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    row = row_of(queue, "a.txt")
    outcomes = []

    def be_overtaken() -> None:
        pass_time(settings.QUEUED_STORAGE_LEASE + 1)
        crash_points.hook = None
        outcomes.append(engines.run(row.pk))

    settings.QUEUED_STORAGE_LEASE = 300
    at("transfer:uploading", be_overtaken)
    first = engines.run(row.pk)
    # The second could not know how the first would end: it is looked at once more.
    assert outcomes == ["settling"]
    assert first == "late"
    assert row_of(queue, "a.txt").state == "settling"
    assert queue.open("a.txt").read() == b"hello"
    assert len(local_files(queue)) == 1
    pass_time(1000)
    assert engines.run(row.pk) == "done"
    assert queue.remote.open("a.txt").read() == b"hello"
    assert local_files(queue) == []


def test_a_file_that_never_travelled_is_deleted_without_a_look_at_the_remote(
    make_queue: Any,
) -> None:
    queue = make_queue(delayed=True)
    queue.save("a.txt", ContentFile(b"mine"))
    queue.remote.save("a.txt", ContentFile(b"somebody else's"))
    queue.delete("a.txt")
    assert broker.deliver() == ["deleted"]
    assert not QueuedFile.objects.exists()
    assert queue.remote.open("a.txt").read() == b"somebody else's"


def test_what_was_in_the_remote_before_the_ledger_can_be_deleted(queue: Any) -> None:
    queue.remote.save("a.txt", ContentFile(b"from before"))
    queue.delete("a.txt")
    assert broker.deliver() == ["deleted"]
    assert not queue.remote.exists("a.txt")


class WritesByItself(TransferAndDelete):
    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> bool:
        remote.inner.save(name, local.open(name))
        return True


def test_what_a_task_wrote_by_itself_is_deleted(make_queue: Any) -> None:
    queue = make_queue(task=path(WritesByItself))
    queue.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["done"]
    queue.delete("a.txt")
    assert broker.deliver() == ["deleted"]
    assert not queue.remote.exists("a.txt")


@pytest.mark.parametrize("method", ["_save", "save"])
def test_a_name_under_which_nothing_was_written_is_not_freed_again(
    queue: Any, monkeypatch: Any, method: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("unreachable")

    queue.save("a.txt", ContentFile(b"mine"))
    with monkeypatch.context() as patch:
        patch.setattr(queue.remote, method, fail)
        assert broker.deliver() == ["retry"]
    queue.remote.save("a.txt", ContentFile(b"somebody else's"))
    pass_time(1000)
    assert broker.deliver() == ["done"]
    assert queue.open("a.txt").read() == b"mine"
    assert queue.remote.open("a.txt").read() == b"somebody else's"


class Breaks(FileSystemStorage):
    def _save(self, name: str, content: Any) -> str:
        super()._save(name, ContentFile(content.read(2)))
        raise ConnectionError("reset")


def test_a_name_under_which_something_was_written_is_kept(make_queue: Any) -> None:
    queue = make_queue(remote=path(Breaks))
    queue.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["retry"]
    assert row_of(queue, "a.txt").remote_name == "a.txt"
    assert queue.remote.listdir("") == ([], ["a.txt"])
    queue.delete("a.txt")
    broker.deliver()
    pass_time(1000)
    engines.run(QueuedFile.objects.get().pk)
    assert queue.remote.listdir("") == ([], [])


class Witness(FileSystemStorage):
    """Remembers under which names it wrote, and which the ledger had for the file just then."""

    wrote: ClassVar[list] = []

    def _save(self, name: str, content: Any) -> str:
        before = QueuedFile.objects.get().remote_name
        self.wrote.append((name, before))
        return super()._save(name, content)


@pytest.fixture
def witnessed(make_queue: Any, monkeypatch: Any) -> Any:
    monkeypatch.setattr(Witness, "wrote", [])
    return make_queue(remote=path(Witness))


@pytest.mark.parametrize("is_lazy", [False, True])
def test_another_name_is_in_the_ledger_before_anything_is_written_there(
    witnessed: Any, is_lazy: bool, monkeypatch: Any
) -> None:
    queue = witnessed
    remote = queue.remote
    if is_lazy:  # as Django's default_storage is
        monkeypatch.setattr(queue._remote, "_storage", SimpleLazyObject(lambda: remote))
    queue.save("a.txt", ContentFile(b"mine"))
    at("transfer:sending", lambda: put_behind_its_back(queue.remote, "a.txt", b"theirs"))
    assert broker.deliver() == ["done"]
    ((name, known),) = Witness.wrote
    assert name == known != "a.txt"
    assert queue.remote.open("a.txt").read() == b"theirs"
    assert queue.open("a.txt").read() == b"mine"
    assert "get_available_name" not in remote.__dict__, "what others use was changed"


def test_a_late_attempt_that_finds_its_name_taken_writes_no_second_copy(
    witnessed: Any, settings: Any
) -> None:
    queue = witnessed
    queue.save("a.txt", ContentFile(b"hello"))
    pk = row_of(queue, "a.txt").pk

    def be_overtaken() -> None:
        pass_time(settings.QUEUED_STORAGE_LEASE + 1)
        engines.run(pk)

    settings.QUEUED_STORAGE_LEASE = 300
    at("transfer:sending", be_overtaken)
    assert engines.run(pk) == "late"
    assert [name for name, _ in Witness.wrote] == ["a.txt"]
    assert queue.remote.listdir("") == ([], ["a.txt"])


def test_what_a_late_attempt_wrote_under_the_name_is_not_left_beside_the_file(
    witnessed: Any,
) -> None:
    queue = witnessed
    queue.save("a.txt", ContentFile(b"hello"))
    row = ledger.claim(row_of(queue, "a.txt").pk)
    ledger.name_remote(row, "a.txt")
    pass_time(1000)  # the worker is stopped, and taken for dead
    # ... and goes on just now.
    at("transfer:sending", lambda: put_behind_its_back(queue.remote, "a.txt", b"hel"))
    assert engines.run(row.pk) == "settling"
    assert queue.remote.listdir("") == ([], ["a.txt"])
    assert queue.remote.open("a.txt").read() == b"hello"


def put_behind_its_back(storage: Any, name: str, content: bytes) -> None:
    """Write a file without the ledger."""
    Path(storage.path(name)).write_bytes(content)


def test_a_late_attempt_that_wrote_over_a_newer_file_is_made_good(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)
    queue.save("a.txt", ContentFile(b"old"))
    row = ledger.claim(row_of(queue, "a.txt").pk)
    ledger.name_remote(row, "a.txt")
    pass_time(1000)  # the worker is stopped, and taken for dead
    queue.save("a.txt", ContentFile(b"new"))
    assert broker.deliver()[0] == "settling"
    queue.remote.delete("a.txt")
    queue.remote.save("a.txt", ContentFile(b"old"))  # it goes on, and writes what it has
    ledger.mark_in_doubt(row)
    assert queue.open("a.txt").read() == b"new"
    pass_time(1000)
    assert engines.run(row.pk) == "retry"
    assert engines.run(row.pk) == "done"
    assert queue.remote.open("a.txt").read() == b"new"


def test_a_late_attempt_does_not_bring_a_deleted_file_back(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"old"))
    row = ledger.claim(row_of(queue, "a.txt").pk)
    ledger.name_remote(row, "a.txt")
    pass_time(1000)
    queue.delete("a.txt")
    assert engines.run(row.pk) == "settling"
    pass_time(1000)
    assert engines.run(row.pk) == "deleted"
    queue.remote.save("a.txt", ContentFile(b"old"))
    (again,) = ledger.mark_in_doubt(row)
    assert not queue.exists("a.txt")
    assert engines.run(again) == "deleted"
    assert not queue.remote.exists("a.txt")


def test_a_late_attempt_deletes_only_what_it_wrote_itself(make_queue: Any) -> None:
    queue = make_queue(overwrite=False)
    queue.save("a.txt", ContentFile(b"old"))
    row = ledger.claim(row_of(queue, "a.txt").pk)
    ledger.name_remote(row, "a_1.txt")
    QueuedFile.objects.all().delete()
    queue.remote.save("a_1.txt", ContentFile(b"old"))
    queue.remote.save("a.txt", ContentFile(b"somebody else's"))
    (again,) = ledger.mark_in_doubt(row)
    assert engines.run(again) == "deleted"
    assert queue.remote.listdir("") == ([], ["a.txt"])


def test_a_copy_that_is_in_doubt_again_is_not_deleted(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    late = ledger.claim(row_of(queue, "a.txt").pk)
    pass_time(1000)
    assert engines.run(late.pk) == "settling"
    pass_time(1000)
    at("transfer:recorded", lambda: ledger.mark_in_doubt(late))  # it has woken up, and says so
    assert engines.run(late.pk) == "done"
    queue.remote.delete("a.txt")
    pass_time(1000)
    assert engines.run(late.pk) == "retry"
    assert engines.run(late.pk) == "done"
    assert queue.remote.open("a.txt").read() == b"hello"


def test_a_file_in_doubt_without_a_local_copy_is_read_from_the_remote(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    late = ledger.claim(row_of(queue, "a.txt").pk)
    pass_time(1000)
    assert engines.run(late.pk) == "settling"
    pass_time(1000)
    assert engines.run(late.pk) == "done"
    ledger.mark_in_doubt(late)
    for state in ("settling", "failed"):
        QueuedFile.objects.update(state=state)
        assert queue.using_remote("a.txt")
        assert queue.open("a.txt").read() == b"hello"
        assert queue.size("a.txt") == 5
        assert queue.url("a.txt") == "/remote/a.txt"
    # Nothing is left to send: the remote is looked at, and found to be right.
    assert queue.transfer("a.txt")
    assert broker.deliver()[0] == "settling"
    pass_time(1000)
    assert engines.run(late.pk) == "done"


def stall(monkeypatch: Any) -> None:
    """Let the clocks of this process run past every lease that it has."""
    monotonic, wall = Lease._clocks()
    late = monotonic + 10_000, wall + 10_000
    monkeypatch.setattr(Lease, "_clocks", staticmethod(lambda: late))


def test_a_worker_that_stalled_before_its_delete_does_not_delete_a_newer_file(
    queue: Any, monkeypatch: Any
) -> None:
    queue.save("a.txt", ContentFile(b"old"))
    broker.deliver()
    queue.delete("a.txt")
    pk = row_of(queue, "a.txt").pk

    def be_overtaken() -> None:
        crash_points.hook = None
        outcomes = []
        for _ in range(2):  # the second time, since the first attempt may still be alive
            pass_time(1000)
            outcomes.append(engines.run(pk))
        assert outcomes == ["settling", "deleted"]
        queue.save("a.txt", ContentFile(b"new"))
        assert engines.run(row_of(queue, "a.txt").pk) == "done"
        stall(monkeypatch)

    at("remove:claimed", be_overtaken)
    assert engines.run(pk) == "late"
    assert row_of(queue, "a.txt").state == "done"
    assert queue.remote.open("a.txt").read() == b"new"


def test_the_lease_is_renewed_while_a_long_transfer_runs(
    queue: Any, settings: Any, monkeypatch: Any
) -> None:
    settings.QUEUED_STORAGE_LEASE = 0.6
    renewed = threading.Event()
    real = ledger.renew

    def renew(row: Any) -> bool:
        try:
            return real(row)
        finally:
            renewed.set()

    monkeypatch.setattr(ledger, "renew", renew)
    queue.save("a.txt", ContentFile(b"hello"))
    pk = row_of(queue, "a.txt").pk
    before = []

    def wait() -> None:
        before.append(row_of(queue, "a.txt").lease_until)
        assert renewed.wait(20)

    at("transfer:uploading", wait)
    assert engines.run(pk) == "done"


def test_a_local_copy_on_another_host_is_said_so(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(host="web-7")
    queue.local.delete(row_of(queue, "a.txt").local_name)
    assert broker.deliver() == ["retry"]
    assert "saved on 'web-7'" in row_of(queue, "a.txt").last_error


def test_a_remote_that_is_down_for_a_while_gets_everything_afterwards(
    queue: Any, monkeypatch: Any
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("unreachable")

    names = [queue.save(f"{number}.txt", ContentFile(b"%d" % number)) for number in range(5)]
    with monkeypatch.context() as patch:
        patch.setattr(queue.remote, "_save", fail)
        assert broker.deliver() == ["retry"] * 5
        assert [queue.open(name).read() for name in names] == [b"0", b"1", b"2", b"3", b"4"]
    pass_time(1000)
    assert broker.deliver() == ["done"] * 5
    assert [queue.remote.open(name).read() for name in names] == [b"0", b"1", b"2", b"3", b"4"]


def test_what_a_dead_attempt_had_sent_is_not_sent_again(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    row = ledger.claim(row_of(queue, "a.txt").pk)
    ledger.name_remote(row, "a.txt")
    queue.remote.save("a.txt", ContentFile(b"hello"))
    pass_time(1000)
    sent = at("transfer:uploaded", lambda: None)
    assert engines.run(row.pk) == "settling"
    assert not sent
    pass_time(1000)
    assert engines.run(row.pk) == "done"


def test_half_a_file_of_a_dead_attempt_is_replaced(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    row = ledger.claim(row_of(queue, "a.txt").pk)
    ledger.name_remote(row, "a.txt")
    queue.remote.save("a.txt", ContentFile(b"he"))
    pass_time(1000)
    engines.run(row.pk)
    assert queue.remote.listdir("") == ([], ["a.txt"])
    assert queue.remote.open("a.txt").read() == b"hello"


def test_signals_and_log_lines_tell_each_step(queue: Any, heard: list, caplog: Any) -> None:
    with caplog.at_level(logging.INFO, "smart_storages.queued"):
        queue.save("a.txt", ContentFile(b"hello"))
        broker.deliver()
        queue.delete("a.txt")
        broker.deliver()
    assert heard == ["file_queued", "transfer_started", "file_transferred", "file_deleted"]
    for text in ("saved a.txt locally", "transferred a.txt", "deleted a.txt from the remote"):
        assert text in caplog.text


def test_a_receiver_that_raises_disturbs_nothing(queue: Any) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError

    signals.file_transferred.connect(fail)
    try:
        queue.save("a.txt", ContentFile(b"hello"))
        assert broker.deliver() == ["done"]
    finally:
        signals.file_transferred.disconnect(fail)


def test_a_worker_that_is_told_to_stop_gives_the_row_back(queue: Any) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    queue.save("a.txt", ContentFile(b"hello"))
    at("transfer:uploading", stop)
    with pytest.raises(KeyboardInterrupt):
        broker.deliver()
    row = row_of(queue, "a.txt")
    assert (row.state, row.lease_token) == ("queued", "")


def test_a_row_of_a_storage_that_nobody_knows_waits_and_says_why(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(storage="gone")
    assert broker.deliver() == ["retry"]
    assert "key='gone'" in QueuedFile.objects.get().last_error


def test_delays_double_and_end(settings: Any) -> None:
    settings.QUEUED_STORAGE_RETRY_DELAY = 60
    for attempts, seconds in ((1, 60), (2, 120), (5, 960), (60, 6 * 3600)):
        assert seconds * 0.8 <= attempt.retry_delay(attempts) <= seconds * 1.2
