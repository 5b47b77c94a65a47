from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache
from django.core.files.base import ContentFile
from django.db import models
from django.db.migrations.writer import MigrationWriter

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued import backends, registry
from smart_storages.queued.backends import (
    DelayedStorage,
    DoubleFilesystemStorage,
    QueuedFileSystemStorage,
    QueuedRemoteStorage,
    QueuedS3BotoStorage,
    QueuedStorage,
    S3Storage,
)
from smart_storages.queued.fields import QueuedFileField, RemoteFileField
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.storage_options import DEFAULT_BUCKET
from smart_storages.queued.tasks import Transfer, TransferAndDelete, get_task
from tests.queued import broker
from tests.queued.conftest import DISK, row_of


def test_reads_follow_the_file(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    local = row_of(queue, "a.txt").local_name
    assert queue.url("a.txt") == f"/local/{local}"
    assert queue.url("a.txt", parameters={}, expire=10) == f"/local/{local}"
    assert queue.path("a.txt") == queue.local.path(local)
    assert queue.size("a.txt") == 5
    assert queue.get_modified_time("a.txt") == queue.local.get_modified_time(local)
    broker.deliver()
    assert queue.url("a.txt") == "/remote/a.txt"
    assert queue.path("a.txt") == queue.remote.path("a.txt")
    assert queue.size("a.txt") == 5
    assert queue.get_created_time("a.txt") == queue.remote.get_created_time("a.txt")


def test_files_that_the_ledger_does_not_know_are_in_the_remote(queue: Any) -> None:
    queue.remote.save("old.txt", ContentFile(b"old"))
    assert queue.using_remote("old.txt")
    assert queue.open("old.txt").read() == b"old"
    queue.delete("old.txt")
    assert not queue.exists("old.txt")
    with pytest.raises(FileNotFoundError):
        queue.open("old.txt")
    with pytest.raises(FileNotFoundError):
        queue.size("old.txt")
    broker.deliver()
    assert not queue.remote.exists("old.txt")


def test_a_local_copy_on_another_host_is_told_from_a_missing_file(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"x"))
    row = QueuedFile.objects.get()
    queue.local.delete(row.local_name)  # as on a host whose disk is another one
    for call in (queue.open, queue.size):
        with pytest.raises(FileNotFoundError) as raised:
            call("a.txt")
        assert "its local copy is not on this host" not in str(raised.value)
    QueuedFile.objects.update(host="web-7")
    for call in (queue.open, queue.size):
        with pytest.raises(FileNotFoundError, match=r"'a\.txt' waits.*saved on 'web-7'"):
            call("a.txt")
    with pytest.raises(FileNotFoundError) as raised:
        queue.open("missing.txt")
    assert "host" not in str(raised.value)


def test_a_file_carried_away_while_it_is_opened_is_found_again(
    queue: Any, monkeypatch: Any
) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    real = queue.local.open

    def carry_away(name: str, mode: str = "rb") -> Any:
        monkeypatch.setattr(queue.local, "open", real)
        assert broker.deliver() == ["done"]
        return real(name, mode)

    monkeypatch.setattr(queue.local, "open", carry_away)
    assert queue.open("a.txt").read() == b"hello"


def test_a_listing_shows_what_will_be(queue: Any) -> None:
    queue.remote.save("d/there.txt", ContentFile(b""))
    queue.remote.save("d/doomed.txt", ContentFile(b""))
    queue.save("d/new.txt", ContentFile(b""))
    queue.save("d/e/deep.txt", ContentFile(b""))
    queue.delete("d/doomed.txt")
    directories, files = queue.listdir("d")
    assert (directories, sorted(files)) == (["e"], ["new.txt", "there.txt"])
    broker.deliver()
    directories, files = queue.listdir("d/")
    assert (directories, sorted(files)) == (["e"], ["new.txt", "there.txt"])
    with pytest.raises(FileNotFoundError):
        queue.listdir("nowhere")


def test_a_delayed_file_waits_until_it_is_told(make_queue: Any, messages: list) -> None:
    queue = make_queue(delayed=True)
    queue.save("a.txt", ContentFile(b"hello"))
    assert messages == []
    assert row_of(queue, "a.txt").state == "held"
    assert queue.open("a.txt").read() == b"hello"
    assert queue.transfer("a.txt") == "message 1"
    assert broker.deliver() == ["done"]
    assert queue.remote.open("a.txt").read() == b"hello"
    assert queue.transfer("a.txt") is None
    with pytest.raises(FileNotFoundError, match=r"no file 'b\.txt'"):
        queue.transfer("b.txt")


def test_a_field_file_has_transfer(make_queue: Any) -> None:
    queue = make_queue(delayed=True)

    class Scan(models.Model):
        raw = QueuedFileField(storage=queue, upload_to="scans")

        class Meta:
            app_label = "queued_tests"
            managed = False

        def __str__(self) -> str:
            return "scan"

    scan = Scan()
    with pytest.raises(ValueError, match="no file"):
        scan.raw.transfer()
    scan.raw.save("a.raw", ContentFile(b"hello"), save=False)
    assert scan.raw.name == "scans/a.raw"
    assert scan.raw.transfer()
    assert broker.deliver() == ["done"]
    assert queue.remote.open("scans/a.raw").read() == b"hello"


