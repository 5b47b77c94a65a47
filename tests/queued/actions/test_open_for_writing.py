"""A file that is opened for writing is saved when it is closed: whole, or not at all."""

from __future__ import annotations

import asyncio
import csv
import gc
import io
import json
import os
import zipfile
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.db import models
from django.test.utils import isolate_apps

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued.backends import DelayedStorage
from smart_storages.queued.fields import QueuedFileField
from smart_storages.queued.models import QueuedFile
from smart_storages.storages import spooled_write_file
from tests.queued import broker
from tests.queued.conftest import DISK, local_files, rolled_back, row_of


def test_what_is_written_is_saved_and_queued_when_the_file_is_closed(
    make_queue: Any, each_ledger: str, messages: list
) -> None:
    for number, (mode, body, raw) in enumerate(
        (
            ("wb", b"\x00bytes", b"\x00bytes"),
            ("w", "tëxt\n", "tëxt\n".encode()),
            ("wt", "tëxt\n", "tëxt\n".encode()),
            ("w", b"bytes", b"bytes"),
            ("w+b", b"bytes", b"bytes"),
        )
    ):
        queue, name = make_queue(overwrite=True), f"a/{number}.txt"
        messages.clear()
        with queue.open(name, mode) as file:
            assert file.write(body) == len(body)
            assert not queue.exists(name)
            assert local_files(queue) == []
        assert file.closed
        assert file.name == name
        assert queue.using_local(name)
        assert queue.open(name).read() == raw
        assert len(messages) == 1
        assert broker.deliver() == ["done"]
        assert queue.remote.open(name).read() == raw


def test_an_exception_or_no_close_saves_nothing(queue: Any, messages: list) -> None:
    def fail() -> None:
        with queue.open("a.txt", "w") as file:
            file.write("half")
            raise RuntimeError("in the block")

    with pytest.raises(RuntimeError, match="in the block"):
        fail()
    queue.open("a.txt", "w").write("never closed")
    gc.collect()
    discarded = queue.open("a.txt", "w")
    discarded.write("no")
    discarded.discard()
    discarded.close()
    assert not queue.exists("a.txt")
    assert (messages, local_files(queue)) == ([], [])


@isolate_apps("tests.queued")
def test_an_exception_in_the_block_of_a_field_saves_nothing(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)

    class Page(models.Model):
        raw = QueuedFileField(storage=queue)

        class Meta:
            app_label = "queued_tests"
            managed = False

        def __str__(self) -> str:
            return "page"

    page = Page(raw="a.txt")
    with page.raw.open("wb") as file:
        file.write(b"first")
    assert queue.open("a.txt").read() == b"first"

    def fail() -> None:
        with page.raw.open("wb") as file:
            file.write(b"half")
            raise RuntimeError("in the block")

    with pytest.raises(RuntimeError, match="in the block"):
        fail()
    assert queue.open("a.txt").read() == b"first"


def test_a_name_that_is_taken_follows_the_rules_of_save(make_queue: Any, each_ledger: str) -> None:
    queue = make_queue(key="keeps")
    queue.save("a.txt", ContentFile(b"first"))
    with queue.open("a.txt", "w") as file:
        file.write("second")
    assert file.name.startswith("a_")
    assert queue.open("a.txt").read() == b"first"
    assert queue.open(file.name).read() == b"second"

    racing = queue.open("b.txt", "w")
    racing.write("late")
    queue.save("b.txt", ContentFile(b"early"))
    racing.close()
    assert racing.name != "b.txt"
    assert queue.open("b.txt").read() == b"early"

    queue = make_queue(key="replaces", overwrite=True)
    queue.save("a.txt", ContentFile(b"first"))
    with queue.open("a.txt", "w") as file:
        file.write("second")
    assert file.name == "a.txt"
    assert queue.open("a.txt").read() == b"second"


def test_a_rolled_back_write_changes_nothing(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)
    queue.save("a.txt", ContentFile(b"first"))
    with rolled_back(), queue.open("a.txt", "w") as file:
        file.write("second")
    assert queue.open("a.txt").read() == b"first"


