"""Every Django setting that this package reads, with one function for each."""

from __future__ import annotations

import hmac
from pathlib import PurePath
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
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.encoding import force_bytes

from smart_storages.common.compat import HAS_STORAGES, forget_default_storages
from smart_storages.config.errors import BUCKETS_SETTING, configuration_error
from smart_storages.config.modules import fill_in, find_pattern, validate_module_name
from smart_storages.config.options import AZURE_OPTIONS, GCS_OPTIONS, OPTIONS, guard
from smart_storages.config.problems import find_entry_problems
from smart_storages.exceptions import ConfigurationError

STRICT_SETTING = "SMART_STORAGE_STRICT"
FALLBACK_SETTING = "FALLBACK_STORAGES"
TENANT_SETTING = "SMART_STORAGE_TENANT"
MAX_CLIENTS_SETTING = "SMART_STORAGE_MAX_CLIENTS"
METADATA_CACHE_SETTING = "SMART_STORAGE_METADATA_CACHE"
LOCK_CACHE_SETTING = "SMART_STORAGE_LOCK_CACHE"
SLOW_SECONDS_SETTING = "SMART_STORAGE_SLOW_SECONDS"
LOCAL_SETTING = "SMART_STORAGE_LOCAL"
#: What ``override_buckets`` sets, and nobody else.
TEST_SETTING = "SMART_STORAGE_TEST_BACKEND"
DEFAULT_MAX_CLIENTS = 256
#: The module of a storage that was made without a module's name.
DEFAULT_MODULE = "default"


def settings_in_force() -> Any:
    """Return what holds the settings: another object in each override; ``None`` if not known."""
    return getattr(settings, "_wrapped", None)


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
    """Return the key of ``SMART_STORAGE_BUCKETS`` that applies to a module, if any."""
    keys = get_buckets().keys()
    if isinstance(module_name, str) and module_name in keys:
        return module_name
    return find_pattern(keys, module_name)


def get_module_entry(module_name: str) -> Dict[str, Any]:
    """Return a module's entry, checked, with ``{module}`` filled in; empty if it has none."""
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
    """Return whether a module has an entry; ``True`` if ``SMART_STORAGE_BUCKETS`` is not set.

    ``"default"`` needs no entry: it is the module of a storage made without a module's name.
    """
    if module_name == DEFAULT_MODULE or getattr(settings, BUCKETS_SETTING, None) is None:
        return True
    return find_key(module_name) is not None


def get_setting_names() -> List[str]:
    """Return the names of all settings of the project."""
    return [name for name in dir(settings) if name.isupper()]


def get_other_setting(name: str, default: Any) -> Any:
    """Return a setting of another package."""
    return getattr(settings, name, default)


def get_max_clients() -> int:
    """Return ``SMART_STORAGE_MAX_CLIENTS``: how many S3 clients are kept, 256 by default."""
    limit = getattr(settings, MAX_CLIENTS_SETTING, DEFAULT_MAX_CLIENTS)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ConfigurationError(
            f"{MAX_CLIENTS_SETTING} must be a whole number above 0, not {limit!r}."
        )
    return limit


def get_local_root() -> Optional[str]:
    """Return ``SMART_STORAGE_LOCAL``: the directory that keeps all buckets, if it is set.

    ``False`` and ``""`` are as ``None``, for ``DEBUG and BASE_DIR / "buckets"``.
    """
    root = getattr(settings, LOCAL_SETTING, None)
    if root is None or root is False or root == "":
        return None
    if not isinstance(root, (str, PurePath)) or not PurePath(root).is_absolute():
        raise ConfigurationError(
            f"{LOCAL_SETTING} must be the absolute path of a directory, such as "
            f"BASE_DIR / 'buckets', not {root!r}."
        )
    return str(root)


def get_forced_backend() -> Dict[str, Any]:
    """Return the options with which all modules keep their files elsewhere than configured.

    A test's :func:`smart_storages.testing.override_buckets` goes before ``SMART_STORAGE_LOCAL``.
    """
    forced = getattr(settings, TEST_SETTING, None)
    if forced is not None:
        return guard(forced)
    root = get_local_root()
    return {} if root is None else {"backend": "filesystem", "root": root}


def iter_roots() -> List[str]:
    """Return the directories that the settings name for the files of modules, each once."""
    roots = [get_forced_backend().get("root")]
    for entry in get_buckets().values():
        if isinstance(entry, Mapping) and entry.get("root"):
            roots.append(entry["root"])
    return list(dict.fromkeys(str(root) for root in roots if root))


def get_upload_permissions() -> Optional[int]:
    """Return ``FILE_UPLOAD_PERMISSIONS``: the permissions of files on a disk."""
    mode = settings.FILE_UPLOAD_PERMISSIONS
    return mode if isinstance(mode, int) else None


def get_azure_options() -> Dict[str, Any]:
    """Return the ``AZURE_*`` settings of django-storages by the names of the options.

    Raises:
        ConfigurationError: one of them has a value of the wrong type.
    """
    found = guard(
        {name: getattr(settings, str(OPTIONS[name].setting), None) for name in AZURE_OPTIONS}
    )
    for name, value in found.items():
        option = OPTIONS[name]
        if not option.accepts(value):
            raise ConfigurationError(
                f"{option.setting} must be {option.expected}, not {type(value).__name__}."
            )
    return found


def get_azure_container() -> Optional[str]:
    """Return ``AZURE_CONTAINER``: the container of modules that name no bucket."""
    name = getattr(settings, "AZURE_CONTAINER", None)
    return str(name) if name else None


