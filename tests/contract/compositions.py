"""Every composed storage as a function of how to make the storages below it."""

from __future__ import annotations

import itertools
from typing import Any, Callable, Dict, List, Tuple

from smart_storages.dispatcher import StorageDispatcher
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
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage
from smart_storages.wrappers.storage_api import is_changing
from tests.conftest import THOROUGH

Make = Callable[[], Any]


class ReadThrough(ReadOnlyStorage):
    """The reading half of a ReadOnlyStorage; changes, which the contract needs, go past it."""

    def _pick(self, method: str, name: Any, params: Dict[str, Any]) -> Tuple[Any, Any]:
        if is_changing(method, tuple(params.values())):
            return self._inner.storage, name
        return super()._pick(method, name, params)


def _dispatcher(resolver: Any, **options: Any) -> Callable[[Make], Any]:
    def compose(make: Make) -> Any:
        storages = {"a": make(), "b": make(), "fallback": make()}
        return StorageDispatcher(resolver, storages=storages, **options)

    return compose


COMPOSITIONS: Dict[str, Callable[[Make], Any]] = {
    "by_extension": _dispatcher(ByExtension({"txt": "a", "bin": "b"})),
    "by_prefix_recorded": _dispatcher(ByPathPrefix({"docs": "a"}), record_alias=True),
    "by_size": _dispatcher(BySize(limit=4, small="a", large="b")),
    "by_type": _dispatcher(ByContentType({"text/*": "a"}, default="b")),
    "by_hash": _dispatcher(RendezvousHash(["a", "b"])),
    # The contract runs as acme, in the region eu.
    "by_tenant": _dispatcher(ByTenant({"acme": "a", "globex": "b"})),
    "by_region": _dispatcher(ByRegion({"eu": "a", "us": "b"})),
    "first_match": _dispatcher(FirstMatch(ByPathPrefix({"other": "b"}), ByExtension({"txt": "a"}))),
    "fallback": lambda make: FallbackStorage([make(), make()]),
    "fallback_copying": lambda make: FallbackStorage([make(), make()], copy_on_read=True),
    "fallback_timed": lambda make: FallbackStorage([make(), make()], timeout=60),
    "mirror": lambda make: MirrorStorage(make(), [make()]),
    "mirror_background": lambda make: MirrorStorage(make(), [make()], background=True),
    "read_only": lambda make: ReadThrough(make()),
    "scoped": lambda make: ScopedStorage(make(), "scope/of this"),
}

RECORDING = {"by_prefix_recorded", "by_region", "by_size", "by_type"}

#: Each in each, outer first. What records its alias puts it in front of the scope: a scope goes
#: below a dispatcher, and test_mirror has a test that the other way round is refused.
PAIRS: List[Tuple[str, str]] = [
    (outer, inner)
    for outer, inner in itertools.product(COMPOSITIONS, COMPOSITIONS)
    if outer != "scoped" or inner not in RECORDING
]

#: One of each kind. Over a bucket these are nested in each other, over a disk all are.
FEW = ["by_hash", "by_size", "fallback_copying", "mirror", "scoped"]
FEW_PAIRS = [pair for pair in PAIRS if {*pair} <= {*FEW}]


def some_of(pairs: List[Tuple[str, str]]) -> List[Tuple[str, str]]:
    """All pairs where the run is thorough, else a quarter: each composition is in both places."""
    some = pairs if THOROUGH else pairs[::4]
    for place in (0, 1):
        assert {pair[place] for pair in some} == {pair[place] for pair in pairs}
    return some
