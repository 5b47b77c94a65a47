"""Checks of file names, and names that carry a choice from ``generate_filename`` to ``save``."""

from __future__ import annotations

import posixpath
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any, Callable, Iterator, List, Optional, Tuple, Type

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.utils import validate_file_name

__all__ = [
    "CARRIED",
    "PreparedName",
    "alternatives",
    "as_prepared",
    "check_name",
    "check_path",
    "path_of",
    "renamed",
]

_MOST_NAMES = 1000

#: Context variables on which a choice may depend, such as the tenant. A name carries their values
#: from ``generate_filename`` to ``save``. A module that defines such a variable adds it here.
CARRIED: List[ContextVar[Any]] = []


def check_name(name: Any) -> None:
    """Refuse a name that could lead out of the storage it is given to.

    Every layer checks for itself: CVE-2024-39330 came from one that trusted the layer below.

    Args:
        name: Name of a file, relative, with forward slashes.

    Raises:
        SuspiciousFileOperation: the name is empty or absolute, does not name a file, contains a
            NUL character, or has a segment ``..``.

    Example:
        >>> check_name("reports/2026.pdf")

    Source: ``django.core.files.utils.validate_file_name``.
    """
    # Django's own check takes 3 microseconds, mostly in pathlib. Almost all names are obviously
    # harmless and skip it; all others go through the whole check.
    if (
        type(name) is str
        and name
        and ".." not in name
        and "\\" not in name
        and "\0" not in name
        and name[0] != "/"
        and name[-1] not in "/."
    ):
        return
    name = str(name)
    if "\0" in name:
        raise SuspiciousFileOperation(f"The file name {name!r} contains a NUL character.")
    # Storages turn backslashes into slashes later, so they are checked as slashes here.
    validate_file_name(name.replace("\\", "/"), allow_relative_path=True)


def check_path(path: Any) -> None:
    """Refuse a path that could lead out of the storage; unlike a name it may end in ``/``.

    Args:
        path: Name of a file or a directory; empty for the root of the storage.

    Raises:
        SuspiciousFileOperation: as for :func:`check_name`.

    Example:
        >>> check_path(""), check_path("reports/")
        (None, None)
    """
    if (  # as in check_name; every url() calls this
        type(path) is str
        and path
        and ".." not in path
        and "\\" not in path
        and "\0" not in path
        and path[0] != "/"
        and path[-1] != "."
    ):
        return
    path = str(path)
    stripped = path.replace("\\", "/").rstrip("/")
    if path[:1] not in ("/", "\\") and stripped in ("", "."):
        return
    check_name(stripped or path)


class PreparedName(str):
    """The result of ``generate_filename``, together with the choice that was made for it.

    ``FileField`` first gets a name from the storage and then saves under it. The choice made in the
    first call also applies to the second: the name carries it, and the values of the context
    variables in :data:`CARRIED`, such as the tenant.

    Args:
        text: The name.
        owner: The composed storage that made it; other storages ignore what it carries.
        storage: The chosen storage, ``None`` if the choice depends on the content.
        inner: The name as the chosen storage returned it.

    Example:
        >>> PreparedName("a.txt", owner=None, storage=None, inner="a.txt")
        'a.txt'
    """

    __slots__ = ("context", "inner", "owner", "storage")

    def __new__(cls, text: str, *, owner: Any, storage: Any, inner: str) -> PreparedName:
        name = super().__new__(cls, text)
        name.owner = owner
        name.storage = storage
        name.inner = inner
        name.context = tuple((each, each.get()) for each in CARRIED)
        return name

    context: Tuple[Tuple[ContextVar[Any], Any], ...]
    owner: Any
    storage: Any
    inner: str

    def __reduce__(self) -> Any:
        return str, (str.__str__(self),)

    @staticmethod
    def made_by(owner: Any, name: Any) -> Optional[PreparedName]:
        """Return the name if ``owner`` made it, else ``None``."""
        return name if type(name) is PreparedName and name.owner is owner else None


def renamed(name: str, text: str) -> str:
    """Return a name with another text, which carries the same choice.

    Args:
        name: What ``generate_filename`` returned, or any other name.
        text: The text, such as a name that is free where that one is taken.

    Example:
        >>> made = PreparedName("a.txt", owner=None, storage="disk", inner="scope/a.txt")
        >>> renamed(made, "b.txt").inner
        'scope/b.txt'
    """
    if type(name) is not PreparedName:
        return text
    inner = str(name.inner)
    before = inner[: -len(name)] if inner.endswith(str(name)) else ""
    inner = renamed(name.inner, f"{before}{text}")
    made = PreparedName(text, owner=name.owner, storage=name.storage, inner=inner)
    made.context = name.context
    return made


@contextmanager
def as_prepared(owner: Any, name: Any) -> Iterator[None]:
    """Set the context variables as they were when ``owner`` made the name: one save, one tenant.

    Args:
        owner: The composed storage that saves.
        name: The name passed to its ``save``.
    """
    prepared = PreparedName.made_by(owner, name)
    tokens = [(each, each.set(value)) for each, value in prepared.context] if prepared else []
    try:
        yield
    finally:
        for each, token in tokens:
            each.reset(token)


def alternatives(
    name: str, max_length: Optional[int], make: Callable[[str, str], str]
) -> Iterator[str]:
    """Yield a name and then others like it, none longer than ``max_length``.

    Args:
        name: The preferred name.
        max_length: Largest number of characters, ``None`` for no limit.
        make: ``get_alternative_name`` of a storage: it makes a new name from root and extension.

    Raises:
        SuspiciousFileOperation: the name cannot be shortened further, or a thousand names were
            not enough: a storage that reports every name as taken is broken.

    Example:
        >>> names = alternatives("a/b.tar.gz", None, lambda root, ext: f"{root}_2{ext}")
        >>> next(names), next(names)
        ('a/b.tar.gz', 'a/b_2.tar.gz')

    Source: ``django.core.files.storage.Storage.get_available_name``.
    """
    if not max_length or len(name) <= max_length:
        yield name
    directory, file_name = posixpath.split(name)
    extension = "".join(PurePosixPath(file_name).suffixes)
    root = file_name[: len(file_name) - len(extension)]
    for _ in range(_MOST_NAMES):
        if not root:
            break
        other = posixpath.join(directory, make(root, extension))
        if max_length and len(other) > max_length:
            root = root[: max_length - len(other)]
        else:
            yield other
    raise SuspiciousFileOperation(
        f"There is no available name for {name!r}; a larger max_length of the field may help."
    )


def path_of(cls: Type[Any]) -> str:
    """Return the dotted path of a class, for migrations.

    Raises:
        ValueError: the class is not in the body of a module.
    """
    if not hasattr(import_module(cls.__module__), cls.__qualname__):
        raise ValueError(
            f"Could not find {cls.__qualname__} in {cls.__module__}: a migration can only name a "
            "class in the body of a module."
        )
    return f"{cls.__module__}.{cls.__qualname__}"
