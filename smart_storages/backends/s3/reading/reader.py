"""A seekable file over one version of one object, read on demand.

Opening sends one GET without a range. Its answer has the size, type, ETag and checksum, and its
body is read as far as the caller reads. The rest stays in the server, so reading ten bytes of a big
object transfers ten bytes and what the kernel buffers. A seek costs a ranged GET only if the bytes
are neither close ahead nor kept in memory.
"""

from __future__ import annotations

import io
import os
from collections import deque
from traceback import clear_frames
from typing import TYPE_CHECKING, Any, Deque, Optional, Tuple

from smart_storages.backends.s3.reading.checksums import Checksum, find_checksum
from smart_storages.backends.s3.reading.range_threads import RangeThreads
from smart_storages.backends.s3.reading.sizes import ask_size, confirm_size
from smart_storages.backends.s3.reading.stream import PIECE, Stream, read_unsized
from smart_storages.backends.s3.requests.answers import total_of
from smart_storages.backends.s3.requests.http import Answer, fetch
from smart_storages.backends.s3.stat import Stat
from smart_storages.exceptions import ContentMismatchError, UnreachableError

if TYPE_CHECKING:
    from smart_storages.backends.s3.target import Target
    from smart_storages.common.recording import Record

__all__ = ["MAX_KEPT", "PART_SIZE", "S3Reader"]

_KIB = 1024

#: Objects up to this size, in bytes, are read with one request and kept until the file is closed.
MAX_KEPT = 8 * _KIB * _KIB

#: Size in bytes of each range when a big object is read over several connections.
PART_SIZE = 8 * _KIB * _KIB

# The first bytes are kept: code that detects a file's type goes back to its start.
_HEAD = 256 * _KIB
# The end is fetched in one request: 1/32 of the object, within these limits in bytes. Archives and
# columnar files are read from the end, in small steps.
_TAIL_PART = 32
_LEAST_TAIL, _MOST_TAIL = 64 * _KIB, 256 * _KIB
# A seek forward by up to this many bytes reads on instead of sending a new request: this is what
# 20 ms transfer at 50 Mbit/s.
_SKIP = 128 * _KIB
# After a seek a small range is requested, since a column of one row group is small; ranges grow as
# long as reading goes on from one to the next.
_FIRST_RANGE = 64 * _KIB
_LAST_RANGE = 64 * _KIB * _KIB
# io.BufferedReader reads whole buffers first, then one more.
_BUFFER = 64 * _KIB


