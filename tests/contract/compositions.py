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
    BySize,
    FirstMatch,
    RendezvousHash,
)
from smart_storages.wrappers import ScopedStorage

Make = Callable[[], Any]


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
    "first_match": _dispatcher(FirstMatch(ByPathPrefix({"other": "b"}), ByExtension({"txt": "a"}))),
    "fallback": lambda make: FallbackStorage([make(), make()]),
    "fallback_copying": lambda make: FallbackStorage([make(), make()], copy_on_read=True),
    "fallback_timed": lambda make: FallbackStorage([make(), make()], timeout=60),
    "mirror": lambda make: MirrorStorage(make(), [make()]),
    "mirror_background": lambda make: MirrorStorage(make(), [make()], background=True),
    "scoped": lambda make: ScopedStorage(make(), "scope/of this"),
}

RECORDING = {"by_prefix_recorded", "by_size", "by_type"}

#: Each in each, outer first. What records its alias puts it in front of the scope: a scope goes
#: below a dispatcher, and test_mirror has a test that the other way round is refused.
PAIRS: List[Tuple[str, str]] = [
    (outer, inner)
    for outer, inner in itertools.product(COMPOSITIONS, COMPOSITIONS)
    if outer != "scoped" or inner not in RECORDING
]

#: Over a slow storage, nesting each in each would test the network.
FEW = ["by_hash", "by_size", "fallback_copying", "mirror", "scoped"]
FEW_PAIRS = [
    ("by_hash", "mirror"),
    ("by_size", "fallback_copying"),
    ("fallback_copying", "scoped"),
    ("mirror", "by_size"),
    ("scoped", "by_hash"),
]
