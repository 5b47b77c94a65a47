"""The signals of this package.

Each signal of a queued transfer is sent with the class of the queued storage as ``sender``, and
with ``storage`` (the storage), ``name`` (of the file) and ``transfer`` (its row of the ledger). If
a receiver raises, the error is logged, and the transfer continues.

Example::

    @receiver(transfer_failed)
    def tell_somebody(sender, storage, name, transfer, **kwargs):
        mail_admins(f"{name} is not transferred", transfer.last_error)
"""

from __future__ import annotations

from django.dispatch import Signal

__all__ = [
    "backend_answered",
    "bucket_checked",
    "bucket_measured",
    "file_copied",
    "file_deleted",
    "file_queued",
    "file_transferred",
    "mirror_diverged",
    "storage_operation",
    "transfer_failed",
    "transfer_retried",
    "transfer_started",
]

# Operations

#: A storage with a bucket of its own has finished an operation; ``sender`` is its class. Arguments:
#: ``module``, ``bucket``, ``operation`` (the method), ``name`` (of the file; ``None`` for many),
#: ``bytes`` (of content, sent or received), ``requests`` (that were sent to S3), ``retries`` (how
#: often one was sent again), ``seconds`` (in the storage), ``error`` (the exception, or ``None``).
#: If a receiver raises, the error is logged. See ``docs/monitoring.md``.
storage_operation = Signal()

#: ``manage.py buckets check`` has checked a bucket. Arguments: ``module``, ``bucket``, ``is_fine``,
#: ``findings`` (a dict for each step that failed or warned: ``step``, ``status``, ``what``,
#: ``why``, ``fix``).
bucket_checked = Signal()

#: ``manage.py buckets usage`` has counted the files of a module. Arguments: ``module``, ``bucket``,
#: ``location``, ``files``, ``bytes``, ``newest`` (a datetime, or ``None``), ``incomplete_uploads``
#: (how many; ``None`` if they could not be listed).
bucket_measured = Signal()

# Routing

#: A backend of a :class:`smart_storages.fallback.FallbackStorage` answered. Arguments: ``storage``,
#: ``method``, ``name``, ``backend`` (its label), ``failures`` (labels and errors of those before).
backend_answered = Signal()

#: ``copy_on_read`` wrote a file to the first backend. Arguments: ``storage``, ``name``,
#: ``source``, ``target`` (labels), ``size`` in bytes.
file_copied = Signal()

#: A mirror differs, or may differ, from the primary. Arguments: ``storage``, ``name``, ``backend``
#: (the mirror's label), ``error``.
mirror_diverged = Signal()

# Queued transfers

#: A file was saved locally and its row is committed. Arguments: ``storage``, ``name``,
#: ``transfer`` (the row of the ledger).
file_queued = Signal()

#: A worker has started to transfer a file. Arguments of this signal and of those below:
#: ``storage``, ``name``, ``transfer``, and ``local`` and ``remote``, the two storages.
transfer_started = Signal()

#: The remote holds the file, verified. Sent after this is recorded, so if the worker dies in
#: between, it is not sent. The URL of the file is ``storage.url(name)``.
file_transferred = Signal()

#: An attempt failed, and another one will follow.
transfer_retried = Signal()

#: Every retry was used up; the local copy is kept.
transfer_failed = Signal()

#: A file that was deleted has also been deleted from the remote.
file_deleted = Signal()
