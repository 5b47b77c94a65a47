"""Operations on several storages, written once as generators, and run sync or async.

A storage built from others offers most methods twice, as ``exists`` and ``aexists`` do. To write
the logic of both only once, it is a generator that never calls a storage itself. It yields the call
that it needs, as ``(storage, method, args, kwargs)``. The function that runs the generator makes
that call, and sends back what it returned or raises at the ``yield`` what it raised. :func:`run`
makes plain calls, :func:`run_async` awaits them. A function that returns such a generator has a
name that ends in ``_steps``; one uses another with ``yield from``.

Example:
    >>> def any_exists_steps(storages, name):
    ...     for storage in storages:
    ...         found = yield storage, "exists", (name,), {}
    ...         if found:
    ...             return True
    ...     return False

    The same generator in sync and in async code:

    >>> from django.core.files.storage import FileSystemStorage
    >>> storages = [FileSystemStorage("/srv/new"), FileSystemStorage("/srv/old")]
    >>> run(any_exists_steps(storages, "a.txt"))
    False
    >>> asyncio.run(run_async(any_exists_steps(storages, "a.txt")))
    False
"""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import copy_context
from threading import Thread
from typing import Any, Callable, Dict, Generator, Optional, Tuple

from asgiref.sync import sync_to_async
from django.db import connections

from smart_storages.wrappers.references import describe

__all__ = [
    "Call",
    "Steps",
    "call_async",
    "call_now",
    "call_within",
    "call_within_async",
    "run",
    "run_async",
    "with_known_result",
]

#: One call on one storage: the storage, the method's name, and its arguments.
Call = Tuple[Any, str, Tuple[Any, ...], Dict[str, Any]]
#: A generator of calls, as described above; it returns the result of the whole operation.
Steps = Generator[Call, Any, Any]


def call_now(call: Call) -> Any:
    """Make a call and return its result."""
    storage, method, args, kwargs = call
    return getattr(storage, method)(*args, **kwargs)


async def call_async(call: Call) -> Any:
    """Make a call with the storage's own async method, or in a thread if it has none."""
    storage, method, args, kwargs = call
    native = getattr(storage, f"a{method}", None)
    if native is None or not inspect.iscoroutinefunction(native):
        return await sync_to_async(getattr(storage, method))(*args, **kwargs)
    return await native(*args, **kwargs)


def call_within(seconds: float, call: Call) -> Any:
    """Make a call in a thread, and wait for it at most ``seconds``.

    Raises:
        TimeoutError: it took longer. It continues in its thread, and its result is dropped.
    """
    try:
        return _start(call).result(seconds)
    except FutureTimeoutError:
        raise _timeout_error(seconds, call) from None


async def call_within_async(seconds: float, call: Call) -> Any:
    """Make a call, and wait for it at most ``seconds``; see :func:`call_within`."""
    native = getattr(call[0], f"a{call[1]}", None)
    is_native = native is not None and inspect.iscoroutinefunction(native)
    started: Any = call_async(call) if is_native else asyncio.wrap_future(_start(call))
    try:
        return await asyncio.wait_for(started, seconds)
    except asyncio.TimeoutError:
        raise _timeout_error(seconds, call) from None


def _timeout_error(seconds: float, call: Call) -> TimeoutError:
    return TimeoutError(f"{describe(call[0])}.{call[1]}() took more than {seconds:g} s")


def _start(call: Call) -> Future[Any]:
    # A new thread each time: in a pool, calls that never end would occupy every worker, and the
    # process would wait for them when it exits.
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()  # from here on it cannot be cancelled
    context = copy_context()

    def work() -> None:
        try:
            result = context.run(call_now, call)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            connections.close_all()

    Thread(target=work, name="smart-storages-call", daemon=True).start()
    return future


def with_known_result(
    storage: Any,
    method: str,
    answer: Any,
    error: Optional[Exception],
    perform: Callable[[Call], Any],
) -> Callable[[Call], Any]:
    """Return a ``perform`` that gives the known outcome of one call instead of repeating it.

    A storage can make the first call directly, without a generator, because that is faster. When
    the generator is needed after all, it starts by asking for this same call.

    Args:
        storage: The storage that was called.
        method: The method that was called.
        answer: What it returned.
        error: What it raised, ``None`` if it returned.
        perform: Makes every other call.
    """
    is_used = False

    def perform_or_reuse(call: Call) -> Any:
        nonlocal is_used
        if is_used or call[0] is not storage or call[1] != method:
            return perform(call)
        is_used = True
        if error is not None:
            raise error
        return answer

    return perform_or_reuse


def run(steps: Steps, perform: Callable[[Call], Any] = call_now) -> Any:
    """Run a generator of calls to its end with plain calls, and return its result."""
    try:
        call = next(steps)
        while True:
            try:
                result = perform(call)
            except Exception as error:
                call = steps.throw(error)
            else:
                call = steps.send(result)
    except StopIteration as done:
        return done.value


async def run_async(steps: Steps, perform: Callable[[Call], Any] = call_async) -> Any:
    """Run a generator of calls to its end with awaited calls, and return its result."""
    try:
        call = next(steps)
        while True:
            try:
                result = await perform(call)
            except Exception as error:
                call = steps.throw(error)
            else:
                call = steps.send(result)
    except StopIteration as done:
        return done.value
