"""Which methods of a storage are operations, and where each begins and ends.

A method that is one has the decorator :func:`operation`, or :func:`steps` if it is a generator. An
operation within another is a part of it. While nobody listens, the decorators cost a few hundred
nanoseconds; see :mod:`smart_storages.common.recording` for who may.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import wraps
from logging import DEBUG
from typing import Any, Callable, ContextManager, Iterator, List, Optional, Tuple, TypeVar

from django.core.signals import setting_changed

from smart_storages import common, config
from smart_storages.common.recording import NOBODY, Record, current, observers, within
from smart_storages.common.reporting import Place, logger
from smart_storages.signals import storage_operation

__all__ = ["begin", "begin_lasting", "operation", "recording", "steps", "unreported"]

_Method = TypeVar("_Method", bound=Callable[..., Any])

_TAKES_ANY = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS

_UNKNOWN: Any = object()
#: ``SMART_STORAGE_SLOW_SECONDS``: empty if it is not set.
_slow_seconds: List[Any] = [_UNKNOWN]


def _get_slow_seconds() -> Optional[float]:
    if _slow_seconds and _slow_seconds[0] is _UNKNOWN:
        seconds = config.get_slow_seconds()
        _slow_seconds[:] = [] if seconds is None else [seconds]
    return _slow_seconds[0] if _slow_seconds else None


def _follow_settings(*, setting: str, **kwargs: Any) -> None:
    if setting == "SMART_STORAGE_SLOW_SECONDS":
        _slow_seconds[:] = [_UNKNOWN]


setting_changed.connect(_follow_settings, dispatch_uid="smart_storages.storages.operations")


def _is_reported() -> bool:
    return bool(
        storage_operation.receivers
        or observers
        or (_slow_seconds and _get_slow_seconds() is not None)
        or logger.isEnabledFor(DEBUG)
    )


def begin(storage: Any, name_of_operation: str, name: Any) -> Optional[Record]:
    """Return the record of an operation; ``None`` if nobody listens, or it is a part of another.

    Args:
        storage: The storage.
        name_of_operation: Name of its method.
        name: Name of the file; anything else for an operation on many.
    """
    if not _is_reported() or current() is not None:
        return None
    return Record(_place_of(storage), name_of_operation, _text_of(name))


def begin_lasting(storage: Any, name_of_operation: str, name: Any) -> Optional[Record]:
    """As :func:`begin`, for what goes on after the call has returned: it may outlive the other."""
    if not _is_reported():
        return None
    return Record(
        _place_of(storage),
        name_of_operation,
        _text_of(name),
        parent=current(),
        is_lasting=True,
    )


def _place_of(storage: Any) -> Place:
    try:
        bucket = storage.bucket_name
    except Exception:  # a property of the project; the operation itself will raise this
        bucket = None
    return Place(type(storage), storage.module_name, bucket, _get_slow_seconds())


def _text_of(name: Any) -> Optional[str]:
    if isinstance(name, os.PathLike):
        name = os.fspath(name)
    return str(name) if isinstance(name, str) else None


@contextmanager
def recording(storage: Any, name_of_operation: str, name: Any) -> Iterator[None]:
    """A block that is an operation, for what is asked of a storage's client itself.

    Args:
        storage: The storage; nothing is recorded of one that is not of this package.
        name_of_operation: Name of the method that does the same.
        name: Name of the file.
    """
    is_ours = hasattr(storage, "module_name") and hasattr(storage, "bucket_name")
    record = begin(storage, name_of_operation, name) if is_ours else None
    if record is None:
        yield
        return
    error: Optional[BaseException] = None
    try:
        with record.active():
            yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        record.finish(error)


def unreported() -> ContextManager[None]:
    """Return a block whose operations are not reported, for those that send no request."""
    return within(NOBODY)


def operation(name_of_operation: Optional[str] = None) -> Callable[[_Method], _Method]:
    """Make a method an operation of its storage.

    Args:
        name_of_operation: What it is called in reports; the name of the method if ``None``.

    Example::

        @operation()
        def delete(self, name): ...
    """

    def decorate(method: _Method) -> _Method:
        called = name_of_operation or method.__name__
        make = _of_a_name if _takes_a_name_only(method) else _of_any
        decorated: _Method = make(method, called)
        return decorated

    return decorate


def _of_any(method: Any, called: str) -> Any:
    name_from = _first_argument(method)

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        # As _is_reported, here without a call: it runs before each operation.
        if not (
            storage_operation.receivers or observers or _slow_seconds or logger.isEnabledFor(DEBUG)
        ):
            return method(self, *args, **kwargs)
        record = begin(self, called, name_from(args, kwargs))
        if record is None:
            return method(self, *args, **kwargs)
        return _run(record, method, self, args, kwargs)

    return call


def _of_a_name(method: Any, called: str) -> Any:
    # exists(), size() and the like, where the half of what _of_any costs is to pass arguments on.
    @wraps(method)
    def call(self: Any, name: Any) -> Any:
        if not (
            storage_operation.receivers or observers or _slow_seconds or logger.isEnabledFor(DEBUG)
        ):
            return method(self, name)
        record = begin(self, called, name)
        if record is None:
            return method(self, name)
        return _run(record, method, self, (name,), {})

    return call


def _run(record: Record, method: Any, storage: Any, args: Any, kwargs: Any) -> Any:
    try:
        with record.active():
            result = method(storage, *args, **kwargs)
    except Exception as error:
        record.finish(error)
        raise
    except BaseException as error:
        if isinstance(error, common.on_loop.NeedsThreadError):
            record.drop()  # nothing was sent, and the whole call is made again in a thread
        else:
            record.finish(error)
        raise
    if record.operation == "save" and isinstance(result, str):
        record.name = result
    record.finish()
    return result


def steps(method: _Method) -> _Method:
    """Make a generator an operation, from its first step until it ends or is closed.

    What its consumer does between two steps is no part of it.
    """
    name_from = _first_argument(method)

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        inner = method(self, *args, **kwargs)
        if not _is_reported():
            return inner
        return _Steps(self, method.__name__, name_from(args, kwargs), inner)

    return call  # type: ignore[return-value]


class _Steps(Generator):  # type: ignore[type-arg]
    """A generator whose steps are one operation."""

    def __init__(self, storage: Any, called: str, name: Any, inner: Any) -> None:
        self._arguments = (storage, called, name)
        self._inner = inner
        self._record: Optional[Record] = None

    def send(self, value: Any) -> Any:
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._inner.throw, *error)

    def close(self) -> None:
        record = self._record
        if record is None:  # nothing was asked of it yet
            self._inner.close()
            return
        try:
            with record.active():
                self._inner.close()
        finally:
            record.finish()

    def __del__(self) -> None:
        if self._record is not None:
            self._record.finish_later()

    def _step(self, step: Any, *args: Any) -> Any:
        record = self._record = self._record or begin_lasting(*self._arguments)
        if record is None:
            return step(*args)
        try:
            with record.active():
                return step(*args)
        except StopIteration:
            record.finish()
            raise
        except BaseException as error:
            # What the block of a `with` raised comes back from here, and is no error of ours.
            record.finish(None if any(error is each for each in args) else error)
            raise


# From the code of a method: inspect.signature would take a tenth of what importing a storage does.


def _takes_a_name_only(method: Any) -> bool:
    code = inspect.unwrap(method).__code__
    takes_more = code.co_kwonlyargcount or code.co_flags & _TAKES_ANY
    return code.co_varnames[1 : code.co_argcount] == ("name",) and not takes_more


def _first_argument(method: Any) -> Callable[[Any, Any], Any]:
    function = inspect.unwrap(method)
    name = function.__code__.co_varnames[1]
    defaults: Tuple[Any, ...] = function.__defaults__ or ()
    has_default = len(defaults) == function.__code__.co_argcount - 1 > 0
    default = defaults[0] if has_default else None

    def find(args: Any, kwargs: Any) -> Any:
        return args[0] if args else kwargs.get(name, default)

    return find
