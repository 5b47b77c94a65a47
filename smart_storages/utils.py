"""Make storage classes, share storages, and turn any reference into a storage."""

from __future__ import annotations

import copyreg
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, Union

from django.core.files.storage import Storage
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from smart_storages import config
from smart_storages import storages as ready_made
from smart_storages.common.arguments import import_path
from smart_storages.common.compat import (
    StorageHandler,
    django_storages_handler,
    forget_default_storages,
)
from smart_storages.config.deconstructed import OPTION, SerializedObject, find_withheld
from smart_storages.config.errors import BUCKETS_SETTING, raise_for_unknown_options
from smart_storages.config.options import guard
from smart_storages.config.spelling import near_module
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import SmartS3Storage

__all__ = [
    "StorageReference",
    "create_storage",
    "create_storage_class",
    "get_storage",
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
        ready_made.StaticStorage,
    )
}


def ready_made_class(module_name: str) -> Optional[Type[SmartS3Storage]]:
    """Return the ready-made class of a module, ``None`` if it has none."""
    return _READY_MADE.get(module_name)


def ready_made_modules() -> List[str]:
    """Return the modules of the ready-made classes."""
    return list(_READY_MADE)


def iter_classes() -> List[Type[SmartS3Storage]]:
    """Return every class that ``create_storage_class`` has made in this process."""
    return list(_classes.values())


_classes: Dict[Any, Type[SmartS3Storage]] = {}
_shared: Dict[str, SmartS3Storage] = {}


def create_storage_class(
    module_name: str,
    *,
    base: Union[str, Type[SmartS3Storage]] = SmartS3Storage,
    **default_settings: Any,
) -> Type[SmartS3Storage]:
    """Return a storage class for a module; the same call returns the same class.

    Args:
        module_name: Name of the module, ``"tenant_x"``. The class is named after it.
        base: The class to build on, or its dotted path.
        default_settings: Options that stand above ``SMART_STORAGE_BUCKETS`` and below the
            constructor's arguments.

    Raises:
        ValueError: the name is empty.
        ConfigurationError: an option is unknown or has a value of the wrong type, or the base is
            no storage class of ours.

    Example:
        >>> create_storage_class("my-custom-storage", default_acl="private").__name__
        'My_custom_storageStorage'
    """
    _require_module_name("create_storage_class", module_name)
    label = f"create_storage_class({module_name!r})"
    raise_for_unknown_options(label, default_settings)
    base_class = _find_base(label, base)
    key = (module_name, base_class, _freeze(default_settings))
    if key not in _classes:
        _classes[key] = _make_class(module_name, base_class, guard(default_settings))
    return _classes[key]


def _require_module_name(caller: str, module_name: Any) -> None:
    if not isinstance(module_name, str) or not module_name:
        raise ValueError(f"{caller}() needs the name of a module, such as 'tenant_x'.")


def _find_base(label: str, base: Any) -> Type[SmartS3Storage]:
    found = import_path(f"{label}: the base", base) if isinstance(base, str) else base
    if isinstance(found, type) and issubclass(found, SmartS3Storage):
        return found
    given = found.__qualname__ if isinstance(found, type) else type(found).__name__
    raise ConfigurationError(
        f"{label}: base must be SmartS3Storage, a subclass of it, or the dotted path of one, "
        f"not {given}."
    )


def _make_class(
    module_name: str, base: Type[SmartS3Storage], defaults: Dict[str, Any]
) -> Type[SmartS3Storage]:
    attributes = {
        "__doc__": f"The storage of the module {module_name!r}.",
        "__module__": __name__,
        "module_name": module_name,
        "_class_defaults": {**base._class_defaults, **defaults},
        "_factory_call": (module_name, base, defaults),
        "deconstruct": _deconstruct,
        "__reduce__": _reduce,
    }
    made = _GeneratedClass(_class_name(module_name), (base,), attributes)
    made.__qualname__ = _describe_call(module_name, base, defaults)
    return made  # type: ignore[return-value]


class _UnwritableName(str):
    """A qualified name that explains itself to whoever writes it down."""

    __slots__ = ("reason",)
    reason: str

    def __str__(self) -> str:
        raise ValueError(self.reason)


def _describe_call(module_name: str, base: Type[SmartS3Storage], defaults: Dict[str, Any]) -> str:
    # Django writes a class into a migration as its module and qualified name. This makes of
    # FileField(storage=TenantStorage) an expression that finds the class again.
    kept, withheld = SmartS3Storage._without_secrets(defaults)
    arguments = [repr(module_name)]
    if base is not SmartS3Storage:
        arguments.append(f"base='{base.__module__}.{base.__qualname__}'")
    arguments += [f"{name}={kept[name]!r}" for name in sorted(kept)]
    call = f"create_storage_class({', '.join(arguments)})"
    if not withheld:
        return call
    name = _UnwritableName(call)
    name.reason = (
        f"The storage class of module {module_name!r} was made with {', '.join(withheld)}, which "
        f"no migration may hold. Set them in {BUCKETS_SETTING}[{module_name!r}] instead."
    )
    return name


