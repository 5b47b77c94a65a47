"""The checksum that S3 reports for a whole object, to verify the bytes that were received."""

from __future__ import annotations

import hashlib
import re
import zlib
from base64 import b64encode
from typing import Any, Callable, Mapping, Optional

from botocore.compat import MD5_AVAILABLE, get_md5

__all__ = ["Checksum", "find_checksum"]

_is_md5 = re.compile(r"[0-9a-f]{32}").fullmatch


class Checksum:
    """A checksum that is being computed.

    Args:
        expected: The value it must have, in the format of ``finish``.
        update: Takes the next bytes.
        finish: Returns the checksum as text.
    """

    __slots__ = ("_finish", "at", "expected", "update")

    def __init__(
        self, expected: str, update: Callable[[Any], Any], finish: Callable[[], str]
    ) -> None:
        self.expected = expected
        self.update = update
        self._finish = finish
        #: How many bytes of the object it has read.
        self.at = 0

    def holds(self) -> bool:
        """Return whether the computed checksum is the expected one."""
        return self._finish() == self.expected


def find_checksum(headers: Mapping[str, str], *, md5_etags: bool) -> Optional[Checksum]:
    """Return the checksum of the whole object that an answer has, ``None`` if it has none.

    Args:
        headers: Headers of the answer, by lower-case name.
        md5_etags: Whether the server's ETag is the MD5 of the content unless a header says
            otherwise.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    if headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT":
        for name, start in _STARTERS.items():
            expected = headers.get(f"x-amz-checksum-{name}")
            # A multipart upload may have a checksum of its parts' checksums, ending in "-" and
            # their number.
            if expected and "-" not in expected:
                checksum = start(expected)
                if checksum is not None:
                    return checksum
    return _from_etag(headers) if md5_etags and MD5_AVAILABLE else None


def _from_etag(headers: Mapping[str, str]) -> Optional[Checksum]:
    # "Objects encrypted with SSE-C or SSE-KMS have ETags that are not an MD5 digest":
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    encrypted = headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
    if encrypted or "x-amz-server-side-encryption-customer-algorithm" in headers:
        return None
    etag = headers.get("etag", "").strip('"')
    if not _is_md5(etag):
        return None
    digest = get_md5()
    return Checksum(etag, digest.update, digest.hexdigest)


def _start_hash(name: str) -> Callable[[str], Checksum]:
    def start(expected: str) -> Checksum:
        digest = hashlib.new(name)
        return Checksum(expected, digest.update, lambda: b64encode(digest.digest()).decode("ascii"))

    return start


def _start_crc(
    find: Callable[[], Optional[Callable[[Any, int], int]]], size: int
) -> Callable[[str], Optional[Checksum]]:
    def start(expected: str) -> Optional[Checksum]:
        crc = find()
        if crc is None:
            return None
        value = [0]

        def update(data: Any) -> None:
            value[0] = crc(data, value[0])

        return Checksum(
            expected, update, lambda: b64encode(value[0].to_bytes(size, "big")).decode("ascii")
        )

    return start


def _native(name: str) -> Callable[[], Optional[Callable[[Any, int], int]]]:
    # awscrt is an extra of boto3; in pure Python these two would take seconds per megabyte.
    def find() -> Optional[Callable[[Any, int], int]]:
        try:
            from awscrt import checksums  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return None
        return getattr(checksums, name, None)

    return find


_STARTERS: Mapping[str, Callable[[str], Optional[Checksum]]] = {
    "crc32": _start_crc(lambda: zlib.crc32, 4),
    "crc32c": _start_crc(_native("crc32c"), 4),
    "crc64nvme": _start_crc(_native("crc64nvme"), 8),
    "sha256": _start_hash("sha256"),
    "sha1": _start_hash("sha1"),
}
