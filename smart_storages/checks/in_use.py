"""Which storages a project uses: the aliases of ``STORAGES``, and the file fields of its models.

Storages of other packages are never built or called: that might do I/O.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from django.apps import apps
from django.utils.module_loading import import_string

from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import SmartS3Storage
from smart_storages.storages.lookup import read_aliases

__all__ = [
    "build_alias",
    "import_backend",
    "iter_field_storages",
    "iter_fields",
    "sound_aliases",
]


def sound_aliases() -> Dict[str, Any]:
    """Return the aliases of ``STORAGES`` that are dicts."""
    try:
        aliases = read_aliases()
    except ConfigurationError:
        return {}  # check_aliases reports this, and each alias that is left out
    return {alias: params for alias, params in aliases.items() if isinstance(params, Mapping)}


def import_backend(params: Mapping[str, Any]) -> Any:
    """Return the class that an alias names, ``None`` if it cannot be imported."""
    path = params.get("BACKEND")
    try:
        return import_string(path) if isinstance(path, str) else path
    except Exception:  # Django raises a clear error when the alias is used
        return None


def build_alias(params: Mapping[str, Any]) -> Optional[SmartS3Storage]:
    """Return the storage of an alias of ``STORAGES``, ``None`` if it is not one of ours."""
    # Building one of ours does no I/O; building one of another package might.
    path = params.get("BACKEND")
    if not isinstance(path, str):
        return None  # reported by check_aliases
    try:
        backend = import_string(path)
    except Exception:
        if path.startswith("smart_storages."):
            raise
        return None  # Django raises a clear error when the alias is used
    if not (isinstance(backend, type) and issubclass(backend, SmartS3Storage)):
        return None
    options = params.get("OPTIONS") or {}
    if not isinstance(options, Mapping):
        raise TypeError(f"OPTIONS must be a dict, not {type(options).__name__}")
    return backend(**options)


def iter_fields() -> Iterator[Tuple[str, Any]]:
    """Yield the name and the storage of each model field that has one.

    The storage may be a lazy object, which is built by any use but ``type()``.
    """
    for model in apps.get_models():
        for field in model._meta.get_fields():
            storage: Any = getattr(field, "storage", None)
            if storage is not None:
                yield f"{model._meta.label}.{field.name}", storage


def iter_field_storages() -> Iterator[Tuple[str, SmartS3Storage]]:
    """Yield the name and the storage of each file field whose storage is one of ours."""
    for label, storage in iter_fields():
        if issubclass(type(storage), SmartS3Storage):
            yield label, storage
