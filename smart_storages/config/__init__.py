"""The only reader of Django settings, and the order in which an option is looked up.

An option is the first of:

1. an argument of the storage's constructor;
2. a default given to ``create_storage_class``;
3. the module's entry in ``SMART_STORAGE_BUCKETS``;
4. a preset of the class: an attribute named like the option;
5. the ``AWS_*`` setting of django-storages, or its default; ``SMART_STORAGE_PROVIDER`` for
   ``provider``.

Credentials are one set: all of them are taken from the first of these places that has any.

Names of modules and the arguments of constructors come in; merged options, with secrets that print
as ``***``, go out. This room may not know storages, nor the engine that the options are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

_NAMES_IN = {
    "merging": (
        "DEFAULT_KEYS",
        "get_bucket_config",
        "get_default_bucket_config",
        "get_upstream_options",
        "merge_options",
    ),
    "queue": (
        "QueueSettings",
        "get_queue_settings",
        "get_tasks_backend",
    ),
    "settings": (
        "DEFAULT_MAX_CLIENTS",
        "DEFAULT_MODULE",
        "FALLBACK_SETTING",
        "LOCK_CACHE_SETTING",
        "MAX_CLIENTS_SETTING",
        "METADATA_CACHE_SETTING",
        "SLOW_SECONDS_SETTING",
        "STRICT_SETTING",
        "TENANT_SETTING",
        "adopt_reporter_filter",
        "adopt_storages_setting",
        "find_key",
        "get_azure_container",
        "get_azure_options",
        "get_buckets",
        "get_fallback_backends",
        "get_gcs_bucket",
        "get_gcs_options",
        "get_local_static_url",
        "get_forced_backend",
        "get_local_root",
        "get_lock_cache_alias",
        "get_max_clients",
        "get_metadata_cache_alias",
        "get_middleware",
        "get_module_entry",
        "get_other_setting",
        "get_reporter_filter",
        "get_setting_names",
        "get_slow_seconds",
        "get_storages",
        "get_tenant_function",
        "get_upload_folder",
        "get_upload_permissions",
        "has_entry",
        "has_urlconf",
        "is_debug",
        "is_strict",
        "iter_module_keys",
        "iter_roots",
        "keyed_digest",
        "keyed_digests",
        "settings_in_force",
        "uses_time_zones",
    ),
    "uploads": (
        "UPLOADS_SETTING",
        "UploadSettings",
        "check_upload_options",
        "get_upload_settings",
    ),
}

if TYPE_CHECKING:
    from . import deconstructed as deconstructed
    from . import errors as errors
    from . import options as options
    from . import plain_backends as plain_backends
    from . import providers as providers
    from . import sftp_problems as sftp_problems
    from . import values as values
    from .merging import *  # noqa: F403
    from .merging import get_bucket_config, get_default_bucket_config, merge_options
    from .queue import *  # noqa: F403
    from .settings import *  # noqa: F403
    from .uploads import *  # noqa: F403
else:
    __getattr__ = importing_on_demand(__name__, _NAMES_IN)

__all__ = ["get_bucket_config", "get_default_bucket_config", "merge_options"]
