"""What S3 says of an object without sending it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Dict, Mapping, Optional

__all__ = ["Stat"]

_METADATA = "x-amz-meta-"

# For a server that does not say when an object was written.
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
        >>> Stat.from_answer({"ContentLength": 5, "LastModified": None, "ETag": '"0cc1"'}).etag
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
    def from_headers(cls, headers: Mapping[str, str]) -> Stat:
        """Return it of the headers, by lower-case name, of the answer to a GET or HEAD.

        Example:
            >>> Stat.from_headers({"content-length": "5", "etag": '"0cc1"'}).size
            5
        """
        modified = headers.get("last-modified")
        skip = len(_METADATA)
        return cls(
            size=_size_of(headers),
            modified_time=parsedate_to_datetime(modified) if modified else _LONG_AGO,
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
    def from_answer(cls, answer: Mapping[str, Any]) -> Stat:
        """Return it of boto3's answer to ``head_object`` or ``get_object``."""
        return cls(
            size=answer["ContentLength"],
            modified_time=answer["LastModified"],
            etag=answer.get("ETag", "").strip('"'),
            content_type=answer.get("ContentType"),
            content_encoding=answer.get("ContentEncoding"),
            metadata=dict(answer.get("Metadata") or {}),
            storage_class=answer.get("StorageClass"),
            version_id=answer.get("VersionId"),
        )

    @classmethod
    def from_entry(cls, entry: Dict[str, Any]) -> Stat:
        """Return it of one entry of ``list_objects_v2``."""
        storage_class = entry.get("StorageClass")
        return cls(
            size=entry["Size"],
            modified_time=entry["LastModified"],
            etag=entry.get("ETag", "").strip('"'),
            storage_class=None if storage_class == "STANDARD" else storage_class,
        )


def _size_of(headers: Mapping[str, str]) -> int:
    _, _, total = headers.get("content-range", "").rpartition("/")
    return int(total if total.isdigit() else headers.get("content-length", 0))
