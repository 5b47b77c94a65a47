"""Steps on the URLs of files that are not in S3, asked for as a browser does."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Dict, Iterator, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import urllib3
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import Resolver404, resolve

from smart_storages.backends import signed_urls
from smart_storages.exceptions import ConfigurationError
from smart_storages.management.checking.findings import FaultError, NotApplicableError
from smart_storages.management.checking.probe import BODY, TIMEOUT, require_writing
from smart_storages.management.checking.stores import StoreProbe
from smart_storages.management.places import PRIVATE, PUBLIC

__all__ = ["check_strangers_reading", "check_upload_url", "check_url"]

_ELSEWHERE = "another server than this site serves it"
_FINE = 200
_REFUSED, _MISSING = 403, 404
#: Parameters of URLs that hold the signature: of the view, of Azure, and of Google.
_SIGNATURES = ("signature", "sig", "X-Goog-Signature")


class _Answer(NamedTuple):
    status: int
    body: bytes


def _ask(probe: StoreProbe, url: str, method: str = "GET", **more: Any) -> _Answer:
    """Ask for a URL without credentials: over the network, or of the view of this site."""
    if urlsplit(url).netloc:
        return _ask_server(url)
    if not probe.store.signs_urls:
        raise NotApplicableError(_ELSEWHERE)  # a page of this site may have the same address
    if not signed_urls.has_view():
        raise FaultError(
            "No view serves the files of this module.",
            "smart_storages.local.urls is not in the URLconf.",
            f"If browsers are to get them, add to urlpatterns: {signed_urls.LINE}; "
            "include is in django.urls.",
            serious=False,
        )
    try:
        found = resolve(urlsplit(url).path)
    except Resolver404:
        raise NotApplicableError(_ELSEWHERE) from None
    from django.test import RequestFactory  # not for the commands that need no request

    request = RequestFactory().generic(method, url, **more)
    try:
        response = found.func(request, *found.args, **found.kwargs)
    except PermissionDenied:
        return _Answer(_REFUSED, b"")
    except Http404:
        return _Answer(_MISSING, b"")
    body = b"".join(response)
    # Not the response itself: its end is that of a request, at which Django closes connections.
    file = getattr(response, "file_to_stream", None)
    if file is not None:
        file.close()
    return _Answer(response.status_code, body)


def _ask_server(url: str) -> _Answer:
    options: Dict[str, Any] = {"ca_certs": os.environ.get("AWS_CA_BUNDLE")}
    with urllib3.PoolManager(retries=False, timeout=TIMEOUT, **options) as pool:
        try:
            answer = pool.request("GET", url, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise FaultError(
                "The URL of a file does not lead to it.",
                f"{urlsplit(url).netloc} does not answer a browser: {type(error).__name__}.",
                "Correct custom_domain, base_url or the endpoint, or the DNS.",
            ) from None
    return _Answer(answer.status, bytes(answer.data))


@contextmanager
def _having_url(probe: StoreProbe) -> Iterator[None]:
    """Pass over a module whose files nobody is to reach by a URL."""
    try:
        yield
    except ConfigurationError:
        if probe.store.signs_urls:
            raise
        raise NotApplicableError("its files have no URL") from None


def _name_of(probe: StoreProbe) -> str:
    if not probe.wrote:
        raise NotApplicableError("no file was saved to ask for")
    return probe.name()


def _altered(url: str) -> str:
    """Return a signed URL with another signature, ``""`` if it has none."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    name = next((name for name in _SIGNATURES if name in query), None)
    if name is None:
        return ""
    query[name] = f"{'b' if query[name][0] == 'a' else 'a'}{query[name][1:]}"
    return parts._replace(query=urlencode(query)).geturl()


def check_url(probe: StoreProbe) -> str:
    """The URL that the storage gives for a file leads to it, and an altered one does not."""
    with _having_url(probe):
        url = probe.storage.url(_name_of(probe))
    answer = _ask(probe, url)
    if (answer.status, answer.body) != (_FINE, BODY):
        if probe.place.access == PUBLIC:
            raise NotApplicableError("the step 'public' tells of it")
        raise FaultError(
            "The URL of a file does not lead to it.",
            f"It was answered with {answer.status}.",
            "Correct base_url or custom_domain, or let what stands before the server pass the "
            "path and the query on unchanged.",
        )
    altered = _altered(url)
    if not altered:
        return f"{answer.status}, without a signature"
    refused = _ask(probe, altered)
    if refused.status == _FINE:
        raise FaultError(
            "A URL with a forged signature leads to the file.",
            "What serves the files does not check signatures, or anybody may read them.",
            "Let the files of private modules be served by what checks signatures only.",
        )
    return f"{answer.status}, and with a forged signature {refused.status}"


def check_upload_url(probe: StoreProbe) -> str:
    """A browser can upload a file with a signed URL, where the backend has such URLs."""
    require_writing(probe)
    if probe.storage.base_url is not None or not probe.store.takes_uploads:
        raise NotApplicableError("a browser cannot upload here; see docs/backends.md")
    name = probe.name("-browser")
    form = probe.storage.presigned_put(name, size=len(BODY), content_type="text/plain")
    answer = _ask(probe, form["url"], "PUT", data=BODY, content_type="text/plain")
    if answer.status != _FINE:
        raise FaultError(
            "A browser cannot upload a file with a signed URL.",
            f"The view answered {answer.status}.",
        )
    return "presigned_put() is accepted"


def check_strangers_reading(probe: StoreProbe) -> str:
    """What is to be private is refused without a signature; what is public is not."""
    url = _unsigned(probe, probe.sample)
    answer = _ask(probe, url)
    is_open = answer.status == _FINE
    access = probe.place.access
    if access == PRIVATE and is_open:
        raise FaultError(
            "Anybody may read the files of this private module.",
            "A request without a signature was answered with the content.",
            f"Close what serves {urlsplit(url)._replace(path='', query='').geturl() or 'them'}: "
            "in Azure, set the access level of the container to private; in Google Cloud, take "
            "the role of allUsers from the bucket, and their ACLs from the files.",
        )
    if access == PUBLIC and not is_open:
        raise FaultError(
            "Nobody may read the files of this public module.",
            f"A request without a signature was answered {answer.status}.",
            f"Open them: manage.py buckets create {probe.place.module}.",
        )
    return f"answered {answer.status}" if is_open else f"refused with {answer.status}"


def _unsigned(probe: StoreProbe, key: str) -> str:
    storage = probe.storage
    with _having_url(probe), storage._translating(key):
        url = probe.store.url(key, expires=None)
    if url is not None:
        return str(url)
    return signed_urls.make_url(
        storage._folder_name,
        key,
        probe.store.identity(),
        base_url=storage.base_url,
        module=storage._module_in_url(),
    )
