"""A stream of bytes that knows where it is, for content that is read from anywhere."""

from __future__ import annotations

import io

__all__ = ["PositionedReader"]


class PositionedReader(io.RawIOBase):
    """Everything but ``readinto`` of a stream that can be read and sought.

    Args:
        size: Its size in bytes.

    Example:
        >>> reader = PositionedReader(10)
        >>> reader.seek(-3, io.SEEK_END), reader.tell()
        (7, 7)
    """

    def __init__(self, size: int) -> None:
        super().__init__()
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
