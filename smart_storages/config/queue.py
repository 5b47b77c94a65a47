"""The settings of queued transfers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import (
    Any,
    Dict,
)

from django.conf import settings

from smart_storages.exceptions import ConfigurationError


@dataclass(frozen=True)
class QueueSettings:
    """The settings of queued transfers; times in seconds.

    Args:
        retries: ``QUEUED_STORAGE_RETRIES``: attempts after the first one failed.
        retry_delay: ``QUEUED_STORAGE_RETRY_DELAY``: wait before the first retry; it doubles each
            time.
        lease: ``QUEUED_STORAGE_LEASE``: a worker that has not renewed its lease for this long is
            considered dead.
        orphan_age: ``QUEUED_STORAGE_ORPHAN_AGE``: how long a local copy without a row is kept. It
            must be longer than the longest database transaction.
        cache_key: ``QUEUED_STORAGE_CACHE_KEY``: prefix of the cache keys; empty for no cache.
        cache_per_process: ``QUEUED_STORAGE_CACHE_PER_PROCESS``: whether a cache may be used that
            is not shared between processes, because there is only one process.
        tasks: ``SMART_STORAGE_TASKS``: the engine; empty if not set.
        tasks_queue: ``SMART_STORAGE_TASKS_QUEUE``: the engine's queue, empty for its default.
    """

    retries: int = 5
    retry_delay: float = 60.0
    lease: float = 300.0
    orphan_age: float = 86400.0
    cache_key: str = ""
    cache_per_process: bool = False
    tasks: str = ""
    tasks_queue: str = ""


_QUEUE_SETTINGS = {
    "retries": "QUEUED_STORAGE_RETRIES",
    "retry_delay": "QUEUED_STORAGE_RETRY_DELAY",
    "lease": "QUEUED_STORAGE_LEASE",
    "orphan_age": "QUEUED_STORAGE_ORPHAN_AGE",
    "cache_key": "QUEUED_STORAGE_CACHE_KEY",
    "cache_per_process": "QUEUED_STORAGE_CACHE_PER_PROCESS",
    "tasks": "SMART_STORAGE_TASKS",
    "tasks_queue": "SMART_STORAGE_TASKS_QUEUE",
}


def get_queue_settings() -> QueueSettings:
    """Return the settings of queued transfers as they are now.

    Raises:
        ConfigurationError: a setting has the wrong type, or a number is negative.
    """
    found: Dict[str, Any] = {}
    for field, setting in _QUEUE_SETTINGS.items():
        value = getattr(settings, setting, None)
        if value is None:
            continue
        default = getattr(QueueSettings, field)
        if isinstance(default, str):
            if not isinstance(value, str):
                raise ConfigurationError(f"{setting} must be text, not {type(value).__name__}.")
        elif isinstance(default, bool):
            if not isinstance(value, bool):
                raise ConfigurationError(f"{setting} must be True or False, not {value!r}.")
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise ConfigurationError(f"{setting} must be a number of 0 or more, not {value!r}.")
        found[field] = value
    return QueueSettings(**found)


def get_tasks_backend() -> str:
    """Return the dotted path of the default backend in Django's ``TASKS``, empty if not set."""
    tasks = getattr(settings, "TASKS", None) or {}
    return str(tasks.get("default", {}).get("BACKEND", ""))
