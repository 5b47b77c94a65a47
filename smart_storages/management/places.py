"""Which buckets a project uses: a place for each module, and who keeps files there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from django.core.management.base import CommandError

from smart_storages import config
from smart_storages.checks.in_use import import_backend, iter_fields, sound_aliases
from smart_storages.config.modules import sample_name
from smart_storages.config.values import ANY_MODULE
from smart_storages.exceptions import ConfigurationError
from smart_storages.fallback import FallbackStorage
from smart_storages.queued.composed_parts import parts_of
from smart_storages.storages import SmartS3Storage
from smart_storages.storages.lookup import (
    get_storage,
    read_aliases,
    resolve_storage,
    storages,
)
from smart_storages.wrappers import ReadOnlyStorage
from smart_storages.wrappers.forwarding import ForwardingStorage

__all__ = [
    "CDN",
    "PRIVATE",
    "PUBLIC",
    "Place",
    "find_place",
    "find_places",
    "find_sound_places",
    "refuse_pattern",
    "starred",
]

#: How files are read: by anybody, through signed URLs, or through a domain of the project's own.
PUBLIC, PRIVATE, CDN = "public", "private", "cdn"

_PUBLIC_ACLS = ("public-read", "public-read-write")


@dataclass(frozen=True)
class Place:
    """A module, its storage, and who uses it.

    Args:
        module: Name of the module, or a pattern.
        storage: A storage of the module; of a pattern, one for a sample name.
        used_by: Aliases of ``STORAGES`` and fields of models.
        read_only: Whether all of these only read: through a ``ReadOnlyStorage``, or as a backend
            of a ``FallbackStorage`` that writes to others.
    """

    module: str
    storage: SmartS3Storage
    used_by: Tuple[str, ...] = ()
    read_only: bool = False

    @property
    def problem(self) -> Optional[ConfigurationError]:
        """What is wrong with the settings of the module, if anything."""
        return self.storage.configuration_problem

    @property
    def bucket(self) -> Optional[str]:
        """Name of the bucket; of a pattern with ``*`` for the part that a module fills in."""
        name: Optional[str] = starred(self.storage.bucket_name)
        return name

    @property
    def location(self) -> str:
        """The location, ``""`` or with a slash at its end."""
        location = str(starred(self.storage.location) or "").strip("/")
        return f"{location}/" if location else ""

    @property
    def server(self) -> str:
        """The endpoint, or else the region; the backend if the files are not in S3."""
        if not self.storage.is_in_s3:
            return str(self.storage.backend)
        return self.storage.endpoint_url or self.storage.region_name or "aws"

    @property
    def access(self) -> str:
        """``PUBLIC``, ``PRIVATE`` or ``CDN``."""
        storage = self.storage
        if storage.custom_domain:
            return CDN
        return PUBLIC if self.has_public_acl or not storage.querystring_auth else PRIVATE

    @property
    def has_public_acl(self) -> bool:
        """Whether each file has an ACL that lets anybody read it."""
        storage = self.storage
        acl = storage.get_object_parameters("").get("ACL") or storage.default_acl
        return acl in _PUBLIC_ACLS


def starred(value: Any) -> Any:
    """Return a value with ``*`` where the name of a pattern's module is filled in."""
    return value.replace(ANY_MODULE, "*") if isinstance(value, str) else value


def find_places() -> List[Place]:
    """Return a place for each module of the settings, and for each other that is in use.

    Raises:
        ConfigurationError: ``SMART_STORAGE_BUCKETS`` or ``STORAGES`` cannot be read at all.
    """
    found: Dict[Any, Place] = {}
    users: Dict[Any, Dict[str, bool]] = {}
    for key in config.iter_module_keys():
        storage = _storage_of(str(key))
        found[_identity_of(storage)] = Place(str(key), storage)
    for label, storage, writes in _find_users():
        identity = _identity_of(storage)
        if identity not in found:
            # A module that reaches a pattern is one of many with the same entry.
            found[identity] = Place(storage.module_name, storage)
        known = users.setdefault(identity, {})
        known[label] = known.get(label, False) or writes
    return [
        Place(
            place.module,
            place.storage,
            tuple(users.get(identity, ())),
            read_only=identity in users and not any(users[identity].values()),
        )
        for identity, place in found.items()
    ]


