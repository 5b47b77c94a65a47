"""Writing an object: whole or not at all, in one request where one is enough."""

from __future__ import annotations

import io
import random
import time
from typing import IO, Any, Dict, Union

from boto3.s3.transfer import TransferConfig

from smart_storages.exceptions import ObjectExistsError, PreconditionFailedError, S3Error
from smart_storages.s3.calls import (
    CALL_ERRORS,
    Written,
    checksum_of,
    exists,
    has_token,
    new_token,
    retries_of,
    with_token,
)
from smart_storages.s3.multipart import ConflictError, MultipartUpload
from smart_storages.s3.source import MIN_PART, Source
from smart_storages.s3.target import Target

__all__ = ["count_workers", "put", "put_body"]

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
    if overwrite:
        return _put_once(target, key, body, params)
    if not target.provider.conditional_put:
        if exists(target, key, params):
            raise _taken(target, key)
        return _put_once(target, key, body, params)
    return _put_new(target, key, body, params)


def _put_new(target: Target, key: str, body: _Body, params: Dict[str, Any]) -> Written:
    token = new_token()
    chosen = {**with_token(params, token), "IfNoneMatch": "*"}
    for _ in range(_CONFLICT_TRIES):
        try:
            return _put_once(target, key, body, chosen)
        except S3Error as error:
            cause = error.__cause__
            if error.code not in _CONDITION_CODES or cause is None:
                raise
            if retries_of(cause):
                # The answer to an earlier try was lost: the key may be taken by ourselves.
                ours = has_token(target, key, params, token)
                if ours is not None:
                    return Written.from_answer(ours, size_of(body))
            if error.code == "NotImplemented":
                raise _no_conditions(target, key) from cause
            if error.code != "ConditionalRequestConflict":
                raise _taken(target, key) from cause
        _pause()
    raise _conflict(target, key)


_CONDITION_CODES = ("PreconditionFailed", "412", "ConditionalRequestConflict", "NotImplemented")


def _put_once(target: Target, key: str, body: _Body, params: Dict[str, Any]) -> Written:
    checksum = checksum_of(body, target, params.get("ChecksumAlgorithm"))
    size = size_of(body)
    client: Any = target.client
    try:
        answer = client.put_object(
            Bucket=target.bucket, Key=key, Body=body, **{**params, **checksum}
        )
    except CALL_ERRORS as error:
        target.fail(error, key)
    return Written.from_answer(answer, size)


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


def size_of(body: _Body) -> int:
    """Return the length of a body, and put a file at its start."""
    if isinstance(body, bytes):
        return len(body)
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
