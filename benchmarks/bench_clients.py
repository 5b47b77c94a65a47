"""The cost of many storages: clients, construction, the import, records of what they do."""

from __future__ import annotations

import base64
import gc
import importlib
import sys
import threading
import time
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Set, Tuple

from benchmarks import BOTO3, OURS, THEIRS
from benchmarks.bench_reading import describe, make_storage
from benchmarks.recorded import measure_records

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row

TITLE = "First use of many storages, their construction, the import, and the first request"

IMPORTS = {OURS: "smart_storages.storages", THEIRS: "storages.backends.s3boto3", BOTO3: "boto3"}
MEGABYTE = 1024 * 1024


def run(context: Context) -> List[Row]:
    rows: List[Row] = []

    def add(case: str, who: str, function: Any, **arguments: Any) -> None:
        outcome = context.measure(function, who=who, **arguments)
        rows.append({"case": case, "who": who, **outcome})

    many = 1_000 if context.quick else 10_000
    own = 100 if context.quick else 1_000
    for who in (OURS, THEIRS, BOTO3):
        add("50 tenants, 1 thread", who, first_use, tenants=50, threads=1)
        add("10 tenants, 4 threads", who, first_use, tenants=10, threads=4)
    add(f"{many:,} tenants over 8 threads", OURS, first_use, tenants=many, threads=8, share=True)
    add(f"{many:,} tenants over 8 threads", BOTO3, first_use, tenants=many, threads=8, share=True)

    # 1,000 storages of django-storages would take 12 GB; the cost per storage does not depend on
    # how many there are.
    case = f"each of {own:,} tenants with own keys"
    add(case, OURS, first_use_with_own_keys, tenants=own)
    add(case, THEIRS, first_use_with_own_keys, tenants=30)
    rows[-1]["note"] = "measured with 30"
    add(case, BOTO3, first_use_with_own_keys, tenants=own)

    for who in (OURS, THEIRS):
        add("Azure: 50 tenants, 1 thread", who, first_use_of_azure, tenants=50)
    for who in (OURS, THEIRS):
        add("Google Cloud: 50 tenants, 1 thread", who, first_use_of_google, tenants=50)
    for who in (OURS, THEIRS):
        add("construct one storage", who, construct, number=200 if context.quick else 2_000)
    rounds = 1 if context.quick else 10
    for who, outcome in context.measure_in_turns(import_it, IMPORTS, rounds).items():
        rows.append({"case": "import", "who": who, **outcome})
    server = context.best_server()
    bucket = server.create_bucket()
    server.client().put_object(Bucket=bucket, Key="a.bin", Body=b"x" * 4096)
    for operation in ("exists", "read", "save"):
        for who in (OURS, THEIRS, BOTO3):
            where = {"server": describe(server), "bucket": bucket, "operation": operation}
            add(f"first request of a process: {operation}", who, first_request, **where)
    return rows + measure_records(context)


def configure(buckets: Dict[str, Any], **more: Any) -> None:
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["smart_storages"],
        AWS_S3_ACCESS_KEY_ID="testaccesskey",
        AWS_S3_SECRET_ACCESS_KEY="testsecretkey0123456789",
        AWS_S3_REGION_NAME="eu-west-1",
        AWS_STORAGE_BUCKET_NAME="acme",
        SMART_STORAGE_BUCKETS=buckets,
        SMART_STORAGE_MAX_CLIENTS=100_000,
        **more,
    )
    django.setup()


def storage_classes(who: str, options: List[Dict[str, Any]]) -> List[Any]:
    """Return a class for each tenant, in the way that each library offers."""
    if who == OURS:
        from smart_storages.utils import create_storage_class

        return [create_storage_class(f"tenant_{number}") for number in range(len(options))]
    if who == BOTO3:
        return [partial(PlainBucket, **each) for each in options]
    from storages.backends.s3boto3 import S3Boto3Storage

    return [
        type(f"Tenant{number}Storage", (S3Boto3Storage,), each)
        for number, each in enumerate(options)
    ]


class PlainBucket:
    """A storage written with boto3 alone: a bucket, a prefix, and a client for the access keys."""

    def __init__(self, bucket_name: str, location: str, **keys: str) -> None:
        self.bucket = SimpleNamespace(name=bucket_name)
        self._location = location
        self._keys = tuple(keys.values())

    @property
    def connection(self) -> Any:
        return shared_client(*self._keys)

    def url(self, name: str) -> str:
        params = {"Bucket": self.bucket.name, "Key": self._location + name}
        signed: str = self.connection.generate_presigned_url("get_object", params)
        return signed


_making = threading.Lock()


def shared_client(*keys: str) -> Any:
    """Return the client of a pair of access keys, created once, because clients are thread-safe."""
    with _making:
        return _make_client(*(keys or ("testaccesskey", "testsecretkey0123456789")))


