from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps as django_apps
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.test.utils import isolate_apps

from smart_storages.checks import check_queue_app
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError
from smart_storages.fallback import FallbackStorage
from smart_storages.queued import engines, registry
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.checks import check_cache, check_engine, check_storages
from smart_storages.resolvers import ByTenant
from tests.queued.conftest import DISK, ids, need


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SMART_STORAGE_TASKS", "inline", []),
        ("SMART_STORAGE_TASKS", "celery", []),
        ("SMART_STORAGE_TASKS", "tests.queued.broker.post", []),
        ("SMART_STORAGE_TASKS", "selery", ["Q001"]),
        ("SMART_STORAGE_TASKS", "tests.queued.broker.messages", ["Q001"]),
        ("SMART_STORAGE_TASKS", None, ["Q003"]),
        ("QUEUED_STORAGE_RETRIES", "five", ["Q001"]),
        ("QUEUED_STORAGE_LEASE", -1, ["Q001"]),
        ("QUEUED_STORAGE_RETRIES", "5", ["Q001"]),
        ("QUEUED_STORAGE_CACHE_PER_PROCESS", "no", ["Q001"]),
    ],
)
def test_settings_are_checked(settings: Any, name: str, value: Any, expected: list) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    setattr(settings, name, value)
    assert ids(check_engine()) == expected


def test_djangos_default_tasks_backend_is_warned_of(settings: Any) -> None:
    try:
        import django.tasks  # noqa: F401
    except ImportError:
        need("django_tasks")
    settings.SMART_STORAGE_TASKS = "django"
    assert ids(check_engine()) == ["Q004"]


def test_a_storage_that_cannot_be_made_is_an_error(settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    QueuedStorage(DISK, "nowhere")
    QueuedStorage(DISK, DISK, None, {"location": "/r"}, task="nowhere.Task")
    assert ids(check_storages()) == ["Q002", "Q002"]


def test_a_local_disk_is_warned_of_when_workers_may_be_elsewhere(settings: Any) -> None:
    QueuedStorage(DISK, DISK, {"location": "/l"}, {"location": "/r"})
    settings.SMART_STORAGE_TASKS = "inline"
    assert ids(check_storages()) == []
    settings.SMART_STORAGE_TASKS = "celery"
    QueuedStorage(DISK, DISK, {"location": "/l2"}, {"location": "/r2"})
    (warning,) = check_storages()
    assert ids([warning]) == ["Q005"], "one for the project"
    assert all(repr(storage.key) in warning.msg for storage in registry.known_storages())


def test_two_queues_with_one_remote_are_warned_of(settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    QueuedStorage(DISK, DISK, {"location": "/l1"}, {"location": "/r"})
    QueuedStorage(DISK, DISK, {"location": "/l2"}, {"location": "/r"})
    QueuedStorage(DISK, DISK, {"location": "/l2"}, {"location": "/r2"})
    assert ids(check_storages()) == ["Q006"]


LOCMEM = "django.core.cache.backends.locmem.LocMemCache"


@pytest.mark.parametrize(
    ("backend", "key", "per_process", "expected"),
    [
        (LOCMEM, "queue", None, ["Q012"]),
        (LOCMEM, "queue", False, ["Q012"]),
        (LOCMEM, "queue", True, []),
        (LOCMEM, None, None, []),
        ("django.core.cache.backends.dummy.DummyCache", "queue", None, []),
        ("django.core.cache.backends.db.DatabaseCache", "queue", None, []),
        ("nowhere.Cache", "queue", None, []),
    ],
)
def test_a_cache_of_each_process_alone_is_warned_of(
    settings: Any, backend: str, key: Any, per_process: Any, expected: list
) -> None:
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "table"}}
    settings.QUEUED_STORAGE_CACHE_KEY = key
    settings.QUEUED_STORAGE_CACHE_PER_PROCESS = per_process
    assert ids(check_cache()) == expected


def test_no_check_shows_a_secret(settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    QueuedStorage(DISK, "nowhere.Storage", None, {"secret_key": "hunter2"})
    found = check_storages()
    assert found
    assert "hunter2" not in repr(found) + str(found)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("SMART_STORAGE_TASKS", "celry", "Did you mean 'celery'?"),
        ("SMART_STORAGE_TASKS", "no.such.engine", "dotted path"),
        ("QUEUED_STORAGE_LEASE", "abc", "Correct the setting"),
    ],
)
def test_the_hint_fits_the_setting_that_is_wrong(
    settings: Any, name: str, value: Any, hint: str
) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    setattr(settings, name, value)
    (error,) = check_engine()
    assert hint in error.hint


