"""Closes the sockets that a burst of requests has left open.

urllib3 keeps every connection that was ever needed at the same time, up to the size of its pool.
A pool of ours keeps fewer, and none for long. There is no thread for that: whichever request ends
next looks after all pools.
"""

from __future__ import annotations

import os
import weakref
from time import monotonic
from typing import Any

from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool

from smart_storages.s3.private_names import InterceptsReturns, pool_classes_of, session_of

__all__ = ["IDLE_SECONDS", "KEPT", "ClosesIdle", "close_idle_sockets_of"]

#: Idle connections kept for one host. What runs side by side in one process, bulk operations and
#: the async twins, has as many threads.
KEPT = 16

#: Seconds after which an idle connection is closed; many servers close it by then.
IDLE_SECONDS = 30.0

#: Seconds between two looks at the pools of all hosts.
_BETWEEN_LOOKS = 1.0


# No lock is held anywhere in here: the garbage collector may put a connection back, and come here,
# in the middle of anything. What lists and dicts do in one step is enough.
class _Register:
    """Every pool of this process."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """Forget every pool: in a forked child, whose parent's sockets are not its own."""
        self._pools: weakref.WeakValueDictionary[int, ClosesIdle] = weakref.WeakValueDictionary()
        self._looked_at = monotonic()

    def add(self, pool: ClosesIdle) -> None:
        self._pools[id(pool)] = pool

    def look(self, now: float) -> None:
        """Close what has been idle for too long, unless somebody looked a moment ago."""
        if now - self._looked_at < _BETWEEN_LOOKS:
            return
        self._looked_at = now
        for reference in self._pools.valuerefs():
            pool = reference()
            if pool is not None:
                pool.close_idle(now)


_register = _Register()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_register.start_anew)


class ClosesIdle(InterceptsReturns):
    """For a pool of urllib3 to inherit from, in front of urllib3's own class."""

    pool: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        _register.add(self)

    def connection_returns(self, put: Any, connection: Any) -> None:
        now = monotonic()
        if connection is not None:
            connection.idle_since = now
        put(connection)
        self.close_idle(now)
        _register.look(now)

    def close_idle(self, now: float) -> None:
        """Close connections that nobody uses: the ones too many, and those idle for too long.

        Args:
            now: Seconds of the monotonic clock.
        """
        kept = getattr(self.pool, "queue", None)
        if kept is None:  # the pool is closed
            return
        # The one put back last is taken first; urllib3 fills up with None from the other end.
        idle = [each for each in list(kept) if each is not None]
        closed = idle[:-KEPT]
        closed += [each for each in idle[-KEPT:] if now - each.idle_since > IDLE_SECONDS]
        for each in closed:
            try:
                kept.remove(each)
            except ValueError:  # somebody has taken it to use it
                continue
            kept.insert(0, None)
            each.close()


class _ClientPool(ClosesIdle, AWSHTTPConnectionPool):
    pass


class _SecureClientPool(ClosesIdle, AWSHTTPSConnectionPool):
    pass


def close_idle_sockets_of(client: Any) -> None:
    """Have a client of botocore, which has sent nothing yet, close its idle sockets as well."""
    classes = pool_classes_of(session_of(client))
    if classes == {"http": AWSHTTPConnectionPool, "https": AWSHTTPSConnectionPool}:
        # In place: the managers, that of a proxy too, hold this very dict.
        classes.update({"http": _ClientPool, "https": _SecureClientPool})
