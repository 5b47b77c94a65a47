"""Sync code on an event loop: where it would wait for the network, the loop goes on instead.

The engine is written once, and waits in three places: for a connection, for bytes, and before a
retry. In a call of :func:`call` these places let the event loop run, by switching greenlets, so
that thousands of requests need no thread. A step that blocks (a client is built, botocore sends a
request) goes to a thread and comes back, see :func:`run_blocking`; a call that needs threads as a
whole says so with :func:`require_thread`, before it has sent anything, and is made again in one.

greenlet is an extra. Without it, :data:`AVAILABLE` is ``False`` and calls run in threads.
"""

from __future__ import annotations

import asyncio
import contextvars
import select
import ssl
import sys
from io import BufferedReader, RawIOBase
from socket import timeout as socket_timeout
from time import sleep
from typing import Any, Awaitable, Callable, Optional

try:
    from greenlet import GreenletExit, getcurrent, greenlet
except ImportError:  # pragma: no cover - the extra is not installed
    greenlet = None

__all__ = [
    "AVAILABLE",
    "LoopSocket",
    "NeedsThreadError",
    "call",
    "is_here",
    "pause",
    "require_thread",
    "run_blocking",
    "socket_for_here",
]

#: Whether calls can run on an event loop: greenlet is there, and loops can watch sockets.
AVAILABLE = greenlet is not None and sys.platform != "win32"


class NeedsThreadError(BaseException):
    """A call has to block. Not an ``Exception``, so that nothing takes it for a failed request."""


if AVAILABLE:

    class _Call(greenlet):  # type: ignore[misc]
        pass


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a sync function on the loop of the caller, and let the loop go on where it waits.

    Args:
        function: What to call with the other arguments.

    Raises:
        NeedsThreadError: it has to block. It can be called again, in a thread.

    Example::

        stat = await call(stat_object, target, "a.txt")
    """
    running = _Call(function)
    running.gr_context = contextvars.copy_context()
    outcome = running.switch(*args, **kwargs)
    while not running.dead:
        try:
            value = await outcome
        except GeneratorExit:
            # The loop is gone, and nothing can be awaited any more.
            running.throw(GreenletExit)
            raise
        except BaseException as error:
            # A timeout, or the task was cancelled: the function cleans up, then raises it again.
            outcome = running.throw(error)
        else:
            outcome = running.switch(value)
    return outcome


def is_here() -> bool:
    """Return whether this code runs in a :func:`call`, and must not block."""
    return AVAILABLE and type(getcurrent()) is _Call


def require_thread() -> None:
    """Say that what follows blocks.

    Raises:
        NeedsThreadError: in a :func:`call`; in a thread, nothing happens.
    """
    if is_here():
        raise NeedsThreadError


def _wait_for(awaitable: Awaitable[Any]) -> Any:
    return getcurrent().parent.switch(awaitable)


def pause(seconds: float) -> None:
    """Wait for some seconds."""
    if is_here():
        _wait_for(asyncio.sleep(seconds))
    else:
        sleep(seconds)


def run_blocking(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function that blocks; in a :func:`call`, a thread of the loop's executor does it."""
    if not is_here():
        return function(*args)
    # The thread works for the same operation, on behalf of the same tenant.
    run = contextvars.copy_context().run
    return _wait_for(asyncio.get_running_loop().run_in_executor(None, run, function, *args))


def socket_for_here(sock: Any) -> Any:
    """Return what to send to and receive from: in a :func:`call`, a socket that does not block."""
    return LoopSocket(sock) if is_here() else sock


class LoopSocket(RawIOBase):
    """A connected socket as :mod:`http.client` uses it; it waits in the loop, or for its thread.

    Args:
        sock: The socket, with its timeout, which holds for each wait.
    """

    def __init__(self, sock: Any) -> None:
        super().__init__()
        self._sock = sock
        self._timeout: Optional[float] = sock.gettimeout()
        sock.setblocking(False)

    def makefile(self, mode: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            try:
                count: int = self._sock.recv_into(buffer)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(for_writing=False)
            except ssl.SSLWantWriteError:
                self._wait(for_writing=True)
            else:
                return count

    def send(self, data: Any) -> int:
        while True:
            try:
                count: int = self._sock.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(for_writing=True)
            except ssl.SSLWantReadError:
                self._wait(for_writing=False)
            else:
                return count

    def sendall(self, data: Any) -> None:
        with memoryview(data) as whole, whole.cast("B") as view:
            sent = 0
            while sent < len(view):
                sent += self.send(view[sent:])

    def _wait(self, *, for_writing: bool) -> None:
        if is_here():
            _wait_for(_ready(self._sock.fileno(), for_writing, self._timeout))
            return
        # A file that was opened on a loop, and is now read by sync code.
        poll = select.poll()  # select() knows no descriptor above 1,023
        poll.register(self._sock.fileno(), select.POLLOUT if for_writing else select.POLLIN)
        if not poll.poll(None if self._timeout is None else self._timeout * 1000):
            raise socket_timeout("timed out")


async def _ready(descriptor: int, for_writing: bool, timeout: Optional[float]) -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    watch, leave = (
        (loop.add_writer, loop.remove_writer)
        if for_writing
        else (loop.add_reader, loop.remove_reader)
    )
    watch(descriptor, _finish, future, None)
    expiry = (
        None
        if timeout is None
        else loop.call_later(timeout, _finish, future, socket_timeout("timed out"))
    )
    try:
        await future
    finally:
        leave(descriptor)
        if expiry is not None:
            expiry.cancel()


def _finish(future: asyncio.Future[Any], error: Optional[Exception]) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
