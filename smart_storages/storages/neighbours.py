"""What other storages of a project keep inside the location of a storage."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Tuple

from django.apps import apps
from django.utils.module_loading import import_string
from storages.backends.s3boto3 import S3Boto3Storage

from smart_storages import config
from smart_storages.config.modules import sample_name
from smart_storages.config.values import ANY_MODULE
from smart_storages.storages.ready_made import (
    DocumentStorage,
    MediaStorage,
    PrivateStorage,
    PublicStorage,
)
from smart_storages.storages.smart import SmartS3Storage

__all__ = ["names_of_others"]

_READY_MADE = {
    each.module_name: each
    for each in (DocumentStorage, MediaStorage, PrivateStorage, PublicStorage)
}


def names_of_others(storage: Any) -> Tuple[str, ...]:
    """Return how the names begin under which a storage would see the files of others.

    The others are the modules of ``SMART_STORAGE_BUCKETS``, the aliases of ``STORAGES`` and the
    fields of models, those of plain django-storages too. Buckets are compared by their names alone,
    since one bucket may have several addresses. No request is sent.

    Args:
        storage: A storage with a bucket.

    Example:
        >>> from smart_storages.storages import SmartS3Storage
        >>> names_of_others(SmartS3Storage("everything", bucket_name="acme"))   # doctest: +SKIP
        ('documents/', 'media/')
    """
    here = _start_of(storage)
    starts = {
        _start_of(other)
        for other in _others()
        if other.bucket_name == storage.bucket_name and other.location != storage.location
    }
    inside = (start for start in starts if start.startswith(here) and start != here)
    return tuple(sorted(start[len(here) :] for start in inside))


def _start_of(storage: Any) -> str:
    # Of a pattern, what stands before the name of a module.
    location, pattern, _ = str(storage.location or "").strip("/").partition(ANY_MODULE)
    return f"{location}/" if location and not pattern else location


def _others() -> Iterator[Any]:
    for key in map(str, config.iter_module_keys()):
        name = sample_name(key)
        yield _READY_MADE[name]() if name in _READY_MADE else SmartS3Storage(name)
    for params in config.get_storages().values():
        if isinstance(params, Mapping):
            yield from _made(params.get("BACKEND"), params.get("OPTIONS") or {})
    for model in apps.get_models():
        for field in model._meta.get_fields():
            storage = getattr(field, "storage", None)
            if issubclass(type(storage), S3Boto3Storage):
                yield storage


def _made(backend: Any, options: Any) -> Iterator[Any]:
    try:
        found = import_string(backend) if isinstance(backend, str) else backend
        if isinstance(found, type) and issubclass(found, S3Boto3Storage):
            yield found(**options)
    except Exception:  # noqa: S110 - the system checks report an alias that cannot be made
        pass
