"""Names in a queued storage: which are taken, which are free, and what a directory holds."""

from __future__ import annotations

import os
import posixpath
from typing import Any, Iterable, List, NamedTuple, Optional, Tuple

from django.core.exceptions import SuspiciousFileOperation

from smart_storages.common.names import check_name
from smart_storages.queued.ledger.texts import check_fits, longest
from smart_storages.queued.models import QueuedFile

__all__ = ["Place", "clean", "directory", "limit", "make_unique", "merge_listing", "overwrites"]


class Place(NamedTuple):
    """Where a file is: its storage and name there; whether it is deleted; a local copy's host."""

    storage: Any
    name: str
    gone: bool = False
    host: str = ""


def clean(name: Any) -> str:
    """Return the normalised spelling of a name, which the ledger uses.

    Example:
        >>> clean("scans//2026/./a.png")
        'scans/2026/a.png'
    """
    check_name(name)
    _check_text(name)
    return posixpath.normpath(str(name).replace("\\", "/"))


def _check_text(name: Any) -> None:
    # A lone surrogate, which os.fsdecode() makes from invalid bytes: databases and S3 refuse it.
    try:
        str(name).encode()
    except UnicodeEncodeError:
        raise SuspiciousFileOperation(f"The name {str(name)!a} is not valid Unicode.") from None


def directory(path: Any) -> str:
    """Return the prefix of the names in a directory.

    Example:
        >>> directory("scans"), directory("")
        ('scans/', '')
    """
    _check_text(path)
    path = posixpath.normpath(str(path).replace("\\", "/")) if path else ""
    return "" if path in ("", ".") else f"{path.rstrip('/')}/"


def overwrites(storage: Any) -> bool:
    """Whether a storage replaces a file when another is saved under its name, if it says so."""
    for attribute in ("file_overwrite", "_allow_overwrite"):
        value = getattr(storage, attribute, None)
        if isinstance(value, bool):
            return value
    flags = getattr(storage, "OS_OPEN_FLAGS", os.O_EXCL)
    return not flags & os.O_EXCL


def limit(name: str, max_length: Optional[int]) -> int:
    """Return how long the name under which a file is saved may be.

    Raises:
        SuspiciousFileOperation: The name is too long for the ledger, and no ``max_length`` allows
            it to be shortened.
    """
    most = longest("name")
    if not max_length or max_length > most:
        check_fits(name=name)
    return min(max_length or most, most)


def make_unique(storage: Any, name: str, max_length: Optional[int] = None) -> str:
    """Return a name with a random suffix, which is assumed to be free without asking a storage."""
    parent, base = posixpath.split(name)
    root, extension = posixpath.splitext(base)
    made = posixpath.join(parent, storage.get_alternative_name(root, extension))
    excess = len(made) - max_length if max_length else 0
    if excess <= 0:
        return made
    if excess >= len(root):
        raise SuspiciousFileOperation(
            f"Storage can not find an available filename for {name!r}. Please make sure that "
            f"the field's max_length ({max_length}) allows a longer one."
        )
    return posixpath.join(parent, storage.get_alternative_name(root[:-excess], extension))


def merge_listing(
    path: str, directories: Iterable[str], files: Iterable[str], changes: Iterable[QueuedFile]
) -> Tuple[List[str], List[str]]:
    """Return the listing of the remote as it will be when all rows have been processed."""
    prefix = directory(path)
    all_directories, all_files = dict.fromkeys(directories), dict.fromkeys(files)
    rows = list(changes)
    # Removals first: the remote name of one row's file may be the name of another row.
    for row in rows:
        remote = row.remote_name or row.name
        if remote.startswith(prefix) and (not row.is_live or remote != row.name):
            all_files.pop(remote[len(prefix) :], None)
    for row in rows:
        if row.is_live and row.name.startswith(prefix):
            first, slash, _ = row.name[len(prefix) :].partition("/")
            (all_directories if slash else all_files)[first] = None
    return list(all_directories), list(all_files)
