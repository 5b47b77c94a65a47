"""Storages with a bucket of their own: where configuration meets the S3 engine.

A module's name and options come in from Django; calls to the engine go out. The class is composed
of mixins, one subject in each file. This room may not know storages that are composed of other
storages, nor the queue.
"""

from __future__ import annotations

from storages.backends.s3boto3 import S3Boto3Storage

from smart_storages.storages.connecting import client_pool
from smart_storages.storages.ready_made import (
    DocumentStorage,
    ManifestStaticStorage,
    MediaStorage,
    PrivateStorage,
    PublicStorage,
    StaticStorage,
)
from smart_storages.storages.smart import SmartS3Storage

__all__ = [
    "DocumentStorage",
    "ManifestStaticStorage",
    "MediaStorage",
    "PrivateStorage",
    "PublicStorage",
    "S3Boto3Storage",
    "SmartS3Storage",
    "StaticStorage",
    "client_pool",
]

# Migrations and pickles name a class by its module. This public path must not change.
for _class in (
    DocumentStorage,
    ManifestStaticStorage,
    MediaStorage,
    PrivateStorage,
    PublicStorage,
    SmartS3Storage,
    StaticStorage,
):
    _class.__module__ = __name__
