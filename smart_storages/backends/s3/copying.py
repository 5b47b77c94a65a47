"""Copying an object: by the server if it can, else through this process."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

from boto3.s3.transfer import TransferConfig

from smart_storages.backends.s3.bulk import count_threads
from smart_storages.backends.s3.requests.sending import send
from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.claims import Claim
from smart_storages.backends.s3.writing.multipart import MultipartUpload
from smart_storages.backends.s3.writing.parameters import (
    CALL_ERRORS,
    COPIED_FROM,
    accepted,
    error_code,
    exists,
    new_token,
    with_token,
)
from smart_storages.backends.s3.writing.parameters import head as ask_head
from smart_storages.backends.s3.writing.single_put import taken_error
from smart_storages.backends.s3.writing.writer import put
from smart_storages.exceptions import S3Error

__all__ = ["Watched", "copy_object", "stream_object"]

#: The largest object that CopyObject copies; a larger one is copied in parts.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
MAX_COPY = 5 * 1024**3

#: Size of each part of a copy in bytes. A server copies quickly, and 10,000 parts are 5 TB.
COPY_PART = 512 * 1024**2

#: Parameters that describe an object's content; the copy keeps them unless others are given.
_DESCRIPTION = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
    "WebsiteRedirectLocation",
)

_TOO_LARGE = ("EntityTooLarge", "InvalidRequest")


def copy_object(
    source: Target,
    key: str,
    target: Target,
    new_key: str,
    params: Dict[str, Any],
    *,
    foreign: bool,
    overwrite: bool,
    etag: str = "",
) -> None:
    """Let the server copy an object; type, metadata and the like are copied too, its ACL is not.

    Args:
        source: The bucket to copy from.
        key: Key of the object.
        target: The bucket to copy to. Its credentials make the request, and must be allowed to
            read the source.
        new_key: Key of the copy.
        params: Parameters of the copy: ``ACL``, ``StorageClass``, ``CacheControl`` and the like.
        foreign: Whether the two have different credentials. The same bucket name may then mean
            another bucket, so the ETag is read first and the copy is made on condition of it.
        overwrite: ``False`` to fail if the key is taken. AWS supports the condition on a copy;
            elsewhere the key is reserved first if the provider supports that. If it does not, pass
            a key that nobody else can choose.
        etag: ETag that the object must have, if it is known, without its quotes.

    Raises:
        AccessDeniedError: the target's credentials may not read the source.
        PreconditionFailedError: the object changed meanwhile, or the target's credentials see
            another one.
        ObjectExistsError: the key is taken.
        S3Error: S3 could not copy it.
    """
    params = {name: value for name, value in params.items() if name != "ChecksumAlgorithm"}
    job = _Job(source, key, target, new_key, params, _source_parameters(source), overwrite)
    answer: Dict[str, Any] = {}
    if etag:
        job.conditions["CopySourceIfMatch"] = f'"{etag}"'
    if (foreign and not etag) or job.is_described:
        answer = ask_head(source, key)
        job.conditions.setdefault("CopySourceIfMatch", answer["ETag"])
    if not answer or answer["ContentLength"] <= MAX_COPY:
        try:
            _copy_at_once(job, answer)
        except S3Error as error:
            if error.code not in _TOO_LARGE:
                raise
            answer = answer or ask_head(source, key)
            if answer["ContentLength"] <= MAX_COPY:
                raise
        else:
            return
    _copy_in_parts(job, answer)


@dataclass(frozen=True)
class _Job:
    """The arguments of one call of :func:`copy_object`."""

    source: Target
    key: str
    target: Target
    new_key: str
    params: Dict[str, Any]
    conditions: Dict[str, Any]
    overwrite: bool

    @property
    def is_described(self) -> bool:
        return any(name in self.params for name in _DESCRIPTION)

    @property
    def copy_source(self) -> Dict[str, str]:
        return {"Bucket": self.source.bucket, "Key": self.key}


def _copy_at_once(job: _Job, answer: Dict[str, Any]) -> None:
    target = job.target
    client: Any = target.client
    chosen = {**accepted(client, "CopyObject", job.params), **job.conditions}
    if job.is_described:
        chosen = {**_description(answer), **chosen, "MetadataDirective": "REPLACE"}
    if "Tagging" in chosen:
        chosen["TaggingDirective"] = "REPLACE"  # or else the tags are those of the source
    claim = None
    if not job.overwrite and _knows_condition(target):
        chosen["IfNoneMatch"] = "*"
    elif not job.overwrite and target.provider.conditional_put:
        claim = Claim(target, job.new_key, job.params)
    try:
        send(
            client,
            "CopyObject",
            Bucket=target.bucket,
            Key=job.new_key,
            CopySource=job.copy_source,
            **chosen,
        )
    except BaseException as error:
        if claim is not None:
            claim.release()
        if not isinstance(error, CALL_ERRORS):
            raise
        refused = "IfNoneMatch" in chosen and error_code(error) == "PreconditionFailed"
        # The request has two conditions: only if the key exists, it was this one that failed.
        if refused and exists(target, job.new_key, job.params):
            raise taken_error(target, job.new_key) from error
        target.fail(error, job.key)


def _knows_condition(target: Target) -> bool:
    shape = target.client.meta.service_model.operation_model("CopyObject").input_shape
    # Older releases of boto3 do not have the parameter.
    return target.provider.name == "aws" and "IfNoneMatch" in getattr(shape, "members", ())


def _copy_in_parts(job: _Job, answer: Dict[str, Any]) -> None:
    params = _marked({**_description(answer), **job.params}, answer)
    size = answer["ContentLength"]
    conditions = {"CopySourceIfMatch": answer["ETag"], **job.conditions}
    workers = count_threads(job.target)
    upload = MultipartUpload(job.target, job.new_key, params, workers=workers)
    try:
        for start in range(0, size, COPY_PART):
            end = min(start + COPY_PART, size)
            upload.copy(
                end - start,
                CopySource=job.copy_source,
                CopySourceRange=f"bytes={start}-{end - 1}",
                **conditions,
            )
        upload.complete(overwrite=job.overwrite)
    except BaseException:
        upload.abort()
        raise


def stream_object(
    source: Target,
    key: str,
    target: Target,
    new_key: str,
    params: Dict[str, Any],
    *,
    overwrite: bool,
    transfer: TransferConfig,
    watch: Optional[Callable[[], None]] = None,
) -> str:
    """Copy an object between two servers through this process, with its type and metadata.

    Args:
        source: The bucket to copy from.
        key: Key of the object.
        target: The bucket to copy to.
        new_key: Key of the copy.
        params: Parameters of the write.
        overwrite: ``False`` to fail if the key is taken.
        transfer: As for :func:`smart_storages.backends.s3.writing.writer.put`.
        watch: Called before each piece is read; what it raises ends the copy, with nothing
            published.

    Returns:
        The token in the copy's metadata; see
        :func:`smart_storages.backends.s3.writing.parameters.has_token`.

    Raises:
        ObjectExistsError: the key is taken.
        S3Error: it could not be read or written; nothing is published.
    """
    try:
        answer: Any = source.client.get_object(
            Bucket=source.bucket, Key=key, **source.read_parameters
        )
    except CALL_ERRORS as error:
        source.fail(error, key)
    token = new_token()
    chosen = with_token(_marked({**_description(answer), **params}, answer), token)
    with closing(answer["Body"]) as body:
        content = body if watch is None else Watched(body, watch)
        put(target, new_key, content, chosen, overwrite=overwrite, transfer=transfer)
    return token


class Watched:
    """Content that calls a function before each piece is read.

    Args:
        content: Anything with ``read(size)``.
        watch: What to call; what it raises ends the reading.
    """

    def __init__(self, content: Any, watch: Callable[[], None]) -> None:
        self._content = content
        self._watch = watch

    def read(self, size: int = -1) -> Any:
        self._watch()
        return self._content.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)


def _marked(params: Dict[str, Any], answer: Dict[str, Any]) -> Dict[str, Any]:
    metadata = {**(params.get("Metadata") or {}), COPIED_FROM: answer["ETag"].strip('"')}
    return {**params, "Metadata": metadata}


def _description(answer: Dict[str, Any]) -> Dict[str, Any]:
    return {name: answer[name] for name in _DESCRIPTION if answer.get(name)}


def _source_parameters(source: Target) -> Dict[str, Any]:
    # To read a source that is encrypted with a customer key, S3 needs that key.
    return {
        f"CopySource{name}": value
        for name, value in source.read_parameters.items()
        if name.startswith("SSECustomer")
    }
