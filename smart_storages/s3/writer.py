"""Writing an object: whole or not at all, in one request where one is enough."""

from __future__ import annotations

import io
import random
import sys
import time
import weakref
from typing import IO, Any, Callable, Dict, Iterable, NoReturn, Optional, Union

from boto3.s3.transfer import TransferConfig
from django.core.files.base import File

from smart_storages.exceptions import ObjectExistsError, PreconditionFailedError, S3Error
from smart_storages.s3.calls import (
    CALL_ERRORS,
    Written,
    checksum_of,
    error_code,
    exists,
    has_token,
    new_token,
    retries_of,
    with_token,
)
from smart_storages.s3.multipart import ConflictError, MultipartUpload, abandon, start_reaper
from smart_storages.s3.source import MIN_PART, Source
from smart_storages.s3.target import Target

__all__ = ["S3WriteFile", "put"]

_Body = Union[bytes, IO[bytes]]

#: Bytes of parts in memory at most, the one being filled included.
_BUFFER = 40 * 1024**2

#: How often a write is repeated when S3 answers that another one was under way (409).
_CONFLICT_TRIES = 8

_DEFAULT_TRANSFER = TransferConfig()


def put(
    target: Target,
    key: str,
    content: Any,
    params: Dict[str, Any],
    *,
    overwrite: bool,
    transfer: TransferConfig = _DEFAULT_TRANSFER,
) -> Written:
    """Write an object: one PUT up to the multipart threshold, parts in parallel above it.

    Args:
        target: Where to.
        key: Key of the object.
        content: Something whose ``read(size)`` returns bytes, or a :class:`Source` of it. It is
            read from where it stands and never closed.
        params: Parameters of ``put_object``: ``ContentType``, ``ACL`` and the like.
        overwrite: ``False`` to fail where the key is taken. One atomic request where the
            provider's row says so, else a question beforehand.
        transfer: ``multipart_threshold`` and ``multipart_chunksize`` in bytes,
            ``max_request_concurrency`` and ``use_threads``.

    Raises:
        ObjectExistsError: the key is taken; give a :class:`Source` to try another one with it.
        S3Error: S3 refused the object, or did not answer. Nothing is published.

    Example::

        with open("report.pdf", "rb") as file:
            put(target, "report.pdf", file, {"ContentType": "application/pdf"}, overwrite=False)
    """
    if isinstance(content, Source):
        return _put_source(target, key, content, params, overwrite=overwrite, transfer=transfer)
    source = Source(content, transfer.multipart_threshold)
    try:
        return _put_source(target, key, source, params, overwrite=overwrite, transfer=transfer)
    finally:
        source.close()


def _put_source(
    target: Target,
    key: str,
    source: Source,
    params: Dict[str, Any],
    *,
    overwrite: bool,
    transfer: TransferConfig,
) -> Written:
    if source.is_whole:
        return put_body(target, key, source.head, params, overwrite=overwrite)
    if not overwrite:
        _refuse_early(target, key, params)
    for _ in range(_CONFLICT_TRIES):
        upload = MultipartUpload(target, key, params, workers=count_workers(transfer))
        try:
            for part in source.parts(transfer.multipart_chunksize, repeatable=not overwrite):
                upload.send(part)
                del part
            return upload.complete(overwrite=overwrite)
        except ConflictError:
            upload.abort()
            _pause()
        except BaseException:
            upload.abort()
            raise
    raise _conflict(target, key)


