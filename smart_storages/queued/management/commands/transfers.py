"""``manage.py transfers list|retry|sweep|verify``: show and repair the ledger."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any, Callable, Dict, List, Sequence

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from smart_storages.common.progress import Progress
from smart_storages.common.subcommands import adopt_subcommands
from smart_storages.exceptions import ConfigurationError
from smart_storages.queued import ledger, readiness
from smart_storages.queued.actions import operations, sweeper
from smart_storages.queued.models import State

__all__ = ["Command"]

_ERROR_WIDTH = 60
_LARGEST_ID = 2**63 - 1
_MOST_DAYS = 36_500  # a hundred years; dates before year 1 would raise
_MOST_SECONDS = _MOST_DAYS * 86_400
_HEADINGS = ("ID", "STATE", "AGE", "SIZE", "ATTEMPTS", "STORAGE", "NAME", "ERROR")
_NUMBERS = ("ID", "AGE", "SIZE", "ATTEMPTS", "ROWS")


class Command(BaseCommand):
    """The command; each subcommand has a method named after it."""

    help = "Shows and repairs the transfers of queued storages."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        commands = parser.add_subparsers(dest="action", required=True)

        shown = commands.add_parser("list", help="Show rows of the ledger, and a count by state.")
        _add_filters(shown)
        shown.add_argument("--limit", type=_whole(0), default=50, help="Rows to show (50).")
        shown.add_argument("--json", action="store_true", help="One JSON object a line.")

        retried = commands.add_parser("retry", help="Put failed transfers back into the queue.")
        _add_filters(retried)
        retried.add_argument("ids", nargs="*", type=_whole(1), help="Ids; all failed ones if none.")

        swept = commands.add_parser(
            "sweep", help="Repair lost transfers and delete unneeded local copies. For cron."
        )
        swept.add_argument(
            "--run", action="store_true", help="Transfer in this process, without any worker."
        )
        seconds, days = _number(_MOST_SECONDS), _number(_MOST_DAYS)
        swept.add_argument(
            "--orphan-age", type=seconds, help="Seconds to keep a copy without a row."
        )
        swept.add_argument(
            "--requeue-age", type=seconds, help="Seconds until a message counts as lost."
        )
        swept.add_argument("--prune-days", type=days, help="Delete rows finished so many days ago.")

        verified = commands.add_parser("verify", help="Compare remote files with the ledger.")
        _add_filters(verified)
        verified.add_argument(
            "--repair",
            action="store_true",
            help="Transfer again files that still have a local copy.",
        )
        adopt_subcommands(parser, commands)

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run the subcommand."""
        try:
            with readiness.explained():
                getattr(self, f"_{action}")(options)
        except ConfigurationError as error:
            raise CommandError(str(error)) from error

    def _progress(self, options: Dict[str, Any]) -> Progress:
        return Progress(self.stderr, quiet=options["verbosity"] == 0)

    def _list(self, options: Dict[str, Any]) -> None:
        rows = _filtered(options)
        shown = rows.order_by("-saved_at")[: options["limit"]]
        if options["json"]:
            for row in shown:
                self.stdout.write(json.dumps(operations.describe(row)))
            return
        lines = [_line(operations.describe(row)) for row in shown]
        self._table(_HEADINGS, lines)
        self.stdout.write("" if lines else "No rows.")
        counts = operations.count_by_state(rows).items()
        self._table(("ROWS", "STATE"), [(str(count), state) for state, count in counts])

    def _table(self, headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        if not lines:
            return
        widths = [max(map(len, column)) for column in zip(headings, *lines)]
        for line in (headings, *lines):
            cells = [
                cell.rjust(width) if heading in _NUMBERS else cell.ljust(width)
                for heading, cell, width in zip(headings, line, widths)
            ]
            self.stdout.write("  ".join(cells).rstrip())

    def _retry(self, options: Dict[str, Any]) -> None:
        rows = _filtered(options).filter(state=State.FAILED)
        unknown: List[int] = []
        if options["ids"]:
            rows = rows.filter(pk__in=options["ids"])
            unknown = operations.find_unknown(options["ids"])
        with self._progress(options) as progress:
            sent, unsent = operations.retry(rows, progress)
        self.stdout.write(f"{sent} queued again.")
        self._report_unsent(unsent)
        if unknown:
            ids = ", ".join(map(str, unknown))
            raise CommandError(f"The ledger has no row {ids}; 'transfers list' shows the ids.")
        if unsent:
            raise CommandError("The engine did not accept everything; the log says why.")

    def _report_unsent(self, unsent: int) -> None:
        if unsent:
            self.stderr.write(f"{unsent} could not be queued; a later sweep tries again.")

    def _sweep(self, options: Dict[str, Any]) -> None:
        with self._progress(options) as progress:
            report = sweeper.sweep(
                run=options["run"],
                orphan_age=options["orphan_age"],
                requeue_age=options["requeue_age"],
                progress=progress,
            )
            pruned = 0
            if options["prune_days"] is not None:
                pruned = operations.prune(options["prune_days"])
        if options["verbosity"] > 0:
            self.stdout.write(f"{report.requeued} queued again.")
            for outcome, count in sorted(report.processed.items()):
                self.stdout.write(f"{count} processed here: {outcome}.")
            self.stdout.write(f"{report.local_deleted} finished local copies deleted.")
            self.stdout.write(f"{report.orphans} orphans deleted.")
            if options["prune_days"] is not None:
                self.stdout.write(f"{pruned} rows deleted.")
        self._report_unsent(report.unsent)
        for key in report.unknown:
            self.stderr.write(
                f"No storage has the key {key!r}. If one was renamed, give it key={key!r}."
            )
        for error in report.errors:
            self.stderr.write(error)
        if report.unsent or report.unknown or report.errors:
            raise CommandError("The sweep could not do everything; see above.")

    def _verify(self, options: Dict[str, Any]) -> None:
        rows = _filtered(options).filter(state=State.DONE).order_by("pk")
        wrong: List[str] = []
        with self._progress(options) as progress:
            checked = operations.verify(rows, wrong.append, progress, repair=options["repair"])
        for line in wrong:
            self.stderr.write(line)
        self.stdout.write(f"{checked} checked, {len(wrong)} wrong, {timezone.now():%F %T}.")
        if wrong:
            raise CommandError("Some remote files are not what the ledger says.")


def _line(described: Dict[str, Any]) -> List[str]:
    error = " ".join(described["error"].split())[:_ERROR_WIDTH]
    return [str(described[heading.lower()]) for heading in _HEADINGS[:-1]] + [error]


# Validation of the arguments


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!a} is not a whole number.") from None
        if not least <= value <= _LARGEST_ID:
            raise ArgumentTypeError(f"{text} is not between {least} and {_LARGEST_ID}.")
        return value

    return parse


def _number(most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!a} is not a number.") from None
        if not 0 <= value <= most:  # false for NaN too
            raise ArgumentTypeError(f"{text} is not between 0 and {most}.")
        return value

    return parse


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # a surrogate, from an argument that is not UTF-8
        raise ArgumentTypeError(f"{text!a} is not valid Unicode.") from None
    if "\0" in text:
        raise ArgumentTypeError(f"{text!a} contains a NUL.")
    return text


def _add_filters(parser: ArgumentParser) -> None:
    parser.add_argument("--state", choices=State.values, help="Only rows in this state.")
    parser.add_argument("--storage", type=_text, help="Only rows of the storage with this key.")
    parser.add_argument("--name", type=_text, help="Only names that contain this.")


def _filtered(options: Dict[str, Any]) -> Any:
    rows = ledger.rows()
    for option, lookup in (("state", "state"), ("storage", "storage"), ("name", "name__contains")):
        if options[option]:
            rows = rows.filter(**{lookup: options[option]})
    return rows
