from __future__ import annotations

import os
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import models
from django.test.utils import isolate_apps

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.queued import registry
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.models import QueuedFile
from smart_storages.resolvers import ByExtension, ByRegion, ByTenant, FirstMatch
from smart_storages.tenancy import use_tenant
from smart_storages.wrappers import ScopedStorage
from tests.queued import broker
from tests.queued.conftest import DISK, local_files

BY_TENANT = "smart_storages.resolvers.ByTenant"


def by_tenant() -> StorageDispatcher:
    return StorageDispatcher(BY_TENANT)


@pytest.mark.parametrize(
    "make",
    [
        by_tenant,
        lambda: StorageDispatcher(ByTenant(), record_alias=True),
        lambda: StorageDispatcher(ByRegion({"eu": "files_eu"})),
        lambda: StorageDispatcher(FirstMatch(ByExtension({"pdf": "documents"}), ByTenant)),
        lambda: StorageDispatcher(ByExtension({"pdf": "own"}), storages={"own": by_tenant()}),
        lambda: FallbackStorage([DISK, by_tenant()]),
        lambda: MirrorStorage(by_tenant(), [DISK]),
        lambda: ScopedStorage(by_tenant(), "scans"),
        lambda: {
            "BACKEND": "smart_storages.dispatcher.StorageDispatcher",
            "OPTIONS": {"resolver": BY_TENANT},
        },
        lambda: "tenants",
        lambda: default_storage,
    ],
)
@pytest.mark.parametrize("is_local", [False, True])
def test_a_queue_over_a_choice_by_who_asks_is_refused_before_anything_is_written(
    tmp_path: Any, settings: Any, make_queue: Any, make: Any, is_local: bool
) -> None:
    dispatcher = {
        "BACKEND": "smart_storages.dispatcher.StorageDispatcher",
        "OPTIONS": {"resolver": BY_TENANT},
    }
    settings.STORAGES = {
        "default": dispatcher,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        "tenants": dispatcher,
    }
    disk = FileSystemStorage(str(tmp_path))
    places = (make(), disk) if is_local else (disk, make())
    queue = QueuedStorage(*places, delayed=True, overwrite=True, ask_remote=False)
    calls = (
        lambda: queue.save("a.txt", ContentFile(b"secret")),
        lambda: queue.open("a.txt"),
        lambda: queue.exists("a.txt"),
        lambda: queue.listdir(""),
        lambda: queue.delete("a.txt"),
        lambda: queue.using_local("a.txt"),
        lambda: queue.url("a.txt"),
        lambda: queue.transfer("a.txt"),
    )
    for call in calls:
        with use_tenant("acme"), pytest.raises(ConfigurationError, match="behind the dispatcher"):
            call()
    assert not [name for _, _, files in os.walk(tmp_path) for name in files]
    assert not QueuedFile.objects.exists()


def test_a_choice_by_the_name_may_be_behind_a_queue(tmp_path: Any, make_queue: Any) -> None:
    disk = FileSystemStorage(str(tmp_path / "remote"))
    rule = StorageDispatcher(ByExtension({"txt": "own"}), storages={"own": disk})
    queue = QueuedStorage(FileSystemStorage(str(tmp_path / "local")), rule)
    queue.save("a.txt", ContentFile(b"hello"))
    broker.deliver()
    assert disk.open("a.txt").read() == b"hello"


@pytest.mark.parametrize("record_alias", [None, True])
@pytest.mark.parametrize("transferred", [False, True])
def test_a_dispatcher_over_queues_keeps_tenants_apart(
    tmp_path: Any, make_queue: Any, record_alias: Any, transferred: bool
) -> None:
    queues = {
        f"tenant_{tenant}": QueuedStorage(
            DISK,
            DISK,
            {"location": str(tmp_path / "local")},
            {"location": str(tmp_path / tenant)},
        )
        for tenant in ("acme", "globex")
    }
    storage = StorageDispatcher(ByTenant(), storages=queues, record_alias=record_alias)
    names = {}
    for tenant in ("acme", "globex"):
        with use_tenant(tenant):
            names[tenant] = storage.save("a.txt", ContentFile(tenant.encode()))
    with use_tenant("acme"):
        only = storage.save("only.txt", ContentFile(b"acme"))
    if transferred:
        assert broker.deliver() == ["done"] * 3
    with use_tenant("globex"):
        assert storage.open(names["globex"]).read() == b"globex"
        inside = "tenant_globex" if record_alias else ""
        assert storage.listdir(inside)[1] == ["a.txt"]
        if record_alias:
            for call in (storage.exists, storage.open, storage.delete):
                with pytest.raises(PermissionError):
                    call(only)
        else:
            assert not storage.exists(only)
            with pytest.raises(FileNotFoundError):
                storage.open(only)
        storage.delete(names["globex"])
    broker.deliver()
    with use_tenant("acme"):
        assert storage.open(names["acme"]).read() == b"acme"
        assert storage.open(only).read() == b"acme"
    assert local_files(queues["tenant_acme"])


QUEUE = {
    "BACKEND": "smart_storages.queued.backends.QueuedStorage",
    "OPTIONS": {"local": "scratch", "remote": "media", "key": "nested"},
}


@pytest.mark.parametrize(
    "composed",
    [
        ("fallback.FallbackStorage", {"backends": [QUEUE, "media"]}),
        ("mirror.MirrorStorage", {"primary": QUEUE, "mirrors": ["media"]}),
        ("wrappers.ScopedStorage", {"inner": QUEUE, "prefix": "scans"}),
        (
            "dispatcher.StorageDispatcher",
            {"resolver": ByExtension({"txt": "queue"}), "storages": {"queue": QUEUE}},
        ),
        (
            "wrappers.ReadOnlyStorage",
            {
                "inner": {
                    "BACKEND": "smart_storages.fallback.FallbackStorage",
                    "OPTIONS": {"backends": ["media", QUEUE]},
                }
            },
        ),
    ],
)
def test_a_worker_finds_a_queue_inside_a_composed_storage(
    settings: Any, tmp_path: Any, composed: Any
) -> None:
    backend, options = composed
    settings.STORAGES = {
        "default": {"BACKEND": DISK},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        "scratch": {"BACKEND": DISK, "OPTIONS": {"location": str(tmp_path / "local")}},
        "media": {"BACKEND": DISK, "OPTIONS": {"location": str(tmp_path / "remote")}},
        "broken": {"BACKEND": "smart_storages.fallback.FallbackStorage", "OPTIONS": {"no": 1}},
        "files": {"BACKEND": f"smart_storages.{backend}", "OPTIONS": options},
    }
    assert registry.get("nested") is None
    assert registry.find_storage("nested").key == "nested"


@isolate_apps("tests.queued")
def test_a_worker_finds_a_queue_inside_the_storage_of_a_field(monkeypatch: Any) -> None:
    class Scan(models.Model):
        image = models.FileField(storage=FallbackStorage([QUEUE, DISK]))

        class Meta:
            app_label = "queued"

    monkeypatch.setattr(registry.apps, "get_models", lambda: [Scan])
    assert registry.find_storage("nested").key == "nested"
