"""What each setting of the package is; a test compares the names with the code's."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple

from smart_storages.config.queue import QueueSettings
from smart_storages.config.settings import DEFAULT_MAX_CLIENTS


class Setting(NamedTuple):
    """One setting.

    Args:
        text: What it is, in a line or two.
        expected: The type, in words.
        default: What counts where it is not set.
        page: The page that tells more.
    """

    text: str
    expected: str
    default: Any
    page: str


SETTINGS: Dict[str, Setting] = {
    "AZURE_CONTAINER": Setting(
        "The container of modules of the backend `azure` that name no bucket.",
        "str",
        None,
        "backends",
    ),
    "GS_BUCKET_NAME": Setting(
        "The bucket of modules of the backend `gcs` that name none.", "str", None, "backends"
    ),
    "FALLBACK_STORAGES": Setting(
        "The storages of a `FallbackStorage` that is made without any, in the order in which they "
        "are tried: aliases of `STORAGES`, modules, dotted paths or dicts.",
        "tuple or list",
        None,
        "fallback",
    ),
    "QUEUED_STORAGE_CACHE_KEY": Setting(
        "The prefix of the keys under which answers of the ledger are cached. Empty: no cache.",
        "str",
        QueueSettings.cache_key,
        "queued",
    ),
    "QUEUED_STORAGE_CACHE_PER_PROCESS": Setting(
        "Whether a cache may be used that processes do not share, such as `LocMemCache`, because "
        "one process does everything.",
        "bool",
        QueueSettings.cache_per_process,
        "queued",
    ),
    "QUEUED_STORAGE_LEASE": Setting(
        "Seconds without a sign of life after which a worker counts as dead.",
        "int or float, seconds",
        QueueSettings.lease,
        "queued",
    ),
    "QUEUED_STORAGE_ORPHAN_AGE": Setting(
        "Seconds for which a local copy without a row is kept. It must be longer than the longest "
        "database transaction.",
        "int or float, seconds",
        QueueSettings.orphan_age,
        "queued",
    ),
    "QUEUED_STORAGE_RETRIES": Setting(
        "Attempts at a transfer after the first one failed.",
        "int",
        QueueSettings.retries,
        "queued",
    ),
    "QUEUED_STORAGE_RETRY_DELAY": Setting(
        "Seconds before the first retry; doubles each time.",
        "int or float, seconds",
        QueueSettings.retry_delay,
        "queued",
    ),
    "SMART_STORAGE_BUCKETS": Setting(
        "The modules: names or patterns, and the options of each.",
        "dict of dicts",
        {},
        "configuration",
    ),
    "SMART_STORAGE_LOCAL": Setting(
        "The directory that keeps all buckets, for development.", "str or Path", None, "backends"
    ),
    "SMART_STORAGE_LOCK_CACHE": Setting(
        "The alias of the cache for locks; `None` for no locks.",
        "str or None",
        "default",
        "fallback",
    ),
    "SMART_STORAGE_MAX_CLIENTS": Setting(
        "How many clients are kept. Beyond it, the one that was not used for longest is closed.",
        "int",
        DEFAULT_MAX_CLIENTS,
        "configuration",
    ),
    "SMART_STORAGE_METADATA_CACHE": Setting(
        "The alias of the cache that the option `metadata_cache_seconds` uses.",
        "str",
        "default",
        "thumbnails",
    ),
    "SMART_STORAGE_SLOW_SECONDS": Setting(
        "Operations that take this long are logged as slow; `None` logs none.",
        "int or float, seconds",
        None,
        "monitoring",
    ),
    "SMART_STORAGE_STRICT": Setting(
        "Whether a module without an entry in `SMART_STORAGE_BUCKETS` is an error.",
        "bool",
        False,
        "configuration",
    ),
    "SMART_STORAGE_TASKS": Setting(
        "The engine of the queue: `celery`, `django`, `inline` or the dotted path of a class. "
        "Empty: each file is transferred at once, and a check warns.",
        "str",
        QueueSettings.tasks,
        "queued",
    ),
    "SMART_STORAGE_TASKS_QUEUE": Setting(
        "The name of the queue to which transfers are sent. Empty: the engine's default.",
        "str",
        QueueSettings.tasks_queue,
        "queued",
    ),
    "SMART_STORAGE_TENANT": Setting(
        "The function that returns the tenant of a request, or its dotted path.",
        "callable or str",
        None,
        "routing",
    ),
    "SMART_STORAGE_UPLOADS": Setting(
        "The limits of direct uploads, for fields that set none.", "dict", {}, "uploads"
    ),
}
