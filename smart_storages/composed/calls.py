"""Calls on storages, and generators of them, made in a plain or in an async way."""

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

from smart_storages.composed.references import describe

__all__ = [
    "Call",
    "Steps",
    "begun",
    "call_async",
    "call_now",
    "call_within",
    "call_within_async",
    "run",
    "run_async",
]

#: One call on one storage: the storage, the method, and its arguments.
Call = Tuple[Any, str, Tuple[Any, ...], Dict[str, Any]]
#: Yields calls, is sent what each returned or thrown what it raised, and returns the result.
Steps = Generator[Call, Any, Any]


def call_now(call: Call) -> Any:
    """Make a call."""
    storage, method, args, kwargs = call
    return getattr(storage, method)(*args, **kwargs)


async def call_async(call: Call) -> Any:
    """Make a call through the storage's own async method, or else in a thread."""
    storage, method, args, kwargs = call
    native = getattr(storage, f"a{method}", None)
    if native is None or not inspect.iscoroutinefunction(native):
        return await sync_to_async(getattr(storage, method))(*args, **kwargs)
    return await native(*args, **kwargs)


def call_within(seconds: float, call: Call) -> Any:
    """Make a call, and wait for it no longer than that.

    Raises:
        TimeoutError: it took longer. It goes on in its thread, and nobody hears of its end.
    """
    try:
        return _start(call).result(seconds)
    except FutureTimeoutError:
        raise _too_late(seconds, call) from None


async def call_within_async(seconds: float, call: Call) -> Any:
    """Make a call, and wait for it no longer than that; see :func:`call_within`."""
    native = getattr(call[0], f"a{call[1]}", None)
    is_native = native is not None and inspect.iscoroutinefunction(native)
    started: Any = call_async(call) if is_native else asyncio.wrap_future(_start(call))
    try:
        return await asyncio.wait_for(started, seconds)
    except asyncio.TimeoutError:
        raise _too_late(seconds, call) from None


def _too_late(seconds: float, call: Call) -> TimeoutError:
    return TimeoutError(f"{describe(call[0])}.{call[1]}() took more than {seconds:g} s")


def _start(call: Call) -> Future[Any]:
    # A thread of its own: in a pool, calls that never end would take every worker, and the
    # process would wait for them when it exits.
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()  # from here on nobody can cancel it
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


def begun(
    storage: Any,
    method: str,
    answer: Any,
    error: Optional[Exception],
    perform: Callable[[Call], Any],
) -> Callable[[Call], Any]:
    """Return a ``perform`` that knows how the first call ended, and does not repeat it."""
    is_known = True

    def go_on(call: Call) -> Any:
        nonlocal is_known
        if not (is_known and call[0] is storage and call[1] == method):
            return perform(call)
        is_known = False
        if error is not None:
            raise error
        return answer

    return go_on


def run(steps: Steps, perform: Callable[[Call], Any] = call_now) -> Any:
    """Drive steps to their end with plain calls."""
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
    """Drive steps to their end with awaited calls."""
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
