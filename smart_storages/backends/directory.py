"""Objects as files of a directory: readable with any program, and written whole or not at all.

The files of the bucket ``acme`` are below ``<root>/acme/``. What S3 keeps beside the content is in
``<root>/.smart-storages/``, in a file that is named after the key and after the very version of
the content: it is written before the content is published, so that a reader never gets the
attributes of another version, and kept for a minute after that, for whoever still reads the older
one. A file that was copied or touched is another version; its attributes are those of a known one
with the same bytes. A file that somebody else put there has none; its type is guessed from its
name.
"""

from __future__ import annotations

import errno
import hashlib
import io
import mimetypes
import os
import uuid
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Sequence, Tuple

from smart_storages.backends.directory_uploads import DirectoryUploads
from smart_storages.backends.disk import (
    PART,
    needs_directory,
    read_json,
    remove_older,
    status_of,
    write_json,
)
from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.store import Attributes, Found, Need, Store
from smart_storages.common.compat import md5

if TYPE_CHECKING:
    from typing import Any

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where NTFS has links
    fcntl = None  # type: ignore[assignment]

__all__ = ["CANNOT_LINK", "DirectoryStore", "is_folder_name", "known_roots", "remember_root"]

#: The folder of the root that is not a bucket; no bucket has a name that begins with a dot.
PRIVATE = ".smart-storages"

#: How often a file is published again because its folder was removed meanwhile.
_TRIES = 100

_CHUNK = 1024**2

#: Seconds for which the attributes of an older version are kept.
_READING = 60
_OLD = ".old"

#: Seconds without a byte after which a writer is dead, and its unfinished file removed.
_DAY = 24 * 60 * 60
_LOCK = "lock"

#: The roots that storages of this process use.
known_roots: Dict[str, None] = {}
_MOST_ROOTS = 1_000

#: What a disk says that has no links.
CANNOT_LINK = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)


def is_folder_name(bucket: str) -> bool:
    """Return whether a bucket can be a folder of the root: it is in it, and not hidden."""
    return bool(bucket) and not bucket.startswith(".") and not {"/", "\\", "\0"} & {*bucket}


def remember_root(root: str) -> None:
    """Let the view look for files in a directory that a storage of this process uses."""
    if len(known_roots) < _MOST_ROOTS:
        known_roots.setdefault(root)


