"""A copy in pages of names, which workers on many machines share: ``buckets copy --queue``."""

from __future__ import annotations

import hashlib
import time
from typing import Callable, Optional

from django.apps import apps
from django.core.management.base import CommandError

from smart_storages.exceptions import ConfigurationError, TransferError
from smart_storages.management.moving.arguments import find_end
from smart_storages.management.moving.copying import Copier, Plan, Report, refuse_overlap
from smart_storages.management.moving.ends import BucketEnd
from smart_storages.management.moving.merging import read_ahead
from smart_storages.queued import engines
from smart_storages.queued.actions import paging
from smart_storages.queued.models import QueuedPage

__all__ = ["QueuedCopy", "copy_page"]

#: Names of a page: as many as one request lists.
_PAGE = 1_000
_TASK = "smart_storages.management.moving.pages.copy_page"
#: Seconds between two looks at the pages, and at messages that were lost.
_LOOK, _RESEND = 1.0, 30.0
#: Seconds without any worker at any page, after which that is told.
_IDLE = 60.0


def copy_page(page: QueuedPage, check: Callable[[], None]) -> Report:
    """Copy the files of a page; what a worker calls.

    Args:
        page: The page.
        check: Raises if another attempt has taken over.

    Raises:
        TransferError: the settings of this process lead elsewhere, or it sees none of the files.
        CommandError: this process has no such module or alias.
        S3Error: a listing failed.
    """
    plan = Plan(
        source=find_end(page.source),
        target=find_end(page.target),
        prefix=page.prefix,
        after=page.after,
        until=page.until,
    )
    # A worker that was not started again would copy into the bucket of yesterday's settings.
    if _identify(plan, page.source, page.target) != page.job:
        raise TransferError(
            f"With the settings of this worker, {page.source!r} or {page.target!r} leads to "
            "another place than with those of the command: start it again with the same settings."
        )
    # The directory of another machine looks empty here.
    may_look_empty = page.files and not isinstance(plan.source, BucketEnd)
    if may_look_empty and next(plan.entries(plan.source), None) is None:
        raise TransferError(
            f"{page.source!r} has none of the {page.files:,} files of this page on this machine. "
            "Give its workers the same directory, or copy without --queue."
        )
    return Copier(plan, advance=lambda _: check()).run()


class QueuedCopy:
    """A copy whose pages are in the database.

    Args:
        plan: What is to be copied.
        source: How the user called the source; workers look it up by this.
        target: The same of the target.

    Raises:
        CommandError: ``smart_storages.queued`` is not installed, its engine cannot be used, or the
            prefix is too long.
    """

    def __init__(self, plan: Plan, source: str, target: str) -> None:
        if not apps.is_installed("smart_storages.queued"):
            raise CommandError(
                "--queue needs 'smart_storages.queued' in INSTALLED_APPS: add it, and run "
                "manage.py migrate.",
                returncode=2,
            )
        if not paging.fits(plan.prefix):
            raise CommandError("--queue takes a prefix of at most 1,024 characters.", returncode=2)
        try:
            engines.require()
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=2) from error
        self._plan = plan
        self.job = _identify(plan, source, target)
        self._of_page = {
            "job": self.job,
            "task": _TASK,
            "source": source,
            "target": target,
            "prefix": plan.prefix,
        }

    def restart(self) -> None:
        """Forget the pages of an earlier call."""
        paging.drop(self.job)

    def find_earlier(self) -> Optional[paging.Totals]:
        """Return how far an earlier call is whose pages are there still; ``None`` for none.

        Pages that are all finished are forgotten: what they have copied is the same already for a
        new copy, and files that were saved since are for that one.
        """
        totals = paging.count(self.job)
        if totals.pages and not totals.open and paging.planned_until(self.job)[1]:
            paging.drop(self.job)
        return totals if totals.pages else None

    def hand_over(self, advance: Callable[[int], None]) -> None:
        """List the source, and hand over a page for each thousand names.

        If an earlier call was interrupted while it listed, this goes on after its last page.

        Args:
            advance: Called with a number of files that were listed.

        Raises:
            CommandError: one end lies within the other.
            S3Error: a listing failed; the pages until then are handed over.
        """
        after, is_complete = paging.planned_until(self.job)
        if is_complete:
            return
        refuse_overlap(self._plan)
        files = 0
        for entry in read_ahead(self._plan.source.entries(self._plan.prefix, after)):
            files += 1
            if files >= _PAGE and paging.fits(entry.name):
                paging.add_page(after=after, until=entry.name, files=files, **self._of_page)
                advance(files)
                after, files = entry.name, 0
        paging.add_page(after=after, until="", files=files, **self._of_page)
        advance(files)

    def follow(
        self, advance: Callable[[int], None], warn: Callable[[str], None] = lambda _: None
    ) -> paging.Totals:
        """Wait until every page is finished, and send again what was lost meanwhile.

        Args:
            advance: Called with a number of files of pages that were finished.
            warn: Called with a sentence if no worker seems to run.

        Returns:
            What became of the files; the pages are deleted.

        Raises:
            CommandError: another process has deleted the pages meanwhile.
        """
        seen, resent = 0, time.monotonic()
        idle_since: Optional[float] = resent
        before: Optional[paging.Totals] = None
        while True:
            totals = paging.count(self.job)
            if not totals.pages:
                raise CommandError(
                    "The pages of this copy are gone: another call told what became of them, or "
                    "--restart forgot them. Call it again to see that everything is there."
                )
            advance(max(totals.looked_at - seen, 0))
            seen = totals.looked_at
            if not totals.open:
                paging.drop(self.job)
                return totals
            if totals.taken or (before is not None and totals != before):
                idle_since = None  # there are workers, though they may be busy with other work
            before = totals
            if idle_since is not None and time.monotonic() - idle_since >= _IDLE:
                idle_since = None
                warn(
                    f"No worker has taken a page for {_IDLE:.0f} s: is one running, with the same "
                    "settings? Ctrl-C ends the waiting and loses nothing."
                )
            if time.monotonic() - resent >= _RESEND:
                resent = time.monotonic()
                paging.send_due(job=self.job)
            time.sleep(_LOOK)

    def count(self) -> paging.Totals:
        """Return how far the pages are."""
        return paging.count(self.job)


def _identify(plan: Plan, source: str, target: str) -> str:
    """Return what tells a copy from others: what its ends are called, and where they lead."""
    scopes = [*plan.source.scope(plan.prefix), *plan.target.scope(plan.prefix)]
    text = "\0".join([source, target, *scopes])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
