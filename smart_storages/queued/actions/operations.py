"""What an operator does with the ledger, from the command line or from the admin."""

from __future__ import annotations

import datetime
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from smart_storages.common.documentation import plain_text
from smart_storages.queued import engines, ledger
from smart_storages.queued.actions import paging
from smart_storages.queued.ledger.crash_points import reached
from smart_storages.queued.models import QueuedFile, State
from smart_storages.queued.registry import find_storage
from smart_storages.queued.transfer import local_copies

__all__ = ["count_by_state", "describe", "find_unknown", "prune", "retry", "verify"]

_BATCH = 200
ShowProgress = Callable[[str, int, int], None]


def count_by_state(rows: Any) -> Dict[str, int]:
    """Return how many of the rows are in each state, including states that have none."""
    counted = dict(rows.order_by().values_list("state").annotate(count=Count("pk")))
    return {str(state.value): counted.get(state.value, 0) for state in State}


def age_of(row: QueuedFile) -> datetime.timedelta:
    """Return how long ago the file was saved."""
    return timezone.now() - row.saved_at


def describe(row: QueuedFile) -> Dict[str, Any]:
    """Return the columns of a row that matter to an operator, as plain values."""
    return {
        "id": row.pk,
        "storage": row.storage,
        "name": row.name,
        "state": str(row.state),
        "generation": row.generation,
        "size": row.size,
        "sha256": row.checksum,
        "attempts": row.attempts,
        "error": row.last_error,
        "age": str(age_of(row)).partition(".")[0],
        "local_name": row.local_name,
        "remote_name": row.remote_name,
        "host": row.host,
    }


def retry(rows: Any, progress: ShowProgress = lambda what, done, total: None) -> Tuple[int, int]:
    """Queue failed transfers again; their count of attempts starts from zero.

    Returns:
        How many were sent, or will be when the transaction commits; and how many are queued but
        wait for a sweep to send them.
    """
    sent = unsent = 0
    total = rows.count()
    for done, row in enumerate(_each(rows), 1):
        progress("retry", done, total)
        if row.state == State.FAILED and ledger.requeue(row, reset=True):
            reached("retry:requeued")
            if _send_on_commit(row):
                sent += 1
            else:
                unsent += 1
    return sent, unsent


def _send_on_commit(row: QueuedFile) -> bool:
    # Not before: a worker that starts before the commit would find nothing to do.
    answers: List[bool] = []
    transaction.on_commit(lambda: answers.append(engines.send(row.pk)[0]), using=ledger.database())
    return all(answers)  # inside a transaction, there are no answers yet


def find_unknown(ids: Iterable[int]) -> List[int]:
    """Return those of the ids that no row has."""
    asked = set(ids)
    return sorted(asked - set(ledger.rows().filter(pk__in=asked).values_list("pk", flat=True)))


def prune(days: float) -> int:
    """Delete finished rows that are no longer needed: no local copy, same name in the remote.

    Args:
        days: Only rows that finished longer ago than this. Rows are always kept for twelve leases,
            because until then a late attempt takes a missing row to mean that the file was deleted.

    Returns:
        How many rows were deleted, those of the pages of finished copies included.
    """
    before = timezone.now() - datetime.timedelta(days=days)
    return int(ledger.prunable(before).delete()[0]) + paging.prune(before)


def verify(
    rows: Any,
    report: Callable[[str], None],
    progress: ShowProgress = lambda what, done, total: None,
    *,
    repair: bool = False,
) -> int:
    """Compare what the remotes hold with the ledger.

    Args:
        rows: Finished rows.
        report: Called with a sentence for each file that is missing or different.
        progress: Called with the name of the work, how many rows are done, and how many there are.
        repair: Whether to transfer again the files that still have a local copy.

    Returns:
        How many rows were compared.
    """
    done, total = 0, rows.count()
    for done, row in enumerate(_each(rows), 1):
        progress("verify", done, total)
        problem = _find_problem(row)
        if not problem:
            continue
        report(f"{problem} {_repair(row)}" if repair else problem)
    return done


def _repair(row: QueuedFile) -> str:
    try:
        storage = find_storage(row.storage)
        if not (row.local_name and storage.local.exists(row.local_name)):
            return "It cannot be repaired, because no local copy is left."
    except Exception as error:
        return f"It was not repaired: {plain_text(error)}"
    if not ledger.requeue(row, reset=True):
        return "It was not repaired, because it has just changed."
    storage.moved(row.name)
    if _send_on_commit(row):
        return "It is being transferred again."
    return "It is queued again; the engine did not accept it, so a sweep will send it."


def _find_problem(row: QueuedFile) -> str:
    try:
        remote = find_storage(row.storage).remote
        if local_copies.holds(remote, row.remote_name or row.name, row):
            return ""
    except Exception as error:
        return f"{row.storage}: {row.name}: could not be verified: {plain_text(error)}"
    if not ledger.rows().filter(pk=row.pk, generation=row.generation, state=row.state).exists():
        return ""  # it was replaced or deleted in the meantime
    return f"{row.storage}: {row.name}: the remote file is missing or different."


def _each(rows: Any) -> Iterator[QueuedFile]:
    # In batches by id, because rows may change state meanwhile and there may be millions.
    last = 0
    while True:
        batch = list(rows.order_by("pk").filter(pk__gt=last)[:_BATCH])
        if not batch:
            return
        yield from batch
        last = batch[-1].pk