def _find_call(storage: SmartS3Storage) -> Optional[Tuple[Any, ...]]:
    # Only of the class itself: a subclass somebody wrote is found under its own name.
    return type(storage).__dict__.get("_factory_call")


def _deconstruct(storage: SmartS3Storage) -> Tuple[str, Tuple[Any, ...], Dict[str, Any]]:
    call = _find_call(storage)
    if call is None:
        return SmartS3Storage.deconstruct(storage)
    module_name, base, defaults = call
    kept, withheld = SmartS3Storage._without_secrets(defaults)
    args, kwargs = storage._deconstruct_call(withheld)
    if base is not SmartS3Storage:
        kwargs["base"] = SerializedObject.of(base)
    positional = (module_name, kept, *args) if kept or args else (module_name,)
    return f"{__name__}.create_storage", positional, kwargs


def _reduce(storage: SmartS3Storage) -> Tuple[Any, ...]:
    if _find_call(storage) is None:
        return SmartS3Storage.__reduce__(storage)
    _, args, kwargs = _deconstruct(storage)
    return _recreate, (args, kwargs)


def _recreate(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> SmartS3Storage:
    return create_storage(*args, **kwargs)


def _class_name(module_name: str) -> str:
    name = re.sub(r"\W", "_", module_name)
    name = name[:1].upper() + name[1:]
    return f"_{name}Storage" if name[:1].isdigit() else f"{name}Storage"


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((str(key), _freeze(each)) for key, each in value.items()))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *map(_freeze, value))
    if isinstance(value, (set, frozenset)):
        return frozenset(map(_freeze, value))
    try:
        hash(value)
    except TypeError:
        return id(value)
    return (type(value).__name__, value)


class _GeneratedClass(type):
    """The class of generated classes, so that pickle can be told how to find one again."""


def _reduce_class(generated: Any) -> Union[str, Tuple[Any, ...]]:
    call = generated.__dict__.get("_factory_call")
    if call is None:  # somebody's own subclass of a generated class
        return str(generated.__qualname__)
    module_name, base, defaults = call
    kept, withheld = SmartS3Storage._without_secrets(defaults)
    if withheld:
        raise TypeError(
            f"{generated.__name__} was made with {', '.join(withheld)}, which are never pickled. "
            f"Set them in {BUCKETS_SETTING}[{module_name!r}] instead."
        )
    return _create_class, (module_name, base, kept)


def _create_class(
    module_name: str, base: Type[SmartS3Storage], defaults: Dict[str, Any]
) -> Type[SmartS3Storage]:
    return create_storage_class(module_name, base=base, **defaults)


copyreg.pickle(_GeneratedClass, _reduce_class)


def create_storage(
    module_name: str,
    defaults: Optional[Mapping[str, Any]] = None,
    *args: Any,
    base: Union[str, Type[SmartS3Storage]] = SmartS3Storage,
    **options: Any,
) -> SmartS3Storage:
    """Return a storage of a generated class; this is the call that migrations hold.

    Args:
        module_name: As for :func:`create_storage_class`.
        defaults: The default settings of the class.
        args: Arguments of the storage's constructor.
        base: As for :func:`create_storage_class`.
        options: Options of the storage's constructor.

    Example:
        >>> create_storage("tenant_x", {"default_acl": "private"}).module_name
        'tenant_x'
    """
    kept = find_withheld(options.get(OPTION) or ())
    made_by = kept.storage_class if kept else None
    if made_by is None:
        made_by = create_storage_class(module_name, base=base, **(defaults or {}))
    storage: SmartS3Storage = made_by(*args, **options)
    return storage


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
    except (KeyError, TypeError):  # what cannot be hashed is no name either
        _require_module_name("get_storage", module_name)
        ready_made = ready_made_class(module_name)
        # A class of its own, for each of thousands of tenants, would be 3 KB more.
        storage = ready_made() if ready_made else SmartS3Storage(module_name)
        return _shared.setdefault(module_name, storage)


def read_aliases() -> Mapping[str, Any]:
    """Return ``STORAGES`` as Django reads it.

    Raises:
        ConfigurationError: it is no dict, so that Django could not read it.
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
        return  # told of by a system check, which Django has to get as far as
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
        ConfigurationError: it means nothing; the message lists what is known.

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
        # Before the patterns: "*" fits a dotted path as well.
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
    # A lazy object (Django's default_storage) or a duck-typed storage is one as well.
    made = candidate() if callable(candidate) and not hasattr(candidate, "_wrapped") else candidate
    if not all(hasattr(made, method) for method in ("open", "save", "url")):
        raise ConfigurationError(f"{label} is not a storage: it has no open(), save() and url().")
    return made  # type: ignore[no-any-return]


def _forget_storages(*, setting: Optional[str] = None, **kwargs: Any) -> None:
    # Also after the AWS_* names, and every other one: storages are cheap to make again.
    _shared.clear()
    if isinstance(storages, StorageHandler):  # goes with Django 4.1
        storages.clear()
        if setting == "STORAGES":
            forget_default_storages()
            adopt_storages_setting()


setting_changed.connect(_forget_storages, dispatch_uid="smart_storages.utils.forget_storages")
