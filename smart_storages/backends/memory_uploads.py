"""Uploads in parts to the memory of this process."""

from __future__ import annotations

import hashlib
import uuid
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import TYPE_CHECKING, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from smart_storages.backends.store import Attributes, Store
from smart_storages.backends.uploads import KEPT_SECONDS, Uploads, require_same
from smart_storages.common.compat import md5
from smart_storages.common.parts import StartedUpload, UploadedPart

if TYPE_CHECKING:
    from smart_storages.backends.s3.stat import Stat

__all__ = ["MemoryUploads"]


class _Upload(NamedTuple):
    key: str
    attributes: Attributes
    started: datetime
    parts: Dict[int, Tuple[UploadedPart, bytes]]


class MemoryUploads(Uploads):
    """The uploads to one bucket in memory.

    Args:
        store: What keeps the objects that they become.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uploads: Dict[str, _Upload] = {}
        self._lock = Lock()

    def create(self, key: str, attributes: Attributes) -> str:
        upload_id = uuid.uuid4().hex
        now = datetime.now(timezone.utc)
        with self._lock:
            before = now - timedelta(seconds=KEPT_SECONDS)
            for old in [each for each in self._uploads if self._uploads[each].started < before]:
                del self._uploads[old]
            self._uploads[upload_id] = _Upload(key, attributes, now, {})
        return upload_id

    def put_part(
        self, key: str, upload_id: str, number: int, chunks: Iterator[bytes]
    ) -> UploadedPart:
        upload = self._get(key, upload_id)
        content = b"".join(chunks)
        digest = md5()
        digest.update(content)
        long_digest = b64encode(hashlib.sha256(content).digest()).decode("ascii")
        part = UploadedPart(number, len(content), digest.hexdigest(), long_digest)
        upload.parts[number] = (part, content)
        return part

    def parts(self, key: str, upload_id: str) -> List[UploadedPart]:
        kept = dict(self._get(key, upload_id).parts)
        return [kept[number][0] for number in sorted(kept)]

    def complete(
        self, key: str, upload_id: str, parts: Sequence[UploadedPart], *, overwrite: bool
    ) -> Stat:
        upload = self._get(key, upload_id)
        kept = dict(upload.parts)
        require_same(parts, [part for part, _ in kept.values()])
        contents = iter([kept[part.number][1] for part in parts])
        try:
            stat = self._store.put(key, contents, upload.attributes, overwrite=overwrite)
        except FileExistsError:
            # Of two that complete one upload, the second finds the name taken by the first.
            self._get(key, upload_id)
            raise
        self.abort(key, upload_id)
        return stat

    def abort(self, key: str, upload_id: str) -> None:
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is not None and upload.key == key:
                del self._uploads[upload_id]

    def open_uploads(self, prefix: str) -> Iterator[StartedUpload]:
        with self._lock:
            found = [
                StartedUpload(each.key, upload_id, each.started)
                for upload_id, each in self._uploads.items()
                if each.key.startswith(prefix)
            ]
        yield from sorted(found)

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a forked child nobody does."""
        self._lock = Lock()

    def _get(self, key: str, upload_id: str) -> _Upload:
        upload = self._uploads.get(upload_id)
        if upload is None or upload.key != key:
            raise FileNotFoundError(upload_id)
        return upload
