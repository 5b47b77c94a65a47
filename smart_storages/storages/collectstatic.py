"""One run of ``collectstatic``: what the bucket holds, and what is to be uploaded at its end."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from datetime import datetime, timezone
from threading import Lock
from types import FrameType
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from storages.utils import clean_name

from smart_storages.backends.s3.bulk import run_many
from smart_storages.backends.s3.stat import Stat
from smart_storages.common.compat import cache, md5
from smart_storages.exceptions import ContentMismatchError
from smart_storages.storages.neighbours import names_of_others
from smart_storages.storages.upload_record import UploadRecord

__all__ = ["Call", "Collection", "find_call"]

_COMMAND = "django.contrib.staticfiles.management.commands.collectstatic"

#: What collectstatic is told about the time of a file: its content decides, so it is far from
#: every real time.
NEWER_THAN_ANY = datetime(9000, 1, 1, tzinfo=timezone.utc)
OLDER_THAN_ANY = datetime(1971, 1, 1, tzinfo=timezone.utc)

_IN_MEMORY = 32 * 1024**2
_CHUNK = 1024**2

#: Where a source file is: the storage of a finder, and the path in it.
SourceFile = Tuple[Storage, str]


class Call(NamedTuple):
    """A call that comes from ``collectstatic``.

    Args:
        frame: The frame of ``Command.collect``.
        source: The file of a finder that the command is comparing with ours, if it is.
        is_clearing: Whether the command is deleting everything, for ``--clear``.
    """

    frame: FrameType
    source: Optional[SourceFile]
    is_clearing: bool

    @property
    def command(self) -> Any:
        return self.frame.f_locals.get("self")


def find_call() -> Optional[Call]:
    """Return the running ``collectstatic`` that calls this thread's code, ``None`` if none does.

    Django's command tells its storage neither that it starts nor which file it compares; both
    stand in its frames on the stack. Outside of the command this is one look into a dict.
    """
    module = sys.modules.get(_COMMAND)
    if module is None:
        return None
    collect, delete_file, clear_dir = _codes_of(module.Command)
    source: Optional[SourceFile] = None
    is_clearing = False
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None:
        if frame.f_code is collect:
            return Call(frame, source, is_clearing)
        if frame.f_code is delete_file:
            known = frame.f_locals
            if "source_storage" in known and "path" in known:
                source = (known["source_storage"], known["path"])
        is_clearing = is_clearing or frame.f_code is clear_dir
        frame = frame.f_back
    return None


@cache
def _codes_of(command: Any) -> Tuple[Any, ...]:
    methods = (getattr(command, name, None) for name in ("collect", "delete_file", "clear_dir"))
    return tuple(getattr(method, "__code__", None) for method in methods)


class _Content(NamedTuple):
    """The content of a file that was saved.

    Args:
        path: The file on disk that has it; ``None`` if the run keeps it itself.
        place: Size and time of that file, to see whether it changes; or start and size among what
            the run keeps.
        digest: The MD5.
    """

    path: Optional[str]
    place: Tuple[int, int]
    digest: str


class Collection:
    """What one run of ``collectstatic`` sees and does; the storage asks it in the bucket's place.

    The bucket is listed once. Saves are noted, and written in parallel at the end; a delete only
    hides a file from the run, unless it is for ``--clear``. So a run that fails or is killed before
    its end has changed nothing that the previous one published.

    Args:
        storage: The storage that the command saves to.
        call: The first call of the run.
    """

    def __init__(self, storage: Any, call: Call) -> None:
        self._storage = storage
        self._call = call
        self._command = call.command
        self._is_processing = bool(getattr(self._command, "post_process", True))
        self._record = UploadRecord(storage)
        # Of other storages in the bucket: no static files, and not to be cleared away.
        others = names_of_others(storage)
        self._stats: Dict[str, Stat] = {
            name: stat
            for name, stat in storage.iter_files()
            if not self._record.take(name, stat) and not name.startswith(others)
        }
        #: What a file system would hold now.
        self._present: Set[str] = set(self._stats)
        self._folders: Set[str] = set()
        for name in self._present:
            self._add_folders(name)
        self._uploads: Dict[str, _Content] = {}
        self._cleared: Set[str] = set()
        self._sources: Dict[str, SourceFile] = {}
        self._tree: Optional[Dict[str, Tuple[Set[str], List[str]]]] = None
        self._spool = _Spool()
        self._install()

    def is_of(self, call: Call) -> bool:
        """Return whether a call belongs to this run."""
        return call.frame is self._call.frame

    # What the command asks

    def exists(self, name: str) -> bool:
        name = clean_name(name)
        if not name:
            return bool(self._present)
        return name in self._present or name in self._folders

    def listdir(self, path: str) -> Tuple[List[str], List[str]]:
        if self._tree is None:
            self._tree = {}
            for name in sorted(self._present):
                self._add_to_tree(self._tree, name)
        folders, files = self._tree.get(clean_name(path).strip("/"), (set(), []))
        return sorted(folders), files

    @staticmethod
    def _add_to_tree(tree: Dict[str, Tuple[Set[str], List[str]]], name: str) -> None:
        folder, _, file = name.rpartition("/")
        tree.setdefault(folder, (set(), []))[1].append(file)
        while folder:
            parent, _, last = folder.rpartition("/")
            tree.setdefault(parent, (set(), []))[0].add(last)
            folder = parent

    def modified_time(self, name: str, source: Optional[SourceFile]) -> Optional[datetime]:
        """Return a time that makes the command copy a file exactly if its content changed.

        Returns:
            ``None`` if nothing is known about the file.
        """
        name = clean_name(name)
        stat = self._stats.get(name)
        if stat is None or name not in self._present:
            return OLDER_THAN_ANY if name in self._folders else None
        if source is None:  # a command of another shape, which may compare times
            return stat.modified_time
        storage, path = source
        with storage.open(path) as file:
            digest = _digest(file)
        return NEWER_THAN_ANY if self._is_stored(name, digest) else OLDER_THAN_ANY

    def open(self, name: str) -> Optional[Any]:
        """Return a file that is open for reading, ``None`` if only the bucket has it.

        Raises:
            IsADirectoryError: as a file system does for a folder.
        """
        name = clean_name(name)
        if name in self._uploads:
            return self._open_content(self._uploads[name], name)
        if name in self._sources and name in self._present:
            storage, path = self._sources[name]
            return storage.open(path)
        if name in self._folders and name not in self._present:
            raise IsADirectoryError(name)
        return None

    # What the command orders

    def delete(self, name: str, *, is_clearing: bool) -> None:
        name = clean_name(name)
        self._present.discard(name)
        self._uploads.pop(name, None)
        if is_clearing and name in self._stats:
            self._cleared.add(name)

    def save(self, name: str, content: Any) -> str:
        """Note a file; it is uploaded at the end if its content is not there already."""
        name = clean_name(name)
        noted = self._note(content)
        if self._is_stored(name, noted.digest):
            self._uploads.pop(name, None)
        else:
            self._uploads[name] = noted
        self._present.add(name)
        self._add_folders(name)
        return name

    def _add_folders(self, name: str) -> None:
        folder = name.rpartition("/")[0]
        while folder and folder not in self._folders:
            self._folders.add(folder)
            folder = folder.rpartition("/")[0]

    def _is_stored(self, name: str, digest: str) -> bool:
        stat = self._stats.get(name)
        if stat is None or name in self._cleared:
            return False
        encoding = self._storage._find_encoding(name)
        # The ETag of a plain PUT is the MD5 of its content. That of a compressed, multipart or
        # KMS-encrypted object is not, and is looked up in what earlier runs have recorded.
        if not encoding and stat.etag == digest:
            return True
        return self._record.confirms(name, stat.etag, digest, encoding)

    def _note(self, content: Any) -> _Content:
        if hasattr(content, "seek"):
            content.seek(0)
        digest = _digest(content)
        path = _find_path(content)
        if path is not None:
            return _Content(path, _describe(path), digest)
        content.seek(0)
        return _Content(None, self._spool.add(content.read()), digest)

    def _open_content(self, noted: _Content, name: str) -> File[bytes]:
        if noted.path is None:
            return ContentFile(self._spool.read(*noted.place), name)
        file = File(open(noted.path, "rb"), name)  # noqa: SIM115 - the caller closes it
        if _describe(noted.path) != noted.place:
            file.close()
            raise ContentMismatchError(
                f"The file {noted.path!r} changed while collectstatic ran. Run it again.",
                **self._storage.s3_target().places(name),
            )
        return file

    # The end

    def _install(self) -> None:
        # On the instance, in front of any post_process() that the class or its mixins may have,
        # and there even if they have none: it is the one call that Django makes at the end.
        kept = self._storage.__dict__
        self._post_process = getattr(self._storage, "post_process", None)
        self._save_manifest = getattr(self._storage, "save_manifest", None)
        self._command.post_process = True
        kept["post_process"] = self.post_process
        if self._save_manifest is not None:
            kept["save_manifest"] = self.save_manifest

    def end(self) -> None:
        """Give the storage its own methods back; once, for the next run may have begun."""
        if self._storage.__dict__.get("_collection") is not self:
            return
        for name in ("post_process", "save_manifest", "_collection"):
            self._storage.__dict__.pop(name, None)
        self._command.post_process = self._is_processing
        self._spool.close()

    def post_process(
        self, paths: Dict[str, SourceFile], dry_run: bool = False, **options: Any
    ) -> Iterator[Any]:
        """Run the storage's own ``post_process``, if it is wanted; then upload everything."""
        try:
            self._sources = {clean_name(name): source for name, source in paths.items()}
            if self._is_processing and self._post_process is not None:
                yield from self._post_process(paths, dry_run=dry_run, **options)
            if not dry_run:
                self._finish()
        finally:
            self.end()

    def save_manifest(self) -> None:
        """Save the manifest, when all that it names is there."""
        self._upload(self._list_files())
        self._save_manifest()  # type: ignore[misc]

    def _list_files(self) -> List[str]:
        manifest = getattr(self._storage, "manifest_name", None)
        return [name for name in self._uploads if name != manifest]

    def _finish(self) -> None:
        self._upload(self._list_files())
        self._upload(list(self._uploads))
        self._record.save(self._present)
        gone = self._cleared - self._present
        for error in self._storage.delete_many(sorted(gone)).values() if gone else ():
            raise error

    def _upload(self, names: List[str]) -> None:
        hashed = self._find_hashed()

        def upload(name: str) -> Tuple[str, str]:
            noted = self._uploads[name]
            with self._open_content(noted, name) as file:
                written, encoding = self._storage._upload(name, file, is_hashed=name in hashed)
            self._record.note(name, written, noted.digest, encoding)
            return written, encoding

        threads = self._storage.count_threads()
        for name, _, error in run_many(upload, names, threads=threads):
            if error is not None:
                raise error
            del self._uploads[name]

    def _find_hashed(self) -> Set[str]:
        if not self._is_processing or self._post_process is None:
            return set()  # hashed_files, if there are any, are those of an earlier run
        hashed: Dict[str, str] = getattr(self._storage, "hashed_files", {})
        return {new for old, new in hashed.items() if new != old}


class _Spool:
    """Contents one behind the other: in memory, on disk if they are many."""

    def __init__(self) -> None:
        self._file: Optional[Any] = None
        self._lock = Lock()

    def add(self, content: Any) -> Tuple[int, int]:
        body = content.encode() if isinstance(content, str) else content
        with self._lock:
            if self._file is None:
                self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
            start = self._file.seek(0, os.SEEK_END) or self._file.tell()
            self._file.write(body)
        return start, len(body)

    def read(self, start: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(start)  # type: ignore[union-attr]
            return bytes(self._file.read(size))  # type: ignore[union-attr]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _digest(content: Any) -> str:
    digest = md5()
    for chunk in content.chunks(_CHUNK):
        digest.update(chunk.encode() if isinstance(chunk, str) else chunk)
    return str(digest.hexdigest())


def _find_path(content: Any) -> Optional[str]:
    """Return the path of the file that a content is, ``None`` if it is not just a file on disk."""
    file = getattr(content, "file", None)
    if not isinstance(content, File) or not isinstance(file, io.BufferedReader):
        return None
    if not isinstance(file.raw, io.FileIO) or not isinstance(file.name, str):
        return None
    return os.path.abspath(file.name)


def _describe(path: str) -> Tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns
