"""A file whose content a storage has already: uploaded straight to it, and not yet saved."""

from __future__ import annotations

import os
import posixpath
from typing import Any, Optional

from django.core.files import File

from smart_storages.common.names import check_name

__all__ = ["UploadedObject"]


class UploadedObject(File):  # type: ignore[type-arg]
    """A file that is an object of a storage, as content for ``save()`` and for a model's field.

    A storage of this package copies the object on the server, where that is possible, without
    sending its bytes through this process; any other storage reads it in chunks. It is opened when
    its content is first asked for.

    Args:
        storage: The storage that has it.
        stored_name: Its name there.
        name: The name that the file is to have, such as that on the user's disk; by default the
            last part of ``stored_name``.
        size: Its bytes, ``None`` to ask the storage when needed.
        content_type: Its type, if known.
        etag: The ETag that it must have when it is copied, without quotes; ``None`` for any.

    Raises:
        SuspiciousFileOperation: ``stored_name`` could lead out of the storage.

    Example::

        uploaded = UploadedObject(storage, "direct-uploads/7/film.mp4", size=1_073_741_824)
        story.film.save("film.mp4", uploaded)
    """

    def __init__(
        self,
        storage: Any,
        stored_name: str,
        *,
        name: Optional[str] = None,
        size: Optional[int] = None,
        content_type: Optional[str] = None,
        etag: Optional[str] = None,
    ) -> None:
        check_name(stored_name)
        self.storage = storage
        self.stored_name = stored_name
        self.content_type = content_type
        self.etag = etag
        self._size = size
        self._opened: Any = None
        super().__init__(None, name or posixpath.basename(stored_name))
        self.mode = "rb"

    def __repr__(self) -> str:
        return f"<UploadedObject: {self.stored_name!r} of {self.storage!r}>"

    @property
    def uploaded_object(self) -> UploadedObject:
        """This object; content that wraps another hands that of the other on."""
        return self

    @property
    def file(self) -> Any:
        """The open file of the storage."""
        if self._opened is None:
            self._opened = self.storage.open(self.stored_name, "rb")
        return self._opened

    @file.setter
    def file(self, value: Any) -> None:
        self._opened = value

    @property
    def size(self) -> int:
        """Its bytes."""
        if self._size is None:
            self._size = int(self.storage.size(self.stored_name))
        return self._size

    @property
    def closed(self) -> bool:
        """Whether it is not open; it is opened again when it is read."""
        return self._opened is None

    def open(self, mode: Optional[str] = None, *args: Any, **kwargs: Any) -> UploadedObject:
        """Go to the start.

        Raises:
            ValueError: the mode is not one for reading.
        """
        if mode not in (None, "r", "rb"):
            raise ValueError(f"An uploaded file can be read only, not opened in mode {mode!r}.")
        self.seek(0)
        return self

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; to go to the start opens nothing."""
        if self._opened is None and (offset, whence) == (0, os.SEEK_SET):
            return 0
        position: int = self.file.seek(offset, whence)
        return position

    def close(self) -> None:
        """Close what was opened; the object stays."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()