@lru_cache(maxsize=None)
def _make_client(access_key: str, secret_key: str) -> Any:
    import boto3

    return boto3.client(
        "s3",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="eu-west-1",
    )


def use(storage: Any) -> None:
    """Do what a first read, write or URL needs before any request is sent."""
    if storage.bucket.name != "acme-tenants" or storage.connection is None:
        raise RuntimeError(f"{storage!r} uses the wrong bucket, or has no client")
    if "Signature=" not in storage.url("report.txt"):
        raise RuntimeError(f"{storage!r} did not sign")


def measure_use(classes: List[Any], threads: int, share: bool) -> Row:
    """Use each storage in each thread, or in only one thread if ``share`` is true."""
    from psutil import Process

    process = Process()
    gc.collect()
    memory = process.memory_info().rss
    started = time.perf_counter()
    storages = [each() for each in classes]
    constructed = time.perf_counter()
    start, done, leave = (threading.Barrier(threads + 1) for _ in range(3))
    failures: List[BaseException] = []

    def work(mine: List[Any]) -> None:
        start.wait()
        try:
            for storage in mine:
                use(storage)
        except Exception as error:
            failures.append(error)
        done.wait()
        # A library may keep objects per thread, so the thread stays until they are counted.
        leave.wait()

    workers = [
        threading.Thread(target=work, args=(storages[n::threads] if share else storages,))
        for n in range(threads)
    ]
    for worker in workers:
        worker.start()
    processor = time.process_time()
    start.wait()
    first_use_started = time.perf_counter()
    done.wait()
    finished = time.perf_counter()
    processor = time.process_time() - processor
    grown = process.memory_info().rss - memory
    clients = count_clients()
    leave.wait()
    if failures:
        raise failures[0]
    return {
        "construct_ms": (constructed - started) * 1000,
        "first_use_ms": (finished - first_use_started) * 1000,
        # The processor time, which does not include other work on the machine.
        "first_use_cpu_ms": processor * 1000,
        "memory_mb": grown / MEGABYTE,
        "clients": clients,
    }


def count_clients() -> int:
    """Return the number of S3 clients that are alive in this process."""
    # type() and not isinstance(), which would evaluate Django's lazy objects.
    from botocore.client import BaseClient

    return sum(1 for each in gc.get_objects() if issubclass(type(each), BaseClient))


def first_use(who: str, tenants: int, threads: int, share: bool = False) -> Row:
    """Use storages with common credentials for the first time."""
    configure({"tenant_*": {"bucket_name": "acme-tenants", "location": "{module}/"}})
    options = [
        {"bucket_name": "acme-tenants", "location": f"tenant_{number}/"}
        for number in range(tenants)
    ]
    return measure_use(storage_classes(who, options), threads, share)


def first_use_with_own_keys(who: str, tenants: int) -> Row:
    """Use storages that cannot share a client, fewer than the limit on clients."""
    options = [
        {
            "bucket_name": "acme-tenants",
            "location": f"tenant_{number}/",
            "access_key": f"key{number}",
            "secret_key": f"secret{number}",
        }
        for number in range(tenants)
    ]
    configure({f"tenant_{number}": each for number, each in enumerate(options)})
    # The first client of a process loads data that all others share.
    first, *others = storage_classes(who, options)
    use(first())
    outcome = measure_use(others, threads=1, share=True)
    count = len(others)
    return {
        "construct_ms": outcome["construct_ms"] / count,
        "first_use_ms": outcome["first_use_ms"] / count,
        "first_use_cpu_ms": outcome["first_use_cpu_ms"] / count,
        "memory_mb": outcome["memory_mb"] / count,
    }


def first_use_of_azure(who: str, tenants: int) -> Row:
    """Make the client and a signed URL for each tenant of one account; nothing is sent.

    The import of Azure's SDK counts: one imports it with the class, the other with its first use.
    """
    key = base64.b64encode(b"a key of an account").decode()
    return first_use_of_cloud(
        who,
        tenants,
        backend="azure",
        theirs="storages.backends.azure_storage.AzureStorage",
        attributes={"azure_container": "acme-tenants", "expiration_secs": 3600},
        signature="sig=",
        clients={("azure.storage.blob._blob_service_client", "BlobServiceClient")},
        AZURE_ACCOUNT_NAME="acme",
        AZURE_ACCOUNT_KEY=key,
    )


def first_use_of_google(who: str, tenants: int) -> Row:
    """Sign a URL for each tenant with one service account; nothing is sent.

    As for Azure: the import of what signs counts, that of the credentials does not.
    """
    from tests.servers.gcs import service_account

    return first_use_of_cloud(
        who,
        tenants,
        backend="gcs",
        theirs="storages.backends.gcloud.GoogleCloudStorage",
        attributes={"bucket_name": "acme-tenants", "expiration": 3600},
        signature="X-Goog-Signature=",
        clients={
            ("google.cloud.storage.client", "Client"),
            ("smart_storages.backends.gcs_requests", "GoogleConnection"),
        },
        GS_CREDENTIALS=service_account(),
        GS_PROJECT_ID="acme",
    )


