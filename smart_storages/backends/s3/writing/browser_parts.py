"""An upload in parts that somebody else sends: begun, listed, completed or aborted here.

Nothing is kept between two calls, which may be made by two processes. That is the difference to
:mod:`.multipart`, whose parts are sent by this process.
"""

from __future__ import annotations

import hashlib
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from botocore.exceptions import ClientError

from smart_storages.backends.s3.reading.sizes import stat_object
from smart_storages.backends.s3.requests.sending import send
from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.claims import Claim, release
from smart_storages.backends.s3.writing.parameters import (
    CALL_ERRORS,
    accepted,
    error_code,
    exists,
    retries_of,
)
from smart_storages.backends.s3.writing.single_put import CONFLICT, conflict_error, taken_error
from smart_storages.common.compat import md5
from smart_storages.common.parts import StartedUpload, UploadedPart
from smart_storages.exceptions import (
    ContentMismatchError,
    ObjectExistsError,
    ObjectNotFoundError,
    S3Error,
)

__all__ = [
    "abort",
    "complete",
    "create",
    "iter_uploads",
    "list_parts",
    "no_upload_error",
    "part_parameters",
]

#: Parameters of a write that ask for a checksum of every part, which no browser sends.
_OF_CHECKSUMS = frozenset({"ChecksumAlgorithm", "ChecksumType"})

_WRONG_PARTS = {
    "EntityTooSmall": "A part other than the last is smaller than the server allows.",
    "InvalidPart": "A part has not arrived, or was uploaded again after the parts were listed.",
    "InvalidPartOrder": "The parts are not in their order.",
}
#: Ceph 16 answers NoSuchKey where S3 answers NoSuchUpload.
_NO_UPLOAD = ("NoSuchUpload", "NoSuchKey", "404")
_FIRST_SERVER_ERROR = 500
_DIGEST_BYTES = 16


def create(target: Target, key: str, params: Dict[str, Any]) -> str:
    """Begin an upload, and return its identifier.

    Args:
        target: The bucket.
        key: Key of the object.
        params: Parameters of the write, as for ``put_object``.

    Raises:
        S3Error: S3 refused it, or did not answer. Then an upload without parts may be left behind,
            for the lifecycle rule.
    """
    client = target.client
    chosen = {name: value for name, value in params.items() if name not in _OF_CHECKSUMS}
    try:
        answer = send(
            client,
            "CreateMultipartUpload",
            Bucket=target.bucket,
            Key=key,
            **accepted(client, "CreateMultipartUpload", chosen),
        )
    except CALL_ERRORS as error:
        target.fail(error, key)
    return str(answer["UploadId"])


def part_parameters(target: Target, params: Dict[str, Any]) -> Dict[str, Any]:
    """Return the parameters of a write that the upload of a part must have too."""
    chosen = accepted(target.client, "UploadPart", params)
    return {name: value for name, value in chosen.items() if name not in _OF_CHECKSUMS}


def list_parts(target: Target, key: str, upload_id: str) -> List[UploadedPart]:
    """Return the parts that have arrived, in their order.

    Raises:
        ObjectNotFoundError: there is no such upload.
        S3Error: S3 refused to list them, or did not answer.
    """
    client = target.client
    params = accepted(client, "ListParts", target.read_parameters)
    pages = client.get_paginator("list_parts").paginate(
        Bucket=target.bucket, Key=key, UploadId=upload_id, **params
    )
    try:
        return [_as_part(each) for page in pages for each in page.get("Parts", ())]
    except CALL_ERRORS as error:
        if error_code(error) in _NO_UPLOAD:
            raise no_upload_error(target, key) from error
        return target.fail(error, key)


def _as_part(answer: Any) -> UploadedPart:
    return UploadedPart(
        answer["PartNumber"],
        answer["Size"],
        answer["ETag"].strip('"'),
        answer.get("ChecksumSHA256"),
    )


def iter_uploads(target: Target, prefix: str) -> Iterator[StartedUpload]:
    """Yield every upload that was begun and is neither completed nor aborted; names are keys.

    Raises:
        S3Error: S3 refused to list them, or did not answer.
    """
    pages: Any = target.client.get_paginator("list_multipart_uploads").paginate(
        Bucket=target.bucket, Prefix=prefix
    )
    try:
        for page in pages:
            for each in page.get("Uploads", ()):
                yield StartedUpload(each["Key"], each["UploadId"], each["Initiated"])
    except CALL_ERRORS as error:
        target.fail(error, prefix or None)


def abort(target: Target, key: str, upload_id: str) -> None:
    """Abort an upload; one that does not exist is no error.

    Raises:
        S3Error: S3 refused it, or did not answer.
    """
    client = target.client
    try:
        send(
            client,
            "AbortMultipartUpload",
            Bucket=target.bucket,
            Key=key,
            UploadId=upload_id,
            **accepted(client, "AbortMultipartUpload", target.read_parameters),
        )
    except CALL_ERRORS as error:
        if error_code(error) not in _NO_UPLOAD:
            target.fail(error, key)
    if _reserves(target):
        # A completion that got no answer has left it.
        release(target, key, _token_of(upload_id))


