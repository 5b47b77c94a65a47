"""The file that ``open("wb")`` returns: published once and whole, or not at all."""

from __future__ import annotations

import io
import sys
import weakref
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, Callable, ContextManager, Dict, NoReturn, Optional

from boto3.s3.transfer import TransferConfig

from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.multipart import MultipartUpload, abandon, start_reaper
from smart_storages.backends.s3.writing.single_put import put_body
from smart_storages.backends.s3.writing.source import part_size
from smart_storages.backends.s3.writing.writer import count_workers
from smart_storages.common.content import closed_by_exception
from smart_storages.common.whole_files import WholeFile
from smart_storages.exceptions import ObjectExistsError

if TYPE_CHECKING:
    from smart_storages.common.recording import Record

__all__ = ["S3WriteFile"]

_DEFAULT_TRANSFER = TransferConfig()


class S3WriteFile(WholeFile):
    """A file open for writing: published once, whole, when it is closed.

    Nothing is published if an exception leaves its ``with`` block, or if it is garbage-collected
    without having been closed.

    Args:
        target: The bucket.
        key: Key of the object.
        name: Name of the file, as its storage knows it.
        mode: ``"w"``, ``"wb"`` or ``"wt"``. All take bytes and text; text is encoded as UTF-8.
        params: Parameters of ``put_object``.
        transfer: As for :func:`put`.
        on_close: Called after the object was published, or may have been.
        begin: Returns the record of the operation that this file is, or ``None``.

    Raises:
        ValueError: any other mode.

    Example::

        with S3WriteFile(target, "docs/a.txt", "a.txt", "wb", {}) as file:
            file.write(b"whole or not at all")

    Source: ``S3File`` of django-storages.
    """

    def __init__(
        self,
        target: Target,
        key: str,
        name: str,
        mode: str,
        params: Dict[str, Any],
        *,
        transfer: TransferConfig = _DEFAULT_TRANSFER,
        on_close: Optional[Callable[[], None]] = None,
        begin: Callable[[], Optional[Record]] = lambda: None,
    ) -> None:
        super().__init__(None, name)
        self.mode = mode
        self._target = target
        self._key = key
        self._params = params
        self._transfer = transfer
        self._on_close = on_close
        self._begin = begin
        self._record: Optional[Record] = None
        self._buffer = _Buffer(transfer.multipart_threshold)
        self._written: Optional[int] = None
        self._sent = 0
        self._upload: Optional[MultipartUpload] = None
        self._finalizer: Any = None
        self._is_closed = False
        # Last, so that a debugger can show the repr of this file.
        if sorted(mode.replace("+", "")) not in (["w"], ["b", "w"], ["t", "w"]):
            raise ValueError(
                f"The mode {mode!r} is not possible: an object of S3 is written as a whole. "
                "Use 'wb', or read it, change it and save it."
            )
        self._begin_record()

    def _begin_record(self) -> None:
        self._record = self._begin()
        if self._record is not None:
            self._finalizer = weakref.finalize(self, self._record.finish_later)
            self._finalizer.atexit = False

    def _working(self) -> ContextManager[Any]:
        return nullcontext() if self._record is None else self._record.active()

    # Writing

    def write(self, content: Any) -> int:
        """Write bytes, or text as UTF-8; return the length of what was given."""
        self._raise_if_closed()
        raw = content.encode("utf-8") if isinstance(content, str) else content
        data = memoryview(raw).cast("B")
        self._written = (self._written or 0) + len(data)
        while data:
            data = data[self._buffer.fill(data) :]
            if data:
                self._send_full_parts()
        return len(content)

    def flush(self) -> None:
        """Do nothing: an object cannot be published in pieces."""
        self._raise_if_closed()

    def _send_full_parts(self) -> None:
        if self._upload is None:
            self._start_upload()
        held = self._buffer.take()
        while len(held) >= self._part_size():
            # Usually all of it is one part; then neither slice copies anything.
            part, held = held[: self._part_size()], held[self._part_size() :]
            self._send(part)
        self._buffer = _Buffer(self._part_size(), at_once=True)
        self._buffer.fill(memoryview(held))

    def _part_size(self) -> int:
        return part_size(self._sent, self._transfer.multipart_chunksize)

    def _start_upload(self) -> None:
        start_reaper()
        workers = count_workers(self._transfer)
        try:
            with self._working():
                self._upload = MultipartUpload(
                    self._target, self._key, self._params, workers=workers
                )
        except BaseException as error:
            self._note(error)
            raise
        if self._finalizer is not None:
            self._finalizer.detach()  # the record ends when the upload was aborted
        self._finalizer = weakref.finalize(self, abandon, self._upload)
        self._finalizer.atexit = False  # multipart.py aborts open uploads at exit

    def _send(self, part: bytes) -> None:
        try:
            with self._working():
                self._require(self._upload).send(part)
            self._sent += 1
        except BaseException as error:
            self._note(error)
            self.discard()
            raise

    def _note(self, error: BaseException) -> None:
        if self._record is not None:
            self._record.fail(error)

    @staticmethod
    def _require(upload: Optional[MultipartUpload]) -> MultipartUpload:
        assert upload is not None  # noqa: S101 - for the type checker
        return upload

    # Ending

    def close(self) -> None:
        """Publish the object. A second call does nothing.

        If nothing was written, an empty object is created unless the key is taken.

        Raises:
            S3Error: the object could not be published; nothing was.
        """
        if self._is_closed:
            return
        if closed_by_exception(sys._getframe(1)):
            self.discard()
            return
        try:
            with self._working():
                self._publish()
        except BaseException as error:
            self._note(error)
            self.discard()
            raise
        finally:
            if self._on_close is not None:
                self._on_close()
        record = self._end()
        if record is not None:
            record.finish()

    def _publish(self) -> None:
        if self._upload is not None:
            if self._buffer.length:
                self._upload.send(self._buffer.take())
            self._upload.complete(overwrite=True)
        elif self._written is not None:
            body = self._buffer.take()
            put_body(self._target, self._key, body, self._params, overwrite=True)
        else:
            # As in django-storages, opening a file for writing does not empty it.
            with suppress(ObjectExistsError):
                put_body(self._target, self._key, b"", self._params, overwrite=False)

    def discard(self) -> None:
        """Close the file without publishing anything."""
        if self._is_closed:
            return
        upload = self._upload
        record = self._end()
        try:
            if upload is not None:
                with nullcontext() if record is None else record.active():
                    upload.abort()
        finally:
            if record is not None:
                record.finish()

    def _end(self) -> Optional[Record]:
        record, self._record = self._record, None
        self._is_closed = True
        self._buffer = _Buffer(self._transfer.multipart_threshold)
        self._sent = 0
        self._upload = None
        if self._finalizer is not None:
            self._finalizer.detach()
        return record

    # The rest of the file API

    @property
    def closed(self) -> bool:
        return self._is_closed

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._written or 0

    def tell(self) -> int:
        self._raise_if_closed()
        return self.size

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return not self._is_closed

    def isatty(self) -> bool:
        return False

    def start_again(self) -> None:
        self._is_closed = False
        self._written = None
        self._begin_record()

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise io.UnsupportedOperation("The file can only be written, from beginning to end.")

    read = readinto = readline = readlines = chunks = multiple_chunks = _refuse
    seek = truncate = fileno = __iter__ = __next__ = _refuse


class _Buffer:
    """Collects the bytes of one request, and hands them over without a copy.

    Args:
        room: Most bytes that it takes.
        at_once: ``True`` to allocate all memory now. A buffer that grows is copied, and for a
            moment it is in memory twice.
    """

    def __init__(self, room: int, *, at_once: bool = False) -> None:
        self._room = room
        self._file = io.BytesIO(bytes(room if at_once else 0))

    @property
    def length(self) -> int:
        """Bytes collected so far."""
        return self._file.tell()

    def fill(self, data: memoryview) -> int:
        """Take as many bytes as there is room for, and return their number."""
        return self._file.write(data[: self._room - self.length])

    def take(self) -> bytes:
        """Return what was collected; the buffer cannot be used afterwards."""
        self._file.truncate()
        return self._file.getvalue()
