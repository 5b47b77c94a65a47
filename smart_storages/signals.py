"""The signals of this package; receivers live elsewhere.

Each signal of a queued transfer is sent with the class of the queued storage as ``sender``,
and ``storage`` (the storage), ``name`` (of the file) and ``transfer`` (its row of the ledger).
A receiver that raises is logged and disturbs nothing.

Example::

    @receiver(transfer_failed)
    def tell_somebody(sender, storage, name, transfer, **kwargs):
        mail_admins(f"{name} is not transferred", transfer.last_error)
"""

from __future__ import annotations

from django.dispatch import Signal

__all__ = [
    "file_deleted",
    "file_queued",
    "file_transferred",
    "transfer_failed",
    "transfer_retried",
    "transfer_started",
]

#: A file was saved locally and its row is committed.
file_queued = Signal()

#: A worker has taken a file.
transfer_started = Signal()

#: The remote holds the file, verified. Sent after the record: a worker that dies here sends none.
file_transferred = Signal()

#: An attempt failed, and another one will follow.
transfer_retried = Signal()

#: Every retry was used up; the local copy is kept.
transfer_failed = Signal()

#: A deleted file is gone from the remote too.
file_deleted = Signal()
