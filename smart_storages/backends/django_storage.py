"""Objects in any storage of Django, through the methods that the Storage API has.

That API promises less than S3. What is promised nevertheless:

* ``save`` returns the name that the file got, and nobody else was given that name. So if it differs
  from the name asked for, what is under it was written by this very call, and may be deleted.
* Content is read to its end before the storage is asked to save anything: content that fails
  leaves nothing.
* A file that is replaced is there, or its successor is, at every moment. Where a storage does not
  overwrite, the successor is saved under a free name first; only then the file is deleted.

What a storage does not promise cannot be had through it: two processes that save under one name at
the same moment may find it free, both. :attr:`~DjangoStore.refuses_taken_keys` says whether it can,
and a storage above gives each file a unique name if not.
"""

from __future__ import annotations

import errno
import io
import os
import posixpath
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, ContextManager, Iterator, List, Optional, Tuple

from django.core.files.storage import FileSystemStorage, Storage

from smart_storages.backends.directory import CANNOT_LINK
from smart_storages.backends.disk import needs_directory
from smart_storages.backends.django_classes import has_methods_of
from smart_storages.backends.django_content import OpenedContent, spooled
from smart_storages.backends.django_errors import describe_error, translating
from smart_storages.backends.plain import (
    check_folder,
    check_key,
    describe,
    in_order_of_s3,
    is_name,
    is_temporary,
    refuse_attributes,
    temporary_name,
)
from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.store import Attributes, Found, Need, Store
from smart_storages.backends.turns import turn_at_key, turn_at_storage
from smart_storages.common.compat import IN_MEMORY_STORAGES
from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import ConfigurationError, S3Error

if TYPE_CHECKING:
    from typing import Mapping

__all__ = ["DjangoStore"]

#: How often a name is tried that is taken and then free again.
_TRIES = 3

#: Since when a file is there whose storage does not tell.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)

_NOT_FOUND = 404
_FOLDER = (IsADirectoryError, NotADirectoryError)

#: What a storage raises for a file that is missing, or whose name is that of a folder.
_MISSING = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError)


