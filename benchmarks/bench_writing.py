"""What writing costs: requests that wait for a network, CPU, and a gibibyte on its way up.

The contenders of a case meet in one process and take turns, so that what else the machine does
weighs on both; a gibibyte goes up in a process, and to a server, of its own.
"""

from __future__ import annotations

import io
import statistics
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from benchmarks import OURS, THEIRS
from benchmarks.memory import peak_memory

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row

TITLE = "Writing, many files at once, and a gibibyte up"

PLAIN = "boto3"
LATENCY = 0.02
MEGABYTE = 1024**2
Contest = Dict[str, Callable[[], Any]]


def run(context: Context) -> List[Row]:
    server = context.best_server()
    rows = context.measure(
        measure_latency,
        server=server.name,
        settings={
            **server.django_settings(),
            "AWS_S3_ENDPOINT_URL": context.proxy(server, LATENCY).endpoint_url,
        },
        bucket=server.create_bucket(),
        names=50 if context.quick else 500,
        rounds=3 if context.quick else 15,
    )["rows"]
    rows += context.measure(
        measure_cpu,
        server=server.name,
        settings=server.django_settings(),
        bucket=server.create_bucket(),
        rounds=3 if context.quick else 20,
    )["rows"]
    size = 64 * MEGABYTE if context.quick else 1024 * MEGABYTE
    for who in (OURS, THEIRS, PLAIN):
        case = f"{size // MEGABYTE:,} MiB up"
        rows.append({"case": case, "who": who, **context.measure(upload, who=who, size=size)})
    return rows


def make_storages(server: str, settings: Dict[str, Any], **options: Any) -> Dict[str, Any]:
    import django
    from django.conf import settings as django_settings

    if not django_settings.configured:
        django_settings.configure(INSTALLED_APPS=["smart_storages"], **settings)
        django.setup()
    from smart_storages.storages import S3Boto3Storage, SmartS3Storage

    return {
        OURS: SmartS3Storage(provider=server, **options),
        THEIRS: S3Boto3Storage(**options),
    }


def take_turns(contest: Contest, rounds: int, clock: Callable[[], float]) -> Dict[str, float]:
    """Return the median of what each contender took, after one round for warmth."""
    taken: Dict[str, List[float]] = {who: [] for who in contest}
    for number in range(rounds + 1):
        for who, work in contest.items():
            start = clock()
            work()
            if number:
                taken[who].append(clock() - start)
    return {who: statistics.median(times) for who, times in taken.items()}


def measure_latency(
    server: str, settings: Dict[str, Any], bucket: str, names: int, rounds: int
) -> Dict[str, Any]:
    from django.core.files.base import ContentFile

    settings = {**settings, "AWS_STORAGE_BUCKET_NAME": bucket}
    overwriting = make_storages(server, settings)
    careful = make_storages(server, settings, file_overwrite=False)
    rows: List[Row] = []
    counter = iter(range(1_000_000))

    def measure(case: str, storages: Dict[str, Any], work: Callable[[Any], Any], n: int) -> None:
        contest = {who: (lambda it=storage: work(it)) for who, storage in storages.items()}
        for who, seconds in take_turns(contest, n, time.perf_counter).items():
            rows.append({"case": f"{case}, 20 ms away", "who": who, "time_ms": seconds * 1000})

    def write(storage: Any) -> None:
        with storage.open("small.txt", "wb") as file:
            file.write(b"0123456789")

    measure("save", overwriting, lambda it: it.save("a.txt", ContentFile(b"x")), rounds)
    measure(
        "save, name free",
        careful,
        lambda it: it.save(f"free/{next(counter)}.txt", ContentFile(b"x")),
        rounds,
    )
    measure("save, name taken", careful, lambda it: it.save("a.txt", ContentFile(b"x")), rounds)
    measure("open, write 10 bytes", overwriting, write, rounds)
    rows.extend(_measure_many(overwriting, names))
    return {"rows": rows}


def _measure_many(storages: Dict[str, Any], names: int) -> List[Row]:
    from django.core.files.base import ContentFile

    ours, theirs = storages[OURS], storages[THEIRS]
    paths = [f"many/{number:05}.txt" for number in range(names)]
    rows: List[Row] = []

    def add(case: str, work: Contest) -> None:
        for who, function in work.items():
            start = time.perf_counter()
            function()
            seconds = time.perf_counter() - start
            title = f"{case} {names} files, 20 ms away"
            rows.append({"case": title, "who": who, "time_ms": seconds * 1000})

    def fill() -> None:
        ours.save_many((path, ContentFile(b"x")) for path in paths)

    add(
        "save",
        {OURS: fill, THEIRS: lambda: [theirs.save(path, ContentFile(b"x")) for path in paths]},
    )
    add(
        "exists of",
        {
            OURS: lambda: ours.exists_many(paths),
            THEIRS: lambda: [theirs.exists(path) for path in paths],
        },
    )
    add("delete", {THEIRS: lambda: [theirs.delete(path) for path in paths]})
    fill()
    add("delete", {OURS: lambda: ours.delete_many(paths)})
    return rows


def measure_cpu(server: str, settings: Dict[str, Any], bucket: str, rounds: int) -> Dict[str, Any]:
    from django.core.files.base import ContentFile

    storages = make_storages(server, {**settings, "AWS_STORAGE_BUCKET_NAME": bucket})
    body = bytes(4096)
    client = storages[OURS].client
    each = 20

    def write(storage: Any) -> None:
        for _ in range(each):
            with storage.open("small.bin", "wb") as file:
                file.write(body)

    def save(storage: Any) -> None:
        for _ in range(each):
            storage.save("small.bin", ContentFile(body))

    def put() -> None:
        for _ in range(each):
            client.put_object(Bucket=bucket, Key="small.bin", Body=body)

    rows: List[Row] = []
    for case, work in (("save 4 KB", save), ("open, write 4 KB", write)):
        contest: Contest = {
            OURS: lambda work=work: work(storages[OURS]),  # type: ignore[misc]
            THEIRS: lambda work=work: work(storages[THEIRS]),  # type: ignore[misc]
            PLAIN: put,
        }
        for who, seconds in take_turns(contest, rounds, time.process_time).items():
            rows.append({"case": f"{case}, CPU", "who": who, "cpu_ms": seconds / each * 1000})
    return {"rows": rows}


class Endless(io.RawIOBase):
    """So many zeros, from no memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = self.left if size < 0 else min(size, self.left)
        self.left -= size
        return bytes(size)


def upload(who: str, size: int) -> Dict[str, float]:
    from django.core.files.base import ContentFile, File

    from tests.servers import CephGateway, MotoServer, ceph_available

    # A server for each: Ceph gives the memory of deleted objects back when it ends.
    with CephGateway() if ceph_available() else MotoServer() as server:
        bucket = server.create_bucket()
        settings = {**server.django_settings(), "AWS_STORAGE_BUCKET_NAME": bucket}
        storages = make_storages(server.name, settings)
        storage = storages[THEIRS if who == THEIRS else OURS]
        storage.save("warm.txt", ContentFile(b"x"))
        before = peak_memory()
        content = Endless(size)
        start = time.perf_counter()
        if who == PLAIN:
            storage.client.upload_fileobj(content, bucket, "large.bin")
        else:
            storage.save("large.bin", File(content, "large.bin"))
        seconds = time.perf_counter() - start
        grown = peak_memory() - before
        assert storage.size("large.bin") == size  # noqa: S101
    return {"mib_per_s": size / MEGABYTE / seconds, "grown_mib": grown / MEGABYTE}
