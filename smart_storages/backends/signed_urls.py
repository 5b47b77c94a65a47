"""URLs of objects that no server of S3 serves: signed with ``SECRET_KEY``, and expiring.

The view behind them is :mod:`smart_storages.local.views`.
"""

from __future__ import annotations

import hmac
import json
from time import time
from typing import Dict, Mapping, NamedTuple, Optional, Union
from urllib.parse import quote, urlencode

from django.urls import NoReverseMatch, reverse

from smart_storages import config

__all__ = [
    "LINE",
    "MODULE",
    "PARAMETERS",
    "PartUpload",
    "Upload",
    "expires_at",
    "has_view",
    "is_valid",
    "make_upload_url",
    "make_url",
]

#: The line that the URLconf needs.
LINE = 'path("buckets/", include("smart_storages.local.urls"))'

#: The parameters of ``get_object`` that change headers of the answer, and their names in a URL.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
PARAMETERS = {
    "ResponseCacheControl": "response-cache-control",
    "ResponseContentDisposition": "response-content-disposition",
    "ResponseContentLanguage": "response-content-language",
    "ResponseContentType": "response-content-type",
}

#: The parameter that names the module whose settings say where the file is.
MODULE = "module"

_UPLOAD = ("size", "type", "overwrite", "public")
_PART = ("upload-id", "part-number", "size", "sha256")
_KNOWN = frozenset({*PARAMETERS.values(), *_UPLOAD, *_PART, MODULE, "expires", "signature"})
_SALT = "url of an object"
_VIEW = "smart_storages_local:object"
#: Where the view stands in the line above; without it no URL works, but making one still does.
_USUAL_PREFIX = "/buckets/"


def make_url(
    bucket: str,
    key: str,
    place: str,
    *,
    base_url: Optional[str] = None,
    expires: Optional[int] = None,
    method: str = "GET",
    parameters: Optional[Mapping[str, str]] = None,
    module: Optional[str] = None,
) -> str:
    """Return the URL of an object.

    Args:
        bucket: Name of the bucket.
        key: Key of the object.
        place: What identifies where the object is; see ``Store.identity``.
        base_url: Where another server serves the files, ``None`` for the view.
        expires: Until when the URL is valid, in seconds since 1970; ``None`` for an unsigned URL.
        method: The HTTP method that it is for.
        parameters: Parameters of ``get_object`` that change headers of the answer.
        module: The module whose settings say where the file is, if nothing else does.
    """
    if base_url is not None:
        return f"{base_url.rstrip('/')}/{_path(bucket, key)}"
    of_module = {} if module is None else {MODULE: module}
    if expires is None:
        query = f"?{urlencode(of_module)}" if of_module else ""
        return f"{_prefix()}{_path(bucket, key)}{query}"
    chosen = {PARAMETERS[name]: value for name, value in (parameters or {}).items()}
    chosen.update(of_module)
    return _signed(bucket, key, place, expires, method, chosen)


def make_upload_url(
    bucket: str,
    key: str,
    place: str,
    *,
    expires: int,
    method: str,
    limits: Union[Upload, PartUpload],
    module: Optional[str] = None,
) -> str:
    """Return the URL to which one file can be uploaded.

    Args:
        bucket: Name of the bucket.
        key: Key of the object.
        place: As for :func:`make_url`.
        expires: Until when the URL is valid, in seconds since 1970.
        method: ``"PUT"`` or ``"POST"``.
        limits: What may be uploaded.
        module: As for :func:`make_url`.
    """
    of_module = {} if module is None else {MODULE: module}
    query = {**limits.to_query(), **of_module}
    return _signed(bucket, key, place, expires, method, query)


