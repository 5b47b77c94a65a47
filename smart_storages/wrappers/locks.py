"""Locks on file names, so that a copy and a delete of one file do not run at the same time.

No storage can say "write this only while another storage still has it". So code that copies a file
from one storage to another, or deletes it from both, first acquires the lock of its name: a key of
Django's cache, which only one process can add. This works across all hosts that share the cache.

The lock is advisory; correctness does not rest on it. It expires when its process dies, a delete
waits for it only for a limited time, and a cache that is down or not shared gives none. A file can
then be seen for a moment when it should not be, until the copy, which checks its source again
after it has written, corrects that.
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
from smart_storages.wrappers.calls import Steps

__all__ = ["NameLock", "locked_steps"]

logger = logging.getLogger(__name__)

#: Seconds after which a lock expires, if its process died and did not release it.
_LEASE = 120
#: Seconds for which a delete waits for a copy.
_WAIT = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.2

#: The names whose locks the current call holds. Nested storages may lock the same name again.
_held: ContextVar[FrozenSet[str]] = ContextVar("smart_storages_held_names", default=frozenset())


class NameLock:
    """The lock of one name.

    Args:
        name: Name of a file.

    Example::

        lock = NameLock("reports/a.pdf")
        if lock.acquire():
            ...
            lock.release()
    """

    def __init__(self, name: Any) -> None:
        self.name = posixpath.normpath(str(name).replace("\\", "/"))
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).hexdigest()
        self._key = f"smart-storages:lock:{digest}"
        self._token = uuid.uuid4().hex
        self._has_warned = False

    def acquire(self) -> bool:
        """Return whether the lock is ours now; always ``True`` if there is no working cache."""
        alias = config.get_lock_cache_alias()
        if alias is None:
            return True
        try:
            return bool(caches[alias].add(self._key, self._token, _LEASE))
        except Exception as error:
            self._warn(alias, error)
            return True

    def release(self) -> None:
        """Release the lock, unless it has expired and another process holds it by now."""
        alias = config.get_lock_cache_alias()
        if alias is None:
            return
        try:
            if caches[alias].get(self._key) == self._token:
                caches[alias].delete(self._key)
        except Exception as error:
            self._warn(alias, error)

    def _warn(self, alias: str, error: Exception) -> None:
        if not self._has_warned:  # once for each lock, not again when it is released
            self._has_warned = True
            setting = config.LOCK_CACHE_SETTING
            message = "The cache %r, which %s names, does not work, so nothing is locked: %r"
            logger.warning(message, alias, setting, error)

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    async def apause(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await asyncio.sleep(seconds)


def _pauses() -> Iterator[float]:
    end, pause = time.monotonic() + _WAIT, _FIRST_PAUSE
    while time.monotonic() < end:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def locked_steps(name: Any, steps: Steps, *, wait: bool) -> Steps:
    """Run steps while holding the lock of a name.

    Args:
        name: Name of the file that the steps are about.
        steps: What to do, as described in :mod:`smart_storages.wrappers.calls`.
        wait: Whether to wait for the lock, and to continue without it after ten seconds. If
            ``False``, nothing is done while another process holds the lock.

    Returns:
        What the steps return; ``None`` if they were not run.
    """
    lock = NameLock(name)
    if lock.name in _held.get():
        return (yield from steps)
    is_ours = yield lock, "acquire", (), {}
    for pause in _pauses() if wait else ():
        if is_ours:
            break
        yield lock, "pause", (pause,), {}
        is_ours = yield lock, "acquire", (), {}
    if not is_ours:
        if not wait:
            steps.close()
            return None
        logger.warning(
            "%s has been locked by a copy for %g s; the delete no longer waits", lock.name, _WAIT
        )
    held = _held.set(_held.get() | {lock.name})
    try:
        answer = yield from steps
    except GeneratorExit:  # abandoned, so no further call can be made: the lock will expire
        raise
    except BaseException:
        _held.reset(held)
        yield lock, "release", (), {}
        raise
    _held.reset(held)
    yield lock, "release", (), {}
    return answer
