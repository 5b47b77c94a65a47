"""Every error of botocore and urllib3, told as one of ours that is one of botocore's as well."""

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
    "S3 denied the request. Check that the credentials of the module may do this here.",
)
_WRONG_KEYS: _Row = (
    AccessDeniedError,
    "S3 does not accept the credentials. Check the access_key, the secret_key and the clock.",
)
_THROTTLED: _Row = (ThrottledError, "S3 asked to slow down, also after every retry. Try later.")
_NO_RESULT: _Row = (
    UnreachableError,
    (
        "S3 answered without saying what it did, also after every retry. Look at what stands "
        "between here and the endpoint_url, and whether the file is there."
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

# A HEAD has no body, so no code: only the status is left to tell by.
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

_UNREACHABLE = "S3 did not answer, also after every retry. Check the endpoint_url and the network."
_HEAD_DENIED = (
    "S3 denied the request. To a HEAD it gives this answer for a missing file as well, when the "
    "credentials lack s3:ListBucket."
)


def translate_answer(
    status: int, code: Optional[str], *, head: bool = False, **places: Any
) -> S3Error:
    """Return our error for an answer of S3.

    Args:
        status: HTTP status.
        code: S3's error code, ``None`` or the status as text where there was no body.
        head: The request was a HEAD, whose answer has no body.
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
    """Return our error for one of botocore or urllib3; raise it ``from`` the original.

    Ours can be caught as the original's class too. The original is cleaned of what is secret.

    Args:
        error: What was caught. One of ours, and one of anybody else, is returned as it is.
        head: The request was a HEAD.
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