class DjangoStore(Store):
    """The files of one storage of Django, or of a folder of it.

    Args:
        storage: The storage.
        path: Its class, as the settings name it.
        identity: What is equal for storages of this class with the same arguments.
        folder: The folder, ``""`` for all of them.

    Raises:
        PermissionError: the folder leads out of the storage, or is hidden.
    """

    takes_uploads = False
    signs_urls = False

    def __init__(self, storage: Storage, path: str, identity: str, folder: str = "") -> None:
        check_folder(folder)
        self._storage: Any = storage
        self._path = path
        self._identity = identity
        self._prefix = f"{folder}/" if folder else ""
        self._is_directory = has_methods_of(storage, FileSystemStorage)
        self._is_in_memory = any(has_methods_of(storage, each) for each in IN_MEMORY_STORAGES)
        self.place = f"in a {path.rpartition('.')[2]}"

    @property
    def refuses_taken_keys(self) -> bool:  # type: ignore[override]
        """Whether the class is known to: a directory, or memory, of which no other process knows.

        A subclass with a ``save`` of its own may do anything.
        """
        return self._is_directory or self._is_in_memory

    # Writing

    def put(
        self, key: str, chunks: Iterator[bytes], attributes: Attributes, *, overwrite: bool
    ) -> Stat:
        refuse_attributes(attributes, self.place)
        name = self._name_of(key)
        if not overwrite and self._exists(name):
            raise FileExistsError(key)  # before its content is read
        kind = attributes.headers.get("content-type")
        with spooled(chunks, kind) as content, turn_at_key(self._storage, name), self._turn():
            if self._is_directory:
                self._publish(name, content, overwrite=overwrite)
            elif overwrite:
                self._replace(name, content)
            else:
                self._save_new(name, content)
            return self._find(name, kind).stat

    def _save_new(self, name: str, content: Callable[[], Any]) -> None:
        for _ in range(_TRIES):
            if self._exists(name):
                raise FileExistsError(name)
            saved = self._save(name, content)
            if saved == name:
                return
            self._delete(saved)
            # If it is free again, another writer had it for a moment; or it never is.
        raise self._chooses_names(name, saved)

    def _replace(self, name: str, content: Callable[[], Any]) -> None:
        # To ask any other storage would be one more request.
        is_free = self._has_paths and not self._exists(name)
        save = self._save_or_leave_nothing if is_free else self._save
        saved = save(name, content)
        if saved == name:
            return  # it was free, or the storage overwrites
        try:
            if self._exists(name):
                self._require_file(name)
                self._delete(name)
            again = self._save(name, content)
        except OSError as error:
            if isinstance(error, _FOLDER):
                self._delete(saved)
                raise
            reason = plain_text(error) if isinstance(error, S3Error) else describe_error(error)
            what = f"The file was not replaced; the new one is whole under {saved!r}. {reason}"
            raise S3Error(what) from None
        self._delete(saved)
        if again != name:
            self._delete(again)
            if not self._exists(name):
                raise self._chooses_names(name, again)
            # Another writer has replaced it after this one.

    def _chooses_names(self, name: str, saved: str) -> S3Error:
        return S3Error(
            f"{self._path} saved a file under another name than {name!r}, although that was free: "
            f"{saved!r}. A storage that chooses the names itself cannot keep the files of a "
            "module. The file was deleted."
        )

    def _publish(self, name: str, content: Callable[[], Any], *, overwrite: bool) -> None:
        """Write a file beside the one that is to be, and give it its name when it is whole."""
        temporary = posixpath.join(posixpath.dirname(name), temporary_name())
        beside = self._save_or_leave_nothing(temporary, content)
        try:
            if overwrite:
                os.replace(self._storage.path(beside), self._storage.path(name))
                return
            # A link alone fails if the name is taken, everywhere.
            os.link(self._storage.path(beside), self._storage.path(name))
        except OSError as error:
            if overwrite or error.errno not in CANNOT_LINK:
                raise
            # A disk without links: save() itself fails too, but is seen before it is at its end.
            self._save_new(name, content)
        finally:
            with suppress(OSError):
                self._storage.delete(beside)

    def _save_or_leave_nothing(self, name: str, content: Callable[[], Any]) -> str:
        """Save a file under a name that is free; if that fails, remove what was written until then.

        Django's storages leave it there, for instance if the disk is full.
        """
        try:
            return self._save(name, content)
        except BaseException:
            with suppress(Exception):
                self._storage.delete(name)
            raise

    def _save(self, name: str, content: Callable[[], Any]) -> str:
        with self._asking(), content() as file:
            try:
                return str(self._storage.save(name, file)).replace("\\", "/")
            except FileExistsError:
                # A taken name is not an error of save(): something that is no folder is above it.
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None

    def delete(self, key: str) -> None:
        name = self._name_of(key)
        with self._turn():
            try:
                with self._finding(name):
                    self._require_file(name)
            except FileNotFoundError:
                return
            self._delete(name)

    def _delete(self, name: str) -> None:
        try:
            with self._asking(), self._turn():
                self._storage.delete(name)
        except _MISSING:
            pass
        except Exception:
            if self._exists(name):
                raise

    def _turn(self) -> ContextManager[Any]:
        # The files of a storage in memory are open files, each with one cursor for all.
        return turn_at_storage(self._storage) if self._is_in_memory else nullcontext()

    # Reading

    def open(self, key: str) -> Tuple[Any, Found]:
        name = self._name_of(key)
        with self._finding(name), self._turn():
            # Some storages open a file that is not there, and fail when it is read.
            found = self._find(name)
            with self._asking():
                file: Any = self._storage.open(name, "rb")
                if self._is_in_memory:
                    # Its files are moved and closed by whoever else reads them.
                    file = io.BytesIO(file.read())
            content = OpenedContent(file, self._asking)
            try:
                size, modified = content.measure(has_descriptor=self._has_paths)
            except BaseException:
                content.close()
                raise
        return content, describe(self._identity, name, size, modified or found.stat.modified_time)

    def find(self, key: str) -> Found:
        name = self._name_of(key)
        with self._finding(name), self._turn():
            return self._find(name)

    def entries(self, prefix: str) -> Iterator[Tuple[str, Stat]]:
        folder, _, start = prefix.rpartition("/")
        try:
            top = self._name_of(folder) if folder else self._prefix.rstrip("/")
        except PermissionError:
            return  # no key begins like this
        keys = self._keys_in(top, f"{folder}/" if folder else "", start)
        for key in sorted(keys, key=in_order_of_s3):
            with suppress(FileNotFoundError):
                yield key, self.find(key).stat

    def _keys_in(self, folder: str, keys: str, start: str) -> Iterator[str]:
        waiting: List[Tuple[str, str]] = [(folder, keys)]
        seen = 0
        while waiting:
            where, keys = waiting.pop()
            folders, files = self._list(where)
            for name in folders:
                if seen or name.startswith(start):
                    waiting.append((posixpath.join(where, name), f"{keys}{name}/"))
            yield from (keys + name for name in files if seen or name.startswith(start))
            seen += 1

    def list_folder(self, prefix: str) -> Tuple[List[str], List[str]]:
        try:
            where = self._name_of(prefix.rstrip("/")) if prefix else self._prefix.rstrip("/")
        except PermissionError:
            return [], []
        folders, files = self._list(where)
        return sorted(folders), sorted(files)

    def _list(self, folder: str) -> Tuple[List[str], List[str]]:
        try:
            with self._asking(), self._turn():
                folders, files = self._storage.listdir(folder)
        except NotImplementedError:
            raise S3Error(f"{self._path} has no listdir(): its files cannot be listed.") from None
        except _MISSING:
            return [], []
        except S3Error as error:
            # A server without folders may have none of this name.
            if error.status == _NOT_FOUND or (folder and not self._exists(folder)):
                return [], []
            raise
        # Of a server without folders, the file of a folder may have no name.
        return [*filter(is_name, folders)], [
            name for name in files if is_name(name) and not is_temporary(name)
        ]

    def _find(self, name: str, content_type: Optional[str] = None) -> Found:
        size = self._require_file(name)
        with self._asking(), self._turn():
            try:
                # A naive one is in the time of this process, which Django sets to TIME_ZONE.
                modified = self._storage.get_modified_time(name).astimezone(timezone.utc)
            except NotImplementedError:
                modified = _LONG_AGO
        return describe(self._identity, name, size, modified, content_type)

    @property
    def _has_paths(self) -> bool:
        """Whether its files are those of a disk."""
        return isinstance(self._storage, FileSystemStorage)

    def _require_file(self, name: str) -> int:
        """Return the size of a file; raise for a folder, which some storages delete as a whole."""
        path = self._find_path(name)
        if path is not None and os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with self._asking(), self._turn():
            return int(self._storage.size(name))

    def _find_path(self, name: str) -> Optional[str]:
        if not self._has_paths:
            return None
        with self._asking():
            return str(self._storage.path(name))

    def _exists(self, name: str) -> bool:
        try:
            with self._asking(), self._turn():
                return bool(self._storage.exists(name))
        except _MISSING:
            return False

    @contextmanager
    def _finding(self, name: str) -> Iterator[None]:
        """Make whatever a storage raises for a missing file a ``FileNotFoundError``."""
        try:
            yield
        except _MISSING:
            raise FileNotFoundError(name) from None
        except Exception:
            # Few storages raise what Django's do.
            if self._exists(name):
                raise
            raise FileNotFoundError(name) from None

    def _asking(self) -> translating:
        return translating(self._path)

    def needs(self, *, is_public: bool, by_acl: bool = False) -> Tuple[Need, ...]:
        # What another class needs, such as a bucket, that class alone knows.
        path = self._find_path(self._prefix.rstrip("/"))
        mode = getattr(self._storage, "directory_permissions_mode", None)
        return () if path is None else (needs_directory(path, mode),)

    # Identity and URLs

    def local_path(self, key: str) -> Optional[str]:
        return self._find_path(self._name_of(key))

    def identity(self) -> str:
        return self._identity

    def is_same(self, key: str, other: Store, other_key: str) -> bool:
        if isinstance(other, DjangoStore) and other._storage is self._storage:
            return self._name_of(key) == other._name_of(other_key)
        return super().is_same(key, other, other_key)

    def url(
        self,
        key: str,
        *,
        expires: Optional[int] = None,
        parameters: Optional[Mapping[str, str]] = None,
    ) -> str:
        if parameters:
            raise ValueError(f"{self._path} makes URLs of names alone, without parameters.")
        # Of S3's storage, a question may be the server's: no module of this kind is asked for it.
        found, reason = self._make_url(self._name_of(key))
        if reason:
            raise ConfigurationError(
                f"{self._path} has no URL for a file: {reason}. See which of its 'options' give "
                "it one, such as 'base_url'."
            )
        return found

    def _make_url(self, name: str) -> Tuple[str, str]:
        try:
            return str(self._storage.url(name)), ""
        except Exception as error:
            return "", describe_error(error)

    def _name_of(self, key: str) -> str:
        check_key(key)
        return self._prefix + key
