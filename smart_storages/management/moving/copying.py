"""Copying what differs from one storage to another, so that the second has what the first has."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import islice
from threading import BoundedSemaphore
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from django.core.management.base import CommandError

from smart_storages.backends.s3.bulk import abort_uploads
from smart_storages.backends.s3.copying import Watched
from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import ObjectNotFoundError, PreconditionFailedError
from smart_storages.management.moving.checkpoints import Checkpoint
from smart_storages.management.moving.comparing import is_same
from smart_storages.management.moving.ends import BucketEnd, DirectoryEnd, End, Entry
from smart_storages.management.moving.merging import Pair, merge, read_ahead
from smart_storages.management.moving.workers import Workers

__all__ = ["COPIED", "GONE", "SAME", "Copier", "Plan", "Report", "refuse_overlap"]

#: What became of a file.
COPIED, SAME, GONE, MARK = "copied", "same", "gone", "mark"

#: Files at a time: a server copies them itself, or they pass through this process, where each may
#: hold two parts of 8 MiB.
_ON_SERVER, _THROUGH_HERE = 32, 8

#: Without anything to copy, the checkpoint advances after so many files.
_MARK_AFTER = 1_000
_PAGE = 1_000
_MOST_FAILURES_KEPT = 1_000
_CLOCK_SLACK = timedelta(minutes=5)


class Plan(NamedTuple):
    """What is to be copied, and how.

    Args:
        source: The end to copy from.
        target: The end to copy to.
        prefix: Only names that begin with this.
        delete: Whether to delete from the target what the source does not have.
        dry_run: Whether only to say what would be done.
        workers: Files at a time; ``None`` to choose by the kinds of the ends.
        allow_empty: Whether to delete everything if the source has nothing.
        after: Only names that sort after this one.
        until: Only names up to this one, itself included; empty for all.
    """

    source: End
    target: End
    prefix: str = ""
    delete: bool = False
    dry_run: bool = False
    workers: Optional[int] = None
    allow_empty: bool = False
    after: str = ""
    until: str = ""

    def entries(self, end: End, after: str = "") -> Iterator[Entry]:
        """Yield what one of the ends has of what is to be copied.

        Args:
            end: The end.
            after: Only names that sort after this one.
        """
        for entry in end.entries(self.prefix, max(self.after, after)):
            if self.until and entry.name > self.until:
                return
            yield entry
            if entry.name == self.until:
                return  # without a request for the names behind it

    @property
    def threads(self) -> int:
        """How many files are worked on at the same time."""
        return self.workers or (_ON_SERVER if self.on_server else _THROUGH_HERE)

    @property
    def on_server(self) -> bool:
        """Whether the two are buckets of one server, which may copy objects itself."""
        one, other = self.source, self.target
        if not isinstance(one, BucketEnd) or not isinstance(other, BucketEnd):
            return False
        return one.storage.identify_server() == other.storage.identify_server()


@dataclass
class Report:
    """What was done, or with ``dry_run`` would be.

    Args:
        copied: Files that were copied.
        bytes: Their size.
        same: Files that were there already.
        gone: Files that were deleted from the source while the copy ran.
        deleted: Files that were deleted from the target.
        extra: Files that the target has and the source does not.
        failed: Files that could not be copied or deleted.
        failures: The first thousand of them, and why.
        resumed_after: The name after which an interrupted copy went on.
    """

    copied: int = 0
    bytes: int = 0
    same: int = 0
    gone: int = 0
    deleted: int = 0
    extra: int = 0
    failed: int = 0
    failures: Dict[str, str] = field(default_factory=dict)
    resumed_after: str = ""

    def fail(self, name: str, error: Exception) -> None:
        """Count a failure."""
        self.failed += 1
        if len(self.failures) < _MOST_FAILURES_KEPT:
            self.failures[name] = f"{type(error).__name__}: {plain_text(error)}"


def refuse_overlap(plan: Plan) -> None:
    """Refuse a copy whose result would be among what it copies.

    Raises:
        CommandError: the two are one place, or one lies within the other.
        S3Error: a bucket could not be listed.
    """
    one, other = plan.source.scope(plan.prefix), plan.target.scope(plan.prefix)
    if not (one[-1].startswith(other[-1]) or other[-1].startswith(one[-1])):
        return
    if one[:-1] == other[:-1] or _is_one_bucket(plan, max(one[-1], other[-1], key=len)):
        raise CommandError(
            f"{plan.source.label!r} and {plan.target.label!r} are the same place, or one lies "
            "within the other: choose another target, or a --prefix.",
            returncode=2,
        )


def _is_one_bucket(plan: Plan, start: str) -> bool:
    """Return whether two addresses, or two users' credentials, lead to one bucket.

    Then both list the same objects. Those of a copy were written at other times.
    """
    one, other = plan.source, plan.target
    if not isinstance(one, BucketEnd) or not isinstance(other, BucketEnd):
        return False
    names = one.target.bucket, other.target.bucket
    # An access point is a second name of a bucket.
    if names[0] != names[1] and not any("arn:" in each or "-s3alias" in each for each in names):
        return False
    some = [list(islice(end.storage.iter_keys(start), _PAGE)) for end in (one, other)]
    return bool(some[0]) and some[0] == some[1]


class Copier:
    """One copy of everything, from its first request to its last.

    Args:
        plan: What is to be copied.
        checkpoint: Where it goes on after an interruption; ``None`` to keep none.
        tell: Called with what became of a file, its name, and the error if there was one; not for
            files that were the same already.
        advance: Called with a number of files that were looked at since the last call.

    Example::

        report = Copier(Plan(end_of(photos, "photos"), end_of(archive, "archive"))).run()
    """

    def __init__(
        self,
        plan: Plan,
        checkpoint: Optional[Checkpoint] = None,
        tell: Callable[[str, str, Optional[Exception]], None] = lambda *_: None,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._plan = plan
        self._checkpoint = checkpoint
        self._tell = tell
        self._advance = advance
        # Changed by the thread that reads the listings, read by the caller's.
        self._seen = self._equal = 0
        self._on_server = plan.on_server
        # Should the server turn out not to copy, fewer files pass through this process at a time.
        self._room = BoundedSemaphore(plan.workers or _THROUGH_HERE)
        self._workers: Workers[Pair] = Workers(self._work, (), threads=1)
        self.report = Report()

    def run(self) -> Report:
        """Copy, then delete if the plan says so and nothing has failed.

        Raises:
            CommandError: one end lies within the other.
            S3Error: a listing failed; what was copied until then stays.
        """
        if not (self._plan.after or self._plan.until):  # else it was looked at for all pages
            refuse_overlap(self._plan)
        checkpoint = self._checkpoint
        if checkpoint is not None:
            self._remove_leftovers(checkpoint)
            self.report.resumed_after = checkpoint.state.after
        try:
            self._copy_all()
        except BaseException:
            self._save(now=True)
            raise
        finally:
            self.report.same += self._equal
        if self._plan.delete and not self.report.failed and self._may_have_extra:
            self._delete_extra()
        if checkpoint is not None:
            checkpoint.remove()
        return self.report

    @property
    def _may_have_extra(self) -> bool:
        # What was copied may have been deleted from the source meanwhile.
        report = self.report
        return bool(report.extra or report.copied or report.resumed_after)

    # Copying

    def _copy_all(self) -> None:
        plan, after = self._plan, self.report.resumed_after
        pairs = merge(
            read_ahead(plan.entries(plan.source, after)),
            read_ahead(plan.entries(plan.target, after)),
        )
        self._workers = Workers(self._work, self._jobs(pairs), threads=plan.threads)
        seen = 0
        for job, result, error in self._workers:
            if error is not None:
                self.report.fail(job.name, error)
                self._tell("failed", job.name, error)
            elif result != MARK:
                self._count(result, job)
            before, seen = seen, self._seen
            self._advance(seen - before)
            self._save()

    def _jobs(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        to_bucket = isinstance(self._plan.target, BucketEnd)
        passed = 0
        for pair in pairs:
            one, other = pair.source, pair.target
            passed += 1
            if one is None:
                self.report.extra += 1
            elif one.name.endswith("/") and not to_bucket:
                pass  # a folder as some tools create it; no file can have such a name
            elif other is not None and one.etag and one[1:3] == other[1:3]:
                self._equal += 1
            else:
                passed = 0
                yield pair
            self._seen += 1
            if passed == _MARK_AFTER:
                passed = 0
                yield Pair(pair.name, None, None)

    def _work(self, pair: Pair) -> str:
        plan, (_, one, other) = self._plan, pair
        if one is None:
            return MARK
        if other is not None:
            with suppress(FileNotFoundError):  # one of them was deleted meanwhile
                if is_same(plan.source, one, plan.target, other):
                    return SAME
        if plan.dry_run:
            return COPIED
        try:
            self._copy(one)
        except FileNotFoundError as error:
            if isinstance(error, ObjectNotFoundError) or not isinstance(plan.source, BucketEnd):
                return GONE
            raise
        return COPIED

    def _copy(self, entry: Entry) -> None:
        target = self._plan.target
        large = isinstance(target, BucketEnd) and (
            entry.size >= target.storage.transfer_config.multipart_threshold
        )
        if large and self._checkpoint is not None:
            with self._checkpoint.writing_large(entry.name):
                self._copy_now(entry)
        else:
            self._copy_now(entry)

    def _copy_now(self, entry: Entry) -> None:
        source, target = self._plan.source, self._plan.target
        if isinstance(source, BucketEnd) and isinstance(target, BucketEnd):
            try:
                self._replicate(source, target, entry.name, entry.etag)
            except PreconditionFailedError:  # it was replaced after it was listed
                self._replicate(source, target, entry.name, "")
            return
        with source.open(entry.name) as content:
            target.write(entry.name, Watched(content, self._workers.check))

    def _replicate(self, source: BucketEnd, target: BucketEnd, name: str, etag: str) -> None:
        key, new_key, watch = source.key_of(name), target.key_of(name), self._workers.check
        if self._on_server:
            self._on_server = source.storage.replicate(
                key, target.storage, new_key, etag=etag, watch=watch
            )
            return
        with self._room:
            source.storage.replicate(key, target.storage, new_key, on_server=False, watch=watch)

    def _count(self, result: str, job: Pair) -> None:
        setattr(self.report, result, getattr(self.report, result) + 1)
        if result == COPIED and job.source is not None:
            self.report.bytes += job.source.size
        if result != SAME:
            self._tell(result, job.name, None)

    # Interruptions

    def _save(self, *, now: bool = False) -> None:
        if self._checkpoint is None:
            return
        reached = self._workers.reached
        if reached is not None:
            self._checkpoint.state.after = reached.name
        self._checkpoint.save(now=now)

    def _remove_leftovers(self, checkpoint: Checkpoint) -> None:
        target, state = self._plan.target, checkpoint.state
        if isinstance(target, DirectoryEnd):
            target.removes_leftovers = True
        if isinstance(target, BucketEnd) and target.storage.is_in_s3:
            since = datetime.fromtimestamp(state.started, timezone.utc) - _CLOCK_SLACK
            for name in state.large:
                abort_uploads(target.target, target.key_of(name), since)
        state.large = []

    # Deleting

    def _delete_extra(self) -> None:
        # Listed once more: a file may have been saved in the source since, and a resumed copy has
        # not seen all names.
        plan, report = self._plan, self.report
        if not plan.allow_empty and next(plan.source.entries(plan.prefix), None) is None:
            raise CommandError(
                f"{plan.source.label!r} has no file: everything in {plan.target.label!r} would be "
                "deleted. Add --allow-empty if that is meant.",
            )
        report.extra = 0
        names = (
            pair.name
            for pair in merge(
                read_ahead(plan.source.entries(plan.prefix)),
                read_ahead(plan.target.entries(plan.prefix)),
            )
            if pair.source is None
        )
        while True:
            page: List[str] = list(islice(names, _PAGE))
            if not page:
                return
            # The listings are older: what is deleted must be gone from the source now.
            back = plan.source.find_existing(page)
            page = [name for name in page if name not in back]
            report.extra += len(page)
            failed: Dict[str, Any] = {} if plan.dry_run else plan.target.delete_many(page)
            for name in page:
                error = failed.get(name)
                if error is not None:
                    report.fail(name, error)
                self._tell("deleted" if error is None else "failed", name, error)
            report.deleted += len(page) - len(failed)
