"""Removes secrets from errors of boto3, botocore and urllib3.

Such errors hold more than their message: the request with its headers, the pool with its proxy's
password, frames with keys in their variables, and parts of the request that the server sent back.
Django's debug page shows all frames, and an error tracker shows the attributes as well.
"""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Any, Dict, Mapping, Optional, Set, TypeVar

from botocore.exceptions import ClientError

from smart_storages.backends.s3.errors.logs import redact

__all__ = ["clean", "clean_foreign"]

_Error = TypeVar("_Error", bound=BaseException)

#: Packages whose errors and frames may hold keys, tokens and signed requests.
_LIBRARIES = frozenset({"boto3", "botocore", "http", "requests", "s3transfer", "urllib3"})
#: Modules of the standard library to which these packages pass them.
_HELPERS = frozenset({"base64", "email", "hmac", "json", "socket", "ssl", "urllib", "xml"})

#: The parts of S3's error that callers use. Some answers also repeat the signed headers
#: (``CanonicalRequest``) or the session token (``Token-0``), so nothing else is kept.
_OF_ERROR = ("Code", "Message")

_PLAIN = (bool, int, float, datetime, type(None))


def clean(error: _Error) -> _Error:
    """Remove secrets from the frames and attributes of an error, in place, and return it.

    Text is kept, with ``***`` for what looks like a token, a signature, a key or a password.
    Errors of the libraries lose their traceback and every attribute that is not a plain value;
    their causes lose their tracebacks. Other errors only lose the frames of the libraries.

    Args:
        error: What a call of botocore or urllib3 raised.

    Example::

        raise ObjectNotFoundError("There is no such file.") from clean(error)
    """
    _clean_chain(error, set(), within=False)
    return error


def clean_foreign(error: _Error) -> _Error:
    """Remove every frame from an error of code that handles secrets, in place, and return it.

    Text is kept as :func:`clean` keeps it.

    Args:
        error: What a function of the project raised.

    Example::

        raise ConfigurationError("The callable failed.") from clean_foreign(error)
    """
    _clean_chain(error, set(), within=True)
    return error


def _clean_chain(error: Optional[BaseException], seen: Set[int], *, within: bool) -> None:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    is_librarys = _package(type(error).__module__) in _LIBRARIES
    within = within or is_librarys
    error.__traceback__ = None if within else _own_frames(error.__traceback__)
    if within:
        error.args = tuple(redact(each) if isinstance(each, str) else each for each in error.args)
    if is_librarys:
        error.args = tuple(_plain(each, seen) for each in error.args)
        if isinstance(error, ClientError):
            vars(error)["response"] = _clean_answer(error.response)
        for name, value in vars(error).items():
            vars(error)[name] = _plain(value, seen)
    _clean_chain(error.__cause__, seen, within=within)
    _clean_chain(error.__context__, seen, within=within)


def _package(module: Any) -> str:
    return str(module).partition(".")[0]


def _own_frames(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    kept = []
    while traceback is not None:
        package = _package(traceback.tb_frame.f_globals.get("__name__"))
        if package not in _LIBRARIES and package not in _HELPERS:
            kept.append(traceback)
        traceback = traceback.tb_next
    rest: Optional[TracebackType] = None
    for each in reversed(kept):
        rest = TracebackType(rest, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return rest


def _clean_answer(answer: Any) -> Dict[str, Any]:
    error: Mapping[str, Any] = answer.get("Error") or {}
    return {
        "Error": {name: error[name] for name in _OF_ERROR if name in error},
        "ResponseMetadata": answer.get("ResponseMetadata") or {},
    }


def _plain(value: Any, seen: Set[int]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, BaseException):
        _clean_chain(value, seen, within=True)
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(each, seen) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(_plain(each, seen) for each in value)
    return value if isinstance(value, _PLAIN) else None
