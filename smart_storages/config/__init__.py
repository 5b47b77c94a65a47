"""The only reader of Django settings, and the order in which an option is looked up.

An option is the first of:

1. an argument of the storage's constructor;
2. a default given to ``create_storage_class``;
3. the module's entry in ``SMART_STORAGE_BUCKETS``;
4. a preset of the class: an attribute named like the option;
5. the ``AWS_*`` setting of django-storages, or its default.

Credentials are one set: all of them are taken from the first of these places that has any.

Names of modules and the arguments of constructors come in; merged options, with secrets that print
as ``***``, go out. This room may not know storages, nor the engine that the options are for.
"""

from __future__ import annotations

from .merging import (
    DEFAULT_KEYS as DEFAULT_KEYS,
)
from .merging import (
    get_bucket_config,
    get_default_bucket_config,
    merge_options,
)
from .merging import (
    get_upstream_options as get_upstream_options,
)
from .queue import (
    QueueSettings as QueueSettings,
)
from .queue import (
    get_queue_settings as get_queue_settings,
)
from .queue import (
    get_tasks_backend as get_tasks_backend,
)
from .settings import (
    DEFAULT_MAX_CLIENTS as DEFAULT_MAX_CLIENTS,
)
from .settings import (
    DEFAULT_MODULE as DEFAULT_MODULE,
)
from .settings import (
    FALLBACK_SETTING as FALLBACK_SETTING,
)
from .settings import (
    LOCK_CACHE_SETTING as LOCK_CACHE_SETTING,
)
from .settings import (
    MAX_CLIENTS_SETTING as MAX_CLIENTS_SETTING,
)
from .settings import (
    METADATA_CACHE_SETTING as METADATA_CACHE_SETTING,
)
from .settings import (
    STRICT_SETTING as STRICT_SETTING,
)
from .settings import (
    TENANT_SETTING as TENANT_SETTING,
)
from .settings import (
    adopt_reporter_filter as adopt_reporter_filter,
)
from .settings import (
    adopt_storages_setting as adopt_storages_setting,
)
from .settings import (
    find_key as find_key,
)
from .settings import (
    get_buckets as get_buckets,
)
from .settings import (
    get_fallback_backends as get_fallback_backends,
)
from .settings import (
    get_local_static_url as get_local_static_url,
)
from .settings import (
    get_lock_cache_alias as get_lock_cache_alias,
)
from .settings import (
    get_max_clients as get_max_clients,
)
from .settings import (
    get_metadata_cache_alias as get_metadata_cache_alias,
)
from .settings import (
    get_middleware as get_middleware,
)
from .settings import (
    get_module_entry as get_module_entry,
)
from .settings import (
    get_reporter_filter as get_reporter_filter,
)
from .settings import (
    get_setting_names as get_setting_names,
)
from .settings import (
    get_storages as get_storages,
)
from .settings import (
    get_tenant_function as get_tenant_function,
)
from .settings import (
    get_upload_folder as get_upload_folder,
)
from .settings import (
    has_entry as has_entry,
)
from .settings import (
    is_strict as is_strict,
)
from .settings import (
    iter_module_keys as iter_module_keys,
)
from .settings import (
    keyed_digest as keyed_digest,
)
from .settings import (
    uses_time_zones as uses_time_zones,
)

__all__ = ["get_bucket_config", "get_default_bucket_config", "merge_options"]