class S3Reader(io.RawIOBase):
    """A binary, seekable, read-only file over one version of an object.

    It is not thread-safe; an ``io.BufferedReader`` around it is.

    Args:
        target: The bucket.
        key: Key of the object.
        threads: How many connections ``readall`` of a big object may use besides the first.
        lazily: Whether to open it with a HEAD, and request bytes only when they are read.

    Raises:
        ObjectNotFoundError: there is no such object; raised here, not by the first read.

    Example::

        with S3Reader(target, "reports/2024.pdf") as file:
            file.seek(-22, io.SEEK_END)
            tail = file.read()
    """

    #: The operation that this file is, if anybody wants to know of it.
    record: Optional[Record] = None

    def __init__(self, target: Target, key: str, *, threads: int = 7, lazily: bool = False) -> None:
        super().__init__()
        self._target = target
        self.key = key
        self._threads = threads
        self._at = 0
        self._span = _FIRST_RANGE
        self._head = bytearray()
        self._tail: Tuple[int, bytes] = (0, b"")
        self._tail_size = 0
        self._whole: Optional[bytes] = None
        self._stream: Optional[Stream] = None
        provider = target.provider
        method = "HEAD" if lazily else "GET"
        answer = fetch(target, key, method=method, checksum=provider.checksum == "crc32")
        self.headers = answer.headers
        self._stat: Optional[Stat] = None
        # Only Ceph sends this header; its ETags are MD5 sums, as those of AWS are.
        md5_etags = provider.md5_etags or self.headers.get("x-rgw-object-type") == "Normal"
        self._checksum: Optional[Checksum] = find_checksum(self.headers, md5_etags=md5_etags)
        if lazily:
            self.size = confirm_size(target, key, self.headers, total_of(self.headers))
        elif answer.left is None:
            self._take_unsized(answer)
        else:
            self.size = answer.left
            self._stream = self._open_stream(0, self.size, answer)
        if self.size == 0 and not lazily:
            self._take_empty()
        self._tail_size = min(max(_LEAST_TAIL, self.size // _TAIL_PART), _MOST_TAIL)

    def _take_unsized(self, answer: Answer) -> None:
        self._whole = read_unsized(self._target, self.key, answer)
        self.size = len(self._whole)
        self._check(0, self._whole)
        # A chunked body has an end mark; one that ends with its connection may have been cut off.
        if self.size and "transfer-encoding" not in self.headers:
            size = ask_size(self._target, self.key, self.headers)
            if size not in (None, self.size):
                raise UnreachableError(
                    f"The connection to S3 ended after {self.size} of {size} bytes. "
                    "Read the file again.",
                    **self._target.places(self.key),
                )

    def _take_empty(self) -> None:
        self._leave_stream()
        self._whole = None
        is_known = "content-length" in self.headers or "transfer-encoding" in self.headers
        self.size = confirm_size(self._target, self.key, self.headers, 0 if is_known else None)
        if self.size:
            self._stream = self._open_stream(0, self.size)
        elif self._checksum is not None and not self._checksum.holds():
            raise self._differs()

    @property
    def stat(self) -> Stat:
        """Size, time, ETag, type and metadata, from the answer to the GET: it sends no request."""
        if self._stat is None:
            self._stat = Stat.from_headers(self.headers, self.size)
        return self._stat

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        self._raise_if_closed()
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._raise_if_closed()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}
        if whence not in base:
            raise ValueError(f"whence must be 0, 1 or 2, not {whence!r}")
        if base[whence] + offset < 0:
            raise ValueError(f"negative seek position {base[whence] + offset}")
        if self._at != base[whence] + offset:
            self._at = base[whence] + offset
            self._span = _FIRST_RANGE
        return self._at

    def expect(self, start: int, stop: int) -> None:
        """Go to a position, and let the next read request exactly the bytes from it to ``stop``."""
        self.seek(start)
        self._leave_stream()
        if start < stop:
            self._stream = self._open_stream(start, stop)

    def close(self) -> None:
        """Close the file and release its connection."""
        if not self.closed:
            self._leave_stream()
            self._whole = None
            self._head = bytearray()
            self._tail = (0, b"")
        super().close()

    def readinto(self, buffer: Any) -> int:
        self._raise_if_closed()
        view = memoryview(buffer).cast("B")
        view = view[: max(0, self.size - self._at)]
        if not view:
            return 0
        count = self._copy_kept(view) or self._read_stream(view)
        self._at += count
        return count

    def readall(self) -> bytes:
        """Return everything to the end; a big rest is read over several connections at once."""
        self._raise_if_closed()
        left = self.size - self._at
        if left <= 0:
            return b""
        if self._whole is not None:
            data = self._whole[self._at :] if self._at else self._whole
        elif self._at == 0 and self.size <= MAX_KEPT and self._is_untouched():
            data = self._whole = self._read_whole()
        else:
            data = self._read_rest(left)
        self._at = self.size
        return data

    # What is kept

    def _copy_kept(self, view: memoryview) -> int:
        start = self._at
        if self._whole is not None:
            piece = self._whole[start : start + len(view)]
        elif start < len(self._head):
            piece = bytes(self._head[start : start + len(view)])
        else:
            tail_start, tail = self._tail
            if not tail or start < tail_start:
                return 0
            piece = tail[start - tail_start : start - tail_start + len(view)]
        view[: len(piece)] = piece
        return len(piece)

    def _is_untouched(self) -> bool:
        return self._stream is not None and self._stream.at == 0

    def _read_whole(self) -> bytes:
        if self.size > PIECE:
            # Piece by piece: one is hashed while the next arrives.
            data = self._read_rest(self.size)
            self._head = bytearray()
        else:
            assert self._stream is not None  # noqa: S101 - for the type checker
            data = self._stream.read_rest()
            self._check(0, data)
        self._leave_stream()
        return data

    # The stream

    def _read_stream(self, view: memoryview) -> int:
        stream = self._stream_at(self._at, len(view))
        if stream is None:
            return self._copy_kept(view)
        count = stream.readinto(view)
        self._keep_head(stream.at - count, view[:count])
        self._check(stream.at - count, view[:count])
        if stream.at == self.size:
            self._leave_stream()
        return count

    def _stream_at(self, start: int, wanted: int) -> Optional[Stream]:
        stream = self._stream
        if stream is not None and stream.at < stream.stop:
            if stream.at <= start <= stream.at + _SKIP and start < stream.stop:
                self._skip(stream, start - stream.at)
                return stream
        elif stream is not None and start == stream.stop:
            self._span = min(self._span * 4, _LAST_RANGE)
        if start >= self.size - self._tail_size and (stream is None or stream.at < start):
            self._fetch_tail(start)
            return None
        self._leave_stream()
        spare = _BUFFER if wanted > _BUFFER else 0
        stop = min(self.size, start + max(wanted + spare, self._span))
        self._stream = self._open_stream(start, stop)
        return self._stream

    def _open_stream(self, start: int, stop: int, answer: Optional[Answer] = None) -> Stream:
        return Stream(self._target, self.key, self.headers, start, stop, answer=answer)

    def _skip(self, stream: Stream, count: int) -> None:
        while count:
            piece = memoryview(bytearray(min(count, PIECE)))
            got = stream.readinto(piece)
            self._keep_head(stream.at - got, piece[:got])
            self._check(stream.at - got, piece[:got])
            count -= got

    def _fetch_tail(self, start: int) -> None:
        # The stream stays open: after its directory, the content of an archive is read.
        first = max(0, min(start, self.size - self._tail_size))
        tail = self._open_stream(first, self.size)
        try:
            data = tail.read_rest()
        finally:
            tail.close()
        self._tail = (first, data)
        self._check(first, data)

    def _keep_head(self, start: int, piece: memoryview) -> None:
        if start == len(self._head) < _HEAD:
            self._head += piece[: _HEAD - start]

    def _leave_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    # All of the rest

    def _read_rest(self, left: int) -> bytes:
        start = self._at
        out = io.BytesIO()
        # A byte written at its end gives the buffer its full size at once: it never has to grow,
        # and getvalue() returns the buffer without a copy.
        out.seek(left - 1)
        out.write(b"\0")
        try:
            with out.getbuffer() as view:
                self._fill(view, start)
        except BaseException as error:
            # The error's frames hold slices of the view, and the buffer could not be closed.
            clear_frames(error.__traceback__)
            raise
        return out.getvalue()

    def _fill(self, view: memoryview, start: int) -> None:
        done = 0
        while done < len(view):
            self._at = start + done
            count = self._copy_kept(view[done:])
            if not count:
                break
            done += count
        self._at = start + done
        rest = view[done:]
        if len(rest) > PART_SIZE and self._threads:
            self._fill_by_parts(rest, start + done)
        else:
            while rest:
                count = self.readinto(rest)
                rest = rest[count:]
        self._at = start + len(view)

    def _fill_by_parts(self, view: memoryview, start: int) -> None:
        parts: Deque[Tuple[int, int]] = deque(
            (at, min(at + PART_SIZE, len(view))) for at in range(0, len(view), PART_SIZE)
        )
        helpers = RangeThreads(self._read_range, parts, view, start)
        self._span = _LAST_RANGE
        try:
            helpers.run(min(self._threads, len(parts) - 1))
            # This thread reads on from the start; the others work from the end towards it.
            done = 0
            while parts and not helpers.errors:
                try:
                    _, done = parts.popleft()
                except IndexError:
                    break
                self._fill_serially(view[:done], start)
        finally:
            parts.clear()
            helpers.join()
        if helpers.errors:
            raise helpers.errors[0]
        self._leave_stream()
        for at in range(done, len(view), PART_SIZE):
            self._check(start + at, view[at : at + PART_SIZE])

    def _fill_serially(self, view: memoryview, start: int) -> None:
        while self._at < start + len(view):
            self.readinto(view[self._at - start :])

    def _read_range(self, view: memoryview, start: int) -> None:
        """Fill ``view`` with the bytes from ``start`` on, over a connection of its own."""
        stream = self._open_stream(start, start + len(view))
        try:
            while view:
                view = view[stream.readinto(view) :]
        finally:
            stream.close()

    # The end

    def _check(self, start: int, data: Any) -> None:
        """Add what was read to the checksum; raise if it is wrong after the last byte."""
        checksum = self._checksum
        if checksum is None or not checksum.at <= self.size:
            return
        if start <= checksum.at < start + len(data):
            skipped = checksum.at - start
            checksum.update(data[skipped:] if skipped else data)
            checksum.at = start + len(data)
            if checksum.at == self.size:
                self._checksum = None
                if not checksum.holds():
                    raise self._differs()

    def _differs(self) -> ContentMismatchError:
        return ContentMismatchError(
            "The bytes received are not the ones that were stored: their checksum differs. "
            "Read the file again.",
            **self._target.places(self.key),
        )

    def _raise_if_closed(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
