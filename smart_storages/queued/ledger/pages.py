"""What is written to the rows of pages, each in one statement.

A page goes from QUEUED to TRANSFERRING, and then to DONE or FAILED. Copying it twice does no harm,
because what is the same already is left alone; the lease only keeps two workers from doing the same
work.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any, Dict, Optional

from django.db.models import F, QuerySet
from django.utils import timezone

from smart_storages.config import get_queue_settings
from smart_storages.queued.ledger.deadlocks import RetriedRows
from smart_storages.queued.ledger.queries import database, enqueued_before, in_seconds, no_lease
from smart_storages.queued.ledger.texts import storable
from smart_storages.queued.models import QueuedPage, State

__all__ = ["OPEN", "claim", "due", "fail", "finish", "pages", "renew", "requeue", "take"]

#: The states in which there is work to do.
OPEN = (State.QUEUED, State.TRANSFERRING)

_NO_LEASE: Dict[str, Any] = {"lease_token": "", "lease_until": None}


def pages() -> QuerySet[QueuedPage]:
    """Return all pages, read from the database that is written to."""
    return RetriedRows(QueuedPage, using=database())


def due(age: float) -> QuerySet[QueuedPage]:
    """Return the pages with work to do whose last message is older than ``age`` seconds."""
    now = timezone.now()
    return pages().filter(
        no_lease(now), enqueued_before(in_seconds(-age)), state__in=OPEN, not_before__lte=now
    )


def take(page: QueuedPage, age: float) -> bool:
    """Note that a message is sent for a page; ``False`` if another process has just done so."""
    return bool(due(age).filter(pk=page.pk).update(enqueued_at=timezone.now()))


def claim(pk: int) -> Optional[QueuedPage]:
    """Take the lease on a page, or return ``None`` if there is nothing to do for it now."""
    now, token = timezone.now(), uuid.uuid4().hex
    taken = (
        pages()
        .filter(no_lease(now), pk=pk, state__in=OPEN, not_before__lte=now)
        .update(
            state=State.TRANSFERRING,
            attempts=F("attempts") + 1,
            lease_token=token,
            lease_until=now + datetime.timedelta(seconds=get_queue_settings().lease),
        )
    )
    return pages().filter(pk=pk, lease_token=token).first() if taken else None


def _leased(page: QueuedPage) -> QuerySet[QueuedPage]:
    return pages().filter(pk=page.pk, lease_token=page.lease_token)


def renew(page: QueuedPage) -> bool:
    """Extend the lease; ``False`` if another attempt has taken it."""
    return bool(_leased(page).update(lease_until=in_seconds(get_queue_settings().lease)))


def finish(page: QueuedPage, **counts: int) -> bool:
    """Record that every file of a page was copied; ``False`` if the lease was lost."""
    return bool(
        _leased(page).update(
            state=State.DONE, finished_at=timezone.now(), last_error="", **counts, **_NO_LEASE
        )
    )


def fail(page: QueuedPage, error: str, retry_in: Optional[float], **counts: int) -> bool:
    """Record a failed attempt.

    Args:
        page: The page as it was claimed.
        error: What went wrong.
        retry_in: Seconds until the next attempt, ``None`` for no further attempt.
        counts: What was copied all the same.

    Returns:
        Whether it was recorded; ``False`` if the lease was lost.
    """
    given_up = retry_in is None
    return bool(
        _leased(page).update(
            state=State.FAILED if given_up else State.QUEUED,
            finished_at=timezone.now() if given_up else None,
            not_before=in_seconds(retry_in or 0),
            last_error=storable(error)[:4000],
            **counts,
            **_NO_LEASE,
        )
    )


def requeue(page: QueuedPage) -> bool:
    """Put a page back, because its worker is told to stop."""
    return bool(_leased(page).update(state=State.QUEUED, enqueued_at=None, **_NO_LEASE))
