"""Streams that Brotli compresses or decompresses as they are read; it is an optional package."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import Any

__all__ = ["BrotliCompressed", "BrotliDecompressed", "has_brotli"]

_CHUNK = 1024**2


def has_brotli() -> bool:
    """Return whether the package ``brotli`` is installed."""
    return find_spec("brotli") is not None


class BrotliCompressed:
    """The content of a stream, compressed.

    Args:
        content: Anything whose ``read(size)`` returns bytes.
    """

    def __init__(self, content: Any) -> None:
        import brotli

        self._content = content
        self._compressor = brotli.Compressor()
        self._ready = b""
        self._is_finished = False

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        while not self._is_finished and (size < 0 or len(self._ready) < size):
            chunk = self._content.read(_CHUNK)
            if chunk:
                self._ready += self._compressor.process(chunk)
            else:
                self._ready += self._compressor.finish()
                self._is_finished = True
        end = len(self._ready) if size < 0 else size
        piece, self._ready = self._ready[:end], self._ready[end:]
        return piece


class BrotliDecompressed(io.RawIOBase):
    """The content of a compressed stream; it can only be read forwards.

    Args:
        file: The compressed stream.

    Raises:
        OSError: the stream is cut off or no Brotli.
    """

    def __init__(self, file: Any) -> None:
        import brotli

        self._file = file
        self._decompressor = brotli.Decompressor()
        self._error = brotli.error
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._decompressor.is_finished():
            chunk = self._file.read(_CHUNK)
            if not chunk:
                raise OSError("The Brotli stream ends too early.")
            try:
                self._ready = self._decompressor.process(chunk)
            except self._error as error:
                raise OSError("The content is not compressed with Brotli.") from error
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
