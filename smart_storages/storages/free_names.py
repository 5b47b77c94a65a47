"""Names that a file may get: one that was not found taken, or one with a random suffix."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Optional, Set, Tuple

from django.core.files.storage import Storage
from django.utils.crypto import get_random_string

__all__ = ["KnownNames", "issued_names", "with_random_suffix"]

#: How many random letters and digits make a name unique: 82 bits, so that among a million files of
#: one name the probability of a collision is 1e-13. They are lower case because some file systems
#: do not distinguish case.
_SUFFIX = 16
_SUFFIX_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

#: How many names that were given out, but not saved yet, are remembered.
_MOST_ISSUED = 10_000


class KnownNames:
    """Answers ``Storage.get_available_name`` from the names found taken so far."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self.taken: Set[str] = set()

    def exists(self, name: str) -> bool:
        return name in self.taken

    def is_name_available(self, name: str, max_length: Optional[int] = None) -> bool:
        # Django 5.1 calls this; older versions call exists() and check the length themselves.
        too_long = max_length and len(name) > max_length
        return not self.exists(name) and not too_long

    def get_alternative_name(self, file_root: str, file_ext: str) -> str:
        name: str = self._storage.get_alternative_name(file_root, file_ext)
        return name


class _SuffixedNames(KnownNames):
    """As above, but every name gets a random suffix that makes it unique."""

    def __init__(self, storage: Any, name: str) -> None:
        super().__init__(storage)
        self.taken.add(name)

    def get_alternative_name(self, file_root: str, file_ext: str) -> str:
        return f"{file_root}_{get_random_string(_SUFFIX, _SUFFIX_CHARACTERS)}{file_ext}"


def with_random_suffix(storage: Any, name: str, max_length: Optional[int] = None) -> str:
    """Return a name with a random suffix that makes it unique.

    Args:
        storage: The storage of the file.
        name: A clean name.
        max_length: Longest name allowed, in characters.

    Raises:
        SuspiciousFileOperation: no name of that length is possible.
    """
    find: Any = Storage.get_available_name
    drawn: str = find(_SuffixedNames(storage, name), name, max_length)
    return drawn


class _IssuedNames:
    """Names with such a suffix that were given out, but not used by a save yet.

    Code that gets an available name and then saves under it must get exactly that name.
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[Tuple[str, str], None] = OrderedDict()

    def add(self, bucket: str, key: str) -> None:
        self._keys[bucket, key] = None
        while len(self._keys) > _MOST_ISSUED:
            self._keys.popitem(last=False)

    def take(self, bucket: str, key: str) -> bool:
        """Return whether a name was given out, and forget it: only one file may use it."""
        return self._keys.pop((bucket, key), self) is None


issued_names = _IssuedNames()
