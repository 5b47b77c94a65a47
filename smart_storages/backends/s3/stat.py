"""What S3 says about an object: size, time, ETag, type and metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Dict, Mapping, Optional

from smart_storages.backends.s3.requests.answers import total_of

__all__ = ["Stat"]

_METADATA = "x-amz-meta-"

# For a server whose answer has no readable date.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Stat:
    """What S3 says about an object, without its content.

    Args:
        size: Bytes stored; for a compressed object, its compressed size.
        modified_time: When the object was written: an aware datetime in UTC.
        etag: The ETag without its quotes.
        content_type: ``None`` if it comes from a listing, which does not include it.
        content_encoding: As ``content_type``.
        metadata: The object's own metadata; empty if it comes from a listing.
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
        """Return the stat that the answer to a GET or HEAD describes.

        Args:
            headers: The headers of the answer, by lower-case name.
            size: The size, if it is known from a better source than the headers.

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
        """Return the stat that one entry of ``list_objects_v2`` describes."""
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
    if moment.tzinfo is None:  # "-0000": UTC, for which Python returns a naive datetime
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)
