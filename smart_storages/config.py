"""The only reader of Django settings, and the order in which an option is looked up.

An option is the first of:

1. an argument of the storage's constructor;
2. a default given to ``create_storage_class``;
3. the module's entry in ``SMART_STORAGE_BUCKETS``;
4. a preset of the class: an attribute named like the option;
5. the ``AWS_*`` setting of django-storages, or its default.

Credentials are looked up as one set: the first of these that names any of them gives all of them.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Union,
)

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.encoding import force_bytes

from smart_storages.compat import HAS_STORAGES, forget_default_storages
from smart_storages.config_errors import BUCKETS_SETTING, configuration_error
from smart_storages.exceptions import ConfigurationError
from smart_storages.modules import fill_in, find_pattern, validate_module_name
from smart_storages.option_problems import find_entry_problems, find_upstream_problems
from smart_storages.options import (
    CREDENTIAL_OPTIONS,
    OPTIONS,
    default_of,
    guard,
)
from smart_storages.spelling import OLDER_SETTINGS

__all__ = ["get_bucket_config", "get_default_bucket_config", "merge_options"]

#: What :func:`get_default_bucket_config` always holds.
DEFAULT_KEYS = (
    "bucket_name",
    "location",
    "default_acl",
    "access_key",
    "secret_key",
    "region_name",
)

#: What was looked at last: every storage that is made asks again, and it is the same as a rule.
_found_sound: Dict[str, Any] = {}

STRICT_SETTING = "SMART_STORAGE_STRICT"
FALLBACK_SETTING = "FALLBACK_STORAGES"
TENANT_SETTING = "SMART_STORAGE_TENANT"
MAX_CLIENTS_SETTING = "SMART_STORAGE_MAX_CLIENTS"
METADATA_CACHE_SETTING = "SMART_STORAGE_METADATA_CACHE"
LOCK_CACHE_SETTING = "SMART_STORAGE_LOCK_CACHE"
DEFAULT_MAX_CLIENTS = 256
#: The module of a storage for which nobody named one.
DEFAULT_MODULE = "default"


def get_default_bucket_config() -> Dict[str, Any]:
    """Return what the ``AWS_*`` settings say, in the precedence of django-storages.

    Returns:
        A fresh dict with the keys ``bucket_name``, ``location``, ``default_acl``,
        ``access_key``, ``secret_key`` and ``region_name``. The keys print as ``***``.

    Raises:
        ConfigurationError: a setting has a value of the wrong type.

    Example::

        AWS_STORAGE_BUCKET_NAME = "acme"
        get_default_bucket_config()["bucket_name"]      # "acme"

    Source: ``S3Storage.get_default_settings`` of django-storages.
    """
    upstream = get_upstream_options()
    return {key: upstream[key] for key in DEFAULT_KEYS}


def get_bucket_config(module_name: str) -> Dict[str, Any]:
    """Return a module's entry of ``SMART_STORAGE_BUCKETS`` over the ``AWS_*`` defaults.

    An exact key wins, then the longest pattern that matches; a module without an entry gets the
    defaults. The dict is fresh: changing it changes no setting.

    Args:
        module_name: Name of the module, ``"media"`` or ``"tenant_x"``.

    Raises:
        ConfigurationError: the entry is wrong; the message names the module, the key and the fix.
        InvalidModuleNameError: the name reached a pattern and could climb out of its location.

    Example::

        SMART_STORAGE_BUCKETS = {"tenant_*": {"bucket_name": "acme", "location": "{module}/"}}
        get_bucket_config("tenant_x")["location"]       # "tenant_x/"
    """
    keys = {*DEFAULT_KEYS, *get_module_entry(module_name)}
    merged = merge_options(module_name)
    return {key: merged.get(key) for key in sorted(keys)}


def merge_options(
    module_name: str,
    *,
    arguments: Optional[Mapping[str, Any]] = None,
    defaults: Optional[Mapping[str, Any]] = None,
    presets: Optional[Mapping[str, Any]] = None,
    upstream: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """Return the options of a storage, each from the first place that names it.

    Args:
        module_name: Name of the module.
        arguments: What the storage's constructor was given.
        defaults: What ``create_storage_class`` was given.
        presets: The class's own attributes.
        upstream: What :func:`get_upstream_options` gave, if it was read already.

    Returns:
        The six keys of :func:`get_default_bucket_config` and every other option that anything
        but an ``AWS_*`` setting names. ``None`` stands only where it switches something off, an
        ``AWS_*`` setting or the signer; elsewhere it is left out.

    Raises:
        ConfigurationError: an option is unknown or has a value of the wrong type.

    Example::

        merge_options("media", arguments={"location": "a/"}, presets={"location": "media"})
    """
    entry = get_module_entry(module_name)
    given = (arguments or {}, defaults or {}, entry, presets or {})
    layers = [fill_in(module_name, guard(layer)) for layer in given]
    upstream = get_upstream_options() if upstream is None else upstream
    merged = {key: upstream[key] for key in DEFAULT_KEYS}
    for layer in reversed(layers):
        merged.update({key: _or_default(key, value) for key, value in layer.items()})
    owner = next((layer for layer in layers if not CREDENTIAL_OPTIONS.isdisjoint(layer)), None)
    if owner is not None:
        merged.update({key: owner.get(key) for key in CREDENTIAL_OPTIONS})
        merged["external_id"] = owner.get("external_id")
    _imply_unsigned_urls(merged, layers)
    return {
        key: value
        for key, value in merged.items()
        # A signer of None switches off the one that cloudfront_key would make.
        if value is not None or upstream.get(key) is not None or key == "cloudfront_signer"
    }


def _or_default(key: str, value: Any) -> Any:
    return default_of(key) if value is None else value


def _imply_unsigned_urls(merged: Dict[str, Any], layers: List[Dict[str, Any]]) -> None:
    # A signed URL of an object that anybody may read only defeats caches.
    if merged.get("default_acl") not in ("public-read", "public-read-write"):
        return
    if any("querystring_auth" in layer for layer in layers):
        return
    named_here = any("default_acl" in layer for layer in layers)
    if named_here or not hasattr(settings, "AWS_QUERYSTRING_AUTH"):
        merged["querystring_auth"] = False


def get_upstream_options() -> Dict[str, Any]:
    """Return every option as django-storages reads it from the ``AWS_*`` settings."""
    from storages.backends.s3 import S3Storage

    # Never a variable with the plain keys: the debug page shows those of a frame that raises.
    guarded = guard(S3Storage.get_default_settings(None))
    if guarded != _found_sound:
        for problem in find_upstream_problems(guarded):
            raise ConfigurationError(
                f"The setting {_setting_of(problem.key)} {problem.message}. {problem.hint}"
            )
        _found_sound.clear()
        # Copies: somebody may change a dict of the settings in place.
        for key, value in guarded.items():
            _found_sound[key] = dict(value) if isinstance(value, dict) else value
    return guarded


def _setting_of(key: str) -> str:
    # django-storages has two names for some: tell of the one that somebody wrote.
    first = str(OPTIONS[key].setting)
    older = OLDER_SETTINGS.get(key, first)
    return older if hasattr(settings, older) and not hasattr(settings, first) else first


def get_buckets() -> Mapping[str, Any]:
    """Return ``SMART_STORAGE_BUCKETS``, empty if it is not set."""
    kind = type(getattr(settings, BUCKETS_SETTING, None))
    if kind is type(None):
        return {}
    if not issubclass(kind, Mapping):
        raise ConfigurationError(
            f"{BUCKETS_SETTING} must be a dict of modules and their options, not {kind.__name__}."
        )
    buckets: Mapping[str, Any] = getattr(settings, BUCKETS_SETTING)
    return buckets


def find_key(module_name: str) -> Optional[str]:
    """Return the key of ``SMART_STORAGE_BUCKETS`` that a module's entry stands under, if any."""
    keys = get_buckets().keys()
    if isinstance(module_name, str) and module_name in keys:
        return module_name
    return find_pattern(keys, module_name)


