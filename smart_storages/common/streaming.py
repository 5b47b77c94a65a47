"""The body of a response, read from a file as it is sent; under ASGI without buffering."""

from __future__ import annotations

from threading import Lock
from typing import Any, AsyncIterator, Iterator, Optional, Union

from smart_storages.common import aio
from smart_storages.common.compat import STREAMS_ASYNC

__all__ = ["AsyncChunks", "Chunks", "stream"]

#: Bytes of a chunk: as many as one read from S3 gives at most.
_CHUNK = 256 * 1024


def stream(request: Any, file: Any, length: Optional[int] = None) -> Union[Chunks, AsyncChunks]:
    """Return what a ``StreamingHttpResponse`` sends of a file; its ``close`` closes the file.

    Args:
        request: The request. Django reads a sync iterator to its end before it sends anything
            under ASGI, and an async one under WSGI: what comes back is the kind that it does not.
        file: A file at the first byte to send.
        length: How many bytes to send, ``None`` for all that are left.
    """
    # A request of ASGI has a scope, in a sync view too; Django REST framework's has that of Django.
    is_asgi = STREAMS_ASYNC and hasattr(request, "scope")
    return AsyncChunks(file, length) if is_asgi else Chunks(file, length)


class _Reading:
    def __init__(self, file: Any, length: Optional[int]) -> None:
        self._file = file
        self._left = length
        self._lock = Lock()
        self._is_closed = False

    def _read(self) -> bytes:
        """Return the next chunk, empty at the end."""
        with self._lock:
            if self._is_closed or self._left == 0:
                return b""
            size = _CHUNK if self._left is None else min(_CHUNK, self._left)
            data = bytes(self._file.read(size))
            if self._left is not None:
                self._left -= len(data)
                if not data:
                    # The connection has to break, or the client would keep half a file as whole.
                    raise OSError(f"The file ended {self._left} bytes before its end.")
            if not data or self._left == 0:
                self._close()
            return data

    def close(self) -> None:
        """Close the file, also one that is being read by a thread of a request that was ended."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._file.close()


class Chunks(_Reading):
    """A file in chunks; it is closed after the last of them."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = self._read()
        if not data:
            raise StopIteration
        return data


class AsyncChunks(_Reading):
    """A file in chunks, each read in a thread; no thread waits for a slow client."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        data: bytes = await aio.run(self._read)
        if not data:
            raise StopAsyncIteration
        return data
