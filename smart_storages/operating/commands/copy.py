"""``manage.py buckets copy``: make the target have what the source has."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Optional

from smart_storages.operating.commands import FINE, INTERRUPTED, WRONG
from smart_storages.operating.moving.arguments import add_ends, count, read_plan
from smart_storages.operating.moving.checkpoints import Checkpoint, default_path
from smart_storages.operating.moving.copying import COPIED, Copier, Plan, Report
from smart_storages.operating.moving.manifest import Manifest
from smart_storages.operating.output import Context, describe_size

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


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Copy; the exit code is 1 if a file could not be copied or deleted."""
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
                context.warn(f"{name}: {error}")
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
