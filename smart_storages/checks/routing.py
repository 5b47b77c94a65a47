"""System checks of composed storages: dispatcher, fallback, mirror and wrappers.

They examine every alias of ``STORAGES`` and every file field that has a composed storage, and
follow their references. Storages of other packages are never built. ``docs/checks.md`` has the
numbers.
"""

from __future__ import annotations

from collections import deque
from typing import (
    Any,
    Deque,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from django.core import checks
from django.utils.functional import LazyObject

from smart_storages import config
from smart_storages.checks.in_use import iter_fields
from smart_storages.checks.references import (
    OptionsError,
    build,
    find_reference_problem,
    is_alias,
    is_composed,
    key_of,
    place_of,
    text_of,
)
from smart_storages.exceptions import ConfigurationError
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.resolvers import ByTenant, FirstMatch
from smart_storages.resolvers.base import FALLBACK
from smart_storages.storages.lookup import read_aliases, ready_made_class, storages
from smart_storages.wrappers import ScopedStorage
from smart_storages.wrappers.references import describe
from smart_storages.wrappers.resolving import ResolvingStorage

__all__ = ["check_routing"]

_PREFIX = "smart_storages"

#: The number of each problem, and what to do about it; docs/checks.md has a paragraph for each.
_IDS = {
    "bad-option": ("E013", "Correct the options."),
    "bad-resolver": (
        "E014",
        "Give a StorageResolver, a callable of (storages, method, filename, params), or its path.",
    ),
    "unknown-alias": (
        "E015",
        "Add it to STORAGES or SMART_STORAGE_BUCKETS, or make the resolver give another.",
    ),
    "unknown-storage": (
        "E016",
        "Give an alias of STORAGES, a module of SMART_STORAGE_BUCKETS, or any other reference.",
    ),
    "circle": ("E017", "Give one of these storages another one to use."),
    "twice": ("W005", "Name each place once: a second copy in the same place protects nothing."),
}


class _Edge(NamedTuple):
    """A reference of a storage; ``certain`` if it is known that calls follow it."""

    label: str
    reference: Any
    certain: bool = True


class _Node(NamedTuple):
    """A storage of ours, and what it refers to."""

    label: str
    where: str
    storage: Any = None
    edges: Tuple[_Edge, ...] = ()


def check_routing(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check the dispatchers, fallbacks, mirrors and wrappers of ``STORAGES`` and of the models."""
    found = _find_composed()
    found.report_circles()
    return found.messages


def find_named_modules() -> Iterator[Tuple[str, str]]:
    """Yield each module of a ready-made class that a composed storage refers to, and where."""
    for (kind, name), node in _find_composed().nodes.items():
        if kind == "text" and ready_made_class(name) is not None and not is_alias(name):
            yield node.where, name


def _find_composed() -> _ComposedStorages:
    found = _ComposedStorages()
    try:
        config.get_buckets()
        read_aliases()
    except ConfigurationError:
        return found  # reported by check_buckets and check_aliases
    for alias in storages.backends:
        found.enter(f"STORAGES[{alias!r}]", str(alias), alias)
    found.end_of_aliases()
    for label, storage in iter_fields():
        if is_composed(type(storage)):
            found.enter(label, label, storage)
    return found


class _ComposedStorages:
    """The composed storages that were found, each examined once, and the messages about them."""

    def __init__(self) -> None:
        self.messages: List[checks.CheckMessage] = []
        self.nodes: Dict[Any, _Node] = {}
        self._reported: Set[Tuple[str, str]] = set()
        self._reported_for_aliases: FrozenSet[Tuple[str, str]] = frozenset()

    def end_of_aliases(self) -> None:
        # A field may have the storage of an alias, whose problems are already reported.
        self._reported_for_aliases = frozenset(self._reported)

    def enter(self, where: str, label: str, reference: Any) -> None:
        key = key_of(reference)
        if key in self.nodes or issubclass(type(reference), LazyObject):
            return
        self.nodes[key] = _Node(label, where)
        try:
            storage = build(reference)
        except OptionsError as error:
            self._report(where, "bad-option", str(error))
            return
        if storage is None:
            return
        try:
            edges = tuple(_find_edges(storage))
        except Exception as error:
            is_resolver = isinstance(storage, ResolvingStorage)
            self._report(where, "bad-resolver" if is_resolver else "bad-option", text_of(error))
            return
        self.nodes[key] = _Node(label, where, storage, edges)
        if isinstance(storage, ResolvingStorage):
            for text in _find_unknown_aliases(storage):
                self._report(where, "unknown-alias", text)
        elif isinstance(storage, (FallbackStorage, MirrorStorage)):
            for text in _find_twins(edges):
                self._report(where, "twice", f"{type(storage).__name__} {text}")
        self._follow(where, storage, edges)

    def _follow(self, where: str, storage: Any, edges: Iterable[_Edge]) -> None:
        for edge in edges:
            problem = find_reference_problem(edge.reference)
            if problem:
                text = f"{type(storage).__name__} refers to {edge.label!r}, which {problem}"
                self._report(where, "unknown-storage", text)
            elif not is_alias(edge.reference):
                self.enter(where, edge.label, edge.reference)

    def report_circles(self) -> None:
        known: Set[FrozenSet[Any]] = set()
        for start in self.nodes:
            circle = self._find_circle(start)
            if circle and frozenset(circle) not in known:
                known.add(frozenset(circle))
                nodes = [self.nodes[key] for key in circle]
                labels = " -> ".join(node.label for node in [*nodes, nodes[0]])
                self._report(
                    nodes[0].where,
                    "circle",
                    f"these storages refer to each other in a circle: {labels}",
                )

    def _find_circle(self, start: Any) -> Optional[List[Any]]:
        """Return the shortest path of references from a storage back to itself."""
        paths: Deque[List[Any]] = deque([[start]])
        passed: Set[Any] = set()
        while paths:
            path = paths.popleft()
            for edge in self.nodes[path[-1]].edges:
                key = key_of(edge.reference)
                if not edge.certain or key not in self.nodes:
                    continue
                if key == start and self._is_certain(path):
                    return path
                if key not in passed:
                    passed.add(key)
                    paths.append([*path, key])
        return None

    def _is_certain(self, circle: List[Any]) -> bool:
        # With a second dispatcher, or another name for the file, a call may leave the circle.
        made = [self.nodes[key].storage for key in circle]
        choosing = sum(isinstance(each, ResolvingStorage) for each in made)
        renaming = any(isinstance(each, ScopedStorage) for each in made)
        return choosing <= (0 if renaming else 1)

    def _report(self, where: str, code: str, text: str) -> None:
        if (code, text) in self._reported_for_aliases:
            return
        self._reported.add((code, text))
        self.messages.append(_message(code, f"{where}: {text.rstrip('.')}."))


# What a storage refers to


def _find_edges(storage: Any) -> Iterator[_Edge]:
    if isinstance(storage, ResolvingStorage):
        resolver = storage._resolver or storage._get_resolver()
        aliases = _aliases_of(resolver)
        own = storage.storages.own_references
        for alias in sorted(own or aliases):
            if own:
                yield _Edge(alias, own[alias], alias in aliases)
            elif alias in storages.backends:
                yield _Edge(alias, alias)
        return
    if isinstance(storage, FallbackStorage):
        yield from (_Edge(each.label, each.reference.reference) for each in storage._backends)
        return
    yield from (_Edge(each.label, each.reference) for each in storage._references)


def _aliases_of(resolver: Any) -> Set[str]:
    if isinstance(resolver, FirstMatch):
        return {alias for each in resolver.resolvers for alias in _aliases_of(each)}
    if isinstance(resolver, ByTenant):
        return {*(resolver.table or {}).values()}
    return {*(getattr(resolver, "aliases", None) or ())}


def _find_unknown_aliases(storage: ResolvingStorage) -> Iterator[str]:
    known = storage.storages
    takes_fallback = storage._unknown_alias == FALLBACK
    if takes_fallback and FALLBACK not in known:
        yield "unknown_alias is 'fallback', but there is no storage of that alias"
    if takes_fallback:
        return
    # Without a fallback, a file for which there is no rule is refused: that may be wanted.
    for alias in sorted(_aliases_of(storage._resolver) - {FALLBACK}):
        if alias not in known:
            yield (
                f"the resolver {describe(storage._resolver)} gives the alias {alias!r}, which does "
                f"not exist; there are {', '.join(known) or 'none'}"
            )


def _find_twins(edges: Tuple[_Edge, ...]) -> Iterator[str]:
    seen: List[Tuple[str, Any]] = []
    for edge in edges:
        place = place_of(edge.reference)
        twin = next((label for label, other in seen if place is not None and place == other), None)
        if twin is not None:
            same = "" if twin == edge.label else f" under the names {twin!r} and {edge.label!r}"
            yield f"has the storage {edge.label!r} twice{same}"
        seen.append((edge.label, place))


def _message(code: str, text: str) -> checks.CheckMessage:
    number, hint = _IDS[code]
    kind = checks.Warning if number.startswith("W") else checks.Error
    return kind(text, hint=hint, id=f"{_PREFIX}.{number}")