def get_module_entry(module_name: str) -> Dict[str, Any]:
    """Return what ``SMART_STORAGE_BUCKETS`` itself says of a module: names filled in, checked."""
    key = find_key(module_name)
    if key is None:
        return {}
    entry = _get_guarded_entry(key)
    if key != module_name:
        validate_module_name(module_name, key)
    for problem in find_entry_problems(entry):
        raise configuration_error(key, problem)
    return fill_in(module_name, entry)


def _get_guarded_entry(key: str) -> Dict[str, Any]:
    kind = type(get_buckets()[key])
    if not issubclass(kind, Mapping):
        raise ConfigurationError(
            f"{BUCKETS_SETTING}[{key!r}] must be a dict of options, not {kind.__name__}."
        )
    return guard(get_buckets()[key])


def is_strict() -> bool:
    """Return ``SMART_STORAGE_STRICT``: whether every module that is used needs an entry."""
    strict = getattr(settings, STRICT_SETTING, False)
    if not isinstance(strict, bool):
        raise ConfigurationError(
            f"{STRICT_SETTING} must be True or False, not {type(strict).__name__}."
        )
    return strict


def has_entry(module_name: str) -> bool:
    """Tell whether a module is one that ``SMART_STORAGE_BUCKETS`` speaks of, if that is set.

    ``"default"`` always is: it is the module of a storage for which nobody named one.
    """
    if module_name == DEFAULT_MODULE or getattr(settings, BUCKETS_SETTING, None) is None:
        return True
    return find_key(module_name) is not None