@pytest.mark.parametrize(
    ("engine", "packages"),
    [("django", "'django-tasks>=0.12' 'django-tasks-db>=0.13'"), ("celery", "'celery>=5.2'")],
)
def test_an_engine_whose_package_is_missing_says_what_to_install(
    settings: Any, monkeypatch: Any, engine: str, packages: str
) -> None:
    settings.SMART_STORAGE_TASKS = engine
    for package in ("celery", "django.tasks", "django_tasks"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(vars(engines), "carry_queued_file", raising=False)
    engines._make_celery_task.cache_clear()
    (error,) = check_engine()
    assert ids([error]) == ["Q001"]
    assert error.hint == f"pip install {packages}"
    pyproject = Path(__file__).parents[2].joinpath("pyproject.toml").read_text("utf-8")
    assert all(f'"{package}' in pyproject for package in re.findall(r"'(.*?)'", packages))


def with_alias(settings: Any, alias: str, backend: str = "QueuedStorage", **options: Any) -> list:
    settings.SMART_STORAGE_TASKS = "inline"
    settings.STORAGES = {
        "default": {"BACKEND": DISK},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        "scratch": {"BACKEND": DISK, "OPTIONS": {"location": "/scratch"}},
        alias: {"BACKEND": f"smart_storages.queued.backends.{backend}", "OPTIONS": options},
    }
    return list(check_storages())


def test_an_option_that_does_not_exist_is_named_with_its_alias(settings: Any) -> None:
    (error,) = with_alias(settings, "scans", local="scratch", remote="default", durabel=False)
    assert ids([error]) == ["Q008"]
    assert "STORAGES['scans']['OPTIONS']['durabel']" in error.msg
    assert error.hint == "Did you mean 'durable'?"
    (error,) = with_alias(settings, "scans", "DelayedStorage", remote="scratch", nonsense=1)
    assert ids([error]) == ["Q008"]
    assert "durable" in error.hint


def test_a_value_of_the_wrong_type_is_told_with_its_alias(settings: Any) -> None:
    (error,) = with_alias(settings, "scans", local="scratch", remote="default", durable="no")
    assert ids([error]) == ["Q002"]
    assert "STORAGES['scans']" in error.msg
    assert "durable must be" in error.msg


@pytest.mark.parametrize("task", [5, dict, "no.such"])
def test_a_task_that_is_none_is_told(settings: Any, task: Any) -> None:
    (error,) = with_alias(settings, "scans", local="scratch", remote="default", task=task)
    assert ids([error]) == ["Q002"]
    assert "task" in error.msg


def test_a_class_in_the_place_of_a_storage_is_told(settings: Any) -> None:
    (error,) = with_alias(settings, "scans", local="scratch", remote=FileSystemStorage)
    assert ids([error]) == ["Q002"]
    assert "remote is the class FileSystemStorage" in error.msg


def test_a_correct_alias_raises_nothing(settings: Any) -> None:
    assert with_alias(settings, "scans", local="scratch", remote="default", durable=False) == []


def test_a_remote_that_is_the_queue_itself_is_an_error(settings: Any) -> None:
    assert ids(with_alias(settings, "default", local="scratch", remote="default")) == ["Q010"]


def test_a_remote_that_leads_back_through_others_is_an_error(settings: Any) -> None:
    fallback = FallbackStorage(["scratch", "default"])
    found = with_alias(settings, "default", local="scratch", remote=fallback)
    assert ids(found) == ["Q010"]


def test_a_local_and_a_remote_in_one_place_are_an_error(settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    QueuedStorage(DISK, DISK, {"location": "/l"}, {"location": "/l/", "base_url": "/x/"})
    assert ids(check_storages()) == ["Q009"]


def test_a_folder_that_is_given_in_two_ways_is_one_place(settings: Any, tmp_path: Path) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    (tmp_path / "link").symlink_to(tmp_path)
    settings.SMART_STORAGE_BUCKETS = {
        "scans": {"backend": "filesystem", "root": str(tmp_path), "bucket_name": "acme"}
    }
    QueuedStorage({"BACKEND": DISK, "OPTIONS": {"location": f"{tmp_path}/link/acme"}}, "scans")
    assert ids(check_storages()) == ["Q009"]


def test_a_default_bucket_that_is_missing_is_warned_of(settings: Any) -> None:
    (warning,) = with_alias(settings, "scans", local="scratch")
    assert ids([warning]) == ["W003"]
    settings.AWS_STORAGE_BUCKET_NAME = "acme"
    registry._storages.clear()
    assert with_alias(settings, "scans", local="scratch") == []


@isolate_apps("tests.queued")
def test_a_queue_without_its_app_is_an_error(settings: Any, monkeypatch: Any) -> None:
    with_alias(settings, "scans", local="scratch", remote="default")
    assert check_queue_app() == []
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "smart_storages.queued"
    ]

    class Report(models.Model):
        scan = models.FileField(storage=QueuedStorage("scratch", "default"))

        class Meta:
            app_label = "queued_tests"

    with monkeypatch.context() as patch:
        patch.setattr(django_apps, "get_models", lambda: [Report])
        found = check_queue_app()
    assert set(ids(found)) == {"Q007"}
    assert [each.msg.partition(" ")[0] for each in found] == [
        "STORAGES['scans']",
        "queued_tests.Report.scan",
    ]


def test_a_remote_chosen_by_who_asks_is_an_error(settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    queue = QueuedStorage(DISK, StorageDispatcher(ByTenant()))
    (error,) = check_storages()
    assert ids([error]) == ["Q011"]
    with pytest.raises(ConfigurationError) as caught:
        queue.remote  # noqa: B018
    assert caught.value.text == error.msg


def test_a_queue_inside_a_fallback_is_checked_too(settings: Any) -> None:
    queue = {
        "BACKEND": "smart_storages.queued.backends.QueuedStorage",
        "OPTIONS": {"local": DISK, "remote": "nowhere"},
    }
    options = {"backends": [queue, DISK]}
    settings.SMART_STORAGE_TASKS = "inline"
    settings.STORAGES = {
        "default": {"BACKEND": DISK},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        "files": {"BACKEND": "smart_storages.fallback.FallbackStorage", "OPTIONS": options},
    }
    (error,) = check_storages()
    assert ids([error]) == ["Q002"]
    assert "nowhere" in error.msg
