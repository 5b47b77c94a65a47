"""An object on a server, read in ranges."""

from __future__ import annotations

import io
from typing import Any, Callable

__all__ = ["RangeReader"]

#: What further requests ask for.
_NEXT_READ = 8 * 1024**2


class RangeReader(io.RawIOBase):
    """One version of an object, read in ranges; what opened it has its beginning.

    Args:
        fetch: Returns so many bytes of that version from a position on; or raises.
        beginning: Its first bytes.
        size: How many bytes it has.

    Example:
        >>> RangeReader(lambda start, count: b"world", b"hello ", 11).read()
        b'hello world'
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
