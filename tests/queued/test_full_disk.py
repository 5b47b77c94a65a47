"""A local disk that is full fails the save that did not fit, and no other."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Callable, ContextManager, Iterator, Tuple

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import TemporaryUploadedFile

from smart_storages.queued.actions.sweeper import sweep
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.models import QueuedFile
from tests.disks import files_limited
from tests.queued import broker
from tests.queued.conftest import DISK, local_files, rolled_back

MEGABYTE = 1024 * 1024
SmallDisk = Tuple[Path, Callable[[], ContextManager[None]]]


@contextmanager
def unlimited() -> Iterator[None]:
    yield


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of a megabyte; where none may be mounted, files of a megabyte at most."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.getuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        yield place, unlimited
        subprocess.run(["umount", "--lazy", str(place)], check=True)
    else:
        yield place, partial(files_limited, MEGABYTE)


def content() -> ContentFile:
    return ContentFile(b"x" * (2 * MEGABYTE))


def upload() -> TemporaryUploadedFile:
    made = TemporaryUploadedFile("a.bin", "application/octet-stream", 0, None)
    made.write(b"x" * (2 * MEGABYTE))
    made.seek(0)
    return made


def test_a_save_that_does_not_fit_leaves_the_room_to_those_that_do(
    make_queue: Any, small_disk: SmallDisk, tmp_path: Path
) -> None:
    place, limited = small_disk
    # On its own file system an upload is moved, and takes no room.
    kinds = (content, upload) if limited is unlimited else (content,)
    for durable in (True, False):
        options = ({"location": str(place / "local")}, {"location": str(tmp_path / "remote")})
        queue = QueuedStorage(DISK, DISK, *options, durable=durable)
        for big in kinds:
            file = big()
            with limited(), pytest.raises(OSError, match=r"No space|too large") as caught:
                queue.save("big.bin", file)
            file.close()
            assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
            assert local_files(queue) == []
            assert not QueuedFile.objects.exists()
            half = queue.save("half.bin", ContentFile(b"x" * (MEGABYTE // 2)))
            broker.deliver()
            assert queue.size(half) == MEGABYTE // 2
            queue.local.delete(QueuedFile.objects.get().local_name)
            queue.remote.delete(half)
            QueuedFile.objects.all().delete()


def test_a_transfer_that_does_not_fit_leaves_the_room_to_those_that_do(
    make_queue: Any, small_disk: SmallDisk, tmp_path: Path
) -> None:
    place, limited = small_disk
    places = ({"location": str(tmp_path / "local")}, {"location": str(place / "remote")})
    queue = QueuedStorage(DISK, DISK, *places, key="full")
    queue.save("big.bin", content())
    with limited():
        assert broker.deliver() == ["retry"]
    assert queue.size("big.bin") == 2 * MEGABYTE
    assert queue.remote.listdir("")[1] == []
    queue.save("half.bin", ContentFile(b"x" * (MEGABYTE // 2)))
    assert broker.deliver()[-1] == "done"
    assert queue.remote.size("half.bin") == MEGABYTE // 2


def leave_unfinished(queue: Any, *, age: float) -> str:
    """What a process leaves that was killed while it wrote a copy."""
    known = set(local_files(queue))
    with rolled_back():
        queue.save("a.bin", ContentFile(b"x" * 1000))
    (name,) = set(local_files(queue)) - known
    path = queue.local.path(name)
    os.truncate(path, 10)
    os.utime(path, (time.time() - age, time.time() - age))
    return str(name)


def test_a_sweep_deletes_what_was_never_finished_after_one_lease(queue: Any) -> None:
    queue.save("kept.bin", ContentFile(b"kept"))
    with rolled_back():
        queue.save("whole.bin", ContentFile(b"x" * 1000))
    for name in local_files(queue):
        long_ago = time.time() - 400
        os.utime(queue.local.path(name), (long_ago, long_ago))
    others = set(local_files(queue))
    growing = leave_unfinished(queue, age=200)
    leave_unfinished(queue, age=400)
    assert sweep().orphans == 1
    assert set(local_files(queue)) == {growing, *others}, "its transaction may still be running"


class Compressed(FileSystemStorage):
    """Writes fewer bytes than it is given."""

    def _save(self, name: str, content: Any) -> str:
        return super()._save(name, ContentFile(content.read()[:5]))


def test_a_disk_that_writes_other_bytes_has_no_unfinished_copies(
    make_queue: Any, tmp_path: Path
) -> None:
    queue = QueuedStorage(Compressed(str(tmp_path / "local")), DISK, key="compressed")
    with rolled_back():
        queue.save("a.bin", ContentFile(b"x" * 1000))
    (name,) = local_files(queue)
    os.utime(queue.local.path(name), (time.time() - 400, time.time() - 400))
    assert sweep().orphans == 0


def test_a_copy_that_a_sweep_took_away_while_it_was_written_fails_the_save(
    queue: Any, monkeypatch: Any
) -> None:
    real = FileSystemStorage.save

    def save(self: Any, name: str, *args: Any, **kwargs: Any) -> str:
        saved = str(real(self, name, *args, **kwargs))
        os.unlink(self.path(saved))
        return saved

    monkeypatch.setattr(FileSystemStorage, "save", save)
    with pytest.raises(OSError, match="save again"):
        queue.save("a.bin", ContentFile(b"hello"))
    assert not QueuedFile.objects.exists()
