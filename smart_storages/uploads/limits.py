"""How much may be uploaded: the size of a file, and what a user uploads in an hour."""

from __future__ import annotations

import hashlib
import time
from typing import Any, List, Tuple

from django.core.cache import caches

from smart_storages.config import UploadSettings
from smart_storages.uploads import content_types, refusals

__all__ = ["check_announced", "check_plain", "count_upload"]

_HOUR = 3600


def check_announced(limits: UploadSettings, name: str, size: int) -> None:
    """Refuse a file by what is known before it is uploaded.

    Raises:
        UploadError: it is too large, or files of such a name may not be uploaded.
    """
    if size > limits.max_size:
        raise refusals.too_large(limits.max_size)
    if not content_types.allows(limits.types, name):
        raise refusals.wrong_type(limits.types or ())


def check_plain(limits: UploadSettings, file: Any) -> None:
    """Refuse a file that came through Django for what a direct upload would be refused for.

    Args:
        limits: What may be uploaded.
        file: The file; it is at its beginning afterwards, and of the type that its name says.

    Raises:
        UploadError: it is too large, or of a type that may not be uploaded, or in disguise.
    """
    name = str(file.name)
    check_announced(limits, name, int(file.size))
    file.seek(0)
    head = file.read(content_types.HEAD)
    file.seek(0)
    kind = content_types.type_of_name(name)
    if content_types.is_disguised(kind, head):
        raise refusals.wrong_content()
    if hasattr(file, "content_type"):
        file.content_type = kind  # a bucket would serve it with the type that the browser names


def count_upload(limits: UploadSettings, owner: str, label: str, size: int) -> None:
    """Count an upload, or refuse it if its owner has begun too many within this hour.

    An hour begins when the clock says so. The counters are in Django's cache: if that loses them,
    or its backend does not add atomically, a user may upload more.

    Raises:
        UploadError: with the seconds until the next hour.
    """
    cache, now = caches[limits.cache], time.time()
    hour = int(now // _HOUR)
    counted: List[Tuple[str, int]] = []
    for kind, most, amount in (
        ("uploads", limits.uploads_per_hour, 1),
        ("bytes", limits.bytes_per_hour, size),
    ):
        if most is None:
            continue
        counted.append((_key(kind, owner, label, hour), amount))
        if _add(cache, *counted[-1]) > most:
            for key, added in counted:  # what is refused does not count
                _add(cache, key, -added)
            raise refusals.too_many(max(1, int((hour + 1) * _HOUR - now)))


def _key(*parts: Any) -> str:
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
    return f"smart_storages:uploads:{digest}"


def _add(cache: Any, key: str, amount: int) -> int:
    # The second hour: a clock that differs between hosts must not lose a counter.
    cache.add(key, 0, 2 * _HOUR)
    try:
        return int(cache.incr(key, amount))
    except ValueError:  # it was evicted in between
        cache.set(key, max(amount, 0), 2 * _HOUR)
        return amount
