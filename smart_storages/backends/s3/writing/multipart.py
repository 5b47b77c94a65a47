"""One multipart upload: parts in parallel, then published in one step or aborted."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from typing import Any, Callable, Dict, List, Optional

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from smart_storages.backends.s3.requests.bodies import Body, size_of
from smart_storages.backends.s3.requests.sending import send
from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.claims import Claim
from smart_storages.backends.s3.writing.parameters import (
    CALL_ERRORS,
    Written,
    accepted,
    checksum_for,
    error_code,
    exists,
    has_token,
    new_token,
    retries_of,
    with_token,
)
from smart_storages.backends.s3.writing.single_put import CONFLICT, conflict_error, taken_error
from smart_storages.common import recording

__all__ = ["MultipartUpload", "abandon"]

logger = logging.getLogger(__name__)

#: Servers report times in whole seconds, and two servers' clocks differ.
_CLOCK_SLACK = timedelta(seconds=2)


class MultipartUpload:
    """One multipart upload; it holds at most ``workers`` parts in memory.

    Args:
        target: The bucket.
        key: Key of the object.
        params: Parameters of the write, as for ``put_object``.
        workers: How many parts are sent at the same time. With 1, the caller's thread sends them.

    Raises:
        S3Error: S3 refused to start it.

    Example::

        upload = MultipartUpload(target, "film.mp4", {}, workers=4)
        try:
            for part in parts:
                upload.send(part)
            upload.complete(overwrite=True)
        except BaseException:
            upload.abort()
            raise
    """

    def __init__(self, target: Target, key: str, params: Dict[str, Any], *, workers: int) -> None:
        self._target = target
        self._key = key
        self._params = params
        self._workers = workers
        self._slots = threading.Semaphore(workers)
        self._executor: Optional[ThreadPoolExecutor] = None
        self._parts: Dict[int, Dict[str, Any]] = {}
        self._count = 0
        self._size = 0
        self._error: Optional[BaseException] = None
        self._token = new_token()
        self._process = os.getpid()
        self._open = True
        self._claim: Optional[Claim] = None
        self._suspects: List[str] = []
        #: The operation that this upload belongs to.
        self.record = recording.current()
        self._create()
        _live.add(self)

    # The three steps

    def send(self, data: Body) -> None:
        """Send the next part; wait while all workers are busy.

        Args:
            data: Bytes, or a slice of a file.

        Raises:
            S3Error: this part, or an earlier one, was refused or did not arrive.
        """
        self._next(size_of(data), lambda number: self._upload_part(number, data))

    def copy(self, size: int, **parameters: Any) -> None:
        """Let the server copy the next part from another object; wait as :meth:`send` does.

        Args:
            size: Bytes of the part.
            parameters: ``CopySource``, ``CopySourceRange`` and the like, of ``upload_part_copy``.

        Raises:
            S3Error: this part, or an earlier one, was refused.
        """
        self._next(size, lambda number: self._copy_part(number, parameters))

    def _next(self, size: int, make_part: Callable[[int], Dict[str, Any]]) -> None:
        self._slots.acquire()
        self._raise_error()
        self._count += 1
        self._size += size
        # The caller keeps its arguments for a while longer. The list is emptied by _run, so that
        # they do not keep the bytes of the part in memory.
        job = [make_part]
        del make_part
        if self._workers == 1:
            self._run(self._count, job)
            self._raise_error()
            return
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._workers, "smart-storages-part")
        self._executor.submit(recording.carry(self._run), self._count, job)

    def complete(self, *, overwrite: bool) -> Written:
        """Publish the object, once every part has arrived.

        Args:
            overwrite: ``False`` to fail if the key is taken. If the provider has
                ``conditional_complete=False``, the key is reserved first; if it also has
                ``conditional_put=False``, a HEAD is sent, after which another write may come first.

        Raises:
            ObjectExistsError: the key is taken.
            PreconditionFailedError: another request changed the object meanwhile; the whole upload
                must be repeated. Its code is :data:`CONFLICT`.
            S3Error: a part was refused or did not arrive, or the object could not be published.
        """
        self._wait()
        self._raise_error()
        conditions = {} if overwrite else self._guard()
        client = self._target.client
        try:
            answer = send(
                client,
                "CompleteMultipartUpload",
                **accepted(client, "CompleteMultipartUpload", self._params),
                **self._name(),
                MultipartUpload={"Parts": [self._parts[n] for n in sorted(self._parts)]},
                **conditions,
            )
            written = Written.from_answer(answer, self._size)
        except CALL_ERRORS as error:
            written = self._settle(error)
        self._end()
        return written

    def abort(self) -> None:
        """Abort the upload without publishing anything. Does nothing once it has ended."""
        if not self._open or os.getpid() != self._process:
            return
        self._error = self._error or RuntimeError("The upload was aborted.")
        # A part that arrives after the abort would stay: wait for parts that are being sent.
        self._wait()
        self._abort(self._upload_id)
        if self._claim is not None:
            # After the abort, since from now on this upload cannot replace the claim any more.
            self._claim.release()
        self._end()

    # Requests

    def _guard(self) -> Dict[str, Any]:
        """Make sure that the key is free; return the condition for the last request, if any."""
        provider = self._target.provider
        if provider.conditional_complete:
            return {"IfNoneMatch": "*"}
        if provider.conditional_put:
            # As late as possible: for the length of one request the key holds an empty object.
            self._claim = Claim(self._target, self._key, self._params)
        elif exists(self._target, self._key, self._params):
            raise taken_error(self._target, self._key)
        return {}

    def _create(self) -> None:
        client = self._target.client
        params = with_token(accepted(client, "CreateMultipartUpload", self._params), self._token)
        if self._target.provider.checksum == "crc32":
            params.setdefault("ChecksumAlgorithm", "CRC32")
        start = time.monotonic()
        try:
            answer = send(
                client,
                "CreateMultipartUpload",
                Bucket=self._target.bucket,
                Key=self._key,
                **params,
            )
        except CALL_ERRORS as error:
            never_arrived = (EndpointConnectionError, ConnectTimeoutError)
            if retries_of(error) or not isinstance(error, (ClientError, *never_arrived)):
                self._find_suspects(time.monotonic() - start)
                self._abort_suspects()
            self._target.fail(error, self._key)
        self._upload_id: str = answer["UploadId"]
        if retries_of(answer):
            self._find_suspects(time.monotonic() - start)
        self._algorithm: Optional[str] = params.get("ChecksumAlgorithm")

    def _name(self) -> Dict[str, Any]:
        return {"Bucket": self._target.bucket, "Key": self._key, "UploadId": self._upload_id}

    def _run(self, number: int, job: List[Callable[[int], Dict[str, Any]]]) -> None:
        make_part = job.pop()
        try:
            if self._error is None:
                self._parts[number] = make_part(number)
        except BaseException as error:
            self._error = self._error or error
        finally:
            del make_part  # it keeps the bytes of the part in memory
            self._slots.release()

    def _upload_part(self, number: int, data: Body) -> Dict[str, Any]:
        client = self._target.client
        params = accepted(client, "UploadPart", self._params)
        params.pop("ChecksumAlgorithm", None)
        answer = send(
            client,
            "UploadPart",
            **params,
            **self._name(),
            PartNumber=number,
            Body=data,
            checksum=checksum_for(self._target, self._algorithm),
        )
        return _describe_part(number, answer)

    def _copy_part(self, number: int, parameters: Dict[str, Any]) -> Dict[str, Any]:
        client: Any = self._target.client
        params = {**accepted(client, "UploadPartCopy", self._params), **parameters}
        answer = client.upload_part_copy(**params, **self._name(), PartNumber=number)
        return _describe_part(number, answer["CopyPartResult"])

    def _raise_error(self) -> None:
        if self._error is not None:
            self._target.fail(self._error, self._key)

    def _wait(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True)

    def _settle(self, error: BaseException) -> Written:
        # If an answer was lost, the retry finds the upload gone, or the key taken by this upload.
        certain = error_code(error) == "PreconditionFailed" and not retries_of(error)
        if not certain:
            ours = has_token(self._target, self._key, self._params, self._token)
            if ours is not None:
                return Written.from_answer(ours, self._size)
        if error_code(error) == "PreconditionFailed":
            raise taken_error(self._target, self._key) from error
        if error_code(error) == CONFLICT:
            raise conflict_error(self._target, self._key) from error
        return self._target.fail(error, self._key)

    def _abort(self, upload_id: str) -> None:
        client = self._target.client
        try:
            send(
                client,
                "AbortMultipartUpload",
                **accepted(client, "AbortMultipartUpload", self._params),
                Bucket=self._target.bucket,
                Key=self._key,
                UploadId=upload_id,
            )
        except CALL_ERRORS as error:
            if error_code(error) != "NoSuchUpload":
                # Only logged: the error that led to the abort is the more important one.
                logger.warning(
                    "The multipart upload %s of %s in bucket %s was left behind: %s. Abort it, or "
                    "set a lifecycle rule with AbortIncompleteMultipartUpload.",
                    upload_id,
                    self._key,
                    self._target.bucket,
                    type(error).__name__,
                )

    def _end(self) -> None:
        self._open = False
        self._claim = None
        _live.discard(self)
        self._parts.clear()
        self._abort_suspects()

    # Uploads that were started by a request whose answer was lost: botocore repeats such a request,
    # and the first upload would remain. It is called a suspect here.

    def _find_suspects(self, elapsed: float) -> None:
        # They have no name by which to recognise them. They have the same key, were started while
        # the request was running, and never get a part; the last is checked when this upload ends.
        mine = getattr(self, "_upload_id", None)
        try:
            answer = self._target.client.list_multipart_uploads(
                Bucket=self._target.bucket, Prefix=self._key
            )
        except CALL_ERRORS:
            return
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else _now()
        since = now - timedelta(seconds=elapsed) - _CLOCK_SLACK
        self._suspects = [
            upload["UploadId"]
            for upload in answer.get("Uploads", ())
            if upload["Key"] == self._key
            and upload["UploadId"] != mine
            and upload["Initiated"] >= since
        ]

    def _abort_suspects(self) -> None:
        suspects, self._suspects = self._suspects, []
        for upload_id in suspects:
            try:
                answer = self._target.client.list_parts(
                    Bucket=self._target.bucket, Key=self._key, UploadId=upload_id
                )
            except CALL_ERRORS:
                continue
            if not answer.get("Parts"):
                self._abort(upload_id)


def _describe_part(number: int, answer: Dict[str, Any]) -> Dict[str, Any]:
    sums = {name: value for name, value in answer.items() if name.startswith("Checksum")}
    sums.pop("ChecksumType", None)
    return {"PartNumber": number, "ETag": answer["ETag"], **sums}


def _now() -> datetime:
    return datetime.now(timezone.utc)


# Uploads that were never completed or aborted

_live: weakref.WeakSet[MultipartUpload] = weakref.WeakSet()
_abandoned: SimpleQueue[MultipartUpload] = SimpleQueue()
_reaper: Optional[threading.Thread] = None


def abandon(upload: MultipartUpload) -> None:
    """Abort an upload later, in a thread; safe to call from a finalizer.

    The garbage collector may run at any moment, even while a lock of the connection pool is held,
    so a finalizer must not send a request. A ``SimpleQueue`` can be used there.
    """
    _abandoned.put(upload)


def start_reaper() -> None:
    """Start the thread that aborts what :func:`abandon` was given, if it does not run."""
    global _reaper  # noqa: PLW0603
    if _reaper is None or not _reaper.is_alive():
        _reaper = threading.Thread(target=_reap, name="smart-storages-reaper", daemon=True)
        _reaper.start()


def _reap() -> None:
    while True:
        upload = _abandoned.get()
        try:
            with recording.within(upload.record):
                upload.abort()
        except Exception:
            logger.exception("An upload that was not closed could not be aborted.")
        if upload.record is not None:
            upload.record.finish_later()
        del upload


@atexit.register
def _abort_at_exit() -> None:
    for upload in list(_live):
        upload.abort()
