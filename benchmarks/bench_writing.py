"""The cost of writing: requests over a network with latency, CPU, and the upload of a gibibyte.

The contenders of a case take turns in one process, so that other work on the machine affects all
of them. How much an upload makes a process grow is measured in a process of its own.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple

from benchmarks import BARE, BOTO3, OBSTORE, OURS, THEIRS
from benchmarks.contenders import (
    BareBucket,
    ObstoreBucket,
    further_contenders,
    make_further,
)
from benchmarks.memory import peak_memory

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row
    from tests.servers import S3Server

TITLE = "Writing: small files, many at once, large ones"

FURTHER = (BareBucket, ObstoreBucket)
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
    for mebibytes in (64,) if context.quick else (256, 1024):
        rows += _measure_large(context, f"file of {mebibytes:,} MiB up", mebibytes)
    mebibytes = 64 if context.quick else 1024
    rows += _measure_large(context, f"stream of {mebibytes:,} MiB up", mebibytes, on_disk=False)
    return rows


def _measure_large(
    context: Context, case: str, mebibytes: int, *, on_disk: bool = True
) -> List[Row]:
    large: Dict[str, Any] = {"size": mebibytes * MEGABYTE, "on_disk": on_disk}
    rows = context.measure_once(upload_in_turns, rounds=context.repeat, **large)["rows"]
    return [{"case": case, **row, **context.measure(grow, who=row["who"], **large)} for row in rows]


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
        **make_further(theirs.connection.meta.client, theirs.bucket_name),
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

    def delete(self, name: str) -> None:
        self._call("delete_object", Key=name)

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
        proxies = {
            who: context.proxy(server, LATENCY)
            for who in (OURS, THEIRS, BOTO3, *further_contenders())
        }
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
    if isinstance(storage, (PlainBucket, *FURTHER)):
        _save(storage, "small.txt", b"0123456789")
        return
    with storage.open("small.txt", "wb") as file:
        file.write(b"0123456789")


def _save(storage: Any, name: str, content: bytes = b"x") -> None:
    from django.core.files.base import ContentFile

    if isinstance(storage, FURTHER):
        storage.put(name, content)
    else:
        storage.save(name, ContentFile(content))


def _save_new(storage: Any, name: str) -> None:
    if isinstance(storage, FURTHER):
        storage.put_new(name, b"x")
    else:
        _save(storage, name)


#: For each case, the options of the storage and what it does in each round.
SAVES: Dict[str, Tuple[Dict[str, Any], Callable[[Any, int], None]]] = {
    "save": ({}, lambda storage, number: _save(storage, "a.txt")),
    "save, name free": (
        {"file_overwrite": False},
        lambda storage, number: _save_new(storage, f"free/{number}.txt"),
    ),
    "save, name taken": (
        {"file_overwrite": False},
        lambda storage, number: _save_new(storage, "taken.txt"),
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
    storages = make_storages(server, {**settings, "AWS_STORAGE_BUCKET_NAME": bucket})
    rows: List[Row] = []
    for case, work in (("save", _save_4kb), ("open, write", _write_4kb), ("delete", _delete_4kb)):
        contest: Contest = {
            who: partial(_repeat, work, storage) for who, storage in storages.items()
        }
        for who, seconds in take_turns(contest, rounds, time.process_time).items():
            rows.append({"case": f"{case} 4 KB, CPU", "who": who, "cpu_ms": seconds / EACH * 1000})
    return {"rows": rows}


#: How often an operation is repeated for one figure of processor time.
EACH = 20


def _repeat(work: Callable[[Any], Any], storage: Any) -> None:
    for _ in range(EACH):
        work(storage)


def _save_4kb(storage: Any) -> None:
    _save(storage, "small.bin", bytes(4096))


def _write_4kb(storage: Any) -> None:
    if isinstance(storage, (PlainBucket, *FURTHER)):
        _save_4kb(storage)
        return
    with storage.open("small.bin", "wb") as file:
        file.write(bytes(4096))


def _delete_4kb(storage: Any) -> None:
    storage.delete("small.bin")


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


def upload_in_turns(size: int, rounds: int, on_disk: bool = True) -> Row:
    """Measure the throughput and processor time of each contender, on one server of their own.

    Each object is deleted before the next upload and its memory freed: what a server gets anew
    from the system for an upload takes longer than the upload itself, and by chance.
    """
    with _Large(size, on_disk) as large:
        spent: Dict[str, List[float]] = {who: [] for who in large.contenders}
        taken: Dict[str, List[float]] = {who: [] for who in large.contenders}
        for number in range(rounds + 1):
            for who in large.contenders:
                processor, start = time.process_time(), time.perf_counter()
                large.send(who)
                if number:  # the first round warms up
                    taken[who].append(time.perf_counter() - start)
                    spent[who].append(time.process_time() - processor)
                large.remove()
    rows = [
        {
            "who": who,
            "mib_per_s": size / MEGABYTE / statistics.median(taken[who]),
            "cpu_s": statistics.median(spent[who]),
        }
        for who in taken
    ]
    return {"rows": rows}


def grow(who: str, size: int, on_disk: bool = True) -> Row:
    """Measure by how much an upload makes this process grow, which must be a fresh one."""
    with _Large(size, on_disk) as large:
        _save(large.storages[who], "warm.txt")
        before = peak_memory()
        large.send(who)
        return {"grown_mib": (peak_memory() - before) / MEGABYTE}


class _Large:
    """A large file, or a stream, and a server to which the contenders send it."""

    def __init__(self, size: int, on_disk: bool) -> None:
        self._size, self._on_disk = size, on_disk
        self._stack = ExitStack()

    def __enter__(self) -> _Large:
        from tests.servers import CephGateway, MotoServer, ceph_available

        gateway = CephGateway() if ceph_available() else MotoServer()
        self._free_memory = getattr(gateway, "free_memory", lambda: None)
        server = self._stack.enter_context(gateway)
        self._path = Path(self._stack.enter_context(TemporaryDirectory()), "large.bin")
        if self._on_disk:
            _write_file(self._path, self._size)
        self._bucket = server.create_bucket()
        settings = {**server.django_settings(), "AWS_STORAGE_BUCKET_NAME": self._bucket}
        self.storages = make_storages(server.name, settings)
        self.contenders = list(self.storages) if self._on_disk else [OURS, THEIRS, BOTO3]
        self._client = self.storages[OURS].client
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.close()

    def send(self, who: str) -> None:
        """Upload it."""
        from django.core.files.base import File

        if who in (BARE, OBSTORE):
            self.storages[who].put_file("large.bin", self._path)
        elif who == BOTO3 and self._on_disk:
            self._client.upload_file(str(self._path), self._bucket, "large.bin")
        else:
            with self._path.open("rb") if self._on_disk else Endless(self._size) as content:
                if who == BOTO3:
                    self._client.upload_fileobj(content, self._bucket, "large.bin")
                else:
                    self.storages[who].save("large.bin", File(content, "large.bin"))

    def remove(self) -> None:
        """Take it away from the server, its memory included."""
        found = self._client.head_object(Bucket=self._bucket, Key="large.bin")
        assert found["ContentLength"] == self._size  # noqa: S101
        self._client.delete_object(Bucket=self._bucket, Key="large.bin")
        self._free_memory()


def _write_file(path: Path, size: int) -> None:
    block = os.urandom(MEGABYTE)
    with path.open("wb") as file:
        for _ in range(size // MEGABYTE):
            file.write(block)
