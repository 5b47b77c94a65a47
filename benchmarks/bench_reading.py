"""The cost of reading: a small file, the first bytes of a big one, a gigabyte."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from benchmarks import BARE, BOTO3, OBSTORE, OURS, THEIRS
from benchmarks.contenders import further_contenders, make_further
from benchmarks.memory import peak_memory

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row
    from tests.servers import S3Server

TITLE = "Reading: processor time of small files, requests under 20 ms of latency, throughput"

MIB = 1024 * 1024
LATENCY = 0.02
NEAR = 0.001
SMALL = 4096
BIG = 20_000_000


def run(context: Context) -> List[Row]:
    server = context.best_server()
    bucket = server.create_bucket()
    client = server.client()
    for key, size in (("small", SMALL), ("eight", 8 * MIB), ("big", BIG)):
        client.put_object(Bucket=bucket, Key=key, Body=b"x" * size)
    where = {"server": describe(server), "bucket": bucket}
    rows: List[Row] = []
    reads = 50 if context.quick else 500
    for who in (OURS, THEIRS, BOTO3, *further_contenders()):
        outcome = context.measure(read_small, who=who, number=reads, **where)
        rows.append({"case": "read 4 KB, each", "who": who, **outcome})
    rows += _measure_latency(context, server, bucket)
    size = (64 if context.quick else 1024) * MIB
    _upload(client, bucket, size)
    for who in (OURS, THEIRS, BOTO3, *further_contenders()):
        outcome = context.measure(stream, who=who, size=size, **where)
        rows.append({"case": f"stream {size // MIB} MiB", "who": who, **outcome})
    return rows


def _measure_latency(context: Context, server: S3Server, bucket: str) -> List[Row]:
    rows: List[Row] = []
    for case, latency in [*((case, LATENCY) for case in OPERATIONS), (GIVEN_UP, NEAR)]:
        for who in (OURS, THEIRS, BOTO3, *further_contenders()):
            proxy = context.proxy(server, latency)
            where = {"server": describe(server, proxy.endpoint_url), "bucket": bucket}
            outcome = context.measure(operate, who=who, case=case, **where)
            asked = [request for request in proxy.requests if request.path.count("/") > 1]
            runs = context.repeat * RUNS
            rows.append(
                {
                    "case": case if latency == LATENCY else f"{case}, 1 ms away",
                    "who": who,
                    **outcome,
                    "requests": round(len(asked) / runs, 2),
                    "moved_kb": sum(request.body_down for request in asked) / runs / 1000,
                }
            )
    return rows


#: How often an operation is timed in one process, including the first time.
RUNS = 5


def describe(server: S3Server, endpoint_url: str = "") -> Dict[str, str]:
    return {
        "endpoint_url": endpoint_url or server.endpoint_url,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "region_name": server.region_name,
    }


def _upload(client: Any, bucket: str, size: int) -> None:
    from boto3.s3.transfer import TransferConfig

    class Zeros:
        left = size

        def read(self, amount: int = -1) -> bytes:
            amount = self.left if amount < 0 else min(amount, self.left)
            self.left -= amount
            return b"\0" * amount

    config = TransferConfig(multipart_chunksize=16 * MIB, max_concurrency=2)
    client.upload_fileobj(Zeros(), bucket, "huge", Config=config)


# Functions that run in a process of their own


def make_storage(who: str, server: Dict[str, str], bucket: str) -> Any:
    import django
    from django.conf import settings

    settings.configure(USE_TZ=True, INSTALLED_APPS=["smart_storages"])
    django.setup()
    from smart_storages.storages import S3Boto3Storage, SmartS3Storage

    made = SmartS3Storage if who == OURS else S3Boto3Storage
    return made(bucket_name=bucket, addressing_style="path", signature_version="s3v4", **server)


def make_reader(who: str, server: Dict[str, str], bucket: str) -> Callable[[str], Any]:
    """Return a function that returns an iterator over the content of a key."""
    storage = make_storage(who, server, bucket)
    client = storage.connection.meta.client
    if who in (OURS, THEIRS):
        return lambda key: storage.open(key).chunks(MIB)
    if who == BOTO3:
        return lambda key: client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(MIB)
    bucket_of = make_further(client, bucket)[who]
    return lambda key: bucket_of.chunks(key, MIB)


def read_small(who: str, server: Dict[str, str], bucket: str, number: int) -> Row:
    storage = make_storage(who, server, bucket)
    client = storage.connection.meta.client
    params = {"Bucket": bucket, "Key": "small"}
    further = make_further(client, bucket)
    ways: Dict[str, Callable[[], Any]] = {
        OURS: lambda: storage.open("small").read(),
        THEIRS: lambda: storage.open("small").read(),
        BOTO3: lambda: client.get_object(**params)["Body"].read(),  # noqa: PLW0108 - each time
        **{each: partial(further[each].get, "small") for each in further},
    }
    read = ways[who]
    for _ in range(10):
        read()
    processor, started = time.process_time(), time.perf_counter()
    for _ in range(number):
        if len(read()) != SMALL:
            raise RuntimeError(f"{who} did not read it all")
    return {
        "cpu_ms": (time.process_time() - processor) / number * 1000,
        "time_ms": (time.perf_counter() - started) / number * 1000,
    }


def operate(who: str, server: Dict[str, str], bucket: str, case: str) -> Row:
    storage = make_storage(who, server, bucket)
    work: Callable[[], Any] = partial(OPERATIONS[case], storage)
    if who == BOTO3:
        get = partial(storage.connection.meta.client.get_object, Bucket=bucket)
        work = partial(PLAIN_OPERATIONS[case], get, storage.connection.meta.client)
    elif who in (OBSTORE, BARE):
        further = make_further(storage.connection.meta.client, bucket)[who]
        work = partial(FURTHER_OPERATIONS[case], further)
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    # The first run also creates the client, which the benchmark of clients measures.
    return {"time_ms": min(times[1:])}


def stream(who: str, server: Dict[str, str], bucket: str, size: int) -> Row:
    read = make_reader(who, server, bucket)
    list(read("small"))
    before = peak_memory()
    processor, started = time.process_time(), time.perf_counter()
    got = sum(map(len, read("huge")))
    seconds, spent = time.perf_counter() - started, time.process_time() - processor
    if got != size:
        raise RuntimeError(f"{who} read {got} of {size} bytes")
    return {
        "mb_per_s": size / seconds / 1e6,
        "cpu_s": spent,
        "memory_growth_mb": (peak_memory() - before) / MIB,
    }


def _open_missing(storage: Any) -> None:
    try:
        storage.open("missing")
    except FileNotFoundError:
        return
    raise RuntimeError("opened a file that does not exist")


def _read_at(storage: Any, position: int) -> None:
    with storage.open("big") as file:
        file.seek(position)
        if len(file.read(10)) != 10:
            raise RuntimeError("read too little")


def _ask_open_file(storage: Any) -> None:
    with storage.open("small") as file:
        if file.size != SMALL:
            raise RuntimeError("the wrong size")
        kind = file.content_type if hasattr(file, "content_type") else file.obj.content_type
        when = file.modified_time if hasattr(file, "modified_time") else file.obj.last_modified
        if not kind or not when:
            raise RuntimeError("no type or time")


#: When the file is closed, a part of the unread rest has already been sent: measured both without
#: and with latency.
GIVEN_UP = "10 bytes of 20 MB"

OPERATIONS: Dict[str, Callable[[Any], Any]] = {
    "open(name).read() of 4 KB": lambda storage: len(storage.open("small").read()),
    "open(name).read() of 8 MiB": lambda storage: len(storage.open("eight").read()),
    "open of a missing name": _open_missing,
    GIVEN_UP: lambda storage: _read_at(storage, 0),
    "20 MB, 10 bytes near the end": lambda storage: _read_at(storage, BIG - 100),
    "size, time, type of an open file": _ask_open_file,
}


def _get_missing(get: Any, client: Any) -> None:
    try:
        get(Key="missing")
    except client.exceptions.NoSuchKey:
        return
    raise RuntimeError("got an object that does not exist")


def _get_range(get: Any, wanted: str) -> None:
    if len(get(Key="big", Range=wanted)["Body"].read()) != 10:
        raise RuntimeError("read too little")


#: The same operations with boto3 alone, written for speed.
PLAIN_OPERATIONS: Dict[str, Callable[[Any, Any], Any]] = {
    "open(name).read() of 4 KB": lambda get, client: get(Key="small")["Body"].read(),
    "open(name).read() of 8 MiB": lambda get, client: get(Key="eight")["Body"].read(),
    "open of a missing name": _get_missing,
    "10 bytes of 20 MB": lambda get, client: _get_range(get, "bytes=0-9"),
    "20 MB, 10 bytes near the end": lambda get, client: _get_range(
        get, f"bytes={BIG - 100}-{BIG - 91}"
    ),
    "size, time, type of an open file": lambda get, client: client.head_object(
        Bucket=get.keywords["Bucket"], Key="small"
    ),
}


def _further_missing(bucket: Any) -> None:
    try:
        bucket.get("missing")
    except FileNotFoundError:
        return


#: The same operations with obstore, and with bare HTTP.
FURTHER_OPERATIONS: Dict[str, Callable[[Any], Any]] = {
    "open(name).read() of 4 KB": lambda bucket: bucket.get("small"),
    "open(name).read() of 8 MiB": lambda bucket: bucket.get("eight"),
    "open of a missing name": _further_missing,
    "10 bytes of 20 MB": lambda bucket: bucket.get_range("big", 0, 10),
    "20 MB, 10 bytes near the end": lambda bucket: bucket.get_range("big", BIG - 100, BIG - 90),
    "size, time, type of an open file": lambda bucket: bucket.head("small"),
}
