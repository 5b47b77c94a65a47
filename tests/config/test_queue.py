"""The settings of the queue: their defaults, and which values are refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from smart_storages.config.queue import QueueSettings, get_queue_settings, get_tasks_backend
from smart_storages.exceptions import ConfigurationError

NAMES = {
    "QUEUED_STORAGE_RETRIES": ("retries", 5, 7),
    "QUEUED_STORAGE_RETRY_DELAY": ("retry_delay", 60.0, 0.5),
    "QUEUED_STORAGE_LEASE": ("lease", 300.0, 0),
    "QUEUED_STORAGE_ORPHAN_AGE": ("orphan_age", 86400.0, 1),
    "QUEUED_STORAGE_CACHE_KEY": ("cache_key", "", "queue"),
    "QUEUED_STORAGE_CACHE_PER_PROCESS": ("cache_per_process", False, True),
    "SMART_STORAGE_TASKS": ("tasks", "", "celery"),
    "SMART_STORAGE_TASKS_QUEUE": ("tasks_queue", "", "uploads"),
}


def test_each_setting_has_its_default_and_its_field() -> None:
    assert get_queue_settings() == QueueSettings()
    for setting, (field, default, value) in NAMES.items():
        assert getattr(QueueSettings(), field) == default
        with override_settings(**{setting: None}):
            assert get_queue_settings() == QueueSettings()
        with override_settings(**{setting: value}):
            assert get_queue_settings() == QueueSettings(**{field: value})


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("QUEUED_STORAGE_LEASE", -1, "a number of 0 or more, not -1"),
        ("QUEUED_STORAGE_LEASE", -0.5, "a number of 0 or more, not -0.5"),
        ("QUEUED_STORAGE_LEASE", True, "a number of 0 or more, not True"),
        ("QUEUED_STORAGE_LEASE", "60", "a number of 0 or more, not '60'"),
        ("QUEUED_STORAGE_RETRIES", [], r"a number of 0 or more, not \[\]"),
        ("QUEUED_STORAGE_CACHE_KEY", 3, "text, not int"),
        ("SMART_STORAGE_TASKS", b"celery", "text, not bytes"),
        ("QUEUED_STORAGE_CACHE_PER_PROCESS", 1, "True or False, not 1"),
        ("QUEUED_STORAGE_CACHE_PER_PROCESS", "yes", "True or False, not 'yes'"),
    ],
)
def test_a_wrong_value_is_told_with_its_setting(setting: str, value: Any, told: str) -> None:
    with override_settings(**{setting: value}):
        with pytest.raises(ConfigurationError, match=rf"^{setting} must be {told}\. See docs/\S+$"):
            get_queue_settings()


@pytest.mark.parametrize(
    ("tasks", "backend"),
    [
        ({"default": {"BACKEND": "a.B"}, "other": {"BACKEND": "c.D"}}, "a.B"),
        ({"default": {}}, ""),
        ({"other": {"BACKEND": "c.D"}}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_backend_of_tasks_is_the_default_one(tasks: Any, backend: str) -> None:
    with override_settings(TASKS=tasks):
        assert get_tasks_backend() == backend


def test_without_the_setting_there_is_no_backend(settings: Any) -> None:
    settings.TASKS = {}
    del settings.TASKS
    assert get_tasks_backend() == ""
