"""Finds and makes the storages of Django that keep the files of modules.

One instance is made for each class and its arguments, and shared by all threads, as Django does
with those of ``STORAGES``. The arguments may be secret. So whatever a constructor raises is
described past its frames, whose variables hold them: Django's debug page shows those.
"""

from __future__ import annotations

import inspect
import json
import os
from contextlib import suppress
from pathlib import PurePath
from threading import RLock
from typing import Any, Dict, Mapping, Optional, Tuple

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage
from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from storages.base import BaseStorage

from smart_storages import config
from smart_storages.backends.django_errors import describe_error
from smart_storages.common.documentation import plain_text
from smart_storages.common.secrets import SecretBytes, reveal, reveal_all
from smart_storages.exceptions import ConfigurationError

__all__ = ["find_class", "find_class_problem", "has_methods_of", "identity_of", "storage_of"]

_EXAMPLE = "'storages.backends.dropbox.DropboxStorage'"

#: The methods that decide how a storage of Django's own class writes a file.
_WRITING = ("save", "_save", "path", "exists", "get_available_name", "delete")

#: Texts shorter than this are not taken out of a message: they occur in any text.
_SHORTEST_SECRET = 3

_made: Dict[str, Storage] = {}
#: Held again by the thread that has it where a constructor makes the storage of another module.
_making = RLock()


def find_class(path: str) -> Any:
    """Return the storage class with a dotted path.

    Raises:
        ConfigurationError: it cannot be imported, is no storage, or is one of this package.
    """
    found, problem = _look_up(path)
    if problem:
        raise ConfigurationError(problem)
    return found


def _look_up(path: str) -> Tuple[Any, str]:
    hint = f"Give the dotted path of a storage class, such as {_EXAMPLE}."
    try:
        found = import_string(path)
    except (ImportError, ImproperlyConfigured) as error:
        return None, f"The backend {path!r} cannot be imported: {plain_text(error)}. {hint}"
    except Exception as error:  # its text may contain a secret
        return None, f"The backend {path!r} cannot be imported: {describe_error(error)}. {hint}"
    if not (isinstance(found, type) and issubclass(found, Storage)):
        return None, (
            f"The backend {path!r} is not a storage: it is no subclass of "
            f"django.core.files.storage.Storage. {hint}"
        )
    # A module that keeps its files in a storage of this package could lead back to itself.
    ours = (each.__module__ for each in found.__mro__)
    if any(module.partition(".")[0] == "smart_storages" for module in ours):
        return None, (
            f"The backend {path!r} is a storage of this package, which keeps files in a backend "
            "itself. Write the backend of that storage, or use a MirrorStorage, a FallbackStorage "
            "or a StorageDispatcher in place of the module."
        )
    return found, ""


def find_class_problem(path: str, options: Optional[Mapping[str, Any]]) -> Optional[str]:
    """Return what is wrong with a class or the names of its arguments; makes no instance.

    Args:
        path: The dotted path of the class.
        options: The arguments of its constructor.

    Example::

        find_class_problem("django.core.files.storage.FileSystemStorage", {"bucket": "acme"})
        # "... 'options' do not fit: got an unexpected keyword argument 'bucket'. ..."
    """
    found, problem = _look_up(path)
    if problem:
        return problem
    problem = _find_argument_problem(found, dict.fromkeys(options or ()))
    if not problem:
        return None
    return (
        f"The backend {path!r} takes other arguments, its 'options' do not fit: {problem}. "
        "Name the arguments of its constructor."
    )


def _find_argument_problem(storage_class: Any, options: Dict[str, Any]) -> str:
    # Not the class itself: Django's have a __new__ that takes anything.
    init: Any = storage_class.__init__
    try:
        signature = inspect.signature(init)
        signature.bind(None, **options)
    except TypeError as error:  # names arguments alone
        return str(error)
    except ValueError:  # it has no signature
        return ""
    known: Any = None
    # Those of django-storages take anything, and refuse later what is no setting of theirs.
    if issubclass(storage_class, BaseStorage) and init.__module__.startswith("storages."):
        with suppress(Exception):  # it needs its instance
            known = storage_class.get_default_settings(None)
    named = {*signature.parameters, "cloudfront_signer"}
    unknown = sorted({*options} - {*known} - named) if known else []
    return f"there is no {unknown[0]!r}" if unknown else ""


