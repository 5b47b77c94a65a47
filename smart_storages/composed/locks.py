"""Copies and deletes of one file kept apart, on every host that shares a cache.

No storage can say "write this only while another storage still has it". So whoever copies a file
from one storage to another, or deletes it from both, first takes the lock of its name: one key of
Django's cache, added by whoever is first. A lock is a courtesy, not what correctness rests on: it
runs out when its process dies, a delete waits for it only so long, and a cache that is down or not
shared gives none. What is then seen for a moment is put right by the copy, which looks at its
source again after it has written.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import posixpath
import time
import uuid
from contextvars import ContextVar
from typing import Any, FrozenSet, Iterator

from django.core.cache import caches

from smart_storages import config
from smart_storages.composed.calls import Steps

__all__ = ["NameLock", "locked_steps"]

logger = logging.getLogger(__name__)

#: Seconds after which the lock of a process that died is free again.
_LEASE = 120
#: Seconds for which a delete waits for a copy.
_WAIT = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.2

#: The names whose locks the current call holds: storages made of storages lock one name twice.
_held: ContextVar[FrozenSet[str]] = ContextVar("smart_storages_held_names", default=frozenset())


class NameLock:
    """The lock of one name.

    Args:
        name: Name of a file.

    Example::

        lock = NameLock("reports/a.pdf")
        if lock.take():
            ...
            lock.give_back()
    """

    def __init__(self, name: Any) -> None:
        self.name = posixpath.normpath(str(name).replace("\\", "/"))
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).hexdigest()
        self._key = f"smart-storages:lock:{digest}"
        self._token = uuid.uuid4().hex
        self._has_warned = False

    def take(self) -> bool:
        """Return whether the lock is ours now; it is if there is no cache that could tell."""
        alias = config.get_lock_cache_alias()
        if alias is None:
            return True
        try:
            return bool(caches[alias].add(self._key, self._token, _LEASE))
        except Exception as error:
            self._warn(alias, error)
            return True

    def give_back(self) -> None:
        """Free the lock, unless it ran out and is another's by now."""
        alias = config.get_lock_cache_alias()
        if alias is None:
            return
        try:
            if caches[alias].get(self._key) == self._token:
                caches[alias].delete(self._key)
        except Exception as error:
            self._warn(alias, error)

    def _warn(self, alias: str, error: Exception) -> None:
        if not self._has_warned:  # once for each call, not again when the lock is given back
            self._has_warned = True
            setting = config.LOCK_CACHE_SETTING
            message = "The cache %r, which %s names, does not work, so that nothing is locked: %r"
            logger.warning(message, alias, setting, error)

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    async def apause(self, seconds: float) -> None:
        """Wait, and let others work."""
        await asyncio.sleep(seconds)


def _pauses() -> Iterator[float]:
    end, pause = time.monotonic() + _WAIT, _FIRST_PAUSE
    while time.monotonic() < end:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def locked_steps(name: Any, steps: Steps, *, wait: bool) -> Steps:
    """Carry out steps while the lock of a name is held.

    Args:
        name: Name of the file that they are about.
        steps: What to do.
        wait: Whether to wait for the lock, and to go on without it after ten seconds. Otherwise
            nothing is done if it is taken.

    Returns:
        What the steps return; ``None`` if they were not carried out.
    """
    lock = NameLock(name)
    if lock.name in _held.get():
        return (yield from steps)
    is_ours = yield lock, "take", (), {}
    for pause in _pauses() if wait else ():
        if is_ours:
            break
        yield lock, "pause", (pause,), {}
        is_ours = yield lock, "take", (), {}
    if not is_ours:
        if not wait:
            steps.close()
            return None
        logger.warning("%s is being copied for long; the delete does not wait for it", lock.name)
    held = _held.set(_held.get() | {lock.name})
    try:
        answer = yield from steps
    except GeneratorExit:  # nobody goes on with us: the lock runs out
        raise
    except BaseException:
        _held.reset(held)
        yield lock, "give_back", (), {}
        raise
    _held.reset(held)
    yield lock, "give_back", (), {}
    return answer
