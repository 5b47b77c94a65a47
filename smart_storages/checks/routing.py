"""System checks of composed storages: dispatcher, fallback, mirror and wrappers.

They examine every alias of ``STORAGES`` and every file field that has a composed storage, and
follow their references. Storages of other packages are never built. ``docs/checks.md`` has the
numbers.
"""

from __future__ import annotations

import inspect
from collections import deque
from difflib import get_close_matches
from typing import (
    Any,
    Deque,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.storage import DefaultStorage
from django.utils.functional import LazyObject
from django.utils.module_loading import import_string

from smart_storages import config
from smart_storages.composed.forwarding import ForwardingStorage
from smart_storages.composed.references import describe
from smart_storages.composed.resolving import ResolvingStorage
from smart_storages.exceptions import ConfigurationError
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.resolvers import ByTenant, FirstMatch
from smart_storages.resolvers.base import FALLBACK
from smart_storages.utils import read_aliases, ready_made_class, storages
from smart_storages.wrappers import ScopedStorage

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
    "twice": ("W005", "Name each place once: a copy beside itself protects from nothing."),
}

#: Storages that share nothing, though their options are equal.
_OF_THEIR_OWN = "InMemoryStorage"


class _Edge(NamedTuple):
    """A reference of a storage; ``certain`` if calls are known to take it."""

    label: str
    reference: Any
    certain: bool = True


class _Node(NamedTuple):
    """A storage of ours, and what it refers to."""

    label: str
    where: str
    storage: Any = None
    edges: Tuple[_Edge, ...] = ()


class _OptionsError(Exception):
    """A storage of ours cannot be made with these options."""


