from __future__ import annotations

import datetime
import importlib
import sys
from contextlib import contextmanager, suppress
from typing import Any, Iterator

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.http.response import HttpResponseBase
from django.test import Client

from smart_storages.queued import registry
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.tasks import TransferAndDelete
from tests.conftest import REQUIRE_REAL_S3
from tests.queued import broker
from tests.servers.keeper import ask_for, exclusive
from tests.servers.queues import Postgres, RabbitMQ, Redis
from tests.servers.tcp import AnswerLosingRelay

DISK = "django.core.files.storage.FileSystemStorage"


@pytest.fixture(autouse=True)
def _fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_storages", {})


@pytest.fixture
def messages(settings: Any) -> Iterator[list]:
    """Every message that was sent to the engine; ``broker.deliver()`` delivers them."""
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.post"
    broker.messages.clear()
    yield broker.messages
    broker.messages.clear()


@pytest.fixture
def make_queue(tmp_path: Any, transactional_db: None, messages: list) -> Any:
    """Makes a queued storage between two directories of the test's own."""

    def make(*, remote: str = DISK, **options: Any) -> QueuedStorage:
        (tmp_path / "remote").mkdir(exist_ok=True)
        return QueuedStorage(
            DISK,
            remote,
            {"location": str(tmp_path / "local"), "base_url": "/local/"},
            {"location": str(tmp_path / "remote"), "base_url": "/remote/"},
            **{"task": TransferAndDelete, "durable": False, **options},
        )

    return make


def ids(found: Any) -> list:
    """The ids of check messages, without the package."""
    return [each.id.partition(".")[2] for each in found]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """Django's test client; ``content_of()`` of an answer is its body, streamed or not."""

    def content_of(response: Any) -> bytes:
        return response.getvalue() if response.streaming else response.content

    monkeypatch.setattr(HttpResponseBase, "content_of", content_of, raising=False)
    return Client()


@pytest.fixture
def queue(make_queue: Any) -> QueuedStorage:
    return make_queue()


def row_of(storage: QueuedStorage, name: str) -> QueuedFile:
    return QueuedFile.objects.get(storage=storage.key, name=name)


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction that ends in an error."""
    with suppress(_RolledBackError), transaction.atomic():
        yield
        raise _RolledBackError


class _RolledBackError(Exception):
    pass


def pass_time(seconds: float) -> None:
    """Let a time pass as far as the ledger is concerned."""
    step = datetime.timedelta(seconds=seconds)
    fields = [field.name for field in QueuedFile._meta.fields if "Date" in type(field).__name__]
    for row in QueuedFile.objects.all():
        for field in fields:
            value = getattr(row, field)
            setattr(row, field, value - step if value else value)
        row.save()


#: Packages that cannot be installed on this Python.
_NOT_MADE_FOR_IT = ("django_tasks", "django_tasks_db") if sys.version_info < (3, 10) else ()


def need(module: str) -> Any:
    """Import a package; skip without it, but not where everything must run."""
    if REQUIRE_REAL_S3 and module not in _NOT_MADE_FOR_IT:
        return importlib.import_module(module)
    return pytest.importorskip(module)


def local_files(storage: QueuedStorage) -> list:
    from tests.queued.crash import walk

    return list(walk(storage.local, ""))


def _ask_for(server_class: Any) -> Any:
    missing = server_class.missing()
    if missing and not REQUIRE_REAL_S3:
        pytest.skip(f"{server_class.__name__} is not installed: {missing}")
    assert not missing, f"REQUIRE_REAL_S3=1, but {server_class.__name__} is missing: {missing}"
    return ask_for(server_class.__name__.lower())


# Tests of a broker stop it, empty it, or look at its only queue: one at a time has it.


@pytest.fixture
def redis() -> Iterator[Redis]:
    server = _ask_for(Redis)
    with exclusive("redis"):
        yield server


@pytest.fixture
def rabbitmq() -> Iterator[RabbitMQ]:
    server = _ask_for(RabbitMQ)
    with exclusive("rabbitmq"):
        yield server


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    return _ask_for(Postgres)


@pytest.fixture(scope="session")
def _migrated(postgres: Postgres, django_db_blocker: Any, django_db_setup: Any) -> Iterator[Any]:
    """A relay in front of a PostgreSQL with a migrated ledger, and its entry for ``DATABASES``."""
    with AnswerLosingRelay(postgres.port) as relay:
        made = {**postgres.create_database(), "PORT": str(relay.port)}
        entry = {**connections["default"].settings_dict, "OPTIONS": {}, **made}
        with django_db_blocker.unblock(), _default_database(entry):
            call_command("migrate", "smart_storages_queued", verbosity=0)
        yield relay, entry


@contextmanager
def _default_database(entry: Any) -> Iterator[None]:
    kept, settings = connections["default"], connections.databases["default"]
    connections.databases["default"] = entry
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = kept
        connections.databases["default"] = settings


@pytest.fixture
def postgres_ledger(_migrated: Any, transactional_db: None) -> Iterator[AnswerLosingRelay]:
    """The ledger is on PostgreSQL, behind a relay that can lose the answer to a statement."""
    yield from _use_postgres(*_migrated)


@pytest.fixture(params=["sqlite", "postgresql"])
def each_ledger(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """The ledger is on each database in turn."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    for _ in _use_postgres(*request.getfixturevalue("_migrated")):
        yield "postgresql"


def _use_postgres(relay: AnswerLosingRelay, entry: Any) -> Iterator[AnswerLosingRelay]:
    with _default_database(entry):
        yield relay
        relay.disarm()
        connections["default"].close()  # it may have been dropped
        QueuedFile.objects.all().delete()
