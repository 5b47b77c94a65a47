"""How big an object is, even if an answer does not say or its ETag contradicts it.

An empty answer is the only wrong one that counting bytes does not detect: a gateway that lost the
body may send ``Content-Length: 0``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Mapping, Optional

from smart_storages.backends.s3.requests.answers import total_of
from smart_storages.backends.s3.requests.http import fetch
from smart_storages.backends.s3.stat import Stat
from smart_storages.exceptions import S3Error, UnreachableError

if TYPE_CHECKING:
    from smart_storages.backends.s3.target import Target

__all__ = ["ask_size", "confirm_size", "stat_object"]

_NOT_SATISFIABLE = 416

# The ETag of an empty object, and that of a multipart upload with a single empty part.
_EMPTY_ETAGS = frozenset({"d41d8cd98f00b204e9800998ecf8427e", "59adb24ef3cdbe0297f05b395827453f-1"})

# The MD5 of content, or of several parts, all but the last of which have at least 5 MiB.
_has_content = re.compile(r"[0-9a-f]{32}(-([2-9]|[1-9][0-9]+))?").fullmatch


def stat_object(target: Target, key: str) -> Stat:
    """Return what a HEAD says about an object, with its size confirmed.

    Raises:
        ObjectNotFoundError: there is no such object.
    """
    headers = fetch(target, key, method="HEAD").headers
    return Stat.from_headers(headers, confirm_size(target, key, headers, total_of(headers)))


def confirm_size(
    target: Target, key: str, headers: Mapping[str, str], reported: Optional[int]
) -> int:
    """Return the size of an object; request it again if an answer gives none, or a doubtful 0.

    Args:
        target: The bucket.
        key: Key of the object.
        headers: Headers of the answer to a HEAD or a whole GET, by lower-case name.
        reported: The size in that answer, ``None`` if it gives none.

    Raises:
        UnreachableError: S3 sends no bytes of an object that has some.
    """
    etag = headers.get("etag", "").strip('"')
    if reported or (reported == 0 and etag in _EMPTY_ETAGS):
        return reported
    size = ask_size(target, key, headers)
    if size is None and reported == 0 and (_is_encrypted(headers) or not _has_content(etag)):
        return 0
    if size is None:
        raise UnreachableError(
            "S3 does not say how big the object is, or sends no bytes although the ETag "
            f"{etag!r} is not that of an empty object. A proxy or gateway in front of S3 may be at "
            "fault.",
            **target.places(key),
        )
    return size


def ask_size(target: Target, key: str, headers: Mapping[str, str]) -> Optional[int]:
    """Return the size, from a request for the first byte; ``None`` if the answer does not say.

    If the object is empty there is no first byte, and S3 answers 416.
    """
    try:
        answer = fetch(target, key, stop=1, etag=headers.get("etag") or None)
    except S3Error as error:
        if error.status == _NOT_SATISFIABLE:
            return 0
        raise
    answer.close()
    return total_of(answer.headers) or None


def _is_encrypted(headers: Mapping[str, str]) -> bool:
    # With KMS or a customer key the ETag is not a digest of the content.
    return (
        headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
        or "x-amz-server-side-encryption-customer-algorithm" in headers
    )
