"""What a reference to a storage means; storages of other packages are not built for this."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any, Mapping, Optional

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.storage import DefaultStorage
from django.utils.functional import LazyObject
from django.utils.module_loading import import_string

from smart_storages import config
from smart_storages.common.documentation import plain_text
from smart_storages.storages.lookup import ready_made_class, storages
from smart_storages.wrappers.forwarding import ForwardingStorage

__all__ = [
    "OptionsError",
    "build",
    "find_reference_problem",
    "is_alias",
    "is_composed",
    "key_of",
    "place_of",
    "text_of",
]

#: Storages of this class share no files, even if their options are equal.
_OF_THEIR_OWN = "InMemoryStorage"


class OptionsError(Exception):
    """A storage of ours cannot be made with these options."""


def is_composed(cls: Any) -> bool:
    """Whether a class is a composed storage of this package, except those of the queue."""
    # The queue has checks of its own, and a queued storage enters a registry when it is made.
    is_ours = isinstance(cls, type) and issubclass(cls, ForwardingStorage)
    return is_ours and not getattr(cls, "enters_registry", False)


def is_text(reference: Any) -> bool:
    """Whether a reference is text; a lazy object is not built for this."""
    return issubclass(type(reference), str)  # an isinstance() would build Django's default_storage


def is_alias(reference: Any) -> bool:
    """Whether a reference is an alias of ``STORAGES``."""
    return is_text(reference) and reference in storages.backends


def is_module(name: str) -> bool:
    return name in config.get_buckets() or ready_made_class(name) is not None


def key_of(reference: Any) -> Any:
    """Return a value that is equal for two references to the same storage."""
    if type(reference) is DefaultStorage:
        return "text", "default"
    return ("text", str(reference)) if is_text(reference) else ("object", id(reference))


def build(reference: Any) -> Optional[ForwardingStorage]:
    """Return the composed storage of ours that a reference means, ``None`` for any other.

    Raises:
        OptionsError: it cannot be made with the options that it is given.
    """
    if is_alias(reference):
        reference = storages.backends[reference]
        if not isinstance(reference, Mapping):
            return None  # reported by check_aliases
    elif is_text(reference):
        if is_module(reference) or "." not in reference:
            return None
        try:
            reference = import_string(reference)
        except Exception:
            return None
    if issubclass(type(reference), Mapping):
        return _build_backend(reference)
    if isinstance(reference, type):
        return _build_backend({"BACKEND": reference})
    return reference if is_composed(type(reference)) else None


def _build_backend(params: Mapping[str, Any]) -> Optional[ForwardingStorage]:
    backend = params.get("BACKEND")
    try:
        backend = import_string(backend) if isinstance(backend, str) else backend
    except Exception:
        return None  # reported by Django, as E001, or as an unknown storage
    if backend is None or not is_composed(backend):
        return None
    options = params.get("OPTIONS") or {}
    if not isinstance(options, Mapping):
        raise OptionsError(f"OPTIONS must be a dict, not {type(options).__name__}")
    _refuse_unknown(backend, options)
    try:
        made: ForwardingStorage = backend(**options)
    except Exception as error:
        raise OptionsError(text_of(error)) from error
    return made


def _refuse_unknown(backend: Any, options: Mapping[str, Any]) -> None:
    parameters = list(inspect.signature(backend.__init__).parameters.values())[1:]
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    names = [each.name for each in parameters]
    for unknown in sorted(map(str, {*options} - {*names})):
        meant = get_close_matches(unknown, names, 1)
        what = f"did you mean {meant[0]!r}" if meant else f"it has {', '.join(names)}"
        raise OptionsError(f"{backend.__name__} has no option {unknown!r}; {what}?".rstrip("?"))


def text_of(error: Exception) -> str:
    """Return the text of an error, or only its class if the text may contain a secret."""
    known = (ImproperlyConfigured, SuspiciousOperation, TypeError, ImportError)
    return plain_text(error) if isinstance(error, known) else f"it raises {type(error).__name__}"


def place_of(reference: Any) -> Any:
    """Return a value that is equal for two references to one place, ``None`` if unknown."""
    if is_alias(reference):
        reference = storages.backends[reference]
    elif is_text(reference):
        return reference
    if not issubclass(type(reference), Mapping):
        return None
    backend = reference.get("BACKEND")
    if str(getattr(backend, "__name__", backend)).endswith(_OF_THEIR_OWN):
        return None
    return backend, reference.get("OPTIONS") or {}


def find_reference_problem(reference: Any) -> Optional[str]:
    """Return what is wrong with a reference, ``None`` if it refers to a storage."""
    if issubclass(type(reference), LazyObject) or is_alias(reference):
        return None
    if is_text(reference):
        return _find_name_problem(reference)
    if isinstance(reference, Mapping):
        if "BACKEND" not in reference:
            return "is a dict without BACKEND"
        backend = reference["BACKEND"]
        return _find_import_problem(backend) if isinstance(backend, str) else None
    is_storage = callable(reference) or all(hasattr(reference, x) for x in ("open", "save", "url"))
    return None if is_storage else f"is not a storage, but {type(reference).__name__}"


def _find_name_problem(name: str) -> Optional[str]:
    if is_module(name) or (name and config.find_key(name) is not None):
        return None
    if "." in name:
        return _find_import_problem(name)
    known = [*storages.backends, *config.get_buckets()]
    return f"does not exist; there are {', '.join(known)}"


def _find_import_problem(path: str) -> Optional[str]:
    try:
        import_string(path)
    except Exception as error:
        return f"cannot be imported: {text_of(error)}"
    return None
