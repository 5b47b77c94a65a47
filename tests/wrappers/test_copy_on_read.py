"""Copying on read: what is copied up, and that no copy undoes a write or a delete."""

from __future__ import annotations

import errno
import threading
import time

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.signals import file_copied
from smart_storages.wrappers.locks import NameLock
from tests.routing_models import put


def copying(two, **options):
    return FallbackStorage({"new": two[0], "old": two[1]}, copy_on_read=True, **options)


def test_what_is_found_further_down_is_copied_to_the_first(two):
    put(two[1], "d/a.txt", b"moving")
    heard = []

    def hear(sender, **told):
        heard.append((told["name"], told["source"], told["target"], told["size"]))

    file_copied.connect(hear)
    storage = copying(two)
    try:
        assert storage.open("d/a.txt").read() == b"moving"
        assert two[0].open("d/a.txt").read() == b"moving"
        storage.open("d/a.txt").close()
    finally:
        file_copied.disconnect(hear)
    assert heard == [("d/a.txt", "old", "new", 6)]


def test_a_copy_that_fails_does_not_fail_the_read(two, caplog):
    put(two[1], "a.txt", b"moving")

    class Full(FileSystemStorage):
        def _save(self, name, content):
            super()._save(name, ContentFile(content.read(3)))
            raise OSError(errno.ENOSPC, "full")

    storage = copying([Full(two[0].location), two[1]])
    for _ in range(2):
        assert storage.open("a.txt").read() == b"moving"
    assert "was not copied to new" in caplog.text
    assert not two[0].exists("a.txt"), "a piece was left"


def test_a_copy_that_was_written_over_at_once_is_left_alone(two):
    put(two[1], "a.txt", b"moving")

    class WrittenOver(FileSystemStorage):
        def _save(self, name, content):
            saved = super()._save(name, content)
            with self.open(name, "wb") as file:
                file.write(b"newer")
            return saved

    storage = copying([WrittenOver(two[0].location), two[1]])
    assert storage.open("a.txt").read() == b"moving"
    assert storage.open("a.txt").read() == b"newer"


def test_a_delete_leaves_no_copy_behind(two):
    put(two[1], "a.txt")
    storage = copying(two)
    storage.open("a.txt").close()
    storage.delete("a.txt")
    assert not storage.exists("a.txt")


def test_a_file_deleted_while_it_is_copied_stays_deleted(two):
    put(two[1], "a.txt", b"moving")
    first, second = two

    class DeletedMeanwhile(FileSystemStorage):
        def _save(self, name, content):
            saved = super()._save(name, content)
            second.delete(name)
            return saved

    storage = copying([DeletedMeanwhile(first.location), second])
    assert storage.open("a.txt").read() == b"moving"
    assert not storage.exists("a.txt")


def test_a_delete_waits_for_a_copy_and_leaves_nothing(two, monkeypatch):
    put(two[1], "a.txt", b"moving")
    is_copying, is_waiting = threading.Event(), threading.Event()

    class Slow(FileSystemStorage):
        def _save(self, name, content):
            is_copying.set()
            assert is_waiting.wait(30), "the delete did not wait"
            return super()._save(name, content)

    def pause(self, seconds):
        is_waiting.set()
        time.sleep(seconds)

    monkeypatch.setattr(NameLock, "pause", pause)
    storage = copying([Slow(two[0].location), two[1]])
    reader = threading.Thread(target=lambda: storage.open("a.txt").close())
    reader.start()
    assert is_copying.wait(30)
    storage.delete("a.txt")
    assert not storage.exists("a.txt")
    reader.join()
    assert not storage.exists("a.txt")


def test_one_of_many_readers_copies(two):
    put(two[1], "a.txt", b"moving")
    storage = copying(two)
    lock = NameLock("a.txt")
    assert lock.acquire()  # as another reader does while it copies
    try:
        assert storage.open("a.txt").read() == b"moving"
        assert not two[0].exists("a.txt")
    finally:
        lock.release()
    storage.open("a.txt").close()
    assert two[0].exists("a.txt")


class Noting(FileSystemStorage):
    """Notes what is written and deleted, and lets something happen before a write."""

    def __init__(self, location):
        super().__init__(location)
        self.changes = []
        self.before_write = None

    def _save(self, name, content):
        if self.before_write:
            act, self.before_write = self.before_write, None
            act()
        self.changes.append(("save", name))
        return super()._save(name, content)

    def delete(self, name):
        self.changes.append(("delete", name))
        super().delete(name)


def moving(two, third):
    """The storage of a move, whose source is a mirror of its target, and another follows too."""
    new, old = (Noting(each.location) for each in two)
    leading = MirrorStorage(new, [old, third])
    return copying([leading, old], write_to=["new"], delete_from=["new", "old"]), new, old


def test_a_copy_reaches_the_mirrors_and_leaves_its_source_alone(two, disk):
    put(two[1], "a.txt", b"moving")
    storage, new, old = moving(two, disk("third"))
    storage.open("a.txt").close()
    assert new.open("a.txt").read() == disk("third").open("a.txt").read() == b"moving"
    assert old.changes == []


@pytest.mark.parametrize("cache", ["default", None])
def test_a_file_deleted_from_a_source_that_is_a_mirror_too_stays_deleted(
    two, disk, settings, cache
):
    settings.SMART_STORAGE_LOCK_CACHE = cache
    put(two[1], "a.txt", b"moving")
    storage, new, old = moving(two, disk("third"))

    def delete():
        for each in (old, new):  # a host without locks
            each.delete("a.txt")

    new.before_write = delete
    assert storage.open("a.txt").read() == b"moving"
    assert not storage.exists("a.txt")
    assert not disk("third").exists("a.txt")


def test_a_copy_never_replaces_what_was_written_meanwhile(two):
    put(two[1], "a.txt", b"old")
    first, second = two

    class WrittenMeanwhile(FileSystemStorage):
        has_written = False

        def save(self, name, content, max_length=None):
            if not self.has_written:
                self.has_written = True
                put(first, name, b"new")
            return super().save(name, content, max_length)

    storage = copying([WrittenMeanwhile(first.location), second])
    storage.open("a.txt").close()
    assert storage.open("a.txt").read() == b"new"
    assert first.listdir("") == ([], ["a.txt"])


def test_a_cut_source_is_not_published(two):
    put(two[1], "a.txt", b"moving")

    class Cut(FileSystemStorage):
        def _open(self, name, mode="rb"):
            file = super()._open(name, mode)
            if len(opened) == 1:
                file.chunks = cut_chunks
            opened.append(name)
            return file

    def cut_chunks(size=None):
        yield b"mo"
        raise ConnectionError("cut")

    opened = []
    storage = copying([two[0], Cut(two[1].location)])
    assert storage.open("a.txt").read() == b"moving"
    assert not two[0].exists("a.txt")
