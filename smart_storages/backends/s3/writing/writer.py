"""Writing an object: whole or not at all, in one request if that is enough."""

from __future__ import annotations

from typing import Any, Dict

from boto3.s3.transfer import TransferConfig

from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.multipart import MultipartUpload
from smart_storages.backends.s3.writing.parameters import Written, exists
from smart_storages.backends.s3.writing.single_put import (
    CONFLICT,
    CONFLICT_TRIES,
    conflict_error,
    pause,
    put_body,
    taken_error,
)
from smart_storages.backends.s3.writing.source import MIN_PART, Source
from smart_storages.common import on_loop
from smart_storages.exceptions import PreconditionFailedError, S3Error

__all__ = ["count_workers", "put"]

#: Most bytes of parts in memory, including the part that is being filled.
_BUFFER = 40 * 1024**2

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
        target: The bucket.
        key: Key of the object.
        content: Something whose ``read(size)`` returns bytes, or a :class:`Source` of it. It is
            read from its current position and never closed.
        params: Parameters of ``put_object``: ``ContentType``, ``ACL`` and the like.
        overwrite: ``False`` to fail if the key is taken. This is ensured by a condition, or by
            reserving the key, if the provider supports either. If not, a HEAD is sent before, and
            another write may come in between: pass a key that nobody else can choose.
        transfer: ``multipart_threshold`` and ``multipart_chunksize`` in bytes,
            ``max_request_concurrency`` and ``use_threads``.

    Raises:
        ObjectExistsError: the key is taken; pass a :class:`Source` to try another key with it.
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
    on_loop.require_thread()  # parts are sent by threads
    if not overwrite:
        _refuse_early(target, key, params)
    workers = count_workers(transfer, in_memory=not source.is_on_disk)
    for _ in range(CONFLICT_TRIES):
        upload = MultipartUpload(target, key, params, workers=workers)
        try:
            for part in source.parts(transfer.multipart_chunksize, repeatable=not overwrite):
                upload.send(part)
                del part
            return upload.complete(overwrite=overwrite)
        except BaseException as error:
            upload.abort()
            is_conflict = isinstance(error, PreconditionFailedError) and error.code == CONFLICT
            if not (is_conflict and source.is_repeatable):
                raise
        pause()
    raise conflict_error(target, key)


def count_workers(transfer: TransferConfig, *, in_memory: bool = True) -> int:
    """Return how many parts may be sent at once.

    Args:
        transfer: What is configured.
        in_memory: Whether parts are held in memory, whose limit then applies as well.
    """
    if not transfer.use_threads:
        return 1
    configured = max(1, int(transfer.max_request_concurrency))
    if not in_memory:
        return configured
    room = _BUFFER // max(transfer.multipart_chunksize, MIN_PART) - 1
    return max(1, min(configured, room))


def _refuse_early(target: Target, key: str, params: Dict[str, Any]) -> None:
    # Saves sending a gigabyte for nothing. What decides is the condition at the end.
    try:
        taken = exists(target, key, params)
    except S3Error:
        if not target.provider.conditional_complete:
            raise
        return  # credentials that may only write cannot ask; the condition at the end decides
    if taken:
        raise taken_error(target, key)
