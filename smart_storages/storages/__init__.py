"""Storages with a bucket of their own: where configuration meets the S3 engine.

A module's name and options come in from Django; calls to the engine go out. The class is composed
of mixins, one subject in each file. Rows come in where ``fields`` deletes files that none names any
more. This room may not know storages that are composed of other storages, nor the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storages.backends.s3boto3 import S3Boto3Storage

from smart_storages.common.on_demand import importing_on_demand
from smart_storages.storages.ready_made import (
    DocumentStorage,
    MediaStorage,
    PrivateStorage,
    PublicStorage,
)
from smart_storages.storages.smart import SmartS3Storage

_NAMES_IN = {
    "shared_clients": ["client_pool"],
    "static": ["ManifestStaticStorage", "StaticStorage"],
    "uploaded_object": ["UploadedObject"],
}

if TYPE_CHECKING:
    from smart_storages.storages.shared_clients import client_pool
    from smart_storages.storages.static import ManifestStaticStorage, StaticStorage
    from smart_storages.storages.uploaded_object import UploadedObject
else:
    __getattr__ = importing_on_demand(__name__, _NAMES_IN)

__all__ = [
    "DocumentStorage",
    "ManifestStaticStorage",
    "MediaStorage",
    "PrivateStorage",
    "PublicStorage",
    "S3Boto3Storage",
    "SmartS3Storage",
    "StaticStorage",
    "UploadedObject",
    "client_pool",
]

# Migrations and pickles name a class by its module. This public path must not change.
for _class in (
    DocumentStorage,
    MediaStorage,
    PrivateStorage,
    PublicStorage,
    SmartS3Storage,
):
    _class.__module__ = __name__
