from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued import readiness
from smart_storages.queued.models import QueuedFile
from tests.queued.conftest import local_files
from tests.queued.project import ROOT


@pytest.fixture
def without_table(make_queue: Any) -> Any:
    """A queued storage whose ledger was never migrated."""
    with connection.schema_editor() as editor:
        editor.delete_model(QueuedFile)
    yield make_queue()
    with connection.schema_editor() as editor:
        editor.create_model(QueuedFile)


def test_a_table_that_is_missing_asks_for_migrate(without_table: Any) -> None:
    queue = without_table
    for use in (
        lambda: queue.save("a.txt", ContentFile(b"a")),
        lambda: queue.delete("a.txt"),
        lambda: queue.open("a.txt"),
        lambda: queue.exists("a.txt"),
        lambda: queue.listdir(""),
        lambda: queue.transfer("a.txt"),
    ):
        with pytest.raises(ConfigurationError, match=r"run manage\.py migrate"):
            use()
    for action in ("list", "sweep"):
        with pytest.raises(CommandError, match=r"run manage\.py migrate"):
            call_command("transfers", action)
    assert local_files(queue) == [], "what was written before the error is taken back"


def test_an_identity_that_was_never_migrated_asks_for_migrate() -> None:
    with pytest.raises(ConfigurationError, match=r"run manage\.py migrate"), readiness.explained():
        raise DatabaseError("no such table: smart_storages_queued_ledgeridentity")


def test_the_migration_writes_the_identity(tmp_path: Any) -> None:
    code = f"""
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["smart_storages", "smart_storages.queued"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3",
                             "NAME": {str(tmp_path / "db")!r}}}}},
)
django.setup()
from django.core.management import call_command
from smart_storages.queued.models import LedgerIdentity
call_command("migrate", verbosity=0)
(identity,) = LedgerIdentity.objects.all()
assert len(identity.value) == 32
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


def test_other_errors_of_the_database_are_left_alone() -> None:
    for text in ("no such table: newsroom_article", "table smart_storages_queued is locked"):
        error = DatabaseError(text)
        with pytest.raises(DatabaseError) as caught, readiness.explained():
            raise error
        assert caught.value is error


@pytest.mark.parametrize("installed", [["smart_storages"], []])
def test_the_app_that_is_not_installed_is_named(installed: list, tmp_path: Any) -> None:
    code = f"""
import django
from django.conf import settings
disk = "django.core.files.storage.FileSystemStorage"
settings.configure(
    INSTALLED_APPS={installed!r}, SMART_STORAGE_TASKS="inline", SECRET_KEY="x",
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
)
django.setup()
from django.core.files.base import ContentFile
from smart_storages.exceptions import ConfigurationError
from smart_storages.queued.backends import QueuedStorage
queue = QueuedStorage(disk, disk, {{"location": "l"}}, {{"location": "r"}})
for use in (lambda: queue.save("a", ContentFile(b"a")), lambda: queue.open("a")):
    try:
        use()
    except ConfigurationError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        check=True,
        cwd=str(tmp_path),
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    told = done.stdout.decode().splitlines()
    assert len(told) == 2
    assert all("need 'smart_storages.queued' in INSTALLED_APPS" in line for line in told)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMART_STORAGE_TASKS", "celry"),
        ("SMART_STORAGE_TASKS", "no.such.engine"),
        ("QUEUED_STORAGE_RETRIES", "5"),
        ("QUEUED_STORAGE_RETRIES", -1),
        ("QUEUED_STORAGE_LEASE", "abc"),
    ],
)
def test_a_wrong_setting_stops_the_first_use_not_the_start(
    queue: Any, settings: Any, name: str, value: Any
) -> None:
    from django.apps import apps

    setattr(settings, name, value)
    apps.get_app_config("smart_storages_queued").ready()
    with pytest.raises(ConfigurationError, match=name):
        queue.save("a.txt", ContentFile(b"a"))
    assert local_files(queue) == []
    assert not QueuedFile.objects.exists()
