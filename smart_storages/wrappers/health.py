"""What an error says about the storage that raised it, and a circuit breaker."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from concurrent.futures import TimeoutError as FutureTimeoutError
from threading import Lock
from typing import Any, Callable, Optional

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db import DatabaseError, InterfaceError

from smart_storages.exceptions import S3Error, ThrottledError

__all__ = [
    "DENIED",
    "FULL",
    "NOT_FOUND",
    "OTHER",
    "UNREACHABLE",
    "Breaker",
    "is_failure_of_storage",
    "kind_of",
]

NOT_FOUND = "not_found"
UNREACHABLE = "unreachable"
DENIED = "denied"
FULL = "full"
OTHER = "other"

_SERVER_ERROR = 500

_MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
# Before Python 3.10 and 3.11 some of these are not the built-in TimeoutError.
_NO_ANSWER = (
    ConnectionError,
    TimeoutError,
    FutureTimeoutError,
    ThrottledError,
    asyncio.TimeoutError,
    socket.gaierror,
    socket.timeout,
)
_NO_ANSWER_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "EIO",
        "ENETDOWN",
        "ENETUNREACH",
        "ENOTCONN",
        "ESTALE",
    )
    if hasattr(errno, name)
)
_FULL_ERRNOS = frozenset(
    getattr(errno, name) for name in ("EDQUOT", "EFBIG", "ENOSPC", "EROFS") if hasattr(errno, name)
)


def kind_of(error: BaseException) -> str:
    """Classify an error that any storage raised.

    Args:
        error: What a storage raised.

    Returns:
        ``NOT_FOUND``: there is no such file. ``UNREACHABLE``: no answer, an answer of 5xx, or
        "slow down". ``DENIED``: these credentials do not allow it. ``FULL``: no space left, or
        read-only. ``OTHER``: anything else, such as a wrong setting or a mistake in the code.

    Example:
        >>> kind_of(FileNotFoundError()), kind_of(TimeoutError()), kind_of(KeyError())
        ('not_found', 'unreachable', 'other')
    """
    if isinstance(error, _MISSING):
        return NOT_FOUND
    if isinstance(error, _NO_ANSWER):
        return UNREACHABLE
    if isinstance(error, PermissionError):
        return _kind_of_errno(error) or DENIED
    if isinstance(error, S3Error):
        return UNREACHABLE if (error.status or 0) >= _SERVER_ERROR else OTHER
    if isinstance(error, OSError):
        return _kind_of_errno(error) or OTHER
    return _kind_of_botocore(error)


def _kind_of_errno(error: OSError) -> Optional[str]:
    if error.errno in _FULL_ERRNOS:
        return FULL
    return UNREACHABLE if error.errno in _NO_ANSWER_ERRNOS else None


def _kind_of_botocore(error: BaseException) -> str:
    # Storages from other packages let botocore's errors through. If botocore was never imported,
    # this error cannot be one of them.
    botocore: Any = sys.modules.get("botocore.exceptions")
    if botocore is None:
        return OTHER
    if isinstance(error, (botocore.HTTPClientError, botocore.ConnectionError)):
        return UNREACHABLE
    if not isinstance(error, botocore.ClientError):
        return OTHER
    response: Any = error.response
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(response.get("Error", {}).get("Code", ""))
    if status >= _SERVER_ERROR or code in ("SlowDown", "RequestTimeout"):
        return UNREACHABLE
    if code in ("404", "NoSuchKey", "NotFound"):
        return NOT_FOUND
    return DENIED if status in (401, 403) else OTHER


#: Raised by mistakes in code, settings or names, and by the application's database.
_MISTAKES = (
    AssertionError,
    AttributeError,
    DatabaseError,
    ImportError,
    InterfaceError,
    LookupError,
    NameError,
    NotImplementedError,
    TypeError,
    ValueError,
)


def is_failure_of_storage(error: BaseException) -> bool:
    """Tell whether an error means that the storage failed, and not the code that called it.

    Clients of other providers raise exceptions of their own, which are not known here. So every
    error that is not clearly a mistake of the caller counts.

    Args:
        error: What a storage raised.

    Returns:
        ``False`` for a wrong setting or name, a mistake in the code, and an error of Django's
        database; ``True`` for anything else.

    Example:
        >>> is_failure_of_storage(TimeoutError()), is_failure_of_storage(TypeError())
        (True, False)
    """
    if isinstance(error, (ImproperlyConfigured, SuspiciousOperation)):
        return False
    if isinstance(error, OSError) or kind_of(error) != OTHER:
        return True
    return isinstance(error, Exception) and not isinstance(error, _MISTAKES)


class Breaker:
    """A circuit breaker: a storage that did not answer is not called for a while. Thread-safe.

    After a failure it refuses calls for ``retry_after`` seconds. Then it lets one caller try, and
    keeps refusing the others until the result of that call is known.

    Args:
        retry_after: Seconds for which calls are refused after a failure.
        clock: Returns the current time in monotonic seconds.

    Example:
        >>> breaker = Breaker(60, clock=lambda: 0.0)
        >>> breaker.failed()
        >>> breaker.allows()
        False
    """

    def __init__(self, retry_after: float, clock: Callable[[], float]) -> None:
        self.retry_after = retry_after
        self._clock = clock
        self._lock = Lock()
        #: Time at which the next caller may try; ``None`` while the storage answers.
        self.refuses_until: Optional[float] = None

    def allows(self) -> bool:
        if self.refuses_until is None:
            return True
        with self._lock:
            now = self._clock()
            if self.refuses_until is not None and now < self.refuses_until:
                return False
            if self.refuses_until is not None:
                self.refuses_until = now + self.retry_after
            return True

    def failed(self) -> None:
        with self._lock:
            self.refuses_until = self._clock() + self.retry_after

    def succeeded(self) -> None:
        if self.refuses_until is not None:
            with self._lock:
                self.refuses_until = None
