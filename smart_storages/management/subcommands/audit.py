"""``manage.py buckets audit``: files that rows name and no bucket has, and the reverse."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional

from django.core.management.base import CommandError

from smart_storages.common.documentation import plain_text
from smart_storages.common.names import check_name
from smart_storages.management.auditing.areas import Area
from smart_storages.management.auditing.auditor import Auditor, Scope
from smart_storages.management.auditing.columns import has_uploads
from smart_storages.management.auditing.store import Store
from smart_storages.management.auditing.trash import Trash
from smart_storages.management.auditing.uploads import OpenUploads, look_for_uploads
from smart_storages.management.output import Context, describe_size
from smart_storages.management.subcommands import FINE, WRONG
from smart_storages.uploads.clearing import Cleared, clear

__all__ = ["HELP", "add_arguments", "handle"]

HELP = (
    "Find files that rows name and no bucket has, objects that no row names, and direct uploads "
    "that were never used."
)

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_read_duration = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)").fullmatch


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--age",
        type=_duration,
        default=86_400,
        metavar="TIME",
        help="Objects that are younger are no orphans: 90m, 12h, 1d (1d).",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PREFIX",
        help="Leave out names, or keys, that begin with this; may be given several times.",
    )
    parser.add_argument("--trash", default=".trash", help="Directory for deleted objects (.trash).")
    parser.add_argument("--days", type=_days, default=30, help="Days to keep deleted objects (30).")
    parser.add_argument(
        "--limit", type=int, default=1_000, help="Names to show of each kind (1000)."
    )
    parser.add_argument(
        "--abort-uploads",
        type=_duration,
        metavar="TIME",
        help="Abort uploads in parts that were started longer ago and never completed: 7d.",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--delete",
        action="store_true",
        help="Move orphans to the trash, and delete what has been there for --days, and direct "
        "uploads that have expired.",
    )
    action.add_argument(
        "--restore",
        nargs="?",
        const="",
        metavar="PREFIX",
        help="Only bring back what is in the trash, if its name begins with PREFIX.",
    )


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Audit; the exit code is 1 if a file is missing, an orphan stays, or something failed."""
    check_name(options["trash"])
    scope = Scope(options["age"], tuple(options["exclude"]), options["trash"])
    try:
        return _audit(context, options, scope)
    except sqlite3.Error as error:
        raise CommandError(
            f"The audit's temporary file in {tempfile.gettempdir()!r} cannot be written ({error}). "
            "Nothing is deleted for good; --restore brings back what is in the trash. Make room "
            "there, or set TMPDIR to a directory with more."
        ) from error


def _audit(context: Context, options: Dict[str, Any], scope: Scope) -> int:
    cleared = None
    if options["restore"] is None and has_uploads():
        cleared = clear(delete=options["delete"])  # before, so that they are not orphans too
    with Store() as store:
        with context.progress("Auditing", unit="rows and objects") as progress:
            auditor = Auditor(store, scope, progress.advance)
            if options["restore"] is None:
                auditor.run()
            else:
                auditor.find_areas()
        run = _Run(context, auditor, options, cleared)
        return run.audit() if options["restore"] is None else run.restore(options["restore"])


