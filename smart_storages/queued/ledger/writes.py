"""What workers and sweeps write to the ledger, each in one statement or one short transaction.

What the application writes, a save or a delete, is in :mod:`.recording`.

The states of a row, and the events that change them::

    save ──────────────► QUEUED ──claim──► TRANSFERRING ──verified──► DONE
     │ (delayed)           ▲  ▲                │   │                   │
     └► HELD ──transfer()──┘  │◄──retry────────┘   └─retries used up─► FAILED
                              │◄──────────────── manage.py transfers retry ──┘
                              └◄──mismatch── SETTLING ──verified again──► DONE
    delete, from any state ─► DELETING ──remote copy deleted──► no row
    save, from any state ──► QUEUED or HELD, generation + 1

Three rules make it safe on any database, with or without row locks:

1. *Generations.* Each save and delete increments the generation. Every write of a worker is
   conditional on the generation that it read, so results about an old one change nothing.
2. *Leases.* Only one attempt at a time works on a name. The claim is one conditional ``UPDATE``;
   the attempt renews its lease while it runs and releases it when it ends. A newer generation
   waits for the end of the attempt on the older one, so two uploads of a name never race.
3. *Doubt.* An attempt whose lease expired did not report its end, and might still be writing.
   Until ``dirty_until``, nothing that it could overwrite is final: the row is SETTLING or DELETING,
   the local copy stays, and the remote is checked once more afterwards.
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
    """Take the lease on a row that has work to do, or return ``None``.

    ``None`` if the row has no work, is not due yet, or a running attempt holds its lease.
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
        # A save came in between the two statements, so the row must be claimed again.
        release(row)
        return claim(pk)
    return row


_CLAIMED = (State.TRANSFERRING, State.SETTLING, State.DELETING)


def _doubt_after_expiry(now: datetime.datetime, lease: float) -> Dict[str, Any]:
    # The token of a lease that was released is empty; one that expired still has its token.
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
    """Extend the lease; ``False`` if another attempt has taken it."""
    until = in_seconds(get_queue_settings().lease)
    if not _leased(row).update(lease_until=until):
        return False
    row.lease_until = until
    return True


def release(row: QueuedFile) -> bool:
    """Release the lease; ``False`` if another attempt has taken it."""
    return bool(_leased(row).update(**_NO_LEASE))


def name_remote(row: QueuedFile, remote_name: str) -> bool:
    """Record the name in the remote, before anything is written there."""
    check_fits(remote_name=remote_name)
    if not _leased(row).update(remote_name=remote_name):
        return False
    row.remote_name = remote_name
    return True


def finish(row: QueuedFile) -> Optional[str]:
    """Record a verified transfer, and release the lease.

    Returns:
        ``DONE``; ``SETTLING`` if an attempt whose lease expired may still write; ``None`` if the
        row has changed since it was claimed, in which case nothing was written.
    """
    now = timezone.now()
    values: Dict[str, Any] = {"last_error": "", **_NO_LEASE}
    # A task that writes to the remote by itself has recorded no name.
    values["remote_name"] = row.remote_name or row.name
    # The statement itself checks for doubt, because a late worker may be recording it right now.
    # An attempt at the same generation is harmless, because it writes the same bytes.
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
    """Record a failed attempt, and release the lease.

    Args:
        retry_in: Seconds until the next attempt, ``None`` for no further attempt.
        sent: Whether something was sent that may still arrive at the remote.

    Returns:
        Whether it was recorded; ``False`` if the row has changed since it was claimed.
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
    """Put a row that no attempt works on back into the queue.

    Without a local copy there is nothing to send; then the remote is only verified once more.
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
    """Delete a tombstone whose remote copy is deleted; in doubt, keep it for another delete."""
    if _unchanged(row).filter(_no_doubt(timezone.now())).delete()[0]:
        return True
    _unchanged(row).update(not_before=F("dirty_until"), attempts=0, **_NO_LEASE)
    return False


def forget_local(row: QueuedFile) -> bool:
    """Remove the local copy from a finished row; only if this succeeded may it be deleted.

    Otherwise the row may have been queued again in the meantime, and needs this copy.
    """
    finished = rows().filter(pk=row.pk, generation=row.generation, state=State.DONE)
    named = finished.exclude(local_name="").filter(local_name=row.local_name)
    return bool(named.update(local_name=""))


def mark_in_doubt(row: QueuedFile) -> List[int]:
    """Have the remote checked again, because an attempt without a lease may have written to it.

    Returns:
        Ids of the rows to check once the doubt is over.
    """
    until = in_seconds(get_queue_settings().lease)
    known = rows().filter(key=row.key)
    known.update(dirty_until=until, dirty_generation=0)
    known.filter(state=State.DONE).update(state=State.SETTLING, not_before=until)
    if not known.exists() and _is_deleted(row):
        # The tombstone is already deleted, and what this attempt wrote would bring the file back.
        return [record_delete(row.storage, row.name, row.task, row.remote_name)[0].pk]
    return list(known.values_list("pk", flat=True))


def _is_deleted(row: QueuedFile) -> bool:
    # If the file was finished since, that was after our lease, and no row is pruned so soon after:
    # a missing row means that the file was deleted. Later, the row of an existing file may have
    # been pruned. A late attempt to delete brings no file back.
    if row.state == State.DELETING or row.lease_until is None:
        return False
    lease = datetime.timedelta(seconds=get_queue_settings().lease)
    return timezone.now() < row.lease_until + _DELETED_LEASES * lease


def prunable(before: datetime.datetime) -> QuerySet[QueuedFile]:
    """Return the rows that finished before that time and are no longer needed."""
    kept = in_seconds(-(_DELETED_LEASES + _MARGIN_LEASES) * get_queue_settings().lease)
    return rows().filter(
        state=State.DONE, local_name="", remote_name=F("name"), finished_at__lt=min(before, kept)
    )


#: For so many leases after an attempt's own, a missing row means that the file was deleted.
_DELETED_LEASES = 10
#: A margin, in leases, for clocks that differ between hosts and for overlapping prunes.
_MARGIN_LEASES = 2