def first_use_of_cloud(
    who: str,
    tenants: int,
    *,
    backend: str,
    theirs: str,
    attributes: Dict[str, Any],
    signature: str,
    clients: Set[Tuple[str, str]],
    **settings: Any,
) -> Row:
    """Sign a URL for each tenant of one account of another cloud.

    Args:
        who: Who does it.
        tenants: How many.
        backend: Our name of the backend.
        theirs: The dotted path of django-storages' class.
        attributes: What each tenant's subclass of it sets, beside its location.
        signature: What a signed URL holds.
        clients: Module and name of the classes that open connections of their own.
        settings: The account.
    """
    from psutil import Process

    options: Dict[str, Any] = {"backend": backend, "bucket_name": "acme-tenants"}
    configure({"tenant_*": {**options, "location": "{module}/"}}, **settings)
    process = Process()
    gc.collect()
    memory = process.memory_info().rss
    processor, started = time.process_time(), time.perf_counter()
    if who == OURS:
        classes = storage_classes(OURS, [options] * tenants)
    else:
        module, _, name = theirs.rpartition(".")
        base = getattr(importlib.import_module(module), name)
        classes = [
            type(
                f"Tenant{number}Storage",
                (base,),
                {**attributes, "location": f"tenant_{number}/"},
            )
            for number in range(tenants)
        ]
    storages = [each() for each in classes]
    for storage in storages:
        if signature not in storage.url("report.txt"):
            raise RuntimeError(f"{storage!r} did not sign")
    took, used = time.perf_counter() - started, time.process_time() - processor
    grown = process.memory_info().rss - memory
    return {
        "first_use_ms": took * 1000,
        "first_use_cpu_ms": used * 1000,
        "memory_mb": grown / MEGABYTE,
        "clients": sum(
            1
            for each in gc.get_objects()
            if (type(each).__module__, type(each).__name__) in clients
        ),
    }


def construct(who: str, number: int) -> Row:
    configure({"tenant_*": {"bucket_name": "acme-tenants", "location": "{module}/"}})
    options = [{"bucket_name": "acme-tenants", "location": "tenant_0/"}]
    (storage_class,) = storage_classes(who, options)
    storage_class()
    started = time.perf_counter()
    for _ in range(number):
        storage_class()
    return {"construct_us": (time.perf_counter() - started) / number * 1e6}


def _time_at_depth(calls: int, function: Callable[[], Any]) -> float:
    """Return how many milliseconds a function takes that is called by that many others."""
    if calls:
        return _time_at_depth(calls - 1, function)
    started = time.perf_counter()
    function()
    return (time.perf_counter() - started) * 1000


def first_request(who: str, server: Dict[str, str], bucket: str, operation: str) -> Row:
    """Send one request in a process that has imported its library, and made no client yet."""
    import boto3
    from django.core.files.base import ContentFile

    sys.dont_write_bytecode = False  # as in import_it
    storage = make_storage(who, server, bucket)
    started, processor = time.perf_counter(), time.process_time()
    if who == BOTO3:
        client = boto3.client(
            "s3",
            aws_access_key_id=server["access_key"],
            aws_secret_access_key=server["secret_key"],
            region_name=server["region_name"],
            endpoint_url=server["endpoint_url"],
        )
        if operation == "exists":
            client.head_object(Bucket=bucket, Key="a.bin")
        elif operation == "read":
            client.get_object(Bucket=bucket, Key="a.bin")["Body"].read()
        else:
            client.put_object(Bucket=bucket, Key="b.bin", Body=b"x" * 4096)
    elif operation == "exists":
        storage.exists("a.bin")
    elif operation == "read":
        with storage.open("a.bin") as file:
            file.read()
    else:
        storage.save("b.bin", ContentFile(b"x" * 4096))
    return {
        "first_ms": (time.perf_counter() - started) * 1000,
        "first_cpu_ms": (time.process_time() - processor) * 1000,
    }


def import_it(who: str, turn: int = 0) -> Row:
    """Import the module with the storage class, in a process that has already loaded Django.

    In every turn the import begins in a deeper call. Python keeps the frames of calls in pieces of
    memory, and a regular expression that is compiled where one piece ends takes three times as
    long: 35 ms that would meet one contender, and not another, by chance.
    """

    from django.conf import settings
    from psutil import Process

    settings.configure()
    # pip compiles what it installs; a checkout is compiled in the first of the repeated processes.
    sys.dont_write_bytecode = False
    # The turn of a full collection comes by chance, and takes as long as a third of the import.
    gc.disable()
    process = Process()
    memory = process.memory_info().rss
    return {
        "import_ms": _time_at_depth(turn * 5 % 100, partial(importlib.import_module, IMPORTS[who])),
        "memory_mb": (process.memory_info().rss - memory) / MEGABYTE,
    }
