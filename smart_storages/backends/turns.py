"""Writers of this process take turns where a storage would mix them up."""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Lock, RLock
from typing import Any, ContextManager, Iterator, Tuple
from weakref import WeakKeyDictionary, WeakValueDictionary

__all__ = ["turn_at_key", "turn_at_storage"]


class _KeyLock:
    def __init__(self) -> None:
        self.lock = Lock()


_of_keys: WeakValueDictionary[Tuple[int, str], _KeyLock] = WeakValueDictionary()
_of_storages: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
# A list, so that a forked child can have another one.
_guard = [Lock()]


@contextmanager
def turn_at_key(storage: Any, key: str) -> Iterator[None]:
    """A block that one thread at a time is in, for each key of a storage."""
    with _guard[0]:
        held = _of_keys.get((id(storage), key))
        if held is None:
            held = _of_keys[id(storage), key] = _KeyLock()
    with held.lock:
        yield


def turn_at_storage(storage: Any) -> ContextManager[Any]:
    """A block that one thread at a time is in, for each storage; it may enter it again."""
    with _guard[0]:
        lock: ContextManager[Any] = _of_storages.setdefault(storage, RLock())
    return lock


def _renew() -> None:
    # A thread of the parent may hold one, and does not live in the child.
    _guard[0] = Lock()
    _of_keys.clear()
    _of_storages.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
