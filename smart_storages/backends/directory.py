"""Objects as files of a directory: readable with any program, and written whole or not at all.

The files of the bucket ``acme`` are below ``<root>/acme/``. What S3 keeps beside the content is in
``<root>/.smart-storages/``, in a file that is named after the key and after the very version of
the content: it is written before the content is published, so that a reader never gets the
attributes of another version. A file that somebody else put there has no attributes; its type is
guessed from its name.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import mimetypes
import os
import stat as kinds
import uuid
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, Optional, Tuple

from smart_storages.backends.store import Attributes, Found, Store
from smart_storages.common.compat import md5
from smart_storages.s3.stat import Stat

if TYPE_CHECKING:
    from typing import Any

__all__ = ["DirectoryStore"]

#: The folder of the root that is not a bucket; no bucket has a name that begins with a dot.
PRIVATE = ".smart-storages"

#: How often a file is published again because its folder was removed meanwhile.
_TRIES = 10

_CANNOT_LINK = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)


class DirectoryStore(Store):
    """The objects of one bucket.

    Args:
        root: The directory of all buckets; it is made when the first file is saved.
        bucket: Name of the bucket, which is the name of its folder.
        file_mode: Permissions of files, ``None`` for those of the process.
    """

    def __init__(self, root: str, bucket: str, file_mode: Optional[int] = None) -> None:
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
        if not overwrite and _status_of(self._path_of(key)) is not None:
            raise FileExistsError(key)  # before its content is written
        self._unfinished.mkdir(parents=True, exist_ok=True)
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
            self._forget(key, replaced)
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
            self._make_folder(path.parent)
            replaced = _status_of(path)
            try:
                if overwrite:
                    os.replace(part, path)
                else:
                    _link(part, path)
            except FileNotFoundError:
                # A delete has removed the folder because it was empty.
                if not tries_left:
                    raise
            else:
                return replaced
        raise AssertionError("unreachable")

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:  # a part of the key is a file
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error

    def delete(self, key: str) -> None:
        path = self._path_of(key)
        status = _status_of(path)
        if status is None:
            return
        with suppress(FileNotFoundError):
            path.unlink()
        self._forget(key, status)
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
        if _status_of(path) is None:
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
        status = _status_of(self._path_of(key))
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
        top = self._path_of(folder) if folder else self._bucket
        waiting: List[Tuple[str, str]] = [(str(top), f"{folder}/" if folder else "")]
        is_first = True
        while waiting:
            where, keys = waiting.pop()
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(where) as found:
                for entry in found:
                    if is_first and not entry.name.startswith(start):
                        continue
                    if entry.is_dir():
                        waiting.append((entry.path, f"{keys}{entry.name}/"))
                    elif entry.is_file():
                        yield keys + entry.name
            is_first = False

    def identity(self) -> str:
        return f"directory {os.path.realpath(self._root)}"

    def _path_of(self, key: str) -> Path:
        path = Path(os.path.normpath(self._bucket / key))
        # A storage has refused such names already; the view takes its keys from a URL.
        if self._bucket not in path.parents or "\0" in key:
            raise PermissionError(errno.EACCES, f"The key {key!r} leads out of the bucket")
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
        text = json.dumps(
            {
                "key": key,
                "etag": etag,
                "headers": dict(attributes.headers),
                "metadata": dict(attributes.metadata),
                "is_public": attributes.is_public,
            }
        )
        path.write_text(text, encoding="utf-8")
        return path

    def _find(self, key: str, status: os.stat_result) -> Found:
        try:
            kept = json.loads(self._beside(key, status).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            kept = {}
        attributes = Attributes(
            kept.get("headers", {}), kept.get("metadata", {}), kept.get("is_public", False)
        )
        return Found(self._stat_of(key, status, attributes, kept.get("etag")), attributes)

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

    def _forget(self, key: str, status: os.stat_result) -> None:
        with suppress(FileNotFoundError):
            self._beside(key, status).unlink()


def _status_of(path: Path) -> Optional[os.stat_result]:
    """Return the status of a file, ``None`` if there is none: a folder is no object."""
    try:
        status = path.stat()
    except OSError as error:
        # S3 takes longer names than a disk; of those, too, there is no file.
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise
        return None
    return status if kinds.S_ISREG(status.st_mode) else None


def _link(part: Path, path: Path) -> None:
    # Of all that gives a file a name, this alone fails if the name is taken, everywhere.
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        # A file system without links: whoever makes the empty file has the name.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        os.replace(part, path)
