"""Many concurrent reads on one event loop: how long they take, and how long they block the loop."""

from __future__ import annotations

import asyncio
import gc
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Dict, List

from benchmarks import BOTO3, OURS, THEIRS, async_ways
from benchmarks.bench_reading import describe, make_storage

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row
    from tests.servers import S3Server

TITLE = "Thousands of requests at once on one event loop"

SIZE = 64 * 1024
PAUSE = 0.005
LATENCY = 0.02
MANY = (
    ("read", 2_000, 4 * async_ways.KIB),
    ("read", 2_000, 64 * async_ways.KIB),
    ("save", 200, async_ways.MIB),
    ("save", 200, 4 * async_ways.MIB),
)


def run(context: Context) -> List[Row]:
    server = context.best_server()
    bucket = server.create_bucket()
    server.client().put_object(Bucket=bucket, Key="a.bin", Body=b"x" * SIZE)
    reads = 100 if context.quick else 500
    rows: List[Row] = []
    for who in (OURS, THEIRS, BOTO3):
        outcome = context.measure(
            read_at_once, who=who, server=describe(server), bucket=bucket, reads=reads
        )
        rows.append({"case": f"{reads} reads of 64 KiB", "who": who, **outcome})
    for latency in (0.0, LATENCY):
        rows += _measure_many(context, server, latency)
    return rows


def _measure_many(context: Context, server: S3Server, latency: float) -> List[Row]:
    rows: List[Row] = []
    away = f", {latency * 1000:.0f} ms away" if latency else ""
    for work, number, size in MANY:
        count = number // 20 if context.quick else number
        text = f"{size // 1024} KiB" if size < async_ways.MIB else f"{size // async_ways.MIB} MiB"
        bucket = server.create_bucket()
        server.client().put_object(Bucket=bucket, Key="a.bin", Body=b"x" * size)
        for who, python in async_ways.contenders():
            where = describe(server, context.proxy(server, latency).endpoint_url if latency else "")
            outcome = context.measure(
                async_ways.many,
                python,
                who=who,
                server=where,
                bucket=bucket,
                work=work,
                number=count,
                size=size,
            )
            rows.append({"case": f"{count:,} {work}s of {text}{away}", "who": who, **outcome})
    return rows


def read_at_once(who: str, server: Dict[str, str], bucket: str, reads: int) -> Row:
    storage = make_storage(who, server, bucket)
    return asyncio.run(_measure(who, storage, reads))


async def _measure(who: str, storage: Any, reads: int) -> Row:
    late: List[float] = []

    async def tick() -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(PAUSE)
            late.append(time.perf_counter() - started - PAUSE)

    read = {OURS: _read_ours, THEIRS: _read_theirs, BOTO3: _read_plainly}[who]
    await read(storage)
    # Collect the garbage of the start-up now, so that it is not collected during the reads. The
    # collector stays on, because garbage of the reads themselves counts.
    gc.collect()
    ticking = asyncio.create_task(tick())
    started = time.perf_counter()
    await asyncio.gather(*(read(storage) for _ in range(reads)))
    took = time.perf_counter() - started
    ticking.cancel()
    late.sort()
    return {
        "all_ms": took * 1000,
        "loop_late_p99_ms": late[int(len(late) * 0.99)] * 1000,
        "loop_late_max_ms": late[-1] * 1000,
    }


async def _read_ours(storage: Any) -> None:
    async with await storage.aopen("a.bin") as file:
        if len(await file.aread()) != SIZE:
            raise RuntimeError("a read was short")


async def _read_theirs(storage: Any) -> None:
    # The way an async view uses a storage that has no async methods.
    from asgiref.sync import sync_to_async

    def read() -> None:
        with storage.open("a.bin") as file:
            if len(file.read()) != SIZE:
                raise RuntimeError("a read was short")

    await sync_to_async(read, thread_sensitive=False)()


async def _read_plainly(storage: Any) -> None:
    from asgiref.sync import sync_to_async

    def read() -> None:
        answer = _client_of(storage).get_object(Bucket=storage.bucket_name, Key="a.bin")
        if len(answer["Body"].read()) != SIZE:
            raise RuntimeError("a read was short")

    await sync_to_async(read, thread_sensitive=False)()


@lru_cache(maxsize=None)
def _client_of(storage: Any) -> Any:
    return storage.connection.meta.client
