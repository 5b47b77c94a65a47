"""The view behind the signed URL of a local copy; it does what S3 does for a transferred file.

Local copies are uploads of users, but are served from the origin of the application, so none of
them may be run there as a script.
"""

from __future__ import annotations

import posixpath
from typing import Any, Dict

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_safe

from smart_storages import tenancy
from smart_storages.common.documentation import plain_text
from smart_storages.common.serving import Content, respond
from smart_storages.exceptions import TransferError
from smart_storages.queued import ledger, listing, registry
from smart_storages.queued.serving import urls_of_copies

__all__ = ["serve"]

_MAX_LOOKUPS = 5
_REFUSED = "This link is not valid, or has expired."
_MOST_SECONDS = 7 * 24 * 3600  # the longest life of a signed URL of S3


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
        raise Http404(plain_text(error)) from error
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
    file = local.open(row.local_name, "rb")
    content = Content(
        name=link.name,
        size=row.size,
        etag=row.md5,
        saved=int(row.saved_at.timestamp()),
        open=lambda: file,
    )
    response = respond(request, content, link.parameters)
    if not response.streaming:
        file.close()
    return response