def complete(
    target: Target,
    key: str,
    upload_id: str,
    parts: Sequence[UploadedPart],
    params: Dict[str, Any],
    *,
    overwrite: bool,
) -> Stat:
    """Publish an object that is made of the parts.

    Args:
        target: The bucket.
        key: Key of the object.
        upload_id: What :func:`create` returned.
        parts: All parts, in their order.
        params: Parameters of the write, as they were given to :func:`create`.
        overwrite: As for :meth:`.multipart.MultipartUpload.complete`.

    Raises:
        ObjectExistsError: the key is taken. The upload stays, to be aborted.
        ObjectNotFoundError: there is no such upload: it was completed, aborted, or has expired.
        ContentMismatchError: a part has not arrived, or is another one.
        PreconditionFailedError: another request changed the object meanwhile.
        S3Error: S3 refused it, or did not answer. The upload stays, and can be completed again.
    """
    claim, conditions = (None, {}) if overwrite else _guard(target, key, upload_id, params)
    client = target.client
    try:
        answer = send(
            client,
            "CompleteMultipartUpload",
            **accepted(client, "CompleteMultipartUpload", _without_checksums(params)),
            Bucket=target.bucket,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": [_describe(part) for part in parts]},
            **conditions,
        )
    except CALL_ERRORS as error:
        return _settle(target, key, upload_id, parts, error, claim)
    found = stat_object(target, key)
    # A server that remembers a completed upload may answer once more, whatever the key holds now.
    if answer.get("ETag", "").strip('"') not in ("", found.etag):
        raise no_upload_error(target, key)
    return found


def _guard(
    target: Target, key: str, upload_id: str, params: Dict[str, Any]
) -> Tuple[Optional[Claim], Dict[str, Any]]:
    """Make sure that the key is free; return the claim or the condition that keeps it free."""
    try:
        if target.provider.conditional_complete:
            return None, {"IfNoneMatch": "*"}
        if target.provider.conditional_put:
            return Claim(target, key, params, token=_token_of(upload_id)), {}
        if exists(target, key, params):
            raise taken_error(target, key)
    except ObjectExistsError as error:
        if _is_gone(target, key, upload_id):
            raise no_upload_error(target, key) from error
        raise
    return None, {}


def _describe(part: UploadedPart) -> Dict[str, Any]:
    sums = {"ChecksumSHA256": part.sha256} if part.sha256 else {}
    return {"PartNumber": part.number, "ETag": f'"{part.etag}"', **sums}


def _without_checksums(params: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in params.items() if name not in _OF_CHECKSUMS}


def _settle(  # noqa: PLR0917
    target: Target,
    key: str,
    upload_id: str,
    parts: Sequence[UploadedPart],
    error: BaseException,
    claim: Optional[Claim],
) -> Stat:
    """Find out what a failed request has done; return what it published, or raise."""
    is_gone = _is_gone(target, key, upload_id)
    is_refusal = isinstance(error, ClientError) and _status_of(error) < _FIRST_SERVER_ERROR
    if is_gone and not (is_refusal and not retries_of(error)):
        # If an answer was lost, the next try finds the upload gone, or the key taken by it.
        ours = _find_completed(target, key, parts)
        if ours is not None:
            return ours
    # Without an answer, the object may still be published: the claim keeps its place until the
    # upload is completed again, or aborted.
    if claim is not None and (is_gone or is_refusal):
        claim.release()
    if is_gone:
        raise no_upload_error(target, key) from error
    code = error_code(error)
    if code == "PreconditionFailed":
        raise taken_error(target, key) from error
    if code == CONFLICT:
        raise conflict_error(target, key) from error
    if code in _WRONG_PARTS:
        raise ContentMismatchError(
            f"{_WRONG_PARTS[code]} List the parts, and upload again what is missing.",
            code=code,
            **target.places(key),
        ) from error
    return target.fail(error, key)


def _is_gone(target: Target, key: str, upload_id: str) -> bool:
    """Return whether there is no such upload any more, as far as S3 says."""
    client = target.client
    params = accepted(client, "ListParts", target.read_parameters)
    try:
        client.list_parts(Bucket=target.bucket, Key=key, UploadId=upload_id, MaxParts=1, **params)
    except CALL_ERRORS as error:
        return error_code(error) in _NO_UPLOAD
    return False


def _find_completed(target: Target, key: str, parts: Sequence[UploadedPart]) -> Optional[Stat]:
    """Return the stat of the object if it is made of these parts, else ``None``."""
    try:
        found = stat_object(target, key)
    except S3Error:
        return None
    return found if found.etag == _etag_of(parts) else None


def _etag_of(parts: Sequence[UploadedPart]) -> Optional[str]:
    try:
        digests = [bytes.fromhex(part.etag) for part in parts]
    except ValueError:
        return None
    if any(len(digest) != _DIGEST_BYTES for digest in digests):
        return None
    whole = md5()
    whole.update(b"".join(digests))
    return f"{whole.hexdigest()}-{len(parts)}"


def _reserves(target: Target) -> bool:
    return target.provider.conditional_put and not target.provider.conditional_complete


def _token_of(upload_id: str) -> str:
    # The same in every process, so that a completion that is tried again knows its own claim.
    return hashlib.sha256(f"claim of {upload_id}".encode()).hexdigest()[:24]


def _status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def no_upload_error(target: Target, key: str) -> ObjectNotFoundError:
    """Return the error for an upload that does not exist."""
    return ObjectNotFoundError(
        "There is no such upload: it was completed or aborted, or has expired. Begin a new one.",
        code="NoSuchUpload",
        **target.places(key),
    )
