from __future__ import annotations

import os
import re
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued.backends import (
    DelayedStorage,
    DoubleFilesystemStorage,
    QueuedStorage,
)
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.storage_options import known_options
from smart_storages.queued.tasks import Transfer
from tests.queued.conftest import DISK, local_files


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_local_bytes", "10MB"),
        ("max_local_bytes", True),
        ("max_local_bytes", -1),
        ("durable", "no"),
        ("ask_remote", "no"),
        ("delayed", 1),
        ("overwrite", "yes"),
        ("signed_urls", "no"),
        ("key", 5),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused_by_name(name: str, value: Any) -> None:
    told = re.escape(f"not {value!r}")
    with pytest.raises(ConfigurationError, match=f"^QueuedStorage: {name} must be .*, {told}"):
        QueuedStorage(DISK, "media", **{name: value})


def test_options_that_are_no_dict_are_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="remote_options must be a dict") as caught:
        QueuedStorage(DISK, "media", None, "hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def test_a_local_that_is_plainly_the_remote_is_refused() -> None:
    for given in (("scratch", "scratch"), (DISK, DISK, {"location": "/a"}, {"location": "/a"})):
        with pytest.raises(ConfigurationError, match="QueuedStorage: local and remote are the"):
            QueuedStorage(*given)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="DoubleFilesystemStorage: local and remote"):
        DoubleFilesystemStorage()
    QueuedStorage(DISK, DISK, {"location": "/a"}, {"location": "/b"})


@pytest.mark.parametrize("which", ["local", "remote"])
def test_a_class_is_refused_as_a_place(which: str) -> None:
    given = {"local": "scratch", "remote": "media", which: FileSystemStorage}
    told = f"QueuedStorage: {which} is the class FileSystemStorage. Give a storage"
    with pytest.raises(ConfigurationError, match=told):
        QueuedStorage(**given)


@pytest.mark.parametrize("task", [5, None, dict, Transfer(), ["a.Task"]])
def test_a_task_that_is_none_is_refused_by_the_constructor(task: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^QueuedStorage: task must be a subclass of"):
        QueuedStorage("scratch", "media", task=task)


class Local(Transfer):
    """A task whose path leads to it."""


@pytest.mark.parametrize(
    "task", ["no.such", "no", "", "builtins.dict", "smart_storages.queued.tasks.get_task"]
)
def test_a_task_that_is_not_there_is_told_at_the_save(make_queue: Any, task: str) -> None:
    queue = make_queue(task=task)
    with pytest.raises(ConfigurationError, match=f"The task '{task}'"):
        queue.save("a.txt", ContentFile(b"hello"))
    assert not QueuedFile.objects.exists()
    assert local_files(queue) == []


def test_a_task_that_no_worker_could_import_is_told_at_the_save(make_queue: Any) -> None:
    class Hidden(Transfer):
        pass

    make_queue(task=Local, key="a").save("a.txt", ContentFile(b"hello"))
    with pytest.raises(ConfigurationError, match="Hidden' cannot be imported"):
        make_queue(task=Hidden, key="b").save("a.txt", ContentFile(b"hello"))


def test_a_name_that_is_not_unicode_is_refused(queue: Any) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    for call in (
        lambda: queue.save(name, ContentFile(b"hello")),
        lambda: queue.open(name),
        lambda: queue.exists(name),
        lambda: queue.delete(name),
        lambda: queue.listdir(name),
        lambda: queue.transfer(name),
        lambda: queue.using_local(name),
    ):
        with pytest.raises(SuspiciousFileOperation, match="not valid Unicode") as caught:
            call()
        str(caught.value).encode()


def test_the_options_of_a_class_are_its_parents_too() -> None:
    assert {"local", "remote", "durable", "task"} <= set(known_options(DelayedStorage))
    doubled = known_options(DoubleFilesystemStorage)
    assert {"local_kwargs", "durable"} <= set(doubled)


def scan_for_viruses(name: str) -> bool:
    return True


def test_what_django_queued_storage_took_is_refused_with_the_way_to_write_it_now(
    make_queue: Any,
) -> None:
    class Old(QueuedStorage):
        cache_prefix = "old"

    now = "set QUEUED_STORAGE_CACHE_KEY"
    for make in (
        lambda: QueuedStorage("scratch", "media", cache_prefix="old"),
        lambda: DelayedStorage("scratch", "media", cache_prefix="old"),
        lambda: QueuedStorage("scratch", "media", None, None, "old", True),  # type: ignore[arg-type]
        lambda: Old("scratch", "media"),
    ):
        with pytest.raises(
            ConfigurationError, match=f": cache_prefix .'old'. is an option of .*{now}"
        ):
            make()
    told = r"class ScanForViruses\(Transfer\), with a method transfer\(self, name, local, remote"
    with pytest.raises(ConfigurationError, match=told):
        QueuedStorage("scratch", "media", task=scan_for_viruses)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=told):
        make_queue(task=f"{__name__}.scan_for_viruses").save("a.txt", ContentFile(b"hello"))
    with pytest.raises(ConfigurationError, match=r"are now in smart_storages\.queued\.tasks"):
        make_queue(task="queued_storage.tasks.Transfer").save("a.txt", ContentFile(b"hello"))
    assert not QueuedFile.objects.exists()
