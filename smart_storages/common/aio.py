"""Async versions ("twins") of sync methods: on the event loop where they can, else in threads.

``sync_to_async`` of ``asgiref`` uses one thread for each request, because of database connections.
A storage has none, so its calls run in parallel, at most :data:`THREADS` at once.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any, AsyncIterator, Callable, Dict, Iterator, Type, TypeVar

from smart_storages import common

__all__ = ["CALLS", "THREADS", "TWINS", "Items", "run", "run_on_loop", "with_twins"]

#: Methods of a storage that have an async twin.
TWINS = (
    "abort_multipart_upload",
    "complete_multipart_upload",
    "create_multipart_upload",
    "delete",
    "exists",
    "get_accessed_time",
    "get_created_time",
    "get_modified_time",
    "list_parts",
    "listdir",
    "open",
    "presigned_part",
    "save",
    "size",
    "stat",
    "url",
)

#: Most calls on a loop at once: as many as a pool keeps connections.
CALLS = 64

#: Most threads at once. With more, the event loop would often wait for the interpreter lock.
THREADS = 16

_DONE: Any = object()
_executors: Dict[str, ThreadPoolExecutor] = {}

_Class = TypeVar("_Class", bound=Type[Any])

if hasattr(os, "register_at_fork"):
    # A forked child does not inherit the threads.
    os.register_at_fork(after_in_child=_executors.clear)


def _executor() -> ThreadPoolExecutor:
    try:
        return _executors["storages"]
    except KeyError:
        made = ThreadPoolExecutor(THREADS, thread_name_prefix="smart-storages-async")
        return _executors.setdefault("storages", made)


async def run(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a sync function in a thread, with the context variables of the caller.

    Args:
        method: What to call with the other arguments.

    Example::

        data = await run(file.read, 1024)
    """
    loop = asyncio.get_running_loop()
    limits = _limits_of(loop)
    async with limits.slots:
        async with limits.turn:
            # One call in each round of the loop: submitting takes locks, which may block the loop.
            await asyncio.sleep(0)
            context = contextvars.copy_context()
            call = partial(context.run, partial(method, *args, **kwargs))
            future = loop.run_in_executor(_executor(), call)
        return await future


async def run_on_loop(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a sync function on the event loop; if it turns out that it blocks, in a thread.

    Args:
        method: What to call with the other arguments. It waits as :mod:`.on_loop` describes.
    """
    limits = _limits_of(asyncio.get_running_loop())
    async with limits.calls:
        # One call starts in each round of the loop, so that others get their turn in between.
        async with limits.turn:
            await asyncio.sleep(0)
        try:
            return await common.on_loop.call(method, *args, **kwargs)
        except common.on_loop.NeedsThreadError:
            pass
    return await run(method, *args, **kwargs)


class _Limits:
    """Where the calls of one event loop wait, so that the loop itself never does."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(THREADS)
        self.calls = asyncio.Semaphore(CALLS)
        self.turn = asyncio.Lock()


_limits: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Limits] = weakref.WeakKeyDictionary()


def _limits_of(loop: asyncio.AbstractEventLoop) -> _Limits:
    try:
        return _limits[loop]
    except KeyError:
        made = _limits[loop] = _Limits()
        return made


class Items:
    """What a sync iterator yields, for async code: each item is fetched in a thread.

    Args:
        items: The iterator.
        close: Called by :meth:`close`, after the item that is just being fetched. Django calls that
            of what a ``StreamingHttpResponse`` sends, also when the client has gone.
        blocks: Whether an item may have to be waited for; if not, no thread is used.
    """

    def __init__(
        self, items: Iterator[Any], close: Callable[[], Any], *, blocks: bool = True
    ) -> None:
        self._items = items
        self._close = close
        self._blocks = blocks
        self._lock = Lock()
        self._has_ended = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        item = await run(self._next) if self._blocks else self._next()
        if item is _DONE:
            raise StopAsyncIteration
        return item

    def _next(self) -> Any:
        with self._lock:
            return _DONE if self._has_ended else next(self._items, _DONE)

    async def aclose(self) -> None:
        """End the iteration, and nothing else, as a generator does."""
        self._has_ended = True

    def close(self) -> None:
        """End the iteration, and close what it reads from."""
        with self._lock:
            self._has_ended = True
            self._close()


def with_twins(cls: _Class) -> _Class:
    """Give a storage class an async twin, ``aname``, of each method in :data:`TWINS`.

    An async method that the class already has is kept.

    Example::

        @with_twins
        class Sizes(Storage):
            def size(self, name): ...
    """
    for name in TWINS:
        if hasattr(cls, name) and not hasattr(cls, f"a{name}"):
            setattr(cls, f"a{name}", _make_twin(cls, name))
    return cls


def _make_twin(cls: Type[Any], name: str) -> Any:
    async def twin(self: Any, *args: Any, **kwargs: Any) -> Any:
        can = getattr(self, "_can_run_on_loop", None)
        if can is not None and can(name, *args, **kwargs) and common.on_loop.AVAILABLE:
            return await run_on_loop(getattr(self, name), *args, **kwargs)
        return await run(getattr(self, name), *args, **kwargs)

    twin.__name__ = f"a{name}"
    twin.__qualname__ = f"{cls.__qualname__}.a{name}"
    twin.__module__ = cls.__module__
    twin.__doc__ = f"``{name}`` for async code; takes and returns the same."
    return twin
