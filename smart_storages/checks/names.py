"""System checks of names: a module without an entry, an entry without a module, a setting.

A misspelt name raises no error by itself: it has no effect, and files go to the bucket of the
``AWS_*`` settings. ``docs/checks.md`` has the numbers.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Set, Tuple

from django.core import checks

from smart_storages import config
from smart_storages.checks.in_use import build_alias, iter_field_storages, sound_aliases
from smart_storages.checks.routing import find_named_modules
from smart_storages.config.errors import BUCKETS_SETTING, describe_missing_entry
from smart_storages.config.spelling import find_misspelt_settings, near_module
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import (
    SmartS3Storage,
)
from smart_storages.storages.lookup import get_storage, ready_made_modules
from smart_storages.storages.smart import (
    iter_storages,
)
from smart_storages.utils import iter_classes

__all__ = ["check_module_names", "check_setting_names"]

#: The number of each problem; docs/checks.md has a paragraph for each.
_IDS = {
    "refused-module": "E021",
    "unknown-module": "W006",
    "unused-entry": "W007",
    "unknown-setting": "W008",
}

_MOST_USERS = 3


def check_module_names(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that each module in use has an entry, and that no entry is a misspelt module name."""
    try:
        buckets = config.get_buckets()
        code = "refused-module" if config.is_strict() else "unknown-module"
    except ConfigurationError:
        return []  # reported by check_buckets
    lacking: Dict[str, List[str]] = {}
    used: Set[str] = set()
    messages: List[checks.CheckMessage] = []
    for label, storage, named in find_used_storages():
        used.add(storage.module_name)
        if storage.lacks_entry:
            users = lacking.setdefault(storage.module_name, [])
            # A storage that has no name in the project is listed only if no other was found.
            if named or not users:
                users.append(label)
    bucket = config.get_default_bucket_config()["bucket_name"] if lacking else None
    for name, users in lacking.items():
        text, hint = describe_missing_entry(name, bucket, buckets)
        messages.append(_message(code, f"{text} It is used by {list_users(users)}.", hint))
    suggested = {near_module(name, map(str, buckets)) for name in lacking}
    names = [*used, *ready_made_modules()]
    absent = {name for name in names if config.find_key(name) is None}
    for key in buckets:
        if key in suggested or key in names or not isinstance(key, str) or "*" in key:
            continue
        near = near_module(key, absent)
        if near:
            text = f"{BUCKETS_SETTING}[{key!r}] is close to the module {near!r}, which has no entry"
            messages.append(_message("unused-entry", f"{text}.", f"Did you mean {near!r}?"))
    return messages


def find_used_storages() -> Iterator[Tuple[str, SmartS3Storage, bool]]:
    """Yield every storage of this package that can be found, a label, and whether it has a name.

    These are the storages of ``STORAGES`` and of file fields, one of each class that
    ``create_storage_class`` made, and all others made so far, for example by ``get_storage``. The
    first two have names in the project; the others only get a label that describes them.
    """
    seen: Set[int] = set()
    for label, storage, named in _find_storages():
        if id(storage) not in seen:
            seen.add(id(storage))
            yield label, storage, named


def _find_storages() -> Iterator[Tuple[str, SmartS3Storage, bool]]:
    made = []  # kept alive for as long as their ids stand for them
    for alias, params in sound_aliases().items():
        try:
            storage = build_alias(params)
        except Exception:  # noqa: S112 - reported by check_storages
            continue
        if storage is not None:
            made.append(storage)
            yield f"STORAGES[{alias!r}]", storage, True
    for label, storage in iter_field_storages():
        yield label, storage, True
    for label, name in find_named_modules():
        yield label, get_storage(name), True
    for storage_class in iter_classes():
        try:
            storage = storage_class()
        except Exception:  # noqa: S112 - a class of the project, whose arguments are not known
            continue
        made.append(storage)
        yield f"create_storage_class({storage_class.module_name!r})", storage, False
    for storage in iter_storages():
        yield f"{type(storage).__name__}({storage.module_name!r})", storage, False


def list_users(users: List[str]) -> str:
    """Return the first few users of something, for a message."""
    users = list(dict.fromkeys(users))
    more = f" and {len(users) - _MOST_USERS} more" if len(users) > _MOST_USERS else ""
    return ", ".join(users[:_MOST_USERS]) + more


def check_setting_names(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check for unknown settings whose names are close to a known one."""
    return [
        _message(
            "unknown-setting",
            f"The setting {name} is not read by anything.",
            f"Did you mean {near}?",
        )
        for name, near in find_misspelt_settings(config.get_setting_names())
    ]


def _message(code: str, text: str, hint: str) -> checks.CheckMessage:
    number = _IDS[code]
    kind = checks.Warning if number.startswith("W") else checks.Error
    return kind(text, hint=hint, id=f"smart_storages.{number}")
