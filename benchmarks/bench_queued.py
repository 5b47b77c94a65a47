"""The cost of a queued save in the request, the throughput of the workers, the cost of the ledger.

A save writes and flushes to a disk, with the ledger in PostgreSQL and Celery's broker in Redis. For
comparison, django-storages saves to the same S3 server. Each request to that server takes 20 ms.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List

from benchmarks import BOTO3, OURS, THEIRS

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row

TITLE = "Queued saves, transfers, and the ledger"

LATENCY = 0.02
SIZE = 100_000
DISK = "django's disk"


def run(context: Context) -> List[Row]:
    from tests.servers.queues import Postgres, Redis

    lacking = [each for each in (Postgres.missing(), Redis.missing()) if each]
    if lacking:
        return [{"case": "queued", "who": OURS, "note": f"not measured: {', '.join(lacking)}"}]
    server = context.best_server()
    saves = 20 if context.quick else 200
    files = 40 if context.quick else 400
    rows: List[Row] = []
    with Postgres() as postgres, Redis() as redis:
        slow = context.proxy(server, latency=LATENCY).endpoint_url
        for overwrite, names in ((True, "overwriting"), (False, "names kept apart")):
            bucket = {
                "bucket_name": server.create_bucket(),
                "endpoint_url": slow,
                "access_key": server.access_key,
                "secret_key": server.secret_key,
                "region_name": server.region_name,
                "addressing_style": "path",
                "file_overwrite": overwrite,
            }
            given: Dict[str, Any] = {
                "database": postgres.create_database(),
                "engine": "celery",
                "broker": redis.url,
                "remote": "media",
                "buckets": {"media": bucket},
            }
            case = f"save 100 kB, {names}, 20 ms a request"
            with project(given) as made:
                rows += [
                    {"case": case, "who": who, **context.measure(save, who=who, saves=saves)}
                    for who in (OURS, THEIRS, BOTO3)
                ]
                if overwrite:
                    outcome = context.measure(save, who=OURS, saves=saves, durable=False)
                    rows.append({"case": f"{case}, not flushed", "who": OURS, **outcome})
                    rows.append(measure_ledger(context, saves))
                    rows += [measure_workers(made, number, files) for number in (1, 2, 4)]
    return rows


@contextlib.contextmanager
def project(given: Dict[str, Any]) -> Iterator[Any]:
    from tests.queued.project import Project

    with tempfile.TemporaryDirectory() as root:
        made = Project(Path(root), given.pop("database"), **given)
        before = dict(os.environ)
        os.environ.update(made.environment)
        try:
            yield made
        finally:
            made.stop()
            os.environ.clear()
            os.environ.update(before)


def save(who: str, saves: int, durable: bool = True) -> Dict[str, Any]:
    """Save in one process, as a request does, and return the median of each save."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.files.base import ContentFile
    from storages.backends.s3 import S3Storage

    from smart_storages.utils import storages

    makers: Dict[str, Callable[[], Any]] = {
        OURS: lambda: storages["scans"],
        THEIRS: lambda: S3Storage(**settings.SMART_STORAGE_BUCKETS["media"]),
        BOTO3: lambda: PlainBucket(S3Storage(**settings.SMART_STORAGE_BUCKETS["media"])),
        DISK: lambda: storages["scratch"],
    }
    storage = makers[who]()
    storage.durable = durable
    content = os.urandom(SIZE)
    storage.save(f"{os.getpid()}-first.bin", ContentFile(content))
    times = []
    for number in range(saves):
        started = time.perf_counter()
        storage.save(f"{os.getpid()}-{number}.bin", ContentFile(content))
        times.append(time.perf_counter() - started)
    return {
        "save_ms": statistics.median(times) * 1000,
        "p95_ms": sorted(times)[int(len(times) * 0.95)] * 1000,
    }


class PlainBucket:
    """A save with boto3 alone: one request, which fails if a taken name must not be overwritten."""

    def __init__(self, storage: Any) -> None:
        self._client = storage.connection.meta.client
        self._options = {"Bucket": storage.bucket_name}
        if not storage.file_overwrite:
            self._options["IfNoneMatch"] = "*"

    def save(self, name: str, content: Any) -> None:
        self._client.put_object(Key=name, Body=content.read(), **self._options)


def measure_ledger(context: Context, saves: int) -> Row:
    """Compare a queued save, without broker and flushing, with a save to the plain disk."""
    queued = context.measure(save_with_ledger, saves=saves)
    plain = context.measure(save, who=DISK, saves=saves)
    return {
        "case": "ledger, save 100 kB",
        "who": OURS,
        "with_ledger_ms": queued["save_ms"],
        "plain_disk_ms": plain["save_ms"],
        "ledger_ms": queued["save_ms"] - plain["save_ms"],
        "queries": queued["queries"],
    }


def save_with_ledger(saves: int) -> Dict[str, Any]:
    import django

    django.setup()
    from django.conf import settings
    from django.core.files.base import ContentFile
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from smart_storages.utils import storages

    settings.SMART_STORAGE_TASKS = "benchmarks.bench_queued.send_nothing"
    outcome = save(OURS, saves, durable=False)
    storage = storages["scans"]
    with CaptureQueriesContext(connection) as queries:
        storage.save("counted.bin", ContentFile(b"x"))
    return {**outcome, "queries": len(queries)}


def send_nothing(pk: int, delay: float) -> None:
    """An engine that sends no messages."""


def measure_workers(made: Any, workers: int, files: int) -> Row:
    """Let workers transfer a backlog, and measure from the first file that arrives to the last."""
    made.manage(
        "shell",
        "-c",
        "from smart_storages.queued.models import *;QueuedFile.objects.all().delete()",
    )
    empty_broker(made)
    made.client("save", workers * 10_000, files)
    worker = made.start_celery(processes=workers)
    try:
        answer = made.client("rate", files)
    finally:
        made.kill(worker)
    return {"case": f"{workers} workers, 10 kB, 20 ms a request", "who": OURS, **answer}


def empty_broker(made: Any) -> None:
    import redis

    redis.Redis.from_url(json.loads(made.environment["PROJECT"])["broker"]).flushall()
