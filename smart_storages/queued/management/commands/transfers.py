"""``manage.py transfers list|retry|sweep|verify``: look at the ledger, and keep it going."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any, Dict, List

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued import ledger, operations, readiness, sweeper
from smart_storages.queued.models import State
from smart_storages.queued.progress import Progress

__all__ = ["Command"]

_ERROR_WIDTH = 60


class Command(BaseCommand):
    """The command; each subcommand is a method of its name."""

    help = "Shows and repairs the transfers of queued storages."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        commands = parser.add_subparsers(dest="action", required=True)

        shown = commands.add_parser("list", help="Show rows of the ledger, and a count by state.")
        _add_filters(shown)
        shown.add_argument("--limit", type=int, default=50, help="Rows to show (50).")
        shown.add_argument("--json", action="store_true", help="One JSON object a line.")

        retried = commands.add_parser("retry", help="Put failed transfers back into the queue.")
        _add_filters(retried)
        retried.add_argument("ids", nargs="*", type=int, help="Ids; all failed ones if none.")

        swept = commands.add_parser(
            "sweep", help="Re-queue what died, delete local copies that nobody needs. For cron."
        )
        swept.add_argument(
            "--run", action="store_true", help="Carry the files here; needs no engine nor worker."
        )
        swept.add_argument("--orphan-age", type=float, help="Seconds a copy without a row lives.")
        swept.add_argument("--requeue-age", type=float, help="Seconds until a message is lost.")
        swept.add_argument("--prune-days", type=float, help="Forget rows that finished before.")

        verified = commands.add_parser("verify", help="Compare remote files with the ledger.")
        _add_filters(verified)
        verified.add_argument(
            "--repair", action="store_true", help="Send again what has a local copy left."
        )

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
        for row in shown:
            told = operations.describe(row)
            error = told["error"].replace("\n", " ")[:_ERROR_WIDTH]
            self.stdout.write(
                f"{row.pk:>8}  {told['state']:<12}  {told['age']:>8}  {row.size:>12}  "
                f"{row.attempts:>3}  {row.storage}: {row.name}  {error}"
            )
        for state, count in operations.count_by_state(rows).items():
            self.stdout.write(f"{count:>8}  {state}")

    def _retry(self, options: Dict[str, Any]) -> None:
        rows = _filtered(options).filter(state=State.FAILED)
        unknown: List[int] = []
        if options["ids"]:
            rows = rows.filter(pk__in=options["ids"])
            unknown = operations.find_unknown(options["ids"])
        with self._progress(options) as progress:
            sent, unsent = operations.retry(rows, progress)
        self.stdout.write(f"{sent} queued again.")
        self._tell_unsent(unsent)
        if unknown:
            told = ", ".join(map(str, unknown))
            raise CommandError(f"The ledger has no row {told}; 'transfers list' shows the ids.")
        if unsent:
            raise CommandError("The engine did not take everything; the log says why.")

    def _tell_unsent(self, unsent: int) -> None:
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
            for outcome, count in sorted(report.carried.items()):
                self.stdout.write(f"{count} carried here: {outcome}.")
            self.stdout.write(f"{report.local_deleted} finished local copies deleted.")
            self.stdout.write(f"{report.orphans} orphans deleted.")
            if options["prune_days"] is not None:
                self.stdout.write(f"{pruned} rows forgotten.")
        self._tell_unsent(report.unsent)
        for key in report.unknown:
            self.stderr.write(f"No storage with the key {key!r}: give the renamed one key={key!r}.")
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


def _add_filters(parser: ArgumentParser) -> None:
    parser.add_argument("--state", choices=State.values, help="Only rows in this state.")
    parser.add_argument("--storage", help="Only rows of the storage with this key.")
    parser.add_argument("--name", help="Only names that contain this.")


def _filtered(options: Dict[str, Any]) -> Any:
    rows = ledger.rows()
    for option, lookup in (("state", "state"), ("storage", "storage"), ("name", "name__contains")):
        if options[option]:
            rows = rows.filter(**{lookup: options[option]})
    return rows