def check_routing(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check the dispatchers, fallbacks, mirrors and wrappers of ``STORAGES`` and of the models."""
    house = _visit()
    house.tell_circles()
    return house.messages


def find_named_modules() -> Iterator[Tuple[str, str]]:
    """Yield each module of a ready-made class that a composed storage refers to, and where."""
    for (kind, name), node in _visit().nodes.items():
        if kind == "text" and ready_made_class(name) is not None and not _is_alias(name):
            yield node.where, name


def _visit() -> _House:
    house = _House()
    try:
        config.get_buckets()
        read_aliases()
    except ConfigurationError:
        return house  # told of by check_buckets and check_aliases
    for alias in storages.backends:
        house.enter(f"STORAGES[{alias!r}]", str(alias), alias)
    house.entered_aliases()
    for label, storage in _iter_field_storages():
        house.enter(label, label, storage)
    return house


def _iter_field_storages() -> Iterator[Tuple[str, Any]]:
    for model in apps.get_models():
        for field in model._meta.get_fields():
            storage: Any = getattr(field, "storage", None)
            if _is_composed(type(storage)):  # asks no lazy object to build itself
                yield f"{model._meta.label}.{field.name}", storage


class _House:
    """The composed storages that were found, each examined once, and the messages about them."""

    def __init__(self) -> None:
        self.messages: List[checks.CheckMessage] = []
        self.nodes: Dict[Any, _Node] = {}
        self._told: Set[Tuple[str, str]] = set()
        self._told_of_aliases: FrozenSet[Tuple[str, str]] = frozenset()

    def entered_aliases(self) -> None:
        # A field may have the storage of an alias, of which all is told.
        self._told_of_aliases = frozenset(self._told)

    def enter(self, where: str, label: str, reference: Any) -> None:
        key = _key_of(reference)
        if key in self.nodes or issubclass(type(reference), LazyObject):
            return
        self.nodes[key] = _Node(label, where)
        try:
            storage = _build(reference)
        except _OptionsError as error:
            self._tell(where, "bad-option", str(error))
            return
        if storage is None:
            return
        try:
            edges = tuple(_find_edges(storage))
        except Exception as error:
            is_resolver = isinstance(storage, ResolvingStorage)
            self._tell(where, "bad-resolver" if is_resolver else "bad-option", _text_of(error))
            return
        self.nodes[key] = _Node(label, where, storage, edges)
        if isinstance(storage, ResolvingStorage):
            for text in _find_unknown_aliases(storage):
                self._tell(where, "unknown-alias", text)
        elif isinstance(storage, (FallbackStorage, MirrorStorage)):
            for text in _find_twins(edges):
                self._tell(where, "twice", f"{type(storage).__name__} {text}")
        self._follow(where, storage, edges)

    def _follow(self, where: str, storage: Any, edges: Iterable[_Edge]) -> None:
        for edge in edges:
            problem = _find_reference_problem(edge.reference)
            if problem:
                text = f"{type(storage).__name__} refers to {edge.label!r}, which {problem}"
                self._tell(where, "unknown-storage", text)
            elif not _is_alias(edge.reference):
                self.enter(where, edge.label, edge.reference)

    def tell_circles(self) -> None:
        told: Set[FrozenSet[Any]] = set()
        for start in self.nodes:
            circle = self._find_circle(start)
            if circle and frozenset(circle) not in told:
                told.add(frozenset(circle))
                nodes = [self.nodes[key] for key in circle]
                labels = " -> ".join(node.label for node in [*nodes, nodes[0]])
                self._tell(nodes[0].where, "circle", f"these storages lead in a circle: {labels}")

    def _find_circle(self, start: Any) -> Optional[List[Any]]:
        """Return the shortest path of references from a storage back to itself."""
        ways: Deque[List[Any]] = deque([[start]])
        passed: Set[Any] = set()
        while ways:
            way = ways.popleft()
            for edge in self.nodes[way[-1]].edges:
                key = _key_of(edge.reference)
                if not edge.certain or key not in self.nodes:
                    continue
                if key == start and self._is_sure(way):
                    return way
                if key not in passed:
                    passed.add(key)
                    ways.append([*way, key])
        return None

    def _is_sure(self, circle: List[Any]) -> bool:
        # With a second dispatcher, or another name for the file, a call may leave the circle.
        made = [self.nodes[key].storage for key in circle]
        choosing = sum(isinstance(each, ResolvingStorage) for each in made)
        renaming = any(isinstance(each, ScopedStorage) for each in made)
        return choosing <= (0 if renaming else 1)

    def _tell(self, where: str, code: str, text: str) -> None:
        if (code, text) in self._told_of_aliases:
            return
        self._told.add((code, text))
        self.messages.append(_message(code, f"{where}: {text.rstrip('.')}."))


# From a reference to a storage of ours


def _is_composed(cls: Any) -> bool:
    # The queue has checks of its own, and a queued storage enters a registry when it is made.
    is_ours = isinstance(cls, type) and issubclass(cls, ForwardingStorage)
    return is_ours and not getattr(cls, "enters_registry", False)


def _is_text(reference: Any) -> bool:
    return issubclass(type(reference), str)  # an isinstance() would build Django's default_storage


def _is_alias(reference: Any) -> bool:
    return _is_text(reference) and reference in storages.backends


def _is_module(name: str) -> bool:
    return name in config.get_buckets() or ready_made_class(name) is not None


def _key_of(reference: Any) -> Any:
    if type(reference) is DefaultStorage:
        return "text", "default"
    return ("text", str(reference)) if _is_text(reference) else ("object", id(reference))


def _build(reference: Any) -> Optional[ForwardingStorage]:
    if _is_alias(reference):
        reference = storages.backends[reference]
        if not isinstance(reference, Mapping):
            return None  # told of by check_aliases
    elif _is_text(reference):
        if _is_module(reference) or "." not in reference:
            return None
        try:
            reference = import_string(reference)
        except Exception:
            return None
    if issubclass(type(reference), Mapping):
        return _build_backend(reference)
    if isinstance(reference, type):
        return _build_backend({"BACKEND": reference})
    return reference if _is_composed(type(reference)) else None


def _build_backend(params: Mapping[str, Any]) -> Optional[ForwardingStorage]:
    backend = params.get("BACKEND")
    try:
        backend = import_string(backend) if isinstance(backend, str) else backend
    except Exception:
        return None  # told of elsewhere: by Django, by E001, or as an unknown storage
    if backend is None or not _is_composed(backend):
        return None
    options = params.get("OPTIONS") or {}
    if not isinstance(options, Mapping):
        raise _OptionsError(f"OPTIONS must be a dict, not {type(options).__name__}")
    _refuse_unknown(backend, options)
    try:
        made: ForwardingStorage = backend(**options)
    except Exception as error:
        raise _OptionsError(_text_of(error)) from error
    return made


def _refuse_unknown(backend: Any, options: Mapping[str, Any]) -> None:
    parameters = list(inspect.signature(backend.__init__).parameters.values())[1:]
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    names = [each.name for each in parameters]
    for unknown in sorted(map(str, {*options} - {*names})):
        meant = get_close_matches(unknown, names, 1)
        what = f"did you mean {meant[0]!r}" if meant else f"it has {', '.join(names)}"
        raise _OptionsError(f"{backend.__name__} has no option {unknown!r}; {what}?".rstrip("?"))


def _text_of(error: Exception) -> str:
    # Somebody else's error may hold anything, also a value that is secret.
    known = (ImproperlyConfigured, SuspiciousOperation, TypeError, ImportError)
    return str(error) if isinstance(error, known) else f"it raises {type(error).__name__}"


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
        place = _place_of(edge.reference)
        twin = next((label for label, other in seen if place is not None and place == other), None)
        if twin is not None:
            same = "" if twin == edge.label else f" under the names {twin!r} and {edge.label!r}"
            yield f"has the storage {edge.label!r} twice{same}"
        seen.append((edge.label, place))


def _place_of(reference: Any) -> Any:
    """Return what is equal for two references to one place, ``None`` if that cannot be told."""
    if _is_alias(reference):
        reference = storages.backends[reference]
    elif _is_text(reference):
        return reference
    if not issubclass(type(reference), Mapping):
        return None
    backend = reference.get("BACKEND")
    if str(getattr(backend, "__name__", backend)).endswith(_OF_THEIR_OWN):
        return None
    return backend, reference.get("OPTIONS") or {}


def _find_reference_problem(reference: Any) -> Optional[str]:
    if issubclass(type(reference), LazyObject) or _is_alias(reference):
        return None
    if _is_text(reference):
        return _find_name_problem(reference)
    if isinstance(reference, Mapping):
        if "BACKEND" not in reference:
            return "is a dict without BACKEND"
        backend = reference["BACKEND"]
        return _find_import_problem(backend) if isinstance(backend, str) else None
    is_storage = callable(reference) or all(hasattr(reference, x) for x in ("open", "save", "url"))
    return None if is_storage else f"is no storage, but {type(reference).__name__}"


def _find_name_problem(name: str) -> Optional[str]:
    if _is_module(name) or (name and config.find_key(name) is not None):
        return None
    if "." in name:
        return _find_import_problem(name)
    known = [*storages.backends, *config.get_buckets()]
    return f"does not exist; there are {', '.join(known)}"


def _find_import_problem(path: str) -> Optional[str]:
    try:
        import_string(path)
    except Exception as error:
        return f"cannot be imported: {_text_of(error)}"
    return None


def _message(code: str, text: str) -> checks.CheckMessage:
    number, hint = _IDS[code]
    kind = checks.Warning if number.startswith("W") else checks.Error
    return kind(text, hint=hint, id=f"{_PREFIX}.{number}")
