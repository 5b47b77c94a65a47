"""Content on its way to a storage of Django, and from one."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, ContextManager, Iterator, Optional, Tuple

from django.core.files.base import File

from smart_storages import config
from smart_storages.backends.pieces import take_beginning

__all__ = ["OpenedContent", "spooled"]

#: Content up to this size waits in memory, larger content in a temporary file.
_IN_MEMORY = 8 * 1024**2
_PIECE = 1024**2


class OpenedContent(io.RawIOBase):
    """A file that a storage has opened, to be read from any place.

    Args:
        file: The file.
        asking: Returns a block that turns what the storage raises into errors of a store.
    """

    def __init__(self, file: Any, asking: Callable[[], ContextManager[None]]) -> None:
        self._file = file
        self._asking = asking

    def measure(self, *, has_descriptor: bool) -> Tuple[int, Optional[datetime]]:
        """Return its size, and when this very version was written, if that is known.

        Args:
            has_descriptor: Whether it is a file of a disk, which knows.
        """
        with self._asking():
            if not _is_seekable(self._file):
                self._file = _read_aside(self._file)
            self._file.seek(0, io.SEEK_END)
            size = int(self._file.tell())
            self._file.seek(0)
        # The file of this name may be another one already.
        status = os.fstat(self._file.fileno()) if has_descriptor else None
        return size, status and datetime.fromtimestamp(status.st_mtime, timezone.utc)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        with self._asking():
            return int(self._file.tell())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._asking():
            self._file.seek(offset, whence)
            return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        with self._asking():
            piece = self._file.read(len(view)) or b""
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            with _closing_quietly(self._file):
                pass
        super().close()


def _is_seekable(file: Any) -> bool:
    try:
        return bool(file.seekable())
    except AttributeError:
        return hasattr(file, "seek") and hasattr(file, "tell")


@contextmanager
def _closing_quietly(file: Any) -> Iterator[None]:
    """A block that closes what was read at its end; whether that fails matters to nobody."""
    try:
        yield
    finally:
        with suppress(Exception):
            file.close()


def _read_aside(file: Any) -> Any:
    with _closing_quietly(file):
        copy: Any = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - its reader closes it
            _IN_MEMORY, dir=config.get_upload_folder()
        )
        for piece in iter(lambda: file.read(_PIECE), b""):
            copy.write(piece)
    return copy


@contextmanager
def spooled(
    chunks: Iterator[bytes], content_type: Optional[str]
) -> Iterator[Callable[[], ContextManager[Any]]]:
    """Read content to its end; yield what opens it, as a file of Django, again and again.

    Args:
        chunks: The content.
        content_type: What the file says its type is.
    """
    beginning, is_whole = take_beginning(chunks, _IN_MEMORY)
    if is_whole:
        yield lambda: _as_file(io.BytesIO(beginning), content_type, len(beginning))
        return
    with tempfile.NamedTemporaryFile(dir=config.get_upload_folder()) as spool:
        spool.write(beginning)
        for chunk in chunks:
            spool.write(chunk)
        spool.flush()
        size = spool.tell()

        def reopen() -> Any:
            return _as_file(Path(spool.name).open("rb"), content_type, size)

        yield reopen


def _as_file(content: Any, content_type: Optional[str], size: int) -> Any:
    file: Any = File(content, name="content")
    file.size = size
    if content_type:
        file.content_type = content_type  # as an uploaded file says it
    return file
