"""The settings of direct uploads, from a browser to the bucket."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Dict, Mapping, Optional, Tuple

from django.conf import settings

from smart_storages.exceptions import ConfigurationError

UPLOADS_SETTING = "SMART_STORAGE_UPLOADS"

#: The largest object of S3, in bytes.
LARGEST = 5 * 1024**4


_UNITS = {
    "max_size": "bytes",
    "uploads_per_hour": "uploads",
    "bytes_per_hour": "bytes",
    "expiry": "seconds",
}


@dataclass(frozen=True)
class UploadSettings:
    """The keys of ``SMART_STORAGE_UPLOADS``, and their defaults.

    Args:
        max_size: Most bytes of a file; 5 TiB, the largest object of S3, by default.
        types: What may be uploaded: types (``"image/png"``), groups of types (``"image/*"``) and
            extensions (``".pdf"``). ``None`` for anything.
        uploads_per_hour: Most uploads of a user in an hour; ``None`` for no limit.
        bytes_per_hour: Most bytes of a user in an hour; ``None`` for no limit.
        expiry: Seconds from the beginning of an upload until its form must have been submitted.
        cache: Alias of the cache that counts the uploads of an hour.
    """

    max_size: int = LARGEST
    types: Optional[Tuple[str, ...]] = None
    uploads_per_hour: Optional[int] = 1000
    bytes_per_hour: Optional[int] = None
    expiry: int = 24 * 3600
    cache: str = "default"


def get_upload_settings() -> UploadSettings:
    """Return ``SMART_STORAGE_UPLOADS`` as it is now.

    Raises:
        ConfigurationError: a key is unknown, or a value has the wrong type.
    """
    given = getattr(settings, UPLOADS_SETTING, None) or {}
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{UPLOADS_SETTING} must be a dict, not {type(given).__name__}.")
    return UploadSettings(**check_upload_options(UPLOADS_SETTING, given))


def check_upload_options(owner: str, given: Mapping[str, Any]) -> Dict[str, Any]:
    """Return limits of uploads as :class:`UploadSettings` takes them.

    Args:
        owner: What they were given to, for messages.
        given: Limits by name.

    Raises:
        ConfigurationError: a name is unknown, or a value has the wrong type.

    Example:
        >>> check_upload_options("f", {"types": ["image/*"]})
        {'types': ('image/*',)}
    """
    known = {each.name for each in fields(UploadSettings)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConfigurationError(
            f"{owner} has an unknown key {unknown[0]!r}; known are: {', '.join(sorted(known))}."
        )
    return {name: _checked(owner, name, value) for name, value in given.items()}


def _checked(owner: str, name: str, value: Any) -> Any:
    if name == "types":
        return _checked_types(owner, value)
    if name == "cache":
        if not isinstance(value, str) or value not in settings.CACHES:
            raise ConfigurationError(
                f"{owner}: cache must be one of {sorted(settings.CACHES)}, the aliases in CACHES, "
                f"not {value!r}."
            )
        return value
    if value is None and name in ("uploads_per_hour", "bytes_per_hour"):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(
            f"{owner}: {name} must be a whole number of {_UNITS[name]} above 0, not {value!r}."
        )
    return value


def _checked_types(owner: str, value: Any) -> Optional[Tuple[str, ...]]:
    if value is None:
        return None
    is_list = isinstance(value, (list, tuple, set, frozenset))
    if not is_list or not value or not all(_is_type(each) for each in value):
        raise ConfigurationError(
            f"{owner}: types must be a list of types and extensions, such as "
            f"['image/*', 'application/pdf', '.csv'], not {value!r}."
        )
    return tuple(each.lower() for each in value)


def _is_type(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if value.startswith("."):
        return len(value) > 1 and "/" not in value
    kind, slash, rest = value.partition("/")
    return bool(kind and slash and rest) and kind != "*"
