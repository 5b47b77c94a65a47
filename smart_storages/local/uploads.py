"""Takes an upload from a browser, with the answers of S3."""

from __future__ import annotations

import hashlib
from typing import Any, Iterator

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.http.request import UnreadablePostError

from smart_storages.backends.signed_urls import PartUpload, Upload
from smart_storages.backends.store import Attributes, Store

__all__ = ["take", "take_part"]

_CHUNK = 256 * 1024
#: How much larger than its file a form may be: its other fields, and what stands between them.
_MOST_OF_FORM = 64 * 1024


class _RefusedError(Exception):
    """The upload is not what the URL was signed for."""


def take(request: Any, store: Store, key: str, allowed: Upload) -> HttpResponse:
    """Keep an upload, whole or not at all.

    Args:
        request: A PUT with the file as its body; or a POST with a form, whose field ``file`` is it.
        store: Where it is to be kept.
        key: Its key.
        allowed: What the URL was signed for.

    Returns:
        200 or 204; 400 for another size, 412 for a key that is taken.

    Raises:
        PermissionDenied: it has another type, or the form another key.
    """
    attributes = Attributes({"content-type": allowed.content_type}, {}, allowed.is_public)
    try:
        is_form = request.method == "POST"
        chunks = _read_form(request, key, allowed) if is_form else _read_body(request, allowed)
        stat = store.put(key, chunks, attributes, overwrite=allowed.overwrite)
    except (_RefusedError, UnreadablePostError) as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")
    except FileExistsError:
        return HttpResponse("There is such a file.", status=412, content_type="text/plain")
    response = HttpResponse(status=204 if is_form else 200)
    response["ETag"] = f'"{stat.etag}"'
    return response


def take_part(request: Any, store: Store, key: str, allowed: PartUpload) -> HttpResponse:
    """Keep one part of an upload, whole or not at all.

    Args:
        request: A PUT with the part as its body.
        store: Where it is to be kept.
        key: The key of the object that it is a part of.
        allowed: What the URL was signed for.

    Returns:
        200; 400 for another size or other bytes, 404 for an upload that does not exist.
    """
    uploads = store.uploads()
    try:
        if uploads is None:
            raise FileNotFoundError(key)
        chunks = _read_part(request, allowed)
        part = uploads.put_part(key, allowed.upload_id, allowed.number, chunks)
    except (_RefusedError, UnreadablePostError) as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")
    except FileNotFoundError:
        return HttpResponse("There is no such upload.", status=404, content_type="text/plain")
    response = HttpResponse()
    response["ETag"] = f'"{part.etag}"'
    return response


def _read_part(request: Any, allowed: PartUpload) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for chunk in _read_exactly(request, allowed.size, "part"):
        digest.update(chunk)
        yield chunk
    if allowed.sha256 not in (None, digest.hexdigest()):
        raise _RefusedError("The part has another SHA-256 than its URL was signed for.")


def _read_body(request: Any, allowed: Upload) -> Iterator[bytes]:
    _require_type(request.headers.get("Content-Type"), allowed)
    yield from _read_exactly(request, allowed.size, "file")


def _read_exactly(request: Any, size: int, what: str) -> Iterator[bytes]:
    missing = size
    if _length_of(request) != missing:
        raise _RefusedError(f"The {what} must have {size} bytes.")
    while missing:
        chunk = request.read(min(_CHUNK, missing))
        if not chunk:
            raise _RefusedError(f"The {what} ends too early.")
        missing -= len(chunk)
        yield chunk


def _read_form(request: Any, key: str, allowed: Upload) -> Iterator[bytes]:
    # Before the form is read: somebody may send any number of bytes.
    if _length_of(request) > allowed.size + _MOST_OF_FORM:
        raise _RefusedError(f"The file must not have more than {allowed.size} bytes.")
    if request.POST.get("key") != key:
        raise PermissionDenied("The form is for another file.")
    _require_type(request.POST.get("Content-Type"), allowed)
    file = request.FILES.get("file")
    if file is None:
        raise _RefusedError("The form has no field 'file'.")
    if file.size > allowed.size:
        raise _RefusedError(f"The file must not have more than {allowed.size} bytes.")
    yield from file.chunks()


def _require_type(given: Any, allowed: Upload) -> None:
    if given != allowed.content_type:
        raise PermissionDenied("The upload has another type than the URL was signed for.")


def _length_of(request: Any) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or -1)
    except ValueError:
        return -1
