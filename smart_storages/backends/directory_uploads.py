"""Uploads in parts to a directory: each a folder beside the buckets, each part a file in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from base64 import b64encode
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

from smart_storages.backends.store import Attributes, Store
from smart_storages.backends.uploads import KEPT_SECONDS, Uploads, require_same
from smart_storages.common.compat import md5
from smart_storages.common.parts import StartedUpload, UploadedPart

if TYPE_CHECKING:
    from smart_storages.backends.s3.stat import Stat

__all__ = ["DirectoryUploads"]

_ABOUT = "upload.json"
_CHUNK = 1024**2

_is_upload_id = re.compile(r"[0-9a-f]{32}").fullmatch
_read_name = re.compile(r"(\d{5})-([0-9a-f]{32})-([0-9a-f]{32})-([0-9a-f]{64})").fullmatch


class _Part(NamedTuple):
    """A part, and where it is kept."""

    uploaded: UploadedPart
    path: Path
    saved: int


class DirectoryUploads(Uploads):
    """The uploads to one bucket of a directory.

    Args:
        folder: Where they are kept.
        store: What keeps the objects that they become.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store

    def create(self, key: str, attributes: Attributes) -> str:
        self._sweep()
        upload_id = uuid.uuid4().hex
        folder = self._folder / upload_id
        folder.mkdir(parents=True)
        about = {
            "key": key,
            "headers": dict(attributes.headers),
            "metadata": dict(attributes.metadata),
            "is_public": attributes.is_public,
            "started": time.time(),
        }
        part = folder / f"{uuid.uuid4().hex}.part"
        part.write_text(json.dumps(about), encoding="utf-8")
        os.replace(part, folder / _ABOUT)
        return upload_id

    def put_part(
        self, key: str, upload_id: str, number: int, chunks: Iterator[bytes]
    ) -> UploadedPart:
        folder = self._folder_of(key, upload_id)
        unfinished = folder / f"{uuid.uuid4().hex}.part"
        digest, long_digest, size = md5(), hashlib.sha256(), 0
        try:
            with unfinished.open("xb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    digest.update(chunk)
                    long_digest.update(chunk)
                    size += len(chunk)
                file.flush()
                os.fsync(file.fileno())
            # What is known about a part is in its name, so that both appear in one step.
            name = f"{number:05}-{unfinished.stem}-{digest.hexdigest()}-{long_digest.hexdigest()}"
            older = [part.path for part in self._arrived(folder) if part.uploaded.number == number]
            os.replace(unfinished, folder / name)
        except BaseException:
            with suppress(FileNotFoundError):
                unfinished.unlink()
            raise
        for path in older:
            with suppress(FileNotFoundError):
                path.unlink()
        return UploadedPart(number, size, digest.hexdigest(), _as_base64(long_digest.hexdigest()))

    def parts(self, key: str, upload_id: str) -> List[UploadedPart]:
        return [part.uploaded for part in self._newest(self._folder_of(key, upload_id))]

    def complete(
        self, key: str, upload_id: str, parts: Sequence[UploadedPart], *, overwrite: bool
    ) -> Stat:
        folder = self._folder_of(key, upload_id)
        arrived = self._newest(folder)
        require_same(parts, [part.uploaded for part in arrived])
        paths = {part.uploaded.number: part.path for part in arrived}
        about = self._about(folder)
        attributes = Attributes(about["headers"], about["metadata"], about["is_public"])
        chunks = _read_all([paths[part.number] for part in parts])
        try:
            stat = self._store.put(key, chunks, attributes, overwrite=overwrite)
        except FileExistsError:
            # Of two that complete one upload, the second finds the name taken by the first.
            self._folder_of(key, upload_id)
            raise
        _remove(folder)
        return stat

    def abort(self, key: str, upload_id: str) -> None:
        with suppress(FileNotFoundError):
            _remove(self._folder_of(key, upload_id))

    def open_uploads(self, prefix: str) -> Iterator[StartedUpload]:
        found = []
        for folder in self._folders():
            about = self._about(folder)
            if about and about["key"].startswith(prefix):
                started = datetime.fromtimestamp(about["started"], timezone.utc)
                found.append(StartedUpload(about["key"], folder.name, started))
        yield from sorted(found)

    def _folders(self) -> List[Path]:
        with suppress(FileNotFoundError):
            return [each for each in self._folder.iterdir() if _is_upload_id(each.name)]
        return []

    def _folder_of(self, key: str, upload_id: str) -> Path:
        # An identifier comes from a URL: it must not lead out of the folder.
        folder = self._folder / upload_id if _is_upload_id(upload_id) else None
        if folder is None or self._about(folder).get("key") != key:
            raise FileNotFoundError(upload_id)
        return folder

    @staticmethod
    def _about(folder: Path) -> Dict[str, Any]:
        try:
            kept: Dict[str, Any] = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return kept

    @staticmethod
    def _arrived(folder: Path) -> List[_Part]:
        found = []
        for path in folder.iterdir():
            about = _describe(path)
            if about is not None:
                found.append(about)
        return found

    def _newest(self, folder: Path) -> List[_Part]:
        newest: Dict[int, _Part] = {}
        for part in sorted(self._arrived(folder), key=lambda part: part.saved):
            newest[part.uploaded.number] = part
        return [newest[number] for number in sorted(newest)]

    def _sweep(self) -> None:
        before = time.time() - KEPT_SECONDS
        for folder in self._folders():
            with suppress(OSError):
                if folder.stat().st_mtime < before:  # of the last part that arrived
                    _remove(folder)


def _describe(path: Path) -> Optional[_Part]:
    named = _read_name(path.name)
    if named is None:
        return None
    try:
        status = path.stat()
    except FileNotFoundError:  # a newer one has replaced it
        return None
    part = UploadedPart(int(named[1]), status.st_size, named[3], _as_base64(named[4]))
    return _Part(part, path, status.st_mtime_ns)


def _as_base64(digits: str) -> str:
    return b64encode(bytes.fromhex(digits)).decode("ascii")


def _read_all(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")


def _remove(folder: Path) -> None:
    # First what makes it an upload: nobody sees one of which half is gone.
    with suppress(FileNotFoundError):
        (folder / _ABOUT).unlink()
    shutil.rmtree(folder, ignore_errors=True)
