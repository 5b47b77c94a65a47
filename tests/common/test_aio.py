"""Calls in threads: side by side, with the caller's context, and never on the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import threading
from typing import Any, List

import pytest

from smart_storages.common import aio


class Storage:
    def open(self, name: str, mode: str = "rb") -> str:
        return f"{name} {mode}"

    def size(self, name: str) -> int:
        raise FileNotFoundError(name)

    def exists(self, name: str) -> bool:
        return True

    async def aexists(self, name: str) -> str:
        return "its own"


aio.with_twins(Storage)


def test_a_twin_takes_and_returns_the_same() -> None:
    storage: Any = Storage()
    assert asyncio.run(storage.aopen("k", mode="r")) == "k r"
    assert inspect.iscoroutinefunction(storage.aopen)


def test_a_twin_raises_the_same() -> None:
    storage: Any = Storage()
    with pytest.raises(FileNotFoundError, match="nope"):
        asyncio.run(storage.asize("nope"))


def test_a_twin_that_is_there_stays() -> None:
    storage: Any = Storage()
    assert asyncio.run(storage.aexists("k")) == "its own"


def test_no_twin_is_made_of_what_is_not_there() -> None:
    assert not hasattr(Storage, "adelete")


def test_a_subclass_needs_to_override_only_the_sync_method() -> None:
    class Loud(Storage):
        def open(self, name: str, mode: str = "rb") -> str:
            return name.upper()

    storage: Any = Loud()
    assert asyncio.run(storage.aopen("k")) == "K"


def test_calls_run_side_by_side_and_the_loop_goes_on() -> None:
    # Each call waits for all others, and they for the loop: one thread would never get there.
    together = threading.Barrier(aio.THREADS + 1)

    async def use() -> None:
        calls = [asyncio.ensure_future(aio.run(together.wait, 30)) for _ in range(aio.THREADS)]
        await asyncio.sleep(0)
        release = asyncio.get_running_loop().run_in_executor(None, together.wait, 30)
        await asyncio.gather(*calls, release)

    asyncio.run(use())


def test_there_are_never_more_threads_than_promised() -> None:
    running: List[int] = []
    most: List[int] = []
    lock = threading.Lock()

    def work() -> None:
        with lock:
            running.append(1)
            most.append(len(running))
        with lock:
            running.pop()

    async def use() -> None:
        await asyncio.gather(*[aio.run(work) for _ in range(500)])

    asyncio.run(use())
    assert len(most) == 500
    assert max(most) <= aio.THREADS


def test_context_variables_go_along() -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")

    async def use() -> List[str]:
        async def ask(name: str) -> str:
            tenant.set(name)
            got: str = await aio.run(tenant.get)
            return got

        return await asyncio.gather(*[ask(f"tenant{number}") for number in range(20)])

    assert asyncio.run(use()) == [f"tenant{number}" for number in range(20)]


def test_an_iterator_is_iterated_in_threads() -> None:
    threads = []

    def items() -> Any:
        for number in range(3):
            threads.append(threading.current_thread())
            yield number

    async def use() -> List[int]:
        return [item async for item in aio.Items(items(), list)]

    assert asyncio.run(use()) == [0, 1, 2]
    assert threading.main_thread() not in threads


def test_an_error_of_an_iterator_arrives() -> None:
    def items() -> Any:
        yield 1
        raise ValueError("no more")

    async def use() -> None:
        async for _ in aio.Items(items(), list):
            pass

    with pytest.raises(ValueError, match="no more"):
        asyncio.run(use())


def test_an_iterator_that_is_closed_waits_for_its_item_and_ends() -> None:
    fetching, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def items() -> Any:
        fetching.set()
        go_on.wait(30)
        yield closed.is_set()
        yield "one too many"

    async def use() -> List[Any]:
        found = aio.Items(items(), closed.set)
        first = asyncio.ensure_future(found.__anext__())
        await asyncio.get_running_loop().run_in_executor(None, fetching.wait, 30)
        closing = threading.Thread(target=found.close)
        closing.start()
        go_on.set()
        received = [await first]
        closing.join(30)
        return [*received, *[item async for item in found]]

    assert asyncio.run(use()) == [False]
    assert closed.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_threads_of_its_own() -> None:
    assert asyncio.run(aio.run(lambda: 1)) == 1
    pid = os.fork()
    if pid == 0:
        os._exit(0 if asyncio.run(aio.run(lambda: 2)) == 2 else 1)
    assert os.waitpid(pid, 0)[1] == 0
