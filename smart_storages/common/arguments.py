"""Checks of constructors' arguments; their errors name the class and the argument."""

from __future__ import annotations

from typing import Any, Mapping, Sequence, Type, Union

from django.utils.module_loading import import_string

from smart_storages.exceptions import ConfigurationError

__all__ = [
    "import_path",
    "require_choices",
    "require_flags",
    "require_names",
    "require_numbers",
    "require_references",
    "require_tables",
]


def import_path(what: str, path: str) -> Any:
    """Return what a dotted path names.

    Args:
        what: What it is, for the message: ``"The backend"``.
        path: The dotted path.

    Raises:
        ConfigurationError: it cannot be imported; names the path, and why.

    Example:
        >>> import_path("The backend", "os.sep")
        '/'
    """
    try:
        return import_string(path)
    except (ImportError, TypeError, ValueError) as error:  # the last two if it begins with a dot
        raise ConfigurationError(f"{what} {path!r} cannot be imported: {error}.") from error


def _require(owner: Union[str, Type[Any]], name: str, is_right: bool, what: str, got: Any) -> None:
    if not is_right:
        owner = owner if isinstance(owner, str) else owner.__name__
        raise ConfigurationError(f"{owner}: {name} must be {what}, not {got!r}.")


def require_flags(owner: Union[str, Type[Any]], **flags: Any) -> None:
    """Raise for an argument that is neither ``True`` nor ``False``.

    Args:
        owner: The class whose constructor got it.
        flags: Arguments by name.

    Raises:
        ConfigurationError: names the class, the argument, and what was given.

    Example:
        >>> require_flags("FallbackStorage", signals="no")
        Traceback (most recent call last):
            ...
        smart_storages.exceptions.ConfigurationError: FallbackStorage: signals must be True or \
False, not 'no'. See docs/troubleshooting.md#configurationerror
    """
    for name, value in flags.items():
        _require(owner, name, isinstance(value, bool), "True or False", value)


def require_numbers(owner: Union[str, Type[Any]], what: str, **numbers: Any) -> None:
    """Raise for an argument that is not a number of 0 or more.

    Args:
        owner: As for :func:`require_flags`.
        what: The unit: ``"seconds"``.
        numbers: Arguments by name.
    """
    for name, value in numbers.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        is_right = is_number and value >= 0
        _require(owner, name, is_right, f"a number of {what}, 0 or more", value)


def require_names(owner: Union[str, Type[Any]], **names: Any) -> None:
    """Raise for an argument that is not a string, such as an alias, or is empty.

    Args:
        owner: As for :func:`require_flags`.
        names: Arguments by name.
    """
    for name, value in names.items():
        _require(owner, name, isinstance(value, str) and bool(value), "an alias", value)


def require_tables(owner: Union[str, Type[Any]], **tables: Any) -> None:
    """Raise for an argument that is not a dict.

    Args:
        owner: As for :func:`require_flags`.
        tables: Arguments by name.
    """
    for name, value in tables.items():
        _require(owner, name, isinstance(value, Mapping), "a dict of aliases", value)
        for key in value:
            _require(owner, f"each key of {name}", isinstance(key, str), "a string", key)


def require_references(
    owner: Union[str, Type[Any]], *, by_label_only: bool = False, **references: Any
) -> None:
    """Raise for an argument that is not a list or dict of references to storages.

    Args:
        owner: As for :func:`require_flags`.
        by_label_only: Whether only a dict is allowed, not a list.
        references: Arguments by name.
    """
    what = "a dict of storages by alias" if by_label_only else "a list of storages, or a dict"
    for name, value in references.items():
        # By its type: isinstance() would build Django's lazy default_storage.
        given = type(value)
        is_list = issubclass(given, Sequence) and not issubclass(given, (str, bytes))
        is_right = issubclass(given, Mapping) or (is_list and not by_label_only)
        # Only its type is shown: the value may contain credentials.
        shown = f"a {given.__name__}" if not is_right else "an empty one"
        if not is_right or not value:
            owner = owner if isinstance(owner, str) else owner.__name__
            shown = repr(value) if issubclass(given, (str, int)) else shown
            raise ConfigurationError(f"{owner}: {name} must be {what}, not {shown}.")


def require_choices(owner: Union[str, Type[Any]], **choices: Any) -> None:
    """Raise for an argument that is neither a label, nor a position, nor a list of these.

    Args:
        owner: As for :func:`require_flags`.
        choices: Arguments by name.
    """
    for name, value in choices.items():
        given = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        for each in given:
            is_right = isinstance(each, (str, int)) and not isinstance(each, bool)
            _require(owner, name, is_right, "labels or positions of backends", each)
