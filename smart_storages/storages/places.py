"""Whether two storages, or a name in each of them, are the same place."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Optional, Tuple

from django.core.files.storage import FileSystemStorage
from django.utils.functional import LazyObject

from smart_storages.storages.connecting import ConnectingMixin

__all__ = ["is_same_place", "name_in", "unwrap"]


class _Place(NamedTuple):
    """Where a storage keeps its files: a root, and a prefix that ends with a slash or is empty."""

    root: Tuple[str, ...]
    prefix: str


def unwrap(storage: Any) -> Any:
    """Return the storage itself in place of Django's lazy one, such as ``default_storage``."""
    while isinstance(storage, LazyObject):
        storage.exists  # noqa: B018 - builds it
        storage = storage._wrapped
    return storage


def _find_place(storage: Any) -> Optional[_Place]:
    if isinstance(storage, ConnectingMixin):
        location = str(storage.location).strip("/")  # type: ignore[attr-defined]
        prefix = f"{location}/" if location else ""
        folder = storage.find_folder()  # type: ignore[attr-defined]
        if folder is not None:
            return _Place(("disk",), f"{folder}/{prefix}")
        return _Place(("s3", *storage.identify_server(), storage.bucket_name or ""), prefix)
    if isinstance(storage, FileSystemStorage):
        folder = os.path.realpath(storage.location).replace(os.sep, "/").rstrip("/")
        return _Place(("disk",), f"{folder}/")
    return None


def is_same_place(one: Any, other: Any) -> bool:
    """Return whether two storages keep their files in the same bucket or folder, and location.

    ``False`` too where it is not known: for storages without a bucket, and for those of other
    packages.

    Args:
        one: A storage.
        other: Another one; it may be made with other options or by another class.

    Raises:
        ConfigurationError: the options for the credentials of one are wrong.

    Example:
        >>> from django.core.files.storage import FileSystemStorage
        >>> is_same_place(FileSystemStorage("/srv/a"), FileSystemStorage("/srv/b/../a/"))
        True
    """
    here, there = _find_place(unwrap(one)), _find_place(unwrap(other))
    return here is not None and here == there and here.root[-1] != ""


def name_in(storage: Any, name: str, other: Any) -> Optional[str]:
    """Return the name under which another storage has a file, ``None`` if it cannot have it.

    A storage that is composed of others may keep its files in any of them, and so may one of
    another package: of these it is assumed that they have it under the same name.

    Args:
        storage: The storage that has the file.
        name: Its name there.
        other: The other storage; it may be the same one.

    Example:
        >>> from smart_storages.storages import SmartS3Storage
        >>> media = SmartS3Storage("media", bucket_name="acme", location="media")
        >>> photos = SmartS3Storage("photos", bucket_name="acme", location="media/photos")
        >>> name_in(media, "photos/1.jpg", photos), name_in(media, "1.jpg", photos)
        ('1.jpg', None)
    """
    storage, other = unwrap(storage), unwrap(other)
    if storage is other:
        return name
    here, there = _find_place(storage), _find_place(other)
    if here is None or there is None:
        return name
    whole = here.prefix + name
    if here.root != there.root or not whole.startswith(there.prefix):
        return None
    return whole[len(there.prefix) :] or None
