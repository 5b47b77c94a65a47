"""What the application writes to the ledger, in its own transaction: a save or a delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from smart_storages.queued.ledger.deadlocks import retry_deadlocks
from smart_storages.queued.ledger.queries import database, rows
from smart_storages.queued.ledger.texts import check_fits
from smart_storages.queued.models import QueuedFile, State, row_key

__all__ = ["LocalCopy", "NameTakenError", "record_delete", "record_remote", "record_save"]


@dataclass(frozen=True)
class LocalCopy:
    """What was saved, where, and its checksums; ``name`` is empty if there is no local copy."""

    name: str
    size: int
    checksum: str
    md5: str
    host: str


#: Deletes the file that was written for a row.
Undo = Callable[[], Any]


class NameTakenError(Exception):
    """Another save took the name first, and it must not be overwritten."""


def record_save(
    storage: str,
    name: str,
    copy: LocalCopy,
    *,
    task: str,
    state: str,
    overwrite: bool,
    undo: Undo,
) -> Tuple[QueuedFile, str]:
    """Record that the content of ``name`` is now ``copy``.

    Args:
        undo: Called if it is certain that the row was not written; not if the name is taken.

    Returns:
        The row, and the name of the local copy that this one replaces (may be empty).

    Raises:
        NameTakenError: Without ``overwrite``, the name belongs to a file that exists.
    """
    values: Dict[str, Any] = {
        "state": state,
        "task": task,
        "local_name": copy.name,
        "size": copy.size,
        "checksum": copy.checksum,
        "md5": copy.md5,
        "host": copy.host,
        "saved_at": timezone.now(),
        "finished_at": None,
    }
    if not overwrite:
        return _record(storage, name, values, replaceable=Q(state=State.DELETING), undo=undo)
    # A file that the remote has had under that name since before the ledger is replaced too.
    if_new = {"remote_name": name}
    return _record(storage, name, values, replaceable=Q(), if_new=if_new, undo=undo)


def record_remote(
    storage: str, name: str, copy: LocalCopy, *, task: str, remote_name: str, undo: Undo
) -> QueuedFile:
    """Record that ``name``, which has no row yet, is in the remote and verified.

    Args:
        undo: As for :func:`record_save`.

    Raises:
        NameTakenError: There is a row, and an attempt may be working on it.
    """
    values: Dict[str, Any] = {
        "state": State.DONE,
        "task": task,
        "size": copy.size,
        "checksum": copy.checksum,
        "md5": copy.md5,
        "remote_name": remote_name,
        "finished_at": timezone.now(),
    }
    return _record(storage, name, values, replaceable=Q(pk__in=[]), undo=undo)[0]


def record_delete(storage: str, name: str, task: str, remote_name: str) -> Tuple[QueuedFile, str]:
    """Write a tombstone: readers no longer see the file, and a worker deletes it in the remote.

    ``remote_name`` is used if there is no row; an existing row has the name in the remote.
    """
    values = {"state": State.DELETING, "local_name": "", "finished_at": None}
    if_new = {"task": task, "remote_name": remote_name}
    return _record(storage, name, values, replaceable=Q(), if_new=if_new)


_TEXTS = ("task", "local_name", "remote_name", "host")


def _record(
    storage: str,
    name: str,
    values: Dict[str, Any],
    *,
    replaceable: Q,
    if_new: Optional[Dict[str, Any]] = None,
    undo: Undo = lambda: None,
) -> Tuple[QueuedFile, str]:
    now = timezone.now()
    values = {**values, "attempts": 0, "last_error": "", "not_before": now, "enqueued_at": now}
    only_commit_is_left = False

    def write() -> Tuple[QueuedFile, str]:
        nonlocal only_commit_is_left
        only_commit_is_left = False
        with transaction.atomic(using=database()):
            written = _write(storage, name, values, replaceable, if_new or {})
            only_commit_is_left = True
        return written

    try:
        texts = {each: value for each, value in values.items() if each in _TEXTS}
        check_fits(storage=storage, name=name, **texts)
        return retry_deadlocks(database(), write)
    except NameTakenError:
        raise
    except BaseException:
        # If only the commit failed, its answer may have been lost although it succeeded: the file
        # must stay.
        if not only_commit_is_left:
            undo()
        raise


def _write(
    storage: str, name: str, values: Dict[str, Any], replaceable: Q, if_new: Dict[str, Any]
) -> Tuple[QueuedFile, str]:
    key = row_key(storage, name)
    existing = rows().filter(replaceable, key=key)
    # The update comes first, because it locks the row (in SQLite, the database) before any read.
    while not existing.update(generation=F("generation") + 1):
        new = QueuedFile(key=key, storage=storage, name=name, **{**if_new, **values})
        try:
            with transaction.atomic(using=database()):
                new.save(using=database(), force_insert=True)
                return new, ""
        except IntegrityError:
            # Another process has just added such a row, or has deleted it since.
            if replaceable and rows().filter(~replaceable, key=key).exists():
                raise NameTakenError(name) from None
    row = rows().get(key=key)
    replaced = row.local_name
    for field, value in values.items():
        setattr(row, field, value)
    row.save(using=database(), update_fields=list(values))
    return row, replaced
