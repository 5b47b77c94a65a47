"""Queries on the ledger; nothing here writes to it."""

from __future__ import annotations

import datetime
from typing import Any, List, Optional

from django.db import connections, router
from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from smart_storages.queued.ledger.deadlocks import RetriedRows
from smart_storages.queued.models import QueuedFile, State, row_key

__all__ = [
    "connection",
    "database",
    "differing",
    "enqueued_before",
    "find",
    "in_seconds",
    "known_local",
    "local_bytes",
    "no_lease",
    "replace_lost_connection",
    "rows",
    "storage_keys",
]


def database() -> str:
    """Return the alias of the database that holds the ledger."""
    return router.db_for_write(QueuedFile)


def connection() -> Any:
    """Return the connection to the ledger's database."""
    return connections[database()]


def replace_lost_connection() -> None:
    """Make the next statement reconnect if the connection was lost outside a transaction."""
    connection().close_if_unusable_or_obsolete()


def rows() -> QuerySet[QueuedFile]:
    """Return all rows, read from the database that is written to: a replica may lag behind."""
    return RetriedRows(QueuedFile, using=database())


def find(storage: str, name: str) -> Optional[QueuedFile]:
    """Return the row of a file, ``None`` if the ledger does not know it."""
    return rows().filter(key=row_key(storage, name)).first()


def in_seconds(seconds: float) -> datetime.datetime:
    """Return the time ``seconds`` from now."""
    return timezone.now() + datetime.timedelta(seconds=seconds)


def no_lease(now: datetime.datetime) -> Q:
    """Match the rows that no running attempt holds a lease on."""
    return Q(lease_until=None) | Q(lease_until__lt=now)


def local_bytes(storage: str) -> int:
    """Return the total size in bytes of a storage's local copies that have a row."""
    kept = rows().filter(storage=storage).exclude(local_name="")
    return int(kept.aggregate(total=Sum("size"))["total"] or 0)


def differing(storage: str, prefix: str) -> QuerySet[QueuedFile]:
    """Return the rows under a directory for which a listing of the remote would be wrong."""
    renamed = ~Q(remote_name="") & ~Q(remote_name=F("name"))
    under = Q(name__startswith=prefix) | Q(remote_name__startswith=prefix)
    return rows().filter(under, ~Q(state=State.DONE) | renamed, storage=storage)


def enqueued_before(moment: datetime.datetime) -> Q:
    """Match the rows whose last message was sent before ``moment``, or that have none."""
    return Q(enqueued_at=None) | Q(enqueued_at__lte=moment)


def known_local(names: List[str]) -> QuerySet[Any]:
    """Return those of the local names that a row refers to."""
    return rows().filter(local_name__in=names).values_list("local_name", flat=True)


def storage_keys() -> List[str]:
    """Return the keys of every storage that has a row."""
    return list(rows().order_by().values_list("storage", flat=True).distinct())
