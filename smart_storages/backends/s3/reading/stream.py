"""Reading forward in an object; after a lost connection, it goes on where it broke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Mapping, Optional

from smart_storages.backends.s3.errors.cleaning import clean
from smart_storages.backends.s3.requests.answers import length_of, total_of
from smart_storages.backends.s3.requests.http import BODY_ERRORS, Answer, fetch
from smart_storages.backends.s3.requests.retries import attempts_of, pause
from smart_storages.common import recording
from smart_storages.exceptions import (
    ContentMismatchError,
    ObjectChangedError,
    PreconditionFailedError,
    S3Error,
    UnreachableError,
)

if TYPE_CHECKING:
    from smart_storages.backends.s3.target import Target

__all__ = ["PIECE", "Stream", "read_unsized"]

_KIB = 1024

#: The most bytes that are read at once.
PIECE = 256 * _KIB

# Failures are counted from zero again after this many bytes were read between two of them.
_PROGRESS = 1024 * _KIB

_PARTIAL = 206
_NOT_SATISFIABLE = 416


class Stream:
    """A range of one version of an object; ``at`` is the position of the next byte.

    Args:
        target: The bucket.
        key: Key of the object.
        headers: Headers of the answer that identifies the version.
        start: Position of the first byte.
        stop: Position after the last byte.
        answer: An answer to read from; without one, the first read sends a request.

    Raises:
        ObjectChangedError: from any method: the object was replaced.
        UnreachableError: from any method: the connection broke too often.
    """

    def __init__(
        self,
        target: Target,
        key: str,
        headers: Mapping[str, str],
        start: int,
        stop: int,
        *,
        answer: Optional[Answer] = None,
    ) -> None:
        self._target = target
        self._key = key
        self._headers = headers
        self.at = start
        self.stop = stop
        self._failures = 0
        self._failed_at = start
        self._answer: Optional[Answer] = answer

    def readinto(self, view: memoryview) -> int:
        """Read at least one byte."""
        view = view[: min(self.stop - self.at, PIECE)]
        while True:
            try:
                count = self._get_answer().readinto(view)
            except S3Error:
                raise
            except BODY_ERRORS as error:
                self._note_failure(error)
            else:
                if count:
                    self.at += count
                    return count
                self._note_failure(EOFError(f"the body ended at byte {self.at} of {self.stop}"))

    def read_rest(self) -> bytes:
        """Read everything that is left."""
        size = self.stop - self.at
        if size <= PIECE:
            # Usually everything arrives at once, and then nothing is copied.
            data = self._read_small(size)
            if len(data) == size:
                return data
        else:
            data = b""
        rest = bytearray(size - len(data))
        view = memoryview(rest)
        while view:
            view = view[self.readinto(view) :]
        return data + rest

    def close(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()

    def _read_small(self, size: int) -> bytes:
        try:
            data = self._get_answer().read(size)
        except S3Error:
            raise
        except BODY_ERRORS as error:
            self._note_failure(error)
            return b""
        self.at += len(data)
        return data

    def _get_answer(self) -> Answer:
        if self._answer is None:
            self._answer = self._ask()
        return self._answer

    def _note_failure(self, error: BaseException) -> None:
        """Wait, then prepare to go on at the byte reached; raise if it broke too often."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.left = None  # so that close() does not read the rest: the connection is broken
            answer.close()
        if self.at - self._failed_at >= _PROGRESS:
            self._failures = 0
        self._failures += 1
        self._failed_at = self.at
        if self._failures >= max(2, attempts_of(self._target.client)):
            raise UnreachableError(
                f"The connection to S3 broke {self._failures} times within one read, the last "
                f"time at byte {self.at}. Read the file again.",
                **self._target.places(self._key),
            ) from clean(error)
        if self._failures > 1:
            pause(self._failures - 1)
        else:
            recording.count_retry()

    def _ask(self) -> Answer:
        etag = self._headers.get("etag")
        try:
            answer = fetch(
                self._target, self._key, start=self.at, stop=self.stop, etag=etag or None
            )
        except PreconditionFailedError as error:
            raise self._changed() from error
        except S3Error as error:
            if error.status == _NOT_SATISFIABLE:
                raise self._changed() from error
            raise
        try:
            self._raise_if_other(answer.headers)
            if answer.status != _PARTIAL:
                self._skip_to_start(answer)
        except BaseException:
            answer.close()
            raise
        return answer

    def _raise_if_other(self, headers: Any) -> None:
        # For servers that do not know If-Match.
        for name in ("etag", "last-modified"):
            if name in self._headers and name in headers:
                if self._headers[name] != headers[name]:
                    raise self._changed()
                break
        content_range = headers.get("content-range", "")
        if content_range and not content_range.startswith(f"bytes {self.at}-"):
            raise ContentMismatchError(
                f"S3 was asked for the bytes from {self.at} on and answered with "
                f"{content_range!r}. A proxy or gateway in front of S3 may be at fault.",
                **self._target.places(self._key),
            )
        size, total = length_of(self._headers), total_of(headers)
        if content_range and size and total and total != size:
            raise ContentMismatchError(
                f"S3 now says that the object has {total} bytes, but it said {size} when the file "
                "was opened. Open the file again.",
                **self._target.places(self._key),
            )

    def _skip_to_start(self, answer: Answer) -> None:
        # A server that does not support ranges sends the whole object.
        left = self.at
        while left:
            data = answer.read(min(left, PIECE))
            if not data:
                raise UnreachableError(
                    "The server does not support ranges, and its answer ended before byte "
                    f"{self.at}. Read the file again.",
                    **self._target.places(self._key),
                )
            left -= len(data)

    def _changed(self) -> ObjectChangedError:
        return ObjectChangedError(
            "The object was replaced while it was read. Open the file again to read the new one.",
            **self._target.places(self._key),
        )


def read_unsized(target: Target, key: str, answer: Answer) -> bytes:
    """Read a body of unknown length; if the connection breaks, it cannot go on where it broke."""
    pieces: List[bytes] = []
    try:
        while True:
            piece = answer.read(PIECE)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
    except BODY_ERRORS as error:
        raise UnreachableError(
            "The connection to S3 broke while receiving an object whose length S3 does not say. "
            "Read the file again.",
            **target.places(key),
        ) from clean(error)
    finally:
        answer.close()
