"""What an upload in parts is made of, wherever the file is kept, and how big its parts are."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from datetime import datetime
from typing import Any, Iterable, List, NamedTuple, Optional

__all__ = [
    "MAX_PARTS",
    "MAX_PART_SIZE",
    "MIN_PART_SIZE",
    "StartedUpload",
    "UploadLimits",
    "UploadedPart",
    "as_hex_digest",
    "check_part",
    "check_upload_id",
    "in_order",
    "part_size_for",
]

MIB = 1024**2

#: Fewest and most bytes of a part, of which the last may have fewer, and most parts, of S3.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MIN_PART_SIZE, MAX_PART_SIZE, MAX_PARTS = 5 * MIB, 5 * 1024 * MIB, 10_000

#: The size of a part of a file up to ``_LARGE`` bytes, and of a larger one.
_SMALL_PART, _LARGE_PART = 8 * MIB, 16 * MIB
_LARGE = 512 * MIB

_is_hex = re.compile(r"[0-9a-fA-F]{64}").fullmatch
#: What S3, Ceph and MinIO make their identifiers of; it is a part of URLs and of file names.
_is_upload_id = re.compile(r"[A-Za-z0-9._~=+/-]{1,1024}").fullmatch
_DIGEST_BYTES = 32


class UploadedPart(NamedTuple):
    """One part that has arrived.

    Args:
        number: Its place in the file, from 1.
        size: Its bytes.
        etag: Its ETag without quotes.
        sha256: Its SHA-256 in base64, ``None`` if the server does not keep it.

    Example:
        >>> UploadedPart(1, 5, "5d41402abc4b2a76b9719d911017c592").size
        5
    """

    number: int
    size: int
    etag: str
    sha256: Optional[str] = None


class StartedUpload(NamedTuple):
    """One upload in parts that was neither completed nor aborted.

    Args:
        name: Name of the file, as it was given when the upload was started.
        upload_id: The identifier of the upload.
        started: When it was started: an aware datetime.
    """

    name: str
    upload_id: str
    started: datetime


class UploadLimits(NamedTuple):
    """What the parts of an upload may be.

    Args:
        min_part_size: Fewest bytes of a part that is not the last.
        max_part_size: Most bytes of a part.
        max_parts: Most parts.
        signs_part_digests: Whether a URL of a part can be signed for its SHA-256.

    Example:
        >>> UploadLimits(5 * 1024**2, 5 * 1024**3, 10_000, True).part_size_for(5) // 1024**2
        8
    """

    min_part_size: int
    max_part_size: int
    max_parts: int
    signs_part_digests: bool

    def part_size_for(self, size: int) -> int:
        """Return how many bytes each part of a file should have; see :func:`part_size_for`."""
        return part_size_for(size, max_parts=self.max_parts, max_part_size=self.max_part_size)


def part_size_for(size: int, *, max_parts: int, max_part_size: int) -> int:
    """Return how many bytes each part of a file should have; its last part has the rest.

    It is 8 MiB for a file of up to 512 MiB, 16 MiB for a larger one, and more where the file
    would otherwise have too many parts.

    Args:
        size: Bytes of the file.
        max_parts: Most parts that the server takes.
        max_part_size: Most bytes that a part may have.

    Raises:
        ValueError: the size is not a number of bytes, or larger than such parts can hold.

    Example:
        >>> part_size_for(10**9, max_parts=10_000, max_part_size=5 * 1024**3) // 1024**2
        16
    """
    if type(size) is not int or size < 0:
        raise ValueError(f"size must be a whole number of bytes, 0 or more, not {size!r}.")
    if size > max_parts * max_part_size:
        raise ValueError(
            f"A file of {size} bytes is too large: {max_parts} parts of {max_part_size} bytes are "
            "the most that can be uploaded."
        )
    usual = _SMALL_PART if size <= _LARGE else _LARGE_PART
    least = -(-size // max_parts)
    # In whole MiB, because a page of the browser reads the file in such pieces.
    return min(max(usual, -(-least // MIB) * MIB), max_part_size)


def check_part(number: Any, size: Any, *, max_parts: int, max_part_size: int) -> None:
    """Raise a ``ValueError`` unless a part has a number and a size that can be signed.

    Example:
        >>> check_part(1, 5, max_parts=10_000, max_part_size=5 * 1024**3)
    """
    if type(number) is not int or not 1 <= number <= max_parts:
        raise ValueError(f"The number of a part is from 1 to {max_parts}, not {number!r}.")
    if type(size) is not int or not 0 <= size <= max_part_size:
        raise ValueError(f"A part has from 0 to {max_part_size} bytes, not {size!r}.")


def check_upload_id(upload_id: Any) -> str:
    """Return the identifier of an upload, or raise a ``ValueError`` if it cannot be one.

    Example:
        >>> check_upload_id("2~sjDIbKhgIN4KbXPT6V7S1FgtbenvSn9")
        '2~sjDIbKhgIN4KbXPT6V7S1FgtbenvSn9'
    """
    if not isinstance(upload_id, str) or not _is_upload_id(upload_id):
        raise ValueError(
            "upload_id must be what create_multipart_upload() returned: text of letters, digits "
            "and '._~=+/-'."
        )
    return upload_id


def as_hex_digest(sha256: Any) -> str:
    """Return a SHA-256 in hexadecimal digits, in which signatures have it.

    Args:
        sha256: The digest in base64, as a browser's script makes it of the bytes, or in hexadecimal
            digits.

    Raises:
        ValueError: it is neither.

    Example:
        >>> as_hex_digest("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")[:8]
        'e3b0c442'
    """
    if isinstance(sha256, str):
        if _is_hex(sha256):
            return sha256.lower()
        try:
            digest = b64decode(sha256, validate=True)
        except (Base64Error, ValueError):
            digest = b""
        if len(digest) == _DIGEST_BYTES:
            return digest.hex()
    raise ValueError("sha256 must be the SHA-256 of the part, in base64 or hexadecimal digits.")


def in_order(parts: Iterable[Any]) -> List[UploadedPart]:
    """Return the parts of a whole file in their order.

    Raises:
        ValueError: there is none, one is missing, or one is given twice.

    Example:
        >>> [part.number for part in in_order([UploadedPart(2, 1, "b"), UploadedPart(1, 5, "a")])]
        [1, 2]
    """
    given = sorted((UploadedPart(*part) for part in parts), key=lambda part: part.number)
    if not given:
        raise ValueError("An upload needs at least one part; a file of 0 bytes has an empty one.")
    for number, part in enumerate(given, start=1):
        if part.number != number:
            what = "is missing" if part.number > number else "is given twice"
            raise ValueError(f"The part {min(number, part.number)} {what}.")
    return given
