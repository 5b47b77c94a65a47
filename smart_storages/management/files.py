"""Files by ``module:path``: named, found, listed, copied and deleted, a few at a time."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Iterator, List, NamedTuple, Optional, Set, Tuple

from django.core.files import File
from django.core.management.base import CommandError

from smart_storages.management.places import find_place, refuse_pattern
from smart_storages.storages import SmartS3Storage

__all__ = ["Entry", "Named", "copy_file", "find_files", "iter_folder", "parse", "parse_local"]


class Named(NamedTuple):
    """A file or folder of a module, as the command line names it.

    Args:
        module: The module or alias.
        storage: Its storage.
        path: The name inside the location; ``""`` for the location itself.
    """

    module: str
    storage: SmartS3Storage
    path: str

    def __str__(self) -> str:
        return f"{self.module}:{self.path}"

    @property
    def folder(self) -> str:
        """The path as a prefix of what is in it."""
        return f"{self.path.rstrip('/')}/" if self.path else ""


class Entry(NamedTuple):
    """A line of a folder: a file, or a folder if it has no size."""

    name: str
    size: Optional[int] = None
    modified: Optional[datetime] = None


def parse(text: str) -> Named:
    """Return what ``module:path`` names; the path may be empty, the colon then too.

    Raises:
        CommandError: there is no such module, or it is a pattern.
    """
    module, _, path = text.partition(":")
    refuse_pattern(module)
    return Named(module, find_place(module).storage, path.lstrip("/"))


def parse_local(text: str) -> Optional[Path]:
    """Return the path on this machine that a text names, ``None`` if it names a module's file.

    Example:
        >>> parse_local("./a.txt").name, parse_local("media:a.txt")
        ('a.txt', None)
    """
    module, colon, _ = text.partition(":")
    is_local = not colon or "/" in module or "\\" in module or Path(text).is_absolute()
    return Path(text) if is_local else None


def iter_folder(named: Named) -> Iterator[Entry]:
    """Yield what is in a folder, without what is in its folders, 1,000 per request."""
    storage = named.storage
    if not storage.is_in_s3:
        yield from _iter_folder_by_files(named)
        return
    # A name that every folder could hold: what stands before it is the prefix.
    start = storage.get_key(f"{named.folder}_")[: -len("_")]
    pages = storage.client.get_paginator("list_objects_v2").paginate(
        Bucket=storage.bucket_name, Prefix=start, Delimiter="/"
    )
    for page in pages:
        for folder in page.get("CommonPrefixes", ()):
            yield Entry(folder["Prefix"][len(start) :])
        for each in page.get("Contents", ()):
            if each["Key"] != start:
                yield Entry(each["Key"][len(start) :], each["Size"], each["LastModified"])


def _iter_folder_by_files(named: Named) -> Iterator[Entry]:
    folders: Set[str] = set()
    for name, stat in named.storage.iter_files(named.folder):
        folder, slash, _ = name[len(named.folder) :].partition("/")
        if not slash:
            yield Entry(folder, stat.size, stat.modified_time)
        elif folder not in folders:
            folders.add(folder)
            yield Entry(f"{folder}/")


def find_files(named: Named, *, recursive: bool) -> List[str]:
    """Return the names of the files that are meant: one, or all in a folder.

    Raises:
        CommandError: there is none.
    """
    if recursive:
        found = [name for name, _ in named.storage.iter_files(named.folder)]
        if found:
            return found
        raise CommandError(f"There is no file in {named}.", returncode=1)
    if not named.path or named.path.endswith("/"):
        raise CommandError(f"{named} is a folder: give --recursive for all in it.", returncode=2)
    if named.storage.stat_many([named.path])[named.path] is None:
        hint = ""
        if next(iter_folder(named), None) is not None:
            hint = " It is a folder: give --recursive for all in it."
        raise CommandError(f"There is no file {named}.{hint}", returncode=1)
    return [named.path]


def copy_file(source: Tuple[Optional[Named], str], target: Tuple[Optional[Named], str]) -> str:
    """Copy a file between modules and this machine; return the name that it got.

    Args:
        source: The module's file or folder, ``None`` for this machine, and the path.
        target: As the source.

    Raises:
        ObjectNotFoundError: there is no such file.
    """
    (here, name), (there, new_name) = source, target
    if here is not None and there is not None:
        return here.storage.copy(name, new_name, to=there.storage)
    if there is not None:
        with open(name, "rb") as file:
            return str(there.storage.save(new_name, File(file, PurePosixPath(new_name).name)))
    if here is None:
        raise CommandError("One of the two has to be module:path.", returncode=2)
    _download(here, name, Path(new_name))
    return new_name


def _download(here: Named, name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all, whenever it is interrupted.
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=str(path.parent))
    try:
        with os.fdopen(handle, "wb") as written, here.storage.open(name) as file:
            shutil.copyfileobj(file, written, 1024**2)
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, str(path))
    except BaseException:
        os.unlink(part)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
