"""The two ends of a copy: a bucket, a directory, or any other storage, listed in one order."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from django.core.exceptions import SuspiciousFileOperation, SuspiciousOperation
from django.core.files import File, locks
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.crypto import get_random_string
from django.utils.functional import LazyObject

from smart_storages.backends.s3.requests.http import fetch
from smart_storages.common.names import check_name
from smart_storages.exceptions import ObjectNotFoundError, S3Error, SmartStorageError
from smart_storages.storages import SmartS3Storage
from smart_storages.wrappers.calls import run
from smart_storages.wrappers.forwarding import put_steps

__all__ = ["BucketEnd", "DirectoryEnd", "End", "Entry", "StorageEnd", "end_of", "unwrapped"]

_PIECE = 1024**2
_TEMPORARY = ".smart-storages-", ".part"


class Entry(NamedTuple):
    """A file of a listing.

    Args:
        name: Its name within the storage.
        size: Bytes stored.
        etag: The ETag without its quotes; empty where there is none.
        modified: When it was written, if the listing tells.
    """

    name: str
    size: int
    etag: str = ""
    modified: Optional[datetime] = None


class End:
    """One end of a copy; each kind of storage has a subclass.

    Args:
        storage: The storage.
        label: How the user called it, for messages.
    """

    def __init__(self, storage: Any, label: str) -> None:
        self.storage = storage
        self.label = label

    @property
    def identity(self) -> Tuple[str, ...]:
        """What makes it the same place in another run, without a secret."""
        return (type(self.storage).__qualname__, self.label)

    def entries(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        """Yield every file, in the order of the names' UTF-8 bytes.

        Args:
            prefix: The beginning of the names.
            after: Only names that sort after this one.
        """
        raise NotImplementedError

    def open(self, name: str) -> Any:
        """Open a file for reading, as the project would."""
        return self.storage.open(name, "rb")

    def write(self, name: str, content: Any) -> None:
        """Write a file under exactly this name, whole or not at all.

        Args:
            name: Its name.
            content: Anything with ``read(size)``.
        """
        raise NotImplementedError

    def find(self, name: str) -> Optional[Entry]:
        """Return a file as a listing of this moment would show it, ``None`` if there is none."""
        with suppress(FileNotFoundError):
            if self._has(name):
                return Entry(name, self.storage.size(name))
        return None

    def find_existing(self, names: Sequence[str]) -> Set[str]:
        """Return those of the names that have a file now.

        Raises:
            SmartStorageError, OSError: the storage does not tell.
        """
        return {name for name in names if self._has(name)}

    def _has(self, name: str) -> bool:
        try:
            return bool(self.storage.exists(name))
        except SuspiciousOperation:  # no file can have this name here
            return False

    def delete_many(self, names: Sequence[str]) -> Dict[str, Exception]:
        """Delete files; return an error for each that could not be deleted."""
        failed: Dict[str, Exception] = {}
        for name in names:
            try:
                self.storage.delete(name)
            except (OSError, SmartStorageError) as error:
                failed[name] = error
        return failed

    def scope(self, prefix: str) -> Tuple[str, ...]:
        """Return what two copies have in common if files of one are files of the other.

        All but the last are equal then, and one of the last is the beginning of the other.
        """
        return (*self.identity, prefix)


class BucketEnd(End):
    """A module's bucket, or the part of it below the module's location, in S3 or elsewhere."""

    storage: SmartS3Storage

    def __init__(self, storage: SmartS3Storage, label: str) -> None:
        super().__init__(storage, label)
        self.target = storage.s3_target()
        self.start = storage.get_key("a")[:-1]

    @property
    def identity(self) -> Tuple[str, ...]:
        return (*self.storage.identify_server(), self.target.bucket, self.start)

    def key_of(self, name: str) -> str:
        """Return the key of a name that a listing gave."""
        return f"{self.start}{name}"

    def entries(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        skip = len(self.start)
        previous = ""
        first = self.key_of(after) if after else ""
        for key, stat in self.storage.iter_keys(self.key_of(prefix), first):
            if key <= previous:
                raise S3Error(
                    f"The listing of the bucket is not in order: {key!r} came after {previous!r}. "
                    "Directory buckets and some servers list so; use another tool for them.",
                    **self.target.places(key),
                )
            previous = key
            if key != self.start:
                yield Entry(key[skip:], stat.size, stat.etag, stat.modified_time)

    def write(self, name: str, content: Any) -> None:
        self._check(name)
        with self.storage.saving_one_of_many():
            self.storage._save_exactly(name, File(content, name), replace=True)

    def find(self, name: str) -> Optional[Entry]:
        stat = self.storage.stat_keys([self.key_of(name)])[self.key_of(name)]
        return None if stat is None else Entry(name, stat.size, stat.etag, stat.modified_time)

    def find_existing(self, names: Sequence[str]) -> Set[str]:
        stats = self.storage.stat_keys([self.key_of(name) for name in names])
        return {name for name in names if stats[self.key_of(name)] is not None}

    def delete_many(self, names: Sequence[str]) -> Dict[str, Exception]:
        failed = self.storage.delete_keys([self.key_of(name) for name in names])
        skip = len(self.start)
        return {key[skip:]: error for key, error in failed.items()}

    def headers_of(self, name: str) -> Dict[str, str]:
        """Return what the server says of an object, with its checksums, by lower-case name."""
        key = self.key_of(name)
        if self.storage.is_in_s3:
            headers: Dict[str, str] = fetch(self.target, key, method="HEAD", checksum=True).headers
            return headers
        stat = self.storage.stat_keys([key])[key]
        if stat is None:
            raise ObjectNotFoundError("There is no such file.", **self.target.places(key))
        found = {"etag": stat.etag, "content-encoding": stat.content_encoding}
        found.update({f"x-amz-meta-{name}": value for name, value in stat.metadata.items()})
        return {header: value for header, value in found.items() if value}

    def scope(self, prefix: str) -> Tuple[str, ...]:
        return (*self.identity[:-1], self.key_of(prefix))

    def _check(self, name: str) -> None:
        check_name(name)
        if self.storage.get_key(name) != self.key_of(name):
            raise SuspiciousFileOperation(f"The key {self.key_of(name)!r} is not that of a file.")

    def open(self, name: str) -> Any:
        self._check(name)
        return self.storage.open(name, "rb")


class StorageEnd(End):
    """Any storage, through the Storage API; each directory is listed and sorted as a whole."""

    def entries(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        for path in _walk(self._list, "", prefix, after):
            yield Entry(path, self.storage.size(path))

    def _list(self, directory: str) -> List[str]:
        try:
            directories, files = self.storage.listdir(directory)
        except FileNotFoundError:
            return []
        return [f"{name}/" for name in directories] + list(files)

    def write(self, name: str, content: Any) -> None:
        check_name(name)
        if not run(put_steps(self.storage, name, File(content, name))):
            raise FileExistsError(f"{self.label!r} stores {name!r} under other names only.")


class DirectoryEnd(StorageEnd):
    """A directory of this machine, such as ``MEDIA_ROOT``."""

    storage: FileSystemStorage

    #: Whether a listing deletes the unfinished files of a copy that was killed.
    removes_leftovers = False

    @property
    def identity(self) -> Tuple[str, ...]:
        return ("file", os.path.realpath(self.storage.location))

    def entries(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        for path in _walk(self._list, "", prefix, after):
            with suppress(FileNotFoundError):  # deleted meanwhile
                yield Entry(path, os.stat(self.storage.path(path)).st_size)

    def _list(self, directory: str) -> List[str]:
        path = os.path.join(self.storage.location, directory)
        self._refuse_circle(path)
        names: List[str] = []
        with suppress(FileNotFoundError), os.scandir(path) as found:
            for each in found:
                if not _is_temporary(each.name):
                    names.append(f"{each.name}/" if each.is_dir() else each.name)
                elif self.removes_leftovers:
                    _remove_leftover(each.path)
        return names

    def _refuse_circle(self, path: str) -> None:
        real = os.path.realpath(path)
        parent = os.path.realpath(os.path.dirname(path.rstrip("/")))
        if f"{parent}/".startswith(f"{real}/"):
            raise OSError(errno.ELOOP, "It is a link to a directory that it is in", path)

    def write(self, name: str, content: Any) -> None:
        check_name(name)
        path = self.storage.path(name)
        self._make_directories(path)
        with _written_aside(os.path.dirname(path)) as (file, temporary):
            for piece in iter(lambda: content.read(_PIECE), b""):
                file.write(piece)
            file.flush()
            if self.storage.file_permissions_mode is not None:
                os.chmod(temporary, self.storage.file_permissions_mode)
            os.replace(temporary, path)

    def _make_directories(self, path: str) -> None:
        mode = self.storage.directory_permissions_mode
        old = None if mode is None else os.umask(0o777 & ~mode)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        finally:
            if old is not None:
                os.umask(old)

    def scope(self, prefix: str) -> Tuple[str, ...]:
        return ("file", os.path.join(self.identity[1], prefix))


def end_of(storage: Any, label: str) -> End:
    """Return the end for a storage.

    Args:
        storage: Any storage.
        label: How the user called it.
    """
    storage = unwrapped(storage)
    if isinstance(storage, SmartS3Storage):
        return BucketEnd(storage, label)
    # A subclass may name or store files in a way of its own.
    if type(storage) is FileSystemStorage:
        return DirectoryEnd(storage, label)
    return StorageEnd(storage, label)


def unwrapped(storage: Any) -> Storage:
    """Return the storage itself, of a lazy one as well."""
    while isinstance(storage, LazyObject):
        bool(storage)  # makes it build the storage inside
        storage = storage.__dict__["_wrapped"]
    return storage  # type: ignore[no-any-return]


def _walk(
    list_names: Callable[[str], List[str]], directory: str, prefix: str, after: str
) -> Iterator[str]:
    # "a.txt" sorts before "a/b", and "a0" after it: the slash of a directory counts.
    for name in sorted(list_names(directory)):
        path = f"{directory}{name}"
        if name.endswith("/"):
            within = path.startswith(prefix) or prefix.startswith(path)
            if within and (path > after or after.startswith(path)):
                yield from _walk(list_names, path, prefix, after)
        elif path.startswith(prefix) and path > after:
            yield path


def _remove_leftover(path: str) -> None:
    with suppress(FileNotFoundError), open(path, "rb+") as file:
        # The lock of a copy that is running cannot be had.
        if locks.lock(file, locks.LOCK_EX | locks.LOCK_NB):
            os.unlink(path)


def _is_temporary(name: str) -> bool:
    return name.startswith(_TEMPORARY[0]) and name.endswith(_TEMPORARY[1])


@contextmanager
def _written_aside(directory: str) -> Iterator[Tuple[Any, str]]:
    """Make a file for content that is not whole yet; its lock tells it from a leftover."""
    path = os.path.join(directory, get_random_string(16).join(_TEMPORARY))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(descriptor, "wb") as file:
            locks.lock(file, locks.LOCK_EX)
            yield file, path
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
