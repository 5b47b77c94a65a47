"""System checks of the shape of ``STORAGES``: what Django would ignore, or fail on.

No storage is built here, and no value of an option is shown.
"""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any, Iterator, List, Mapping, Optional

from django.core import checks
from django.utils.module_loading import import_string

from smart_storages.common.documentation import plain_text
from smart_storages.config.options import known_options
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import SmartS3Storage
from smart_storages.storages.lookup import read_aliases
from smart_storages.wrappers.forwarding import ForwardingStorage

__all__ = ["check_aliases"]

#: The number of each problem; docs/checks.md has a paragraph for each.
_IDS = {"bad-setting": "E001", "bad-nesting": "E020"}

_KEYS = ("BACKEND", "OPTIONS")
_HINT_SETTING = 'Write STORAGES = {"default": {"BACKEND": "...", "OPTIONS": {...}}, ...}.'
_HINT_ALIAS = 'Write {"BACKEND": "...", "OPTIONS": {...}}.'
_HINT_BACKEND = "Write the dotted path of a storage class, as text."


def check_aliases(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that ``STORAGES`` is a dict of aliases, and that options are inside ``OPTIONS``."""
    try:
        aliases = read_aliases()
    except ConfigurationError as error:
        return [_message("bad-setting", plain_text(error), _HINT_SETTING)]
    return [message for alias in aliases for message in _check_alias(alias, aliases[alias])]


def _check_alias(alias: Any, params: Any) -> Iterator[checks.CheckMessage]:
    label = f"STORAGES[{alias!r}]"
    if not isinstance(params, Mapping):
        text = f"{label} must be a dict with BACKEND and OPTIONS, not {type(params).__name__}."
        yield _message("bad-setting", text, _HINT_ALIAS)
        return
    path = params.get("BACKEND")
    if isinstance(path, str):
        backend = _import(path)
    else:
        backend = path
        what = (
            f"must be a dotted path, not {_name_of(path)}" if "BACKEND" in params else "is missing"
        )
        yield _message("bad-setting", f"{label}['BACKEND'] {what}.", _HINT_BACKEND)
    names = _find_options(backend)
    if names is None:
        return  # a backend of another package may use other keys
    for key in params:
        if key not in _KEYS:
            text = f"{label}[{key!r}] is ignored by Django: an alias has BACKEND and OPTIONS."
            yield _message("bad-nesting", text, _find_hint(str(key), names))


def _import(path: str) -> Any:
    try:
        return import_string(path)
    except Exception:  # reported elsewhere: by Django, or as E001
        return None


def _name_of(value: Any) -> str:
    return f"the class {value.__qualname__}" if isinstance(value, type) else type(value).__name__


def _find_options(backend: Any) -> Optional[List[str]]:
    """Return the ``OPTIONS`` of a backend of this package, ``None`` for any other backend."""
    if not isinstance(backend, type):
        return None
    if issubclass(backend, SmartS3Storage):
        return sorted({*known_options(), "module_name"})
    if issubclass(backend, ForwardingStorage):
        parameters = list(inspect.signature(backend.__init__).parameters.values())[1:]
        return [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
    return None


def _find_hint(key: str, names: List[str]) -> str:
    if key in names and key != "options":  # which is rather a misspelt OPTIONS
        return f"Put it into OPTIONS: {{'OPTIONS': {{{key!r}: ...}}}}."
    meant = get_close_matches(key.upper(), _KEYS, 1)
    if meant:
        return f"Did you mean {meant[0]!r}?"
    close = get_close_matches(key.lower(), names, 1)
    if close:
        return f"Did you mean {close[0]!r}, in OPTIONS?"
    return "Put options into OPTIONS, and remove what is none."


def _message(code: str, text: str, hint: str) -> checks.CheckMessage:
    return checks.Error(text, hint=hint, id=f"smart_storages.{_IDS[code]}")
