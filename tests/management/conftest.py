"""Two modules on one server, a directory, and what each of them holds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from django.apps import apps
from django.db import connections, models
from django.test.utils import isolate_apps

from smart_storages.checks.in_use import iter_fields
from smart_storages.management import places
from smart_storages.management.auditing import columns
from tests.conftest import Bucket, lead_to


@pytest.fixture(autouse=True)
def no_models_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the fields of models that only tests/storages/fields and tests/uploads have."""

    def iter_others() -> Iterator[Tuple[str, Any]]:
        of_tests = ("fields_tests.", "uploads_tests.")
        return (each for each in iter_fields() if not each[0].startswith(of_tests))

    monkeypatch.setattr(places, "iter_fields", iter_others)


class Ends:
    """The modules ``photos`` and ``archive``, and the alias ``disk``."""

    def __init__(self, settings: Any, bucket: Bucket, other: Bucket, directory: Path) -> None:
        self.settings, self.directory = settings, directory
        self.photos, self.archive = bucket, other
        provider = bucket.server.name
        settings.SMART_STORAGE_BUCKETS = {
            "photos": {"bucket_name": bucket.name, "location": "in", "provider": provider},
            "archive": {"bucket_name": other.name, "location": "out", "provider": provider},
        }
        disk = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
        settings.STORAGES = {
            "default": {**disk, "OPTIONS": {"location": str(directory / "media")}},
            "disk": {**disk, "OPTIONS": {"location": str(directory / "disk")}},
            "staticfiles": disk,
        }

    def module(self, name: str, **options: Any) -> None:
        """Change the options of a module."""
        entries = self.settings.SMART_STORAGE_BUCKETS
        self.settings.SMART_STORAGE_BUCKETS = {**entries, name: {**entries[name], **options}}

    def put(self, name: str, body: bytes, **arguments: Any) -> None:
        self.photos.put(f"in/{name}", body, **arguments)

    def of_photos(self) -> Dict[str, bytes]:
        return _contents(self.photos, "in/")

    def of_archive(self) -> Dict[str, bytes]:
        return _contents(self.archive, "out/")

    def of_disk(self, name: str = "disk") -> Dict[str, bytes]:
        root = self.directory / name
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }

    def write(self, name: str, body: bytes, to: str = "disk") -> None:
        path = self.directory / to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def _contents(bucket: Bucket, prefix: str) -> Dict[str, bytes]:
    return {key[len(prefix) :]: bucket.get(key) for key in bucket.keys(prefix)}


@pytest.fixture
def cache_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Checkpoints stay out of the user's directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def ends(s3_bucket: Bucket, s3_settings: Any, tmp_path: Path, cache_directory: Path) -> Ends:
    """Two buckets on each server in turn, and a directory."""
    other = Bucket(s3_bucket.server.create_bucket(), s3_bucket.server, s3_bucket.client)
    return Ends(s3_settings, s3_bucket, other, tmp_path)


@pytest.fixture
def moto_ends(moto_bucket: Bucket, settings: Any, tmp_path: Path, cache_directory: Path) -> Ends:
    """The same on moto alone."""
    lead_to(settings, moto_bucket.server)
    other = Bucket(moto_bucket.server.create_bucket(), moto_bucket.server, moto_bucket.client)
    return Ends(settings, moto_bucket, other, tmp_path)


# Models of a project, for audits


@pytest.fixture
def use_models(
    monkeypatch: pytest.MonkeyPatch, other_database: str
) -> Iterator[Callable[..., None]]:
    """Makes models those of the project, with their tables in these databases."""
    created: List[Any] = []

    def use(*chosen: Any, databases: Any = ("default",)) -> None:
        found = SimpleNamespace(get_models=lambda **_: chosen, is_installed=apps.is_installed)
        monkeypatch.setattr(columns, "apps", found)
        for alias in databases:
            with connections[alias].schema_editor() as editor:
                for model in chosen:
                    if not model._meta.proxy:
                        editor.create_model(model)
                        created.append((alias, model))

    yield use
    for alias, model in reversed(created):
        with connections[alias].schema_editor() as editor:
            editor.delete_model(model)


@pytest.fixture
def other_database(tmp_path: Path) -> Iterator[str]:
    """A second database, with the alias ``other``."""
    connections.databases["other"] = {
        **connections.databases["default"],
        "NAME": str(tmp_path / "other.sqlite3"),
    }
    other: Any = connections["other"]
    # pytest-django refuses connections to a database that was not there when the test began.
    other.ensure_connection = lambda: other.connection or other.connect()
    yield "other"
    other.close()
    del connections["other"]
    del connections.databases["other"]


def make_model(storage: Any) -> Any:
    with isolate_apps("tests.queued"):

        class Report(models.Model):
            file = models.FileField(storage=storage, max_length=500, blank=True)

            class Meta:
                app_label = "queued_tests"

        return Report
