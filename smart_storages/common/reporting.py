"""Who is told of an operation that has ended: the receivers of the signal, and the log."""

from __future__ import annotations

import atexit
import threading
from logging import DEBUG, WARNING, getLogger
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Callable, Optional

from smart_storages.common.documentation import plain_text
from smart_storages.signals import storage_operation

if TYPE_CHECKING:
    from smart_storages.common.recording import Record

__all__ = ["FIELDS", "Place", "ended", "flush", "logger", "report", "start_thread"]

#: The logger of the operations: one line each at DEBUG, and at WARNING for a slow one.
logger = getLogger("smart_storages.operations")

#: What the signal and the log say about an operation.
FIELDS = (
    "module",
    "bucket",
    "operation",
    "name",
    "bytes",
    "requests",
    "retries",
    "seconds",
    "error",
)

_LINE = "%s module=%r bucket=%r name=%r bytes=%d requests=%d retries=%d seconds=%.6f error=%s"


class Place:
    """Whose operation it is.

    Args:
        sender: The class of the storage.
        module: Name of the module.
        bucket: Name of the bucket, ``None`` if the storage has none.
        slow_seconds: From how many seconds on the operation is slow, ``None`` for never.
    """

    __slots__ = ("bucket", "module", "sender", "slow_seconds")

    def __init__(
        self,
        sender: Any,
        module: str,
        bucket: Optional[str],
        slow_seconds: Optional[float] = None,
    ) -> None:
        self.sender = sender
        self.module = module
        self.bucket = bucket
        self.slow_seconds = slow_seconds


def report(record: Record, error: Optional[BaseException]) -> None:
    """Tell the receivers of the signal, and the log.

    Args:
        record: An operation that has ended.
        error: What it raised.
    """
    if storage_operation.receivers:
        try:
            _send(record, error)
        except Exception:  # an async receiver, which cannot be waited for on an event loop
            logger.exception("The receivers of storage_operation could not be told.")
    limit = record.place.slow_seconds
    is_slow = limit is not None and record.seconds >= limit
    level = WARNING if is_slow else DEBUG
    if logger.isEnabledFor(level):
        _log(record, error, level, f"slow: {_LINE}" if is_slow else _LINE)


def _send(record: Record, error: Optional[BaseException]) -> None:
    answers = storage_operation.send_robust(
        sender=record.place.sender,
        module=record.place.module,
        bucket=record.place.bucket,
        operation=record.operation,
        name=record.name,
        bytes=record.bytes,
        requests=record.requests,
        retries=record.retries,
        seconds=record.seconds,
        error=error,
    )
    for receiver, answer in answers:
        if isinstance(answer, Exception):
            logger.error("A receiver of storage_operation failed: %r", receiver, exc_info=answer)


def _log(record: Record, error: Optional[BaseException], level: int, line: str) -> None:
    # Written as Python writes it: a name with a line break must not make a line of its own.
    said = None if error is None else f"{type(error).__name__}: {plain_text(error)}"
    place = record.place
    counted = (record.bytes, record.requests, record.retries)
    values = (place.module, place.bucket, record.operation, record.name, *counted)
    logger.log(
        level,
        line,
        record.operation,
        place.module,
        place.bucket,
        record.name,
        *counted,
        record.seconds,
        None if said is None else repr(said),
        # With a prefix: a LogRecord has a name and a module of its own.
        extra={
            f"storage_{field}": value
            for field, value in zip(FIELDS, (*values, round(record.seconds, 6), said))
        },
    )


# Operations that ended in a finalizer

#: What is to be called for each of them, by a thread.
ended: SimpleQueue[Callable[[], Any]] = SimpleQueue()
_thread: Optional[threading.Thread] = None


def start_thread() -> None:
    """Start the thread that empties :data:`ended`, if it does not run."""
    global _thread  # noqa: PLW0603
    # After a fork, the child finds the thread of its parent ended.
    if _thread is None or not _thread.is_alive():
        _thread = threading.Thread(target=_empty, name="smart-storages-ended", daemon=True)
        _thread.start()


def _empty() -> None:
    while True:
        _finish(ended.get())


def _finish(finish: Callable[[], Any]) -> None:
    try:
        finish()
    except Exception:
        logger.exception("An operation could not be reported.")


def flush(timeout: float = 1.0) -> None:
    """Wait until the operations of files that were collected, not closed, are reported.

    Args:
        timeout: Most seconds to wait.
    """
    if _thread is not None and _thread.is_alive():
        mark = threading.Event()
        ended.put(mark.set)
        mark.wait(timeout)


@atexit.register
def _report_rest() -> None:
    try:
        while True:
            _finish(ended.get_nowait())
    except Empty:
        pass
