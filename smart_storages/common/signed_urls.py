"""What can be seen of a URL: whether it is signed, and how long it is valid."""

from __future__ import annotations

import re
from calendar import timegm
from contextlib import suppress
from time import strptime, time
from typing import Optional
from urllib.parse import parse_qsl, urlsplit

__all__ = ["is_signed", "seconds_left", "sets_headers"]

_SIGNATURE = re.compile(r"[?&](?:[^=&]*signature[^=&]*|sig|token|hmac)=", re.IGNORECASE)
_HEADERS = re.compile(r"[?&](?:response-content-disposition|rscd)=")
#: When a URL was signed and the seconds from then on: of S3, and of Google.
_SINCE = (("x-amz-date", "x-amz-expires"), ("x-goog-date", "x-goog-expires"))


def is_signed(url: str) -> bool:
    """Return whether a URL has a signature in its query: of S3, CloudFront, Google, Azure, ours.

    Example:
        >>> is_signed("https://acme.s3.amazonaws.com/a?X-Amz-Signature=1f"), is_signed("/media/a")
        (True, False)
    """
    return _SIGNATURE.search(url) is not None


def sets_headers(url: str) -> bool:
    """Return whether a URL says which ``Content-Disposition`` its server is to send.

    Of CloudFront it is not known: a distribution passes on what it was told to.

    Example:
        >>> sets_headers("https://acme.s3.amazonaws.com/a?response-content-disposition=inline")
        True
    """
    return _HEADERS.search(url) is not None and "Key-Pair-Id=" not in url


def seconds_left(url: str) -> Optional[int]:
    """Return for how many seconds a signed URL is valid, ``None`` if it does not say so.

    Example:
        >>> seconds_left("/a?expires=0&signature=1f")
        0
    """
    query = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    with suppress(ValueError):
        for start, life in _SINCE:
            if start in query and life in query:
                began = timegm(strptime(query[start], "%Y%m%dT%H%M%SZ"))
                return max(0, began + int(query[life]) - int(time()))
        if "expires" in query:  # of CloudFront, of Google's older ones, and of this package
            return max(0, int(query["expires"]) - int(time()))
        if "se" in query:  # Azure
            return max(0, timegm(strptime(query["se"], "%Y-%m-%dT%H:%M:%SZ")) - int(time()))
    return None
