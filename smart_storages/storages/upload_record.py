"""What was uploaded under which ETag, for files whose ETag does not tell their content."""

from __future__ import annotations

import json
from typing import Any, Collection, Dict, Optional, Tuple

from django.core.files.base import ContentFile

from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.s3.writing.parameters import Written
from smart_storages.exceptions import ObjectNotFoundError

__all__ = ["UploadRecord"]

_VERSION = 1

#: ETag, MD5 of the content before it was compressed, and its encoding.
_Entry = Tuple[str, str, str]


class UploadRecord:
    """A small object beside the static files, read and written only if it is needed.

    A plain PUT gets the MD5 of its content as its ETag, and needs no entry. A compressed file, one
    uploaded in parts and one in a bucket encrypted with KMS gets another ETag: it has an entry. An
    entry counts only while the object still has the same ETag, so a record that is lost, old, or
    written by two deployments at once costs an upload, and never keeps a changed file from one.

    Args:
        storage: The storage of the static files.
    """

    name = ".staticfiles-uploads.json"

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._is_stored = False
        self._known: Optional[Dict[str, _Entry]] = None
        self._noted: Dict[str, Optional[_Entry]] = {}

    def take(self, name: str, stat: Stat) -> bool:
        """Return whether a listed object is this record, which is no static file."""
        self._is_stored = self._is_stored or name == self.name
        return name == self.name

    def confirms(self, name: str, etag: str, digest: str, encoding: str) -> bool:
        """Return whether the object with this ETag was uploaded from this content."""
        return self._entries.get(name) == (etag, digest, encoding)

    def note(self, name: str, written: Written, digest: str, encoding: str) -> None:
        """Note an upload."""
        # Ceph does not name the ETag of an object that was uploaded in parts.
        etag = written.etag or self._storage.stat(name).etag
        tells = not encoding and etag == digest
        self._noted[name] = None if tells else (etag, digest, encoding)

    def save(self, present: Collection[str]) -> None:
        """Write the record if it has changed.

        Args:
            present: Names of the files that are there now; entries of others are dropped.
        """
        if not self._is_stored and not any(self._noted.values()):
            return
        before = self._entries
        merged = {**before, **self._noted}
        entries = {name: entry for name, entry in merged.items() if entry and name in present}
        if entries == before:
            return
        if not entries:
            self._storage.delete_many([self.name])
            return
        text = json.dumps({"version": _VERSION, "files": entries}, sort_keys=True)
        self._storage._upload(self.name, ContentFile(text.encode()), is_hashed=False)

    @property
    def _entries(self) -> Dict[str, _Entry]:
        if self._known is None:
            self._known = self._read() if self._is_stored else {}
        return self._known

    def _read(self) -> Dict[str, _Entry]:
        try:
            with self._storage.open(self.name) as file:
                stored = json.loads(file.read())
            if stored["version"] != _VERSION:
                return {}
            return {
                name: (str(etag), str(digest), str(encoding))
                for name, (etag, digest, encoding) in stored["files"].items()
            }
        except (ObjectNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # without it, files are uploaded once more
