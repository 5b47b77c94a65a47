"""References to storages as a composed storage keeps them: not yet built, and safe to show."""

from __future__ import annotations

from threading import RLock
from typing import Any, Callable, Mapping, Optional

from django.utils.module_loading import import_string

from smart_storages.exceptions import ConfigurationError
from smart_storages.options import holds_secret

__all__ = ["Reference", "describe", "without_secrets"]


class Reference:
    """A reference to a storage, turned into one when first used.

    Args:
        reference: An alias, a module, a dotted path, a dict, an instance or a class.
        build: Turns it into a storage: ``utils.resolve_storage``, which lives above this room.
        label: What messages and logs call it.
    """

    __slots__ = ("_build", "_lock", "_storage", "label", "reference")

    def __init__(
        self, reference: Any, build: Callable[[Any], Any], label: Optional[str] = None
    ) -> None:
        self.reference = reference
        self.label = label or describe(reference)
        self._build = build
        self._lock = RLock()
        self._storage: Any = None

    @property
    def storage(self) -> Any:
        storage = self._storage
        if storage is None:
            with self._lock:  # two threads must not build it twice
                if self._storage is None:
                    self._storage = self._build(self.reference)
                storage = self._storage
        return storage

    def forget(self) -> None:
        self._storage = None


def describe(reference: Any) -> str:
    """Name a reference in a message, without any option of it: options may be credentials.

    Example:
        >>> describe({"BACKEND": "a.B", "OPTIONS": {"secret_key": "x"}})
        'a.B'
    """
    if isinstance(reference, str):
        return reference
    if isinstance(reference, dict):
        return str(reference.get("BACKEND", "a dict without BACKEND"))
    if hasattr(reference, "__qualname__"):  # a class or a function
        return str(reference.__qualname__)
    module = getattr(reference, "module_name", None)
    return type(reference).__qualname__ + (f"({module!r})" if isinstance(module, str) else "")


def without_secrets(value: Any) -> Any:
    """Return arguments without the credentials in their ``{"BACKEND", "OPTIONS"}`` dicts.

    Our own backend is told what is missing, and says so when used.

    Raises:
        ConfigurationError: a foreign backend holds some; it would silently use others.
    """
    if isinstance(value, (list, tuple)):
        return type(value)(without_secrets(each) for each in value)
    if not isinstance(value, Mapping):
        return value
    options: Mapping[str, Any] = (value.get("OPTIONS") if "BACKEND" in value else None) or {}
    secret = [key for key, each in options.items() if holds_secret(key, each)]
    if not secret:
        return {key: without_secrets(each) for key, each in value.items()}
    backend = value["BACKEND"]
    cls = import_string(backend) if isinstance(backend, str) else backend
    if not hasattr(cls, "_class_defaults"):  # SmartS3Storage, which lives above this room
        raise ConfigurationError(
            f"{describe(value)} was given {', '.join(secret)}, which never go into a migration or "
            "a pickle. Describe the storage in STORAGES and give its alias here."
        )
    kept = {key: without_secrets(each) for key, each in options.items() if key not in secret}
    return {**value, "OPTIONS": {**kept, "withheld_options": tuple(secret)}}
