"""The view behind the signed URL of a local copy; it does what S3 does for a transferred file.

Local copies are uploads of users, but are served from the origin of the application, so none of
them may be run there as a script.
"""

from __future__ import annotations

import mimetypes
import posixpath
import re
from typing import Any, Dict, Mapping, Tuple
from urllib.parse import quote

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpResponse, HttpResponseRedirect
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from smart_storages import tenancy
from smart_storages.exceptions import TransferError
from smart_storages.queued import ledger, listing, registry
from smart_storages.queued.serving import urls_of_copies

__all__ = ["serve"]

_MAX_LOOKUPS = 5
_REFUSED = "This link is not valid, or has expired."
_MOST_SECONDS = 7 * 24 * 3600  # the longest life of a signed URL of S3

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
_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
#: Parameters of S3 whose values become headers unchanged.
_HEADERS = {
    "ResponseCacheControl": "Cache-Control",
    "ResponseContentLanguage": "Content-Language",
}


@require_safe
def serve(request: Any, token: str, filename: str) -> Any:
    """Serve the local copy of a file; redirect to the remote once the file is there.

    Args:
        request: A GET or a HEAD; conditional headers and a single range are supported.
        token: From ``url()`` of a queued storage.
        filename: The last part of the file's name, for the browser.

    Raises:
        PermissionDenied: The token is forged, altered or expired.
        Http404: The file was deleted, or its local copy is on another host.
    """
    link = urls_of_copies.read(token)
    if link is None or posixpath.basename(link.name) != filename:
        raise PermissionDenied(_REFUSED)
    if link.method == "HEAD" and request.method != "HEAD":
        raise PermissionDenied("This link is for HEAD only.")
    # Whoever has the link may have the file, as with S3; so the tenant and region are those that
    # it was made for.
    with tenancy.use_tenant(link.tenant), tenancy.use_region(link.region):
        if not link.is_ours:
            raise PermissionDenied(_REFUSED)
        return _answer(request, link)


#: The token is the permission: LoginRequiredMiddleware of Django 5.1 asks for no login.
serve.login_required = False  # type: ignore[attr-defined]


def _answer(request: Any, link: urls_of_copies.Link) -> Any:
    try:
        storage = registry.find_storage(link.storage)
    except TransferError as error:
        raise Http404(str(error)) from error
    seen: Any = None
    for _ in range(_MAX_LOOKUPS):
        row = ledger.find(link.storage, listing.clean(link.name))
        if row is not None and not row.is_live:
            break
        if row is None or not row.is_local:
            return _redirect(request, link, storage.remote, (row and row.remote_name) or link.name)
        if row.local_name == seen:
            break
        seen = row.local_name
        try:
            return _give(request, link, storage.local, row)
        except FileNotFoundError:  # it may have been transferred since the ledger was asked
            continue
    raise Http404("There is no such file, or not on this host.")


def _redirect(request: Any, link: urls_of_copies.Link, remote: Any, name: str) -> HttpResponse:
    options: Dict[str, Any] = {"expire": max(1, min(link.seconds_left, _MOST_SECONDS))}
    if link.parameters:
        options["parameters"] = link.parameters
    if request.method == "HEAD":
        options["http_method"] = "HEAD"
    try:
        url = remote.url(name, **options)
    except TypeError:  # the parameters are those of S3
        url = remote.url(name)
    response = HttpResponseRedirect(url)
    response["Cache-Control"] = "private, no-store"
    return response


def _give(request: Any, link: urls_of_copies.Link, local: Any, row: Any) -> Any:
    etag, saved = f'"{row.md5}"', int(row.saved_at.timestamp())
    response = get_conditional_response(request, etag=etag, last_modified=saved)
    if response is None:
        start, length = _wanted_range(request, row.size, (etag, http_date(saved)))
        if length < 0:
            response = HttpResponse(status=416)
            response["Content-Range"] = f"bytes */{row.size}"
        else:
            response = _stream(local, row, start, length)
    kind, disposition, is_shown = describe(link.name, link.parameters)
    response["Content-Type"] = kind
    response["Content-Disposition"] = disposition
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    if not is_shown:
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-cache"
    for parameter, header in _HEADERS.items():
        if parameter in link.parameters:
            response[header] = link.parameters[parameter]
    response["Accept-Ranges"] = "bytes"
    response["Last-Modified"] = http_date(saved)
    response["ETag"] = etag
    return response


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


def _stream(local: Any, row: Any, start: int, length: int) -> Any:
    content = local.open(row.local_name, "rb")
    if start:
        content.seek(start)
    is_part = length < row.size
    response = FileResponse(_Part(content, length), status=206 if is_part else 200)
    response["Content-Length"] = str(length)
    if is_part:
        response["Content-Range"] = f"bytes {start}-{start + length - 1}/{row.size}"
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


def describe(name: str, parameters: Mapping[str, str]) -> Tuple[str, str, bool]:
    """Return the type and the disposition of a file, and whether a browser may show it.

    Example:
        >>> describe("a.png", {})
        ('image/png', 'inline; filename="a.png"', True)
        >>> describe("a.html", {})
        ('application/octet-stream', 'attachment; filename="a.html"', False)
    """
    guessed, packed = mimetypes.guess_type(name)
    if packed:
        guessed = _PACKED.get(packed)
    given = parameters.get("ResponseContentType") or guessed or _UNKNOWN
    kind = given.partition(";")[0].strip().lower()
    if not _TYPE.fullmatch(kind) or _ACTIVE.match(kind):
        given = kind = _UNKNOWN
    is_shown = kind in _INLINE
    asked = parameters.get("ResponseContentDisposition", "")
    if asked and (is_shown or asked.strip().lower().startswith("attachment")):
        return given, asked, is_shown
    return given, f"{'inline' if is_shown else 'attachment'}; {_filename(name)}", is_shown


def _filename(name: str) -> str:
    name = posixpath.basename(name)
    if re.fullmatch(r"[\w. ()+-]+", name, re.ASCII):
        return f'filename="{name}"'
    return f"filename*=UTF-8''{quote(name)}"
