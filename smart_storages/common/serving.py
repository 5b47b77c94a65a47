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

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import http_date

from smart_storages.common.streaming import stream

__all__ = [
    "Content",
    "attachment",
    "describe",
    "has_version",
    "may_run",
    "respond",
    "type_of_upload",
]

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
#: Types that a browser runs by themselves, whatever a file is called.
_RUN = re.compile(r".*(html|script|wasm|flash|mixed-replace)|.*[/+](xml|xsl)")
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
        size: Its size in bytes; ``None`` if it is only known at the end, as of content that is
            decompressed on the way. Then there are no ranges, and the ETag is a weak one.
        etag: Its ETag, without quotes; empty if it has none.
        saved: When it was saved, in seconds since 1970; ``None`` if that is not known.
        open: Returns it, open for reading.
        content_type: The type that it was saved with, ``None`` to guess it from the name.
        headers: More headers of the answer.
        cache_control: How long a browser may keep it.
        is_public: Whether anybody may read it: then pages may use it as a script or style sheet.
        open_part: Returns it, open for reading at a position, given that position and how many
            bytes of it are wanted; without it, ``open`` and a seek are used.
    """

    name: str
    size: Optional[int]
    etag: str
    saved: Optional[int]
    open: Callable[[], Any]
    content_type: Optional[str] = None
    headers: Mapping[str, str] = {}
    cache_control: str = "private, no-cache"
    is_public: bool = False
    open_part: Optional[Callable[[int, int], Any]] = None


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
    etag = _etag_of(content)
    response = get_conditional_response(request, etag=etag, last_modified=content.saved)
    if response is None:
        response = _answer(request, content, etag)
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
    response["Accept-Ranges"] = "none" if content.size is None else "bytes"
    if content.saved is not None:
        response["Last-Modified"] = http_date(content.saved)
    if etag:
        response["ETag"] = etag
    return response


def _etag_of(content: Content) -> Optional[str]:
    if not content.etag:
        return None
    return f'W/"{content.etag}"' if content.size is None else f'"{content.etag}"'


def _set(response: Any, header: str, value: str) -> None:
    if value.isprintable():  # Django refuses a line break, with an error
        response[header] = value


def _answer(request: Any, content: Content, etag: Optional[str]) -> Any:
    size = content.size
    if request.method == "HEAD":
        response = HttpResponse()
        if size is not None:
            response["Content-Length"] = str(size)
        return response
    wanted = None if size is None else _wanted_range(request, size, content.saved, etag)
    if wanted is None:
        return _stream(request, content.open(), size)
    start, length = wanted
    if length < 1:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{size}"
        return response
    response = _stream(request, _open_part(content, start, length), length)
    response.status_code = 206
    response["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    response["Content-Encoding"] = "identity"  # keeps GZipMiddleware from compressing the part
    return response


def _wanted_range(
    request: Any, size: int, saved: Optional[int], etag: Optional[str]
) -> Optional[Tuple[int, int]]:
    """Return the first byte and the number of bytes that a request asks for.

    ``None`` for the whole file, which is also a valid answer to several ranges. If the file has no
    such bytes, the number is 0.
    """
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if asked is None or asked.group(0) == "bytes=-" or not _is_version(request, saved, etag):
        return None
    first, last = (int(each) if each else None for each in asked.groups())
    if first is None:
        first, last = max(0, size - (last or 0)), size - 1
    elif last is not None and last < first:
        return None
    last = size - 1 if last is None else min(last, size - 1)
    return first, max(0, last - first + 1)


def has_version(request: Any, content: Content) -> bool:
    """Return whether a file is the version that the ``If-Range`` of a request names, if any."""
    return _is_version(request, content.saved, _etag_of(content))


def _is_version(request: Any, saved: Optional[int], etag: Optional[str]) -> bool:
    version = request.headers.get("If-Range")
    return version is None or version in (etag, None if saved is None else http_date(saved))


def _open_part(content: Content, start: int, length: int) -> Any:
    if content.open_part is not None:
        return content.open_part(start, length)
    file = content.open()
    if start:
        file.seek(start)
    return file


def _stream(request: Any, file: Any, length: Optional[int]) -> Any:
    response = StreamingHttpResponse(stream(request, file, length))
    if length is not None:
        response["Content-Length"] = str(length)
    return response


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
    guessed, packed = _guess_type(name)
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


def attachment(name: str) -> str:
    """Return the disposition with which a browser saves a file under a name.

    Example:
        >>> attachment("reports/July.pdf"), attachment("é.pdf")
        ('attachment; filename="July.pdf"', "attachment; filename*=UTF-8''%C3%A9.pdf")

    Source: RFC 6266, https://www.rfc-editor.org/rfc/rfc6266
    """
    return f"attachment; {_filename(name)}"


def may_run(name: str) -> bool:
    """Return whether a browser could run a file with such a name: HTML, SVG, XML, a script.

    Example:
        >>> may_run("a.svg"), may_run("a.html.gz"), may_run("a.png"), may_run("a")
        (True, True, False, False)
    """
    # A compressed one too: with a Content-Encoding, a browser decompresses and runs it.
    kind = _guess_type(name)[0]
    if kind is None:
        return False
    return kind == "image/svg+xml" or _ACTIVE.match(kind) is not None


def type_of_upload(name: str, claimed: str) -> str:
    """Return the type with which an upload is stored: the claimed one, unless it is another's.

    Args:
        name: Its name.
        claimed: The type that a browser claims. Of one that a browser runs, the name must say the
            same.

    Example:
        >>> type_of_upload("a.png", "text/html"), type_of_upload("a", "image/png")
        ('image/png', 'image/png')
    """
    kind = claimed.partition(";")[0].strip().lower()
    guessed = _guess_type(name)[0] or _UNKNOWN
    return claimed if kind == guessed or not _RUN.fullmatch(kind) else guessed


def _guess_type(name: str) -> Tuple[Optional[str], Optional[str]]:
    # As a path: "ab:a.png?b.html" is the URL of an image to mimetypes.
    return mimetypes.guess_type(f"./{name}")


def _filename(name: str) -> str:
    name = posixpath.basename(name)
    if re.fullmatch(r"[\w. ()+-]+", name, re.ASCII):
        return f'filename="{name}"'
    return f"filename*=UTF-8''{quote(name, errors='replace')}"
