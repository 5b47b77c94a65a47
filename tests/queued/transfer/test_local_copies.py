from __future__ import annotations

import os
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage

from smart_storages.fallback import FallbackStorage
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.transfer import local_copies
from tests.queued import broker
from tests.queued.conftest import DISK, row_of


class Memory(Storage):
    """Has paths of no files, as Django's InMemoryStorage; or any error that says it has none."""

    def __init__(self, error: Any = None) -> None:
        self.files: dict = {}
        self.error = error

    def path(self, name: str) -> str:
        if self.error:
            raise self.error
        return f"/nowhere/{name}"

    def _save(self, name: str, content: Any) -> str:
        self.files[name] = content.read()
        return name

    def _open(self, name: str, mode: str = "rb") -> Any:
        if name not in self.files:
            raise FileNotFoundError(name)
        return ContentFile(self.files[name], name)

    def exists(self, name: str) -> bool:
        return name in self.files

    def delete(self, name: str) -> None:
        self.files.pop(name, None)

    def deconstruct(self) -> Any:
        return "tests.Memory", (), {}


@pytest.mark.parametrize("error", [None, NotImplementedError(), AttributeError(), ValueError()])
@pytest.mark.parametrize("which", ["local", "remote"])
def test_a_durable_queue_works_with_a_storage_that_has_no_disk(
    tmp_path: Any, make_queue: Any, error: Any, which: str
) -> None:
    disk, memory = FileSystemStorage(str(tmp_path)), Memory(error)
    places = (memory, disk) if which == "local" else (disk, memory)
    queue = QueuedStorage(*places)
    queue.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["done"], row_of(queue, "a.txt").last_error
    assert queue.open("a.txt").read() == b"hello"
    assert memory.files


def test_a_durable_queue_works_with_a_fallback_of_such_storages(
    tmp_path: Any, make_queue: Any
) -> None:
    remote = FallbackStorage([Memory(NotImplementedError()), Memory(NotImplementedError())])
    queue = QueuedStorage(FileSystemStorage(str(tmp_path)), remote)
    queue.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["done"], row_of(queue, "a.txt").last_error


def test_every_directory_that_was_made_for_a_file_is_flushed_once(
    tmp_path: Any, monkeypatch: Any
) -> None:
    flushed = []
    real = local_copies._sync
    monkeypatch.setattr(local_copies, "_sync", lambda path: (flushed.append(path), real(path)))
    monkeypatch.setattr(local_copies, "_on_disk", set())
    root = tmp_path / "new"
    disk = FileSystemStorage(str(root))

    def flush(name: str) -> list:
        flushed.clear()
        disk.save(name, ContentFile(b"hello"))
        local_copies.sync_to_disk(disk, name)
        return [os.path.relpath(path, tmp_path) for path in flushed]

    assert flush("a/b/1.txt") == ["new/a/b/1.txt", "new/a/b", "new/a", "new", "."]
    assert flush("a/b/2.txt") == ["new/a/b/2.txt", "new/a/b"]
    assert flush("a/c/3.txt") == ["new/a/c/3.txt", "new/a/c", "new/a"]
    os.rename(root / "a", tmp_path / "away")
    assert flush("a/b/1.txt") == ["new/a/b/1.txt", "new/a/b", "new/a", "new"]


def test_a_local_that_is_a_disk_is_flushed_by_a_save(tmp_path: Any, make_queue: Any) -> None:
    queue = QueuedStorage(
        DISK, DISK, {"location": str(tmp_path / "l")}, {"location": str(tmp_path / "r")}
    )
    known = set(local_copies._on_disk)
    queue.save("a.txt", ContentFile(b"hello"))
    new = {path for path, _, _ in local_copies._on_disk - known}
    assert str(tmp_path / "l") in new