def storage_of(path: str, options: Optional[Mapping[str, Any]]) -> Storage:
    """Return the instance of a class that was made with these arguments.

    Args:
        path: The dotted path of the class.
        options: The arguments of its constructor; texts may be secrets.

    Raises:
        ConfigurationError: the class cannot be used, or its constructor refused the arguments.
    """
    key = identity_of(path, options)
    found = _made.get(key)
    if found is not None:
        return found
    problem = find_class_problem(path, options)
    if problem:
        raise ConfigurationError(problem)
    with _making:
        if key not in _made:
            made, problem = _make(find_class(path), options)
            if made is not None:
                _made[key] = made
    if problem:
        raise ConfigurationError(f"The backend {path!r} cannot be made: {problem}.")
    return _made[key]


def _make(storage_class: Any, options: Any) -> Tuple[Optional[Storage], str]:
    try:
        return storage_class(**reveal_all(dict(options or {}))), ""
    except (ImproperlyConfigured, TypeError) as error:
        return None, f"{type(error).__name__}: {_without(options, plain_text(error))}"
    except Exception as error:
        return None, describe_error(error)


def _without(options: Any, text: str) -> str:
    for each in sorted(_texts_of(options), key=len, reverse=True):
        if len(each) >= _SHORTEST_SECRET:
            text = text.replace(each, "***")
    return text


def _texts_of(value: Any) -> Tuple[str, ...]:
    if isinstance(value, Mapping):
        return tuple(text for each in value.values() for text in _texts_of(each))
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(text for each in value for text in _texts_of(each))
    if isinstance(value, bytes):
        return (reveal(value).decode("utf-8", "replace"),)
    return (reveal(value),) if isinstance(value, str) else ()


def identity_of(path: str, options: Optional[Mapping[str, Any]]) -> str:
    """Return what is equal for the same class with the same arguments, and shows none of them."""
    return f"storage {path} {config.keyed_digest('storage', path, _write_down(options or {}))}"


def _write_down(options: Any) -> str:
    # Secrets have an encoding of their own in JSON: their plain text.
    return json.dumps(options, sort_keys=True, default=_write_object)


def _write_object(value: Any) -> str:
    if isinstance(value, (bytes, SecretBytes)):
        return f"bytes {bytes(memoryview(value)).hex()}"
    if isinstance(value, (set, frozenset)):
        return f"set {sorted(map(_write_down, value))}"
    if isinstance(value, PurePath):
        return f"path {value}"
    return f"{type(value)} {id(value)}"


def has_methods_of(storage: Any, storage_class: Any) -> bool:
    """Return whether a storage writes files as a class of Django does.

    Args:
        storage: The storage.
        storage_class: The class, ``None`` for one that this release of Django does not have.
    """
    if storage_class is None or not isinstance(storage, storage_class):
        return False
    own = type(storage)
    # How Django opens a file to write it: this attribute until 5.1, then the argument.
    flags = [getattr(each, "OS_OPEN_FLAGS", None) for each in (own, storage_class)]
    if flags[0] != flags[1] or getattr(storage, "_allow_overwrite", False):
        return False
    return all(getattr(own, name) is getattr(storage_class, name) for name in _WRITING)


def _forget(**kwargs: Any) -> None:
    # Those of Django follow the settings, and those in memory would lose their files.
    for key, storage in list(_made.items()):
        if not hasattr(storage, "_clear_cached_properties"):
            _made.pop(key, None)


def _begin_anew() -> None:
    # A thread of the parent may be making a storage, and does not live in the child.
    global _making  # noqa: PLW0603
    _making = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
setting_changed.connect(_forget, dispatch_uid="smart_storages.backends.django_classes.forget")
