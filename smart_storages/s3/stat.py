"""What S3 says of an object without sending it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Dict, Mapping, Optional

from smart_storages.s3.requests.answers import total_of

__all__ = ["Stat"]

_METADATA = "x-amz-meta-"

# For a server that does not say, or not in words, when an object was written.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Stat:
    """What S3 says of an object without sending it.

    Args:
        size: Bytes stored; of a compressed object, the compressed ones.
        modified_time: When the object was written, aware, in UTC.
        etag: The ETag without its quotes.
        content_type: ``None`` where the answer was a listing, which does not hold it.
        content_encoding: As ``content_type``.
        metadata: The object's own metadata; empty where the answer was a listing.
        storage_class: ``None`` for the standard class, which S3 does not name.
        version_id: Version, in a bucket that keeps versions.

    Example:
        >>> Stat.from_headers({"content-length": "5", "etag": '"0cc1"'}).etag
        '0cc1'
    """

    size: int
    modified_time: datetime
    etag: str
    content_type: Optional[str] = None
    content_encoding: Optional[str] = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    storage_class: Optional[str] = None
    version_id: Optional[str] = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], size: Optional[int] = None) -> Stat:
        """Return it of the headers, by lower-case name, of the answer to a GET or HEAD.

        Args:
            headers: The headers.
            size: The size, if it is known better than the headers tell it.

        Example:
            >>> Stat.from_headers({"content-length": "5", "etag": '"0cc1"'}).size
            5
        """
        skip = len(_METADATA)
        return cls(
            size=(total_of(headers) or 0) if size is None else size,
            modified_time=_read_date(headers.get("last-modified", "")),
            etag=headers.get("etag", "").strip('"'),
            content_type=headers.get("content-type"),
            content_encoding=headers.get("content-encoding") or None,
            metadata={
                name[skip:]: value for name, value in headers.items() if name.startswith(_METADATA)
            },
            storage_class=headers.get("x-amz-storage-class"),
            version_id=headers.get("x-amz-version-id"),
        )

    @classmethod
    def from_entry(cls, entry: Dict[str, Any]) -> Stat:
        """Return it of one entry of ``list_objects_v2``."""
        storage_class = entry.get("StorageClass")
        return cls(
            size=entry["Size"],
            modified_time=_in_utc(entry["LastModified"]),
            etag=entry.get("ETag", "").strip('"'),
            storage_class=None if storage_class == "STANDARD" else storage_class,
        )


def _read_date(text: str) -> datetime:
    try:
        return _in_utc(parsedate_to_datetime(text))
    except (OverflowError, TypeError, ValueError):  # TypeError until Python 3.10
        return _LONG_AGO


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:  # "-0000": a time in UTC that says so of itself
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)
