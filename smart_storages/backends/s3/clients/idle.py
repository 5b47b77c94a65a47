"""Closes idle sockets that a burst of requests has left open.

urllib3 keeps as many connections open as were ever in use at once, up to the size of its pool.
These pools keep fewer, and close them after a while. No thread is needed for that: each request
that ends checks all pools.
"""

from __future__ import annotations

import os
import weakref
from time import monotonic
from typing import Any

from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool

from smart_storages.backends.s3.private_names import InterceptsReturns, pool_classes_of, session_of

__all__ = ["IDLE_SECONDS", "KEPT", "ClosesIdle", "close_idle_sockets_of"]

#: Idle connections kept for one host: as many as bulk operations and async methods have threads.
KEPT = 16

#: Seconds after which an idle connection is closed; many servers close it by then.
IDLE_SECONDS = 30.0

#: Seconds between two checks of all pools.
_BETWEEN_CHECKS = 1.0


# This module takes no locks: the garbage collector may put a connection back, and so call this
# code, at any moment. The atomic operations of lists and dicts are enough.
class _Register:
    """Every pool of this process."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every pool, in a forked child: the sockets belong to its parent."""
        self._pools: weakref.WeakValueDictionary[int, ClosesIdle] = weakref.WeakValueDictionary()
        self._checked_at = monotonic()

    def add(self, pool: ClosesIdle) -> None:
        self._pools[id(pool)] = pool

    def check(self, now: float) -> None:
        """Close what has been idle for too long, unless the last check was a moment ago."""
        if now - self._checked_at < _BETWEEN_CHECKS:
            return
        self._checked_at = now
        for reference in self._pools.valuerefs():
            pool = reference()
            if pool is not None:
                pool.close_idle(now)


_register = _Register()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_register.reset)


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
        _register.check(now)

    def close_idle(self, now: float) -> None:
        """Close idle connections: those above the number kept, and those idle for too long.

        Args:
            now: The time of the monotonic clock, in seconds.
        """
        kept = getattr(self.pool, "queue", None)
        if kept is None:  # the pool is closed
            return
        # The connection put back last is used next; urllib3 keeps None at the other end.
        idle = [each for each in list(kept) if each is not None]
        closed = idle[:-KEPT]
        closed += [each for each in idle[-KEPT:] if now - each.idle_since > IDLE_SECONDS]
        for each in closed:
            try:
                kept.remove(each)
            except ValueError:  # a request has just taken it
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
        # Updated in place: the pool managers, a proxy's too, refer to this dict.
        classes.update({"http": _ClientPool, "https": _SecureClientPool})