def test_the_old_names_are_kept() -> None:
    assert QueuedRemoteStorage is QueuedFileSystemStorage is QueuedS3BotoStorage is QueuedStorage
    assert RemoteFileField is QueuedFileField


class ToTheShare(QueuedStorage):
    local = remote = DISK
    local_options = {"location": "/fast"}
    remote_options = {"location": "/share"}
    task = "smart_storages.queued.tasks.TransferAndDelete"
    delayed = True


class Soon(ToTheShare):
    delayed = False
    local_options = {"location": "/faster"}


def test_attributes_of_a_class_are_the_defaults_of_its_arguments() -> None:
    def seen(queue: QueuedStorage) -> Any:
        name = queue.task.rpartition(".")[2]
        return queue.local.location, queue.remote.location, name, queue.delayed

    assert seen(ToTheShare()) == ("/fast", "/share", "TransferAndDelete", True)
    assert seen(ToTheShare(delayed=False, task="a.B")) == ("/fast", "/share", "B", False)
    given = ToTheShare(local_options={"location": "/given"})
    assert seen(given) == ("/given", "/share", "TransferAndDelete", True)
    assert seen(Soon()) == ("/faster", "/share", "TransferAndDelete", False)
    assert ToTheShare().deconstruct()[2] == {}
    for options in ("local_options", "remote_options"):
        with pytest.raises(ConfigurationError, match=options):
            type("Wrong", (ToTheShare,), {options: "text"})()


def test_ready_made_pairs(tmp_path: Any) -> None:
    both = DoubleFilesystemStorage({"location": str(tmp_path)}, {"location": "/share"})
    assert (both.local.location, both.remote.location) == (str(tmp_path), "/share")
    bucket = S3Storage({"location": "/fast"}, {"bucket_name": "acme"}, delayed=True)
    assert bucket.local.location == "/fast"
    assert bucket.remote.bucket_name == "acme"
    assert bucket.delayed
    delayed = DelayedStorage("scratch", "documents", task=TransferAndDelete)
    assert delayed.delayed
    assert delayed.task == "smart_storages.queued.tasks.TransferAndDelete"


def test_references_are_aliases_modules_paths_or_storages(settings: Any, tmp_path: Any) -> None:
    from django.core.files.storage import FileSystemStorage

    settings.STORAGES = {
        "default": {"BACKEND": DISK},
        "staticfiles": {"BACKEND": DISK},
        "scratch": {"BACKEND": DISK, "OPTIONS": {"location": str(tmp_path)}},
    }
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme"}}
    storage = QueuedStorage(local="scratch", remote="media")
    assert storage.local.location == str(tmp_path)
    assert storage.remote.bucket_name == "acme"
    disk = FileSystemStorage(location="/elsewhere")
    assert QueuedStorage(local=disk, remote="media").local is disk
    with pytest.raises(ConfigurationError, match="nowhere"):
        _ = QueuedStorage(local="nowhere", remote="media").local


SECRETS = {
    "bucket_name": "acme",
    "access_key": "AKIAXXXX",
    "secret_key": "hunter2",
    "security_token": "hunter2",
}


@pytest.mark.parametrize(
    "storage",
    [
        lambda: QueuedStorage(DISK, DEFAULT_BUCKET, None, SECRETS),
        lambda: QueuedStorage(remote={"BACKEND": DEFAULT_BUCKET, "OPTIONS": SECRETS}),
        lambda: S3Storage(remote_options=SECRETS),
    ],
    ids=["options", "dict", "s3"],
)
def test_credentials_stay_out_of_migrations_pickles_keys_and_repr(storage: Any) -> None:
    made = storage()
    field = models.FileField(storage=made)
    migration, _ = MigrationWriter.serialize(field)
    for text in (migration, repr(pickle.dumps(made)), made.key, repr(made), repr(vars(field))):
        assert "hunter2" not in text
        assert "AKIAXXXX" not in text
    assert "acme" in migration


def test_a_pickle_finds_the_storage_that_this_process_has_made() -> None:
    made = S3Storage(remote_options=SECRETS)
    assert pickle.loads(pickle.dumps(made)) is made  # noqa: S301
    assert copy.deepcopy(made) is made


def test_what_a_migration_makes_does_not_replace_the_one_with_credentials() -> None:
    made = S3Storage(remote_options=SECRETS)
    path, args, kwargs = made.deconstruct()
    again = getattr(backends, path.rpartition(".")[2])(*args, **kwargs)
    assert again.deconstruct() == made.deconstruct()
    assert registry.get(made.key) is made


