"""Finds modules whose locations overlap, but whose ACLs differ."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

__all__ = ["Place", "find_overlaps"]


class Place(NamedTuple):
    """Where a module keeps its files, and who may read them.

    Args:
        key: The module's key in ``SMART_STORAGE_BUCKETS``, or its name if it has none.
        is_alias: Whether it is an alias of ``STORAGES``, not the entry with that key.
        bucket: A value that is equal for two modules with the same bucket: its name, its endpoint
            and, if each tenant of the server may have a bucket of that name, the credentials.
        location: The location.
        acl: The canned ACL that a saved file gets.
    """

    key: str
    is_alias: bool
    bucket: Tuple[Any, ...]
    location: str
    acl: str

    @property
    def segments(self) -> Tuple[str, ...]:
        """The directories of the location."""
        location = self.location.strip("/")
        return tuple(location.split("/")) if location else ()


#: The places of one location, by ACL and by whether they are aliases.
_Level = Dict[Tuple[str, bool], List[int]]


def find_overlaps(places: Sequence[Place], of_aliases: bool = False) -> List[Tuple[int, int]]:
    """Return pairs of places that overlap and have different ACLs, by their numbers.

    A place is paired only with the nearest one at or above its location. So every place with an
    overlap is in a pair, and a thousand modules of one location do not make a million pairs.

    Args:
        places: The places.
        of_aliases: Return only pairs with an alias. An alias is not paired with the entry of its
            own module, which it overrides on purpose.

    Example:
        >>> acls = ("private", "public-read")
        >>> find_overlaps([Place(acl, False, ("acme",), "a/b", acl) for acl in acls])
        [(0, 1)]
    """
    buckets: Dict[Tuple[Any, ...], List[int]] = {}
    for number, place in enumerate(places):
        buckets.setdefault(place.bucket, []).append(number)
    pairs = (pair for group in buckets.values() for pair in _walk(places, group, of_aliases))
    return sorted(pairs)


def _walk(places: Sequence[Place], group: List[int], of_aliases: bool) -> Iterable[Tuple[int, int]]:
    # In sorted order, a location comes right before everything inside it.
    above: List[Tuple[Tuple[str, ...], _Level]] = []
    for segments, number in sorted((places[number].segments, number) for number in group):
        while above and segments[: len(above[-1][0])] != above[-1][0]:
            above.pop()
        if not above or above[-1][0] != segments:
            above.append((segments, {}))
        other = _find_rival(places, number, [level for _, level in reversed(above)], of_aliases)
        if other is not None:
            yield min(number, other), max(number, other)
        place = places[number]
        above[-1][1].setdefault((place.acl, place.is_alias), []).append(number)


def _find_rival(
    places: Sequence[Place], number: int, levels: List[_Level], of_aliases: bool
) -> Optional[int]:
    place = places[number]
    for level in levels:
        for (acl, is_alias), others in level.items():
            if acl == place.acl or (of_aliases and not (is_alias or place.is_alias)):
                continue
            for other in others:
                is_own = is_alias != place.is_alias and places[other].key == place.key
                if not (of_aliases and is_own):
                    return other
    return None
