"""The queue between modules whose files another storage keeps."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile

from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.tasks import TransferAndDelete
from smart_storages.utils import get_storage
from tests.backends.projects_storages import accounts
from tests.queued import broker

DIRECTORY = "django.core.files.storage.FileSystemStorage"


@pytest.fixture
def queue(settings: Any, tmp_path: Any, transactional_db: None, messages: list) -> QueuedStorage:
    service = "tests.backends.projects_storages.Remote"
    options = {"account": uuid4().hex, "token": "hunter2"}
    settings.SMART_STORAGE_BUCKETS = {
        "scratch": {"backend": DIRECTORY, "options": {"location": str(tmp_path / "scratch")}},
        "archive": {"backend": service, "options": options, "file_overwrite": False},
    }
    return QueuedStorage("scratch", "archive", task=TransferAndDelete, key="other")


def test_a_file_travels_from_one_to_the_other(queue: Any, tmp_path: Any, messages: list) -> None:
    name = queue.save("a/b.txt", ContentFile(b"hello"))
    archive = get_storage("archive")
    assert read(queue, name) == b"hello"
    assert list(archive.iter_files()) == []
    assert "hunter2" not in str(messages)
    assert broker.deliver() == ["done"]
    ((kept, _),) = archive.iter_files()  # under a name that no other process can take
    assert read(archive, kept) == b"hello"
    assert read(queue, name) == b"hello"
    assert [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()] == []
    queue.delete(name)
    broker.deliver()
    assert list(archive.iter_files()) == []


def test_two_files_of_one_name_stay_two(queue: Any) -> None:
    names = [queue.save("a.txt", ContentFile(b"%d" % number)) for number in range(3)]
    broker.deliver()
    assert len(set(names)) == 3
    for number, name in enumerate(names):
        assert read(queue, name) == b"%d" % number
    options = get_storage("archive").options
    assert len(accounts[options["account"]]) == 3


def read(storage: Any, name: str) -> bytes:
    with storage.open(name) as file:
        content: bytes = file.read()
    return content
