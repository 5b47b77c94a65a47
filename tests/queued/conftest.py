from __future__ import annotations

import datetime
import importlib
import sys
from contextlib import contextmanager, suppress
from typing import Any, Iterator

import pytest
from django.db import transaction

from smart_storages.queued import registry
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.tasks import TransferAndDelete
from tests.conftest import REQUIRE_REAL_S3
from tests.queued import broker
from tests.servers.keeper import ask_for, exclusive
from tests.servers.queues import Postgres, RabbitMQ, Redis

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
