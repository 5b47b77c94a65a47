"""Texts that one database takes and another refuses: refused or made harmless on all of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued.backends import DelayedStorage, QueuedStorage
from smart_storages.queued.ledger.texts import check_fits, describe_error, storable
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.tasks import Transfer
from smart_storages.wrappers.forwarding import put_steps, run
from tests.queued import broker
from tests.queued.conftest import DISK, local_files, pass_time, row_of

#: 1,024 characters, in directories as a disk takes them.
LONGEST = "/".join(["d" * 204] * 5)
assert len(LONGEST) == 1024


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


ERRORS = [
    (OSError("caf\udce9.txt is not there"), "OSError: caf\\udce9.txt is not there"),
    (ValueError("a\0b"), "ValueError: a\\x00b"),
    (ValueError("\0" * 4000), "ValueError: " + "\\x00" * 997),
    (MuteError(), "MuteError: (its text raised RuntimeError)"),
]


class Failing(Transfer):
    error: Any = None

    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> bool:
        raise Failing.error


def test_an_error_is_recorded_whatever_its_text_holds(
    make_queue: Any, each_ledger: str, settings: Any
) -> None:
    settings.QUEUED_STORAGE_RETRIES = 1
    for number, (error, text) in enumerate(ERRORS):
        Failing.error = error
        queue = make_queue(task=Failing, key=f"{number}")
        queue.save("a.txt", ContentFile(b"hello"))
        assert broker.deliver() == ["retry"], error
        pass_time(1000)
        assert broker.deliver() == ["failed"], error
        row = row_of(queue, "a.txt")
        assert (row.state, row.last_error) == ("failed", text)
        assert queue.open("a.txt").read() == b"hello"


def test_a_name_of_the_greatest_length_travels(make_queue: Any, each_ledger: str) -> None:
    queue = make_queue()
    assert queue.save(LONGEST, ContentFile(b"1")) == LONGEST
    assert broker.deliver() == ["done"]
    second = queue.save(LONGEST, ContentFile(b"2"))
    assert second != LONGEST
    assert len(second) <= 1024, "room is made for the suffix"
    broker.deliver()
    assert queue.open(second).read() == b"2"


def test_a_name_that_is_too_long_is_refused_before_anything_is_written(
    make_queue: Any, each_ledger: str
) -> None:
    name = f"{LONGEST}x"
    for options in ({}, {"overwrite": True}, {"max_local_bytes": 0}, {"ask_remote": False}):
        queue = make_queue(**options, key=str(options))
        for call in (
            lambda queue: queue.save(name, ContentFile(b"hello")),
            lambda queue: queue.save(name, ContentFile(b"hello"), max_length=2000),
            lambda queue: run(put_steps(queue, name, ContentFile(b"hello"))),
            lambda queue: queue.delete(name),
        ):
            with pytest.raises(SuspiciousFileOperation, match=r"1025 characters.* at most 1024"):
                call(queue)
        assert local_files(queue) == []
        assert not queue.remote.exists("") or queue.remote.listdir("") == ([], [])
        assert not QueuedFile.objects.exists()
        assert not queue.exists(name), "asking is not refused"
    short = queue.save("x" * 1500 + ".txt", ContentFile(b"hello"), max_length=100)
    assert len(short) == 100, "the field says to what length names are cut"


class Lengthening(FileSystemStorage):
    """A remote that gives other names than it is asked for."""

    def get_available_name(self, name: str, max_length: Any = None) -> str:
        return f"{name}{'/x' * 700}"


def test_a_name_of_the_remote_that_is_too_long_fails_the_transfer_with_words(
    make_queue: Any, each_ledger: str
) -> None:
    queue = make_queue(remote=f"{__name__}.Lengthening", overwrite=False)
    queue.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["retry"]
    assert "The remote name 'a.txt/x/x" in row_of(queue, "a.txt").last_error
    assert queue.open("a.txt").read() == b"hello"


def test_a_local_name_that_is_too_long_fails_the_save_and_leaves_nothing(
    make_queue: Any, each_ledger: str, tmp_path: Any
) -> None:
    local = Deepening(str(tmp_path / "deep"))
    queue = QueuedStorage(local, DISK, key="deep")
    with pytest.raises(SuspiciousFileOperation, match="The local name"):
        queue.save("a.txt", ContentFile(b"hello"))
    assert local_files(queue) == []


class Deepening(FileSystemStorage):
    def get_available_name(self, name: str, max_length: Any = None) -> str:
        return f"{'x/' * 150}{name}"


def test_a_key_or_a_task_that_the_ledger_cannot_hold_is_refused_by_the_constructor() -> None:
    QueuedStorage("scratch", "media", key="k" * 100)
    for cls in (QueuedStorage, DelayedStorage):
        for key, told in (("k" * 101, "101 characters"), ("a\0b", "NUL"), ("\udce9", "surrogate")):
            with pytest.raises(ConfigurationError, match=f"{cls.__name__}: key .*{told}"):
                cls("scratch", "media", key=key)
        with pytest.raises(ConfigurationError, match=r"the path of the task.*at most 200"):
            cls("scratch", "media", task="a." * 100 + "Task")


def test_a_text_is_refused_from_its_first_character_too_many() -> None:
    check_fits(storage="s" * 100, name="n" * 1024, task=None)
    with pytest.raises(SuspiciousFileOperation) as caught:
        check_fits(storage="s", local_name="x" * 301)
    assert str(caught.value).startswith(
        f"The local name '{'x' * 40}'... has 301 characters, and the ledger of queued files holds "
        "at most 300. "
    )


def test_characters_that_a_database_refuses_are_escaped() -> None:
    assert storable("a\0b\udce9é") == "a\\x00b\\udce9é"
    for error, text in ERRORS[:1] + ERRORS[3:]:
        assert describe_error(error) == text
