"""Makes the stores of storages that keep the bytes of a file, and nothing beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Tuple

from smart_storages import backends, config
from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import ConfigurationError

if TYPE_CHECKING:
    from smart_storages.backends.store import Store

__all__ = ["identify", "make_store", "take_settings"]


def take_settings(storage: Any) -> None:
    """Give a storage what is not among its merged options.

    The ``AWS_*`` settings do not say where its files are. Without a bucket of its own it gets the
    name of its backend as one, for messages. If it names a bucket, its files are in a folder of
    that name, so that modules of several buckets do not share their files.

    Args:
        storage: The storage.
    """
    named = storage.describe_sources().owner_of("bucket_name") and storage.bucket_name
    storage._is_in_folder = bool(named) or storage._is_computed("bucket_name")
    if not storage._is_in_folder:
        storage.bucket_name = storage.backend.rpartition(".")[2]
    for name in ("brotli", "gzip"):  # of the settings; an entry that says so was refused
        if not storage._is_computed(name):
            setattr(storage, name, False)
    if storage.backend == "sftp":
        _take_sftp_settings(storage)


def _take_sftp_settings(storage: Any) -> None:
    given = config.plain_backends.get_sftp_options()
    if storage.host is not None:
        given["params"] = None  # they hold the password of another server
    for name, value in given.items():
        if getattr(storage, name) is None:
            setattr(storage, name, value)


def identify(storage: Any) -> str:
    """Return what is equal for two storages with the same files; nothing is made for it.

    Args:
        storage: The storage.
    """
    if storage.backend == "sftp":
        return str(backends.sftp.identity_of(*_sftp_arguments(storage)))
    identity: str = backends.django_classes.identity_of(storage.backend, storage.options)
    return identity


def make_store(storage: Any) -> Store:
    """Return the store of a storage whose backend keeps the bytes of files alone.

    Args:
        storage: The storage.

    Raises:
        ConfigurationError: it is misconfigured; the message names the module.
    """
    storage._raise_for_problem()
    folder = storage._folder_name if storage._is_in_folder else ""
    try:
        make = _make_sftp_store if storage.backend == "sftp" else _make_django_store
        return make(storage, folder)
    except ConfigurationError as error:
        reason = plain_text(error)
    # Past the frames of a constructor.
    raise ConfigurationError(f"The module {storage.module_name!r}: {reason}")


def _make_django_store(storage: Any, folder: str) -> Store:
    path = storage.backend
    wrapped = backends.django_classes.storage_of(path, storage.options)
    return backends.django_storage.DjangoStore(wrapped, path, identify(storage), folder)


def _make_sftp_store(storage: Any, folder: str) -> Store:
    host, params, root = _sftp_arguments(storage)
    if not host:
        raise ConfigurationError("It names no server of SFTP. Set host, or SFTP_STORAGE_HOST.")
    given = {name: getattr(storage, name) for name in config.options.SFTP_OPTIONS}
    for problem in config.sftp_problems.find_sftp_problems(given):  # of the settings
        raise ConfigurationError(f"the option {problem.key!r} {problem.message}. {problem.hint}")
    server = backends.sftp_connections.server_of(
        host,
        params,
        known_host_file=storage.known_host_file,
        verify=storage.verify_host_key is not False,
    )
    modes = backends.sftp.Modes(storage.file_mode, storage.dir_mode, storage.uid, storage.gid)
    return backends.sftp.SftpStore(
        server, root, folder, identity=identify(storage), modes=modes, base_url=storage.base_url
    )


def _sftp_arguments(storage: Any) -> Tuple[str, Dict[str, Any], str]:
    return storage.host or "", storage.params or {}, storage.root_path or ""
