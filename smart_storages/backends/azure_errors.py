"""Turns the errors of Azure's SDK into those of a store and of this package."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)

from smart_storages.backends.django_errors import describe_error
from smart_storages.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ConfigurationError,
    ObjectChangedError,
    S3Error,
    ThrottledError,
    UnreachableError,
)

__all__ = ["CHANGED", "code_of", "strange_answer", "translating"]

#: What is said of a file of which another version was opened.
CHANGED = "The file was replaced or deleted while it was read."

#: Codes of Azure for what somebody else has made.
_THERE = ("BlobAlreadyExists", "ContainerAlreadyExists")
_PASSED = (ConfigurationError, FileExistsError, S3Error)
_BY_CODE: Dict[Optional[str], Tuple[Any, str]] = {
    "ConditionNotMet": (ObjectChangedError, CHANGED),
    "ContainerNotFound": (
        BucketNotFoundError,
        "There is no such container, or it is being deleted. Create it.",
    ),
}
_DENIED = (401, 403)
_THROTTLED = (429, 503)


class translating:  # noqa: N801 - a block, as contextlib's
    """A block that turns the errors of the SDK into those of a store.

    The error itself is left out, and so are its frames: it may name a URL with a ``sas_token``,
    and Django's debug page shows variables. A generator would not do: contextlib's own frame has
    the error.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, _PASSED):
            return
        made = _translate(error)
        del kind, error, trace
        raise made from None


def _translate(error: Any) -> OSError:
    if isinstance(error, HttpResponseError):
        return _translate_answer(error, code_of(error))
    name = type(error).__name__
    if isinstance(error, (ServiceRequestError, ServiceResponseError)):
        what = f"Azure did not answer ({name}). Check the account and the network."
        return UnreachableError(what)
    if isinstance(error, AzureError):
        return S3Error(f"Azure failed: {name}.")
    return S3Error(
        f"The library of Azure failed: {describe_error(error)}. Look at client_options and "
        "token_credential, and whether it was Azure that answered, and not a proxy."
    )


def _translate_answer(error: Any, code: Optional[str]) -> OSError:
    if isinstance(error, ResourceNotFoundError) and code != "ContainerNotFound":
        # Azure always says what is missing; a proxy, or another server, does not.
        return FileNotFoundError(code) if code else strange_answer()
    # The SDK raises it for each 409, such as that of a blob in the archive.
    if isinstance(error, ResourceExistsError) and code in _THERE:
        return FileExistsError(code)
    kind, what = _describe(error, code)
    made: S3Error = kind(what, status=error.status_code, code=code)
    return made


def strange_answer() -> UnreachableError:
    """Return the error for an answer that is none of Azure."""
    return UnreachableError(
        "What answered was not Azure. Check the account, and whether a proxy is in between."
    )


def _describe(error: Any, code: Optional[str]) -> Tuple[Any, str]:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if isinstance(error, ClientAuthenticationError):
        return AccessDeniedError, "Azure refused the credentials."
    if error.status_code in _DENIED:
        return AccessDeniedError, "Azure refused the request: the credentials may not do this."
    if error.status_code in _THROTTLED:
        return ThrottledError, "Azure asked to slow down, also after the last retry."
    if code and error.status_code is not None:
        return S3Error, f"Azure refused the request: {code}."
    ended = "The answer of Azure ended too early, also after the last retry."
    return UnreachableError, ended if error.status_code is None else str(strange_answer())


def code_of(error: Any) -> Optional[str]:
    """Return the error code of Azure, such as ``BlobNotFound``, if the answer had one."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code)) if code else None
