"""Translates every error of botocore and urllib3 into one of this package."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple, Type

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from urllib3.exceptions import HTTPError as Urllib3Error

from smart_storages.exceptions import (
    AccessDeniedError,
    AclNotSupportedError,
    BucketNotFoundError,
    ConfigurationError,
    ContentMismatchError,
    ObjectNotFoundError,
    PreconditionFailedError,
    S3Error,
    SmartStorageError,
    ThrottledError,
    UnreachableError,
)
from smart_storages.s3.errors.botocore_kinds import also_of_botocore
from smart_storages.s3.errors.cleaning import clean
from smart_storages.s3.errors.results import MISSING_RESULT

__all__ = ["CREDENTIALS_HINT", "translate_answer", "translate_error"]

_Row = Tuple[Type[S3Error], str]

_NOT_FOUND: _Row = (ObjectNotFoundError, "There is no such file.")
_DENIED: _Row = (
    AccessDeniedError,
    (
        "S3 denied the request. Check the permissions of the module's credentials, and the bucket "
        "policy."
    ),
)
_WRONG_KEYS: _Row = (
    AccessDeniedError,
    (
        "S3 does not accept the credentials. Check access_key, secret_key, security_token and the "
        "clock of this machine."
    ),
)
_THROTTLED: _Row = (
    ThrottledError,
    "S3 still asked to slow down after the last retry. Try again later.",
)
_NO_RESULT: _Row = (
    UnreachableError,
    (
        "S3 answered without a result, even after the last retry. Check any proxy or gateway in "
        "front of the endpoint_url, and whether the file is there."
    ),
)
_MISMATCH: _Row = (
    ContentMismatchError,
    "The bytes that arrived at S3 are not the ones that were sent. Save the file again.",
)

_BY_CODE: Dict[str, _Row] = {
    MISSING_RESULT: _NO_RESULT,
    "NoSuchKey": _NOT_FOUND,
    "NoSuchBucket": (
        BucketNotFoundError,
        "There is no such bucket. Create it, or correct bucket_name, region_name or endpoint_url.",
    ),
    "AccessControlListNotSupported": (
        AclNotSupportedError,
        "The bucket has ACLs disabled. Set default_acl to None and use a bucket policy instead.",
    ),
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "ExpiredToken": _WRONG_KEYS,
    "InvalidAccessKeyId": _WRONG_KEYS,
    "InvalidToken": _WRONG_KEYS,
    "RequestTimeTooSkewed": _WRONG_KEYS,
    "SignatureDoesNotMatch": _WRONG_KEYS,
    "PreconditionFailed": (PreconditionFailedError, "A condition of the request did not hold."),
    "ConditionalRequestConflict": (
        PreconditionFailedError,
        "Another request changed the object at the same time.",
    ),
    "SlowDown": _THROTTLED,
    "TooManyRequests": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "Throttling": _THROTTLED,
    "BadDigest": _MISMATCH,
    "InvalidDigest": _MISMATCH,
    "XAmzContentChecksumMismatch": _MISMATCH,
    "XAmzContentSHA256Mismatch": _MISMATCH,
    "IncompleteBody": _MISMATCH,
}

# The answer to a HEAD has no body and so no code: only its status is known.
_BY_STATUS: Dict[int, _Row] = {
    401: _WRONG_KEYS,
    403: _DENIED,
    404: _NOT_FOUND,
    412: _BY_CODE["PreconditionFailed"],
    429: _THROTTLED,
    503: _THROTTLED,
}

_SERVER_FAILED = (500, 502, 504)

#: Where credentials may come from; the first found is used.
CREDENTIALS_HINT = (
    "Set access_key and secret_key, session_profile or credentials of the module, the environment "
    "variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or keys in ~/.aws/credentials; or run "
    "where AWS gives the machine, the container or the function a role."
)

_UNREACHABLE = (
    "S3 did not answer, even after the last retry. Check the endpoint_url and the network."
)
_HEAD_DENIED = (
    "S3 denied the request. S3 also answers a HEAD this way when the file is missing and the "
    "credentials lack s3:ListBucket: check the permissions of the module's credentials."
)


def translate_answer(
    status: int, code: Optional[str], *, head: bool = False, **places: Any
) -> S3Error:
    """Return the error for an answer of S3.

    Args:
        status: HTTP status.
        code: S3's error code; ``None``, or the status as text, if there was no body.
        head: Whether the request was a HEAD, whose answer has no body.
        places: ``module``, ``bucket`` and ``key`` for the message.

    Example:
        >>> translate_answer(404, "NoSuchKey", module="media", bucket="acme", key="a.txt")
        ObjectNotFoundError('There is no such file.')
    """
    row = _BY_CODE.get(code or "") or _BY_STATUS.get(status)
    if row is None:
        kind = UnreachableError if status in _SERVER_FAILED else S3Error
        row = (kind, f"S3 answered {status} {code or ''}".rstrip() + ".")
    kind, what = row
    if head and row is _DENIED:
        what = _HEAD_DENIED
    return kind(what, status=status, code=code, **places)


def translate_error(error: BaseException, *, head: bool = False, **places: Any) -> BaseException:
    """Return this package's error for one of botocore or urllib3; raise it ``from`` the original.

    It can be caught as the original's class too. Secrets are removed from the original.

    Args:
        error: What was caught. Errors of this package, and all others, are returned as they are.
        head: Whether the request was a HEAD.
        places: ``module``, ``bucket`` and ``key`` for the message.

    Example::

        try:
            client.head_object(Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise translate_error(error, head=True, bucket=bucket, key=key) from error
    """
    if isinstance(error, SmartStorageError) or not isinstance(error, _TRANSLATED):
        return error
    clean(error)
    return also_of_botocore(_translate(error, head, places), error)


_TRANSLATED = (BotoCoreError, ClientError, Urllib3Error)


def _translate(error: BaseException, head: bool, places: Dict[str, Any]) -> SmartStorageError:
    if isinstance(error, ClientError):
        answer: Dict[str, Any] = dict(error.response)
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
        code = answer.get("Error", {}).get("Code")
        return translate_answer(status, code, head=head, **places)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return ConfigurationError(
            f"The module {places.get('module')!r} has no complete credentials: {error}. "
            f"{CREDENTIALS_HINT}"
        )
    unreachable = (HTTPClientError, BotoConnectionError, Urllib3Error)
    if isinstance(error, unreachable):
        return UnreachableError(_UNREACHABLE, **places)
    return S3Error(f"botocore could not make the request: {error}", **places)
