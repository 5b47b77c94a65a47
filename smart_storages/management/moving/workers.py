"""Many jobs at once, in threads; how far everything before a job is done; and how to stop."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any, Callable, Dict, Generic, Iterable, Iterator, NamedTuple, Optional, TypeVar

__all__ = ["Outcome", "StoppedError", "Workers"]

_Job = TypeVar("_Job")

#: How many jobs may be finished beyond the first that is not: their names are kept in memory.
_WINDOW = 20_000


class StoppedError(Exception):
    """The work was stopped; what was being written is not published."""


class Outcome(NamedTuple):
    """What became of a job; either the result or the error is ``None``."""

    job: Any
    result: Any
    error: Optional[Exception]


class Workers(Generic[_Job]):
    """Calls a function with each job, several at a time, and yields the outcomes as they come.

    Leaving the loop, by an exception or ``Ctrl-C`` as well, waits for the jobs that are running;
    those that call :meth:`check` end early.

    Args:
        work: What to call with each job.
        jobs: The jobs; read by the threads, one at a time, only when one is free.
        threads: How many there are.

    Example:
        >>> sorted(each.result for each in Workers(len, ["a", "bb"], threads=2))
        [1, 2]
    """

    def __init__(self, work: Callable[[_Job], Any], jobs: Iterable[_Job], *, threads: int) -> None:
        self._work = work
        self._jobs = iter(jobs)
        self._count = threads
        self._stopped = threading.Event()
        self._outcomes: SimpleQueue[Any] = SimpleQueue()
        self._taking = threading.Lock()
        self._room = threading.Condition()
        self._taken = 0
        self._first_open = 0
        self._finished: Dict[int, Optional[_Job]] = {}
        self._has_failed = False
        #: The last job before which, itself included, every job succeeded; ``None`` for none.
        self.reached: Optional[_Job] = None

    def check(self) -> None:
        """Raise :class:`StoppedError` once the work was stopped; for long jobs to call."""
        if self._stopped.is_set():
            raise StoppedError

    def __iter__(self) -> Iterator[Outcome]:
        threads = [
            threading.Thread(target=self._run, name="smart-storages-copy", daemon=True)
            for _ in range(self._count)
        ]
        for thread in threads:
            thread.start()
        running = len(threads)
        failure: Optional[BaseException] = None
        try:
            while running:
                number, job, result, error = self._outcomes.get()
                if number is None:
                    running -= 1
                    failure = failure or error
                    continue
                self._finish(number, job if error is None else None)
                yield Outcome(job, result, error)
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()
        if failure is not None:
            raise failure

    def _run(self) -> None:
        while True:
            try:
                taken = self._take()
            except BaseException as error:
                self._outcomes.put((None, None, None, error))
                return
            if taken is None:
                self._outcomes.put((None, None, None, None))
                return
            number, job = taken
            try:
                result = self._work(job)
            except StoppedError:
                continue
            except Exception as error:
                self._outcomes.put((number, job, None, error))
            else:
                self._outcomes.put((number, job, result, None))

    def _take(self) -> Any:
        with self._taking:
            if self._stopped.is_set():
                return None
            with self._room:
                while self._taken - self._first_open > _WINDOW and not self._stopped.is_set():
                    self._room.wait(0.5)
            for job in self._jobs:
                self._taken += 1
                return self._taken - 1, job
            return None

    def _finish(self, number: int, job: Optional[_Job]) -> None:
        self._finished[number] = job
        before = self._first_open
        while self._first_open in self._finished:
            done = self._finished.pop(self._first_open)
            self._has_failed = self._has_failed or done is None
            if not self._has_failed:
                self.reached = done
            self._first_open += 1
        if self._first_open > before and self._taken - before > _WINDOW:
            with self._room:
                self._room.notify()
