"""What the documentation of django-queued-storage 0.8 says, done with ours.

It imports on no Django that is supported here, so that it cannot run beside ours. Its documentation
was read in its source distribution, ``docs/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.db import models

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued import registry
from smart_storages.queued.backends import (
    QueuedFileSystemStorage,
    QueuedS3BotoStorage,
    QueuedStorage,
)
from smart_storages.queued.fields import QueuedFieldFile, QueuedFileField
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.tasks import Transfer, TransferAndDelete
from smart_storages.signals import file_transferred
from smart_storages.storages import SmartS3Storage
from tests.moving_in.documented import shows
from tests.queued import broker
from tests.queued.conftest import pass_time

DOCUMENTED = (
    # Classes
    "queued_storage.backends.QueuedStorage", "QueuedFileSystemStorage", "QueuedS3BotoStorage",
    "QueuedCouchDBStorage", "QueuedDatabaseStorage", "QueuedFTPStorage", "QueuedMogileFSStorage",
    "QueuedGridFSStorage", "QueuedCloudFilesStorage", "QueuedSFTPStorage",
    # Arguments and attributes
    "local", "local_options", "remote", "remote_options", "cache_prefix", "delayed", "task",
    # Methods
    "get_storage", "get_cache_key", "using_local", "using_remote", "open", "save", "transfer",
    "get_valid_name", "get_available_name", "path", "delete", "exists", "listdir", "size", "url",
    "accessed_time", "created_time", "modified_time", "result",
    # Fields, tasks and the signal
    "queued_storage.fields.QueuedFileField", "QueuedFieldFile", "queued_storage.tasks.Transfer",
    "TransferAndDelete", "max_retries", "default_retry_delay", "run",
    "queued_storage.signals.file_transferred",
    # Settings
    "QUEUED_STORAGE_CACHE_PREFIX", "QUEUED_STORAGE_RETRIES", "QUEUED_STORAGE_RETRY_DELAY",
    "INSTALLED_APPS", "django-celery",
)  # fmt: skip

DISK = "django.core.files.storage.FileSystemStorage"

pytestmark = pytest.mark.django_db(transaction=True)


class TransferAndNotify(Transfer):
    """As its documentation shows it."""

    told: List[str] = []

    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> Any:
        result = super().transfer(name, local, remote, **kwargs)
        if result:
            self.told.append(name)
        return result


class NeverDone(Transfer):
    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> Any:
        return False


class NoAnswer(Transfer):
    def transfer(self, name: str, local: Any, remote: Any, **kwargs: Any) -> Any:
        return None


@pytest.fixture(autouse=True)
def messages(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[List[Any]]:
    """The messages for the worker; ``broker.deliver()`` is the worker."""
    monkeypatch.setattr(registry, "_storages", {})
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.post"
    broker.messages.clear()
    yield broker.messages
    broker.messages.clear()


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def make(cls: Any = QueuedStorage, **options: Any) -> Any:
        for name in ("local", "remote"):
            (tmp_path / name).mkdir(exist_ok=True)
            options.setdefault(name, DISK)
            options.setdefault(
                f"{name}_options", {"location": str(tmp_path / name), "base_url": f"/{name}/"}
            )
        return cls(**options)

    return make


@shows("queued_storage.backends.QueuedStorage", "local", "remote", "local_options",
       "remote_options", "INSTALLED_APPS", "save", "open", "using_local", "using_remote", "size",
       "exists")  # fmt: skip
def test_a_file_is_read_from_the_local_copy_until_it_is_transferred(
    make: Any, tmp_path: Path
) -> None:
    storage = make()
    name = storage.save("a.txt", ContentFile(b"hello"))
    assert not (tmp_path / "remote" / name).exists()
    for is_local in (True, False):
        assert storage.using_local(name) is is_local
        assert storage.using_remote(name) is not is_local
        assert storage.open(name).read() == b"hello"
        assert storage.size(name) == 5
        assert storage.exists(name)
        broker.deliver()
    assert (tmp_path / "remote" / name).read_bytes() == b"hello"


def test_the_first_two_arguments_are_local_and_remote() -> None:
    storage = QueuedStorage(DISK, DISK, {"location": "/fast"}, {"location": "/share"})
    assert isinstance(storage.local, FileSystemStorage)
    assert (storage.local.location, storage.remote.location) == ("/fast", "/share")


def test_it_has_every_method_of_a_storage(make: Any) -> None:
    missing = [
        name
        for name in dir(Storage())
        if not name.startswith("_")
        and callable(getattr(Storage(), name))
        and not callable(getattr(make(), name, None))
    ]
    assert missing == []


class ToTheShare(QueuedStorage):
    local = remote = DISK
    delayed = True


def test_a_class_of_ones_own_has_its_storages_as_attributes(make: Any, messages: Any) -> None:
    storage = make(ToTheShare, local=None, remote=None)
    name = storage.save("a.txt", ContentFile(b"hello"))
    assert messages == []
    storage.transfer(name)
    broker.deliver()
    assert storage.remote.open(name).read() == b"hello"


@shows("QueuedFileSystemStorage", "QueuedS3BotoStorage")
def test_the_ready_made_classes_have_the_disk_as_local_and_the_default_bucket_as_remote(
    settings: Any,
) -> None:
    settings.AWS_STORAGE_BUCKET_NAME = "acme"
    for cls in (QueuedFileSystemStorage, QueuedS3BotoStorage):
        storage = cls(delayed=True)
        assert isinstance(storage.local, FileSystemStorage)
        assert isinstance(storage.remote, SmartS3Storage)
        assert storage.remote.bucket_name == "acme"


@shows("delayed", "transfer", "result")
def test_a_delayed_storage_waits_for_transfer(make: Any, messages: Any) -> None:
    storage = make(delayed=True)
    name = storage.save("a.txt", ContentFile(b"hello"))
    assert messages == []
    assert storage.result is None
    assert storage.transfer(name) == "message 1"  # what the engine returns
    assert broker.deliver() == ["done"]
    assert storage.using_remote(name)
    at_once = make(key="at once")
    at_once.save("b.txt", ContentFile(b"hello"))
    assert at_once.result == "message 1"


@shows("task", "queued_storage.tasks.Transfer", "TransferAndDelete")
def test_the_task_says_what_becomes_of_the_local_copy(make: Any, tmp_path: Path) -> None:
    for task, kept in ((Transfer, 1), (TransferAndDelete, 0)):
        path = f"smart_storages.queued.tasks.{task.__name__}"
        storage = make(task=path, key=task.__name__)
        name = storage.save(f"{task.__name__}.txt", ContentFile(b"hello"))
        assert broker.deliver() == ["done"]
        assert (tmp_path / "remote" / name).exists()
        copies = [each for each in (tmp_path / "local").rglob("*.txt") if name in each.name]
        assert len(copies) == kept


def test_a_task_of_ones_own_does_more(make: Any) -> None:
    TransferAndNotify.told.clear()
    storage = make(task=f"{__name__}.TransferAndNotify")
    storage.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["done"]
    assert TransferAndNotify.told == ["a.txt"]


@shows("QUEUED_STORAGE_RETRIES", "QUEUED_STORAGE_RETRY_DELAY")
def test_a_transfer_that_returns_false_is_tried_again(
    make: Any, messages: Any, settings: Any
) -> None:
    settings.QUEUED_STORAGE_RETRIES = 2
    settings.QUEUED_STORAGE_RETRY_DELAY = 90
    storage = make(task=f"{__name__}.NeverDone")
    name = storage.save("a.txt", ContentFile(b"hello"))
    answers = broker.deliver()
    assert 45 <= messages[0][1] <= 135  # not all at the same moment
    while messages:
        pass_time(1000)
        answers += broker.deliver()
    assert answers == ["retry", "retry", "failed"]
    assert storage.using_local(name)
    assert storage.open(name).read() == b"hello"


def test_a_transfer_that_returns_neither_true_nor_false_is_an_error(make: Any) -> None:
    storage = make(task=f"{__name__}.NoAnswer")
    storage.save("a.txt", ContentFile(b"hello"))
    with pytest.raises(ValueError, match="must return True or False"):
        broker.deliver()
    assert QueuedFile.objects.get().state == "failed"


@shows("queued_storage.signals.file_transferred")
def test_the_signal_tells_the_name_and_both_storages(make: Any) -> None:
    heard = []

    def log(sender: Any, name: str, local: Any, remote: Any, **kwargs: Any) -> None:
        heard.append((name, remote.url(name), local.__class__))

    file_transferred.connect(log)
    try:
        make().save("a.txt", ContentFile(b"hello"))
        broker.deliver()
    finally:
        file_transferred.disconnect(log)
    assert heard == [("a.txt", "/remote/a.txt", FileSystemStorage)]


class Drawing(models.Model):
    image = QueuedFileField(upload_to="drawings")

    class Meta:
        app_label = "tests"


@shows("queued_storage.fields.QueuedFileField", "QueuedFieldFile")
def test_the_file_of_a_field_can_be_transferred(make: Any, monkeypatch: Any) -> None:
    field: Any = Drawing._meta.get_field("image")
    monkeypatch.setattr(field, "storage", make(delayed=True))
    drawing = Drawing()
    drawing.image.save("a.png", ContentFile(b"hello"), save=False)
    assert isinstance(drawing.image, QueuedFieldFile)
    assert drawing.image.transfer()
    broker.deliver()
    assert drawing.image.storage.using_remote("drawings/a.png")


@shows("path", "url", "delete", "listdir", "get_valid_name", "get_available_name",
       "modified_time", "accessed_time", "created_time")  # fmt: skip
def test_the_methods_of_a_storage_are_those_of_where_the_file_is(make: Any) -> None:
    storage = make()
    name = storage.save("d/a.txt", ContentFile(b"hello"))
    assert storage.listdir("d") == ([], ["a.txt"])
    assert Path(storage.path(name)).read_bytes() == b"hello"
    assert storage.url(name).startswith("/local/")
    broker.deliver()
    assert storage.path(name) == storage.remote.path(name)
    assert storage.url(name) == "/remote/d/a.txt"
    for method in ("get_modified_time", "get_accessed_time", "get_created_time"):
        assert getattr(storage, method)(name) == getattr(storage.remote, method)(name)
    assert storage.get_valid_name("a b.txt") == "a_b.txt"
    assert storage.get_available_name("new.txt") == "new.txt"
    assert storage.get_available_name(name) != name
    storage.delete(name)
    assert not storage.exists(name)
    assert storage.listdir("d") == ([], [])


def test_what_is_refused_says_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match="QUEUED_STORAGE_CACHE_KEY"):
        QueuedStorage(DISK, "media", cache_prefix="q")
    with pytest.raises(ConfigurationError, match="class NotATask"):
        QueuedStorage(DISK, "media", task=not_a_task)


def not_a_task() -> None:
    pass
