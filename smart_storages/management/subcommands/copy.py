"""``manage.py buckets copy``: make the target have what the source has."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Optional

from django.core.management.base import CommandError

from smart_storages.common.documentation import plain_text
from smart_storages.management.moving.arguments import add_ends, count, read_plan
from smart_storages.management.moving.checkpoints import Checkpoint, default_path
from smart_storages.management.moving.copying import COPIED, Copier, Plan, Report
from smart_storages.management.moving.manifest import Manifest
from smart_storages.management.output import Context, describe_size
from smart_storages.management.subcommands import FINE, INTERRUPTED, WRONG

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Copy what differs from one module or alias to another, on the server where it can."

_LOUD = 2


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_ends(parser)
    parser.add_argument(
        "--delete",
        action="store_true",
        help="Delete from TARGET what SOURCE does not have, once everything was copied.",
    )
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        help="With --delete, go on even if SOURCE has no file at all.",
    )
    parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="Copy nothing; write what is to be copied as a manifest for S3 Batch Operations.",
    )
    parser.add_argument("--workers", type=count, help="Files at a time (32 on the server, else 8).")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="Where to keep how far the copy has come (in the user's cache directory).",
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="Compare from the first name, even if an earlier copy was interrupted.",
    )
    parser.add_argument(
        "--queue",
        action="store_true",
        help="Hand pages of 1,000 names to the workers of smart_storages.queued, and follow them.",
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="With --queue, return once they are handed over."
    )


_NOT_WITH_QUEUE = ("delete", "allow_empty", "dry_run", "manifest", "workers", "checkpoint")


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Copy; the exit code is 1 if a file could not be copied or deleted."""
    if options["queue"]:
        return _queue(context, options)
    if options["no_wait"]:
        raise CommandError("--no-wait is for --queue.", returncode=2)
    return _copy(context, options)


# In this process


def _copy(context: Context, options: Dict[str, Any]) -> int:
    plan = read_plan(options)
    with ExitStack() as stack:
        manifest: Optional[Manifest] = None
        if options["manifest"] is not None:
            plan = plan._replace(dry_run=True)
            manifest = stack.enter_context(Manifest(options["manifest"], plan.source))
        checkpoint: Optional[Checkpoint] = None
        if not plan.dry_run:
            parts = ["copy", *plan.source.scope(plan.prefix), *plan.target.scope(plan.prefix)]
            path = options["checkpoint"] or default_path(parts)
            checkpoint = stack.enter_context(Checkpoint(path, parts))
            _begin(context, checkpoint, restart=options["restart"])
        progress = stack.enter_context(context.progress("Copying"))

        def tell(what: str, name: str, error: Optional[Exception]) -> None:
            if manifest is not None and what == COPIED:
                manifest.add(name)
            if error is not None:
                context.warn(f"{name}: {plain_text(error)}")
            elif context.verbosity >= _LOUD:
                context.write(f"{what}: {name}")

        copier = Copier(plan, checkpoint, tell, progress.advance)
        try:
            copier.run()
        except KeyboardInterrupt:
            if manifest is not None:
                raise  # half a manifest is none
            _show(context, plan, copier.report, "Interrupted; call it again to go on.")
            return INTERRUPTED
    if plan.delete and copier.report.failed:
        context.warn("Nothing was deleted, or not everything: what failed comes first.")
    _show(context, plan, copier.report)
    return WRONG if copier.report.failed else FINE


def _begin(context: Context, checkpoint: Checkpoint, *, restart: bool) -> None:
    if restart:
        checkpoint.restart()
    elif checkpoint.state.after:
        context.warn(
            f"Going on after {checkpoint.state.after!r}, where an earlier copy was interrupted; "
            "--restart compares from the first name."
        )


def _show(context: Context, plan: Plan, report: Report, note: str = "") -> None:
    if context.json:
        context.write_json({**asdict(report), "dry_run": plan.dry_run, "interrupted": bool(note)})
        return
    done = "would be " if plan.dry_run else ""
    parts = [
        f"{report.copied:,} {done}copied ({describe_size(report.bytes)})",
        f"{report.same:,} the same already",
    ]
    if report.gone:
        parts.append(f"{report.gone:,} deleted from the source meanwhile")
    if plan.delete:
        parts.append(f"{report.deleted:,} {done}deleted")
    elif report.extra:
        parts.append(f"{report.extra:,} only in the target")
    parts.append(f"{report.failed:,} failed")
    context.write(f"{', '.join(parts)}.")
    if note:
        context.warn(note)


# In pages, by many workers


def _queue(context: Context, options: Dict[str, Any]) -> int:
    given = [f"--{name.replace('_', '-')}" for name in _NOT_WITH_QUEUE if options[name]]
    if given:
        raise CommandError(f"--queue cannot be combined with {', '.join(given)}.", returncode=2)
    # Here, because without the queue nothing of it is imported.
    from smart_storages.management.moving.pages import QueuedCopy
    from smart_storages.queued.readiness import explained

    copy = QueuedCopy(read_plan(options), options["source"], options["target"])
    with explained():
        if options["restart"]:
            copy.restart()
        earlier = copy.find_earlier()
        if earlier is not None and earlier.open:
            context.warn("Going on with the pages of an earlier call; --restart forgets them.")
        elif earlier is not None:
            context.warn(f"The earlier call has come to: {_describe_pages(earlier)}")
        try:
            with context.progress("Listing") as progress:
                copy.hand_over(progress.advance)
            if options["no_wait"]:
                _show_pages(context, copy.count(), "Call it again to follow them.")
                return FINE
            with context.progress("Copying", total=copy.count().files) as progress:
                totals = copy.follow(progress.advance, context.warn)
        except KeyboardInterrupt:
            _show_pages(context, copy.count(), "The workers go on; call it again to follow them.")
            return INTERRUPTED
    _show_pages(context, totals)
    return WRONG if totals.failures else FINE


def _show_pages(context: Context, totals: Any, note: str = "") -> None:
    if context.json:
        context.write_json(asdict(totals))
        return
    for page, error in totals.failures.items():
        context.warn(f"{page}: {error}")
    context.write(_describe_pages(totals))
    if note:
        context.warn(note)


def _describe_pages(totals: Any) -> str:
    parts = [
        f"{totals.pages:,} pages, {totals.open:,} of them open",
        f"{totals.copied:,} copied ({describe_size(totals.bytes)})",
        f"{totals.same:,} the same already",
    ]
    if totals.gone:
        parts.append(f"{totals.gone:,} deleted from the source meanwhile")
    parts.append(f"{totals.failed:,} failed")
    return f"{', '.join(parts)}."
