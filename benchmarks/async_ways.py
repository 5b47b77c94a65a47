"""Thousands of requests on one event loop, by this package, obstore and aioboto3.

aioboto3 pins an older botocore than this package supports, so it runs in a Python of its own, with
neither Django nor this package: ``AIOBOTO3_PYTHON`` names it. What is imported here is therefore
imported where it is used.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import sys
import time
from contextlib import AsyncExitStack
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple

from benchmarks import OBSTORE, OURS
from benchmarks.memory import peak_memory

__all__ = ["AIOBOTO3", "IN_THREADS", "contenders", "many"]

AIOBOTO3 = "aioboto3"
IN_THREADS = f"{OURS}, in threads"

KIB = 1024
MIB = 1024 * KIB
PAUSE = 0.005
#: Uploads go to so many names in turn: the server of the benchmarks keeps its data in memory.
NAMES = 20

#: Reads the object "a.bin", or uploads content under a name.
Read = Callable[[], Awaitable[int]]
Save = Callable[[str, bytes], Awaitable[Any]]


def contenders() -> List[Tuple[str, str]]:
    """Return who can run here, each with the Python to run it."""
    found = [(OURS, sys.executable), (IN_THREADS, sys.executable)]
    if importlib.util.find_spec("obstore"):
        found.append((OBSTORE, sys.executable))
    other: Optional[str] = os.environ.get("AIOBOTO3_PYTHON")
    if other:
        found.append((AIOBOTO3, other))
    return found


def many(  # noqa: PLR0917 - by name, from JSON
    who: str, server: Dict[str, str], bucket: str, work: str, number: int, size: int
) -> Dict[str, Any]:
    """Read or upload many times at once; return times, processor time, memory and lateness.

    Args:
        who: One of the contenders.
        server: As ``bench_reading.describe`` gives it.
        bucket: A bucket in which ``a.bin`` has the size that is read.
        work: ``"read"`` or ``"save"``.
        number: How many at once.
        size: Bytes of each.
    """
    return asyncio.run(_measure(who, server, bucket, work, number, size))


async def _measure(  # noqa: PLR0917
    who: str, server: Dict[str, str], bucket: str, work: str, number: int, size: int
) -> Dict[str, Any]:
    content = os.urandom(size)
    async with AsyncExitStack() as stack:
        make = {OURS: _ours, IN_THREADS: _in_threads, OBSTORE: _obstore, AIOBOTO3: _aioboto3}[who]
        read, save = await make(stack, server, bucket)

        async def one(turn: int) -> None:
            if work == "save":
                await save(f"save-{turn % NAMES}.bin", content)
            elif await read() != size:
                raise RuntimeError("a read was short")

        await one(0)
        gc.collect()
        memory = peak_memory()
        late: List[float] = []
        ticking = asyncio.create_task(_tick(late))
        started, processor = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one(turn) for turn in range(number)))
        took, used = time.perf_counter() - started, time.process_time() - processor
        ticking.cancel()
    late.sort()
    return {
        "all_ms": took * 1000,
        "cpu_ms": used * 1000,
        "loop_late_p99_ms": late[int(len(late) * 0.99)] * 1000 if late else took * 1000,
        "loop_late_max_ms": late[-1] * 1000 if late else took * 1000,
        "memory_mb": (peak_memory() - memory) / MIB,
    }


async def _tick(late: List[float]) -> None:
    while True:
        started = time.perf_counter()
        await asyncio.sleep(PAUSE)
        late.append(time.perf_counter() - started - PAUSE)


async def _ours(stack: AsyncExitStack, server: Dict[str, str], bucket: str) -> Tuple[Read, Save]:
    from django.core.files.base import ContentFile

    from benchmarks.bench_reading import make_storage

    storage = make_storage(OURS, server, bucket)

    async def read() -> int:
        async with await storage.aopen("a.bin") as file:
            return len(await file.aread())

    async def save(name: str, content: bytes) -> Any:
        return await storage.asave(name, ContentFile(content))

    return read, save


async def _in_threads(
    stack: AsyncExitStack, server: Dict[str, str], bucket: str
) -> Tuple[Read, Save]:
    sys.modules["greenlet"] = None  # type: ignore[assignment] # as if it were not installed
    return await _ours(stack, server, bucket)


async def _obstore(stack: AsyncExitStack, server: Dict[str, str], bucket: str) -> Tuple[Read, Save]:
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        bucket,
        endpoint=server["endpoint_url"],
        access_key_id=server["access_key"],
        secret_access_key=server["secret_key"],
        region=server["region_name"],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": "600s"},
    )

    async def read() -> int:
        answer = await obstore.get_async(store, "a.bin")
        return len(await answer.bytes_async())

    async def save(name: str, content: bytes) -> Any:
        return await obstore.put_async(store, name, content)

    return read, save


async def _aioboto3(
    stack: AsyncExitStack, server: Dict[str, str], bucket: str
) -> Tuple[Read, Save]:
    import aioboto3
    from aiobotocore.config import AioConfig

    client = await stack.enter_async_context(
        aioboto3.Session().client(
            "s3",
            endpoint_url=server["endpoint_url"],
            aws_access_key_id=server["access_key"],
            aws_secret_access_key=server["secret_key"],
            region_name=server["region_name"],
            config=AioConfig(max_pool_connections=50),
        )
    )

    async def read() -> int:
        answer = await client.get_object(Bucket=bucket, Key="a.bin")
        async with answer["Body"] as body:
            return len(await body.read())

    async def save(name: str, content: bytes) -> Any:
        return await client.put_object(Bucket=bucket, Key=name, Body=content)

    return read, save
