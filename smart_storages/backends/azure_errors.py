"""Turns the errors of Azure's SDK into those of a store and of this package."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Optional, Tuple

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)

from smart_storages.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ObjectChangedError,
    S3Error,
    ThrottledError,
    UnreachableError,
)

__all__ = ["CHANGED", "code_of", "translating"]

#: What is said of a file of which another version was opened.
CHANGED = "The file was replaced or deleted while it was read."

_DENIED = (401, 403)
_THROTTLED = (429, 503)


@contextmanager
def translating() -> Iterator[None]:
    """Turn the errors of the SDK into those of a store; none of them shows a credential."""
    try:
        yield
    except ResourceNotFoundError as error:
        if code_of(error) == "ContainerNotFound":
            what = "There is no such container, or it is being deleted. Create it."
            raise _as_s3_error(BucketNotFoundError, what, error) from None
        raise FileNotFoundError(code_of(error)) from None
    except ResourceExistsError as error:
        # The SDK raises it for each 409, such as that of a blob in the archive.
        if code_of(error) == "BlobAlreadyExists":
            raise FileExistsError(code_of(error)) from None
        kind, what = _describe(error)
        raise _as_s3_error(kind, what, error) from None
    except ClientAuthenticationError as error:
        raise _as_s3_error(AccessDeniedError, "Azure refused the credentials.", error) from None
    except HttpResponseError as error:
        kind, what = _describe(error)
        raise _as_s3_error(kind, what, error) from None
    except (ServiceRequestError, ServiceResponseError) as error:
        what = f"Azure did not answer ({type(error).__name__}). Check the account and the network."
        raise UnreachableError(what) from None
    except AzureError as error:
        raise S3Error(f"Azure failed: {type(error).__name__}.") from None


def _describe(error: Any) -> Tuple[Any, str]:
    if error.status_code in _DENIED:
        return AccessDeniedError, "Azure refused the request: the credentials may not do this."
    if error.status_code in _THROTTLED:
        return ThrottledError, "Azure asked to slow down, also after the last retry."
    if code_of(error) == "ConditionNotMet":
        return ObjectChangedError, CHANGED
    if error.status_code is None:
        return UnreachableError, "The answer of Azure ended too early, also after the last retry."
    return S3Error, f"Azure refused the request: {code_of(error) or error.status_code}."


def _as_s3_error(kind: Any, what: str, error: Any) -> S3Error:
    made: S3Error = kind(what, status=error.status_code, code=code_of(error))
    return made


def code_of(error: Any) -> Optional[str]:
    """Return the error code of Azure, such as ``BlobNotFound``, if the answer had one."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code)) if code else None