def find_place(reference: str) -> Place:
    """Return the place of a module or an alias.

    Raises:
        CommandError: it is no module of this project, nor an alias that keeps files in a bucket.
    """
    for place in find_places():
        if place.module == reference:
            return place
    try:
        storage = resolve_storage(reference)
    except ConfigurationError as error:
        raise CommandError(str(error), returncode=2) from error
    if isinstance(storage, SmartS3Storage):
        users = (f"STORAGES[{reference!r}]",) if reference in read_aliases() else ()
        return Place(storage.module_name, storage, users)
    raise CommandError(
        f"{reference!r} is a {type(storage).__name__}, which has no bucket of its own. "
        "'manage.py buckets list' shows the modules.",
        returncode=2,
    )


def refuse_pattern(reference: str) -> None:
    """Refuse a pattern where the files of one module are meant.

    Raises:
        CommandError: it is one.
    """
    if "*" in reference and reference not in read_aliases():
        one = reference.replace("*", "acme")
        raise CommandError(
            f"{reference!r} stands for many modules, each with files of its own. Name one of them, "
            f"such as {one!r}.",
            returncode=2,
        )


def find_sound_places(references: Sequence[str]) -> List[Place]:
    """Return the places of modules or aliases, or all places if none are named.

    Raises:
        CommandError: one of them is misconfigured, or has no bucket.
    """
    places = [find_place(each) for each in references] if references else find_places()
    for place in places:
        if place.problem is not None:
            raise CommandError(str(place.problem), returncode=1)
        if not place.bucket:
            raise CommandError(f"The module {place.module!r} has no bucket.", returncode=1)
    return places


def _storage_of(key: str) -> SmartS3Storage:
    return SmartS3Storage(sample_name(key)) if "*" in key else get_storage(key)


def _identity_of(storage: SmartS3Storage) -> Tuple[Any, ...]:
    names = ("bucket_name", "location", "endpoint_url", "region_name", "default_acl", "backend")
    return (storage.module_name, *(getattr(storage, name, None) for name in names))


#: A user of a place: its label, its storage there, and whether it writes.
_User = Tuple[str, SmartS3Storage, bool]


def _find_users() -> Iterator[_User]:
    for alias, params in sound_aliases().items():
        backend = import_backend(params)
        # A storage of another package is not made: it might do anything.
        if isinstance(backend, type) and issubclass(backend, (SmartS3Storage, ForwardingStorage)):
            with suppress(Exception):  # the system checks report what is wrong
                yield from _leaves(label=f"STORAGES[{alias!r}]", storage=storages[alias])
    for label, storage in iter_fields():
        with suppress(Exception):  # as above
            yield from _leaves(label, storage)


def _leaves(
    label: str, storage: Any, writes: bool = True, passed: Tuple[Any, ...] = ()
) -> Iterator[_User]:
    if isinstance(storage, SmartS3Storage):
        yield label, storage, writes
    elif isinstance(storage, ForwardingStorage) and not any(each is storage for each in passed):
        for part, part_writes in _parts_of(storage):
            with suppress(Exception):  # as above
                yield from _leaves(label, part.storage, writes and part_writes, (*passed, storage))


def _parts_of(storage: ForwardingStorage) -> Iterator[Tuple[Any, bool]]:
    if isinstance(storage, FallbackStorage):
        yield from ((each.reference, each.writes or each.deletes) for each in storage._backends)
    else:
        writes = not isinstance(storage, ReadOnlyStorage)
        yield from ((part, writes) for part in parts_of(storage))
