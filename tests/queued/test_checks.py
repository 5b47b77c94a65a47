from __future__ import annotations

from typing import Any

import pytest

from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.checks import check_engine, check_storages
from tests.queued.conftest import DISK


def ids(found: Any) -> list:
    return [each.id.partition(".")[2] for each in found]


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
        pytest.importorskip("django_tasks")
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
    assert ids(check_storages()) == ["Q005"]


def test_two_queues_with_one_remote_are_warned_of(settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    QueuedStorage(DISK, DISK, {"location": "/l1"}, {"location": "/r"})
    QueuedStorage(DISK, DISK, {"location": "/l2"}, {"location": "/r"})
    QueuedStorage(DISK, DISK, {"location": "/l2"}, {"location": "/r2"})
    assert ids(check_storages()) == ["Q006"]


def test_no_check_shows_a_secret(settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    QueuedStorage(DISK, "nowhere.Storage", None, {"secret_key": "hunter2"})
    found = check_storages()
    assert found
    assert "hunter2" not in repr(found) + str(found)
