"""A file open for writing whose content waits on local disk; it is saved when it is closed."""

from __future__ import annotations

import io
import os
import sys
from tempfile import SpooledTemporaryFile
from typing import Any, Callable

from django.core.files.base import File

from smart_storages.common.content import closed_by_exception
from smart_storages.common.whole_files import WholeFile
from smart_storages.config import get_upload_folder

__all__ = ["SpooledWriteFile"]

_IN_MEMORY = 8 * 1024 * 1024
_MODES = ("w", "bw", "tw", "+bw")


class SpooledWriteFile(WholeFile):
    """A file open for writing; closing it saves it as a whole, with the rules of ``save``.

    If an exception ends its ``with`` block, or the last reference to it is lost before it is
    closed, nothing is saved. Until then, the content is in memory or in a temporary file.

    Args:
        name: Name of the file. After closing, ``name`` is the name that it was saved under.
        mode: ``"w"``, ``"wb"`` or ``"wt"``, which take bytes or text (stored as UTF-8); or
            ``"w+b"``, which can also be read, as bytes.
        save: Called with the name and a Django file; saves it, and returns its name. The file's
            ``is_written`` is ``False`` if nothing was written, not even no bytes.

    Raises:
        ValueError: The mode is none of these.

    Example:
        >>> saved = []
        >>> def save(name, content):
        ...     saved.append(content.read())
        ...     return name
        >>> with SpooledWriteFile("a.txt", "w", save) as file:
        ...     file.write("whole or not at all")
        19
        >>> saved
        [b'whole or not at all']
    """

    def __init__(self, name: str, mode: str, save: Callable[[str, Any], str]) -> None:
        if "".join(sorted(mode)) not in _MODES:
            raise ValueError(
                f"This storage cannot open {name!r} in mode {mode!r}: a file is saved as a "
                "whole. Use 'w', 'wb' or 'w+b', or read it, change it and save it."
            )
        super().__init__(None, name)
        self.mode = mode
        self._save = save
        self._is_written = False
        self.file: Any = self._begin()

    def _begin(self) -> Any:
        return SpooledTemporaryFile(_IN_MEMORY, dir=get_upload_folder())

    # Writing

    def write(self, content: Any) -> int:
        """Write bytes, or text as UTF-8; return the length of what was given."""
        self._raise_if_closed()
        self._is_written = True
        self.file.write(content.encode("utf-8") if isinstance(content, str) else content)
        return len(content)

    # Closing

    def close(self) -> None:
        """Save the file. A second call does nothing.

        Raises:
            OSError: It could not be saved; the content is lost.
        """
        if self.closed:
            return
        if closed_by_exception(sys._getframe(1)):
            self.discard()
            return
        spool = self.file
        try:
            spool.seek(0)
            content: Any = File(spool, self.name)
            content.size = self.size
            content.is_written = self._is_written
            self.name = self._save(str(self.name), content)
        finally:
            spool.close()

    def discard(self) -> None:
        """Close the file without saving it."""
        self.file.close()

    def start_again(self) -> None:
        self.file = self._begin()
        self._is_written = False

    # The rest of the file API

    @property
    def size(self) -> int:
        """Bytes written so far."""
        self._raise_if_closed()
        place = self.file.tell()
        # Before Python 3.11, this seek() returns None.
        end = self.file.seek(0, os.SEEK_END) or self.file.tell()
        self.file.seek(place)
        return int(end)

    def readable(self) -> bool:
        return "+" in self.mode and not self.closed

    def writable(self) -> bool:
        return not self.closed

    def seekable(self) -> bool:
        return not self.closed

    def _reader(self) -> Any:
        self._raise_if_closed()
        if "+" not in self.mode:
            raise io.UnsupportedOperation("not readable")
        return self.file

    @property
    def read(self) -> Any:
        return self._reader().read

    @property
    def readline(self) -> Any:
        return self._reader().readline

    @property
    def readlines(self) -> Any:
        return self._reader().readlines
