"""How a mirror gets its copy of a file, and the error when it does not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, List, NamedTuple, Set, Tuple

from django.core.files import File

from smart_storages.common.content import spool
from smart_storages.exceptions import BackendsFailedError, BackendsUnreachableError
from smart_storages.wrappers.calls import Steps
from smart_storages.wrappers.forwarding import put_steps
from smart_storages.wrappers.health import UNREACHABLE, kind_of
from smart_storages.wrappers.references import Reference

__all__ = [
    "Copies",
    "Failure",
    "MirroredFile",
    "copy_to_mirror_steps",
    "differ_in_size",
    "list_names",
    "mirror_error",
]

#: The label of a storage, and what it raised.
Failure = Tuple[str, BaseException]


class Copies(NamedTuple):
    """The mirrors that have a file now, those with another of its name, and those that failed."""

    written: List[Reference]
    taken: List[Failure]
    failures: List[Failure]


def copy_to_mirror_steps(primary: Any, mirror: Any, name: str) -> Steps:
    """Copy a file from the primary to a mirror, or delete it there if the primary lacks it."""
    try:
        file = yield primary, "open", (name, "rb"), {}
    except FileNotFoundError:
        is_gone = True
    else:
        with file:
            copy = spool(file)  # read completely before any of it is published
        with copy:
            if not (yield from put_steps(mirror, name, copy)):
                raise FileExistsError(f"{name!r} was taken by another writer")
        # If it was deleted in the meantime, the mirror may have got the delete before the copy.
        is_gone = not (yield primary, "exists", (name,), {})
    if is_gone:
        with suppress(FileNotFoundError):
            yield mirror, "delete", (name,), {}


def mirror_error(method: str, name: str, failures: List[Failure]) -> BackendsFailedError:
    """Return the error for a call that some mirrors could not make."""
    unreachable = any(kind_of(error) == UNREACHABLE for _, error in failures)
    made = BackendsUnreachableError if unreachable else BackendsFailedError
    error = made(f"Not every mirror could {method} {name!r}.", failures)
    error.__cause__ = failures[0][1]
    return error


class MirroredFile(File):  # type: ignore[type-arg]
    """A file of the primary that is being written; closing it copies it to the mirrors."""

    def __init__(self, file: Any, copy: Callable[[], None]) -> None:
        super().__init__(file, getattr(file, "name", None))
        self._copy = copy

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._copy()


def list_names(storage: Any, path: str) -> Tuple[Set[str], Set[str]]:
    """Return the directories and files in a directory; none if it is missing."""
    try:
        directories, files = storage.listdir(path)
    except FileNotFoundError:
        return set(), set()
    return {each for each in directories if each}, {each for each in files if each}


def differ_in_size(primary: Any, mirror: Any, name: str) -> bool:
    """Return whether two storages have files of one name and of different sizes."""
    try:
        return bool(primary.size(name) != mirror.size(name))
    except FileNotFoundError:  # deleted since it was listed
        return False
