"""Makes storage classes; migrations and pickles of them refer to this module.

The functions that find a storage are also available here; they are defined in
:mod:`smart_storages.storages.lookup`.
"""

from __future__ import annotations

import copyreg
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, Union

from smart_storages.common.arguments import import_path
from smart_storages.config.deconstructed import OPTION, SerializedObject, find_withheld
from smart_storages.config.errors import BUCKETS_SETTING, raise_for_unknown_options
from smart_storages.config.options import guard
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import SmartS3Storage
from smart_storages.storages.lookup import (
    StorageReference,
    get_storage,
    require_module_name,
    resolve_storage,
    storages,
)
from smart_storages.storages.portable import declared_class

__all__ = [
    "StorageReference",
    "create_storage",
    "create_storage_class",
    "get_storage",
    "resolve_storage",
    "storages",
]


def iter_classes() -> List[Type[SmartS3Storage]]:
    """Return every class that ``create_storage_class`` has made in this process."""
    return list(_classes.values())


_classes: Dict[Any, Type[SmartS3Storage]] = {}


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
        default_settings: Options that take precedence over ``SMART_STORAGE_BUCKETS``, but not over
            the constructor's arguments.

    Raises:
        ValueError: the name is empty.
        ConfigurationError: an option is unknown or has a value of the wrong type, or the base is
            not a storage class of this package.

    Example:
        >>> create_storage_class("my-custom-storage", default_acl="private").__name__
        'My_custom_storageStorage'
    """
    require_module_name("create_storage_class", module_name)
    label = f"create_storage_class({module_name!r})"
    raise_for_unknown_options(label, default_settings)
    base_class = _find_base(label, base)
    key = (module_name, base_class, _freeze(default_settings))
    if key not in _classes:
        _classes[key] = _make_class(module_name, base_class, guard(default_settings))
    return _classes[key]


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
    """A qualified name that cannot be written into a migration, and says why.

    Django's migration writer uses nothing else of a class. A migration cannot contain the
    credentials that the class was made with; without them, it would use any that it finds.
    """

    __slots__ = ("reason",)
    reason: str

    def __str__(self) -> str:
        raise ValueError(self.reason)


def _describe_call(module_name: str, base: Type[SmartS3Storage], defaults: Dict[str, Any]) -> str:
    # Django writes a class into a migration as its module and qualified name. With this name,
    # FileField(storage=TenantStorage) becomes an expression that finds the class again.
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
        f"migrations never contain. Set them in {BUCKETS_SETTING}[{module_name!r}] instead."
    )
    return name


def _find_call(storage: SmartS3Storage) -> Optional[Tuple[Any, ...]]:
    # Only if this very class was generated: a subclass of it is found under its own name.
    call: Optional[Tuple[Any, ...]] = declared_class(storage).__dict__.get("_factory_call")
    return call


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
    """The metaclass of generated classes, for which pickle is told how to find a class again.

    Storages do not need it. A class that is passed to another process does, by itself or on a
    field: pickle looks for a class under its name, and no module has this one.
    """


def _reduce_class(generated: Any) -> Union[str, Tuple[Any, ...]]:
    call = generated.__dict__.get("_factory_call")
    if call is None:  # a subclass of a generated class
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
    """Return a storage of a generated class; migrations contain this call.

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
