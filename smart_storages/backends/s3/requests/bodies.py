"""What a request carries: bytes, a file, or a part of a file that several threads share."""

from __future__ import annotations

import io
import os
import select
import socket
import stat
from typing import IO, Any, Iterator, Optional, Tuple, Union

from django.core.files.utils import FileProxyMixin
from storages.utils import ReadBytesWrapper

from smart_storages.common.positions import PositionedReader

__all__ = ["Body", "FileSlice", "find_file", "pieces_of", "send_body", "size_of"]

#: How many bytes of a file are read at once. They stay in the processor's cache while they are
#: hashed; with 1 MiB, hashing takes a third longer.
_PIECE = 256 * 1024


class FileSlice(PositionedReader):
    """A part of a file on disk, read at a position of its own: threads can share the file.

    Args:
        descriptor: The file's descriptor; it stays open, and its own position does not change.
        start: Position of the first byte.
        size: How many bytes it has.

    Raises:
        EOFError: from ``read``, if the file has become shorter.

    Example::

        with open("film.mp4", "rb") as file:
            second_mebibyte = FileSlice(file.fileno(), 1024**2, 1024**2).read()
    """

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        super().__init__(size)
        self._descriptor = descriptor
        self._start = start

    def __len__(self) -> int:
        return self._size

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        if not view:
            return 0
        count = os.preadv(self._descriptor, [view], self._start + self._at)
        if not count:
            raise self._shortened()
        self._at += count
        return count

    def send_over(self, sock: socket.socket) -> None:
        """Send all of it over a socket, without reading it into this process.

        Args:
            sock: A connected socket without TLS; its timeout holds for each wait.

        Raises:
            EOFError: the file has become shorter.
            socket.timeout: the other side took nothing for too long.

        Source: ``socket.sendfile`` of Python, which would need a file of its own for each thread.
        """
        at, stop = self._start, self._start + self._size
        while at < stop:
            try:
                sent = os.sendfile(sock.fileno(), self._descriptor, at, stop - at)
            except BlockingIOError:
                _wait_until_writable(sock)
            else:
                if not sent:
                    raise self._shortened()
                at += sent

    def _shortened(self) -> EOFError:
        return EOFError("The file became shorter while it was being uploaded. Save it again.")


def _wait_until_writable(sock: socket.socket) -> None:
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLOUT)
    seconds = sock.gettimeout()
    if not poll.poll(None if seconds is None else seconds * 1000):
        raise socket.timeout("The write timed out.")


Body = Union[bytes, bytearray, memoryview, IO[bytes], FileSlice]


def size_of(body: Body) -> int:
    """Return the size of a body in bytes, and rewind a file to its beginning."""
    if isinstance(body, (bytes, bytearray)):
        return len(body)
    if isinstance(body, memoryview):
        return body.nbytes
    size = body.seek(0, io.SEEK_END)
    body.seek(0)
    return size


def pieces_of(body: Body) -> Iterator[Any]:
    """Yield a body in pieces, from its beginning; a piece is valid until the next one is taken."""
    if isinstance(body, (bytes, bytearray, memoryview)):
        yield body
        return
    body.seek(0)
    if not isinstance(body, FileSlice):
        yield from iter(lambda: body.read(_PIECE), b"")
        return
    buffer = memoryview(bytearray(min(_PIECE, len(body))))
    while True:
        count = body.readinto(buffer)
        if not count:
            return
        yield buffer[:count]


def send_body(sock: Any, body: Body) -> None:
    """Send a body over a connected socket, whose timeout holds for each wait and not for all."""
    if isinstance(body, FileSlice) and type(sock) is socket.socket:
        body.send_over(sock)
        return
    for piece in pieces_of(body):
        with memoryview(piece) as view:
            sent = 0
            while sent < len(view):
                sent += sock.send(view[sent:])


def find_file(content: Any) -> Optional[Tuple[int, int]]:
    """Return the descriptor of the file on disk that content is, and its size in bytes, if it is.

    Only where reading the content gives the bytes of that file: an object that changes them as they
    are read (``gzip.GzipFile``, a subclass with its own ``read``) is not one.

    Args:
        content: A file of Python or Django, or django-storages' wrapper of one.
    """
    if not hasattr(os, "preadv"):  # Windows; macOS before Python 3.10 or macOS 11
        return None
    while _passes_on(content):
        content = content.file
    if type(content) not in (io.BufferedReader, io.BufferedRandom, io.FileIO):
        return None
    if type(getattr(content, "raw", content)) is not io.FileIO:
        return None
    try:
        if content.writable():
            content.flush()
        about = os.fstat(content.fileno())
    except (OSError, ValueError):  # ValueError: it is closed
        return None
    return (content.fileno(), about.st_size) if stat.S_ISREG(about.st_mode) else None


def _passes_on(content: Any) -> bool:
    """Return whether an object's ``read`` is that of its ``file`` and nothing else."""
    kind = type(content)
    if kind.__module__ == "tempfile":
        return kind.__name__ == "_TemporaryFileWrapper"
    read = getattr(kind, "read", None)
    return read is not None and (read is FileProxyMixin.read or kind is ReadBytesWrapper)
