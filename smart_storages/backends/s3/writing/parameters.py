"""What every request that writes needs: the right parameters, a checksum, and a token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Optional

from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import ServiceModel
from urllib3.exceptions import HTTPError

from smart_storages.backends.s3.errors.translation import translate_error
from smart_storages.backends.s3.target import Target
from smart_storages.exceptions import ObjectNotFoundError

__all__ = [
    "CALL_ERRORS",
    "COPIED_FROM",
    "WRITE_ID",
    "Written",
    "accepted",
    "checksum_for",
    "error_code",
    "exists",
    "has_token",
    "head",
    "new_token",
    "retries_of",
    "with_token",
]

#: The exceptions that calls of the client raise.
CALL_ERRORS = (BotoCoreError, ClientError, HTTPError)

#: Metadata with a token that identifies the write an object came from. When the answer to a write
#: is lost, botocore sends it again, and "the key is taken" may then mean: by the first try.
WRITE_ID = "write-id"

#: Metadata with the ETag of the object that a copy was made from, where the copy gets another one:
#: when it is made in parts, or written through this process.
COPIED_FROM = "copied-from"

# These describe the whole body and would be wrong for a part of it.
_OF_WHOLE_BODY = frozenset({"Body", "ContentLength", "ContentMD5", "IfMatch", "IfNoneMatch"})


@dataclass(frozen=True)
class Written:
    """What S3 says about an object that it has just stored.

    Args:
        etag: The ETag without its quotes.
        size: Bytes stored.
        version_id: Version, in a bucket that keeps versions.
    """

    etag: str
    size: int
    version_id: Optional[str] = None

    @classmethod
    def from_answer(cls, answer: Dict[str, Any], size: int) -> Written:
        return cls(answer.get("ETag", "").strip('"'), size, answer.get("VersionId"))


_members: Dict[str, FrozenSet[str]] = {}


def _find_members(client: Any, operation: str) -> FrozenSet[str]:
    shape = client.meta.service_model.operation_model(operation).input_shape
    sums = {name for name in shape.members if name.startswith("Checksum")}
    return frozenset(shape.members) - _OF_WHOLE_BODY - (sums - {"ChecksumAlgorithm"})


def accepted(client: Any, operation: str, params: Dict[str, Any]) -> Dict[str, Any]:
    """Return those of ``params`` that an operation takes.

    ``PutObject`` gets all of them, so that botocore raises an error for one that does not exist.
    """
    if operation == "PutObject":
        return dict(params)
    members = _members.get(operation)  # the same for every client of a process
    if members is None:
        members = _find_members(client, operation)
        if isinstance(client.meta.service_model, ServiceModel):  # not a mock in a test
            _members[operation] = members
    return {name: value for name, value in params.items() if name in members}


def checksum_for(target: Target, algorithm: Optional[str] = None) -> str:
    """Return how the server verifies a body: ``"md5"``, or the name of an algorithm of S3.

    Args:
        target: The bucket; its provider decides.
        algorithm: An algorithm from ``object_parameters``, which overrides the provider's.
    """
    return algorithm or ("CRC32" if target.provider.checksum == "crc32" else "md5")


def new_token() -> str:
    """Return a token that identifies one write."""
    return secrets.token_urlsafe(12)


def with_token(params: Dict[str, Any], token: str) -> Dict[str, Any]:
    """Return a copy of ``params`` with the token in the object's metadata."""
    return {**params, "Metadata": {**(params.get("Metadata") or {}), WRITE_ID: token}}


def error_code(error: BaseException) -> Optional[str]:
    """Return S3's error code; ``PreconditionFailed`` even if the answer had no body."""
    if not isinstance(error, ClientError):
        return None
    code = error.response.get("Error", {}).get("Code")
    return "PreconditionFailed" if code == "412" else code


def retries_of(answer: Any) -> int:
    """Return how many times botocore retried a request, given its answer or its error."""
    if isinstance(answer, ClientError):
        answer = answer.response
    if not isinstance(answer, dict):
        return 0
    return int(answer.get("ResponseMetadata", {}).get("RetryAttempts") or 0)


def _head(target: Target, key: str, params: Dict[str, Any]) -> Dict[str, Any]:
    client = target.client
    chosen = {**accepted(client, "HeadObject", params), **target.read_parameters}
    answer: Any = client.head_object(Bucket=target.bucket, Key=key, **chosen)
    return dict(answer)


def head(target: Target, key: str) -> Dict[str, Any]:
    """Return boto3's answer to a HEAD.

    Raises:
        ObjectNotFoundError: there is no such object.
        S3Error: S3 did not say whether there is one.
    """
    try:
        return _head(target, key, {})
    except CALL_ERRORS as error:
        return target.fail(error, key, head=True)


def exists(target: Target, key: str, params: Dict[str, Any]) -> bool:
    """Return whether there is an object under a key.

    Args:
        target: The bucket.
        key: The key.
        params: Parameters of the write; those that a HEAD takes are sent with it.

    Raises:
        S3Error: S3 did not say whether there is one.
    """
    try:
        _head(target, key, params)
    except CALL_ERRORS as error:
        ours = translate_error(error, head=True, **target.places(key))
        if isinstance(ours, ObjectNotFoundError):
            return False
        raise ours from error
    return True


def has_token(
    target: Target, key: str, params: Dict[str, Any], token: str
) -> Optional[Dict[str, Any]]:
    """Return the answer to a HEAD if the object was written with this token, else ``None``."""
    try:
        answer = _head(target, key, params)
    except CALL_ERRORS:
        return None
    return answer if (answer.get("Metadata") or {}).get(WRITE_ID) == token else None
