"""The storages that most projects need, each with presets for its purpose."""

from __future__ import annotations

from smart_storages.storages.collecting import CollectingMixin
from smart_storages.storages.manifest import LazyManifestMixin
from smart_storages.storages.smart import SmartS3Storage

__all__ = [
    "DocumentStorage",
    "ManifestStaticStorage",
    "MediaStorage",
    "PrivateStorage",
    "PublicStorage",
    "StaticStorage",
]


class MediaStorage(SmartS3Storage):
    """Files that users upload, read through signed URLs; no file is overwritten."""

    module_name = "media"
    location = "media"
    file_overwrite = False


class StaticStorage(CollectingMixin, SmartS3Storage):
    """Static files, with URLs that stay the same.

    ``collectstatic`` lists the bucket once, uploads in parallel, and uploads what has changed.
    """

    module_name = "static"
    location = "static"
    querystring_auth = False


class ManifestStaticStorage(LazyManifestMixin, StaticStorage):  # type: ignore[misc]
    """Static files whose names contain a hash of their content, so that browsers keep them.

    As Django's ``ManifestStaticFilesStorage``. The manifest is written last, when every file that
    it names is there.
    """


class DocumentStorage(SmartS3Storage):
    """Private documents, read through signed URLs; no file is overwritten."""

    module_name = "documents"
    location = "documents"
    default_acl = "private"
    file_overwrite = False


class PrivateStorage(SmartS3Storage):
    """Private files, which can only be read through signed URLs; no file is overwritten."""

    module_name = "private"
    location = "private"
    default_acl = "private"
    file_overwrite = False


class PublicStorage(SmartS3Storage):
    """Files that anybody may read, under unsigned URLs."""

    module_name = "public"
    location = "public"
    default_acl = "public-read"
    querystring_auth = False
