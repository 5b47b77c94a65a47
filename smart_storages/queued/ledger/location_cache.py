"""An optional cache of which files are in the remote, and under which name.

It uses Django's cache, and is off unless ``QUEUED_STORAGE_CACHE_KEY`` is set. It holds nothing that
the ledger does not, and may be flushed or lost at any time.

A save or delete replaces a cached name by a mark. Readers only add a name where the cache has
nothing, so a reader that asked the ledger just before cannot bring the old name back. An outdated
name can still stay for one minute, its time to live, in two cases: a process dies between its
commit and writing the mark; or the cache loses the mark (flushed or evicted) while such a reader is
between asking the ledger and adding the name.

If each process has its own cache, it gets no marks from the others. Such a cache is not used,
unless ``QUEUED_STORAGE_CACHE_PER_PROCESS`` says that there is only one process.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any, Callable, Optional

from django.core.cache import DEFAULT_CACHE_ALIAS, cache, caches
from django.core.cache.backends.locmem import LocMemCache

from smart_storages.config import get_queue_settings

__all__ = ["forget", "get", "is_per_process", "remember"]

logger = logging.getLogger("smart_storages.queued")

_ANSWER_SECONDS = 60
_MARK_SECONDS = 120
_MARK = ""


def _cache_key(storage: str, name: str) -> str:
    settings = get_queue_settings()
    prefix = settings.cache_key
    if not prefix or (is_per_process() and not settings.cache_per_process):
        return ""
    return f"{prefix}:{hashlib.sha256(f'{storage}|{name}'.encode()).hexdigest()}"


def is_per_process() -> bool:
    """Whether each process has its own cache, which the others cannot write to."""
    return isinstance(_try(caches.__getitem__, DEFAULT_CACHE_ALIAS), LocMemCache)


def get(storage: str, name: str) -> Optional[str]:
    """Return the name of a file in the remote, ``None`` if the ledger must be asked."""
    key = _cache_key(storage, name)
    return (_try(cache.get, key) or None) if key else None


def remember(storage: str, name: str, remote_name: str) -> None:
    """Cache that the remote holds a file, and its name there."""
    key = _cache_key(storage, name)
    if key:
        _try(cache.add, key, remote_name, _ANSWER_SECONDS)


def forget(storage: str, name: str) -> None:
    """Write the mark, because the file is about to change: readers then ask the ledger."""
    key = _cache_key(storage, name)
    if key:
        _try(cache.set, key, _MARK, _MARK_SECONDS)


def _try(operation: Callable[..., Any], *args: Any) -> Any:
    try:
        return operation(*args)
    except Exception:  # if the cache is down, the ledger is asked
        logger.warning("the cache did not answer", exc_info=True)
        return None
