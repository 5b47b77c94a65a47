"""Turns answers of Google Cloud Storage into the errors of a store and of this package."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Dict, NoReturn, Optional, Tuple

from smart_storages.exceptions import (
    AccessDeniedError,
    AclNotSupportedError,
    BucketNotFoundError,
    S3Error,
    ThrottledError,
    UnreachableError,
)

__all__ = ["DoubtfulConflictError", "denied", "raise_for", "strange_answer"]

_DENIED = (401, 403)
_MISSING = 404
_CHANGED = 412
_THROTTLED = (429, 503)

_is_reason = re.compile(r"[A-Za-z][A-Za-z0-9]{1,63}\Z").match


class DoubtfulConflictError(FileExistsError):
    """The key is taken, perhaps by an earlier try of the same write, whose answer was lost."""


def denied(kind: str) -> S3Error:
    """Return the error for credentials that are refused before a request is sent."""
    return AccessDeniedError(f"Google gave no token for the credentials ({kind}). Check them.")


def strange_answer() -> S3Error:
    """Return the error for an answer that is none of Google Cloud Storage."""
    return UnreachableError(
        "What answered was not Google Cloud Storage. Check endpoint_url, and whether a proxy is in "
        "between."
    )


def raise_for(
    status: int, content: bytes, *, is_of_bucket: bool = False, is_doubtful: bool = False
) -> NoReturn:
    """Raise the error that an answer describes; none of them shows a credential.

    Args:
        status: The HTTP status, 0 if there was no answer.
        content: The body: JSON, or a line of text from a download; without an answer, the name of
            the error.
        is_of_bucket: Whether the request was for the bucket, and not for an object.
        is_doubtful: Whether it was sent before, and not answered.

    Raises:
        FileNotFoundError: there is no such object.
        FileExistsError: the object is not the one that the request is for.
        S3Error: anything else.
    """
    text, reason = _describe(content)
    if status in (_MISSING, _CHANGED) and text.lstrip().startswith("<"):
        raise strange_answer()  # a page, of a proxy or of another address of Google
    # Both are "notFound": only the text tells one from the other.
    if status == _MISSING and not is_of_bucket and "bucket does not exist" not in text.lower():
        raise FileNotFoundError(reason)
    if status == _CHANGED:
        raise DoubtfulConflictError(reason) if is_doubtful else FileExistsError(reason)
    kind, what = _choose(status, text, reason)
    made: S3Error = kind(what, status=status or None, code=reason)
    raise made


def _choose(status: int, text: str, reason: Optional[str]) -> Tuple[Any, str]:
    if status == 0:
        what = f"Google Cloud Storage did not answer ({text}). Check the network."
        return UnreachableError, what
    if status == _MISSING:
        return BucketNotFoundError, "There is no such bucket. Create it."
    if "uniform bucket-level access" in text.lower():
        return AclNotSupportedError, (
            "The bucket has uniform bucket-level access: no file there has an ACL of its own. Set "
            "default_acl to None and querystring_auth to False, and let allUsers read the bucket."
        )
    if status in _DENIED:
        return AccessDeniedError, "Google refused the request: the credentials may not do this."
    if status in _THROTTLED:
        return ThrottledError, "Google asked to slow down, also after the last try."
    return S3Error, f"Google Cloud Storage refused the request: {reason or status}."


def _describe(content: bytes) -> Tuple[str, Optional[str]]:
    with suppress(ValueError, LookupError, TypeError):
        error: Dict[str, Any] = json.loads(content)["error"]
        reason = str(error["errors"][0]["reason"])
        return str(error["message"]), reason if _is_reason(reason) else None
    return content[:1000].decode("utf-8", "replace"), None