def test_two_that_differ_in_their_keys_alone_are_not_taken_for_one_another(settings: Any) -> None:
    def make(access_key: str, **more: Any) -> QueuedStorage:
        return S3Storage(remote_options={**SECRETS, "access_key": access_key, **more})

    lasting = {"security_token": None}
    made = make("AKIAONE", **lasting)
    assert make("AKIAONE", **lasting).key == made.key
    with pytest.raises(ConfigurationError, match="Give each a key of its own"):
        make("AKIATWO", **lasting)
    # Temporary keys are other ones each time; and a test's settings are the test's.
    make("ASIATHREE")
    settings.AWS_STORAGE_BUCKET_NAME = "another"
    make("AKIATWO", **lasting)


def test_a_migration_is_stable_and_importable(tmp_path: Any) -> None:
    storage = DelayedStorage("scratch", "documents", task=TransferAndDelete, key="k")
    field = QueuedFileField(storage=storage)
    text, imports = MigrationWriter.serialize(field)
    scope: dict = {}
    exec("\n".join(imports), scope)  # noqa: S102
    again = eval(text, scope)  # noqa: S307
    assert again.storage.deconstruct() == storage.deconstruct()
    assert again.storage.task == "smart_storages.queued.tasks.TransferAndDelete"
    assert MigrationWriter.serialize(again)[0] == text


def test_keys_tell_storages_apart_and_forget_secrets() -> None:
    def key(**options: Any) -> str:
        return QueuedStorage(DISK, DISK, {"location": "/a"}, options).key

    assert key(location="/b") == key(location="/b")
    assert key(location="/b") != key(location="/c")
    assert key(location="/b", secret_key="1") == key(location="/b", secret_key="2")
    assert len(key(location="/" + "x" * 500)) <= 100


def test_a_storage_of_the_settings_is_found_by_its_key(settings: Any) -> None:
    settings.STORAGES = {
        "default": {"BACKEND": DISK},
        "staticfiles": {"BACKEND": DISK},
        "scans": {
            "BACKEND": "smart_storages.queued.backends.QueuedStorage",
            "OPTIONS": {"local": "default", "remote": "media", "key": "scans"},
        },
    }
    assert registry.find_storage("scans").key == "scans"


@pytest.mark.parametrize("task", ["nowhere.Task", "smart_storages.queued.tasks.get_task", dict])
def test_a_task_is_a_subclass_of_transfer(task: Any) -> None:
    with pytest.raises(ConfigurationError):
        get_task(task)
    assert get_task("smart_storages.queued.tasks.Transfer") is Transfer


def test_the_cache_only_speeds_answers_up(make_queue: Any, settings: Any) -> None:
    from django.core.cache import cache
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    settings.QUEUED_STORAGE_CACHE_KEY = "queue"
    settings.QUEUED_STORAGE_CACHE_PER_PROCESS = True
    cache.clear()
    queue = make_queue(overwrite=True)
    queue.save("a.txt", ContentFile(b"1"))
    assert queue.using_local("a.txt")
    broker.deliver()
    cache.clear()
    assert queue.open("a.txt").read() == b"1"
    with CaptureQueriesContext(connection) as queries:
        assert queue.open("a.txt").read() == b"1"
    assert len(queries) == 0
    queue.save("a.txt", ContentFile(b"2"))
    assert queue.open("a.txt").read() == b"2"
    cache.clear()
    assert queue.open("a.txt").read() == b"2"
    queue.delete("a.txt")
    assert not queue.exists("a.txt")
    cache.clear()
    assert not queue.exists("a.txt")


def test_a_reader_that_looked_before_a_save_cannot_bring_its_answer_back(
    make_queue: Any, settings: Any
) -> None:
    from django.core.cache import cache

    from smart_storages.queued.ledger import location_cache

    settings.QUEUED_STORAGE_CACHE_KEY = "queue"
    settings.QUEUED_STORAGE_CACHE_PER_PROCESS = True
    cache.clear()
    queue = make_queue(overwrite=True)
    queue.save("a.txt", ContentFile(b"1"))
    broker.deliver()
    queue.save("a.txt", ContentFile(b"2"))
    location_cache.remember(queue.key, "a.txt", "a.txt")  # it has seen the row as it was before
    assert queue.using_local("a.txt")


def test_a_cache_of_this_process_alone_is_not_asked(make_queue: Any, settings: Any) -> None:
    from django.core.cache import cache

    settings.QUEUED_STORAGE_CACHE_KEY = "queue"
    cache.clear()
    queue = make_queue(overwrite=True)
    queue.save("a.txt", ContentFile(b"1"))
    broker.deliver()
    assert queue.open("a.txt").read() == b"1"
    # Another process deletes the file: it marks a cache of its own.
    QueuedFile.objects.update(state="deleting")
    assert not queue.exists("a.txt")


class DownCache(BaseCache):
    def __init__(self, location: str, params: Any) -> None:
        super().__init__(params)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("the cache is down")

    add = set = get


def test_a_cache_that_is_down_changes_nothing(make_queue: Any, settings: Any) -> None:
    settings.QUEUED_STORAGE_CACHE_KEY = "queue"
    settings.CACHES = {
        "default": {
            "BACKEND": "tests.queued.test_backends.DownCache",
        }
    }
    queue = make_queue()
    queue.save("a.txt", ContentFile(b"1"))
    broker.deliver()
    assert queue.open("a.txt").read() == b"1"
