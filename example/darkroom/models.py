"""Scans: large files that must not keep the photographer waiting."""

from __future__ import annotations

from django.db import models

from newsroom.validators import validate_image
from smart_storages.queued.fields import QueuedFileField
from smart_storages.utils import storages


def scan_storage():
    """The queued storage of ``STORAGES``: saves to the disk, and transfers to a bucket."""
    return storages["scans"]


class Scan(models.Model):
    """A scan; the name of its file stays the same, whether it is on the disk or in the bucket."""

    title = models.CharField(max_length=120)
    image = QueuedFileField(
        "scan",
        storage=scan_storage,
        upload_to="%Y/",
        max_length=255,
        validators=[validate_image],
        help_text="PNG, JPEG, WebP or GIF, up to 5 MB. Stays private.",
    )
    added = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-added", "-pk")

    def __str__(self) -> str:
        return self.title
