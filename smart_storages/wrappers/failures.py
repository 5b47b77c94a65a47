"""Combining the failures of several backends into one error."""

from __future__ import annotations

from typing import Any, FrozenSet, Iterable, List, Tuple

from django.utils.module_loading import import_string

from smart_storages.exceptions import (
    BackendsFailedError,
    BackendsUnreachableError,
    ConfigurationError,
    NoBackendMethodError,
    NotFoundInBackendsError,
)
from smart_storages.wrappers.health import DENIED, FULL, NOT_FOUND, OTHER, UNREACHABLE, kind_of

__all__ = [
    "NO_METHOD",
    "Failures",
    "all_lack_method",
    "inconclusive",
    "kind_of_failure",
    "make_error",
    "split_errors",
]

NO_METHOD = "no_method"

#: The label of each backend that failed, and its error.
Failures = List[Tuple[str, BaseException]]


def split_errors(wanted: Iterable[Any]) -> Tuple[FrozenSet[str], Tuple[type, ...]]:
    """Split the entries of ``fall_through`` into kinds of errors and exception classes.

    Raises:
        ConfigurationError: an entry is neither a kind nor an exception class.
    """
    kinds, classes = set(), []
    for each in [wanted] if isinstance(wanted, (str, type)) else wanted:
        if each in (NOT_FOUND, UNREACHABLE, DENIED, FULL, OTHER):
            kinds.add(each)
            continue
        found = _import_class(each) if isinstance(each, str) and "." in each else each
        if not (isinstance(found, type) and issubclass(found, Exception)):
            raise ConfigurationError(
                f"FallbackStorage: fall_through names {each!r}; it takes 'not_found', "
                "'unreachable', 'denied', 'full', 'other', and exception classes."
            )
        classes.append(found)
    return frozenset(kinds), tuple(classes)


def _import_class(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError as error:
        raise ConfigurationError(
            f"FallbackStorage: fall_through names {path!r}, which cannot be imported: {error}."
        ) from error


def kind_of_failure(error: BaseException) -> str:
    """Return the kind of an error, ``NO_METHOD`` if the backend does not have the method."""
    return NO_METHOD if isinstance(error, NotImplementedError) else kind_of(error)


def inconclusive(failures: Failures) -> Failures:
    """Return the failures after which the backend may still have the file."""
    return [pair for pair in failures if kind_of_failure(pair[1]) not in (NOT_FOUND, NO_METHOD)]


def all_lack_method(failures: Failures) -> bool:
    """Tell whether every backend failed because it does not have the method."""
    return all(kind_of_failure(error) == NO_METHOD for _, error in failures)


def make_error(method: str, name: Any, failures: Failures) -> BackendsFailedError:
    """Return one error that holds all failures; its class says what they have in common."""
    kinds = {kind_of_failure(error) for _, error in failures}
    made: type = BackendsFailedError
    if kinds == {NO_METHOD} or not kinds:
        made = NoBackendMethodError
    elif UNREACHABLE in kinds:
        made = BackendsUnreachableError
    elif kinds <= {NOT_FOUND, NO_METHOD}:
        made = NotFoundInBackendsError
    error: BackendsFailedError = made(f"No backend could {method}({str(name)!r}).", failures)
    error.__cause__ = failures[-1][1] if failures else None
    return error
