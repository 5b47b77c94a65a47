"""The ledger of direct uploads: one row for each, from its beginning until after its form.

Only :mod:`.ledger` writes the rows.
"""

from __future__ import annotations

import secrets

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

__all__ = ["DirectUpload", "State", "new_id"]


class State(models.TextChoices):
    """Where an upload is."""

    OPEN = "open", _("open")  # parts arrive; the bucket shows no file
    COMPLETED = "completed", _("completed")  # its form was submitted; the file is in the bucket
    ADOPTED = "adopted", _("adopted")  # a row names the file
    GONE = "gone", _("gone")  # cancelled, refused or expired


def new_id() -> str:
    """Return a random id, which nobody can guess."""
    return secrets.token_hex(16)


class DirectUpload(models.Model):
    """A file on its way from a browser to the bucket."""

    id = models.CharField(max_length=32, primary_key=True, default=new_id, editable=False)
    owner = models.CharField(_("owner"), max_length=300, db_index=True, editable=False)
    field = models.CharField(_("field"), max_length=200, editable=False)
    tenant = models.CharField(_("tenant"), max_length=63, blank=True, editable=False)
    region = models.CharField(_("region"), max_length=200, blank=True, editable=False)
    storage = models.CharField(_("storage"), max_length=200, editable=False)
    name = models.CharField(_("name"), max_length=1024, editable=False)
    file_name = models.CharField(_("file name"), max_length=255, editable=False)
    content_type = models.CharField(_("type"), max_length=255, editable=False)
    size = models.BigIntegerField(_("size"), editable=False)
    part_size = models.BigIntegerField(_("bytes in a part"), editable=False)
    upload_id = models.TextField(editable=False)

    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.OPEN, editable=False
    )
    reason = models.CharField(_("reason"), max_length=100, blank=True, editable=False)
    # What is left in the bucket of an upload that is gone was removed.
    is_removed = models.BooleanField(default=False, editable=False)
    # Which object in memory adopted it: that one may do so again after a rollback.
    adopter = models.CharField(max_length=32, blank=True, editable=False)

    begun_at = models.DateTimeField(_("begun"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), editable=False)
    completed_at = models.DateTimeField(_("completed"), null=True, editable=False)
    adopted_at = models.DateTimeField(_("adopted"), null=True, editable=False)

    class Meta:
        # Explicit, because without our app in INSTALLED_APPS Django would use "smart_storages".
        app_label = "smart_storages_uploads"
        verbose_name = _("direct upload")
        verbose_name_plural = _("direct uploads")
        indexes = [models.Index(fields=["state", "expires_at"], name="directupload_state_expires")]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.state})"

    @property
    def parts(self) -> int:
        """How many parts it has."""
        return max(1, -(-self.size // self.part_size))

    def size_of_part(self, number: int) -> int:
        """Return how many bytes a part has; the first part is number 1."""
        return min(self.part_size, self.size - (number - 1) * self.part_size)

    @property
    def is_expired(self) -> bool:
        """Whether its form can no longer be submitted."""
        return self.expires_at <= timezone.now()
