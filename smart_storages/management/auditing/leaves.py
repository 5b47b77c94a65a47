"""From a name in a row to the objects that may hold its file."""

from __future__ import annotations

from typing import Any, Iterator, List, NamedTuple, Optional, Tuple

from smart_storages.common.names import check_name
from smart_storages.exceptions import RoutingRefusedError, SmartStorageError
from smart_storages.management.moving.ends import unwrapped
from smart_storages.queued.composed_parts import parts_of
from smart_storages.storages import SmartS3Storage
from smart_storages.wrappers.forwarding import ChoosingStorage, ForwardingStorage
from smart_storages.wrappers.resolving import ResolvingStorage

__all__ = ["Leaf", "find_leaves", "iter_buckets"]

_MOST_LAYERS = 20


class Leaf(NamedTuple):
    """One object that may hold a file.

    Args:
        storage: The storage with the bucket; ``None`` for a storage without one, such as a disk.
        key: Key of the object.
    """

    storage: Optional[SmartS3Storage]
    key: str


def find_leaves(storage: Any, name: str) -> List[Leaf]:
    """Return every place in which a storage may keep the file of a name.

    A dispatcher has one, which its resolver or a recorded alias names; a fallback, a mirror or a
    queue has several.

    Args:
        storage: The storage of a field.
        name: The name in a row.

    Raises:
        SmartStorageError: no storage could be found for it.
        SuspiciousOperation: the name is not valid.
    """
    return list(_iter_leaves(storage, name, 0))


def _iter_leaves(storage: Any, name: str, depth: int) -> Iterator[Leaf]:
    storage = unwrapped(storage)
    if depth > _MOST_LAYERS:
        raise SmartStorageError(f"{storage!r} leads back to itself.")
    if isinstance(storage, SmartS3Storage):
        yield Leaf(storage, storage.get_key(name))
    elif isinstance(storage, ResolvingStorage):
        for further, inner in _choices_of(storage, name):
            yield from _iter_leaves(further, inner, depth + 1)
    elif isinstance(storage, ChoosingStorage):
        inner_storage, inner = storage._pick("open", name, {"mode": "rb"})
        yield from _iter_leaves(inner_storage, inner, depth + 1)
    elif isinstance(storage, ForwardingStorage):
        for part in parts_of(storage):
            yield from _iter_leaves(part.storage, name, depth + 1)
    else:
        yield Leaf(None, name)


def _choices_of(storage: ResolvingStorage, name: str) -> Iterator[Tuple[Any, str]]:
    storage._resolver or storage._get_resolver()
    recorded = _recorded(storage, name) if storage._records else None
    if recorded is not None:
        yield recorded
        return
    if storage._by_name:
        yield storage._choose("open", name, {"mode": "rb"}).storage, name
        return
    # Chosen by the content, the tenant or the like, and not recorded: it may be anywhere.
    parts = [part.storage for part in parts_of(storage)]
    if not parts:
        parts = [storage._choose("open", name, {"mode": "rb"}).storage]
    for part in parts:
        yield part, name


def _recorded(storage: ResolvingStorage, name: str) -> Optional[Tuple[Any, str]]:
    alias, _, rest = name.partition("/")
    try:
        found = storage._read_alias("open", name)
    except RoutingRefusedError:
        # It is of a tenant or a region, none of which is current here: the operator asks for all.
        check_name(rest)
        return (storage.storages[alias], rest) if alias in storage.storages else None
    return None if found is None else (found[0].storage, found[1])


def iter_buckets(storage: Any, passed: Tuple[Any, ...] = ()) -> Iterator[SmartS3Storage]:
    """Yield the storages with a bucket that a storage may use, as far as the settings tell."""
    storage = unwrapped(storage)
    if isinstance(storage, SmartS3Storage):
        yield storage
    elif not any(each is storage for each in passed):
        for part in parts_of(storage):
            try:
                further = part.storage
            except SmartStorageError:  # told of by the system checks
                continue
            yield from iter_buckets(further, (*passed, storage))
