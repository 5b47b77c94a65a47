"""What each operation of a storage did: its requests, retries, bytes and time, and who is told.

A :class:`Record` is made when an operation begins, by :mod:`smart_storages.storages.operations`.
While the operation runs, it is the current record of its thread or task. The engine counts to the
current record, and knows no more about it: the functions :func:`count_request`,
:func:`count_retry` and :func:`count_bytes` do nothing where there is none.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from time import perf_counter
from typing import Any, Callable, Iterator, List, Mapping, Optional, TypeVar

from smart_storages.common import reporting
from smart_storages.common.reporting import Place, logger

__all__ = [
    "NOBODY",
    "Observer",
    "Record",
    "carry",
    "count_bytes",
    "count_request",
    "count_retry",
    "current",
    "observed",
    "observers",
    "unsent",
    "within",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Observer:
    """Follows operations while they run; a subclass overrides what it needs.

    The signal comes at the end, when it is too late to be the parent of anything.
    """

    def begin(self, record: Record) -> None:
        """An operation begins."""

    def enter(self, record: Record) -> Optional[Callable[[], None]]:
        """This thread works for the operation from now on, until the result is called."""

    def end(self, record: Record, error: Optional[BaseException]) -> None:
        """An operation has ended."""

    def hide(self) -> Optional[Callable[[], None]]:
        """What botocore does from now on is no request, until the result is called."""

    def send(
        self, method: str, bucket: str, params: Mapping[str, Any]
    ) -> Optional[Callable[[Any, Optional[BaseException]], None]]:
        """A call of S3 is made past botocore; the result is called with its answer, or its error.

        Args:
            method: AWS's name of the call, ``"PutObject"``.
            bucket: Name of the bucket.
            params: Its other parameters by boto3's names.
        """


#: Who follows operations while they run.
observers: List[Observer] = []


class Record:
    """One operation of a storage.

    Args:
        place: Whose operation it is.
        operation: Name of the storage's method.
        name: Name of the file, ``None`` for an operation on many.
        parent: The operation within which this one began. If this one ends first, it is a part of
            that one, and not reported.
        is_lasting: Whether it goes on after its call has returned, as an open file does.
    """

    __slots__ = (
        "_context",
        "_lock",
        "_parent",
        "bytes",
        "error",
        "is_done",
        "name",
        "operation",
        "place",
        "requests",
        "retries",
        "seconds",
        "spans",
    )

    def __init__(
        self,
        place: Place,
        operation: str,
        name: Optional[str],
        *,
        parent: Optional[Record] = None,
        is_lasting: bool = False,
    ) -> None:
        self.place = place
        self.operation = operation
        self.name = name
        self.bytes = self.requests = self.retries = 0
        self.seconds = 0.0
        self.error: Optional[BaseException] = None
        self.is_done = False
        #: What an observer keeps about it.
        self.spans: Any = None
        self._lock = threading.Lock()
        self._parent = parent
        self._context: Optional[Context] = None
        if is_lasting:
            self._context = copy_context()
            reporting.start_thread()
        for observer in observers:
            _call(observer.begin, self)

    def active(self) -> _Active:
        """Return a block in which this is the current record; its time is counted."""
        return _Active(self)

    def add(self, *, requests: int = 0, retries: int = 0, size: int = 0) -> None:
        with self._lock:
            self.requests += requests
            self.retries += retries
            self.bytes += size

    def spend(self, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds

    def fail(self, error: BaseException) -> None:
        """Keep the first error, until the operation ends."""
        if self.error is None:
            self.error = error

    def finish(self, error: Optional[BaseException] = None) -> None:
        """End the operation and tell everybody; a second call does nothing."""
        with self._lock:
            if self.is_done:
                return
            self.is_done = True
        parent, self._parent = self._parent, None
        # A kept error would keep the frames of its traceback, and so this record, alive.
        error, self.error = self.error if error is None else error, None
        self._context = None
        if parent is not None and parent._absorb(self):
            for observer in observers:
                _call(observer.end, self, error)
            return
        _report(self, error)

    def finish_later(self) -> None:
        """End the operation from a finalizer: a thread tells everybody.

        The garbage collector runs at any moment, even while this thread holds a lock that a
        receiver needs.
        """
        if not self.is_done:
            reporting.ended.put(self._finish_in_context)

    def drop(self) -> None:
        """End the operation and tell nobody: it is made again, in a thread."""
        self.is_done = True
        for observer in observers:
            _call(observer.end, self, None)

    def _absorb(self, child: Record) -> bool:
        with self._lock:
            if not self.is_done:
                self.requests += child.requests
                self.retries += child.retries
                self.bytes += child.bytes
            return not self.is_done

    def _finish_in_context(self) -> None:
        context = self._context
        if context is not None:  # else it was closed meanwhile
            context.run(self.finish)


class _Active:
    __slots__ = ("_leave", "_record", "_start", "_token")

    def __init__(self, record: Record) -> None:
        self._record = record

    def __enter__(self) -> Record:
        self._token = _current.set(self._record)
        self._leave = [_call(observer.enter, self._record) for observer in observers]
        self._start = perf_counter()
        return self._record

    def __exit__(self, *error: Any) -> None:
        took = perf_counter() - self._start
        for leave in reversed(self._leave):
            if leave is not None:
                _call(leave)
        # Within itself, its time is counted already.
        if self._token.old_value is not self._record:
            self._record.spend(took)
        _current.reset(self._token)


_current: ContextVar[Optional[Record]] = ContextVar("smart_storages_operation", default=None)


def current() -> Optional[Record]:
    """Return the record of the operation that this thread or task works for."""
    record = _current.get()
    # A thread or task that was started within an operation keeps it after its end.
    return None if record is None or record.is_done else record


# What the engine tells


def count_request(number: int = 1) -> None:
    """Count a request that is about to leave; -1 for one that did not leave after all."""
    record = _current.get()
    if record is not None:
        record.add(requests=number)


def count_retry() -> None:
    """Count that a request is sent again because it brought no usable answer."""
    record = _current.get()
    if record is not None:
        record.add(retries=1)


def count_bytes(size: int) -> None:
    """Count bytes of content that arrived, or were stored."""
    record = _current.get()
    if record is not None:
        record.add(size=size)


def carry(function: _Function) -> _Function:
    """Return a function that works for the current operation in whichever thread it runs."""
    record = _current.get()
    if record is None:
        return function

    def carried(*args: Any, **kwargs: Any) -> Any:
        with within(record):
            return function(*args, **kwargs)

    return carried  # type: ignore[return-value]


def observed(method: str, bucket: str, params: Mapping[str, Any]) -> Callable[..., Any]:
    """Return what makes a call of S3 past botocore, whose own instrumentation does not see it.

    Args:
        method: AWS's name of the call.
        bucket: Name of the bucket.
        params: Its other parameters by boto3's names.

    Returns:
        A function that takes what makes the call, and its arguments.
    """

    def make(function: Callable[..., Any], *args: Any) -> Any:
        ends = [_call(each.send, method, bucket, params) for each in observers]
        try:
            answer = function(*args)
        except BaseException as error:
            _end_all(ends, None, error)
            raise
        _end_all(ends, answer, None)
        return answer

    return make


def _end_all(ends: List[Any], answer: Any, error: Optional[BaseException]) -> None:
    for end in ends:
        if end is not None:
            _call(end, answer, error)


class within:  # noqa: N801 - used as a function
    """A block that works for an operation whose time is counted elsewhere; ``None`` for none.

    Args:
        record: The operation.
    """

    __slots__ = ("_leave", "_record", "_token")

    def __init__(self, record: Optional[Record]) -> None:
        self._record = record

    def __enter__(self) -> None:
        self._token = _current.set(self._record)
        record = self._record
        self._leave = [] if record is None else [_call(each.enter, record) for each in observers]

    def __exit__(self, *error: Any) -> None:
        for leave in reversed(self._leave):
            if leave is not None:
                _call(leave)
        _current.reset(self._token)


@contextmanager
def unsent() -> Iterator[None]:
    """A block in which botocore makes a request that is not sent, and is to be seen nowhere."""
    leave = [_call(each.hide) for each in observers]
    try:
        with within(None):
            yield
    finally:
        for each in leave:
            if each is not None:
                _call(each)


# Who is told


def _call(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception:
        logger.exception("An observer of the operations of storages failed.")
        return None


def _report(record: Record, error: Optional[BaseException]) -> None:
    # What a receiver does in a storage is not reported: it would report itself for ever.
    token = _current.set(NOBODY)
    try:
        for observer in observers:
            _call(observer.end, record, error)
        reporting.report(record, error)
    finally:
        _current.reset(token)


#: The record of what is not reported.
NOBODY = Record(Place(None, "", None), "", None)
