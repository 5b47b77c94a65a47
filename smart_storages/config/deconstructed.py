"""What ``deconstruct()`` returns in place of secrets and objects, and how they are found again.

Migrations and messages must contain neither keys nor objects. But other packages rebuild a storage
from the result of ``deconstruct()`` in the same process, some after sending it through JSON. So
each secret and object is replaced by a special string. In a migration, such a string is written as
the plain name of the option, or as what the object itself deconstructs to. In JSON it also has a
mark, with which this process finds the values again. Another process only finds an alias of
``STORAGES``, or an object that can be made from plain values.
"""

from __future__ import annotations

import json
import uuid
from functools import wraps
from hmac import compare_digest
from operator import itemgetter
from os import PathLike, fspath
from types import FunctionType
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple
from weakref import WeakKeyDictionary, WeakValueDictionary

from django.core.files.storage import Storage
from django.utils.module_loading import import_string

from smart_storages import config
from smart_storages.exceptions import ConfigurationError

__all__ = [
    "OPTION",
    "SerializedObject",
    "WithheldOptions",
    "find_withheld",
    "restore",
    "revive",
    "reviving",
    "withhold",
]

#: The option of a storage that names what was left out.
OPTION = "withheld_options"

_ALIAS = "alias:"
_OBJECT = "smart_storages object "


class WithheldOptions:
    """The values that were left out, and the class that was made with some of them, if any."""

    __slots__ = ("__weakref__", "storage_class", "values")

    def __init__(self, values: Mapping[str, Any], storage_class: Any = None) -> None:
        self.values = dict(values)
        self.storage_class = storage_class


# Weak references: values are forgotten once the objects that hold them are gone.
_found: WeakValueDictionary[str, Any] = WeakValueDictionary()
_marks: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def _mark_of(thing: Any) -> str:
    mark = _marks.setdefault(thing, uuid.uuid4().hex)
    _found[mark] = thing
    return mark


# Secrets


