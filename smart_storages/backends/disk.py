"""Directories and small files of a disk: made, written whole, looked at, removed when old."""

from __future__ import annotations

import errno
import json
import os
import stat as kinds
import time
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from smart_storages.backends.store import Need

__all__ = ["PART", "needs_directory", "read_json", "remove_older", "status_of", "write_json"]

#: How the name of a file ends that is not written to its end.
PART = ".part"


def read_json(path: Path) -> Optional[Dict[str, Any]]:
    """Return the object that a file describes, ``None`` if there is no such file, or no object."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None


def write_json(path: Path, value: Dict[str, Any]) -> None:
    """Write an object to a file, whole or not at all."""
    part = path.parent / f"{uuid.uuid4().hex}{PART}"
    part.write_text(json.dumps(value), encoding="utf-8")
    os.replace(part, path)


def remove_older(folder: Path, seconds: float, is_wanted: Callable[[str], bool]) -> None:
    """Remove files of a folder to which nothing was written for so many seconds.

    Args:
        folder: The folder; it may be missing.
        seconds: How long.
        is_wanted: Returns whether a file of this name may be removed.
    """
    before = time.time() - seconds
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            with suppress(FileNotFoundError):
                if is_wanted(entry.name) and entry.stat().st_mtime < before:
                    os.unlink(entry.path)


def status_of(path: Path) -> Optional[os.stat_result]:
    """Return the status of a file, ``None`` if there is none: a folder is no object."""
    try:
        status = path.stat()
    except OSError as error:
        # S3 takes longer names than a disk; of those, too, there is no file.
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise
        return None
    return status if kinds.S_ISREG(status.st_mode) else None


def needs_directory(path: str, mode: Optional[int] = None) -> Need:
    """Return that a store needs a directory, which its first file makes too.

    Args:
        path: Path of the directory.
        mode: Permissions that it gets, ``None`` for those that the process gives.
    """
    return Need(
        f"the directory {path}",
        partial(os.path.isdir, path),
        partial(_make_directory, path, mode),
        is_met_by_a_save=True,
    )


def _make_directory(path: str, mode: Optional[int]) -> None:
    if os.path.isdir(path):
        return
    os.makedirs(path, exist_ok=True)
    if mode is not None:
        os.chmod(path, mode)
