"""The content of a save, prepared to be read by several storages one after another."""

from __future__ import annotations

import os
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import Any

from django.core.files import File

__all__ = ["LentContent", "closed_by_exception", "make_rewindable", "spool"]

_IN_MEMORY = 2 * 1024 * 1024


class LentContent(File):  # type: ignore[type-arg]
    """The caller's content, for one storage: it can be read, but not closed or moved away.

    ``FileSystemStorage`` moves the temporary file of an upload, and boto3 closes what it has
    uploaded; the next storage would find nothing.

    Args:
        content: A file that can be rewound.
    """

    def __init__(self, content: Any) -> None:
        super().__init__(content, getattr(content, "name", None))
        self._content = content
        self._lock = Lock()
        self._is_revoked = False
        #: What a storage can copy in place of reading it.
        self.uploaded_object = getattr(content, "uploaded_object", None)
        if getattr(content, "content_type", None):
            self.content_type = content.content_type

    def revoke(self) -> None:
        """Make later reads fail: a storage that timed out must not read while the next does."""
        with self._lock:
            self._is_revoked = True

    def rewind(self) -> None:
        self._content.seek(0)

    def _use(self, method: str, *args: Any) -> Any:
        with self._lock:
            if self._is_revoked:
                raise ValueError("This content can no longer be read: the storage timed out.")
            return getattr(self._content, method)(*args)

    def read(self, *args: Any) -> Any:
        return self._use("read", *args)

    def readline(self, *args: Any) -> Any:
        return self._use("readline", *args)

    def seek(self, *args: Any) -> Any:
        return self._use("seek", *args)

    def tell(self) -> Any:
        return self._use("tell")

    def open(self, mode: Any = None, *args: Any, **kwargs: Any) -> Any:
        self.seek(0)
        return self

    def close(self) -> None:
        """Do nothing: the content belongs to the caller."""


def make_rewindable(content: Any) -> Any:
    """Return content that can be read more than once: itself, or a copy.

    Args:
        content: The content passed to ``save``.
    """
    try:
        content.seek(0)
    except (AttributeError, OSError, ValueError):
        return spool(content)
    return content


def spool(content: Any) -> Any:
    """Return a copy of a file, in memory up to 2 MiB and in a temporary file beyond."""
    copy = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the File below owns it
    for chunk in content.chunks():
        copy.write(chunk.encode() if isinstance(chunk, str) else chunk)
    size = copy.tell()
    copy.seek(0, os.SEEK_SET)
    made = File(copy, getattr(content, "name", None))
    made.size = size
    if getattr(content, "content_type", None):
        made.content_type = content.content_type  # type: ignore[attr-defined]
    return made


def closed_by_exception(frame: Any) -> bool:
    """Return whether ``close()`` was called by a ``with`` block that ended with an exception.

    The ``with`` block of a ``FieldFile`` ends in ``File.__exit__``, which calls ``close()`` without
    passing on that there was an exception. It is found one or two frames further up.

    Args:
        frame: The frame that called ``close()``.
    """
    for _ in range(3):
        if frame is None:
            return False
        if frame.f_code is File.__exit__.__code__:
            return frame.f_locals.get("exc_type") is not None
        frame = frame.f_back
    return False
