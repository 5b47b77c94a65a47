"""What workers and sweeps write to the ledger, each one statement or one short transaction.

What the application writes, a save or a delete, is in :mod:`.recording`.

The states of a row, and what moves it::

    save ──────────────► QUEUED ──claim──► TRANSFERRING ──verified──► DONE
     │ (delayed)           ▲  ▲                │   │                   │
     └► HELD ──transfer()──┘  │◄──retry────────┘   └─retries used up─► FAILED
                              │◄──────────────── manage.py transfers retry ──┘
                              └◄──mismatch── SETTLING ──verified again──► DONE
    delete, from any state ─► DELETING ──remote copy deleted──► no row
    save, from any state ──► QUEUED or HELD, generation + 1

Three rules make it safe on any database, with or without row locks:

1. *Generations.* Each save and delete adds one. Whatever a worker writes is conditional on the
   generation it read, so what it learned about an old one changes nothing.
2. *Leases.* One attempt at a time works on a name. The claim is one conditional ``UPDATE``; the
   attempt renews its lease while it lives and gives it back when it ends. A newer generation
   waits for the end of the attempt on the older one, so two uploads of a name never race.
3. *Doubt.* An attempt whose end nobody saw (its lease ran out) might still be writing. Until
   ``dirty_until`` nothing that it could spoil is final: the row is SETTLING or DELETING, the
   local copy stays, and the remote is looked at once more afterwards.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any, Dict, List, Optional

from django.db.models import BigIntegerField, Case, DateTimeField, F, Q, QuerySet, Value, When
from django.utils import timezone

from smart_storages.config import get_queue_settings
from smart_storages.queued.ledger.queries import (
    connection,
    database,
    find,
    in_seconds,
    no_lease,
    rows,
)
from smart_storages.queued.ledger.recording import record_delete
from smart_storages.queued.ledger.texts import check_fits, storable
from smart_storages.queued.models import WORK_STATES, QueuedFile, State

__all__ = [
    "claim",
    "connection",
    "database",
    "fail",
    "find",
    "finish",
    "forget_local",
    "in_seconds",
    "mark_in_doubt",
    "name_remote",
    "no_lease",
    "prunable",
    "release",
    "remove",
    "renew",
    "requeue",
    "rows",
]


def claim(pk: int) -> Optional[QueuedFile]:
    """Take the lease on a row that has work, or return ``None``.

    Nothing is taken that is not due, has no work, or is in the hands of a living attempt.
    """
    now = timezone.now()
    lease = get_queue_settings().lease
    token = uuid.uuid4().hex
    taken = (
        rows()
        .filter(no_lease(now), pk=pk, state__in=WORK_STATES, not_before__lte=now)
        .update(
            **_doubt_after_expiry(now, lease),
            state=Case(
                When(state=State.QUEUED, then=Value(State.TRANSFERRING.value)), default=F("state")
            ),
            attempts=F("attempts") + 1,
            lease_token=token,
            lease_until=now + datetime.timedelta(seconds=lease),
        )
    )
    row = rows().filter(pk=pk, lease_token=token).first() if taken else None
    if row is not None and row.state not in _CLAIMED:
        # A save has come in between: the lease is ours, but the row asks to be claimed anew.
        release(row)
        return claim(pk)
    return row


_CLAIMED = (State.TRANSFERRING, State.SETTLING, State.DELETING)


def _doubt_after_expiry(now: datetime.datetime, lease: float) -> Dict[str, Any]:
    # A lease that was given back is empty; one that ran out still has its token.
    until = now + datetime.timedelta(seconds=lease)
    return {
        "dirty_until": Case(
            When(lease_token="", then=F("dirty_until")),
            default=Value(until),
            output_field=DateTimeField(),
        ),
        "dirty_generation": Case(
            When(lease_token="", then=F("dirty_generation")),
            default=Value(0),
            output_field=BigIntegerField(),
        ),
    }


def _leased(row: QueuedFile) -> QuerySet[QueuedFile]:
    return rows().filter(pk=row.pk, lease_token=row.lease_token)


def _unchanged(row: QueuedFile) -> QuerySet[QueuedFile]:
    return _leased(row).filter(generation=row.generation, state=row.state)


_NO_LEASE: Dict[str, Any] = {"lease_token": "", "lease_until": None}


def renew(row: QueuedFile) -> bool:
    """Say that the attempt lives; ``False`` if the lease has gone to somebody else."""
    until = in_seconds(get_queue_settings().lease)
    if not _leased(row).update(lease_until=until):
        return False
    row.lease_until = until
    return True


def release(row: QueuedFile) -> bool:
    """Give the lease back; ``False`` if it had gone to somebody else."""
    return bool(_leased(row).update(**_NO_LEASE))


def name_remote(row: QueuedFile, remote_name: str) -> bool:
    """Claim a name in the remote before anything is written there."""
    check_fits(remote_name=remote_name)
    if not _leased(row).update(remote_name=remote_name):
        return False
    row.remote_name = remote_name
    return True


def finish(row: QueuedFile) -> Optional[str]:
    """Record a verified transfer, and give the lease back.

    Returns:
        ``DONE``; ``SETTLING`` if an attempt whose end nobody saw may still write; ``None`` if
        the row has moved on, in which case nothing was written.
    """
    now = timezone.now()
    values: Dict[str, Any] = {"last_error": "", **_NO_LEASE}
    # A task that writes by itself has claimed no name.
    values["remote_name"] = row.remote_name or row.name
    # The doubt is judged by the statement itself: a late worker may just be reporting it. Doubt
    # about the same generation is none, since the same bytes again would spoil nothing.
    certain = _no_doubt(now) | Q(dirty_generation=row.generation)
    if (
        _unchanged(row)
        .filter(certain)
        .update(state=State.DONE, finished_at=now, not_before=now, **values)
    ):
        row.state = State.DONE
    elif _unchanged(row).update(state=State.SETTLING, not_before=F("dirty_until"), **values):
        row.state = State.SETTLING
    else:
        return None
    return str(row.state)


def _no_doubt(now: datetime.datetime) -> Q:
    return Q(dirty_until=None) | Q(dirty_until__lte=now)


def fail(row: QueuedFile, error: str, *, retry_in: Optional[float], sent: bool) -> bool:
    """Record a failed attempt, and give the lease back.

    Args:
        retry_in: Seconds until the next attempt, ``None`` for no further one.
        sent: Whether something may have been sent, which may still arrive at the remote.

    Returns:
        Whether the row was still the one that the attempt knew.
    """
    values: Dict[str, Any] = {"last_error": storable(error)[:4000], **_NO_LEASE}
    if row.state != State.DELETING:
        values["state"] = State.FAILED if retry_in is None else State.QUEUED
    values["not_before"] = in_seconds(retry_in or 0)
    if sent:
        _note_doubt(row)
    return bool(_unchanged(row).update(**values))


def _note_doubt(row: QueuedFile) -> None:
    doubted = row.dirty_until is not None and row.dirty_until > timezone.now()
    same = not doubted or row.dirty_generation == row.generation
    _leased(row).update(
        dirty_until=in_seconds(get_queue_settings().lease),
        dirty_generation=row.generation if same else 0,
    )


def requeue(row: QueuedFile, *, state: str = State.QUEUED.value, reset: bool = False) -> bool:
    """Put a row that nobody works on back into the queue.

    Without a local copy there is nothing to send: the remote is looked at once more.
    """
    if not row.local_name:
        state = State.SETTLING
    values: Dict[str, Any] = {"state": state, "not_before": timezone.now()}
    if reset:
        values.update(attempts=0, last_error="")
    same = rows().filter(pk=row.pk, generation=row.generation, state=row.state)
    unclaimed = same.filter(lease_token=row.lease_token, local_name=row.local_name)
    return bool(unclaimed.update(**values))


def remove(row: QueuedFile) -> bool:
    """Drop a tombstone whose remote copy is deleted; in doubt, keep it to delete once more."""
    if _unchanged(row).filter(_no_doubt(timezone.now())).delete()[0]:
        return True
    _unchanged(row).update(not_before=F("dirty_until"), attempts=0, **_NO_LEASE)
    return False


def forget_local(row: QueuedFile) -> bool:
    """Take the local copy out of a finished row; only who did that may delete it.

    The row may have been sent back to work by now, for which this is the only copy.
    """
    finished = rows().filter(pk=row.pk, generation=row.generation, state=State.DONE)
    named = finished.exclude(local_name="").filter(local_name=row.local_name)
    return bool(named.update(local_name=""))


def mark_in_doubt(row: QueuedFile) -> List[int]:
    """An attempt that had lost its lease may have written after all: look at the remote again.

    Returns:
        The rows to look at once the doubt is over.
    """
    until = in_seconds(get_queue_settings().lease)
    known = rows().filter(key=row.key)
    known.update(dirty_until=until, dirty_generation=0)
    known.filter(state=State.DONE).update(state=State.SETTLING, not_before=until)
    if not known.exists() and _is_deleted(row):
        # The tombstone is gone already, and what we wrote would bring the file back.
        return [record_delete(row.storage, row.name, row.task, row.remote_name)[0].pk]
    return list(known.values_list("pk", flat=True))


def _is_deleted(row: QueuedFile) -> bool:
    # Whoever finished the file since did so after our lease, and no row is pruned that soon. Later
    # than that the file may be there, and only its row be gone. A late delete brings nothing back.
    if row.state == State.DELETING or row.lease_until is None:
        return False
    lease = datetime.timedelta(seconds=get_queue_settings().lease)
    return timezone.now() < row.lease_until + _DELETED_LEASES * lease


def prunable(before: datetime.datetime) -> QuerySet[QueuedFile]:
    """Return the rows that finished before, and say nothing that the remote does not."""
    kept = in_seconds(-(_DELETED_LEASES + _MARGIN_LEASES) * get_queue_settings().lease)
    return rows().filter(
        state=State.DONE, local_name="", remote_name=F("name"), finished_at__lt=min(before, kept)
    )


#: For so many leases after an attempt's own, that there is no row means that it was deleted.
_DELETED_LEASES = 10
#: By so many leases may the clocks of hosts differ, and prune and a late attempt overlap.
_MARGIN_LEASES = 2
