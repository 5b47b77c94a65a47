"""A storage of each kind that a file can be served from, and requests of WSGI and of ASGI."""

from __future__ import annotations

from typing import Any, Callable, Dict

import django
import pytest
from asgiref.sync import async_to_sync
from django.core.files.storage import FileSystemStorage
from django.test import AsyncRequestFactory, RequestFactory

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.queued.backends import QueuedStorage
from smart_storages.resolvers import ByPathPrefix
from smart_storages.storages import SmartS3Storage
from smart_storages.wrappers import ScopedStorage

__all__ = ["KINDS", "body_of", "make_request"]


def make_request(method: str = "GET", *, is_async: bool = False, **headers: str) -> Any:
    """A request; ``If_Range="x"`` is the header ``If-Range``."""
    factory: Any = AsyncRequestFactory() if is_async else RequestFactory()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if is_async:
        # Django before 4.2 takes them no other way.
        raw = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        request = factory.generic(method, "/")
        request.scope["headers"] += raw
        return type(request)(request.scope, request._stream)
    meta = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in given.items()}
    return factory.generic(method, "/", **meta)


def body_of(response: Any) -> bytes:
    """The whole body, as a server of this kind of request reads it."""
    if not response.streaming:
        return bytes(response.content)
    if not getattr(response, "is_async", False):
        return b"".join(response.streaming_content)

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in response.streaming_content])

    return bytes(async_to_sync(collect)())


def _django_memory() -> Any:
    if django.VERSION < (4, 2):
        pytest.skip("Django has no storage in memory before 4.2.")
    from django.core.files.storage import InMemoryStorage

    return InMemoryStorage()


def _bucket(**options: Any) -> Any:
    return SmartS3Storage("media", location="in", **options)


#: Makes a storage, given a directory; those in S3 are in the bucket of the settings.
KINDS: Dict[str, Callable[[Any], Any]] = {
    "s3": lambda folder: _bucket(),
    "folder": lambda folder: _bucket(backend="filesystem", root=folder, bucket_name="acme"),
    "memory": lambda folder: _bucket(backend="memory", bucket_name="acme"),
    "django": lambda folder: FileSystemStorage(str(folder / "d")),
    "django_memory": lambda folder: _django_memory(),
    "dispatcher": lambda folder: StorageDispatcher(
        ByPathPrefix({"films": "a"}, default="b"),
        storages={"a": _bucket(), "b": FileSystemStorage(str(folder / "b"))},
    ),
    "fallback": lambda folder: FallbackStorage(
        [FileSystemStorage(str(folder / "first")), _bucket()], write_to=[1]
    ),
    "mirror": lambda folder: MirrorStorage(_bucket(), [FileSystemStorage(str(folder / "m"))]),
    "scoped": lambda folder: ScopedStorage(_bucket(), "scope"),
    "queued": lambda folder: QueuedStorage(
        FileSystemStorage(str(folder / "l")), _bucket(), durable=False, key="q", delayed=True
    ),
}