def put_body(
    target: Target, key: str, body: _Body, params: Dict[str, Any], *, overwrite: bool
) -> Written:
    """Write an object with one PUT; arguments as for :func:`put`."""
    client = target.client
    token = None
    chosen = dict(params)
    if not overwrite:
        if target.provider.conditional_put:
            token = new_token()
            chosen = {**with_token(params, token), "IfNoneMatch": "*"}
        elif exists(target, key, params):
            raise _taken(target, key)
    chosen.update(checksum_of(body, target, params.get("ChecksumAlgorithm")))
    size = len(body) if isinstance(body, bytes) else _size_of(body)
    for _ in range(_CONFLICT_TRIES):
        if not isinstance(body, bytes):
            body.seek(0)
        try:
            answer: Any = client.put_object(Bucket=target.bucket, Key=key, Body=body, **chosen)
            return Written.from_answer(answer, size)
        except CALL_ERRORS as error:
            code = error_code(error)
            if token is None or code not in _CONDITION_CODES:
                target.fail(error, key)
            if retries_of(error):
                # The answer to an earlier try was lost: the key may be taken by ourselves.
                ours = has_token(target, key, params, token)
                if ours is not None:
                    return Written.from_answer(ours, size)
            if code == "PreconditionFailed":
                raise _taken(target, key) from error
            if code == "NotImplemented":
                raise _no_conditions(target, key) from error
        _pause()
    raise _conflict(target, key)


_CONDITION_CODES = ("PreconditionFailed", "ConditionalRequestConflict", "NotImplemented")


def count_workers(transfer: TransferConfig) -> int:
    """Return how many parts may be under way: as many as asked for, within the buffer."""
    if not transfer.use_threads:
        return 1
    room = _BUFFER // max(transfer.multipart_chunksize, MIN_PART) - 1
    return max(1, min(int(transfer.max_request_concurrency), room))


def _refuse_early(target: Target, key: str, params: Dict[str, Any]) -> None:
    # Before a gigabyte is sent for nothing. What counts is the condition at the end.
    try:
        taken = exists(target, key, params)
    except S3Error:
        if not target.provider.conditional_complete:
            raise
        return  # credentials that may only write are told so when it counts
    if taken:
        raise _taken(target, key)


def _size_of(body: IO[bytes]) -> int:
    size = body.seek(0, io.SEEK_END)
    body.seek(0)
    return size


def _pause() -> None:
    time.sleep(random.uniform(0.01, 0.1))  # noqa: S311


def _taken(target: Target, key: str) -> ObjectExistsError:
    return ObjectExistsError("There is a file of that name already.", **target.places(key))


def _conflict(target: Target, key: str) -> PreconditionFailedError:
    return PreconditionFailedError(
        "Other requests kept changing the object at the same time. Save the file again.",
        **target.places(key),
    )


def _no_conditions(target: Target, key: str) -> S3Error:
    return S3Error(
        "The server does not know If-None-Match. Set the provider key to what the server is, or "
        "leave it out.",
        **target.places(key),
    )


