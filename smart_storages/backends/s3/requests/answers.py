"""Checks that the status and headers of an answer to a GET or HEAD make sense."""

from __future__ import annotations

import re
from typing import Mapping, Optional

__all__ = ["CLAIM_MARK", "find_fault", "is_claim", "length_of", "total_of"]

#: Metadata of an object that only reserves its key; see
#: :mod:`smart_storages.backends.s3.writing.claims`.
CLAIM_MARK = "write-claim"

_CLAIM_HEADER = f"x-amz-meta-{CLAIM_MARK}"

_OK, _PARTIAL = 200, 206

# Numbers with more digits cannot be sizes, and Python refuses to convert very long ones.
_is_number = re.compile(r"[0-9]{1,19}").fullmatch
_read_range = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/(?:[0-9]{1,19}|\*)").fullmatch

_LONGEST_SHOWN = 40


def find_fault(status: int, headers: Mapping[str, str], *, ranged: bool) -> Optional[str]:
    """Return what is wrong with a 2xx answer, ``None`` if it can be read.

    Args:
        status: HTTP status.
        headers: Headers of the answer, by lower-case name.
        ranged: Whether the request asked for a range.

    Example:
        >>> find_fault(204, {}, ranged=False)
        'its status is 204'

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-206-partial-content
    """
    if status != _OK and not (status == _PARTIAL and ranged):
        return f"its status is {status}"
    length = headers.get("content-length")
    if length is not None and not _is_number(length):
        return f"its Content-Length is {length[:_LONGEST_SHOWN]!r}"
    if status == _OK:
        return None
    content_range = headers.get("content-range", "")
    found = _read_range(content_range)
    if found is None:
        return f"its status is 206 and its Content-Range {content_range[:_LONGEST_SHOWN]!r}"
    if length is not None and int(length) != int(found[2]) - int(found[1]) + 1:
        return f"it has {length} bytes and its Content-Range is {content_range!r}"
    return None


def length_of(headers: Mapping[str, str]) -> Optional[int]:
    """Return how many bytes the body has, ``None`` if the headers do not say.

    Example:
        >>> length_of({"content-length": "5"}), length_of({"transfer-encoding": "chunked"})
        (5, None)
    """
    length = headers.get("content-length", "")
    # Transfer-Encoding overrides Content-Length:
    # https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    if "transfer-encoding" in headers or not _is_number(length):
        return None
    return int(length)


def total_of(headers: Mapping[str, str]) -> Optional[int]:
    """Return the size of the whole object, ``None`` if the headers do not say.

    Example:
        >>> total_of({"content-length": "1", "content-range": "bytes 0-0/7"})
        7
    """
    if "content-range" not in headers:
        return length_of(headers)
    total = headers["content-range"].rpartition("/")[2]
    return int(total) if _is_number(total) else None


def is_claim(headers: Mapping[str, str]) -> bool:
    """Return whether headers, by lower-case name, are those of an object that reserves its key."""
    return _CLAIM_HEADER in headers