def get_setting_names() -> List[str]:
    """Return the names of all settings of the project."""
    return [name for name in dir(settings) if name.isupper()]


def get_max_clients() -> int:
    """Return ``SMART_STORAGE_MAX_CLIENTS``: how many S3 clients are kept, 256 by default."""
    limit = getattr(settings, MAX_CLIENTS_SETTING, DEFAULT_MAX_CLIENTS)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ConfigurationError(
            f"{MAX_CLIENTS_SETTING} must be a whole number above 0, not {limit!r}."
        )
    return limit


def get_metadata_cache_alias() -> str:
    """Return ``SMART_STORAGE_METADATA_CACHE``: the cache of ``metadata_cache_seconds``."""
    return _get_cache_alias(METADATA_CACHE_SETTING)


def get_lock_cache_alias() -> Optional[str]:
    """Return ``SMART_STORAGE_LOCK_CACHE``: the cache of the locks of names, or ``None``."""
    if getattr(settings, LOCK_CACHE_SETTING, "default") is None:
        return None
    return _get_cache_alias(LOCK_CACHE_SETTING)


def _get_cache_alias(setting: str) -> str:
    alias = getattr(settings, setting, "default")
    if not isinstance(alias, str) or alias not in settings.CACHES:
        raise ConfigurationError(
            f"{setting} must be one of {sorted(settings.CACHES)}, the aliases in CACHES, "
            f"not {alias!r}."
        )
    return alias


def keyed_digest(*parts: str) -> str:
    """Return a digest that every process of this project makes of the same parts, and no other.

    Example::

        keyed_digest("asker", "key", "AKIA...")     # 64 hexadecimal digits
    """
    try:
        secret = settings.SECRET_KEY
    except ImproperlyConfigured:  # it is empty
        secret = ""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(force_bytes(secret), b"smart-storages\0" + text, "sha256").hexdigest()


def get_upload_folder() -> Optional[str]:
    """Return ``FILE_UPLOAD_TEMP_DIR``, ``None`` for where the system keeps temporary files."""
    folder = settings.FILE_UPLOAD_TEMP_DIR
    return None if folder is None else str(folder)


