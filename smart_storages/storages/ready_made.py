"""The storages that most projects need, each with presets for its purpose; static files apart."""

from __future__ import annotations

from smart_storages.storages.smart import SmartS3Storage

__all__ = [
    "DocumentStorage",
    "MediaStorage",
    "PrivateStorage",
    "PublicStorage",
]


class MediaStorage(SmartS3Storage):
    """Files that users upload, read through signed URLs; no file is overwritten."""

    module_name: str = "media"
    location = "media"
    file_overwrite = False


class DocumentStorage(SmartS3Storage):
    """Private documents, read through signed URLs; no file is overwritten."""

    module_name: str = "documents"
    location = "documents"
    default_acl = "private"
    file_overwrite = False


class PrivateStorage(SmartS3Storage):
    """Private files, which can only be read through signed URLs; no file is overwritten."""

    module_name: str = "private"
    location = "private"
    default_acl = "private"
    file_overwrite = False


class PublicStorage(SmartS3Storage):
    """Files that anybody may read, under unsigned URLs."""

    module_name: str = "public"
    location = "public"
    default_acl = "public-read"
    querystring_auth = False
