"""References to storages: built when first used, and described without credentials."""

from __future__ import annotations

from threading import RLock
from typing import Any, Callable, List, Mapping, Optional, Type
from weakref import ref

from django.utils.functional import LazyObject
from django.utils.module_loading import import_string

from smart_storages.config.deconstructed import OPTION, SerializedObject, WithheldOptions, withhold
from smart_storages.config.options import holds_secret
from smart_storages.exceptions import CircularStorageError, ConfigurationError

__all__ = ["Reference", "describe", "refuse_duplicates", "without_secrets"]


class Reference:
    """A reference to a storage, which is built when it is first used.

    Args:
        reference: An alias, a module, a dotted path, a dict, an instance or a class.
        build: Builds the storage: ``utils.resolve_storage``, in a layer above this room.
        label: Its name in messages and logs.
        owner: The storage that holds this reference; what is built must not refer back to it.

    Raises:
        CircularStorageError: from ``storage``: the owner refers to itself, directly or through
            other storages.
    """

    __slots__ = ("_build", "_lock", "_owner", "_storage", "label", "reference")

    def __init__(
        self,
        reference: Any,
        build: Callable[[Any], Any],
        label: Optional[str] = None,
        owner: Any = None,
    ) -> None:
        self.reference = reference
        self.label = label or describe(reference)
        self._build = build
        self._owner = None if owner is None else ref(owner)
        self._lock = RLock()
        self._storage: Any = None

    @property
    def storage(self) -> Any:
        storage = self._storage
        if storage is None:
            with self._lock:  # two threads must not build it twice
                storage = self._storage
                if storage is None:
                    self._storage = storage = self._build(self.reference)
                    self._refuse_circle(storage)
        return storage

    def _refuse_circle(self, storage: Any) -> None:
        # Only storages that are already built are followed. That is enough: the reference that is
        # built last closes the circle, and finds it.
        owner = self._owner() if self._owner else None
        chain = None if owner is None else _find_chain(storage, owner, [])
        if chain is None:
            return
        self._storage = None
        labels = [each.label for each in (self, *chain)]
        raise CircularStorageError(
            f"{type(owner).__name__} refers to itself: {' -> '.join([labels[-1], *labels])}. "
            "Make one of these storages use a different one."
        )

    def forget(self) -> None:
        self._storage = None


def _find_chain(storage: Any, target: Any, passed: List[Any]) -> Optional[List[Reference]]:
    storage = getattr(storage, "_wrapped", storage)  # Django's default_storage
    if storage is target:
        return []
    if any(storage is each for each in passed):
        return None
    passed.append(storage)
    for reference in tuple(getattr(storage, "_references", ())):
        if isinstance(reference, Reference) and reference._storage is not None:
            chain = _find_chain(reference._storage, target, passed)
            if chain is not None:
                return [reference, *chain]
    return None


def describe(reference: Any) -> str:
    """Return a text that names a reference, without its options: these may hold credentials.

    Example:
        >>> describe({"BACKEND": "a.B", "OPTIONS": {"secret_key": "x"}})
        'a.B'
    """
    if issubclass(type(reference), LazyObject):  # any attribute access would build it
        return type(reference).__qualname__
    if isinstance(reference, str):
        return reference
    if isinstance(reference, dict):
        return str(reference.get("BACKEND", "a dict without BACKEND"))
    if hasattr(reference, "__qualname__"):  # a class or a function
        return str(reference.__qualname__)
    module = getattr(reference, "module_name", None)
    return type(reference).__qualname__ + (f"({module!r})" if isinstance(module, str) else "")


def refuse_duplicates(owner: Type[Any], references: Any) -> None:
    """Raise if a storage was given the same alias, path or instance twice.

    Args:
        owner: The class of that storage, for the message.
        references: A list of references, or a dict of them by label.

    Raises:
        ConfigurationError: two references are the same.
    """
    values = references.values() if isinstance(references, Mapping) else references or ()
    texts: List[str] = []
    instances: List[Any] = []
    for each in () if isinstance(values, str) else values:
        # issubclass of its type: isinstance() would make Django's default_storage build itself.
        if issubclass(type(each), (type, Mapping)):
            continue  # each class or dict builds a storage of its own
        is_text = issubclass(type(each), str)
        if each in texts if is_text else any(each is other for other in instances):
            raise ConfigurationError(
                f"{owner.__name__} was given the storage {describe(each)!r} twice. Name each once."
            )
        (texts if is_text else instances).append(each)


def without_secrets(value: Any) -> Any:
    """Return arguments without the credentials in their ``{"BACKEND", "OPTIONS"}`` dicts.

    Strings stand in for credentials and objects, see :mod:`smart_storages.config.deconstructed`. If
    one cannot be turned back into what it stands for, our own backend raises when it is used.

    Raises:
        ConfigurationError: a backend of another package was given credentials. Without them, it
            would silently use different ones.
    """
    if isinstance(value, (list, tuple)):
        return type(value)(without_secrets(each) for each in value)
    if not isinstance(value, Mapping):
        return SerializedObject.of(value)
    options: Mapping[str, Any] = (value.get("OPTIONS") if "BACKEND" in value else None) or {}
    secret = [key for key, each in options.items() if holds_secret(key, each)]
    if not secret:
        return {key: without_secrets(each) for key, each in value.items()}
    backend = value["BACKEND"]
    cls = import_string(backend) if isinstance(backend, str) else backend
    if not hasattr(cls, "_class_defaults"):  # SmartS3Storage, in a layer above this room
        raise ConfigurationError(
            f"{describe(value)} was given {', '.join(secret)}, which never go into a migration or "
            "a pickle. Describe the storage in STORAGES and give its alias here."
        )
    rest = {key: each for key, each in options.items() if key not in secret}
    names = withhold(secret, WithheldOptions({key: options[key] for key in secret}))
    return {**value, "OPTIONS": {**without_secrets(rest), OPTION: names}}
