"""The sweep, run by cron: repairs lost messages, dead workers and local copies no longer needed.

Every repair is a conditional update, so any number of sweeps may run at the same time on any
hosts, while web processes and workers keep running.
"""

from __future__ import annotations

import datetime
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from django.db import transaction
from django.utils import timezone

from smart_storages.common.documentation import plain_text
from smart_storages.config import get_queue_settings
from smart_storages.queued import engines, ledger, registry
from smart_storages.queued.actions import paging
from smart_storages.queued.ledger import queries
from smart_storages.queued.ledger.crash_points import reached
from smart_storages.queued.ledger.identity import orphan_prefix
from smart_storages.queued.models import WORK_STATES, QueuedFile, State
from smart_storages.queued.tasks import get_task
from smart_storages.queued.transfer import local_copies

__all__ = ["Report", "sweep"]

logger = logging.getLogger("smart_storages.queued")

_BATCH = 200


@dataclass
class Report:
    """What a sweep did.

    Args:
        requeued: How many rows were sent to the engine again.
        unsent: How many rows it did not accept; a later sweep tries again.
        processed: How many of the rows that the sweep processed itself had each outcome.
        local_deleted: How many local copies of finished rows were deleted.
        orphans: How many local copies that no row refers to were deleted. Complete ones are
            deleted when they are old, incomplete ones after one lease.
        unknown: Keys of storages that are in rows but not in this process.
        errors: Sentences about what could not be done.
    """

    requeued: int = 0
    unsent: int = 0
    processed: Dict[str, int] = field(default_factory=dict)
    local_deleted: int = 0
    orphans: int = 0
    unknown: List[str] = field(default_factory=list)
    errors: List[str] = field(default_factory=list)


