"""The cache of where files are: what it is asked, for how long, and that it may be down."""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import Any, Dict, List, Tuple

import pytest

from smart_storages.queued.ledger import location_cache


class Cache:
    """Django's cache, as far as it is used here; notes for how long each value is kept."""

    def __init__(self) -> None:
        self.values: Dict[str, str] = {}
        self.kept: List[Tuple[str, float]] = []

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def add(self, key: str, value: str, seconds: float) -> None:
        self.kept.append(("add", seconds))
        self.values.setdefault(key, value)

    def set(self, key: str, value: str, seconds: float) -> None:
        self.kept.append(("set", seconds))
        self.values[key] = value


@pytest.fixture
def cache(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Cache:
    settings.QUEUED_STORAGE_CACHE_KEY = "queue"
    settings.QUEUED_STORAGE_CACHE_PER_PROCESS = True
    made = Cache()
    monkeypatch.setattr(location_cache, "cache", made)
    return made


def test_a_name_is_remembered_until_the_file_changes(cache: Cache) -> None:
    assert location_cache.get("s", "a.txt") is None
    location_cache.remember("s", "a.txt", "b.txt")
    assert location_cache.get("s", "a.txt") == "b.txt"
    assert location_cache.get("s", "A.txt") is None
    assert location_cache.get("t", "a.txt") is None
    location_cache.forget("s", "a.txt")
    assert location_cache.get("s", "a.txt") is None
    # A reader that asked the ledger before the change.
    location_cache.remember("s", "a.txt", "b.txt")
    assert location_cache.get("s", "a.txt") is None
    assert cache.kept == [("add", 60), ("set", 120), ("add", 60)]
    # Not None: some caches cannot tell that from a value that is not there.
    assert cache.values == {f"queue:{sha256(b's|a.txt').hexdigest()}": ""}


def test_without_a_prefix_nothing_is_cached(cache: Cache, settings: Any) -> None:
    settings.QUEUED_STORAGE_CACHE_KEY = ""
    location_cache.remember("s", "a.txt", "b.txt")
    location_cache.forget("s", "a.txt")
    assert location_cache.get("s", "a.txt") is None
    assert cache.kept == []


@pytest.mark.parametrize(
    ("backend", "per_process", "is_used"),
    [("locmem.LocMemCache", False, False), ("dummy.DummyCache", False, True)],
)
def test_a_cache_of_each_process_is_used_where_there_is_one_process(
    cache: Cache, settings: Any, backend: str, per_process: bool, is_used: bool
) -> None:
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}
    assert location_cache.is_per_process() is not is_used
    settings.QUEUED_STORAGE_CACHE_PER_PROCESS = per_process
    location_cache.remember("s", "a.txt", "b.txt")
    assert bool(cache.kept) is is_used
    settings.QUEUED_STORAGE_CACHE_PER_PROCESS = True
    location_cache.forget("s", "a.txt")
    assert cache.kept[-1] == ("set", 120)


def test_a_cache_that_is_down_is_a_warning(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(*_args: Any) -> None:
        raise ConnectionError("down")

    for method in ("get", "add", "set"):
        monkeypatch.setattr(cache, method, fail)
    with caplog.at_level(logging.WARNING, logger="smart_storages.queued"):
        location_cache.remember("s", "a.txt", "b.txt")
        location_cache.forget("s", "a.txt")
        assert location_cache.get("s", "a.txt") is None
    assert [record.getMessage() for record in caplog.records] == ["the cache did not answer"] * 3
    assert all(record.exc_info for record in caplog.records)
