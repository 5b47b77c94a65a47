"""The view behind the URLs of files that are not in S3; it answers as S3 does.

It serves a file to whoever has a signed URL that has not expired, and a public file to anybody. It
takes an upload from whoever has a URL that was signed for it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Dict, Iterator, Mapping, Optional

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from smart_storages import config
from smart_storages.backends import signed_urls
from smart_storages.backends.directory import DirectoryStore, is_folder_name, known_roots
from smart_storages.backends.memory import has_memory_store, memory_store
from smart_storages.backends.store import Store, StoreReader
from smart_storages.common.serving import Content, respond
from smart_storages.exceptions import ConfigurationError
from smart_storages.local.uploads import take, take_part

__all__ = ["serve"]

_REFUSED = "This link is not valid, or has expired."
_SIGNED = frozenset({"expires", "signature"})
_NAMES = {query: name for name, query in signed_urls.PARAMETERS.items()}


@csrf_exempt  # the signature is what a form of another site cannot have
@require_http_methods(["GET", "HEAD", "POST", "PUT"])
def serve(request: Any, bucket: str, key: str) -> Any:
    """Serve a file of a module that is not in S3, or take one.

    Args:
        request: A GET or a HEAD; conditional headers and a single range are supported. Or a PUT or
            a POST, from ``presigned_put()`` or ``presigned_post()`` of a storage.
        bucket: Name of the bucket.
        key: Key of the object.

    Raises:
        PermissionDenied: the signature is forged, altered or expired, or the file is not public.
        Http404: there is no such file, and the signature is valid.
    """
    query = request.GET.dict()
    # A font is asked for with ?v=4.7 behind its URL: any other parameter means nothing.
    is_signed = not _SIGNED.isdisjoint(query)
    # Each parameter once, as it was signed.
    if is_signed and any(len(values) != 1 for _, values in request.GET.lists()):
        raise PermissionDenied(_REFUSED)
    for store in _find_stores(bucket, query.get(signed_urls.MODULE)):
        if is_signed and not signed_urls.is_valid(
            bucket, key, store.identity(), method=request.method, query=query
        ):
            continue
        if request.method in ("POST", "PUT"):
            if is_signed:
                part = signed_urls.PartUpload.from_query(query)
                if part is not None:
                    return take_part(request, store, key, part)
                return take(request, store, key, signed_urls.Upload.from_query(query))
            continue
        reader = _open(store, key)
        if reader is None:
            if is_signed:
                raise Http404("There is no such file.")
            continue
        # What decides, and what is sent, is one version of the file.
        if is_signed or reader.attributes.is_public:
            return _answer(request, key, reader, query if is_signed else {})
        reader.close()
    # Without a signature, whether there is such a file is not said either.
    raise PermissionDenied(_REFUSED)


#: The signature is the permission: LoginRequiredMiddleware of Django 5.1 asks for no login.
serve.login_required = False  # type: ignore[attr-defined]


def _find_stores(bucket: str, module: Optional[str]) -> Iterator[Store]:
    if has_memory_store(bucket):
        yield memory_store(bucket)
    if not is_folder_name(bucket):
        return
    for root in _find_roots(module):
        yield DirectoryStore(root, bucket)


def _find_roots(module: Optional[str]) -> Dict[str, None]:
    """Return the directories that may have buckets, each once."""
    roots = [*config.iter_roots(), *known_roots]
    if module is not None:
        # The signature decides whether it is believed.
        with suppress(ConfigurationError):
            roots.append(str(config.merge_options(module).get("root") or ""))
    return dict.fromkeys(root for root in roots if root)


def _open(store: Store, key: str) -> Optional[StoreReader]:
    try:
        return StoreReader(*store.open(key))
    except OSError:
        return None


def _answer(request: Any, key: str, reader: StoreReader, query: Mapping[str, str]) -> Any:
    headers = dict(reader.headers)
    content = Content(
        name=key,
        size=reader.size,
        etag=reader.stat.etag,
        saved=int(reader.stat.modified_time.timestamp()),
        open=lambda: reader,
        content_type=headers.pop("content-type", None),
        cache_control=headers.pop("cache-control", "private, no-cache"),
        headers={_as_written(name): value for name, value in headers.items()},
        is_public=reader.attributes.is_public,
    )
    parameters = {_NAMES[name]: value for name, value in query.items() if name in _NAMES}
    response = respond(request, content, parameters)
    if not response.streaming:
        reader.close()
    return response


def _as_written(header: str) -> str:
    return "-".join(part.capitalize() for part in header.split("-"))
