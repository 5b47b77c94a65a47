"""Ranges of one object fetched by several threads at once."""

from __future__ import annotations

import threading
from traceback import clear_frames
from typing import Callable, Deque, List, Tuple

from smart_storages.common import on_loop, recording

__all__ = ["RangeThreads"]


class RangeThreads:
    """Threads that fetch ranges from the end of a deque until it is empty.

    Args:
        read_range: Fills a view with the bytes of the object from a position on.
        parts: Start and end of each range within ``view``; the caller takes from its start.
        view: The buffer to fill.
        start: Position in the object at which ``view`` begins.
    """

    def __init__(
        self,
        read_range: Callable[[memoryview, int], None],
        parts: Deque[Tuple[int, int]],
        view: memoryview,
        start: int,
    ) -> None:
        self._read_range = read_range
        self._parts = parts
        self._view = view
        self._start = start
        self._threads: List[threading.Thread] = []
        self.errors: List[BaseException] = []

    def run(self, count: int) -> None:
        """Start ``count`` threads."""
        on_loop.require_thread()
        for _ in range(count):
            work = recording.carry(self._work)
            thread = threading.Thread(target=work, name="smart-storages-range", daemon=True)
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        """Wait until the threads end; their errors are in ``errors``."""
        for thread in self._threads:
            thread.join()
        self._view = memoryview(b"")

    def _work(self) -> None:
        while not self.errors:
            try:
                first, last = self._parts.pop()
            except IndexError:
                return
            try:
                self._read_range(self._view[first:last], self._start + first)
            except BaseException as error:
                clear_frames(error.__traceback__)
                self.errors.append(error)
