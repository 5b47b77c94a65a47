"""Makes the stores of storages that keep the bytes of a file, and nothing beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smart_storages import backends
from smart_storages.exceptions import ConfigurationError

if TYPE_CHECKING:
    from smart_storages.backends.store import Store

__all__ = ["identify", "make_store", "take_folder"]


def take_folder(storage: Any) -> None:
    """Let a storage without a bucket of its own have the name of its backend as one, for messages.

    The ``AWS_*`` settings do not say where its files are. One that names a bucket keeps them in a
    folder of that name, so that modules of several buckets do not share their files.

    Args:
        storage: The storage.
    """
    named = storage.describe_sources().owner_of("bucket_name") and storage.bucket_name
    storage._is_in_folder = bool(named) or storage._is_computed("bucket_name")
    if not storage._is_in_folder:
        storage.bucket_name = storage.backend.rpartition(".")[2]


def identify(storage: Any) -> str:
    """Return what is equal for two storages with the same files; nothing is made for it.

    Args:
        storage: The storage.
    """
    identity: str = backends.django_classes.identity_of(storage.backend, storage.options)
    return identity


def make_store(storage: Any) -> Store:
    """Return the store of a storage whose backend is the dotted path of a storage class.

    Args:
        storage: The storage.

    Raises:
        ConfigurationError: it is misconfigured; the message names the module.
    """
    storage._raise_for_problem()
    path, options = storage.backend, storage.options
    try:
        wrapped = backends.django_classes.storage_of(path, options)
    except ConfigurationError as error:
        reason = str(error)
    else:
        folder = storage._folder_name if storage._is_in_folder else ""
        return backends.django_storage.DjangoStore(wrapped, path, identify(storage), folder)
    # Past the frames of its constructor.
    raise ConfigurationError(f"The module {storage.module_name!r}: {reason}")
