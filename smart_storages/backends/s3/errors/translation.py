"""Translates every error of botocore and urllib3 into one of this package."""

from __future__ import annotations

import ssl
from typing import Any, Dict, Optional, Tuple, Type

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.exceptions import SSLError as BotoSSLError
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import SSLError as Urllib3SSLError

from smart_storages.backends.s3.errors.botocore_kinds import CertificateError, also_of_botocore
from smart_storages.backends.s3.errors.cleaning import clean
from smart_storages.backends.s3.errors.results import MISSING_RESULT
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

_REDIRECTED: _Row = (
    S3Error,
    (
        "S3 redirected the request and did not say to which region. Set region_name to the region "
        "of the bucket, or correct endpoint_url: some servers redirect http:// to https://."
    ),
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
    "PermanentRedirect": _REDIRECTED,
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
    301: _REDIRECTED,
    302: _REDIRECTED,
    307: _REDIRECTED,
    401: _WRONG_KEYS,
    403: _DENIED,
    404: _NOT_FOUND,
    412: _BY_CODE["PreconditionFailed"],
    429: _THROTTLED,
    503: _THROTTLED,
}

_SERVER_FAILED = (500, 502, 504)
_TRY_LATER = "The server failed, even after the last retry: try again later, or look at its log."

#: Where credentials may come from; the first found is used.
CREDENTIALS_HINT = (
    "Set access_key and secret_key, session_profile or credentials of the module, the environment "
    "variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or keys in ~/.aws/credentials; or run "
    "where AWS gives the machine, the container or the function a role."
)

_UNREACHABLE = (
    "S3 did not answer, even after the last retry. Check the endpoint_url and the network."
)
_WRONG_CERTIFICATE = (
    "The certificate of the server was refused: {reason}. If a certificate authority of your own "
    "issued it, set verify (AWS_S3_VERIFY) to the path of that authority's certificates, a CA "
    "bundle. If its name does not match, correct endpoint_url or, for a bucket with a dot in its "
    "name, set addressing_style to 'path'."
)
#: What OpenSSL says, depending on its version, if the server does not speak TLS.
_NOT_TLS = frozenset({"HTTP_REQUEST", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"})
_NO_TLS = (
    "The server did not accept a TLS connection: {reason}. Check the scheme and the port of "
    "endpoint_url: a server without TLS needs http://."
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
        # Without a body, botocore takes the status for the code.
        named = f" and the code {code}" if code and code != str(status) else ""
        what = f"S3 answered with the status {status}{named}."
        if status in _SERVER_FAILED:
            row = (UnreachableError, f"{what} {_TRY_LATER}")
        else:
            row = (S3Error, what)
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
        return UnreachableError(_describe_tls_fault(error) or _UNREACHABLE, **places)
    return S3Error(f"botocore could not make the request: {error}", **places)


def _describe_tls_fault(error: BaseException) -> Optional[str]:
    """Return what is wrong with the certificate or the TLS connection, if that is the error."""
    if not isinstance(error, (BotoSSLError, Urllib3SSLError)):
        return None
    found = _find_ssl_error(error)
    if isinstance(found, (ssl.SSLCertVerificationError, CertificateError)):
        reason = getattr(found, "verify_message", "") or str(found)
        return _WRONG_CERTIFICATE.format(reason=reason.rstrip("."))
    if isinstance(found, ssl.SSLError) and found.reason in _NOT_TLS:
        return _NO_TLS.format(reason=found.reason.lower().replace("_", " "))
    return None


def _find_ssl_error(error: Any) -> Optional[BaseException]:
    # urllib3 and botocore wrap it, each in its own way.
    rest, seen = [error], set()
    while rest:
        each = rest.pop()
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        if isinstance(each, (ssl.SSLError, CertificateError)):
            return each
        seen.add(id(each))
        rest += [*each.args, each.__cause__, each.__context__]
        rest += [getattr(each, "reason", None), *getattr(each, "kwargs", {}).values()]
    return None
