"""One version of an object, read from a server in ranges of bytes."""

from __future__ import annotations

import io
from typing import Any, Callable

__all__ = ["RangeReader"]

#: What requests after the first ask for.
_NEXT_READ = 8 * 1024**2


class RangeReader(io.RawIOBase):
    """A file of which the beginning is there, and the rest is asked for where it is read.

    Args:
        fetch: Returns the bytes of this version from a position on, as many as it is told.
        beginning: What is there already.
        size: Size of the whole in bytes.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], beginning: bytes, size: int) -> None:
        self._fetch = fetch
        self._start = 0
        self._held = beginning
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0:
            return 0
        skip = self._at - self._start
        if not 0 <= skip < len(self._held):
            count = max(wanted, min(_NEXT_READ, self._size - self._at))
            self._held, self._start = self._fetch(self._at, count), self._at
            skip = 0
        piece = self._held[skip : skip + wanted]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
