"""Errors of this package that can be caught as botocore's, by code written for django-storages.

The combined classes are made when needed, so that :mod:`smart_storages.exceptions` need not import
botocore. One error class of this package may be combined with several of botocore's.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any, Dict, Mapping, Optional, Tuple, Type, TypeVar

import botocore.exceptions
import urllib3.connection
import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError

from smart_storages.exceptions import SmartStorageError

__all__ = ["CertificateError", "also_of_botocore"]

#: urllib3's error for a certificate of another host; it is not among its public exceptions.
CertificateError: Any = getattr(urllib3.connection, "CertificateError", ssl.CertificateError)

_Ours = TypeVar("_Ours", bound=SmartStorageError)

#: urllib3's errors, and what botocore would have raised for each; the first that fits is used.
_COUNTERPARTS = (
    (urllib3.exceptions.SSLError, botocore.exceptions.SSLError),
    (urllib3.exceptions.NewConnectionError, botocore.exceptions.EndpointConnectionError),
    (urllib3.exceptions.ProxyError, botocore.exceptions.ProxyConnectionError),
    (urllib3.exceptions.ConnectTimeoutError, botocore.exceptions.ConnectTimeoutError),
    (urllib3.exceptions.ReadTimeoutError, botocore.exceptions.ReadTimeoutError),
    (urllib3.exceptions.ProtocolError, botocore.exceptions.ConnectionClosedError),
    (urllib3.exceptions.HTTPError, botocore.exceptions.HTTPClientError),
)

#: Attributes that code which catches botocore's errors may expect.
_OF_BOTOCORE: Mapping[str, Any] = {"kwargs": {}, "request": None, "response": None}


def also_of_botocore(ours: _Ours, error: BaseException) -> _Ours:
    """Return this package's error, changed so that it can be caught as botocore's error, too.

    Args:
        ours: The error of this package.
        error: The cleaned error that it replaces: of botocore or urllib3, or one of this package
            that can already be caught as botocore's. For any other, ``ours`` stays as it is.

    Example::

        try:
            storage.open("secret.pdf")
        except ClientError as error:                # an AccessDeniedError as well
            print(error.response["Error"]["Code"])
    """
    theirs = _botocore_class(error)
    if theirs is None or isinstance(ours, theirs):
        return ours
    attributes = vars(error) if isinstance(error, (BotoCoreError, ClientError)) else _OF_BOTOCORE
    names = {**attributes}.keys() - vars(ours).keys()
    kinds: Any = (type(ours), theirs)
    ours.__class__ = _both(*kinds)
    vars(ours).update({name: attributes[name] for name in names})
    return ours


def _botocore_class(error: BaseException) -> Optional[Type[BaseException]]:
    if isinstance(error, SmartStorageError):
        bases = type(error).__bases__
        return bases[1] if "_is_both" in vars(type(error)) else None
    if isinstance(error, (BotoCoreError, ClientError)):
        return type(error)
    return next((theirs for kind, theirs in _COUNTERPARTS if isinstance(error, kind)), None)


@lru_cache(maxsize=256)
def _both(ours: Any, theirs: Any) -> Any:
    # Named like the class of this package: messages, logs and the queue's ledger show the name.
    named = {name: getattr(ours, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(ours.__name__, (ours, theirs), {**named, "_is_both": True, "__reduce__": _reduce})


def _reduce(error: Any) -> Tuple[Any, ...]:
    ours, theirs = type(error).__bases__
    # Some errors of botocore hold other errors, which may not be picklable: keep their text.
    state = {
        name: {key: _picklable(each) for key, each in value.items()} if name == "kwargs" else value
        for name, value in vars(error).items()
    }
    return _rebuild, (ours, _importable(theirs), error.args, state)


def _picklable(value: Any) -> Any:
    return repr(value) if isinstance(value, BaseException) else value


def _importable(theirs: Type[BaseException]) -> Type[BaseException]:
    # A client makes its own classes, such as NoSuchKey, which cannot be imported.
    found: Type[BaseException] = next(
        kind for kind in theirs.__mro__ if getattr(botocore.exceptions, kind.__name__, None) is kind
    )
    return found


def _rebuild(ours: Any, theirs: Any, args: Tuple[Any, ...], state: Dict[str, Any]) -> Any:
    error = ours(*args)
    error.__class__ = _both(ours, theirs)
    vars(error).update(state)
    return error
