"""The view behind the URLs of files that are not in S3; it answers as S3 does.

It serves a file to whoever has a signed URL that has not expired, and a public file to anybody. It
takes an upload from whoever has a URL that was signed for it.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Optional

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from smart_storages import config
from smart_storages.backends import signed_urls
from smart_storages.backends.directory import DirectoryStore
from smart_storages.backends.memory import has_memory_store, memory_store
from smart_storages.backends.store import Found, Store, StoreReader
from smart_storages.common.serving import Content, respond
from smart_storages.local.uploads import take

__all__ = ["serve"]

_REFUSED = "This link is not valid, or has expired."
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
    is_signed = bool(query)
    for store in _find_stores(bucket):
        if is_signed and not signed_urls.is_valid(
            bucket, key, store.identity(), method=request.method, query=query
        ):
            continue
        if request.method in ("POST", "PUT"):
            if is_signed:
                return take(request, store, key, signed_urls.Upload.from_query(query))
            continue
        found = _find(store, key)
        if found is None and is_signed:
            raise Http404("There is no such file.")
        if found is not None and (is_signed or found.attributes.is_public):
            return _answer(request, store, key, found, query)
    # Without a signature, whether there is such a file is not said either.
    raise PermissionDenied(_REFUSED)


#: The signature is the permission: LoginRequiredMiddleware of Django 5.1 asks for no login.
serve.login_required = False  # type: ignore[attr-defined]


def _find_stores(bucket: str) -> Iterator[Store]:
    if has_memory_store(bucket):
        yield memory_store(bucket)
    if bucket.startswith("."):
        return
    for root in _find_roots():
        yield DirectoryStore(root, bucket)


def _find_roots() -> Dict[str, None]:
    """Return the directories that may have buckets, each once."""
    roots = [config.get_forced_backend().get("root")]
    for entry in config.get_buckets().values():
        if isinstance(entry, Mapping) and entry.get("backend") == "filesystem":
            roots.append(entry.get("root"))
    return dict.fromkeys(str(root) for root in roots if root)


def _find(store: Store, key: str) -> Optional[Found]:
    try:
        return store.find(key)
    except OSError:
        return None


def _answer(request: Any, store: Store, key: str, found: Found, query: Mapping[str, str]) -> Any:
    headers = dict(found.attributes.headers)
    content = Content(
        name=key,
        size=found.stat.size,
        etag=found.stat.etag,
        saved=int(found.stat.modified_time.timestamp()),
        open=lambda: StoreReader(*store.open(key)),
        content_type=headers.pop("content-type", None),
        cache_control=headers.pop("cache-control", "private, no-cache"),
        headers={_as_written(name): value for name, value in headers.items()},
    )
    parameters = {_NAMES[name]: value for name, value in query.items() if name in _NAMES}
    try:
        return respond(request, content, parameters)
    except FileNotFoundError as error:  # deleted meanwhile
        raise Http404("There is no such file.") from error


def _as_written(header: str) -> str:
    return "-".join(part.capitalize() for part in header.split("-"))
