"""The lease of a running attempt: renewed while it runs, and checked before every change."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Any, Callable, Optional, Tuple, Type

from smart_storages.config import get_queue_settings
from smart_storages.queued import ledger

__all__ = ["Lease", "LeaseLostError"]

logger = logging.getLogger("smart_storages.queued")


class LeaseLostError(Exception):
    """The attempt no longer has the lease, and must not change anything."""


class Lease:
    """Holds the lease on a row while the ``with`` block runs.

    A thread renews it, the first time after a third of its duration, so that a short transfer
    opens no second database connection.

    Args:
        row: The row as it was claimed.
        renew: Extends the lease in the database; ``False`` if another attempt has taken it. By
            default, :func:`ledger.renew`.
    """

    def __init__(self, row: Any, renew: Optional[Callable[[Any], bool]] = None) -> None:
        self._row = row
        self._renew = renew or ledger.renew
        self._seconds = get_queue_settings().lease
        self._stop = threading.Event()
        self._thread: Optional[threading.Thread] = None
        #: Whether anything was sent to the remote; it may arrive even after an error.
        self.sent = False
        self._extend(*self._clocks())

    @staticmethod
    def _clocks() -> Tuple[float, float]:
        # A suspended machine stops the first clock; a correction of the time moves the second.
        return time.monotonic(), time.time()

    def _extend(self, monotonic: float, wall: float) -> None:
        self._until = (monotonic + self._seconds, wall + self._seconds)

    def check(self) -> None:
        """Raise :class:`LeaseLostError` if the lease has expired or was lost."""
        monotonic, wall = self._clocks()
        if monotonic >= self._until[0] or wall >= self._until[1]:
            raise LeaseLostError(self._row.name)

    def __enter__(self) -> Lease:
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self) -> None:
        connected = False
        while not self._stop.wait(self._seconds / 3):
            connected = True
            started = self._clocks()
            try:
                alive = self._renew(self._row)
            except Exception:  # the database may be back before the lease expires
                logger.warning("could not renew the lease on %s", self._row.name, exc_info=True)
                continue
            if not alive:
                self._until = (0.0, 0.0)
                break
            self._extend(*started)
        if connected:
            ledger.connection().close()