def sweep(
    *,
    run: bool = False,
    orphan_age: Optional[float] = None,
    requeue_age: Optional[float] = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Report:
    """Repair what lost messages and processes that died have left behind.

    Args:
        run: Whether to process the rows in this process, instead of handing them to the engine.
        orphan_age: Seconds for which a local copy without a row is kept; by default, from the
            settings. It must be longer than your longest transaction.
        requeue_age: Seconds after which a message counts as lost; one lease by default.
        progress: Called with the name of the work, how much is done, and how much there is.

    Returns:
        What was done.
    """
    report = Report()
    _requeue(report, run, requeue_age, progress)
    _requeue_pages(report, run, requeue_age)
    _delete_finished(report, progress)
    _delete_orphans(report, orphan_age, progress)
    report.unknown = _find_unknown()
    return report


def _requeue(report: Report, run: bool, age: Optional[float], progress: Any) -> None:
    settings = get_queue_settings()
    age = settings.lease if age is None else age
    may_take = _sees_copy if run or engines.works_here() else _any
    total = _due(age).count()
    done = last = 0
    while True:
        batch, end = _take_batch(age, last, may_take)
        if end is None:
            return
        last = end
        for pk in batch:
            done += 1
            progress("requeue", done, max(done, total))
            reached("sweep:requeued")
            if run:
                outcome = engines.run(pk) or "nothing to do"
                report.processed[outcome] = report.processed.get(outcome, 0) + 1
            elif engines.send(pk)[0]:
                report.requeued += 1
            else:
                report.unsent += 1


def _requeue_pages(report: Report, run: bool, age: Optional[float]) -> None:
    sent, unsent, outcomes = paging.send_due(run=run, age=age)
    report.requeued += sent
    report.unsent += unsent
    for outcome in outcomes:
        told = outcome or "nothing to do"
        report.processed[told] = report.processed.get(told, 0) + 1


def _any(row: QueuedFile) -> bool:
    return True


def _sees_copy(row: QueuedFile) -> bool:
    # If the copy is on another host's disk, an attempt here would fail and use up a retry.
    if not row.local_name or row.host == local_copies.this_host():
        return True
    try:
        local = registry.find_storage(row.storage).local
        path = local_copies.path_on_disk(local, row.local_name)
        return path is None or bool(local.exists(row.local_name))
    except Exception:
        logger.debug("the local copy of %s is not seen", row.name, exc_info=True)
        return False


def _due(age: float) -> Any:
    now = timezone.now()
    long_ago = now - datetime.timedelta(seconds=age)
    return ledger.rows().filter(
        ledger.no_lease(now),
        queries.enqueued_before(long_ago),
        state__in=WORK_STATES,
        not_before__lte=now,
    )


def _take_batch(
    age: float, after: int, may_take: Callable[[QueuedFile], bool]
) -> Tuple[List[int], Optional[int]]:
    due = _due(age).filter(pk__gt=after).order_by("pk")
    if not ledger.connection().features.has_select_for_update_skip_locked:
        return _take(age, due, may_take)
    # Rows that a request has locked are skipped: that request will enqueue them.
    with transaction.atomic(using=ledger.database()):
        return _take(age, due.select_for_update(skip_locked=True), may_take)


def _take(
    age: float, due: Any, may_take: Callable[[QueuedFile], bool]
) -> Tuple[List[int], Optional[int]]:
    # The update of enqueued_at keeps two sweeps from taking the same row, even without row locks.
    found = list(due[:_BATCH])
    taken = [
        row.pk
        for row in found
        if may_take(row) and _due(age).filter(pk=row.pk).update(enqueued_at=timezone.now())
    ]
    return taken, found[-1].pk if found else None


def _delete_finished(report: Report, progress: Any) -> None:
    finished = ledger.rows().filter(state=State.DONE).exclude(local_name="").order_by("pk")
    total = finished.count()
    for done, row in enumerate(_in_batches(finished), 1):
        progress("finished", done, total)
        try:
            if not get_task(row.task).delete_local:
                continue
            local = registry.find_storage(row.storage).local
        except Exception as error:
            report.errors.append(f"{row.name}: {plain_text(error)}")
            continue
        if ledger.forget_local(row):
            reached("sweep:local-forgotten")
            delete = partial(_delete_local, report, local, row.local_name)
            transaction.on_commit(delete, using=ledger.database())


def _delete_local(report: Report, local: Any, name: str) -> None:
    if local_copies.delete_quietly(local, name):
        report.local_deleted += 1
    reached("sweep:local-deleted")


def _in_batches(rows: Any) -> Iterator[QueuedFile]:
    last = 0
    while True:
        batch = list(rows.filter(pk__gt=last)[:_BATCH])
        if not batch:
            return
        yield from batch
        last = batch[-1].pk


def _delete_orphans(report: Report, age: Optional[float], progress: Any) -> None:
    age = get_queue_settings().orphan_age if age is None else age
    before = timezone.now() - datetime.timedelta(seconds=age)
    stalled = time.time() - get_queue_settings().lease
    for storage in _storages():
        if _has_other_names(storage):
            continue
        try:
            found = list(_walk(storage.local, orphan_prefix(storage.key)))
        except Exception as error:
            report.errors.append(f"{storage.key}: {plain_text(error)}")
            continue
        for start in range(0, len(found), _BATCH):
            batch = found[start : start + _BATCH]
            # Files are listed first, and rows looked up after: a copy is written before its row.
            known = set(queries.known_local(batch))
            for done, name in enumerate(batch, start + 1):
                progress("orphans", done, len(found))
                if name in known or not (
                    local_copies.is_unfinished(storage.local, name, stalled)
                    or _is_old(storage.local, name, before)
                ):
                    continue
                if local_copies.delete_quietly(storage.local, name):
                    reached("sweep:orphan-deleted")
                    report.orphans += 1


def _has_other_names(storage: Any) -> bool:
    # If the local storage records an alias in the names it returns, its listings have other names
    # than the rows, so that they cannot be compared.
    kept = ledger.rows().filter(storage=storage.key).exclude(local_name="")
    if not kept.exclude(local_name__startswith="queued-").exists():
        return False
    logger.info("%s: its local storage renames files; orphans are not deleted", storage.key)
    return True


def _storages() -> List[Any]:
    for key in queries.storage_keys():
        try:
            registry.find_storage(key)
        except Exception:
            logger.debug("no storage %s", key, exc_info=True)
    return registry.known_storages()


def _walk(storage: Any, path: str) -> Iterator[str]:
    try:
        directories, files = storage.listdir(path)
    except FileNotFoundError:
        return
    for name in files:
        yield f"{path}/{name}"
    for directory in directories:
        yield from _walk(storage, f"{path}/{directory}")


def _is_old(storage: Any, name: str, before: datetime.datetime) -> bool:
    try:
        modified = storage.get_modified_time(name)
    except FileNotFoundError:
        return False
    if timezone.is_naive(modified):
        modified = timezone.make_aware(modified)
    return bool(modified < before)


def _find_unknown() -> List[str]:
    unknown = []
    for key in queries.storage_keys():
        try:
            registry.find_storage(key)
        except Exception:
            unknown.append(key)
    return unknown
