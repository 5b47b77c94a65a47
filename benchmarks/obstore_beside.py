"""obstore, written in Rust, beside this package: bulk bytes, many files, and what each promises.

``python -m benchmarks.obstore_beside`` prints the comparison.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from benchmarks import OBSTORE, OURS
from benchmarks.bench_reading import describe, make_storage
from benchmarks.memory import peak_memory

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row

MIB = 1024 * 1024
RACERS = 16

#: What can go wrong, and what is right then: saves that must not overwrite, and the proxy's faults.
PROMISES = ("create 4 KiB", "create 12 MiB", "corrupt upload", "corrupt download", "lost answer")


def run(context: Context) -> List[Row]:
    server = context.best_server()
    files = 100 if context.quick else 2_000
    size = (16 if context.quick else 256) * MIB
    contenders = (OURS, OBSTORE) if importlib.util.find_spec("obstore") else (OURS,)
    rows: List[Row] = []
    for work in ("up", "down", "put", "delete"):
        number = size if work in ("up", "down") else files
        case = f"{number // MIB} MiB {work}" if number == size else f"{work} {number:,} of 4 KiB"
        for who in contenders:
            where = {"server": describe(server), "bucket": server.create_bucket()}
            outcome = context.measure(move, who=who, work=work, number=number, **where)
            rows.append({"case": case, "who": who, **outcome})
    for promise in PROMISES:
        for who in contenders:
            proxy = context.proxy(server)
            if promise == "corrupt upload":
                proxy.inject(method="PUT", times=None, corrupt_request_at=7)
            elif promise == "corrupt download":
                proxy.inject(method="GET", times=None, corrupt_at=7)
            elif promise == "lost answer":
                proxy.inject(method="PUT", lose_answer=True)
            where = {
                "server": describe(server, proxy.endpoint_url),
                "bucket": server.create_bucket(),
            }
            server.client().put_object(Bucket=where["bucket"], Key="a.bin", Body=b"x" * 4096)
            note = context.measure(keep, who=who, promise=promise, **where)["note"]
            rows.append({"case": promise, "who": who, "note": note})
    return rows


def make_store(server: Dict[str, str], bucket: str) -> Any:
    from obstore.store import S3Store

    return S3Store(
        bucket,
        endpoint=server["endpoint_url"],
        access_key_id=server["access_key"],
        secret_access_key=server["secret_key"],
        region=server["region_name"],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": "600s"},
    )


def move(who: str, server: Dict[str, str], bucket: str, work: str, number: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "big.bin")
        if work in ("up", "down"):
            path.write_bytes(os.urandom(MIB) * (number // MIB))
        ways = _ways_of_ours(server, bucket) if who == OURS else _ways_of_obstore(server, bucket)
        if work == "down":
            ways["up"](path, number)
        elif work == "delete":
            ways["put"](path, number)
        memory = peak_memory()
        started, processor = time.perf_counter(), time.process_time()
        ways[work](path, number)
        return {
            "time_ms": (time.perf_counter() - started) * 1000,
            "cpu_ms": (time.process_time() - processor) * 1000,
            "memory_mb": (peak_memory() - memory) / MIB,
        }


def _names(number: int) -> List[str]:
    return [f"many/{turn}.bin" for turn in range(number)]


def _ways_of_ours(server: Dict[str, str], bucket: str) -> Dict[str, Callable[..., Any]]:
    storage = make_storage(OURS, server, bucket)
    from django.core.files.base import ContentFile, File

    def up(path: Path, number: int) -> None:
        with path.open("rb") as file:
            storage.save("big.bin", File(file))

    def down(path: Path, number: int) -> None:
        with storage.open("big.bin") as file:
            if len(file.read()) != number:
                raise RuntimeError("a read was short")

    def put(path: Path, number: int) -> None:
        body = os.urandom(4096)
        storage.save_many((name, ContentFile(body)) for name in _names(number))

    def delete(path: Path, number: int) -> None:
        storage.delete_many(_names(number))

    storage.exists("a.bin")
    return {"up": up, "down": down, "put": put, "delete": delete}


def _ways_of_obstore(server: Dict[str, str], bucket: str) -> Dict[str, Callable[..., Any]]:
    import asyncio

    import obstore

    store = make_store(server, bucket)

    def up(path: Path, number: int) -> None:
        obstore.put(store, "big.bin", path)

    def down(path: Path, number: int) -> None:
        if len(obstore.get(store, "big.bin").bytes()) != number:
            raise RuntimeError("a read was short")

    async def put_all(number: int) -> None:
        body, places = os.urandom(4096), asyncio.Semaphore(64)

        async def one(name: str) -> None:
            async with places:
                await obstore.put_async(store, name, body)

        await asyncio.gather(*map(one, _names(number)))

    def put(path: Path, number: int) -> None:
        asyncio.run(put_all(number))

    def delete(path: Path, number: int) -> None:
        obstore.delete(store, _names(number))

    return {"up": up, "down": down, "put": put, "delete": delete}


def keep(who: str, server: Dict[str, str], bucket: str, promise: str) -> Row:
    """Return as a note what became of a promise."""
    if who == OURS:
        storage = make_storage(OURS, server, bucket)
        storage.file_overwrite = False
        from django.core.files.base import ContentFile

        def create(name: str, body: bytes) -> Any:
            return storage.save(name, ContentFile(body))

        def read() -> bytes:
            content: bytes = storage.open("a.bin").read()
            return content
    else:
        import obstore

        store = make_store(server, bucket)

        def create(name: str, body: bytes) -> Any:
            obstore.put(store, name, body, mode="create")
            return name

        def read() -> bytes:
            return bytes(obstore.get(store, "a.bin").bytes())

    if promise.startswith("create"):
        size = 4096 if "KiB" in promise else 12 * MIB
        return {"note": _race(create, size)}
    try:
        if promise == "corrupt download":
            return {"note": "right bytes" if read() == b"x" * 4096 else "WRONG bytes, no error"}
        return {"note": f"saved as {create('b.bin', b'y' * 4096)}"}
    except Exception as error:
        return {"note": type(error).__name__}


def _race(create: Callable[[str, bytes], Any], size: int) -> str:
    names: List[Any] = []
    errors: List[str] = []

    def save(turn: int) -> None:
        try:
            names.append(create("raced.bin", bytes([turn]) * size))
        except Exception as error:
            errors.append(type(error).__name__)

    racers = [threading.Thread(target=save, args=(turn,)) for turn in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    found = f"{len(set(names))} names of {len(names)} saves"
    return f"{found}, {len(errors)} {errors[0]}" if errors else found


if __name__ == "__main__":
    from benchmarks.harness import Context, render_table

    with Context() as context:
        print(render_table(run(context)))
