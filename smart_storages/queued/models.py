"""The models of the ledger: one row for each file, the only record of where it is; an identity.

And one row for each page of names of a copy that many workers share.

Only :mod:`.ledger.recording`, :mod:`.ledger.writes` and :mod:`.ledger.pages` write the rows.
"""

from __future__ import annotations

import hashlib
import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

__all__ = ["LedgerIdentity", "QueuedFile", "QueuedPage", "State", "new_identity", "row_key"]


class State(models.TextChoices):
    """Where a file is and what will happen to it next."""

    HELD = "held", _("held")  # local copy; waits until transfer() is called
    QUEUED = "queued", _("queued")  # local copy; a worker may take it
    TRANSFERRING = "transferring", _("transferring")  # local copy; a worker has a lease on it
    SETTLING = "settling", _("settling")  # in both places; to be verified once more
    DONE = "done", _("done")  # the remote holds it, verified
    FAILED = "failed", _("failed")  # local copy; every retry was used up
    DELETING = "deleting", _("deleting")  # a tombstone: deleted for readers, not yet in the remote


#: States in which readers are sent to the local copy, if there is one.
LOCAL_STATES = (State.HELD, State.QUEUED, State.TRANSFERRING, State.SETTLING, State.FAILED)
#: States in which there is work for a worker.
WORK_STATES = (State.QUEUED, State.TRANSFERRING, State.SETTLING, State.DELETING)


def row_key(storage: str, name: str) -> str:
    """Return a hash that identifies a row, because some databases compare text ignoring case."""
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

    # The running attempt: which one it is, and until when it must renew its lease.
    lease_token = models.CharField(max_length=32, blank=True, editable=False)
    lease_until = models.DateTimeField(_("lease until"), null=True, editable=False)
    # Until when an attempt that did not report its end may still write, and its generation.
    dirty_until = models.DateTimeField(null=True, editable=False)
    dirty_generation = models.BigIntegerField(default=0, editable=False)

    class Meta:
        # Explicit, because without our app in INSTALLED_APPS Django would use "smart_storages".
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
        # A row without a local copy waits to be verified once more or has failed; if the file
        # exists anywhere, it is in the remote.
        return self.state in LOCAL_STATES and bool(self.local_name)

    @property
    def is_live(self) -> bool:
        """Whether the file exists for readers."""
        return self.state != State.DELETING


def new_identity() -> str:
    """Return a random identity, which no other ledger has."""
    return uuid.uuid4().hex


class LedgerIdentity(models.Model):
    """The single row that distinguishes this ledger from any other."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.CharField(max_length=32, default=new_identity, editable=False)

    class Meta:
        app_label = "smart_storages_queued"

    def __str__(self) -> str:
        return self.value


class QueuedPage(models.Model):
    """The names from one to another, whose files a worker copies: a part of a large copy.

    Its states are ``QUEUED``, ``TRANSFERRING``, ``DONE`` and ``FAILED``.
    """

    job = models.CharField(max_length=32, db_index=True, editable=False)
    task = models.CharField(_("task"), max_length=200, editable=False)
    source = models.CharField(_("source"), max_length=200, editable=False)
    target = models.CharField(_("target"), max_length=200, editable=False)
    prefix = models.CharField(max_length=1024, blank=True, editable=False)
    # Names that sort after the first, up to the second; empty for the beginning and the end.
    after = models.CharField(max_length=1024, blank=True, editable=False)
    until = models.CharField(max_length=1024, blank=True, editable=False)
    files = models.PositiveIntegerField(_("files"), default=0, editable=False)
    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.QUEUED, editable=False
    )

    copied = models.PositiveIntegerField(_("copied"), default=0, editable=False)
    size = models.BigIntegerField(_("size"), default=0, editable=False)
    same = models.PositiveIntegerField(default=0, editable=False)
    gone = models.PositiveIntegerField(default=0, editable=False)
    failed = models.PositiveIntegerField(default=0, editable=False)

    attempts = models.PositiveIntegerField(_("attempts"), default=0, editable=False)
    last_error = models.TextField(_("last error"), blank=True, editable=False)
    not_before = models.DateTimeField(_("not before"), default=timezone.now, editable=False)
    enqueued_at = models.DateTimeField(_("enqueued"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, editable=False)
    lease_token = models.CharField(max_length=32, blank=True, editable=False)
    lease_until = models.DateTimeField(_("lease until"), null=True, editable=False)

    class Meta:
        app_label = "smart_storages_queued"
        verbose_name = _("page of a copy")
        verbose_name_plural = _("pages of copies")
        indexes = [models.Index(fields=["state", "not_before"], name="queuedpage_due")]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"

    @property
    def name(self) -> str:
        """What to call it in a log."""
        return f"{self.source} to {self.target}, after {self.after!r}"
