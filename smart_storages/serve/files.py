"""A view's answer with a file: a redirect to a signed URL, its bytes, or an order to nginx."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Dict, NamedTuple, Optional
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.http import Http404, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.cache import patch_vary_headers

from smart_storages.common.names import check_name
from smart_storages.common.serving import attachment, describe, has_version, may_run, respond
from smart_storages.common.signed_urls import is_signed, seconds_left, sets_headers
from smart_storages.serve.sources import find_content, find_path, holder_of
from smart_storages.serve.urls import url_of

__all__ = ["METHODS", "aserve_file", "serve_file"]

#: The ways to serve a file.
METHODS = ("redirect", "stream", "x-accel-redirect", "x-sendfile")

#: The longest life of a signed URL of S3, in seconds.
_LONGEST = 7 * 24 * 3600


class _Wanted(NamedTuple):
    """Which file is to be served, and how."""

    storage: Any
    name: str
    shown: str  # the name that a browser gets
    expire: Optional[int]
    parameters: Dict[str, str]
    cache_control: Optional[str]
    location: str


def serve_file(
    request: Any,
    file: Any,
    *,
    storage: Any = None,
    method: Optional[str] = None,
    expire: Optional[int] = None,
    download: bool = False,
    filename: Optional[str] = None,
    content_type: Optional[str] = None,
    cache_control: Optional[str] = None,
    location: str = "/smart-storages/",
) -> Any:
    """Return the answer of a view with a file. Call it after your own check of permissions.

    Args:
        request: A GET or HEAD; any other method is answered with 405.
        file: The value of a file field; or a name, with ``storage``.
        storage: The storage, if ``file`` is a name.
        method: ``"redirect"`` to the signed URL; ``"stream"`` to send the bytes from here, with
            ranges and conditions; ``"x-accel-redirect"`` to have nginx send them, and
            ``"x-sendfile"`` Apache with mod_xsendfile. By default a redirect if the URLs of the
            storage are signed, else a stream. A file that the web server cannot reach is streamed.
        expire: Seconds for which a signed URL is valid, as many as the storage says if ``None``.
        download: Whether a browser is to save the file in place of showing it. Types that a
            browser would run (HTML, SVG, XML, scripts) are always saved.
        filename: The name under which a browser saves the file.
        content_type: The type to send, that with which the file was saved if ``None``.
        cache_control: How long a browser may keep it: ``"private, no-cache"`` by default, of a
            redirect half of what the URL is valid.
        location: What the address of an ``internal`` location of nginx begins with; see
            ``docs/serving.md``.

    Raises:
        Http404: there is no such file. With a redirect S3 itself says so: it is not asked before.
        ValueError: an argument is not valid, or the file is an upload that is not saved yet.

    Example::

        @login_required
        def source(request, pk):
            article = get_object_or_404(Article.objects.visible_to(request.user), pk=pk)
            return serve_file(request, article.source, expire=300)
    """
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    _check(method, expire, location)
    storage, name = _take(file, storage)
    parameters: Dict[str, str] = {}
    if content_type is not None:
        parameters["ResponseContentType"] = content_type
    shown = filename or name
    if download or filename or may_run(name):
        saved = download or may_run(name) or may_run(shown)
        parameters["ResponseContentDisposition"] = (
            attachment(shown) if saved else describe(shown, parameters)[1]
        )
    wanted = _Wanted(storage, name, shown, expire, parameters, cache_control, location)
    if method in (None, "redirect"):
        response = _redirect(request, wanted, is_asked=method is not None)
        if response is not None:
            return response
    try:
        if method == "x-accel-redirect":
            response = _accelerate(request, wanted)
        elif method == "x-sendfile":
            response = _send_path(wanted)
        else:
            response = None
        return response or _stream(request, wanted)
    except FileNotFoundError as error:
        raise Http404(f"There is no file {name!r}.") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise Http404(f"{name!r} is not a file.") from error


async def aserve_file(request: Any, file: Any, **options: Any) -> Any:
    """Return the answer of an async view with a file; what is asked of a storage waits in a thread.

    Args:
        request: As for :func:`serve_file`.
        file: As for :func:`serve_file`.
        options: As for :func:`serve_file`.

    Example::

        async def source(request, pk):
            article = await Article.objects.aget(pk=pk, owner=await request.auser())
            return await aserve_file(request, article.source, method="stream")
    """
    return await sync_to_async(serve_file)(request, file, **options)


def _check(method: Optional[str], expire: Any, location: str) -> None:
    if method is not None and method not in METHODS:
        raise ValueError(f"serve_file: method must be one of {', '.join(METHODS)}, not {method!r}.")
    is_number = isinstance(expire, (int, float)) and not isinstance(expire, bool)
    if expire is not None and not (is_number and 0 < expire <= _LONGEST):
        raise ValueError(
            f"serve_file: expire must be a number of seconds from 1 to {_LONGEST} (7 days), not "
            f"{expire!r}."
        )
    if not (location.startswith("/") and location.endswith("/")):
        raise ValueError(
            f"serve_file: location must begin and end with a slash, as '/smart-storages/' does, "
            f"not {location!r}."
        )


def _take(file: Any, storage: Any) -> Any:
    if storage is not None:
        name = file
        if name:
            check_name(str(name))  # also where a redirect asks no storage for the file
    else:
        if isinstance(file, str):
            raise ValueError(f"serve_file: {file!r} is a name; pass its storage=... as well.")
        if not file:
            raise Http404("There is no file.")
        if not getattr(file, "_committed", True):
            # A stored file of that name would be another one.
            raise ValueError(f"serve_file: {file.name!r} is not saved yet. Save its row first.")
        storage, name = file.storage, file.name
    if not name:
        raise Http404("There is no file.")
    return storage, str(name)


# A redirect


def _redirect(request: Any, wanted: _Wanted, *, is_asked: bool) -> Optional[HttpResponse]:
    """Return a redirect; ``None`` if it was not asked for, and the URL is not a signed one."""
    try:
        url = url_of(
            wanted.storage,
            wanted.name,
            expire=wanted.expire,
            parameters=wanted.parameters,
            http_method="HEAD" if request.method == "HEAD" else None,
        )
    except (NotImplementedError, ValueError):  # a storage whose files have no URL
        if is_asked:
            raise
        return None
    except FileNotFoundError as error:
        raise Http404(f"There is no file {wanted.name!r}.") from error
    if not is_asked and not is_signed(url):
        return None
    response = HttpResponseRedirect(url)
    # Half of its life: who follows it at the last moment has the rest to begin a download.
    left = seconds_left(url)
    usual = f"private, max-age={left // 2}" if left and left > 1 else "private, no-store"
    response["Cache-Control"] = wanted.cache_control or usual
    response["Referrer-Policy"] = "no-referrer"
    # Who logs in after somebody else has another cookie or token, and must not find their redirect.
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response


# From here


def _stream(request: Any, wanted: _Wanted) -> Any:
    seen: Any = None
    while True:
        holder = holder_of(wanted.storage, wanted.name)
        try:
            content, file = find_content(request, *holder)
            break
        except FileNotFoundError:
            # A queue may have transferred it since it was asked where the file is.
            if holder == seen:
                raise
            seen = holder
    content = content._replace(name=wanted.shown)
    if wanted.cache_control:
        content = content._replace(cache_control=wanted.cache_control)
    try:
        response = respond(request, content, wanted.parameters)
    except BaseException:
        file.close()
        raise
    if not response.streaming:
        file.close()
    return response


# By the web server


def _accelerate(request: Any, wanted: _Wanted) -> Optional[HttpResponse]:
    holder = holder_of(wanted.storage, wanted.name)
    path = find_path(*holder)
    if path is not None:
        response = _describe_only(wanted)
        response["X-Accel-Redirect"] = f"{wanted.location}files/{quote(path[1])}"
        return response
    # The type with which it was saved may be one that a browser runs, and it is served from the
    # address of the site: so the URL says which type S3 is to send.
    response = _describe_only(wanted)
    parameters = {
        "ResponseContentType": response["Content-Type"],
        "ResponseContentDisposition": response["Content-Disposition"],
    }
    # Before there is a URL: Django's debug page would show it, if this failed.
    asked = _range_of(request, holder)
    url = ""
    with suppress(NotImplementedError, ValueError):
        url = url_of(
            wanted.storage,
            wanted.name,
            expire=wanted.expire,
            parameters=parameters,
            http_method="HEAD" if request.method == "HEAD" else None,
        )
    if not (url.startswith(("http://", "https://")) and is_signed(url) and sets_headers(url)):
        return None
    response["X-Accel-Redirect"] = f"{wanted.location}object"
    response["X-Object-URL"] = url
    response["X-Object-Range"] = asked
    del response["Content-Disposition"]  # the bucket sends it, and nginx would send it twice
    return response


def _range_of(request: Any, holder: Any) -> str:
    """Return the range that the bucket is to send, empty for the whole file."""
    asked = str(request.headers.get("Range", ""))
    if not asked or "If-Range" not in request.headers:
        return asked
    # Not every server of S3 reads If-Range: the rest of another version would be sent.
    content, file = find_content(request, *holder)
    file.close()
    return asked if has_version(request, content) else ""


def _send_path(wanted: _Wanted) -> Optional[HttpResponse]:
    found = find_path(*holder_of(wanted.storage, wanted.name))
    path = os.path.join(*found) if found else ""
    if not path.isprintable() or not path:  # a line break would end the header
        return None
    response = _describe_only(wanted)
    # mod_xsendfile 0.12 takes it as it is, in bytes: Latin-1 is how WSGI carries these.
    response["X-Sendfile"] = path.encode().decode("latin-1")
    return response


def _describe_only(wanted: _Wanted) -> HttpResponse:
    kind, disposition, is_shown = describe(wanted.shown, wanted.parameters)
    response = HttpResponse(content_type=kind)
    response["Content-Disposition"] = disposition
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = wanted.cache_control or "private, no-cache"
    if not is_shown:
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
