"""Steps for a module whose files are not in S3: what its store does, tried with temporary files.

They use nothing but what every store has, so that a new backend is checked like the others.
"""

from __future__ import annotations

import io
from functools import cached_property
from typing import Any, Dict, List, Optional, Tuple

from smart_storages.exceptions import AccessDeniedError, ObjectExistsError, ObjectNotFoundError
from smart_storages.management.checking.findings import FaultError, NotApplicableError
from smart_storages.management.checking.probe import BODY, TemporaryFiles, require_writing
from smart_storages.management.places import Place

__all__ = [
    "StoreProbe",
    "check_delete",
    "check_get",
    "check_head",
    "check_list",
    "check_needs",
    "check_put",
    "check_range",
    "check_taken_name",
    "describe",
]

_TYPE = "text/plain"
_OTHER = b"Another temporary file; it may be deleted.\n"


class StoreProbe(TemporaryFiles):
    """One check of one place outside of S3.

    Args:
        place: The module; its configuration is sound.
        origins: Origins of web pages, for the bucket of S3 that this is not.
    """

    def __init__(self, place: Place, origins: Tuple[str, ...] = ()) -> None:
        super().__init__(place, origins)
        #: Whether the temporary file is there.
        self.wrote = False

    @cached_property
    def store(self) -> Any:
        """What keeps the files."""
        return self.storage._store()

    @property
    def may_have_written(self) -> bool:
        """Whether there may be something to remove."""
        return bool(self._keys) and not self.place.read_only

    @cached_property
    def first_key(self) -> Optional[str]:
        """The key of a file of the location, ``None`` if there is none."""
        entries = self.storage.iter_keys(self.place.location)
        return next((key for key, stat in entries if stat.size), None)

    @property
    def sample(self) -> str:
        """The key of a file that can be read: the temporary one, or one that was there."""
        if self.wrote:
            return self.key()
        if self.first_key is None:
            raise NotApplicableError("there is no file to read", blocks=True)
        return self.first_key

    @property
    def attributes(self) -> Any:
        """What the module keeps beside a file."""
        parameters: Dict[str, Any] = self.storage._get_write_parameters(self.name())
        return self.storage._attributes_of({**parameters, "ContentType": _TYPE})

    def put(self, content: bytes, *, overwrite: bool) -> None:
        """Keep the temporary file."""
        key = self.key()
        with self.storage._translating(key):
            self.store.put(key, iter([content]), self.attributes, overwrite=overwrite)

    def read(self, key: str, start: int = 0, size: int = -1) -> bytes:
        """Return the content of a file, or a part of it."""
        with self.storage._open_key(key) as reader:
            reader.seek(start)
            return io.BufferedReader(reader).read(size)

    def find(self, key: str) -> Any:
        """Return what is known about a file."""
        with self.storage._translating(key):
            return self.store.find(key)

    def clean_up(self) -> None:
        """Remove every temporary file."""
        failed = self.storage.delete_keys(self._keys)
        self.left = [key for key in self._keys if key in failed]


def describe(probe: StoreProbe) -> str:
    """Return the last line of a check: where the files are."""
    if probe.storage.backend == "memory":
        return "The files are in the memory of each process, and gone when it ends."
    return f"The files are {probe.store.place}."


def check_needs(probe: StoreProbe) -> str:
    """The container or directory is there, or the first file makes it."""
    said: List[str] = []
    for need in probe.store.needs(is_public=False):
        try:
            with probe.storage._translating(""):
                is_met = need.is_met()
        except AccessDeniedError:
            raise NotApplicableError(f"the credentials may not ask for {need.what}") from None
        if not is_met and not need.is_met_by_a_save:
            raise FaultError(
                f"There is no {need.what.partition(' ')[2]}.",
                "Nobody has made it, or the module names another one than is meant.",
                f"Make it: manage.py buckets create {probe.place.module}. Or correct bucket_name.",
            )
        said.append(need.what if is_met else f"{need.what} will be made by the first file")
    return "; ".join(said) or "nothing has to be there"


def check_list(probe: StoreProbe) -> str:
    """The location can be listed."""
    _ = probe.first_key
    return f"{probe.place.location or 'everything'} can be listed"


def check_put(probe: StoreProbe) -> str:
    """A file can be saved with the parameters of the module."""
    require_writing(probe)
    probe.put(BODY, overwrite=True)
    probe.wrote = True
    return "saved"


def check_get(probe: StoreProbe) -> str:
    """A file is read back as it was saved."""
    body = probe.read(probe.sample)
    if probe.wrote and body != BODY:
        raise FaultError(
            "A file is read back with other content than it was saved with.",
            f"{len(body)} bytes came back for {len(BODY)}, or some of them are others.",
            "Something between here and the files changes content: a proxy, a cache, a gateway.",
        )
    return f"{len(body)} bytes"


def check_range(probe: StoreProbe) -> str:
    """A part of a file can be read alone."""
    if probe.read(probe.sample, 2, 4) != probe.read(probe.sample)[2:6]:
        raise FaultError(
            "A request for a part of a file is answered with something else.",
            "Ranges are ignored by what stands between here and the files.",
            "Let a proxy, cache or gateway pass the Range header on.",
        )
    return "bytes 2 to 5"


def check_head(probe: StoreProbe) -> str:
    """Size, type and metadata of a file can be asked for, and are as they were saved."""
    found, saved = probe.find(probe.key()), probe.attributes
    if found.stat.size != len(BODY):
        raise FaultError(f"The size of a file is told as {found.stat.size}, not {len(BODY)}.")
    lost = [
        name
        for name, value in (*saved.headers.items(), *saved.metadata.items())
        if {**found.attributes.headers, **found.attributes.metadata}.get(name) != value
    ]
    if lost:
        raise FaultError(
            f"What is to be kept beside a file is not: {', '.join(sorted(lost))}.",
            f"The backend {probe.storage.backend!r} does not keep it, or changes it.",
            "docs/backends.md says what each backend keeps. Leave it out of object_parameters.",
            serious=False,
        )
    return f"{found.stat.size} bytes, {found.stat.content_type}"


def check_taken_name(probe: StoreProbe) -> str:
    """A file is not overwritten by one that is not to overwrite."""
    try:
        probe.put(_OTHER, overwrite=False)
    except ObjectExistsError:
        if probe.read(probe.key()) == BODY:
            return "refused"
    raise FaultError(
        "A file can be overwritten by another one of the same name.",
        "The condition that the name is free was not honoured.",
        "Use this backend for files with names that are unique only.",
    )


def check_delete(probe: StoreProbe) -> str:
    """A file can be deleted, and is gone."""
    require_writing(probe)
    probe.storage._delete_key(probe.key())
    try:
        probe.find(probe.key())
    except ObjectNotFoundError:
        return "deleted"
    raise FaultError(
        "A file that was deleted can still be found.",
        "A cache answers for it, or the backend is not consistent.",
    )
