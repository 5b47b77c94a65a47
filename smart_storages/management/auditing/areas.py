"""The parts of buckets that an audit lists, and what in them it leaves alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Iterator, List, Set, Tuple

from django.core.management.base import CommandError

from smart_storages.management.places import find_places
from smart_storages.storages import SmartS3Storage

__all__ = ["Area", "Areas"]

_STATIC_FILES = "STORAGES['staticfiles']"


@dataclass
class Area:
    """A bucket below one location.

    Args:
        bucket: Number of the bucket.
        storage: A storage whose files are here.
        start: The beginning of every key.
        excluded: Beginnings of keys that are not looked at.
    """

    bucket: int
    storage: SmartS3Storage
    start: str
    excluded: Tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The module."""
        return self.storage.module_name


@dataclass
class Areas:
    """The buckets in which rows may have files, collected while the rows are read."""

    _numbers: Dict[Tuple[str, ...], int] = field(default_factory=dict)
    _starts: Dict[Tuple[int, str], SmartS3Storage] = field(default_factory=dict)
    _known: Dict[int, Tuple[Any, int]] = field(default_factory=dict)

    def number_of(self, storage: SmartS3Storage) -> int:
        """Return the number of a storage's bucket; a new bucket or location is added."""
        known = self._known.get(id(storage))
        if known is not None:
            return known[1]
        place = (*storage.identify_server(), str(storage.bucket_name))
        number = self._numbers.setdefault(place, len(self._numbers))
        self._starts.setdefault((number, _start_of(storage)), storage)
        # With the storage itself, so that no other can get its id. Tenants have one each.
        self._known[id(storage)] = (storage, number)
        return number

    def numbers_like(self, storage: SmartS3Storage) -> Iterator[int]:
        """Yield the number of a storage's bucket, and those of buckets that may be the same.

        One bucket may have several addresses, and several users, each with credentials of its own.
        """
        number = self.number_of(storage)
        yield number
        for (*_, name), other in self._numbers.items():
            if name == storage.bucket_name and other != number:
                yield other

    def storage_in(self, bucket: int) -> SmartS3Storage:
        """Return a storage of a bucket."""
        return next(each for (number, _), each in self._starts.items() if number == bucket)

    def outermost(self, trash: str, excluded: Iterable[str]) -> List[Area]:
        """Return the areas to list, each object in one of them.

        Args:
            trash: Name of the directory for what was deleted, in each of them.
            excluded: Beginnings of names or keys that the user excludes.
        """
        found: List[Area] = []
        for (number, start), storage in sorted(self._starts.items(), key=lambda each: each[0]):
            if found and found[-1].bucket == number and start.startswith(found[-1].start):
                continue
            found.append(Area(number, storage, start))
        for area in found:
            mine = {start for number, start in self._starts if number == area.bucket}
            chosen = {f"{start}{prefix}" for start in {"", *mine} for prefix in excluded}
            chosen.update(f"{start}{trash}/" for start in mine)
            chosen.update(self._of_others(area, mine))
            area.excluded = tuple(sorted(chosen))
        return found

    def _of_others(self, area: Area, mine: Set[str]) -> Iterator[str]:
        # Files of modules that no field uses, such as static files, are named by no row.
        for place in find_places():
            if place.problem is not None or not place.bucket:
                continue
            # By its name alone: one bucket may have several addresses.
            is_here = place.bucket == area.storage.bucket_name
            start = place.location.partition("*")[0]
            if is_here and start in mine and _STATIC_FILES in place.used_by:
                raise CommandError(
                    f"Static files are kept where {area.label!r} keeps files, and no row names "
                    f"them: give STORAGES['staticfiles'] a location of its own."
                )
            if is_here and start.startswith(area.start) and start not in mine:
                yield start


def _start_of(storage: SmartS3Storage) -> str:
    return storage.get_key("a")[:-1]
