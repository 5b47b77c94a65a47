from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import transaction

from smart_storages.queued.actions import saving
from smart_storages.queued.ledger import crash_points
from smart_storages.queued.models import QueuedFile
from tests.queued import broker
from tests.queued.conftest import local_files, pass_time, rolled_back, row_of


def test_a_saved_file_is_local_until_its_message_is_delivered(queue: Any, messages: list) -> None:
    name = queue.save("a/b.txt", ContentFile(b"hello"))

    assert name == "a/b.txt"
    assert queue.using_local(name)
    assert not queue.remote.exists(name)
    assert queue.open(name).read() == b"hello"
    assert messages == [(row_of(queue, name).pk, 0.0)]
    assert queue.result == "message 1"

    assert broker.deliver() == ["done"]
    assert queue.using_remote(name)
    assert queue.open(name).read() == b"hello"
    assert queue.remote.open(name).read() == b"hello"
    assert local_files(queue) == []


def test_transfer_keeps_the_local_copy_and_reads_come_from_the_remote(make_queue: Any) -> None:
    queue = make_queue(task="smart_storages.queued.tasks.Transfer")
    queue.save("a.txt", ContentFile(b"hello"))
    broker.deliver()
    assert len(local_files(queue)) == 1
    assert queue.using_remote("a.txt")
    queue.delete("a.txt")
    assert local_files(queue) == []


def test_nothing_is_sent_before_the_transaction_is_committed(queue: Any, messages: list) -> None:
    with transaction.atomic():
        queue.save("a.txt", ContentFile(b"hello"))
        assert queue.open("a.txt").read() == b"hello"
        assert messages == []
    assert len(messages) == 1


def test_a_rolled_back_save_leaves_no_row_and_sends_nothing(queue: Any, messages: list) -> None:
    with rolled_back():
        queue.save("a.txt", ContentFile(b"hello"))
    assert not queue.exists("a.txt")
    assert not QueuedFile.objects.exists()
    assert messages == []


def test_a_rolled_back_overwrite_leaves_the_old_file_readable(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)
    queue.save("a.txt", ContentFile(b"old"))
    with rolled_back():
        queue.save("a.txt", ContentFile(b"new"))
        assert queue.open("a.txt").read() == b"new"
    assert queue.open("a.txt").read() == b"old"
    broker.deliver()
    assert queue.remote.open("a.txt").read() == b"old"


def test_a_rolled_back_delete_deletes_nothing(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"old"))
    broker.deliver()
    with rolled_back():
        queue.delete("a.txt")
        assert not queue.exists("a.txt")
    assert queue.open("a.txt").read() == b"old"


def test_the_ledger_failing_leaves_no_local_copy(queue: Any, monkeypatch: Any) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr(saving.recording, "_write", fail)
    with pytest.raises(RuntimeError, match="no database"):
        queue.save("a.txt", ContentFile(b"hello"))
    assert local_files(queue) == []


