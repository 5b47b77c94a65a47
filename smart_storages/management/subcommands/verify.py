"""``manage.py buckets verify``: whether the target has what the source has."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any, Dict, Optional

from smart_storages.common.documentation import plain_text
from smart_storages.management.moving.arguments import add_ends, count, read_plan
from smart_storages.management.moving.verifying import verify
from smart_storages.management.output import Context
from smart_storages.management.subcommands import FINE, WRONG

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Compare what two modules or aliases hold; nothing is changed."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_ends(parser)
    parser.add_argument("--workers", type=count, help="Files at a time (32 on the server, else 8).")


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Compare; the exit code is 1 if there is a difference."""
    plan = read_plan(options)

    def tell(what: str, name: str, error: Optional[Exception]) -> None:
        context.warn(f"{what}: {name}" + (f": {plain_text(error)}" if error is not None else ""))

    with context.progress("Comparing") as progress:
        found = verify(plan, tell, progress.advance)
    if context.json:
        context.write_json(asdict(found))
    else:
        context.write(
            f"{found.same:,} the same, {found.different:,} different, {found.missing:,} missing in "
            f"the target, {found.extra:,} only in the target, {found.failed:,} not compared"
            + (f", {found.gone:,} deleted from both meanwhile." if found.gone else ".")
        )
    return FINE if found.is_equal else WRONG