class DirectoryStore(Store):
    """The objects of one bucket.

    Args:
        root: The directory of all buckets; it is made when the first file is saved.
        bucket: Name of the bucket, which is the name of its folder.
        file_mode: Permissions of files, ``None`` for those of the process.

    Raises:
        PermissionError: the bucket's name leads out of the root, or is hidden.
    """

    def __init__(self, root: str, bucket: str, file_mode: Optional[int] = None) -> None:
        if not is_folder_name(bucket):
            raise PermissionError(errno.EACCES, f"{bucket!r} is not the name of a folder")
        self._root = Path(root)
        self._bucket = self._root / bucket
        self._file_mode = file_mode
        self._attributes = self._root / PRIVATE / "attributes" / bucket
        self._unfinished = self._root / PRIVATE / "unfinished"
        self.place = f"in the directory {self._bucket}"

    # Writing

    def put(
        self, key: str, chunks: Iterator[bytes], attributes: Attributes, *, overwrite: bool
    ) -> Stat:
        if not overwrite and status_of(self._path_of(key)) is not None:
            raise FileExistsError(key)  # before its content is written
        try:
            self._unfinished.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError) as error:  # of the directory, not of the key
            raise NotADirectoryError(errno.ENOTDIR, f"{self._unfinished} cannot be made") from error
        remove_older(self._unfinished, _DAY, lambda name: name != _LOCK)
        part = self._unfinished / uuid.uuid4().hex
        beside: Optional[Path] = None
        is_published = False
        try:
            etag = self._write(part, chunks)
            status = part.stat()
            beside = self._describe(key, status, attributes, etag)
            replaced = self._publish(part, self._path_of(key), overwrite=overwrite)
            is_published = True
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
            if beside is not None and not is_published:
                beside.unlink()
        if replaced is not None:
            self._age(self._beside(key, replaced))
        self._sweep(key, status)
        return self._stat_of(key, status, attributes, etag)

    def _write(self, part: Path, chunks: Iterator[bytes]) -> str:
        digest = md5()
        with part.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
            file.flush()
            os.fsync(file.fileno())
        if self._file_mode is not None:
            part.chmod(self._file_mode)
        return str(digest.hexdigest())

    def _publish(self, part: Path, path: Path, *, overwrite: bool) -> Optional[os.stat_result]:
        """Give a finished file its name; return the status of the file that it replaced."""
        for tries_left in reversed(range(_TRIES)):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                replaced = status_of(path)
                if overwrite:
                    os.replace(part, path)
                else:
                    self._take_name(part, path)
            except (FileNotFoundError, FileExistsError) as error:
                # A delete has removed the folder because it was empty; or made room for it.
                if path.exists() and not overwrite:
                    raise FileExistsError(str(path)) from error
                self._raise_for_files_above(path)
                if not tries_left:
                    raise OSError(errno.EBUSY, "Others change the folder all the time") from error
            else:
                return replaced
        raise AssertionError("unreachable")

    def _raise_for_files_above(self, path: Path) -> None:
        for folder in path.parents:
            if folder == self._bucket.parent:
                return
            if status_of(folder) is not None:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    def _take_name(self, part: Path, path: Path) -> None:
        # Of all that gives a file a name, a link alone fails if the name is taken, everywhere.
        try:
            os.link(part, path)
            return
        except OSError as error:
            if error.errno not in CANNOT_LINK or fcntl is None:
                raise
        # A disk without links: one writer after the other.
        with (self._unfinished / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.lexists(path):
                raise FileExistsError(str(path))
            os.replace(part, path)

    def delete(self, key: str) -> None:
        path = self._path_of(key)
        status = status_of(path)
        if status is None:
            return
        with suppress(FileNotFoundError):
            path.unlink()
        self._age(self._beside(key, status))
        self._sweep(key, None)
        # S3 has no folders: one without files does not exist.
        for folder in path.parents:
            if folder == self._bucket:
                return
            try:
                folder.rmdir()
            except OSError:
                return

    # Reading

    def open(self, key: str) -> Tuple[Any, Found]:
        path = self._path_of(key)
        if status_of(path) is None:
            raise FileNotFoundError(key)
        try:
            file = io.FileIO(str(path))
        except NotADirectoryError as error:
            raise FileNotFoundError(key) from error
        try:
            return file, self._find(key, os.fstat(file.fileno()))
        except BaseException:
            file.close()
            raise

    def find(self, key: str) -> Found:
        status = status_of(self._path_of(key))
        if status is None:
            raise FileNotFoundError(key)
        return self._find(key, status)

    def entries(self, prefix: str) -> Iterator[Tuple[str, Stat]]:
        folder, _, start = prefix.rpartition("/")
        for key in sorted(self._keys_in(folder, start), key=os.fsencode):
            with suppress(FileNotFoundError):
                yield key, self.find(key).stat

    def _keys_in(self, folder: str, start: str) -> Iterator[str]:
        # Only the first folder is narrowed by the beginning of a name.
        try:
            top = self._path_of(folder) if folder else self._bucket
        except PermissionError:
            return  # no key begins like this
        waiting: List[Tuple[str, str]] = [(str(top), f"{folder}/" if folder else "")]
        is_first = True
        while waiting:
            where, keys = waiting.pop()
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(where) as found:
                for entry in found:
                    if is_first and not entry.name.startswith(start):
                        continue
                    # Not those behind links, which may lead in a circle.
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, f"{keys}{entry.name}/"))
                    elif entry.is_file():
                        yield keys + entry.name
            is_first = False

    def list_folder(self, prefix: str) -> Tuple[List[str], List[str]]:
        folders: List[str] = []
        files: List[str] = []
        try:
            where = self._path_of(prefix.rstrip("/")) if prefix else self._bucket
            with os.scandir(where) as found:
                for entry in found:
                    if entry.is_dir():
                        folders.append(entry.name)
                    elif entry.is_file():  # and no socket, and no link that leads nowhere
                        files.append(entry.name)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return [], []
        return sorted(folders), sorted(files)

    def local_path(self, key: str) -> str:
        return str(self._path_of(key))

    def needs(self, *, is_public: bool, by_acl: bool = False) -> Sequence[Need]:
        return [needs_directory(str(self._bucket))]

    def uploads(self) -> DirectoryUploads:
        return DirectoryUploads(self._root / PRIVATE / "uploads" / self._bucket.name, self)

    def identity(self) -> str:
        return f"directory {os.path.realpath(self._root)}"

    def file_on_disk(self, key: str) -> Tuple[str, str]:
        return str(self._root), self._path_of(key).relative_to(self._root).as_posix()

    def _path_of(self, key: str) -> Path:
        # A storage has refused such names already; the view takes its keys from a URL. Of "a//b" a
        # disk makes "a/b", which in S3 is another object.
        is_name = key and "\0" not in key and os.path.normpath(key) == key
        path = self._bucket / key
        if not is_name or key.startswith(("/", "..")) or self._bucket not in path.parents:
            raise PermissionError(errno.EACCES, f"The key {key!r} cannot be that of a file")
        return path

    # What is kept beside the content

    def _beside(self, key: str, status: os.stat_result) -> Path:
        name = hashlib.sha256(os.fsencode(key)).hexdigest()
        version = f"{status.st_ino:x}-{status.st_mtime_ns:x}"
        return self._attributes / name[:2] / f"{name}-{version}.json"

    def _describe(
        self, key: str, status: os.stat_result, attributes: Attributes, etag: str
    ) -> Path:
        path = self._beside(key, status)
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {
            "key": key,
            "size": status.st_size,
            "etag": etag,
            "headers": dict(attributes.headers),
            "metadata": dict(attributes.metadata),
            "is_public": attributes.is_public,
        }
        write_json(path, kept)
        return path

    def _find(self, key: str, status: os.stat_result) -> Found:
        beside = self._beside(key, status)
        kept = read_json(beside) or read_json(Path(f"{beside}{_OLD}")) or self._adopt(key, status)
        attributes = Attributes(
            kept.get("headers", {}), kept.get("metadata", {}), kept.get("is_public", False)
        )
        return Found(self._stat_of(key, status, attributes, kept.get("etag")), attributes)

    def _adopt(self, key: str, status: os.stat_result) -> Dict[str, Any]:
        """Return the attributes of a known version with the same bytes, if there is one."""
        known = [kept for kept in map(read_json, self._versions_of(key)) if kept is not None]
        fitting = [kept for kept in known if kept.get("size") == status.st_size]
        if not fitting:
            return {}
        try:
            with self._path_of(key).open("rb") as file:
                digest = md5()
                for chunk in iter(lambda: file.read(_CHUNK), b""):
                    digest.update(chunk)
                is_this = os.fstat(file.fileno()).st_ino == status.st_ino
        except OSError:  # it was deleted meanwhile
            return {}
        same = [kept for kept in fitting if is_this and kept.get("etag") == digest.hexdigest()]
        if not same:
            return {}
        # The next reader need not read the file for it.
        with suppress(OSError):
            write_json(self._beside(key, status), same[0])
        return same[0]

    def _versions_of(self, key: str) -> List[Path]:
        anyone = self._beside(key, os.stat(os.curdir))
        start = anyone.name.partition("-")[0]
        return list(anyone.parent.glob(f"{start}-*.json"))

    def _stat_of(
        self, key: str, status: os.stat_result, attributes: Attributes, etag: Optional[str]
    ) -> Stat:
        return Stat(
            size=status.st_size,
            modified_time=datetime.fromtimestamp(status.st_mtime, timezone.utc),
            etag=etag or f"{status.st_mtime_ns:x}-{status.st_size:x}",
            content_type=attributes.headers.get("content-type") or mimetypes.guess_type(key)[0],
            content_encoding=attributes.headers.get("content-encoding"),
            metadata=attributes.metadata,
        )

    def _age(self, beside: Path) -> None:
        """Let the attributes of a version that is gone be found for a minute."""
        with suppress(FileNotFoundError):
            os.utime(beside)
            os.replace(beside, f"{beside}{_OLD}")

    def _sweep(self, key: str, current: Optional[os.stat_result]) -> None:
        """Remove attributes that nobody reads any more, of this key and of its neighbours."""
        kept = "" if current is None else self._beside(key, current).name
        folder = self._beside(key, current or os.stat(os.curdir)).parent
        mine = hashlib.sha256(os.fsencode(key)).hexdigest()

        def is_old(name: str) -> bool:
            # Of a writer that another overtook, or one that was killed.
            is_overtaken = current is not None and name.startswith(mine) and name != kept
            return is_overtaken or name.endswith((_OLD, PART))

        remove_older(folder, _READING, is_old)
