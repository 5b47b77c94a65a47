"""What stores share that keep the bytes of a file, and nothing beside them."""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import posixpath
import re
import uuid
from datetime import datetime
from typing import Dict, Optional

from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.s3.writing.parameters import COPIED_FROM
from smart_storages.backends.store import Attributes, Found
from smart_storages.exceptions import S3Error

__all__ = [
    "check_folder",
    "check_key",
    "describe",
    "in_order_of_s3",
    "is_name",
    "is_temporary",
    "refuse_attributes",
    "temporary_name",
]

_TEMPORARY = ".smart-storages-", ".part"
_is_temporary = re.compile(r"\.smart-storages-[0-9a-f]{32}\.part\Z").match


def temporary_name() -> str:
    """Return a name for a file that is not whole yet; no listing shows it."""
    return uuid.uuid4().hex.join(_TEMPORARY)


def is_temporary(name: str) -> bool:
    """Return whether :func:`temporary_name` made a name.

    Example:
        >>> is_temporary(temporary_name()), is_temporary("report.part")
        (True, False)
    """
    return _is_temporary(name) is not None


def is_name(name: str) -> bool:
    """Return whether what a listing has is the name of a file or a folder, and no path."""
    return bool(name) and name not in (".", "..") and "/" not in name


def refuse_attributes(attributes: Attributes, place: str) -> None:
    """Raise for attributes without which a file would be another one.

    Headers such as ``Cache-Control`` are for those who serve the file, and are left out; so is what
    a copy brings along.

    Args:
        attributes: What is to be kept beside the content.
        place: Where the file is to be, for the message.

    Raises:
        S3Error: the content is compressed, or has metadata of its own.
    """
    encoding = attributes.headers.get("content-encoding")
    if encoding:
        raise S3Error(
            f"The content is compressed ({encoding}), and files {place} keep no Content-Encoding: "
            "whoever reads it would not know. Save it uncompressed."
        )
    if attributes.metadata and COPIED_FROM not in attributes.metadata:
        raise S3Error(
            f"The file has metadata ({', '.join(sorted(attributes.metadata))}), and files {place} "
            "keep none. Remove 'Metadata' from the parameters of the upload."
        )


def describe(
    place: str,
    key: str,
    size: int,
    modified_time: datetime,
    content_type: Optional[str] = None,
) -> Found:
    """Return what is known about a file by its size and time.

    Args:
        place: The identity of the store. The ETag is made of it too: those of two files that were
            written in one moment must differ, or one would count as a copy of the other.
        key: Its key, from which its type is guessed.
        size: Bytes.
        modified_time: When it was written, in UTC.
        content_type: Its type, if that is known better.
    """
    kind = content_type or mimetypes.guess_type(key)[0]
    headers: Dict[str, str] = {"content-type": kind} if kind else {}
    digest = hashlib.sha256(f"{place}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()
    etag = f"{int(modified_time.timestamp() * 1_000_000):x}-{size:x}-{digest[:8]}"
    return Found(Stat(size, modified_time, etag, kind), Attributes(headers))


def in_order_of_s3(key: str) -> bytes:
    """Return by what S3 sorts a key: the bytes of its UTF-8."""
    return key.encode("utf-8", "surrogatepass")


def check_key(key: str) -> None:
    """Refuse a key that could lead elsewhere, or is not that of a file.

    Raises:
        PermissionError: it is empty or absolute, has ``..``, a backslash or an empty name in it, or
            the name of a file that is not whole yet, which no listing shows.
    """
    # A storage has refused such names already, and another one may not.
    is_name = key and not {"\0", "\\"} & {*key} and posixpath.normpath(key) == key
    is_hidden = any(map(is_temporary, key.split("/")))
    if not is_name or is_hidden or key.startswith("/") or key.partition("/")[0] == "..":
        raise PermissionError(errno.EACCES, f"The key {key!r} cannot be that of a file")


def check_folder(folder: str) -> None:
    """Refuse the name of a folder that leads out of its parent, or is hidden.

    Raises:
        PermissionError: it does.
    """
    if folder.startswith(".") or {"/", "\\", "\0"} & {*folder}:
        raise PermissionError(errno.EACCES, f"{folder!r} is not the name of a folder")