def test_the_broker_being_down_does_not_fail_the_save(queue: Any, settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.refuse"
    assert queue.save("a.txt", ContentFile(b"hello")) == "a.txt"
    assert queue.open("a.txt").read() == b"hello"
    assert row_of(queue, "a.txt").state == "queued"


def test_without_overwriting_a_taken_name_gets_a_suffix(queue: Any) -> None:
    assert queue.save("a.txt", ContentFile(b"1")) == "a.txt"
    second = queue.save("a.txt", ContentFile(b"2"))
    assert second != "a.txt"
    queue.remote.save("old.txt", ContentFile(b"was there before the queue"))
    third = queue.save("old.txt", ContentFile(b"3"))
    assert third != "old.txt"
    broker.deliver()
    assert queue.open("a.txt").read() == b"1"
    assert queue.open(second).read() == b"2"
    assert queue.open("old.txt").read() == b"was there before the queue"


def test_two_saves_that_both_found_a_name_free_keep_both_files(queue: Any) -> None:
    names = {}

    def save_another(step: str) -> None:
        # The outer save has looked, and found the name free, but has not written its row.
        if step == "save:local-written":
            crash_points.hook = None
            names[b"2"] = queue.save("a.txt", ContentFile(b"2"))

    crash_points.hook = save_another
    try:
        names[b"1"] = queue.save("a.txt", ContentFile(b"1"))
    finally:
        crash_points.hook = None
    assert names[b"2"] == "a.txt"
    assert names[b"1"] != "a.txt"
    for body, name in names.items():
        assert queue.open(name).read() == body


def test_while_the_remote_is_down_names_get_a_suffix(queue: Any, monkeypatch: Any) -> None:
    def fail(name: str) -> bool:
        raise ConnectionError("unreachable")

    monkeypatch.setattr(queue.remote, "exists", fail)
    name = queue.save("a.txt", ContentFile(b"1"))
    assert name.startswith("a_")
    assert queue.open(name).read() == b"1"


def test_a_suffix_respects_the_longest_length(make_queue: Any) -> None:
    queue = make_queue(ask_remote=False)
    name = queue.save("abcdefgh.txt", ContentFile(b"1"), max_length=14)
    assert len(name) == 14
    assert name.startswith("ab_")
    with pytest.raises(SuspiciousFileOperation, match="max_length"):
        queue.save("abcdefgh.txt", ContentFile(b"1"), max_length=5)


def test_an_overwriting_queue_takes_the_newest(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)
    for body in (b"1", b"2", b"3"):
        assert queue.save("a.txt", ContentFile(body)) == "a.txt"
        assert queue.open("a.txt").read() == body
    assert row_of(queue, "a.txt").generation == 3
    assert broker.deliver() == ["done", None, None]
    assert queue.remote.open("a.txt").read() == b"3"
    assert local_files(queue) == []


def test_a_deleted_name_can_be_saved_again_before_the_delete_is_carried_out(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"1"))
    broker.deliver()
    queue.delete("a.txt")
    assert not queue.exists("a.txt")
    queue.save("a.txt", ContentFile(b"2"))
    broker.deliver()
    assert queue.remote.open("a.txt").read() == b"2"


def test_text_and_streams_that_cannot_rewind_are_saved(queue: Any) -> None:
    import io

    from django.core.files import File

    class Stream(io.RawIOBase):
        def __init__(self) -> None:
            self.left = [b"one ", b"two"]

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            piece = self.left.pop(0) if self.left else b""
            buffer[: len(piece)] = piece
            return len(piece)

    class Chunked(File):
        def chunks(self, chunk_size: Any = None) -> Any:
            while True:
                piece = self.file.read(4)
                if not piece:
                    return
                yield piece

    queue.save("text.txt", ContentFile("tëxt"))
    queue.save("stream.txt", Chunked(Stream(), name="stream"))
    broker.deliver()
    assert queue.open("text.txt").read() == "tëxt".encode()
    assert queue.open("stream.txt").read() == b"one two"


def test_an_upload_in_a_temporary_file_is_saved(queue: Any) -> None:
    upload = TemporaryUploadedFile("a.bin", "application/octet-stream", 0, None)
    upload.write(b"x" * 100_000)
    queue.save("a.bin", upload)
    assert broker.deliver() == ["done"]
    assert queue.remote.size("a.bin") == 100_000
    upload.close()


