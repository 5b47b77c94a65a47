"""Jobs that run after a call has returned, in threads of this process."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from threading import Lock, RLock
from typing import Any, Callable, Dict, Optional, Set

from django.db import connections

__all__ = ["Worker"]


class Worker:
    """Runs jobs in threads; if its queue is full, the caller's thread runs the job.

    A job that must be the only one for a name takes the lock of that name itself.

    Args:
        name: Prefix of the threads' names.

    Example::

        worker = Worker("copies")
        worker.submit(lambda: copy("a.txt"))
        worker.flush(timeout=10)
    """

    threads = 4
    most_waiting = 1000

    def __init__(self, name: str) -> None:
        self._name = name
        self._guard = Lock()
        self._locks: Dict[str, Any] = {}
        self._waiting: Set[Future[Any]] = set()
        self._pool: Optional[ThreadPoolExecutor] = None
        self._pid = 0

    def lock(self, name: str) -> Any:
        # A fixed number of locks: two names may share one, which only costs time.
        with self._guard:
            return self._locks.setdefault(str(hash(name) % 64), RLock())

    def submit(self, job: Callable[[], Any]) -> None:
        context = copy_context()

        def work() -> None:
            try:
                context.run(job)
            finally:
                connections.close_all()

        with self._guard:
            if self._pool is None or self._pid != os.getpid():  # threads do not survive a fork
                self._pool = ThreadPoolExecutor(self.threads, self._name)
                self._pid = os.getpid()
                self._waiting = set()
            is_full = len(self._waiting) >= self.most_waiting
            if not is_full:
                future = self._pool.submit(work)
                self._waiting.add(future)
        if is_full:
            job()  # slows the writer down, so that memory does not grow
        else:
            future.add_done_callback(self._done)

    def _done(self, future: Future[Any]) -> None:
        with self._guard:
            self._waiting.discard(future)

    def flush(self, timeout: Optional[float]) -> bool:
        with self._guard:
            waiting = set(self._waiting)
        return not wait(waiting, timeout).not_done
