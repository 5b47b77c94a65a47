"""The queued storages: a file is saved locally at once, and transferred to the remote later.

``docs/queued.md`` says how to set them up and what they guarantee.
"""

from __future__ import annotations

import inspect
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, Union

from smart_storages.config.deconstructed import SerializedObject
from smart_storages.exceptions import ObjectExistsError
from smart_storages.queued import composed_parts, ledger, listing, registry, storage_options
from smart_storages.queued.actions.writing import WritingStorage
from smart_storages.queued.ledger import location_cache, queries
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.readiness import explained
from smart_storages.queued.serving import urls_of_copies
from smart_storages.queued.tasks import Transfer
from smart_storages.queued.transfer import local_copies
from smart_storages.storages.lookup import resolve_storage
from smart_storages.wrappers.calls import Steps
from smart_storages.wrappers.storage_api import is_in_parts, upload_steps

__all__ = [
    "DelayedStorage",
    "DoubleFilesystemStorage",
    "QueuedFileSystemStorage",
    "QueuedRemoteStorage",
    "QueuedS3BotoStorage",
    "QueuedStorage",
    "S3Storage",
]

_MAX_LOOKUPS = 5


class QueuedStorage(WritingStorage):
    """Saves to ``local`` at once; a queued task transfers the file to ``remote``.

    Until the remote copy is verified, every read comes from the local copy. A subclass may have
    ``local``, ``remote``, their options, ``delayed`` and ``task`` as attributes.

    Args:
        local: A dotted path, an alias of ``STORAGES``, a module of ``SMART_STORAGE_BUCKETS``, or
            a storage; by default, Django's ``FileSystemStorage``. Use a bucket if workers run on
            hosts that do not share a disk.
        remote: The same, for the storage that files are transferred to; by default, the bucket of
            ``AWS_STORAGE_BUCKET_NAME``.
        local_options: Options of ``local``, if it is a dotted path.
        remote_options: Options of ``remote``, if it is a dotted path.
        delayed: Whether a file waits until ``transfer(name)`` is called.
        task: Subclass of :class:`~smart_storages.queued.tasks.Transfer`, or its dotted path.
        overwrite: Whether saving under a name that is taken replaces the file; by default, if the
            remote does so.
        ask_remote: Whether a save that must not overwrite asks the remote if the name is free.
            If ``False``, and while the remote cannot be reached, names get a random suffix.
        durable: Whether a local copy is flushed to the disk before the save returns.
        max_local_bytes: If local copies take more bytes than this, a save goes directly to the
            remote.
        signed_urls: Whether the URL of a local copy is signed and expires; by default, if the
            remote's URLs do.
        key: Name of this storage in the ledger; by default, made from ``local`` and ``remote``.
            When you rename either of them, give the old key here.
        cache_prefix: Refused; an option of django-queued-storage that has no use here.

    Example:
        >>> scans = QueuedStorage(local="scratch", remote="media")
        >>> scans.key
        'scratch>media'
    """

    #: Arguments that the class gives itself, by attributes of these names.
    declared: Mapping[str, Any] = {}

    #: Tells the registry that this class is a queued storage, before one is created.
    enters_registry = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        storage_options.take_attributes(cls)

    def __init__(  # noqa: PLR0917 - the order that django-queued-storage had
        self,
        local: Any = None,
        remote: Any = None,
        local_options: Optional[Mapping[str, Any]] = None,
        remote_options: Optional[Mapping[str, Any]] = None,
        delayed: Optional[bool] = None,
        task: Union[str, Type[Transfer]] = Transfer,
        *,
        overwrite: Optional[bool] = None,
        ask_remote: bool = True,
        durable: bool = True,
        max_local_bytes: Optional[int] = None,
        signed_urls: Optional[bool] = None,
        key: Optional[str] = None,
        cache_prefix: Any = None,
    ) -> None:
        if cache_prefix is None:  # a subclass written for django-queued-storage may have it
            cache_prefix = getattr(type(self), "cache_prefix", None)
        storage_options.refuse_cache_prefix(type(self).__name__, cache_prefix, delayed)
        local, remote, local_options, remote_options, delayed, task = storage_options.choose(
            self.declared, local=local, remote=remote, local_options=local_options,
            remote_options=remote_options, delayed=delayed, task=task,
        )  # fmt: skip
        storage_options.check(
            type(self).__name__, (local, local_options), (remote, remote_options), task,
            delayed=delayed, overwrite=overwrite, key=key, ask_remote=ask_remote,
            durable=durable, max_local_bytes=max_local_bytes, signed_urls=signed_urls,
        )  # fmt: skip
        with_options = storage_options.with_options
        self._local = self._refer(with_options(local, local_options), resolve_storage)
        self._remote = self._refer(with_options(remote, remote_options), resolve_storage)
        self.delayed = delayed
        self.task = storage_options.path_of_task(task)
        self._overwrite = overwrite
        self.ask_remote = ask_remote
        self.durable = durable
        self.max_local_bytes = max_local_bytes
        self.signed_urls = signed_urls
        self.key = key or registry.make_key((local, local_options), (remote, remote_options))
        #: Identifies the remote, for the check that no two storages share one.
        self.remote_key = registry.make_key((remote, remote_options))
        #: What the engine returned for the last file, such as Celery's ``AsyncResult``.
        self.result: Any = None
        self._is_validated = False
        registry.enter(self)

    @property
    def local(self) -> Any:
        """The local storage."""
        self._refuse_context_dependence()
        return self._local.storage

    @property
    def remote(self) -> Any:
        """The remote storage."""
        self._refuse_context_dependence()
        return self._remote.storage

    def _refuse_context_dependence(self) -> None:
        # Checks both, whichever is used first: otherwise a file could be saved locally that can
        # never be transferred.
        if not self._is_validated:
            composed_parts.refuse_context_dependence(self)
            self._is_validated = True

    def _forget(self) -> None:
        super()._forget()
        self._is_validated = False

    @property
    def overwrites(self) -> bool:
        """Whether the remote replaces a file by itself."""
        return listing.overwrites(self.remote)

    @property
    def replaces(self) -> bool:
        """Whether saving under a name that is taken replaces the file."""
        return self.overwrites if self._overwrite is None else self._overwrite

    # Where a file is

    def locate(self, name: str) -> listing.Place:
        """Return where a file is, according to the ledger."""
        name = listing.clean(name)
        hinted = location_cache.get(self.key, name)
        if hinted is not None:
            return listing.Place(self.remote, hinted)
        with explained():
            row = ledger.find(self.key, name)
        if row is None:
            return listing.Place(self.remote, name)
        if not row.is_live:
            return listing.Place(self.remote, row.remote_name or name, gone=True)
        if row.is_local:
            return listing.Place(self.local, row.local_name, host=row.host)
        location_cache.remember(self.key, name, row.remote_name or name)
        return listing.Place(self.remote, row.remote_name or name)

    def using_local(self, name: str) -> bool:
        """Whether reads of a file come from the local storage."""
        place = self.locate(name)
        return place.storage is self.local and not place.gone

    def using_remote(self, name: str) -> bool:
        """Whether reads of a file come from the remote storage."""
        return not self.using_local(name)

    def moved(self, name: str) -> None:
        """Remove a file from the cache, because it has moved."""
        location_cache.forget(self.key, name)

    # Reading

    def _steps(
        self, method: str, name: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        self._refuse_context_dependence()
        if is_in_parts(method):
            return (yield from self._upload_steps(method, name, args, kwargs))
        if method in ("generate_filename", "get_valid_name", "get_alternative_name"):
            return (yield self.remote, method, (name, *args), kwargs)
        special = {
            "open": self._open_steps,
            "delete": self._delete_steps,
            "exists": self._exists_steps,
            "listdir": self._listdir_steps,
            "url": self._url_steps,
            "path": self._path_steps,
            "get_available_name": self._available_steps,
            "is_name_available": self._is_available_steps,
        }.get(method, self._read_steps)
        return (yield from special(method, name, args, kwargs))

    def _read_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        seen: Optional[listing.Place] = None
        for _ in range(_MAX_LOOKUPS):
            place = yield self, "locate", (name,), {}
            if place.gone or place == seen:
                break
            seen = place
            try:
                return (yield place.storage, method, (place.name, *args), kwargs)
            except FileNotFoundError as error:
                # It may have been transferred after its place was looked up.
                missing = error
        if seen is None:
            raise FileNotFoundError(f"{name!r} was deleted.")
        raise local_copies.missing(name, seen.host, missing) from missing

    def _url_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        place = yield self, "locate", (name,), {}
        if place.storage is self.remote:
            return (yield place.storage, "url", (place.name, *args), kwargs)
        return (yield self, "_url_of_copy", (name, place, args, kwargs), {})

    def _url_of_copy(self, name: str, place: listing.Place, args: Any, kwargs: Any) -> str:
        # A call of its own, so that its query for the ledger's identity runs in a thread if the
        # caller is async.
        return urls_of_copies.url_of_copy(self, listing.clean(name), place, args, kwargs)

    def _path_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        place = yield self, "locate", (name,), {}
        return (yield place.storage, "path", (place.name, *args), kwargs)

    def _exists_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        place = yield self, "locate", (name,), {}
        if place.gone:
            return False
        if place.storage is not self.remote:
            return True
        return (yield place.storage, "exists", (place.name,), {})

    def _listdir_steps(
        self, method: str, path: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        changes = yield self, "_changes_under", (path,), {}
        try:
            directories, files = yield self.remote, "listdir", (path,), {}
        except FileNotFoundError:  # a disk has no directory yet for files not yet transferred
            if not changes:
                raise
            directories, files = [], []
        return listing.merge_listing(path, directories, files, changes)

    def _upload_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        # Straight to the remote. The ledger has no row then, which means: the remote has it.
        if method in ("create_multipart_upload", "complete_multipart_upload"):
            yield self, "_refuse_known", (name,), {}
        cleaned = listing.clean(name)
        answer = yield from upload_steps(self.remote, method, (cleaned, *args), kwargs)
        if method == "complete_multipart_upload":
            self.moved(cleaned)
        return answer

    def _refuse_known(self, name: str) -> None:
        with explained():
            if ledger.find(self.key, listing.clean(name)) is not None:
                raise ObjectExistsError(
                    f"The ledger of {self.key!r} has a file {name!r}, or deletes it. Choose the "
                    "name of an upload with get_upload_name()."
                )

    def _changes_under(self, path: str) -> List[QueuedFile]:
        with explained():
            return list(queries.differing(self.key, listing.directory(path)))

    # Migrations, pickles and copies

    def _portable_arguments(self) -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
        if self._deconstructed is None:  # the strings of one storage stay the same
            args, kwargs = self._constructor_args
            signature = inspect.signature(type(self).__init__)
            arguments = dict(signature.bind(self, *args, **kwargs).arguments)
            arguments.pop("self")
            arguments.update(arguments.pop("options", {}))
            if "task" in arguments:
                arguments["task"] = self.task
            self._deconstructed = {
                name: registry.withhold_secrets(value)
                if isinstance(value, Mapping)
                else SerializedObject.of(value)
                for name, value in arguments.items()
            }
        return (), dict(self._deconstructed)

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self._portable_arguments()[1], self.key)

    def __deepcopy__(self, memo: Any) -> QueuedStorage:
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key}>"


