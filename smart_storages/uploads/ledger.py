"""Every write to the ledger of direct uploads, each one statement.

The states of a row, and what changes them::

    begin ──► OPEN ──form submitted, checked──► COMPLETED ──row saved──► ADOPTED
               │                                   │
               └──── cancelled, refused, expired ──┴──► GONE

Each write is conditional on the state that it leaves, so that of two at once only one succeeds. It
is part of the transaction of whoever calls, so that a rollback undoes it.
"""

from __future__ import annotations

import datetime
from typing import Any, Optional

from django.db import router
from django.utils import timezone

from smart_storages.uploads.models import DirectUpload, State

__all__ = [
    "adopt",
    "complete",
    "database",
    "find",
    "forget",
    "give_up",
    "is_adopted",
    "mark_removed",
    "record",
]


def database() -> str:
    """Return the alias of the database that has the ledger."""
    return router.db_for_write(DirectUpload)


def rows() -> Any:
    """Return all rows."""
    return DirectUpload._base_manager.using(database())


def record(seconds: int, **values: Any) -> DirectUpload:
    """Write the row of an upload that begins.

    Args:
        seconds: How long until it expires.
        values: Fields of the row.
    """
    now = timezone.now()
    made = DirectUpload(
        begun_at=now, expires_at=now + datetime.timedelta(seconds=seconds), **values
    )
    made.save(using=database(), force_insert=True)
    return made


def find(id: str) -> Optional[DirectUpload]:  # noqa: A002 - the name of the column
    """Return a row as it is now, ``None`` if there is none."""
    found: Optional[DirectUpload] = rows().filter(pk=id).first()
    return found


def complete(row: DirectUpload) -> bool:
    """Note that the file is in the bucket; return whether it may be used."""
    now = timezone.now()
    if rows().filter(pk=row.pk, state=State.OPEN).update(state=State.COMPLETED, completed_at=now):
        return True
    return bool(rows().filter(pk=row.pk, state=State.COMPLETED).exists())  # by another request


def adopt(id: str, adopter: str) -> bool:  # noqa: A002 - as above
    """Note that a row names the file; return ``False`` if one does already, or it is gone."""
    now = timezone.now()
    free = rows().filter(pk=id, state=State.COMPLETED)
    return bool(free.update(state=State.ADOPTED, adopted_at=now, adopter=adopter))


def is_adopted(id: str, adopter: str) -> bool:  # noqa: A002 - as above
    """Return whether :func:`adopt` has noted it for this one."""
    return bool(rows().filter(pk=id, state=State.ADOPTED, adopter=adopter).exists())


def give_up(row: DirectUpload, reason: str) -> bool:
    """Note that an upload will not be used; return ``False`` if a row names it, or it is gone.

    Args:
        row: The upload.
        reason: Why; at most 100 characters.
    """
    live = rows().filter(pk=row.pk, state__in=(State.OPEN, State.COMPLETED))
    return bool(live.update(state=State.GONE, reason=reason))


def mark_removed(row: DirectUpload) -> None:
    """Note that nothing is left of an upload that is gone."""
    rows().filter(pk=row.pk, state=State.GONE).update(is_removed=True)


def forget(before: datetime.datetime) -> int:
    """Delete rows that are of no use any more; return how many.

    Args:
        before: They had expired by this time.
    """
    done = rows().filter(expires_at__lt=before)
    removed = done.filter(state=State.GONE, is_removed=True)
    count: int = removed.delete()[0] + done.filter(state=State.ADOPTED).delete()[0]
    return count