class S3WriteFile(File):  # type: ignore[type-arg]
    """A file open for writing: published once, whole, when it is closed.

    An exception in its ``with`` block, or losing the last reference to it without closing it,
    publishes nothing.

    Args:
        target: Where to.
        key: Key of the object.
        name: Name of the file, as its storage knows it.
        mode: ``"w"``, ``"wb"`` or ``"wt"``. Either takes bytes and text, which becomes UTF-8.
        params: Parameters of ``put_object``.
        transfer: As for :func:`put`.
        on_close: Called with what was published.

    Raises:
        ValueError: the mode is another one.

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
        on_close: Optional[Callable[[Optional[Written]], None]] = None,
    ) -> None:
        if sorted(mode.replace("+", "")) not in (["w"], ["b", "w"], ["t", "w"]):
            raise ValueError(
                f"The mode {mode!r} is not possible: an object of S3 is written as a whole. "
                "Use 'wb', or read it, change it and save it."
            )
        super().__init__(None, name)
        self.mode = mode
        self._target = target
        self._key = key
        self._params = params
        self._transfer = transfer
        self._on_close = on_close
        self._buffer = bytearray()
        self._written: Optional[int] = None
        self._upload: Optional[MultipartUpload] = None
        self._finalizer: Any = None
        self._is_closed = False

    # Writing

    def write(self, content: Any) -> int:
        """Write bytes, or text as UTF-8; return the length of what was given."""
        self._raise_if_closed()
        if isinstance(content, str):
            data: Any = content.encode("utf-8")
        else:
            data = memoryview(content).cast("B")
        self._written = (self._written or 0) + len(data)
        # A slice at a time: what the caller holds in one piece must not be here a second time.
        for start in range(0, len(data), MIN_PART):
            self._buffer += data[start : start + MIN_PART]
            self._send_full_parts()
        return len(content)

    def writelines(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: an object cannot be published in pieces."""
        self._raise_if_closed()

    def _send_full_parts(self) -> None:
        if self._upload is None:
            if len(self._buffer) <= self._transfer.multipart_threshold:
                return
            self._start_upload()
        size = max(self._transfer.multipart_chunksize, MIN_PART)
        while len(self._buffer) > size:
            part = bytes(memoryview(self._buffer)[:size])
            del self._buffer[:size]
            self._send(part)

    def _start_upload(self) -> None:
        start_reaper()
        workers = count_workers(self._transfer)
        self._upload = MultipartUpload(self._target, self._key, self._params, workers=workers)
        self._finalizer = weakref.finalize(self, abandon, self._upload)
        self._finalizer.atexit = False  # uploads that are open then are aborted by their module

    def _send(self, part: bytes) -> None:
        try:
            self._require(self._upload).send(part)
        except BaseException:
            self.discard()
            raise

    @staticmethod
    def _require(upload: Optional[MultipartUpload]) -> MultipartUpload:
        assert upload is not None  # noqa: S101 - told to the type checker
        return upload

    # Ending

    def close(self) -> None:
        """Publish the object. A second call does nothing.

        Where nothing was written, an empty object is created if there is none.

        Raises:
            S3Error: the object could not be published; nothing was.
        """
        if self._is_closed:
            return
        if _closed_by_exception(sys._getframe(1)):
            self.discard()
            return
        try:
            written = self._publish()
        except BaseException:
            self.discard()
            raise
        self._end()
        if self._on_close is not None:
            self._on_close(written)

    def _publish(self) -> Optional[Written]:
        if self._upload is not None:
            if self._buffer:
                self._upload.send(bytes(self._buffer))
            return self._upload.complete(overwrite=True)
        if self._written is not None:
            body = bytes(self._buffer)
            return put_body(self._target, self._key, body, self._params, overwrite=True)
        try:
            return put_body(self._target, self._key, b"", self._params, overwrite=False)
        except ObjectExistsError:
            return None  # as django-storages: opening a file for writing does not empty it

    def discard(self) -> None:
        """Close the file and publish nothing."""
        if self._is_closed:
            return
        upload = self._upload
        self._end()
        if upload is not None:
            upload.abort()

    def _end(self) -> None:
        self._is_closed = True
        self._buffer = bytearray()
        self._upload = None
        if self._finalizer is not None:
            self._finalizer.detach()

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    # What else a file is asked

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

    def open(self, mode: Optional[str] = None, *args: Any, **kwargs: Any) -> S3WriteFile:
        """Return the file itself while it is open, as Django's ``File.open`` does."""
        if self._is_closed or (mode and mode != self.mode):
            raise ValueError("Open the file again with the open() of its storage.")
        return self

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise io.UnsupportedOperation("The file is open for writing, from begin to end.")

    read = readinto = readline = readlines = chunks = multiple_chunks = _refuse
    seek = truncate = fileno = __iter__ = __next__ = _refuse

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "open"
        return f"<{type(self).__name__}: {self.name!r} {state} for writing>"

    def _raise_if_closed(self) -> None:
        if self._is_closed:
            raise ValueError("I/O operation on closed file.")


def _closed_by_exception(frame: Any) -> bool:
    # FieldFile's ``with`` block ends in File.__exit__, which calls close() and keeps to itself
    # that there was an exception; it stands a frame or two above.
    for _ in range(3):
        if frame is None:
            return False
        if frame.f_code is File.__exit__.__code__:
            return frame.f_locals.get("exc_type") is not None
        frame = frame.f_back
    return False
