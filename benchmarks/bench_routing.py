"""What routing adds to a call, compared with a direct call and with a router written by hand.

The storage that is called does nothing, so that only the routing is measured. The contestants take
turns within each round, and the best round of each counts, so that other work on the machine slows
all of them or none.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from benchmarks import OURS
from benchmarks.turns import take_turns

TITLE = "What routing adds to a call"

ROUNDS = 60
QUICK_ROUNDS = 5
CALLS_PER_ROUND = 500
DIRECT = "direct call"
BY_HAND = "router by hand"

_NAME = "tenant_acme/2026/07/report-{:05d}.pdf"

Contest = Tuple[str, Dict[str, Callable[[str], Any]]]


def run(context: Any = None) -> List[Dict[str, Any]]:
    """Measure every contest.

    Args:
        context: The harness's context; its ``quick`` shortens this benchmark.

    Returns:
        A row for each contestant in each contest: nanoseconds per call, and how many more than
        the direct call takes.
    """
    rounds = QUICK_ROUNDS if getattr(context, "quick", False) else ROUNDS
    rows: List[Dict[str, Any]] = []
    for title, contestants in _make_contests():
        best = _measure(contestants, rounds)
        rows += [
            {
                "case": title,
                "who": name,
                "call_ns": round(seconds * 1e9),
                "added_ns": round((seconds - best[DIRECT]) * 1e9),
            }
            for name, seconds in best.items()
        ]
    return rows


def _make_contests() -> List[Contest]:
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

    nothing = _make_nothing()
    by_hand = _make_router_by_hand(nothing)
    aliases = dict.fromkeys(("a", "b", "c", "d", "tenant_acme"), nothing)

    def dispatcher(rule: Any, **options: Any) -> Any:
        return StorageDispatcher(rule, storages=aliases, **options)

    plain = dispatcher(_by_function)
    contests: List[Contest] = [
        _contest("exists(), by a function", nothing.exists, by_hand.exists, plain.exists),
        _contest("open(), by a function", nothing.open, by_hand.open, plain.open),
        _contest("url(), by a function", nothing.url, by_hand.url, plain.url),
    ]
    rules = {
        "by extension": dispatcher(ByExtension({"pdf": "a", "jpg": "b"})),
        "by prefix": dispatcher(ByPathPrefix({"tenant_acme": "a", "media": "b"})),
        "by tenant": dispatcher(ByTenant()),
        "by hash over 4 buckets": dispatcher(RendezvousHash(["a", "b", "c", "d"])),
        "first of two rules": dispatcher(
            FirstMatch(ByPathPrefix({"media": "b"}), ByExtension({"pdf": "a"}))
        ),
        "recorded alias": dispatcher(BySize(1, small="tenant_acme", large="a")),
        "recorded region": dispatcher(ByRegion({"eu": "tenant_acme", "us": "a"})),
        "recorded tenant": dispatcher(ByTenant(), record_alias=True),
        "recorded tenant, by table": dispatcher(
            ByTenant({"acme": "tenant_acme"}), record_alias=True
        ),
        "recorded, first of one rule": dispatcher(FirstMatch(ByTenant()), record_alias=True),
        "recorded type": dispatcher(ByContentType({"image/*": "a"}, default="tenant_acme")),
        "by type, not recorded": dispatcher(
            ByContentType({"image/*": "a"}, default="b"), record_alias=False
        ),
        "by type, a name from before": dispatcher(ByContentType({"image/*": "a"}, default="b")),
        "by region, not recorded": dispatcher(ByRegion({"eu": "a", "us": "b"}), record_alias=False),
        "ReadOnlyStorage": ReadOnlyStorage(nothing),
        "ScopedStorage": ScopedStorage(nothing, "scope"),
        "FallbackStorage, first has it": FallbackStorage([nothing, _make_nothing()]),
        "MirrorStorage": MirrorStorage(nothing, [_make_nothing()]),
    }
    contests += [
        _contest(f"exists(), {title}", nothing.exists, by_hand.exists, storage.exists)
        for title, storage in rules.items()
    ]
    contests += [
        _contest(f"url(), {title}", nothing.url, by_hand.url, rules[title].url)
        for title in ("recorded alias", "FallbackStorage, first has it", "MirrorStorage")
    ]
    return contests


def _contest(
    title: str,
    direct: Callable[[str], Any],
    by_hand: Callable[[str], Any],
    ours: Callable[[str], Any],
) -> Contest:
    return title, {DIRECT: direct, OURS: ours, BY_HAND: by_hand}


def _by_function(storages: Any, method: str, filename: str, params: Any) -> str:
    return "a"


def _make_nothing() -> Any:
    from django.core.files.storage import Storage

    class Nothing(Storage):
        """Does nothing and returns at once."""

        def exists(self, name: str) -> bool:
            return True

        def open(self, name: str, mode: str = "rb") -> Any:
            return None

        def url(self, name: Optional[str]) -> str:
            return ""

    return Nothing()


def _make_router_by_hand(storage: Any) -> Any:
    from django.core.files.storage import Storage

    class ByHand(Storage):
        """A hand-written router for three methods, without any checks."""

        def __init__(self) -> None:
            self.storages = {"a": storage}

        def _choose(self, name: Optional[str]) -> Any:
            return self.storages["a"]

        def exists(self, name: str) -> bool:
            return self._choose(name).exists(name)  # type: ignore[no-any-return]

        def open(self, name: str, mode: str = "rb") -> Any:
            return self._choose(name).open(name, mode)

        def url(self, name: Optional[str]) -> str:
            return self._choose(name).url(name)  # type: ignore[no-any-return]

    return ByHand()


def _measure(contestants: Dict[str, Callable[[str], Any]], rounds: int) -> Dict[str, float]:
    from smart_storages.tenancy import use_region, use_tenant

    names = [_NAME.format(number) for number in range(CALLS_PER_ROUND)]
    with use_tenant("acme"), use_region("eu"):
        return take_turns(contestants, names, rounds)