def uses_time_zones() -> bool:
    """Return ``USE_TZ``: whether Django wants times that know their zone."""
    return bool(settings.USE_TZ)


def get_storages() -> Dict[str, Any]:
    """Return ``STORAGES``, completed from the settings that older Django versions have for it."""
    storages: Dict[str, Any] = dict(getattr(settings, "STORAGES", None) or {})
    if not HAS_STORAGES:  # goes with Django 4.1
        older = {"default": "DEFAULT_FILE_STORAGE", "staticfiles": "STATICFILES_STORAGE"}
        for alias, name in older.items():
            storages.setdefault(alias, {"BACKEND": getattr(settings, name)})
    return storages


def adopt_storages_setting(default: str, staticfiles: str) -> None:
    """Have a Django that knows no ``STORAGES`` take its storages from there. Goes with Django 4.1.

    Args:
        default: Dotted path of a callable that returns the storage aliased ``default``.
        staticfiles: The same for ``staticfiles``.
    """
    if HAS_STORAGES:
        return
    named = getattr(settings, "STORAGES", None) or {}
    if "default" in named:
        settings.DEFAULT_FILE_STORAGE = default
    if "staticfiles" in named:
        settings.STATICFILES_STORAGE = staticfiles
    if named:
        forget_default_storages()


def get_reporter_filter() -> str:
    """Return ``DEFAULT_EXCEPTION_REPORTER_FILTER``: what cleanses Django's debug page."""
    return str(settings.DEFAULT_EXCEPTION_REPORTER_FILTER)


def adopt_reporter_filter(djangos: str, ours: str) -> None:
    """Have Django cleanse its debug page with our filter where the project chose none.

    Args:
        djangos: Dotted path of the filter that Django uses by itself.
        ours: The same of ours.
    """
    if get_reporter_filter() == djangos:
        settings.DEFAULT_EXCEPTION_REPORTER_FILTER = ours


def iter_module_keys() -> Iterator[str]:
    """Yield the keys of ``SMART_STORAGE_BUCKETS``, patterns too."""
    yield from get_buckets()


def get_fallback_backends() -> Sequence[Any]:
    """Return ``FALLBACK_STORAGES``: references to storages, in the order they are tried."""
    backends = getattr(settings, FALLBACK_SETTING, None)
    if not backends or isinstance(backends, (str, Mapping)):
        raise ConfigurationError(
            f"FallbackStorage has no backends: pass some, or set {FALLBACK_SETTING} to a tuple "
            "of aliases, modules, dotted paths or dicts."
        )
    return tuple(backends)


def get_tenant_function() -> Union[str, Callable[[Any], Optional[str]], None]:
    """Return ``SMART_STORAGE_TENANT``: what tells a request's tenant, or its dotted path."""
    return getattr(settings, TENANT_SETTING, None)


def get_middleware() -> List[str]:
    """Return ``MIDDLEWARE``: the dotted paths, the outermost first."""
    return list(settings.MIDDLEWARE or ())


@dataclass(frozen=True)
class QueueSettings:
    """What the settings say about queued transfers; times in seconds.

    Args:
        retries: ``QUEUED_STORAGE_RETRIES``: attempts after the first one failed.
        retry_delay: ``QUEUED_STORAGE_RETRY_DELAY``: before the first retry; doubles each time.
        lease: ``QUEUED_STORAGE_LEASE``: a worker without a sign of life for so long is dead.
        orphan_age: ``QUEUED_STORAGE_ORPHAN_AGE``: a local copy without a row lives so long;
            longer than your longest database transaction.
        cache_key: ``QUEUED_STORAGE_CACHE_KEY``: prefix of the cache keys; empty: no cache.
        cache_per_process: ``QUEUED_STORAGE_CACHE_PER_PROCESS``: whether a cache that each process
            has for itself may be used: there is only one.
        tasks: ``SMART_STORAGE_TASKS``: the engine; empty: not set.
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
        ConfigurationError: A number is not one, is negative, text is not text, or a flag is none.
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
