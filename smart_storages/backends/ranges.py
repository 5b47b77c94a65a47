"""An object on a server, read in ranges."""

from __future__ import annotations

from typing import Any, Callable

from smart_storages.common.positions import PositionedReader
from smart_storages.exceptions import UnreachableError

__all__ = ["RangeReader"]

#: What further requests ask for.
_NEXT_READ = 8 * 1024**2


class RangeReader(PositionedReader):
    """One version of an object, read in ranges; what opened it has its beginning.

    Args:
        fetch: Returns so many bytes of that version from a position on, or fewer, but some; or
            raises.
        beginning: Its first bytes.
        size: How many bytes it has.
        next_read: How many bytes further requests ask for; a larger buffer gets more.

    Example:
        >>> RangeReader(lambda start, count: b"world", b"hello ", 11).read()
        b'hello world'
    """

    def __init__(
        self,
        fetch: Callable[[int, int], bytes],
        beginning: bytes,
        size: int,
        next_read: int = _NEXT_READ,
    ) -> None:
        super().__init__(size)
        self._fetch = fetch
        self._start = 0
        self._held = beginning
        self._next_read = next_read

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0:
            return 0
        skip = self._at - self._start
        if not 0 <= skip < len(self._held):
            count = max(wanted, min(self._next_read, self._size - self._at))
            self._held, self._start = self._fetch(self._at, count), self._at
            skip = 0
            if not self._held:  # to return it would be the end of the file
                raise UnreachableError("The answer ended before the file. Read it again.")
        piece = self._held[skip : skip + wanted]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