def get_gcs_options() -> Dict[str, Any]:
    """Return the ``GS_*`` settings of django-storages by the names of the options.

    Raises:
        ConfigurationError: one of them has a value of the wrong type.
    """
    found = {name: getattr(settings, str(OPTIONS[name].setting), None) for name in GCS_OPTIONS}
    for name, value in found.items():
        option = OPTIONS[name]
        if not option.accepts(value):
            raise ConfigurationError(
                f"{option.setting} must be {option.expected}, not {type(value).__name__}."
            )
    return {**found, "credentials": getattr(settings, "GS_CREDENTIALS", None)}


def get_gcs_bucket() -> Optional[str]:
    """Return ``GS_BUCKET_NAME``: the bucket of modules in Google Cloud that name none."""
    name = getattr(settings, "GS_BUCKET_NAME", None)
    return str(name) if name else None


def is_debug() -> bool:
    """Return ``DEBUG``."""
    return bool(settings.DEBUG)


def has_urlconf() -> bool:
    """Return whether ``ROOT_URLCONF`` is set; a project that is no site has none."""
    return bool(getattr(settings, "ROOT_URLCONF", None))


def get_slow_seconds() -> Optional[float]:
    """Return ``SMART_STORAGE_SLOW_SECONDS``: from when on an operation is logged as slow."""
    seconds = getattr(settings, SLOW_SECONDS_SETTING, None)
    if seconds is None:
        return None
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds < float("inf"):
        raise ConfigurationError(
            f"{SLOW_SECONDS_SETTING} must be a number of seconds, or None, not {seconds!r}."
        )
    return float(seconds)


def get_metadata_cache_alias() -> str:
    """Return ``SMART_STORAGE_METADATA_CACHE``: the alias of the cache for file metadata."""
    return _get_cache_alias(METADATA_CACHE_SETTING)


def get_lock_cache_alias() -> Optional[str]:
    """Return ``SMART_STORAGE_LOCK_CACHE``: the alias of the cache for locks, or ``None``."""
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
    """Return a digest of the parts that only processes with this ``SECRET_KEY`` can make.

    Example::

        keyed_digest("credentials", "key", "AKIA...")     # 64 hexadecimal digits
    """
    try:
        secret = settings.SECRET_KEY
    except ImproperlyConfigured:  # it is empty
        secret = ""
    return _digest_with(secret, parts)


def keyed_digests(*parts: str) -> List[str]:
    """Return what :func:`keyed_digest` does, and what it did before ``SECRET_KEY`` was replaced.

    To compare with what was signed before; the old keys are in ``SECRET_KEY_FALLBACKS``.

    Example::

        any(hmac.compare_digest(given, each) for each in keyed_digests("url", path))
    """
    old = getattr(settings, "SECRET_KEY_FALLBACKS", ())  # since Django 4.1
    return [keyed_digest(*parts), *(_digest_with(each, parts) for each in old)]


def _digest_with(secret: Any, parts: Sequence[str]) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(force_bytes(secret), b"smart-storages\0" + text, "sha256").hexdigest()


def get_upload_folder() -> Optional[str]:
    """Return ``FILE_UPLOAD_TEMP_DIR``, ``None`` for the system's directory of temporary files."""
    folder = settings.FILE_UPLOAD_TEMP_DIR
    return None if folder is None else str(folder)


def uses_time_zones() -> bool:
    """Return ``USE_TZ``: whether Django uses aware datetimes."""
    return bool(settings.USE_TZ)


def get_local_static_url() -> Optional[str]:
    """Return ``STATIC_URL`` if ``runserver`` serves the static files below it, else ``None``."""
    url = settings.STATIC_URL
    is_local = settings.DEBUG and url and not urlsplit(str(url)).netloc
    return str(url) if is_local else None


def get_storages() -> Dict[str, Any]:
    """Return ``STORAGES``, completed from the settings that older versions of Django use."""
    storages: Dict[str, Any] = dict(getattr(settings, "STORAGES", None) or {})
    if not HAS_STORAGES:  # can be removed with Django 4.1
        older = {"default": "DEFAULT_FILE_STORAGE", "staticfiles": "STATICFILES_STORAGE"}
        for alias, name in older.items():
            storages.setdefault(alias, {"BACKEND": getattr(settings, name)})
    return storages


def adopt_storages_setting(default: str, staticfiles: str) -> None:
    """Make a Django without ``STORAGES`` take its storages from there. For Django up to 4.1.

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
    """Return ``DEFAULT_EXCEPTION_REPORTER_FILTER``: the path of the debug page's filter."""
    return str(settings.DEFAULT_EXCEPTION_REPORTER_FILTER)


def adopt_reporter_filter(djangos: str, ours: str) -> None:
    """Make Django filter its debug page with this package's filter, unless the project set one.

    Args:
        djangos: Dotted path of Django's default filter.
        ours: Dotted path of this package's filter.
    """
    if get_reporter_filter() == djangos:
        settings.DEFAULT_EXCEPTION_REPORTER_FILTER = ours


def iter_module_keys() -> Iterator[str]:
    """Yield the keys of ``SMART_STORAGE_BUCKETS``, including patterns."""
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
    """Return ``SMART_STORAGE_TENANT``: the function that returns a request's tenant."""
    return getattr(settings, TENANT_SETTING, None)


def get_middleware() -> List[str]:
    """Return ``MIDDLEWARE``: the dotted paths, the outermost first."""
    return list(settings.MIDDLEWARE or ())
