"""What takes up the space: files by the first part of their path, and unfinished uploads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from botocore.exceptions import ClientError

from smart_storages.management.places import Place

__all__ = ["HERE", "Total", "Upload", "Usage", "measure"]

#: Stands for files that are in no folder.
HERE = "."


@dataclass
class Total:
    """Files that were counted together.

    Args:
        files: How many there are.
        bytes: Their size.
        newest: When the last of them was written.
    """

    files: int = 0
    bytes: int = 0
    newest: Optional[datetime] = None

    def add(self, size: int, modified: datetime) -> None:
        """Count one more."""
        self.files += 1
        self.bytes += size
        if self.newest is None or modified > self.newest:
            self.newest = modified


class Upload(NamedTuple):
    """An upload in parts that was not finished; its parts take up space that no listing shows."""

    key: str
    started: datetime

    @property
    def days(self) -> float:
        """Its age."""
        age = datetime.now(timezone.utc) - self.started
        return age.total_seconds() / 86_400


@dataclass
class Usage:
    """What a module takes up.

    Args:
        place: The module.
        total: All of its files.
        folders: Its files by the first part of their path.
        uploads: Uploads that were not finished, the oldest first; ``None`` if listing them was
            refused.
    """

    place: Place
    total: Total = field(default_factory=Total)
    folders: Dict[str, Total] = field(default_factory=dict)
    uploads: Optional[List[Upload]] = None


def measure(place: Place, tell: Callable[[int], Any] = lambda count: None) -> Usage:
    """Count what a module has, with a request per 1,000 files; memory grows with folders alone.

    Args:
        place: The module, or a pattern whose modules share a bucket.
        tell: Called with how many files were counted since it was called last.

    Raises:
        S3Error: S3 refused to list them.
    """
    usage = Usage(place)
    # Of a pattern, what stands before the name of a module.
    prefix = place.location.partition("*")[0]
    start = prefix.rfind("/") + 1
    for key, stat in place.storage.iter_keys(prefix):
        if key.endswith("/"):
            continue  # a folder that some tools create
        folder, slash, _ = key[start:].partition("/")
        usage.folders.setdefault(folder if slash else HERE, Total()).add(
            stat.size, stat.modified_time
        )
        usage.total.add(stat.size, stat.modified_time)
        tell(1)
    usage.uploads = _find_uploads(place, prefix)
    return usage


def _find_uploads(place: Place, prefix: str) -> Optional[List[Upload]]:
    if not place.storage.is_in_s3:
        return []
    try:
        found = [Upload(each["Key"], each["Initiated"]) for each in _iter_uploads(place, prefix)]
    except ClientError:
        return None
    return sorted(found, key=lambda upload: upload.started)


def _iter_uploads(place: Place, prefix: str) -> Iterator[Dict[str, Any]]:
    pages = place.storage.client.get_paginator("list_multipart_uploads").paginate(
        Bucket=place.storage.bucket_name, Prefix=prefix
    )
    page: Any
    for page in pages:
        yield from page.get("Uploads", ())
