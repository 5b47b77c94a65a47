"""Answers with a file that is not served by its bucket: conditional, with ranges, and safe.

The files are uploads of users, but they are served from the origin of the application, so none of
them may be run there as a script.
"""

from __future__ import annotations

import mimetypes
import posixpath
import re
from typing import Any, Callable, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import quote

from django.http import FileResponse, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import http_date

__all__ = ["Content", "describe", "respond"]

#: Types that a browser may display: it runs no scripts in them.
_INLINE = frozenset(
    [
        "application/pdf", "audio/aac", "audio/flac", "audio/mp4", "audio/mpeg", "audio/ogg",
        "audio/wav", "audio/webm", "audio/x-wav", "image/avif", "image/bmp", "image/gif",
        "image/jpeg", "image/png", "image/tiff", "image/webp", "text/plain", "video/mp4",
        "video/mpeg", "video/ogg", "video/quicktime", "video/webm",
    ]
)  # fmt: skip
#: Types that a browser could run, or that a page could use as a script or style sheet.
_ACTIVE = re.compile(r"text/(?!csv$|plain$)|.*(script|html|wasm|flash)|(?!image/).*[/+]xml$")
_UNKNOWN = "application/octet-stream"
#: With its parameters; a comma would begin another type.
_WHOLE_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(\s*;\s*[\w-]+=([\w.+-]+|\"[\w .+-]*\"))*", re.ASCII)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
#: What a page takes from a public file; neither can be opened as a page.
_OF_PAGES = frozenset(
    [
        "application/javascript", "application/json", "text/css", "text/javascript",
    ]
)  # fmt: skip
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
#: Parameters of S3 whose values become headers unchanged.
_HEADERS = {
    "ResponseCacheControl": "Cache-Control",
    "ResponseContentLanguage": "Content-Language",
}


class Content(NamedTuple):
    """A file that is to be served.

    Args:
        name: Its name; the last part is what a browser calls it.
        size: Its size in bytes.
        etag: Its ETag, without quotes.
        saved: When it was saved, in seconds since 1970.
        open: Returns it, open for reading.
        content_type: The type that it was saved with, ``None`` to guess it from the name.
        headers: More headers of the answer.
        cache_control: How long a browser may keep it.
        is_public: Whether anybody may read it: then pages may use it as a script or style sheet.
    """

    name: str
    size: int
    etag: str
    saved: int
    open: Callable[[], Any]
    content_type: Optional[str] = None
    headers: Mapping[str, str] = {}
    cache_control: str = "private, no-cache"
    is_public: bool = False


def respond(request: Any, content: Content, parameters: Mapping[str, str]) -> Any:
    """Return the answer to a GET or HEAD; conditional headers and a single range are supported.

    Args:
        request: The request.
        content: The file.
        parameters: Parameters of boto3's ``get_object`` that change headers of the answer:
            ``ResponseContentDisposition`` and the like.

    Raises:
        FileNotFoundError: there is no such file any more.
    """
    etag = f'"{content.etag}"'
    response = get_conditional_response(request, etag=etag, last_modified=content.saved)
    if response is None:
        versions = (etag, http_date(content.saved))
        start, length = _wanted_range(request, content.size, versions)
        if length < 0:
            response = HttpResponse(status=416)
            response["Content-Range"] = f"bytes */{content.size}"
        else:
            response = _stream(content, start, length)
    stored = content.headers.get("Content-Disposition", "")
    kind, disposition, is_shown = describe(
        content.name,
        {"ResponseContentDisposition": stored, **parameters},
        content.content_type,
        content.is_public,
    )
    for header, value in content.headers.items():
        _set(response, header, value)
    response["Content-Type"] = kind
    response["Content-Disposition"] = disposition
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    if not is_shown:
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    _set(response, "Cache-Control", content.cache_control)
    for parameter, header in _HEADERS.items():
        if parameter in parameters:
            _set(response, header, parameters[parameter])
    response["Accept-Ranges"] = "bytes"
    response["Last-Modified"] = http_date(content.saved)
    response["ETag"] = etag
    return response


def _set(response: Any, header: str, value: str) -> None:
    if value.isprintable():  # Django refuses a line break, with an error
        response[header] = value


def _wanted_range(request: Any, size: int, versions: Tuple[str, str]) -> Tuple[int, int]:
    """Return the first byte and the number of bytes; a negative number if the range is invalid."""
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    version = request.headers.get("If-Range", versions[0])
    if asked is None or asked.group(0) == "bytes=-" or version not in versions:
        return 0, size  # also for several ranges, where the whole file is a valid answer
    first, last = (int(each) if each else None for each in asked.groups())
    if first is None:
        first, last = max(0, size - (last or 0)), size - 1
    last = size - 1 if last is None else min(last, size - 1)
    if first >= size:
        return 0, -1
    return (first, last - first + 1) if last >= first else (0, size)


def _stream(content: Content, start: int, length: int) -> Any:
    file = content.open()
    if start:
        file.seek(start)
    is_part = length < content.size
    response = FileResponse(_Part(file, length), status=206 if is_part else 200)
    response["Content-Length"] = str(length)
    if is_part:
        response["Content-Range"] = f"bytes {start}-{start + length - 1}/{content.size}"
        response["Content-Encoding"] = "identity"  # keeps GZipMiddleware from compressing the part
    return response


class _Part:
    """The next ``length`` bytes of a file, to be read once."""

    def __init__(self, content: Any, length: int) -> None:
        self._content = content
        self._left = length
        self.close = content.close

    def read(self, size: int) -> bytes:
        data = bytes(self._content.read(min(size, self._left)))
        self._left -= len(data)
        return data


def describe(
    name: str,
    parameters: Mapping[str, str],
    content_type: Optional[str] = None,
    is_public: bool = False,
) -> Tuple[str, str, bool]:
    """Return the type and the disposition of a file, and whether a browser may show it.

    Args:
        name: Its name.
        parameters: As for :func:`respond`.
        content_type: The type that it was saved with, ``None`` to guess it from the name.
        is_public: Whether anybody may read it: then pages may use it as a script or style sheet.

    Example:
        >>> describe("a.png", {})
        ('image/png', 'inline; filename="a.png"', True)
        >>> describe("a.html", {})
        ('application/octet-stream', 'attachment; filename="a.html"', False)
    """
    guessed, packed = mimetypes.guess_type(name)
    if packed:
        guessed = _PACKED.get(packed)
    guessed = content_type or guessed
    given = parameters.get("ResponseContentType") or guessed or _UNKNOWN
    kind = given.partition(";")[0].strip().lower()
    is_of_pages = is_public and kind in _OF_PAGES
    if not _WHOLE_TYPE.fullmatch(given) or (_ACTIVE.match(kind) and not is_of_pages):
        given = kind = _UNKNOWN
    is_shown = kind in _INLINE
    asked = parameters.get("ResponseContentDisposition", "")
    if (
        asked
        and asked.isprintable()
        and (is_shown or asked.strip().lower().startswith("attachment"))
    ):
        return given, asked, is_shown
    return given, f"{'inline' if is_shown else 'attachment'}; {_filename(name)}", is_shown


def _filename(name: str) -> str:
    name = posixpath.basename(name)
    if re.fullmatch(r"[\w. ()+-]+", name, re.ASCII):
        return f'filename="{name}"'
    return f"filename*=UTF-8''{quote(name)}"