@pytest.mark.parametrize("name", ["../a.txt", "/etc/passwd", "a/../../b", ""])
def test_a_name_that_leads_out_is_refused(queue: Any, name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        queue.save(name, ContentFile(b"x"))
    assert local_files(queue) == []


def test_spellings_of_one_name_are_one_file(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)
    assert queue.save("a//./b.txt", ContentFile(b"1")) == "a/b.txt"
    queue.save("a/b.txt", ContentFile(b"2"))
    assert queue.open("a//b.txt").read() == b"2"
    assert QueuedFile.objects.count() == 1


def test_names_that_differ_in_case_are_two_files(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)
    queue.save("a.txt", ContentFile(b"1"))
    queue.save("A.txt", ContentFile(b"2"))
    broker.deliver()
    assert queue.open("a.txt").read() == b"1"
    assert queue.open("A.txt").read() == b"2"


def test_a_save_over_the_limit_goes_straight_to_the_remote(make_queue: Any) -> None:
    queue = make_queue(max_local_bytes=10)
    queue.save("a.txt", ContentFile(b"123456"))
    name = queue.save("b.txt", ContentFile(b"123456"))
    assert queue.using_local("a.txt")
    assert queue.using_remote(name)
    assert row_of(queue, name).state == "done"
    assert queue.open(name).read() == b"123456"
    broker.deliver()
    assert queue.using_local(queue.save("c.txt", ContentFile(b"123456")))


class Busy(FileSystemStorage):
    """A remote at whose save something else comes in between."""

    meanwhile: ClassVar[list] = []

    def _save(self, name: str, content: Any) -> str:
        saved = super()._save(name, content)
        while Busy.meanwhile:
            Busy.meanwhile.pop()()
        return saved


@pytest.mark.parametrize("overwrite", [False, True])
def test_two_saves_of_a_name_that_go_to_the_remote_at_once_keep_what_they_should(
    make_queue: Any, overwrite: bool
) -> None:
    queue = make_queue(remote=f"{__name__}.Busy", max_local_bytes=0, overwrite=overwrite)
    other = []
    Busy.meanwhile.append(lambda: other.append(queue.save("a.txt", ContentFile(b"1"))))
    name = queue.save("a.txt", ContentFile(b"2"))
    broker.deliver()
    assert other == ["a.txt"]
    assert (name == "a.txt") == overwrite
    assert queue.open(name).read() == b"2"
    assert queue.open("a.txt").read() == (b"2" if overwrite else b"1")
    assert len(queue.remote.listdir("")[1]) == (1 if overwrite else 2), "nothing is left behind"
    assert local_files(queue) == []


def test_a_save_that_goes_to_the_remote_wins_over_a_delete_meanwhile(make_queue: Any) -> None:
    queue = make_queue(remote=f"{__name__}.Busy", max_local_bytes=0)
    Busy.meanwhile.append(lambda: queue.delete("a.txt"))
    name = queue.save("a.txt", ContentFile(b"hello"))
    assert queue.open(name).read() == b"hello"
    while broker.messages:
        broker.deliver()
        pass_time(1000)
    assert queue.open(name).read() == b"hello"
    assert len(queue.remote.listdir("")[1]) == 1


def test_a_save_beside_a_queued_one_is_not_written_over(make_queue: Any) -> None:
    """The transfer of the small file would overwrite a large one that took its name."""
    queue = make_queue(remote=f"{__name__}.Busy", max_local_bytes=10)
    Busy.meanwhile.append(lambda: queue.save("a.txt", ContentFile(b"small")))
    name = queue.save("a.txt", ContentFile(b"large" * 10))
    broker.deliver()
    assert queue.open("a.txt").read() == b"small"
    assert queue.open(name).read() == b"large" * 10


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_save_to_the_remote_that_is_rolled_back_replaces_nothing(
    make_queue: Any, overwrite: bool
) -> None:
    queue = make_queue(max_local_bytes=0, overwrite=overwrite, remote=f"{__name__}.Replaces")
    queue.remote.save("a.txt", ContentFile(b"committed"))
    with rolled_back():
        name = queue.save("a.txt", ContentFile(b"rolled back"))
        assert queue.open(name).read() == b"rolled back"
    assert queue.open("a.txt").read() == b"committed"
    queue.save("a.txt", ContentFile(b"new"))
    broker.deliver()
    assert queue.open("a.txt").read() == (b"new" if overwrite else b"committed")
    if overwrite:
        assert queue.remote.open("a.txt").read() == b"new"


class Replaces(FileSystemStorage):
    """Writes over what it has, as a bucket does."""

    def get_available_name(self, name: str, max_length: Any = None) -> str:
        return name

    def _save(self, name: str, content: Any) -> str:
        self.delete(name)
        return super()._save(name, content)


def test_a_stream_that_the_remote_does_not_take_is_kept_whole(
    make_queue: Any, monkeypatch: Any
) -> None:
    queue = make_queue(max_local_bytes=0)

    class Once(ContentFile):
        def seek(self, *args: Any) -> int:
            raise OSError("a stream")

        def chunks(self, chunk_size: Any = None) -> Any:
            yield self.file.read()

    def fail(name: str, content: Any, **kwargs: Any) -> str:
        content.read()
        raise ConnectionError("unreachable")

    monkeypatch.setattr(queue.remote, "save", fail)
    name = queue.save("a.txt", Once(b"123456"))
    assert queue.open(name).read() == b"123456"


def test_an_upload_that_turns_from_the_remote_to_the_disk_is_kept_whole(make_queue: Any) -> None:
    queue = make_queue(remote=f"{__name__}.Busy", max_local_bytes=0)
    upload = TemporaryUploadedFile("a.bin", "application/octet-stream", 0, None)
    upload.write(b"x" * 100_000)
    Busy.meanwhile.append(lambda: queue.save("a.bin", ContentFile(b"1")))
    name = queue.save("a.bin", upload)
    assert queue.using_local(name)
    assert queue.size(name) == 100_000
    upload.close()


def test_a_full_disk_and_a_dead_remote_still_save(make_queue: Any, monkeypatch: Any) -> None:
    queue = make_queue(max_local_bytes=0)

    def fail(*args: Any, **kwargs: Any) -> str:
        raise ConnectionError("unreachable")

    monkeypatch.setattr(queue.remote, "save", fail)
    queue.save("a.txt", ContentFile(b"123456"))
    assert queue.using_local("a.txt")


def test_everything_has_an_async_twin(queue: Any) -> None:
    async def use() -> None:
        name = await queue.asave("a/b.txt", ContentFile(b"hello"))
        assert await queue.aexists(name)
        assert await queue.asize(name) == 5
        assert (await queue.aopen(name)).read() == b"hello"
        assert await queue.alistdir("a") == ([], ["b.txt"])
        assert (await queue.aurl(name)).startswith("/local/")
        await queue.adelete(name)
        assert not await queue.aexists(name)

    asyncio.run(use())


def test_a_local_copy_is_flushed_to_the_disk(make_queue: Any, monkeypatch: Any) -> None:
    import os

    synced = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    queue = make_queue(durable=True)
    queue.save("a.txt", ContentFile(b"hello"))
    (copy,) = local_files(queue)
    assert queue.local.path(copy) in synced


def test_overwriting_replaces_what_was_there_before_the_queue(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)
    queue.remote.save("a.txt", ContentFile(b"from before"))
    queue.save("a.txt", ContentFile(b"new"))
    broker.deliver()
    assert queue.remote.listdir("") == ([], ["a.txt"])
    assert queue.remote.open("a.txt").read() == b"new"
    queue.delete("a.txt")
    broker.deliver()
    assert queue.remote.listdir("") == ([], [])


def test_a_copy_is_put_under_exactly_its_name(queue: Any) -> None:
    from smart_storages.wrappers.forwarding import put_steps, run

    def put(body: bytes, *, replace: bool) -> bool:
        return run(put_steps(queue, "a.txt", ContentFile(body), replace=replace))

    assert put(b"1", replace=False)
    assert not put(b"2", replace=False)
    assert queue.open("a.txt").read() == b"1"
    assert put(b"3", replace=True)
    broker.deliver()
    assert queue.remote.open("a.txt").read() == b"3"
    assert local_files(queue) == []
