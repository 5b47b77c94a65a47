"""Finds the storage that a name or another reference means; modules share their storage."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Type, Union

from django.core.files.storage import Storage
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from smart_storages import config
from smart_storages.common.arguments import import_path
from smart_storages.common.compat import (
    StorageHandler,
    django_storages_handler,
    forget_default_storages,
)
from smart_storages.config.errors import BUCKETS_SETTING
from smart_storages.config.spelling import near_module
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import StaticStorage, ready_made
from smart_storages.storages.smart import SmartS3Storage

__all__ = [
    "StorageReference",
    "adopt_storages_setting",
    "get_storage",
    "read_aliases",
    "ready_made_class",
    "ready_made_modules",
    "require_module_name",
    "resolve_storage",
    "storages",
]

#: An alias, a module, a dotted path, a ``{"BACKEND", "OPTIONS"}`` dict, a storage or its class.
StorageReference = Union[str, Mapping[str, Any], Storage, Type[Storage]]

#: Django's ``storages``, also on the versions of Django that have none.
storages = django_storages_handler(config.get_storages)

_READY_MADE: Dict[str, Type[SmartS3Storage]] = {
    storage_class.module_name: storage_class
    for storage_class in (
        ready_made.DocumentStorage,
        ready_made.MediaStorage,
        ready_made.PrivateStorage,
        ready_made.PublicStorage,
        StaticStorage,
    )
}


def ready_made_class(module_name: str) -> Optional[Type[SmartS3Storage]]:
    """Return the ready-made class of a module, ``None`` if it has none."""
    return _READY_MADE.get(module_name)


def ready_made_modules() -> List[str]:
    """Return the modules of the ready-made classes."""
    return list(_READY_MADE)


_shared: Dict[str, SmartS3Storage] = {}


def require_module_name(caller: str, module_name: Any) -> None:
    """Raise a ``ValueError`` unless a caller was given a string that is not empty."""
    if not isinstance(module_name, str) or not module_name:
        raise ValueError(f"{caller}() needs the name of a module, such as 'tenant_x'.")


def get_storage(module_name: str) -> SmartS3Storage:
    """Return the storage of a module; every caller gets the same one.

    The names of the ready-made classes (``media``, ``static``, ``documents``, ``private``,
    ``public``) give those, with their presets.

    Args:
        module_name: Name of the module.

    Raises:
        ValueError: the name is empty.

    Example:
        >>> get_storage("media") is get_storage("media")
        True
    """
    try:
        return _shared[module_name]
    except (KeyError, TypeError):  # a value that cannot be hashed is not a name
        require_module_name("get_storage", module_name)
        ready_made = ready_made_class(module_name)
        # A class of its own, for each of thousands of tenants, would take 3 KB more.
        storage = ready_made() if ready_made else SmartS3Storage(module_name)
        return _shared.setdefault(module_name, storage)


def read_aliases() -> Mapping[str, Any]:
    """Return ``STORAGES`` as Django reads it.

    Raises:
        ConfigurationError: it is not a dict, so that Django could not read it.
    """
    try:
        aliases = storages.backends
    except (AttributeError, TypeError, ValueError):
        aliases = None
    if isinstance(aliases, Mapping):
        return aliases
    raise ConfigurationError("STORAGES must be a dict of aliases, each a dict with a BACKEND.")


def make_default_storage() -> Storage:
    """Return the storage aliased ``default``, for Django before 4.2."""
    storage: Storage = storages["default"]
    return storage


def make_staticfiles_storage() -> Storage:
    """Return the storage aliased ``staticfiles``, for Django before 4.2."""
    storage: Storage = storages["staticfiles"]
    return storage


def adopt_storages_setting() -> None:
    """Have Django before 4.2 take ``default_storage`` and static files from ``STORAGES``."""
    try:
        read_aliases()
    except ConfigurationError:
        return  # a system check reports it, once Django has started
    config.adopt_storages_setting(
        default=f"{__name__}.make_default_storage",
        staticfiles=f"{__name__}.make_staticfiles_storage",
    )


def resolve_storage(reference: StorageReference) -> Storage:
    """Return the storage that a reference means.

    The first that fits: a storage or its class; a dict with ``BACKEND`` and ``OPTIONS``; an alias
    of ``STORAGES``; a module of ``SMART_STORAGE_BUCKETS`` or of a ready-made class; a dotted path
    to a storage, its class, or a callable that returns one.

    Args:
        reference: What the user wrote.

    Raises:
        ConfigurationError: there is no such storage; the message lists those that exist.

    Example:
        >>> resolve_storage("django.core.files.storage.FileSystemStorage").path("a")[-1]
        'a'
    """
    if isinstance(reference, str):
        return _resolve_name(reference)
    if isinstance(reference, Mapping):
        return _build_backend(reference)
    return _as_storage(reference, repr(reference))


def _resolve_name(name: str) -> Storage:
    aliases = read_aliases()
    if name in aliases:
        if not isinstance(aliases[name], Mapping):
            raise ConfigurationError(
                f"STORAGES[{name!r}] must be a dict with BACKEND and OPTIONS, "
                f"not {type(aliases[name]).__name__}."
            )
        storage: Storage = storages[name]
        return storage
    if name in config.get_buckets() or name in _READY_MADE:
        return get_storage(name)
    if "." in name:
        # Before the patterns, since "*" matches a dotted path as well.
        try:
            return _as_storage(import_string(name), name)
        except ImportError as error:
            if config.find_key(name) is None:
                raise ConfigurationError(
                    f"The storage {name!r} cannot be imported: {error}."
                ) from error
    if name and config.find_key(name) is not None:
        return get_storage(name)
    known = sorted({*aliases, *config.get_buckets(), *_READY_MADE})
    near = near_module(name, known)
    meant = f"Did you mean {near!r}? " if near else ""
    raise ConfigurationError(
        f"There is no storage {name!r}: neither an alias of STORAGES nor a module of "
        f"{BUCKETS_SETTING}. {meant}Known are: {', '.join(known)}."
    )


def _build_backend(params: Mapping[str, Any]) -> Storage:
    if {*params} - {"BACKEND", "OPTIONS"} or "BACKEND" not in params:
        raise ConfigurationError(
            "A storage given as a dict has the keys BACKEND and, optionally, OPTIONS; "
            f"this one has {', '.join(map(repr, params)) or 'none'}."
        )
    backend, options = params["BACKEND"], params.get("OPTIONS") or {}
    if isinstance(backend, str):
        backend = import_path("The backend", backend)
    if not callable(backend):
        raise ConfigurationError(
            "BACKEND of a storage given as a dict must be a class or its dotted path, "
            f"not {type(backend).__name__}."
        )
    if not isinstance(options, Mapping):
        raise ConfigurationError(
            "OPTIONS of a storage given as a dict must be a dict of options, "
            f"not {type(options).__name__}."
        )
    return _as_storage(backend(**options), repr(backend))


def _as_storage(candidate: Any, label: str) -> Storage:
    # A lazy object (Django's default_storage) and a duck-typed storage are accepted as well.
    made = candidate() if callable(candidate) and not hasattr(candidate, "_wrapped") else candidate
    if not all(hasattr(made, method) for method in ("open", "save", "url")):
        raise ConfigurationError(f"{label} is not a storage: it has no open(), save() and url().")
    return made  # type: ignore[no-any-return]


def _forget_storages(*, setting: Optional[str] = None, **kwargs: Any) -> None:
    # After a change of any setting: storages are cheap to make again.
    _shared.clear()
    if isinstance(storages, StorageHandler):  # goes with Django 4.1
        storages.clear()
        if setting == "STORAGES":
            forget_default_storages()
            adopt_storages_setting()


setting_changed.connect(
    _forget_storages, dispatch_uid="smart_storages.storages.lookup.forget_storages"
)
