"""Arguments of the wrong type are refused by name: of the class, and of the argument."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils.functional import SimpleLazyObject

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.resolvers import (
    ByContentType,
    ByExtension,
    ByPathPrefix,
    ByRegion,
    BySize,
    ByTenant,
    FirstMatch,
    RendezvousHash,
)
from smart_storages.tenancy import use_region
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: BySize("5MB", "a", "b"), "BySize: limit must be a number of bytes.*'5MB'"),
        (lambda: BySize(True, "a", "b"), "limit must be a number"),
        (lambda: BySize(5, 3, "b"), "small must be an alias, not 3"),
        (lambda: BySize(5, "a", None), "large must be an alias, not None"),
        (lambda: FallbackStorage(["a"], timeout="2"), "FallbackStorage: timeout.* seconds.*'2'"),
        (lambda: FallbackStorage(["a"], timeout=-2), "timeout must be a number"),
        (lambda: FallbackStorage(["a"], retry_after="60"), "retry_after must be.*'60'"),
        (lambda: FallbackStorage(["a"], copy_on_read="no"), "copy_on_read must be True or False"),
        (lambda: FallbackStorage(["a"], signals="no"), "signals must be True or False, not 'no'"),
        (lambda: MirrorStorage("a", ["b"], retry_after="60"), "MirrorStorage: retry_after must"),
        (lambda: MirrorStorage("a", ["b"], background="no"), "MirrorStorage: background must"),
        (lambda: StorageDispatcher("a.b", record_alias="no"), "StorageDispatcher: record_alias"),
        (lambda: ByExtension(["pdf"]), "ByExtension: table must be a dict of aliases"),
        (lambda: ByPathPrefix("a/"), "ByPathPrefix: table must be"),
        (lambda: ByContentType(None), "ByContentType: table must be"),
        (lambda: ByRegion("eu"), "ByRegion: table must be"),
        (lambda: ByRegion({}, strict="no"), "ByRegion: strict must be"),
        (lambda: ByTenant(5), "ByTenant: alias must be"),
        (lambda: ByTenant(strict="no"), "ByTenant: strict must be"),
        (FirstMatch, "FirstMatch has no rules"),
        (lambda: FallbackStorage("media"), "FallbackStorage: backends must be a list.*'media'"),
        (lambda: FallbackStorage(5), "FallbackStorage: backends must be a list.*not 5"),
        (lambda: FallbackStorage(READ_ONLY), "backends must be a list.*not a ReadOnlyStorage"),
        (lambda: FallbackStorage([]), "backends must be a list.*not an empty one"),
        (lambda: FallbackStorage(["a", "b"], write_to=True), "write_to must be labels.*not True"),
        (lambda: FallbackStorage(["a", "b"], write_to=[True]), "write_to must be.*not True"),
        (lambda: FallbackStorage(["a", "b"], delete_from=False), "delete_from must be.*not False"),
        (lambda: FallbackStorage(["a", "b"], write_to=2.5), "write_to must be labels.*not 2.5"),
        (lambda: FallbackStorage(["a", "b"], write_to=[]), "write_to names no backend"),
        (lambda: StorageDispatcher("a.b", storages=["media"]), "storages must be a dict of"),
        (lambda: StorageDispatcher("a.b", storages="media"), "storages must be a dict.*'media'"),
        (lambda: StorageDispatcher("a.b", storages={}), "storages must be.*not an empty one"),
        (lambda: ScopedStorage("a", None), "ScopedStorage: prefix must be a directory, not None"),
        (lambda: ScopedStorage("a", 5), "prefix must be a directory, not 5"),
        (lambda: ByRegion({"eu": "a"}, region=5), "ByRegion: region must be a function.*not 5"),
        (lambda: ByRegion({5: "a"}), "ByRegion: each key of table must be a string, not 5"),
        (lambda: ByTenant({5: "a"}), "ByTenant: each key of alias must be a string, not 5"),
        (lambda: ByExtension({5: "a"}), "ByExtension: each key of table must be a string, not 5"),
        (lambda: RendezvousHash([1, 2]), "RendezvousHash: each bucket must be an alias, not 1"),
        (lambda: use_region(5).__enter__(), "use_region takes the name of a region, not 5"),
    ],
)
def test_a_wrong_type_is_named_with_its_class_and_argument(make, expected):
    with pytest.raises(ConfigurationError, match=expected):
        make()


def test_a_subclass_is_named_as_itself():
    class Ours(FallbackStorage):
        pass

    with pytest.raises(ConfigurationError, match="Ours: signals"):
        Ours(["a"], signals=1)


def test_what_is_right_is_taken():
    FallbackStorage(["a"], timeout=None, retry_after=0, copy_on_read=True, signals=False)
    FallbackStorage(["a"], timeout=0.5)
    FallbackStorage(("a", "b"), write_to=1, delete_from=[])
    FallbackStorage({"near": "a", "far": "b"}, write_to={"near"}, delete_from=("near", 1))
    ScopedStorage("a", Path("tenants") / "acme")
    MirrorStorage("a", ["b"], background=True, retry_after=5)
    assert BySize(5e6, "a", "b").limit == 5_000_000


READ_ONLY = ReadOnlyStorage("a")


@pytest.mark.parametrize(
    "make",
    [
        lambda: MirrorStorage("old", ["old"]),
        lambda: MirrorStorage("old", ["new", "new"]),
        lambda: MirrorStorage(READ_ONLY, [READ_ONLY]),
        lambda: FallbackStorage(["disk", "disk"]),
        lambda: FallbackStorage({"near": "disk", "far": "disk"}),
        lambda: FallbackStorage([READ_ONLY, "disk", READ_ONLY]),
    ],
)
def test_the_same_storage_twice_is_refused(make):
    with pytest.raises(ConfigurationError, match="twice"):
        make()


def test_storages_that_only_look_alike_are_taken():
    memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    MirrorStorage(memory, [dict(memory)])
    MirrorStorage(ReadOnlyStorage, [ReadOnlyStorage])
    MirrorStorage(READ_ONLY, [ReadOnlyStorage("a")])


def test_looking_for_doubles_builds_no_lazy_storage():
    lazy = SimpleLazyObject(lambda: pytest.fail("it was built"))
    MirrorStorage("old", [lazy])
    FallbackStorage([lazy, "old"])
