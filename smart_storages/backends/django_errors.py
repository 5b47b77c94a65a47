"""Turns what a storage of Django raises into errors that show no secret."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Any, Optional

from django.core.exceptions import SuspiciousOperation

from smart_storages.exceptions import S3Error, UnreachableError

__all__ = ["describe_error", "translating"]

_PASSED = (NotImplementedError, S3Error, SuspiciousOperation)
_NO_ANSWER = (ConnectionError, TimeoutError)


class translating:  # noqa: N801 - a block, as contextlib's
    """A block that turns errors into those of a store.

    The error itself is left out, and so are its frames: their variables, which a debug page shows,
    may hold tokens and keys. A generator would not do: contextlib's own frame has the error.

    Args:
        path: The class of the storage, as the settings name it.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, _PASSED):
            return
        made = self._translate(error)
        del kind, error, trace
        raise made from None

    def _translate(self, error: Exception) -> OSError:
        status = _status_of(error)
        if not isinstance(error, OSError) or status is not None:
            return S3Error(f"{self._path} failed: {describe_error(error)}.", status=status)
        if type(error).__module__ == "builtins" and not isinstance(error, _NO_ANSWER):
            return type(error)(error.errno, error.strerror)
        return UnreachableError(f"{self._path} got no answer: {describe_error(error)}.")


def describe_error(error: BaseException) -> str:
    """Return the type of an error and where it was raised; never its text.

    Example::

        describe_error(error)       # "KeyError (raised in _save() of dropbox.py, line 129)"
    """
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _path_of(kind)
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return name
    last = frames[-1]
    return f"{name} (raised in {last.name}() of {PurePath(last.filename).name}, line {last.lineno})"


def _path_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _status_of(error: BaseException) -> Optional[int]:
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):  # botocore's
        answer = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    for status in (answer, *(getattr(each, "status_code", None) for each in (error, answer))):
        if type(status) is int:
            return status
    return None
