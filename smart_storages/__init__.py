"""Every part of a Django project its own S3 bucket, from one setting.

The most used names can be taken from here; each is imported when first asked for, so that
importing the package costs nothing and ``"BACKEND": "smart_storages.MediaStorage"`` works.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, List

__version__ = "1.0.0"

_HOMES = {
    "DocumentStorage": "smart_storages.storages",
    "FallbackStorage": "smart_storages.fallback",
    "ManifestStaticStorage": "smart_storages.storages",
    "MediaStorage": "smart_storages.storages",
    "MirrorStorage": "smart_storages.mirror",
    "PrivateStorage": "smart_storages.storages",
    "PublicStorage": "smart_storages.storages",
    "ReadOnlyStorage": "smart_storages.wrappers",
    "ScopedStorage": "smart_storages.wrappers",
    "SmartFileField": "smart_storages.storages.fields",
    "SmartImageField": "smart_storages.storages.fields",
    "SmartS3Storage": "smart_storages.storages",
    "StaticStorage": "smart_storages.storages",
    "StorageDispatcher": "smart_storages.dispatcher",
    "StorageResolver": "smart_storages.resolvers",
    "create_storage_class": "smart_storages.utils",
    "get_bucket_config": "smart_storages.config",
    "get_default_bucket_config": "smart_storages.config",
    "get_storage": "smart_storages.utils",
    "use_tenant": "smart_storages.tenancy",
}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    # PEP 562; storages import boto3, and models are not ready while settings are read.
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(home), name)


def __dir__() -> List[str]:
    return sorted([*globals(), *_HOMES])