def test_a_delayed_storage_keeps_what_was_written_until_it_is_told(
    make_queue: Any, tmp_path: Any, messages: list
) -> None:
    places = ({"BACKEND": DISK, "OPTIONS": {"location": str(tmp_path / each)}} for each in "lr")
    queue = DelayedStorage(*places, key="delayed")
    with queue.open("a.txt", "w") as file:
        file.write("held")
    assert messages == []
    assert row_of(queue, "a.txt").state == "held"
    queue.transfer("a.txt")
    assert broker.deliver() == ["done"]
    assert queue.remote.open("a.txt").read() == b"held"


def test_a_save_that_fails_at_the_close_is_told_and_leaves_nothing(
    queue: Any, monkeypatch: Any
) -> None:
    def full(*args: Any, **kwargs: Any) -> str:
        raise OSError(28, "No space left on device")

    file = queue.open("a.txt", "w")
    file.write("text")
    monkeypatch.setattr(queue.local, "save", full)
    with pytest.raises(OSError, match="No space"):
        file.close()
    assert file.closed
    assert not QueuedFile.objects.exists()


def test_what_cannot_be_opened_is_refused_at_once(make_queue: Any) -> None:
    queue = make_queue()
    queue.save("a.txt", ContentFile(b"hello"))
    for mode in ("a", "ab", "x", "xb", "r+", "r+b", "w+", "wbt", "ww"):
        with pytest.raises(ValueError, match="saved as a whole"):
            queue.open("a.txt", mode)
    for name in ("../a.txt", "x" * 1025, os.fsdecode(b"caf\xe9")):
        with pytest.raises(SuspiciousFileOperation):
            queue.open(name, "w")
    with pytest.raises(ConfigurationError, match=r"no\.such"):
        make_queue(task="no.such", key="other").open("b.txt", "w")


def test_the_file_is_written_by_what_writes_files(make_queue: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(spooled_write_file, "_IN_MEMORY", 50)
    queue = make_queue(overwrite=True)
    with queue.open("a.csv", "w") as file:
        csv.writer(file).writerows([["a", "b"], ["c", "d"]])
        assert file.size == len(file) == file.tell() == 10
    assert queue.open("a.csv").read() == b"a,b\r\nc,d\r\n"
    with queue.open("a.json", "w") as file:
        json.dump({"a": "x" * 100}, file)
        file.flush()
    assert json.load(queue.open("a.json")) == {"a": "x" * 100}
    with queue.open("a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inner.txt", "x" * 100)
    assert zipfile.ZipFile(queue.open("a.zip")).read("inner.txt") == b"x" * 100
    with queue.open("lines.txt", "w") as file:
        file.writelines(["one\n", "two\n"])
        with pytest.raises(io.UnsupportedOperation):
            file.read()
        assert (file.readable(), file.writable(), file.seekable(), bool(file)) == (0, 1, 1, 1)
    assert queue.open("lines.txt").read() == b"one\ntwo\n"
    with queue.open("both.bin", "w+b") as file:
        file.write(b"abcdef")
        file.seek(2)
        assert file.read(2) == b"cd"
        file.write(b"E")
    assert queue.open("both.bin").read() == b"abcdEf"
    with queue.open("empty.txt", "w"):
        pass
    assert queue.size("empty.txt") == 0


def test_a_closed_file_takes_no_more_and_may_be_opened_again(make_queue: Any) -> None:
    queue = make_queue(overwrite=True)
    file = queue.open("a.txt", "w")
    assert "open for writing" in repr(file)
    file.write("one")
    file.close()
    file.close()
    assert "closed" in repr(file)
    for use in (lambda: file.write("more"), lambda: file.size):
        with pytest.raises(ValueError, match="closed"):
            use()
    with pytest.raises(ValueError, match="not 'rb'"):
        file.open("rb")
    with file.open("w"):
        file.write("two")
    assert queue.open("a.txt").read() == b"two"
    assert row_of(queue, "a.txt").generation == 2


def test_it_is_opened_in_async_code_too(make_queue: Any) -> None:
    from asgiref.sync import sync_to_async

    queue = make_queue(overwrite=True)

    async def write() -> None:
        file = await queue.aopen("a.txt", "w")
        file.write("text")
        await sync_to_async(file.close)()

    asyncio.run(write())
    assert queue.open("a.txt").read() == b"text"
