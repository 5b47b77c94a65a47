"""Merges the options of a storage: each is taken from the first place that has it."""

from __future__ import annotations

from typing import (
    Any,
    Dict,
    List,
    Mapping,
    Optional,
)

from django.conf import settings

from smart_storages.config.modules import fill_in
from smart_storages.config.options import (
    AZURE_CREDENTIALS,
    BACKEND_OPTIONS,
    CREDENTIAL_OPTIONS,
    OPTIONS,
    SFTP_CREDENTIALS,
    default_of,
    guard,
)
from smart_storages.config.problems import find_upstream_problems
from smart_storages.config.settings import get_forced_backend, get_module_entry
from smart_storages.config.spelling import OLDER_SETTINGS
from smart_storages.exceptions import ConfigurationError

#: The keys that :func:`get_default_bucket_config` always returns.
DEFAULT_KEYS = (
    "bucket_name",
    "location",
    "default_acl",
    "access_key",
    "secret_key",
    "region_name",
)
_S3 = OPTIONS["backend"].default

#: The settings that were validated last. Every new storage reads them, and they rarely change.
_last_valid: Dict[str, Any] = {}


def get_default_bucket_config() -> Dict[str, Any]:
    """Return the values of the ``AWS_*`` settings, with the precedence of django-storages.

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

    An exact key is used first, then the longest pattern that matches; a module without an entry
    gets the defaults. The dict is a new one: changing it changes no setting.

    Args:
        module_name: Name of the module, ``"media"`` or ``"tenant_x"``.

    Raises:
        ConfigurationError: the entry is wrong; the message names the module, the key and the fix.
        InvalidModuleNameError: the name matches a pattern and could lead out of its location.

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
    """Return the options of a storage, each from the first place that has it.

    Args:
        module_name: Name of the module.
        arguments: The arguments of the storage's constructor.
        defaults: The options given to ``create_storage_class``.
        presets: The class's own attributes.
        upstream: The result of :func:`get_upstream_options`, if it was read already.

    Returns:
        The six keys of :func:`get_default_bucket_config`, and every other option that is set
        anywhere but in a setting for all modules. A value is ``None`` only if it switches off
        such a setting or the signer; other options that are ``None`` are left out.

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
    # An overridden get_default_settings() of a project may not have it.
    if upstream.get("backend", _S3) != _S3:
        merged["backend"] = upstream["backend"]
    for layer in reversed(layers):
        merged.update({key: _or_default(key, value) for key, value in layer.items()})
    sets = (CREDENTIAL_OPTIONS | {"external_id"}, AZURE_CREDENTIALS, SFTP_CREDENTIALS)
    for credentials in sets:
        decisive = credentials - {"external_id"}
        owner = next((layer for layer in layers if not decisive.isdisjoint(layer)), None)
        if owner is not None:
            merged.update({key: owner.get(key) for key in credentials})
    _imply_unsigned_urls(merged, layers)
    _force_backend(merged)
    return {
        key: value
        for key, value in merged.items()
        # A signer of None switches off the one that cloudfront_key would make.
        if value is not None or upstream.get(key) is not None or key == "cloudfront_signer"
    }


def _force_backend(merged: Dict[str, Any]) -> None:
    forced = get_forced_backend()
    if not forced:
        return
    # What the module says of its own backend means nothing on another one.
    for key in BACKEND_OPTIONS:
        merged.pop(key, None)
    if not CREDENTIAL_OPTIONS.isdisjoint(forced):
        merged.update(dict.fromkeys((*CREDENTIAL_OPTIONS, "external_id")))
    merged.update(forced)


def _or_default(key: str, value: Any) -> Any:
    return default_of(key) if value is None else value


def _imply_unsigned_urls(merged: Dict[str, Any], layers: List[Dict[str, Any]]) -> None:
    # If anybody may read the object, signing its URL only defeats caches.
    if merged.get("default_acl") not in ("public-read", "public-read-write"):
        return
    if any("querystring_auth" in layer for layer in layers):
        return
    named_here = any("default_acl" in layer for layer in layers)
    if named_here or not hasattr(settings, "AWS_QUERYSTRING_AUTH"):
        merged["querystring_auth"] = False


def get_upstream_options() -> Dict[str, Any]:
    """Return the options for all modules: ``SMART_STORAGE_PROVIDER`` and the ``AWS_*`` settings.

    The latter are read by django-storages. All of them are checked.
    """
    from storages.backends.s3 import S3Storage

    # The plain keys are never in a variable: the debug page shows the variables of each frame.
    guarded = guard(
        {
            **S3Storage.get_default_settings(None),
            **{
                key: getattr(settings, str(OPTIONS[key].setting), OPTIONS[key].default)
                for key in ("provider", "backend")
            },
        }
    )
    if guarded != _last_valid:
        for problem in find_upstream_problems(guarded):
            raise ConfigurationError(
                f"The setting {_setting_of(problem.key)} {problem.message}. {problem.hint}"
            )
        _last_valid.clear()
        # Copies, since the project may change a dict of its settings in place.
        for key, value in guarded.items():
            _last_valid[key] = dict(value) if isinstance(value, dict) else value
    return guarded


def _setting_of(key: str) -> str:
    # django-storages has two names for some settings: return the one that the project uses.
    first = str(OPTIONS[key].setting)
    older = OLDER_SETTINGS.get(key, first)
    return older if hasattr(settings, older) and not hasattr(settings, first) else first
