"""Arguments of the wrong type are refused where they are given, by name."""

from __future__ import annotations

from typing import Any, Mapping, Type, Union

from smart_storages.exceptions import ConfigurationError

__all__ = ["require_flags", "require_names", "require_numbers", "require_tables"]


def _require(owner: Union[str, Type[Any]], name: str, is_right: bool, what: str, got: Any) -> None:
    if not is_right:
        owner = owner if isinstance(owner, str) else owner.__name__
        raise ConfigurationError(f"{owner}: {name} must be {what}, not {got!r}.")


def require_flags(owner: Union[str, Type[Any]], **flags: Any) -> None:
    """Raise for an argument that is neither ``True`` nor ``False``.

    Args:
        owner: The class that was given it.
        flags: Arguments by name.

    Raises:
        ConfigurationError: names the class, the argument, and what was given.

    Example:
        >>> require_flags("FallbackStorage", signals="no")
        Traceback (most recent call last):
            ...
        smart_storages.exceptions.ConfigurationError: FallbackStorage: signals must be True or \
False, not 'no'.
    """
    for name, value in flags.items():
        _require(owner, name, isinstance(value, bool), "True or False", value)


def require_numbers(owner: Union[str, Type[Any]], what: str, **numbers: Any) -> None:
    """Raise for an argument that is no number of 0 or more.

    Args:
        owner: As for :func:`require_flags`.
        what: What it counts: ``"seconds"``.
        numbers: Arguments by name.
    """
    for name, value in numbers.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        is_right = is_number and value >= 0
        _require(owner, name, is_right, f"a number of {what}, 0 or more", value)


def require_names(owner: Union[str, Type[Any]], **names: Any) -> None:
    """Raise for an argument that is no text, such as an alias.

    Args:
        owner: As for :func:`require_flags`.
        names: Arguments by name.
    """
    for name, value in names.items():
        _require(owner, name, isinstance(value, str) and bool(value), "an alias", value)


def require_tables(owner: Union[str, Type[Any]], **tables: Any) -> None:
    """Raise for an argument that is no dict.

    Args:
        owner: As for :func:`require_flags`.
        tables: Arguments by name.
    """
    for name, value in tables.items():
        _require(owner, name, isinstance(value, Mapping), "a dict of aliases", value)
