"""Looks inside the local and remote of a queued storage, and refuses what cannot work there."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Iterator, List, Mapping

from django.core.files.storage import DefaultStorage
from django.utils.module_loading import import_string

from smart_storages.exceptions import CircularStorageError, ConfigurationError
from smart_storages.resolvers import FirstMatch
from smart_storages.storages.lookup import storages
from smart_storages.wrappers.forwarding import ForwardingStorage
from smart_storages.wrappers.references import describe
from smart_storages.wrappers.resolving import ResolvingStorage

__all__ = [
    "ContextDependentError",
    "contains",
    "is_forwarding",
    "parts_of",
    "refuse_context_dependence",
]


class ContextDependentError(ConfigurationError):
    """The local or the remote of a queued storage depends on the current tenant or region."""


def refuse_context_dependence(storage: Any) -> None:
    """Refuse a local or a remote that depends on the context, such as the tenant or region.

    The ledger has one row for a name in every context, and a worker runs without any.

    Raises:
        ContextDependentError: Names the storage, the resolver and the fix.
    """
    for which in ("local", "remote"):
        resolver = _find_context_resolver(getattr(storage, f"_{which}"), [storage])
        if resolver is not None:
            raise ContextDependentError(
                f"The {which} of the queued storage {storage.key!r} depends on the context of the "
                f"call ({describe(resolver)}), but its ledger has only one file for each name. Put "
                "the queue behind the dispatcher: make each alias that it chooses a QueuedStorage."
            )


def _find_context_resolver(reference: Any, seen: List[Any]) -> Any:
    if not is_forwarding(reference.reference):
        return None
    try:
        place = reference.storage
    except ConfigurationError:  # raised again where that storage is used
        return None
    if any(place is each for each in seen):
        return None
    seen.append(place)
    resolver = None
    with suppress(ConfigurationError):
        resolver = _resolver_of(place)
    if getattr(resolver, "by_context", False):
        return resolver
    found = (_find_context_resolver(part, seen) for part in parts_of(place))
    return next((each for each in found if each is not None), None)


def _resolver_of(place: Any) -> Any:
    if not isinstance(place, ResolvingStorage):
        return None
    return place._resolver or place._get_resolver()


def parts_of(place: Any) -> Iterator[Any]:
    """Yield the references of a composed storage, including those a dispatcher may choose."""
    yield from _own_parts_of(place)
    if isinstance(place, ResolvingStorage):
        known = place.storages
        aliases = set(known.own_references)
        if not aliases:
            with suppress(ConfigurationError):
                aliases = {each for each in _aliases_of(_resolver_of(place)) if each in known}
        yield from (_KnownReference(known, alias) for alias in sorted(aliases))


def _own_parts_of(place: Any) -> List[Any]:
    if not isinstance(place, ForwardingStorage):
        return []
    # A fallback creates its references when its backends are first used.
    with suppress(ConfigurationError):
        getattr(place, "_backends", None)
    return list(place._references)


def _aliases_of(resolver: Any) -> Iterator[str]:
    if isinstance(resolver, FirstMatch):
        for each in resolver.resolvers:
            yield from _aliases_of(each)
    yield from getattr(resolver, "aliases", None) or ()


class _KnownReference:
    """A storage that a dispatcher can choose, in the form of a reference."""

    def __init__(self, known: Any, alias: str) -> None:
        self._known = known
        self._alias = alias
        self.reference = known.own_references.get(alias, alias)

    @property
    def storage(self) -> Any:
        return self._known[self._alias]


def contains(place: Any, storage: Any) -> bool:
    """Whether ``place`` is ``storage``, or is composed of storages that contain it."""
    return _contains(place, storage, [])


def _contains(place: Any, storage: Any, seen: List[Any]) -> bool:
    if place is storage:
        return True
    if any(place is each for each in seen):
        return False
    seen.append(place)
    for reference in _own_parts_of(place):
        if not is_forwarding(reference.reference):
            continue
        try:
            further = reference.storage
        except CircularStorageError:
            return True
        except ConfigurationError:  # raised again where that storage is used
            continue
        if _contains(further, storage, seen):
            return True
    return False


def is_forwarding(reference: Any) -> bool:
    """Whether a reference is to a composed storage of this package.

    The backends of other packages are not built to find out, because that might do I/O.
    """
    if type(reference) is DefaultStorage:  # any attribute access would build it
        reference = "default"
    if isinstance(reference, str):
        reference = storages.backends.get(reference, reference)
    if isinstance(reference, Mapping):
        reference = reference.get("BACKEND")
    if isinstance(reference, str):
        try:
            reference = import_string(reference)
        except Exception:  # Django raises a clear error when the alias is used
            return False
    cls = reference if isinstance(reference, type) else type(reference)
    return issubclass(cls, ForwardingStorage)
