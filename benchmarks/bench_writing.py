"""The cost of writing: requests over a network with latency, CPU, and the upload of a gibibyte.

The contenders of a case take turns in one process, so that other work on the machine affects all
of them; each upload of a gibibyte has its own process and its own server.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple

from benchmarks import BOTO3, OURS, THEIRS
from benchmarks.memory import peak_memory

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row
    from tests.servers import S3Server

TITLE = "Writing, many files at once, and a gibibyte up"

LATENCY = 0.02
MEGABYTE = 1024**2
Contest = Dict[str, Callable[[], Any]]


def run(context: Context) -> List[Row]:
    server = context.best_server()
    rows = _measure_saves(context, server) + _measure_many(context, server)
    rows += context.measure(
        measure_cpu,
        server=server.name,
        settings=server.django_settings(),
        bucket=server.create_bucket(),
        rounds=3 if context.quick else 20,
    )["rows"]
    size = 64 * MEGABYTE if context.quick else 1024 * MEGABYTE
    for who in (OURS, THEIRS, BOTO3):
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

    theirs = S3Boto3Storage(**options)
    return {
        OURS: SmartS3Storage(provider=server, **options),
        THEIRS: theirs,
        BOTO3: PlainBucket(theirs),
    }


class PlainBucket:
    """A storage written with boto3 alone."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    @property
    def connection(self) -> Any:
        return self._storage.connection

    def _call(self, method: str, **arguments: Any) -> Any:
        client = self.connection.meta.client
        return getattr(client, method)(Bucket=self._storage.bucket_name, **arguments)

    def save(self, name: str, content: Any) -> str:
        """Save with one request; with a second one under another name, if the first is taken."""
        from botocore.exceptions import ClientError

        body = content.read()
        if self._storage.file_overwrite:
            self._call("put_object", Key=name, Body=body)
            return name
        try:
            self._call("put_object", Key=name, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            name = f"{time.time_ns()}-{name}"
            self._call("put_object", Key=name, Body=body, IfNoneMatch="*")
        return name

    def head(self, name: str) -> Any:
        return self._call("head_object", Key=name)

    def delete_many(self, names: List[str]) -> None:
        for start in range(0, len(names), 1000):
            keys = [{"Key": name} for name in names[start : start + 1000]]
            self._call("delete_objects", Delete={"Objects": keys, "Quiet": True})


def take_turns(contest: Contest, rounds: int, clock: Callable[[], float]) -> Dict[str, float]:
    """Return the median time of each contender, after one round to warm up."""
    taken: Dict[str, List[float]] = {who: [] for who in contest}
    for number in range(rounds + 1):
        for who, work in contest.items():
            start = clock()
            work()
            if number:
                taken[who].append(clock() - start)
    return {who: statistics.median(times) for who, times in taken.items()}


def _measure_saves(context: Context, server: S3Server) -> List[Row]:
    rows: List[Row] = []
    rounds = 3 if context.quick else 15
    bucket = server.create_bucket()
    server.client().put_object(Bucket=bucket, Key="taken.txt", Body=b"x")
    for case in SAVES:
        # A proxy for each contender, to count its requests.
        proxies = {who: context.proxy(server, LATENCY) for who in (OURS, THEIRS, BOTO3)}
        taken = context.measure(
            save_in_turns,
            case=case,
            rounds=rounds,
            endpoints={who: proxy.endpoint_url for who, proxy in proxies.items()},
            **_where(server, bucket),
        )
        for who, proxy in proxies.items():
            runs = context.repeat * (rounds + 1)  # the proxy also counts the warm-up round
            title = f"{case}, 20 ms away"
            requests = round(len(proxy.requests) / runs, 2)
            rows.append(
                {"case": title, "who": who, "time_ms": taken[who] * 1000, "requests": requests}
            )
    return rows


def _measure_many(context: Context, server: S3Server) -> List[Row]:
    rows: List[Row] = []
    many = 250 if context.quick else 2_500
    # One by one, a name takes django-storages as long among 2,500 as among 250.
    names = {OURS: many, THEIRS: many // 10, BOTO3: many // 10}
    for case in MANY:
        names[BOTO3] = many if case == "delete" else many // 10
        for who in (OURS, THEIRS, BOTO3):
            proxy = context.proxy(server, LATENCY)
            outcome = context.measure(
                work_on_many,
                who=who,
                case=case,
                names=names[who],
                endpoint_url=proxy.endpoint_url,
                **_where(server, server.create_bucket()),
            )
            scale = many // names[who]
            row: Row = {
                "case": f"{case} {many:,} files, 20 ms away",
                "who": who,
                "time_ms": outcome["seconds"] * scale * 1000,
                "requests": round(len(proxy.requests) * scale / context.repeat),
            }
            if scale > 1:
                row["note"] = f"measured with {names[who]:,}, times {scale}"
            rows.append(row)
    return rows


def _where(server: S3Server, bucket: str) -> Dict[str, Any]:
    settings = {**server.django_settings(), "AWS_STORAGE_BUCKET_NAME": bucket}
    return {"server": server.name, "settings": settings}


def _write(storage: Any, number: int) -> None:
    if isinstance(storage, PlainBucket):
        _save(storage, "small.txt", b"0123456789")
        return
    with storage.open("small.txt", "wb") as file:
        file.write(b"0123456789")


def _save(storage: Any, name: str, content: bytes = b"x") -> None:
    from django.core.files.base import ContentFile

    storage.save(name, ContentFile(content))


#: For each case, the options of the storage and what it does in each round.
SAVES: Dict[str, Tuple[Dict[str, Any], Callable[[Any, int], None]]] = {
    "save": ({}, lambda storage, number: _save(storage, "a.txt")),
    "save, name free": (
        {"file_overwrite": False},
        lambda storage, number: _save(storage, f"free/{number}.txt"),
    ),
    "save, name taken": (
        {"file_overwrite": False},
        lambda storage, number: _save(storage, "taken.txt"),
    ),
    "open, write 10 bytes": ({}, _write),
}


def save_in_turns(
    server: str, settings: Dict[str, Any], case: str, rounds: int, endpoints: Dict[str, str]
) -> Dict[str, float]:
    options, work = SAVES[case]
    contest: Contest = {}
    counter = iter(range(int(time.time() * 1000), sys.maxsize))
    for who, endpoint_url in endpoints.items():
        storage = make_storages(server, settings, endpoint_url=endpoint_url, **options)[who]
        contest[who] = lambda storage=storage: work(storage, next(counter))  # type: ignore[misc]
    return take_turns(contest, rounds, time.perf_counter)


def _save_all(storage: Any, names: List[str]) -> Any:
    from django.core.files.base import ContentFile

    return storage.save_many((name, ContentFile(b"x")) for name in names)


#: For each case, our call for many names, and their call for each name.
MANY: Dict[str, Tuple[Callable[[Any, List[str]], Any], Callable[[Any, str], Any]]] = {
    "save": (_save_all, _save),
    "exists of": (
        lambda storage, names: storage.exists_many(names),
        lambda storage, name: storage.exists(name),
    ),
    "size and time of": (
        lambda storage, names: storage.stat_many(names),
        lambda storage, name: (storage.size(name), storage.get_modified_time(name)),
    ),
    "delete": (
        lambda storage, names: storage.delete_many(names),
        lambda storage, name: storage.delete(name),
    ),
}


def work_on_many(
    who: str, server: str, settings: Dict[str, Any], *, case: str, names: int, endpoint_url: str
) -> Dict[str, float]:
    paths = [f"many/{number:05}.txt" for number in range(names)]
    if case != "save":
        # Directly on the server, so that it is neither counted nor timed.
        _save_all(make_storages(server, settings)[OURS], paths)
    storage = make_storages(server, settings, endpoint_url=endpoint_url)[who]
    together, one = MANY[case]
    storage.connection  # noqa: B018 - creates the client before the timing starts
    start = time.perf_counter()
    if who == OURS:
        together(storage, paths)
    elif who == BOTO3 and case == "delete":
        storage.delete_many(paths)
    elif who == BOTO3 and case != "save":
        for path in paths:
            storage.head(path)
    else:
        for path in paths:
            one(storage, path)
    return {"seconds": time.perf_counter() - start}


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
            BOTO3: put,
        }
        for who, seconds in take_turns(contest, rounds, time.process_time).items():
            rows.append({"case": f"{case}, CPU", "who": who, "cpu_ms": seconds / each * 1000})
    return {"rows": rows}


class Endless(io.RawIOBase):
    """A file of ``size`` zeros, which takes no memory."""

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

    # A server for each upload: Ceph releases the memory of deleted objects only when it ends.
    with CephGateway() if ceph_available() else MotoServer() as server:
        bucket = server.create_bucket()
        settings = {**server.django_settings(), "AWS_STORAGE_BUCKET_NAME": bucket}
        storages = make_storages(server.name, settings)
        storage = storages[THEIRS if who == THEIRS else OURS]
        storage.save("warm.txt", ContentFile(b"x"))
        before = peak_memory()
        content = Endless(size)
        start = time.perf_counter()
        if who == BOTO3:
            storage.client.upload_fileobj(content, bucket, "large.bin")
        else:
            storage.save("large.bin", File(content, "large.bin"))
        seconds = time.perf_counter() - start
        grown = peak_memory() - before
        assert storage.size("large.bin") == size  # noqa: S101
    return {"mib_per_s": size / MEGABYTE / seconds, "grown_mib": grown / MEGABYTE}
