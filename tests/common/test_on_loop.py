"""Sync code on an event loop: what it returns and raises, when it waits, and that others go on."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import ssl
import subprocess
import sys
import threading
from typing import Any, List

import pytest

from smart_storages.common import on_loop

pytest.importorskip("greenlet")


def test_a_call_returns_and_raises_what_the_function_does() -> None:
    async def use() -> None:
        assert await on_loop.call(sorted, [2, 1], reverse=True) == [2, 1]
        with pytest.raises(ZeroDivisionError):
            await on_loop.call(divmod, 1, 0)

    asyncio.run(use())
    assert not on_loop.is_here()


def test_a_call_that_waits_lets_others_go_on() -> None:
    order: List[str] = []

    def slow() -> str:
        order.append("slow begins")
        on_loop.pause(0.01)
        order.append("slow ends")
        return threading.current_thread().name

    def quick() -> None:
        order.append("quick")

    async def use() -> None:
        name, _ = await asyncio.gather(on_loop.call(slow), on_loop.call(quick))
        assert name == threading.current_thread().name

    asyncio.run(use())
    assert order == ["slow begins", "quick", "slow ends"]


def test_what_blocks_goes_to_a_thread_and_comes_back() -> None:
    def work() -> List[str]:
        return [
            threading.current_thread().name,
            on_loop.run_blocking(lambda: threading.current_thread().name),
            threading.current_thread().name,
        ]

    async def use() -> None:
        before, meanwhile, after = await on_loop.call(work)
        assert before == after == threading.current_thread().name != meanwhile

    asyncio.run(use())
    assert len(set(work())) == 1, "without a loop, nothing goes anywhere"


def test_a_call_that_needs_threads_says_so_past_all_handlers() -> None:
    def work() -> None:
        try:
            on_loop.require_thread()
        except Exception:
            pytest.fail("taken for an error of a request")

    async def use() -> None:
        with pytest.raises(on_loop.NeedsThreadError):
            await on_loop.call(work)

    asyncio.run(use())
    work()


def test_context_variables_go_along_and_stay_inside() -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")

    def work() -> str:
        found = tenant.get()
        tenant.set("changed")
        on_loop.pause(0)
        assert tenant.get() == "changed"
        return found

    async def one(name: str) -> str:
        tenant.set(name)
        found: str = await on_loop.call(work)
        assert tenant.get() == name
        return found

    async def use() -> None:
        names = [f"tenant{number}" for number in range(20)]
        assert await asyncio.gather(*map(one, names)) == names

    asyncio.run(use())


def test_a_cancelled_call_cleans_up() -> None:
    done: List[str] = []

    def work() -> None:
        try:
            on_loop.pause(30)
        finally:
            on_loop.pause(0)  # cleaning up may wait, too
            done.append("cleaned up")

    async def use() -> None:
        task = asyncio.ensure_future(on_loop.call(work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(use())
    assert done == ["cleaned up"]


def test_a_socket_waits_in_the_loop() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    big = bytes(range(256)) * 8192

    def work() -> bytes:
        sock = on_loop.socket_for_here(ours)
        sock.sendall(big)  # more than the kernel keeps
        with sock.makefile("rb") as file:
            line: bytes = file.readline()
        return line

    def answer() -> None:
        received = 0
        while received < len(big):
            received += len(theirs.recv(65536))
        theirs.sendall(b"thank")
        theirs.sendall(b" you\n")

    async def use() -> None:
        answering = asyncio.get_running_loop().run_in_executor(None, answer)
        assert await on_loop.call(work) == b"thank you\n"
        await answering

    with ours, theirs:
        asyncio.run(use())
        assert on_loop.socket_for_here(ours) is ours


def test_a_socket_that_hears_nothing_times_out() -> None:
    ours, theirs = socket.socketpair()
    kept: List[Any] = []

    def work() -> None:
        ours.settimeout(0.01)
        kept.append(on_loop.socket_for_here(ours))
        kept[0].readinto(bytearray(1))

    with ours, theirs:
        with pytest.raises(socket.timeout):
            asyncio.run(on_loop.call(work))
        # A file that was opened on a loop may be read by sync code later.
        with pytest.raises(socket.timeout):
            kept[0].readinto(bytearray(1))
        theirs.sendall(b"x")
        assert kept[0].readinto(bytearray(1)) == 1


class _Tls:
    """What an SSL socket raises while it negotiates, and then bytes."""

    def __init__(self, sock: socket.socket, *first: Exception) -> None:
        self._sock = sock
        self._first = list(first)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def _use(self, method: Any, data: Any) -> int:
        if self._first:
            raise self._first.pop()
        count: int = method(data)
        return count

    def recv_into(self, buffer: Any) -> int:
        return self._use(self._sock.recv_into, buffer)

    def send(self, data: Any) -> int:
        return self._use(self._sock.send, data)


def test_tls_may_have_to_write_to_read_and_to_read_to_write() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"both may be waited for")
    wants = [ssl.SSLWantReadError(), ssl.SSLWantWriteError()]

    def work() -> None:
        on_loop.LoopSocket(_Tls(ours, *wants)).sendall(b"sent")
        assert on_loop.LoopSocket(_Tls(ours, *wants)).readinto(bytearray(4)) == 4

    with ours, theirs:
        asyncio.run(on_loop.call(work))
        assert theirs.recv(4) == b"sent"


def test_without_greenlet_calls_run_in_threads() -> None:
    program = """
import asyncio, sys, threading
sys.modules["greenlet"] = None
from smart_storages.common import aio, on_loop
assert not on_loop.AVAILABLE and not on_loop.is_here()
@aio.with_twins
class Storage:
    def _can_run_on_loop(self, name, *args, **kwargs):
        return True
    def exists(self, name):
        return threading.current_thread().name
assert asyncio.run(Storage().aexists("a")).startswith("smart-storages-async")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
