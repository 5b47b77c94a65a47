"""A reference is built once, when it is used, and never leads back to the storage that refers."""

from __future__ import annotations

import gc
import weakref

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from smart_storages.exceptions import CircularStorageError, ConfigurationError
from smart_storages.utils import resolve_storage
from smart_storages.wrappers import ReadOnlyStorage
from tests.threads import run_in_threads

FALLBACK = "smart_storages.fallback.FallbackStorage"
MIRROR = "smart_storages.mirror.MirrorStorage"
READ_ONLY = "smart_storages.wrappers.ReadOnlyStorage"
SCOPED = "smart_storages.wrappers.ScopedStorage"
QUEUED = "smart_storages.queued.backends.QueuedStorage"


@pytest.fixture
def aliases(settings, tmp_path):
    def set_aliases(**aliases):
        settings.STORAGES = {
            "disk": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": str(tmp_path)},
            },
            **{key: {"BACKEND": path, "OPTIONS": opts} for key, (path, opts) in aliases.items()},
        }
        return resolve_storage("default")

    return set_aliases


@pytest.mark.parametrize(
    "backend",
    [
        (FALLBACK, {"backends": ["disk", "default"]}),
        (MIRROR, {"primary": "default", "mirrors": ["disk"]}),
        (READ_ONLY, {"inner": "default"}),
        (SCOPED, {"inner": "default", "prefix": "a"}),
    ],
)
def test_a_storage_that_refers_to_itself_is_named(aliases, backend):
    storage = aliases(default=backend)
    for _ in range(2):
        with pytest.raises(CircularStorageError, match="refers to itself: default -> default"):
            storage.open("a.txt")


def test_a_queued_storage_that_refers_to_itself_is_named(aliases):
    storage = aliases(default=(QUEUED, {"local": "disk", "remote": "default"}))
    with pytest.raises(CircularStorageError, match="refers to itself: default -> default"):
        _ = storage.remote


def test_a_circle_over_several_aliases_names_them_all(aliases):
    storage = aliases(
        default=(FALLBACK, {"backends": ["disk", "b"]}),
        b=(SCOPED, {"inner": "c", "prefix": "a"}),
        c=(MIRROR, {"primary": "default", "mirrors": ["disk"]}),
    )
    with pytest.raises(ConfigurationError, match="itself: c -> default -> b -> c"):
        storage.open("missing.txt")


def test_a_circle_by_way_of_djangos_default_storage_is_named(aliases):
    aliases(default=(FALLBACK, {"backends": ["disk", default_storage]}))
    with pytest.raises(CircularStorageError, match="refers to itself"):
        default_storage.open("missing.txt")


def test_a_file_that_is_found_before_the_circle_is_read(aliases):
    storage = aliases(default=(FALLBACK, {"backends": ["disk", "default"]}))
    resolve_storage("disk").save("a.txt", ContentFile(b"x"))
    assert storage.open("a.txt").read() == b"x"


def test_two_ways_to_one_storage_are_no_circle(aliases):
    storage = aliases(
        default=(MIRROR, {"primary": "a", "mirrors": ["b"]}),
        a=(SCOPED, {"inner": "disk", "prefix": "a"}),
        b=(SCOPED, {"inner": "disk", "prefix": "b"}),
    )
    assert storage.save("a.txt", ContentFile(b"x")) == "a.txt"
    assert resolve_storage("disk").exists("b/a.txt")


def test_threads_that_close_a_circle_together_all_hear_of_it(aliases):
    storage = aliases(
        default=(FALLBACK, {"backends": ["b"]}), b=(FALLBACK, {"backends": ["default"]})
    )
    heard = []

    def ask(number):
        with pytest.raises(CircularStorageError, match="refers to itself"):
            (storage, resolve_storage("b"))[number % 2].open("a.txt")
        heard.append(number)

    run_in_threads(ask, range(8))
    assert len(heard) == 8


def test_a_storage_goes_when_nobody_holds_it():
    gc.disable()
    try:
        storage = ReadOnlyStorage("disk")
        kept = weakref.ref(storage)
        del storage
        assert kept() is None
    finally:
        gc.enable()
