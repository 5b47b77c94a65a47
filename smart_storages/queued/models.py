"""The ledger: one row per file, which alone says where that file is; and which ledger it is.

The rows are written by :mod:`.recording` and :mod:`.ledger`, and by nothing else.
"""

from __future__ import annotations

import hashlib
import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

__all__ = ["LedgerIdentity", "QueuedFile", "State", "new_identity", "row_key"]


class State(models.TextChoices):
    """Where a file is and what will happen to it next."""

    HELD = "held", _("held")  # local copy; waits until it is told
    QUEUED = "queued", _("queued")  # local copy; a worker may take it
    TRANSFERRING = "transferring", _("transferring")  # local copy; a worker has a lease on it
    SETTLING = "settling", _("settling")  # in both places; verified again before it counts
    DONE = "done", _("done")  # the remote holds it, verified
    FAILED = "failed", _("failed")  # local copy; every retry was used up
    DELETING = "deleting", _("deleting")  # a tombstone: gone for readers, remote copy to delete


#: States in which readers are sent to the local copy, if there is one.
LOCAL_STATES = (State.HELD, State.QUEUED, State.TRANSFERRING, State.SETTLING, State.FAILED)
#: States in which there is work for a worker.
WORK_STATES = (State.QUEUED, State.TRANSFERRING, State.SETTLING, State.DELETING)


def row_key(storage: str, name: str) -> str:
    """Identify a row by an exact hash: some databases compare text without regard to case."""
    return hashlib.sha256(f"{storage}\0{name}".encode()).hexdigest()


class QueuedFile(models.Model):
    """A file of a queued storage, from its save until its remote copy is deleted."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    storage = models.CharField(_("storage"), max_length=100, editable=False)
    name = models.CharField(_("name"), max_length=1024, editable=False)
    generation = models.BigIntegerField(_("generation"), default=1, editable=False)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, editable=False)
    task = models.CharField(_("task"), max_length=200, editable=False)

    local_name = models.CharField(max_length=300, blank=True, db_index=True, editable=False)
    remote_name = models.CharField(max_length=1024, blank=True, editable=False)
    size = models.BigIntegerField(_("size"), default=0, editable=False)
    checksum = models.CharField(_("SHA-256"), max_length=64, blank=True, editable=False)
    md5 = models.CharField(_("MD5"), max_length=32, blank=True, editable=False)
    host = models.CharField(_("saved on"), max_length=255, blank=True, editable=False)

    attempts = models.PositiveIntegerField(_("attempts"), default=0, editable=False)
    last_error = models.TextField(_("last error"), blank=True, editable=False)
    not_before = models.DateTimeField(_("not before"), default=timezone.now, editable=False)
    enqueued_at = models.DateTimeField(_("enqueued"), null=True, editable=False)
    saved_at = models.DateTimeField(_("saved"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, editable=False)

    # The attempt that is running: whose it is and how long it may go without a sign of life.
    lease_token = models.CharField(max_length=32, blank=True, editable=False)
    lease_until = models.DateTimeField(_("lease until"), null=True, editable=False)
    # An attempt whose end nobody saw may still write until then; of which generation it was.
    dirty_until = models.DateTimeField(null=True, editable=False)
    dirty_generation = models.BigIntegerField(default=0, editable=False)

    class Meta:
        # Said here, for without our app Django would take the table for one of "smart_storages".
        app_label = "smart_storages_queued"
        verbose_name = _("queued file")
        verbose_name_plural = _("queued files")
        indexes = [
            models.Index(fields=["state", "not_before"], name="queuedfile_due"),
            models.Index(fields=["storage", "state"], name="queuedfile_storage_state"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state}, generation {self.generation})"

    @property
    def is_local(self) -> bool:
        """Whether readers are sent to the local copy."""
        # A row without a copy is looked at once more, or has failed: the remote has what there is.
        return self.state in LOCAL_STATES and bool(self.local_name)

    @property
    def is_live(self) -> bool:
        """Whether the file exists for readers."""
        return self.state != State.DELETING


def new_identity() -> str:
    """Return what no other ledger is called."""
    return uuid.uuid4().hex


class LedgerIdentity(models.Model):
    """The one row that tells this ledger from any other."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.CharField(max_length=32, default=new_identity, editable=False)

    class Meta:
        app_label = "smart_storages_queued"

    def __str__(self) -> str:
        return self.value
