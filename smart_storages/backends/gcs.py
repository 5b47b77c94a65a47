"""Objects in a bucket of Google Cloud Storage.

The JSON API: https://cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

import io
from binascii import Error as Base64Error
from binascii import a2b_base64
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple
from urllib.parse import quote

from botocore.compat import MD5_AVAILABLE, get_md5

from smart_storages.backends.gcs_bucket import GoogleBucketMixin
from smart_storages.backends.gcs_errors import DoubtfulConflictError, raise_for, strange_answer
from smart_storages.backends.gcs_requests import Answer, GoogleConnection, path_of
from smart_storages.backends.gcs_signing import signed_form, signed_url, signer_of
from smart_storages.backends.gcs_uploads import PART, upload
from smart_storages.backends.ranges import RangeReader
from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.s3.writing.parameters import WRITE_ID, new_token
from smart_storages.backends.store import Attributes, Found, Store
from smart_storages.exceptions import ContentMismatchError, ObjectChangedError, S3Error

__all__ = ["GoogleStore"]

#: What opens a file is one request for this many bytes: most files are smaller.
_FIRST_READ = 4 * 1024**2

_HEADERS = {
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "content-type": "contentType",
}
#: The parameters of S3's ``get_object`` that change headers of the answer, as far as Google has
#: them. https://cloud.google.com/storage/docs/xml-api/reference-headers#query
_PARAMETERS = {
    "ResponseContentDisposition": "response-content-disposition",
    "ResponseContentType": "response-content-type",
}
_METADATA = "x-goog-meta-"
#: What is asked for of an object; without this, answers are four times as long.
_FIELDS = f"name,size,updated,generation,md5Hash,metadata,{','.join(sorted(_HEADERS.values()))}"
_FIELDS_OF_MANY = f"items({_FIELDS}),prefixes,nextPageToken"
#: Else Google decompresses what is stored compressed, and a part of that cannot be asked for.
#: https://cloud.google.com/storage/docs/transcoding
_AS_STORED = {"Accept-Encoding": "gzip"}
_PARTIAL = 206
_NO_SUCH_RANGE = 416
_LENGTH_OF_MD5 = 32


class GoogleStore(GoogleBucketMixin, Store):
    """The objects of one bucket.

    Args:
        connection: What :func:`smart_storages.backends.gcs_requests.connection_of` returned.
        bucket: Name of the bucket.
        custom_endpoint: URL that leads to the bucket itself, such as that of a CDN, for URLs.
        part: Size of the parts of large uploads in bytes.
        project: The project in which the bucket is made.
    """

    place = "in Google Cloud Storage"
    takes_uploads = False
    takes_forms = True

    def __init__(
        self,
        connection: GoogleConnection,
        bucket: str,
        custom_endpoint: Optional[str] = None,
        part: Optional[int] = None,
        project: Optional[str] = None,
    ) -> None:
        self._connection = connection
        self._bucket = bucket
        self._custom_endpoint = custom_endpoint
        self._part = part or PART
        self._project = project

    def _path(self, key: str) -> str:
        return path_of(self._bucket, key)

    # Writing

    def put(
        self, key: str, chunks: Iterator[bytes], attributes: Attributes, *, overwrite: bool
    ) -> Stat:
        described: Dict[str, Any] = {"name": key}
        described.update({_HEADERS[name]: text for name, text in attributes.headers.items()})
        metadata = {name.lower(): text for name, text in attributes.metadata.items()}
        query: Dict[str, Any] = {"fields": _FIELDS}
        if attributes.is_public:
            query["predefinedAcl"] = "publicRead"
        token = ""
        if not overwrite:
            query["ifGenerationMatch"] = "0"  # there is no object of this name
            token = metadata[WRITE_ID] = new_token()
        if metadata:
            described["metadata"] = metadata
        try:
            found = upload(
                self._connection, self._bucket, described, chunks, query=query, part=self._part
            )
        except DoubtfulConflictError:
            written = self._find_written(key, token)
            if written is None:
                raise
            found = written
        return _from_json(found).stat

    def _find_written(self, key: str, token: str) -> Optional[Dict[str, Any]]:
        """Return what is known of an object, ``None`` if it was not written with this token."""
        with suppress(FileNotFoundError):  # somebody has deleted it meanwhile
            found = self._ask(key)
            if token and (found.get("metadata") or {}).get(WRITE_ID) == token:
                return found
        return None

    def delete(self, key: str) -> None:
        with suppress(FileNotFoundError):
            answer = self._connection.send("DELETE", self._path(key), accepts=(200, 204))
            if answer.content.lstrip().startswith(b"<"):
                raise strange_answer()

    # Reading

    def open(self, key: str) -> Tuple[io.RawIOBase, Found]:
        answer = self._download(key, 0, _FIRST_READ)
        if answer.status == _NO_SUCH_RANGE:
            # It is empty: it has no first byte.
            found = self.find(key)
            return RangeReader(lambda at, count: b"", b"", 0), found
        size = _size_of(answer)
        found = _from_headers(answer.headers, size)
        _compare(answer.content, found.stat)
        generation = answer.headers.get("x-goog-generation")

        def fetch(at: int, count: int) -> bytes:
            try:
                return self._download(key, at, count, generation).content
            except FileNotFoundError:
                what = "The file was replaced or deleted while it was read."
                raise ObjectChangedError(what) from None

        return RangeReader(fetch, answer.content, size), found

    def _download(self, key: str, at: int, count: int, generation: Optional[str] = None) -> Answer:
        answer = self._connection.send(
            "GET",
            f"/download{self._path(key)}",
            {"alt": "media", "generation": generation},
            headers={**_AS_STORED, "Range": f"bytes={at}-{at + count - 1}"},
            accepts=(200, _PARTIAL, _NO_SUCH_RANGE),
        )
        if generation is not None and answer.status != _PARTIAL:
            raise_for(answer.status, answer.content)
        if answer.status == _PARTIAL and not _is_range(answer, at, count):
            raise strange_answer()
        sent = answer.headers.get("Content-Encoding", "identity")
        if answer.headers.get("x-goog-stored-content-encoding", sent) != sent:
            raise _otherwise_than_stored()
        return answer

    def find(self, key: str) -> Found:
        return _from_json(self._ask(key))

    def _ask(self, key: str) -> Dict[str, Any]:
        return self._connection.send("GET", self._path(key), {"fields": _FIELDS}).json()

    def entries(self, prefix: str) -> Iterator[Tuple[str, Stat]]:
        for page in self._pages({"prefix": prefix or None}):
            for each in page.get("items", ()):
                yield each["name"], _from_json(each).stat

    def list_folder(self, prefix: str) -> Tuple[List[str], List[str]]:
        folders: Dict[str, None] = {}
        files: List[str] = []
        for page in self._pages({"prefix": prefix or None, "delimiter": "/"}):
            below = (each[len(prefix) : -1] for each in page.get("prefixes", ()))
            folders.update(dict.fromkeys(below))  # a folder may be in two pages
            names = (each["name"][len(prefix) :] for each in page.get("items", ()))
            files.extend(filter(None, names))
        return list(folders), files

    def _pages(self, query: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
        token = None
        while True:
            asked = {**query, "fields": _FIELDS_OF_MANY, "pageToken": token}
            try:
                page = self._connection.send("GET", path_of(self._bucket), asked).json()
            except FileNotFoundError:
                raise_for(404, b"", is_of_bucket=True)
            yield page
            token = page.get("nextPageToken")
            if not token:
                return

    def is_same(self, key: str, other: Store, other_key: str) -> bool:
        if not isinstance(other, GoogleStore):
            return False
        if (self._bucket, key) != (other._bucket, other_key):
            return False
        if self.identity() == other.identity():
            return True
        try:
            # Google has several addresses. No two versions have one generation.
            return bool(self._ask(key)["generation"] == other._ask(key)["generation"])
        except FileNotFoundError:
            return False

    def identity(self) -> str:
        return f"gcs {self._connection.endpoint}"

    # URLs

    def url(
        self,
        key: str,
        *,
        expires: Optional[int] = None,
        parameters: Optional[Mapping[str, str]] = None,
    ) -> str:
        path = quote(key, safe="/~")
        if self._custom_endpoint:
            return f"{self._custom_endpoint.rstrip('/')}/{path}"
        return f"{self._connection.endpoint}/{self._bucket}/{path}"

    def sign_url(
        self,
        key: str,
        *,
        begins: int,
        expires: int,
        method: str = "GET",
        parameters: Optional[Mapping[str, str]] = None,
    ) -> str:
        unknown = sorted({*(parameters or {})} - {*_PARAMETERS})
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)}: a URL of Google Cloud Storage takes the parameters "
                f"{', '.join(_PARAMETERS)} only."
            )
        changed = {_PARAMETERS[name]: str(value) for name, value in (parameters or {}).items()}
        signer = signer_of(self._connection)
        return signed_url(signer, method, self.url(key), changed, begins, expires - begins)

    def sign_form(
        self,
        key: str,
        *,
        max_size: int,
        content_type: str,
        is_public: bool,
        begins: int,
        expires: int,
    ) -> Dict[str, Any]:
        fields = {"key": key, "Content-Type": content_type}
        if is_public:
            fields["acl"] = "public-read"
        signer = signer_of(self._connection)
        return {
            "url": f"{self._connection.endpoint}/{self._bucket}/",
            "method": "POST",
            "fields": signed_form(signer, self._bucket, fields, max_size, begins, expires - begins),
        }


def _is_range(answer: Answer, at: int, count: int) -> bool:
    span, _, total = answer.headers.get("Content-Range", "").partition("/")
    if not total.isdecimal():
        return False
    end = min(at + count, int(total))
    return span == f"bytes {at}-{end - 1}" and len(answer.content) == end - at


def _size_of(answer: Answer) -> int:
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    if total.isdecimal():
        return int(total)
    stored = answer.headers.get("x-goog-stored-content-length", "")
    if stored.isdecimal() and int(stored) != len(answer.content):
        raise _otherwise_than_stored()
    return len(answer.content)


def _compare(content: bytes, stat: Stat) -> None:
    if not MD5_AVAILABLE or len(content) != stat.size or len(stat.etag) != _LENGTH_OF_MD5:
        return
    if get_md5(content).hexdigest() != stat.etag:
        raise ContentMismatchError("Other bytes came from Google than it keeps. Try again.")


def _otherwise_than_stored() -> S3Error:
    return S3Error("Google sent the file otherwise than it is stored.", code="Transcoded")


def _from_json(found: Mapping[str, Any]) -> Found:
    with suppress(LookupError, TypeError, ValueError):
        return _found(
            size=int(found.get("size", 0)),
            modified=_read_time(found["updated"]),
            md5=found.get("md5Hash"),
            generation=found["generation"],
            headers={header: found[name] for header, name in _HEADERS.items() if found.get(name)},
            metadata=found.get("metadata") or {},
        )
    raise strange_answer()


def _from_headers(headers: Mapping[str, str], size: int) -> Found:
    hashes = (each.strip() for each in headers.get("x-goog-hash", "").split(","))
    skip = len(_METADATA)
    with suppress(LookupError, TypeError, ValueError):
        return _found(
            size=size,
            modified=parsedate_to_datetime(headers["last-modified"]),
            md5=next((each[4:] for each in hashes if each.startswith("md5=")), None),
            generation=headers["x-goog-generation"],
            headers={name: headers[name] for name in _HEADERS if headers.get(name)},
            metadata={
                name[skip:]: _as_text(headers[name])
                for name in headers
                if name.lower().startswith(_METADATA)
            },
        )
    raise strange_answer()


def _found(  # noqa: PLR0917
    size: int,
    modified: datetime,
    md5: Optional[str],
    generation: str,
    headers: Mapping[str, str],
    metadata: Mapping[str, str],
) -> Found:
    own = {name.lower(): text for name, text in metadata.items()}
    own.pop(WRITE_ID, None)
    etag = str(generation)
    if md5:
        # As in S3: two files with one ETag have the same content. Objects that were composed of
        # others have no MD5.
        with suppress(Base64Error):
            etag = a2b_base64(md5).hex()
    stat = Stat(
        size=size,
        modified_time=modified.astimezone(timezone.utc),
        etag=etag,
        content_type=headers.get("content-type"),
        content_encoding=headers.get("content-encoding"),
        metadata=own,
    )
    return Found(stat, Attributes(headers, own))


def _read_time(moment: str) -> datetime:
    # Before Python 3.11, fromisoformat() knows no "Z", and fractions of three or six digits only.
    zone = moment[19:].lstrip(".0123456789").replace("Z", "+00:00")
    return datetime.fromisoformat(moment[:19] + zone)


def _as_text(value: str) -> str:
    with suppress(UnicodeError):
        return value.encode("latin-1").decode()
    return value
