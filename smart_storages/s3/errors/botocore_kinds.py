"""Errors of ours that are botocore's as well, for code that was written to catch those.

The classes are made as they are needed: :mod:`smart_storages.exceptions` need not import botocore,
and each error of ours may come from several of botocore's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, Mapping, Optional, Tuple, Type, TypeVar

import botocore.exceptions
import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError

from smart_storages.exceptions import SmartStorageError

__all__ = ["also_of_botocore"]

_Ours = TypeVar("_Ours", bound=SmartStorageError)

#: As which of its own botocore would have raised one of urllib3's; the first that fits.
_COUNTERPARTS = (
    (urllib3.exceptions.SSLError, botocore.exceptions.SSLError),
    (urllib3.exceptions.NewConnectionError, botocore.exceptions.EndpointConnectionError),
    (urllib3.exceptions.ProxyError, botocore.exceptions.ProxyConnectionError),
    (urllib3.exceptions.ConnectTimeoutError, botocore.exceptions.ConnectTimeoutError),
    (urllib3.exceptions.ReadTimeoutError, botocore.exceptions.ReadTimeoutError),
    (urllib3.exceptions.ProtocolError, botocore.exceptions.ConnectionClosedError),
    (urllib3.exceptions.HTTPError, botocore.exceptions.HTTPClientError),
)

#: Attributes that an error of botocore is expected to have.
_OF_BOTOCORE: Mapping[str, Any] = {"kwargs": {}, "request": None, "response": None}


def also_of_botocore(ours: _Ours, error: BaseException) -> _Ours:
    """Return an error of ours, changed so that it can be caught as botocore's error, too.

    Args:
        ours: The error.
        error: What it was made of, cleaned: one of botocore or urllib3, or one of ours that is
            botocore's already. With any other it stays as it is.

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
    # Under the name of ours: it is what messages, logs and the queue's ledger show.
    named = {name: getattr(ours, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(ours.__name__, (ours, theirs), {**named, "_is_both": True, "__reduce__": _reduce})


def _reduce(error: Any) -> Tuple[Any, ...]:
    ours, theirs = type(error).__bases__
    # Some errors of botocore hold others, which may not be picklable: told by their text.
    state = {
        name: {key: _picklable(each) for key, each in value.items()} if name == "kwargs" else value
        for name, value in vars(error).items()
    }
    return _rebuild, (ours, _importable(theirs), error.args, state)


def _picklable(value: Any) -> Any:
    return repr(value) if isinstance(value, BaseException) else value


def _importable(theirs: Type[BaseException]) -> Type[BaseException]:
    # A client makes classes of its own, NoSuchKey and the like.
    found: Type[BaseException] = next(
        kind for kind in theirs.__mro__ if getattr(botocore.exceptions, kind.__name__, None) is kind
    )
    return found


def _rebuild(ours: Any, theirs: Any, args: Tuple[Any, ...], state: Dict[str, Any]) -> Any:
    error = ours(*args)
    error.__class__ = _both(ours, theirs)
    vars(error).update(state)
    return error
