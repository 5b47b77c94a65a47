"""What an async view may call: whether the event loop goes on, and how many threads that takes.

``python -m benchmarks.event_loop`` prints the table of ``docs/async.md``. Each request to the
bucket takes 200 ms. An event loop that goes on is late by some milliseconds; one that is blocked,
by at least those 200.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import threading
import time
from typing import Any, Awaitable, Callable, Dict, Iterator, NamedTuple, Tuple

import django
from asgiref.sync import sync_to_async
from django.conf import settings

__all__ = ["CASES", "Case", "Outcome", "measure", "prepare"]

LATENCY = 0.2
PAUSE = 0.001
MIB = 1024**2

#: What the names of this package's threads begin with, and those of asyncio's and of asgiref's.
_THREADS = ("smart-storages-async", "asyncio_", "ThreadPoolExecutor")


class Outcome(NamedTuple):
    """How a call went: seconds by which the loop was late at most, its turns, and new threads."""

    late: float
    turns: int
    threads: int


class Case(NamedTuple):
    """What is called, and how many times at once."""

    title: str
    call: Callable[[Any], Awaitable[Any]]
    times: int = 1


def _read_in_sync(storage: Any) -> bytes:
    with storage.open("small.txt") as file:
        return bytes(file.read())


async def _block(storage: Any) -> None:
    _read_in_sync(storage)


async def _ask_for_thread(storage: Any) -> None:
    await sync_to_async(_read_in_sync)(storage)


async def _read(storage: Any) -> None:
    async with await storage.aopen("small.txt") as file:
        await file.aread()


async def _read_large(storage: Any) -> None:
    async with await storage.aopen("large.bin") as file:
        async for _ in file:
            pass


async def _save(storage: Any, size: int = 1000) -> None:
    from django.core.files.base import ContentFile

    await storage.asave("saved.bin", ContentFile(bytes(size)))


async def _save_large(storage: Any) -> None:
    await _save(storage, 9 * MIB)


async def _exists(storage: Any) -> None:
    await storage.aexists("small.txt")


async def _list(storage: Any) -> None:
    await storage.alistdir("")


async def _sign(storage: Any) -> None:
    storage.url("small.txt")


CASES: Tuple[Case, ...] = (
    Case("`storage.url(name)`, 20 at once", _sign, 20),
    Case("`aexists`, 20 at once", _exists, 20),
    Case("`aopen` and `aread` of 1 kB, 20 at once", _read, 20),
    Case("`asave` of 1 kB, 20 at once", _save, 20),
    Case("`alistdir`, 20 at once", _list, 20),
    Case("`aopen` and `async for` over 9 MiB", _read_large),
    Case("`asave` of 9 MiB", _save_large),
    Case("`await sync_to_async(read)()`, 4 at once", _ask_for_thread, 4),
    Case("`storage.open(name)` in the async view, 4 at once", _block, 4),
)


def prepare(storage: Any) -> None:
    """Save the files that are read."""
    from django.core.files.base import ContentFile

    storage.save("small.txt", ContentFile(b"x" * 1000))
    storage.save("large.bin", ContentFile(bytes(9 * MIB)))


async def measure(storage: Any, case: Case) -> Outcome:
    """Run a case, and watch the loop meanwhile.

    Args:
        storage: A storage that :func:`prepare` has seen.
        case: What to call.
    """
    storage.exists("small.txt")  # the client is made, and the first connection
    gc.collect()
    before = most = _count_threads()
    calls = asyncio.ensure_future(_call(storage, case))
    late, turns = 0.0, 0
    while not calls.done():
        started = time.perf_counter()
        await asyncio.sleep(PAUSE)
        late = max(late, time.perf_counter() - started - PAUSE)
        turns += 1
        most = max(most, _count_threads())
    await calls
    return Outcome(late, turns, most - before)


def _count_threads() -> int:
    return sum(each.name.startswith(_THREADS) for each in threading.enumerate())


async def _call(storage: Any, case: Case) -> None:
    await asyncio.gather(*(case.call(storage) for _ in range(case.times)))


def _measure_number(number: int, options: Dict[str, Any], in_threads: bool) -> Outcome:
    settings.configure(INSTALLED_APPS=["smart_storages"], **options)
    django.setup()
    from smart_storages.common import on_loop
    from smart_storages.storages import SmartS3Storage

    on_loop.AVAILABLE = on_loop.AVAILABLE and not in_threads
    return asyncio.run(measure(SmartS3Storage(file_overwrite=True), CASES[number]))


def _rows(options: Dict[str, Any]) -> Iterator[str]:
    # A process for each, so that no thread of the one before is there.
    context = multiprocessing.get_context("spawn")
    for number, case in enumerate(CASES):
        cells = []
        for in_threads in (False, True):
            with context.Pool(1) as pool:
                late, _, threads = pool.apply(_measure_number, (number, options, in_threads))
            cells.append(f"{late * 1000:.0f} ms, {threads}")
        yield f"| {case.title} | {cells[0]} | {cells[1]} |"


def main() -> None:
    """Print the table."""
    from tests.servers import MotoServer, S3Proxy

    with MotoServer() as server, S3Proxy(server.endpoint_url) as proxy:
        options = {**server.django_settings(), "AWS_STORAGE_BUCKET_NAME": server.create_bucket()}
        settings.configure(INSTALLED_APPS=["smart_storages"], **options)
        django.setup()
        from smart_storages.storages import SmartS3Storage

        prepare(SmartS3Storage(file_overwrite=True))
        proxy.inject(times=None, latency=LATENCY)
        print("| | with greenlet | without |\n|---|---|---|")
        for row in _rows({**options, "AWS_S3_ENDPOINT_URL": proxy.endpoint_url}):
            print(row)


if __name__ == "__main__":
    main()
