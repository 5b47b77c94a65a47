"""Content to be written to S3: read once if possible, kept for another try if necessary."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from typing import IO, Any, Iterator, Optional, Tuple, Union

from smart_storages.backends.s3.requests.bodies import Body, FileSlice, find_file

__all__ = ["Source", "part_size", "read_exactly"]

#: Up to this size the beginning of the content is held in memory, above it on disk.
_IN_MEMORY = 16 * 1024**2

#: Every part of an upload except the last has at least 5 MiB.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MIN_PART = 5 * 1024**2

#: An upload has at most 10,000 parts, and the length of a stream is only known at its end. So the
#: size of parts doubles after each 1,000: starting at 8 MiB, they are enough for 8 TiB.
_PARTS_BEFORE_GROWTH = 1_000

#: A file on disk is sent from there, so the size of its parts costs no memory. Fewer and bigger
#: parts cost the server less; more than these keep all connections busy to the end.
_PARTS_OF_FILE = 32
_LARGEST_PART_OF_FILE = 64 * 1024**2
_MOST_PARTS = 10_000


def part_size(number: int, first: int) -> int:
    """Return how many bytes a part of a multipart upload has.

    Args:
        number: Number of the part, counted from 0.
        first: Size of the first parts in bytes; raised to the smallest size that S3 allows.

    Example:
        >>> part_size(0, 8 * 1024**2), part_size(2_500, 8 * 1024**2)
        (8388608, 33554432)
    """
    return max(first, MIN_PART) << number // _PARTS_BEFORE_GROWTH


def part_size_of_file(size: int, first: int) -> int:
    """Return how many bytes each part of a file on disk has, whose size is known.

    Args:
        size: Size of the file in bytes.
        first: Smallest size of a part; raised to the smallest size that S3 allows.

    Example:
        >>> part_size_of_file(1024**3, 8 * 1024**2)
        33554432
    """
    least = max(first, MIN_PART, -(-size // _MOST_PARTS))
    return max(least, min(size // _PARTS_OF_FILE, _LARGEST_PART_OF_FILE))


def read_exactly(content: Any, size: int) -> bytes:
    """Read ``size`` bytes, fewer only at the end, even if each ``read`` returns less."""
    first = content.read(size)
    if first is None:
        raise BlockingIOError("The content has no data yet: S3 needs a blocking stream.")
    if not first or len(first) >= size:
        return bytes(first)
    pieces = [first]
    missing = size - len(first)
    while missing > 0:
        piece = content.read(missing)
        if piece is None:
            raise BlockingIOError("The content has no data yet: S3 needs a blocking stream.")
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


class Source:
    """Content to be written to S3.

    Its beginning is read at once, to find out whether one request is enough. The rest is read part
    by part, by the thread that iterates over the parts. Of a large file on disk nothing is read:
    its parts are read by the threads that send them.

    Args:
        content: Anything whose ``read(size)`` returns bytes. It is read from its current position,
            and never closed.
        limit: The most bytes to send in one request.

    Example:
        >>> import io
        >>> source = Source(io.BytesIO(b"hello"), limit=8 * 1024**2)
        >>> source.is_whole, source.head
        (True, b'hello')
    """

    def __init__(self, content: Any, limit: int) -> None:
        self._content = content
        self._start = _tell(content)
        self._spool: Optional[IO[bytes]] = None
        self._consumed = False
        self.head: Union[bytes, IO[bytes], FileSlice]
        self._file = self._find_file(limit)
        if self._file is not None:
            descriptor, start, size = self._file
            self.head = FileSlice(descriptor, start, size)
            self.is_whole = size <= limit
            return
        if limit <= _IN_MEMORY:
            self.head = read_exactly(content, limit)
            size = len(self.head)
        else:
            self.head, size = _read_to_disk(content, limit)
        self._peeked = read_exactly(content, 1) if size >= limit else b""
        #: Whether all of the content is in ``head``.
        self.is_whole = not self._peeked

    def _find_file(self, limit: int) -> Optional[Tuple[int, int, int]]:
        found = find_file(self._content) if self._start is not None else None
        if found is None:
            return None
        descriptor, end = found
        size = end - (self._start or 0)
        if size <= min(limit, _IN_MEMORY):
            return None
        self._content.seek(end)  # as if it had been read
        return descriptor, self._start or 0, size

    def parts(self, size: int, *, repeatable: bool) -> Iterator[Body]:
        """Yield the content in parts for a multipart upload.

        Args:
            size: Size of a part in bytes; raised to the smallest size that S3 allows.
            repeatable: Whether this method may be called again; ``False`` saves memory.
        """
        if self._file is not None:
            yield from self._parts_of_file(size)
            return
        reader = self._reader(repeatable=repeatable)
        for number in itertools.count():
            part = read_exactly(reader, part_size(number, size))
            if not part:
                return
            yield part
            del part  # so that it does not stay in memory while the next one is read

    def _parts_of_file(self, size: int) -> Iterator[FileSlice]:
        assert self._file is not None  # noqa: S101 - for the type checker
        descriptor, start, whole = self._file
        step = part_size_of_file(whole, size)
        for at in range(0, whole, step):
            yield FileSlice(descriptor, start + at, min(step, whole - at))

    @property
    def is_on_disk(self) -> bool:
        """Whether the parts are read from a file on disk, and take no memory."""
        return self._file is not None

    @property
    def is_repeatable(self) -> bool:
        """Whether :meth:`parts` can yield all parts once more."""
        return self._start is not None or self._spool is not None

    def close(self) -> None:
        """Delete temporary files; the content itself stays open."""
        for file in (self._spool, self.head):
            if file is not None and not isinstance(file, bytes):
                file.close()

    def _reader(self, *, repeatable: bool) -> Any:
        if self._spool is not None:
            self._spool.seek(0)
            return self._spool
        if self._consumed:
            self._content.seek(self._start)
            return self._content
        self._consumed = True
        joined: Any = _Joined(self.head, self._peeked, self._content)
        if repeatable and self._start is None:
            # The content cannot be read twice: keep it on disk.
            self._spool = tempfile.TemporaryFile()  # noqa: SIM115
            shutil.copyfileobj(joined, self._spool, 1024**2)
            self._spool.seek(0)
            return self._spool
        self.head, self._peeked = b"", b""
        return joined


def _tell(content: Any) -> Optional[int]:
    if hasattr(content, "seekable") and not content.seekable():
        return None
    try:
        position: int = content.tell()
        content.seek(position)
    except (AttributeError, OSError):
        return None
    return position


def _read_to_disk(content: Any, limit: int) -> Any:
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
    missing = limit
    while missing > 0:
        piece = read_exactly(content, min(missing, 1024**2))
        if not piece:
            break
        file.write(piece)
        missing -= len(piece)
    file.seek(0)
    return file, limit - missing


class _Joined:
    """Reads what was read ahead, then the rest of the content."""

    def __init__(self, *pieces: Any) -> None:
        self._pieces = [piece for piece in pieces if piece != b""]

    def read(self, size: int) -> bytes:
        while self._pieces:
            piece = self._pieces[0]
            if isinstance(piece, bytes):
                self._pieces[0:1] = [piece[size:]] if len(piece) > size else []
                return piece[:size]
            data: bytes = piece.read(size)
            if data or len(self._pieces) == 1:
                return data
            del self._pieces[0]
        return b""