class _Run:
    """What is done with the findings."""

    def __init__(
        self,
        context: Context,
        auditor: Auditor,
        options: Dict[str, Any],
        cleared: Optional[Cleared],
    ) -> None:
        self._context, self._auditor, self._options = context, auditor, options
        self._limit: int = options["limit"]
        self._failed = 0
        self._cleared = cleared
        now = datetime.now(timezone.utc)
        self._areas: List[Area] = auditor.areas.outermost(options["trash"], ())
        self._trash = [Trash(each, options["trash"], now, self._tell) for each in self._areas]
        self._shown: Dict[str, List[Any]] = {"missing": [], "orphans": []}

    def audit(self) -> int:
        self._show_missing()
        problems = self._auditor.findings.problems
        for reason, count in problems.items():
            self._context.warn(f"{count} row(s) could not be judged: {reason}")
        if self._options["delete"] and problems:
            raise CommandError("Nothing is deleted while there are rows that cannot be judged.")
        thrown = self._throw_away() if self._options["delete"] else self._show_orphans()
        purged = 0
        if self._options["delete"]:
            purged = sum(trash.purge(self._options["days"]) for trash in self._trash)
        uploads = look_for_uploads(
            self._areas,
            self._tell,
            exclude=tuple(self._options["exclude"]),
            abort_after=self._options["abort_uploads"],
        )
        return self._summarize(thrown, purged, uploads)

    def restore(self, prefix: str) -> int:
        count = sum(trash.restore(prefix) for trash in self._trash)
        if self._context.json:
            self._context.write_json({"restored": count, "failed": self._failed})
        else:
            self._context.write(f"{count:,} restored, {self._failed:,} failed.")
        return WRONG if self._failed else FINE

    def _show_missing(self) -> None:
        for number, each in enumerate(self._auditor.missing()):
            if number < self._limit:
                label = self._auditor.columns[each.source].label
                row = {"field": label, "pk": each.pk, "name": each.name}
                self._shown["missing"].append(row)
                self._context.write(f"missing: {label}, pk {each.pk}: {each.name}")

    def _show_orphans(self) -> int:
        for page in self._auditor.orphans():
            for each in page:
                self._show_orphan(each)
        return 0

    def _show_orphan(self, orphan: Any) -> None:
        if len(self._shown["orphans"]) >= self._limit:
            return
        label = self._auditor.areas.storage_in(orphan.bucket).bucket_name
        self._shown["orphans"].append({"bucket": label, "key": orphan.key, "size": orphan.size})
        self._context.write(f"orphan: {label}: {orphan.key} ({describe_size(orphan.size)})")

    def _throw_away(self) -> int:
        thrown = 0
        for page in self._auditor.orphans():
            for each in page:
                self._show_orphan(each)
            for number, trash in self._by_area(page[0].bucket):
                start = self._areas[number].start
                objects = [(each.key, each.etag) for each in page if each.key.startswith(start)]
                thrown += trash.throw_away(objects)
        # A row may have named one of them in between.
        for orphan in list(self._auditor.named_orphans()):
            for number, trash in self._by_area(orphan.bucket):
                if orphan.key.startswith(self._areas[number].start):
                    thrown -= trash.bring_back([orphan.key])
        return thrown

    def _by_area(self, bucket: int) -> Any:
        areas = enumerate(self._areas)
        return [(index, self._trash[index]) for index, each in areas if each.bucket == bucket]

    def _tell(self, what: str, key: str, error: Optional[Exception]) -> None:
        if error is not None:
            self._failed += 1
            self._context.warn(f"{key}: {plain_text(error)}")
        elif what.startswith("not "):
            self._context.warn(f"{key}: {what}")

    def _summarize(self, thrown: int, purged: int, uploads: OpenUploads) -> int:
        found = self._auditor.findings
        if self._context.json:
            self._context.write_json(
                {
                    **asdict(found),
                    **{f"{name}_shown": rows for name, rows in self._shown.items()},
                    "moved_to_trash": thrown,
                    "purged": purged,
                    "incomplete_uploads": uploads.found,
                    "oldest_incomplete_upload": uploads.oldest,
                    "aborted_uploads": uploads.aborted,
                    "failed": self._failed,
                    "direct_uploads": self._cleared and self._cleared._asdict(),
                }
            )
        else:
            self._context.write(
                f"{found.rows:,} names in rows, {found.objects:,} objects: {found.missing:,} files "
                f"missing, {found.orphans:,} orphans ({describe_size(found.orphan_bytes)})."
            )
            if self._options["delete"]:
                self._context.write(f"{thrown:,} moved to the trash, {purged:,} purged from it.")
            if uploads.found:
                self._context.write(_describe_uploads(uploads))
            self._tell_of_uploads()
        left = found.orphans - thrown + self._uploads_left()
        return WRONG if found.missing or left or found.problems or self._failed else FINE

    def _tell_of_uploads(self) -> None:
        cleared = self._cleared
        if cleared is None or not (cleared.uploads or cleared.rows):
            return
        done = "deleted" if self._options["delete"] else "to delete"
        self._context.write(
            f"{cleared.uploads:,} direct uploads were never used "
            f"({describe_size(cleared.bytes)}), {cleared.rows:,} of their rows are old: {done}."
        )
        if cleared.failed:
            self._context.warn(f"{cleared.failed:,} direct uploads could not be deleted.")

    def _uploads_left(self) -> int:
        if self._cleared is None:
            return 0
        return self._cleared.failed if self._options["delete"] else self._cleared.uploads


def _describe_uploads(uploads: OpenUploads) -> str:
    since = f"{uploads.oldest:%Y-%m-%d %H:%M} UTC"
    return (
        f"{uploads.found:,} incomplete uploads, the oldest of {since}, {uploads.aborted:,} of them "
        "aborted now. --abort-uploads 7d ends those that are older than 7 days."
    )


def _duration(text: str) -> float:
    found = _read_duration(text)
    if found is None:
        raise ArgumentTypeError(f"{text!a} is no time; write 90m, 12h or 1d.")
    return float(found.group(1)) * _UNITS[found.group(2)]


def _days(text: str) -> float:
    if not re.fullmatch(r"\d{1,5}(\.\d+)?", text):
        raise ArgumentTypeError(f"{text!a} is no number of days.")
    return float(text)
