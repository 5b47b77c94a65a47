"""What Django's cache may remember: that a file is in the remote, and what it is called there.

The cache is off unless ``QUEUED_STORAGE_CACHE_KEY`` is set. It holds nothing that the ledger
does not, and may be flushed, lost or shared at any time.

A save or delete puts a mark in the place of the answer, and readers only ever add an answer
where there is nothing: a reader that asked the ledger just before cannot bring the old answer
back. Two things leave an old answer for as long as an answer lives, one minute: a process that dies
between its commit and the mark; and a cache that loses the mark (it is flushed, or evicts) while
such a reader is between the two.

A cache that each process has for itself gets no mark from the others: it is not used, unless
``QUEUED_STORAGE_CACHE_PER_PROCESS`` says that there is only one.
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
    """Whether the cache is one that other processes neither see nor mark."""
    return isinstance(_try(caches.__getitem__, DEFAULT_CACHE_ALIAS), LocMemCache)


def get(storage: str, name: str) -> Optional[str]:
    """Return what a file is called in the remote, ``None`` to ask the ledger."""
    key = _cache_key(storage, name)
    return (_try(cache.get, key) or None) if key else None


def remember(storage: str, name: str, remote_name: str) -> None:
    """Remember that the remote holds a file."""
    key = _cache_key(storage, name)
    if key:
        _try(cache.add, key, remote_name, _ANSWER_SECONDS)


def forget(storage: str, name: str) -> None:
    """Put the mark: something is happening to the file, ask the ledger."""
    key = _cache_key(storage, name)
    if key:
        _try(cache.set, key, _MARK, _MARK_SECONDS)


def _try(operation: Callable[..., Any], *args: Any) -> Any:
    try:
        return operation(*args)
    except Exception:  # a cache that is down slows us, no more
        logger.warning("the cache did not answer", exc_info=True)
        return None