class Upload(NamedTuple):
    """What may be uploaded to a URL.

    Args:
        size: Its size in bytes: for a PUT the exact one, for a POST the largest.
        content_type: Its type.
        overwrite: Whether it may replace a file.
        is_public: Whether anybody may read it afterwards.
    """

    size: int
    content_type: str
    overwrite: bool = True
    is_public: bool = False

    def to_query(self) -> Dict[str, str]:
        """Return it as parameters of a URL."""
        return {
            "size": str(self.size),
            "type": self.content_type,
            "overwrite": str(int(self.overwrite)),
            "public": str(int(self.is_public)),
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Upload:
        """Return what the parameters of a URL with a valid signature allow."""
        return cls(
            int(query["size"]), query["type"], query["overwrite"] == "1", query["public"] == "1"
        )


class PartUpload(NamedTuple):
    """One part of an upload, which may be sent to a URL.

    Args:
        upload_id: The identifier of the upload.
        number: The number of the part.
        size: Its exact size in bytes.
        sha256: Its SHA-256 in hexadecimal digits, ``None`` if it may be any.
    """

    upload_id: str
    number: int
    size: int
    sha256: Optional[str] = None

    def to_query(self) -> Dict[str, str]:
        """Return it as parameters of a URL."""
        values = (self.upload_id, str(self.number), str(self.size), self.sha256)
        return {name: value for name, value in zip(_PART, values) if value is not None}

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Optional[PartUpload]:
        """Return the part that a URL with a valid signature is for; ``None`` if it is for a file.

        Example:
            >>> PartUpload.from_query(PartUpload("ab", 1, 5).to_query())
            PartUpload(upload_id='ab', number=1, size=5, sha256=None)
        """
        if _PART[0] not in query:
            return None
        upload_id, number, size, sha256 = (query.get(name, "") for name in _PART)
        return cls(upload_id, int(number), int(size), sha256 or None)


def _path(bucket: str, key: str) -> str:
    return quote(f"{bucket}/{key}", safe="/~")


def _signed(  # noqa: PLR0917
    bucket: str, key: str, place: str, expires: int, method: str, parameters: Dict[str, str]
) -> str:
    text = _as_text(f"{bucket}/{key}", place, expires, method, parameters)
    signature = config.keyed_digest(_SALT, text)
    query = urlencode({**parameters, "expires": expires, "signature": signature})
    return f"{_prefix()}{_path(bucket, key)}?{query}"


def expires_at(life: int, stable_for: int = 0) -> int:
    """Return until when a URL made now is valid, in seconds since 1970.

    Args:
        life: Seconds for which it is valid.
        stable_for: Seconds for which the URL of a file stays the same.
    """
    now = int(time())
    if stable_for:
        now = now // stable_for * stable_for + stable_for
    return now + life


def is_valid(bucket: str, key: str, place: str, *, method: str, query: Mapping[str, str]) -> bool:
    """Return whether a request has a valid signature that has not expired.

    Args:
        bucket: Name of the bucket.
        key: Key of the object.
        place: As for :func:`make_url`.
        method: The HTTP method of the request.
        query: The parameters of the URL.
    """
    given = query.get("signature", "")
    try:
        expires = int(query.get("expires", ""))
    except ValueError:
        return False
    if expires < time() or query["expires"] != str(expires) or not _KNOWN.issuperset(query):
        return False
    # Whatever is in the URL is signed: nothing can be added to it.
    rest = {name: query[name] for name in query if name not in ("expires", "signature")}
    # As S3 does: who may read an object may ask for its headers.
    methods = ["GET", "HEAD"] if method == "HEAD" else [method]
    signed = [_as_text(f"{bucket}/{key}", place, expires, each, rest) for each in methods]
    expected = [digest for text in signed for digest in config.keyed_digests(_SALT, text)]
    return any(hmac.compare_digest(each.encode(), given.encode()) for each in expected)


def _as_text(path: str, place: str, expires: int, method: str, parameters: Dict[str, str]) -> str:
    # As JSON: whatever a part holds, it cannot be taken for two.
    return json.dumps([place, method, path, expires, sorted(parameters.items())])


def _prefix() -> str:
    url = _url_of_view()
    return _USUAL_PREFIX if url is None else url[: -len("bucket/key")]


def has_view() -> bool:
    """Return whether the URLconf has the view."""
    return _url_of_view() is not None


def _url_of_view() -> Optional[str]:
    if not config.has_urlconf():
        return None
    try:
        return reverse(_VIEW, args=["bucket", "key"])
    except NoReverseMatch:
        return None