def _rebuild(cls: Type[QueuedStorage], arguments: Dict[str, Any], key: str) -> QueuedStorage:
    # A storage that this process has already created has its credentials.
    made = registry.get(key)
    return made if type(made) is cls else cls(**arguments)


class DelayedStorage(QueuedStorage):
    """Keeps a file in the local storage until ``transfer(name)`` is called.

    Args:
        local: As for :class:`QueuedStorage`.
        remote: As for :class:`QueuedStorage`.
        **options: As for :class:`QueuedStorage`.

    Example:
        >>> raw = DelayedStorage(local="scratch", remote="documents")
        >>> raw.delayed
        True
    """

    def __init__(self, local: Any = None, remote: Any = None, **options: Any) -> None:
        super().__init__(local, remote, **{"delayed": True, **options})


class DoubleFilesystemStorage(QueuedStorage):
    """Transfers from one directory to another, such as from a fast disk to a mounted share.

    Args:
        local_kwargs: Options of the local ``FileSystemStorage``.
        remote_kwargs: Options of the remote ``FileSystemStorage``.
        **options: As for :class:`QueuedStorage`.

    Example:
        >>> DoubleFilesystemStorage({"location": "/fast"}, {"location": "/share"}).local.location
        '/fast'
    """

    def __init__(
        self,
        local_kwargs: Optional[Mapping[str, Any]] = None,
        remote_kwargs: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> None:
        files = storage_options.FILESYSTEM
        super().__init__(files, files, local_kwargs, remote_kwargs, **options)


class S3Storage(QueuedStorage):
    """Transfers from the disk to the default bucket.

    Args:
        local_options: Options of the local ``FileSystemStorage``.
        remote_options: Options of the remote ``SmartS3Storage``, such as ``module_name``.
        **options: As for :class:`QueuedStorage`.

    Example:
        >>> S3Storage({"location": "/fast"}).local.location
        '/fast'
    """

    def __init__(
        self,
        local_options: Optional[Mapping[str, Any]] = None,
        remote_options: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> None:
        places = storage_options.FILESYSTEM, storage_options.DEFAULT_BUCKET
        super().__init__(*places, local_options, remote_options, **options)


#: Names of this class in django-queued-storage, the first in its first versions.
QueuedRemoteStorage = QueuedFileSystemStorage = QueuedS3BotoStorage = QueuedStorage
