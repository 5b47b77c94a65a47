"""Pages of names for the workers: added, sent, sent again if a message was lost, and counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from django.db import transaction
from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from smart_storages.config import get_queue_settings
from smart_storages.queued import engines, ledger
from smart_storages.queued.ledger.pages import OPEN, due, pages, take
from smart_storages.queued.ledger.texts import storable
from smart_storages.queued.models import QueuedPage, State

__all__ = ["Totals", "add_page", "count", "drop", "fits", "planned_until", "prune", "send_due"]

_BATCH = 200
_MOST_ERRORS = 20


@dataclass
class Totals:
    """How far the pages of a job are.

    Args:
        pages: How many there are.
        open: Pages that are not finished.
        taken: Those of them that a worker has now.
        files: Files of all pages, as they were listed.
        looked_at: Files of the finished pages.
        copied: Files that were copied.
        bytes: Their size.
        same: Files that were there already.
        gone: Files that were deleted from the source meanwhile.
        failed: Files that could not be copied.
        failures: Some pages that were given up, and why.
    """

    pages: int = 0
    open: int = 0
    taken: int = 0
    files: int = 0
    looked_at: int = 0
    copied: int = 0
    bytes: int = 0
    same: int = 0
    gone: int = 0
    failed: int = 0
    failures: Dict[str, str] = field(default_factory=dict)


def fits(name: str) -> bool:
    """Return whether a page can end with this name: every database can store it as it is."""
    return len(name) <= _LONGEST and storable(name) == name


_LONGEST: int = QueuedPage._meta.get_field("until").max_length or 0


def add_page(**values: Any) -> None:
    """Write a page and hand it to the engine when the transaction commits; see `QueuedPage`."""
    page = pages().create(enqueued_at=timezone.now(), **values)
    transaction.on_commit(lambda: engines.send(-page.pk), using=ledger.database())


def planned_until(job: str) -> Tuple[str, bool]:
    """Return the name up to which a job has pages, and whether it has them to the end."""
    of_job = pages().filter(job=job)
    if of_job.filter(until="").exists():
        return "", True
    last = of_job.order_by("-pk").first()
    return (last.until if last else ""), False


def send_due(
    *, job: Optional[str] = None, run: bool = False, age: Optional[float] = None
) -> Tuple[int, int, List[Optional[str]]]:
    """Send the pages again whose message was lost, or whose worker died.

    Args:
        job: Only those of a job.
        run: Whether to do their work in this process instead.
        age: Seconds after which a message counts as lost; one lease by default.

    Returns:
        How many were sent, how many the engine did not accept, and the outcomes of those that were
        processed here.
    """
    age = get_queue_settings().lease if age is None else age
    sent = unsent = last = 0
    outcomes: List[Optional[str]] = []
    while True:
        found = due(age).filter(pk__gt=last, **({} if job is None else {"job": job}))
        batch = list(found.order_by("pk")[:_BATCH])
        if not batch:
            return sent, unsent, outcomes
        last = batch[-1].pk
        for page in batch:
            if not take(page, age):
                continue
            if run:
                outcomes.append(engines.run(-page.pk))
            elif engines.send(-page.pk)[0]:
                sent += 1
            else:
                unsent += 1


def count(job: str) -> Totals:
    """Return how far the pages of a job are."""
    of_job = pages().filter(job=job)
    is_open = Q(state__in=OPEN)
    names = ("files", "copied", "size", "same", "gone", "failed")
    found = of_job.aggregate(
        pages=Count("pk"),
        open=Count("pk", filter=is_open),
        taken=Count("pk", filter=Q(state=State.TRANSFERRING)),
        looked_at=Sum("files", filter=~is_open),
        **{f"{name}_sum": Sum(name) for name in names},
    )
    values = {name: found[f"{name}_sum"] or 0 for name in names}
    values["bytes"] = values.pop("size")
    failed = of_job.filter(state=State.FAILED).order_by("pk")[:_MOST_ERRORS]
    return Totals(
        pages=found["pages"],
        open=found["open"],
        taken=found["taken"],
        looked_at=found["looked_at"] or 0,
        failures={f"after {page.after!r}": page.last_error for page in failed},
        **values,
    )


def drop(job: str) -> None:
    """Delete the pages of a job; a worker that has one of them ends what it is writing."""
    pages().filter(job=job).delete()


def prune(before: Any) -> int:
    """Delete the pages of jobs that were finished before a time, and return how many."""
    jobs = pages().order_by().values("job").annotate(open=Count("pk", filter=Q(state__in=OPEN)))
    done = jobs.annotate(last=Max("finished_at")).filter(open=0, last__lt=before)
    return sum(pages().filter(job=each["job"]).delete()[0] for each in list(done))
