"""What the pages show about a stored file, without any request to S3."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import List

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.mirror import MirrorStorage

IMAGE_SUFFIXES = (".gif", ".jpeg", ".jpg", ".png", ".webp")


@dataclass(frozen=True)
class StoredFile:
    """One file as a page shows it.

    Args:
        handle: Unique on the site, such as ``article-1-image``; ``demo.py`` finds files by it.
        label: What the file is to a reader, such as ``Picture``.
        module: The module whose configuration sets the bucket.
        bucket: The bucket's name.
        key: The object's key, location included.
        url: An address that works now: plain for a public file, signed for a private one.
        signed: Whether ``url`` has a signature.
        expires: Seconds for which a signed ``url`` works, from the moment the page was made.
        why: Why the file is there, if a rule chose the place.
        through_site: Whether ``url`` is an address of the site, which reads the file itself.
    """

    handle: str
    label: str
    module: str
    bucket: str
    key: str
    url: str = field(repr=False)  # a signed one is a credential until it expires
    signed: bool
    expires: int
    why: str = ""
    through_site: bool = False

    @classmethod
    def at(cls, storage, name: str, handle: str, label: str, why: str = "") -> StoredFile:
        url = storage.url(name)
        if isinstance(storage, StorageDispatcher):
            stored_as = name
            storage, name, reason = follow(storage, name)
            why = f"{why} Stored as {stored_as}. {reason}".strip()
        while isinstance(storage, MirrorStorage):  # of a module that moves to another server
            storage = storage.primary
        return cls(
            handle=handle,
            label=label,
            module=storage.module_name,
            bucket=storage.bucket_name,
            key=posixpath.join(storage.location, name).lstrip("/"),
            url=url,
            signed=storage.querystring_auth,
            expires=storage.querystring_expire,
            why=why,
        )

    @classmethod
    def of_fields(cls, instance, *field_names: str) -> List[StoredFile]:
        """Return the files that ``instance`` has in ``field_names``, without empty fields."""
        found = []
        for field_name in field_names:
            value = getattr(instance, field_name)
            if value:
                meta = instance._meta
                handle = f"{meta.model_name}-{instance.pk}-{field_name}"
                label = meta.get_field(field_name).verbose_name.capitalize()
                found.append(cls.at(value.storage, value.name, handle, label))
        return found

    @property
    def access(self) -> str:
        if self.through_site:
            return "site"
        return "signed" if self.signed else "public"

    @property
    def filename(self) -> str:
        return posixpath.basename(self.key)

    @property
    def suffix(self) -> str:
        return posixpath.splitext(self.key)[1].lstrip(".").lower()

    @property
    def is_image(self) -> bool:
        return self.key.lower().endswith(IMAGE_SUFFIXES)

    @property
    def lifetime(self) -> str:
        """How long the link works, as text such as ``1 hour``."""
        for seconds, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
            count, rest = divmod(self.expires, seconds)
            if count and not rest:
                return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
        return f"{self.expires} seconds"


def follow(dispatcher, name):
    """Follow nested dispatchers; return the final storage, the name there, and the reasons."""
    step, reasons = dispatcher.explain(name), []
    while step:
        reasons.append(step.reason)
        storage, name, step = step.storage, step.inner_name, step.inner
    return storage, name, " ".join(reasons)
