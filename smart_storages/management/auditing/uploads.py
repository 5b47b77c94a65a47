"""Uploads in parts that were never completed: how many there are, and ending those that are old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Iterable, Optional, Tuple

from smart_storages.exceptions import ConfigurationError, SmartStorageError
from smart_storages.management.auditing.areas import Area

__all__ = ["OpenUploads", "look_for_uploads"]


@dataclass
class OpenUploads:
    """What was found, in numbers.

    Args:
        found: Uploads that are neither completed nor aborted.
        aborted: Those of them that were aborted.
        oldest: When the first of them was started, ``None`` if there is none.
    """

    found: int = 0
    aborted: int = 0
    oldest: Optional[datetime] = None


def look_for_uploads(
    areas: Iterable[Area],
    tell: Callable[[str, str, Optional[Exception]], Any],
    *,
    exclude: Tuple[str, ...] = (),
    abort_after: Optional[float] = None,
) -> OpenUploads:
    """Count the uploads of these areas, and abort old ones if asked to.

    Args:
        areas: Where to look.
        tell: Called for what fails: what was done, the key or the module, and the error.
        exclude: Beginnings of names, or of keys, that are not looked at.
        abort_after: Seconds after which an upload is aborted; ``None`` to abort none.
    """
    total = OpenUploads()
    for area in areas:
        try:
            _look_in(area, tell, exclude, abort_after, total)
        except ConfigurationError:  # it takes no uploads in parts
            continue
        except SmartStorageError as error:
            tell("not listed", area.label, error)
    return total


def _look_in(
    area: Area,
    tell: Any,
    exclude: Tuple[str, ...],
    abort_after: Optional[float],
    total: OpenUploads,
) -> None:
    now = datetime.now(timezone.utc)
    for each in area.storage.iter_multipart_uploads():
        key = f"{area.start}{each.name}"
        if key.startswith((*area.excluded, *exclude)) or each.name.startswith(exclude):
            continue
        total.found += 1
        total.oldest = min(total.oldest or each.started, each.started)
        if abort_after is None or now - each.started < timedelta(seconds=abort_after):
            continue
        try:
            area.storage.abort_multipart_upload(each.name, each.upload_id)
        except SmartStorageError as error:
            tell("not aborted", key, error)
        else:
            total.aborted += 1