class _WithheldName(str):
    """The name of an option that was left out; only JSON shows the mark after it."""

    __slots__ = ("kept", "name")
    name: str
    kept: Optional[WithheldOptions]

    def __new__(cls, name: str, mark: str, kept: Optional[WithheldOptions]) -> _WithheldName:
        made = super().__new__(cls, f"{name}@{mark}")
        made.name, made.kept = name, kept
        return made

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return repr(self.name)

    def __format__(self, format_spec: str) -> str:
        return format(self.name, format_spec)

    def __eq__(self, other: object) -> bool:
        return self.name == (other.name if isinstance(other, _WithheldName) else other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __copy__(self) -> _WithheldName:
        return self

    def __deepcopy__(self, memo: Any) -> _WithheldName:
        return self

    def __reduce__(self) -> Any:
        return str, (self.name,)


def withhold(
    names: Sequence[str],
    kept: WithheldOptions,
    made_by: Any = None,
    options: Optional[Mapping[str, Any]] = None,
) -> Tuple[str, ...]:
    """Return the value of ``withheld_options`` from which this process finds the options again.

    Args:
        names: Names of the options that are left out.
        kept: Their values.
        made_by: The class of the storage, if an alias of ``STORAGES`` may be used instead.
        options: All of its options.
    """
    alias = None if made_by is None else _find_alias(made_by, options)
    mark = _mark_of(kept) if alias is None else f"{_ALIAS}{alias}"
    return tuple(_WithheldName(name, mark, kept if alias is None else None) for name in names)


def _find_alias(made_by: Any, options: Any) -> Optional[str]:
    for alias, params in config.get_storages().items():
        if not isinstance(params, Mapping) or (params.get("OPTIONS") or {}) != options:
            continue
        backend = params.get("BACKEND")
        try:
            found = import_string(backend) if isinstance(backend, str) else backend
        except ImportError:  # Django reports it when that alias is used
            continue
        if found is made_by:
            return alias
    return None


def _plain_names(names: Sequence[str]) -> Tuple[str, ...]:
    """Return the names in ``withheld_options`` without their marks."""
    return tuple(str(name).partition("@")[0] for name in names)


def find_withheld(names: Sequence[str]) -> Optional[WithheldOptions]:
    """Return the values for the names in ``withheld_options``, ``None`` if they are unknown."""
    for name in names:
        if isinstance(name, _WithheldName) and name.kept is not None:
            return name.kept
        mark = str.__str__(name).partition("@")[2]
        if mark.startswith(_ALIAS):
            return _read_alias(mark[len(_ALIAS) :], _plain_names(names))
        kept = _found.get(mark)
        if isinstance(kept, WithheldOptions):
            return kept
    return None


def _read_alias(alias: str, names: Tuple[str, ...]) -> Optional[WithheldOptions]:
    params = config.get_storages().get(alias)
    options = (params.get("OPTIONS") if isinstance(params, Mapping) else None) or {}
    if any(name not in options for name in names):
        return None
    return WithheldOptions({name: options[name] for name in names})


def restore(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return options together with those that were left out, if this process finds them."""
    names = options.get(OPTION)
    if not names:
        return options
    kept = find_withheld(names)
    if kept is None:
        return {**options, OPTION: _plain_names(names)}
    return {**{name: each for name, each in options.items() if name != OPTION}, **kept.values}


# Objects


class SerializedObject(str):
    """A string in place of an object; in a migration, the object itself is deconstructed."""

    __slots__ = ("original",)
    original: Any

    def __new__(cls, original: Any, mark: str) -> SerializedObject:
        written = _write_down(original)
        made = super().__new__(cls, f"{_OBJECT}{mark} {_sign(written)} {written}")
        made.original = original
        return made

    @classmethod
    def of(cls, value: Any) -> Any:
        """Return what replaces a value in JSON: the value itself, if it need not be replaced."""
        kind = type(value)  # isinstance() would build Django's lazy default_storage
        if issubclass(kind, PathLike):
            return fspath(value)
        if issubclass(kind, (type, FunctionType)):
            return _path_of(value) or value
        if not (issubclass(kind, Storage) or hasattr(kind, "deconstruct")):
            return value
        try:
            return cls(value, _mark_of(value))
        except TypeError:  # not hashable, or no weak reference to it is possible
            return value

    def deconstruct(self) -> Any:
        """Return what the object deconstructs to.

        Raises:
            ValueError: it does not; a migration cannot hold it.
        """
        if not hasattr(self.original, "deconstruct"):
            raise ValueError(
                f"Cannot serialize {type(self.original).__qualname__}: it has no deconstruct(). "
                "Define the storage in STORAGES and give its alias."
            )
        return self.original.deconstruct()

    def __repr__(self) -> str:
        return repr(self.original)

    def __copy__(self) -> SerializedObject:
        return self

    def __deepcopy__(self, memo: Any) -> SerializedObject:
        return self

    def __reduce__(self) -> Any:
        return itemgetter(0), ((self.original,),)  # unpickled, it is the object itself


def _path_of(value: Any) -> Optional[str]:
    path = f"{value.__module__}.{value.__qualname__}"
    try:
        return path if import_string(path) is value else None
    except ImportError:  # a lambda, or defined inside a function or a class
        return None


def _write_down(original: Any) -> str:
    try:
        return json.dumps(_plain(original.deconstruct()))
    except (AttributeError, ConfigurationError, TypeError, ValueError):
        return ""  # only this process can find it


def _sign(written: str) -> str:
    # Only what this project wrote is ever executed: a prefix or a name may come from a user.
    return config.keyed_digest("stand-in", written)


def _plain(value: Any) -> Any:
    value = SerializedObject.of(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {key: _plain(each) for key, each in value.items()}
    if value is None or isinstance(value, (bool, float, int, str)):
        return value
    raise TypeError(f"{type(value).__qualname__} is not a plain value.")


def revive(value: Any) -> Any:
    """Return arguments in which such strings are replaced by their objects and options again.

    Raises:
        ConfigurationError: the string comes from another process and its object is only there.
    """
    kind = type(value)  # isinstance() would build Django's lazy default_storage
    if kind is SerializedObject:
        return value.original
    if issubclass(kind, str):
        return _find_object(value) if value.startswith(_OBJECT) else value
    if kind in (list, tuple):
        revived = [revive(each) for each in value]
        is_changed = any(new is not old for new, old in zip(revived, value))
        return kind(revived) if is_changed else value
    if kind is dict:
        found: Dict[Any, Any] = {key: revive(each) for key, each in value.items()}
        if found.get(OPTION):
            return restore(found)
        return found if any(found[key] is not value[key] for key in value) else value
    return value


def _find_object(text: str) -> Any:
    mark, _, rest = text[len(_OBJECT) :].partition(" ")
    found = _found.get(mark)
    if found is not None:
        return found
    signature, _, written = rest.partition(" ")
    if not written or not compare_digest(
        signature.encode("utf-8", "replace"), _sign(written).encode()
    ):
        raise ConfigurationError(
            "This storage was made with an object that cannot be made again in this process, or "
            "the SECRET_KEY differs from that of the process that deconstructed it. Define the "
            "storage in STORAGES and give its alias, or give a dotted path."
        )
    path, args, kwargs = json.loads(written)
    return import_string(path)(*revive(args), **revive(kwargs))


def reviving(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that also accepts the result of ``deconstruct()``."""

    @wraps(init)
    def revived(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *revive(args), **revive(kwargs))

    return revived
