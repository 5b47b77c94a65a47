"""How big an object is, also where an answer does not say, or says what its ETag contradicts.

An empty answer is the one lie that no count of bytes uncovers: a gateway that lost the body may
well say ``Content-Length: 0``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Mapping, Optional

from smart_storages.exceptions import S3Error, UnreachableError
from smart_storages.s3.requests.answers import total_of
from smart_storages.s3.requests.http import fetch
from smart_storages.s3.stat import Stat

if TYPE_CHECKING:
    from smart_storages.s3.target import Target

__all__ = ["ask_size", "confirm_size", "stat_object"]

_NOT_SATISFIABLE = 416

# Of no bytes at all, and of an upload in parts whose only part had none.
_EMPTY_ETAGS = frozenset({"d41d8cd98f00b204e9800998ecf8427e", "59adb24ef3cdbe0297f05b395827453f-1"})

# The MD5 of something, or parts of which all but the last must have 5 MiB.
_tells_content = re.compile(r"[0-9a-f]{32}(-([2-9]|[1-9][0-9]+))?").fullmatch


def stat_object(target: Target, key: str) -> Stat:
    """Return what a HEAD says of an object, its size confirmed.

    Raises:
        ObjectNotFoundError: there is no such object.
    """
    headers = fetch(target, key, method="HEAD").headers
    return Stat.from_headers(headers, confirm_size(target, key, headers, total_of(headers)))


def confirm_size(target: Target, key: str, headers: Mapping[str, str], told: Optional[int]) -> int:
    """Return the size of an object; ask again where an answer gives none, or an unlikely 0.

    Args:
        target: The bucket.
        key: Key of the object.
        headers: Of the answer to a HEAD or a whole GET, by lower-case name.
        told: The size by that answer, ``None`` if it gives none.

    Raises:
        UnreachableError: S3 gives no bytes of an object that has some.
    """
    etag = headers.get("etag", "").strip('"')
    if told or (told == 0 and etag in _EMPTY_ETAGS):
        return told
    size = ask_size(target, key, headers)
    if size is None and told == 0 and (_is_encrypted(headers) or not _tells_content(etag)):
        return 0
    if size is None:
        raise UnreachableError(
            "S3 does not say how big the object is, or gives no bytes of one that has some by "
            f"its ETag, {etag!r}. A proxy or gateway before it may be at fault.",
            **target.places(key),
        )
    return size


def ask_size(target: Target, key: str, headers: Mapping[str, str]) -> Optional[int]:
    """Return the size by a request for the first byte; ``None`` where the answer does not tell.

    Only an empty object has no first byte: S3 then answers 416.
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
    # With KMS or a customer's key the ETag is no digest of the content.
    return (
        headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
        or "x-amz-server-side-encryption-customer-algorithm" in headers
    )
