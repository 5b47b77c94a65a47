"""What a browser says of a file that it uploads, read with suspicion."""

from __future__ import annotations

import posixpath
import re
from typing import Any, List, Optional, Tuple

from django.core.exceptions import SuspiciousOperation

from smart_storages.common.names import check_name
from smart_storages.uploads import refusals

__all__ = ["read_name", "read_parts", "read_size", "shorten"]

#: Most parts that are signed by one request.
_MOST_PARTS = 100
#: Most bytes of a name: a disk takes 255, and 17 are for the random suffix.
_MOST_NAME = 238
#: Control characters, and those that turn the direction of text: ``a\u202e4pm.exe``.
_is_control = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]").search


def read_name(name: Any) -> str:
    """Return the name of a file on the user's computer; one that is too long is shortened.

    Raises:
        UploadError: it is a path, or cannot be the name of a file.

    Example:
        >>> read_name("Film 1.mp4")
        'Film 1.mp4'
    """
    if not isinstance(name, str) or not name.strip():
        raise refusals.bad_name()
    if "/" in name or "\\" in name or name.strip(" .") == "" or _is_control(name):
        raise refusals.bad_name()
    try:
        name.encode()
        check_name(name)
    except (UnicodeEncodeError, SuspiciousOperation):
        raise refusals.bad_name() from None
    short = shorten(name, _MOST_NAME)  # as Django does to the name of an upload
    while len(short.encode()) > _MOST_NAME:
        short = shorten(short, len(short) - 1)
    return short


def shorten(name: str, most: int) -> str:
    """Return a name of at most so many characters, with its extension.

    Example:
        >>> shorten("Film 1.mp4", 8)
        'Film.mp4'
    """
    root, extension = posixpath.splitext(name)
    extension = extension[:most]
    return name if len(name) <= most else root[: most - len(extension)] + extension


def read_size(size: Any) -> int:
    """Return the size of a file in bytes.

    Raises:
        UploadError: it is not a number, or 0.

    Example:
        >>> read_size(5)
        5
    """
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise refusals.bad_request("'size' must be a whole number of bytes.")
    if size == 0:
        raise refusals.empty()
    return size


def read_parts(given: Any, parts: int) -> List[Tuple[int, Optional[str]]]:
    """Return the number and the digest of each part that is to be signed.

    Args:
        given: What the browser sent.
        parts: How many parts the file has.

    Raises:
        UploadError: it is not a list of such parts.

    Example:
        >>> read_parts([{"number": 1}], 1)
        [(1, None)]
    """
    if not isinstance(given, list) or not 0 < len(given) <= _MOST_PARTS:
        raise refusals.bad_request(f"'parts' must be a list of 1 to {_MOST_PARTS} parts.")
    return [_read_part(part, parts) for part in given]


def _read_part(part: Any, parts: int) -> Tuple[int, Optional[str]]:
    number = part.get("number") if isinstance(part, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= parts:
        raise refusals.bad_request(f"Each part has a 'number' from 1 to {parts}.")
    digest = part.get("sha256")
    if digest is not None and not isinstance(digest, str):
        raise refusals.bad_request("'sha256' must be text in base64.")
    return number, digest
