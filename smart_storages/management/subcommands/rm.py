"""``manage.py buckets rm``: deletes files; many only after a question."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any, Dict, List, Tuple

from django.core.management.base import CommandError

from smart_storages.common.documentation import plain_text
from smart_storages.management.files import Named, find_files, parse
from smart_storages.management.output import Context
from smart_storages.management.subcommands import FINE, USAGE, WRONG

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Delete files; many only after a question."

_PAGE = 1000


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the files."""
    parser.add_argument("paths", nargs="+", metavar="MODULE:PATH", help="Files to delete.")
    parser.add_argument("-r", "--recursive", action="store_true", help="Folders, all in them.")
    parser.add_argument("--dry-run", action="store_true", help="Say what would be deleted.")
    parser.add_argument(
        "--noinput", "--no-input", action="store_false", dest="interactive", help="Do not ask."
    )


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Delete them; the exit code is 1 if one is missing or could not be deleted."""
    found = [
        (named, find_files(named, recursive=options["recursive"]))
        for named in (parse(text) for text in options["paths"])
    ]
    count = sum(len(names) for _, names in found)
    if options["dry_run"]:
        _tell(context, found, "would be deleted")
        return FINE
    if count > 1 and options["interactive"] and not _is_sure(context, count, found):
        context.warn("Nothing was deleted.")
        return WRONG
    deleted: List[Tuple[Named, List[str]]] = []
    failed: Dict[str, str] = {}
    try:
        _delete(context, found, deleted, failed, count)
    except KeyboardInterrupt:
        done = sum(len(names) for _, names in deleted)
        context.warn(f"At least {done} of {count} were deleted; the others may be there still.")
        raise
    _tell(context, deleted, "deleted", failed)
    for name, error in failed.items():
        context.warn(f"{name}: {error}")
    return WRONG if failed else FINE


def _is_sure(context: Context, count: int, found: List[Tuple[Named, List[str]]]) -> bool:
    if not sys.stdin.isatty():
        raise CommandError(
            f"{count} files would be deleted, and nobody is there to be asked: give --no-input.",
            returncode=USAGE,
        )
    places = ", ".join(str(named) for named, _ in found)
    answer = input(f"Delete {count} files of {places}? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def _delete(
    context: Context,
    found: List[Tuple[Named, List[str]]],
    deleted: List[Tuple[Named, List[str]]],
    failed: Dict[str, str],
    count: int,
) -> None:
    with context.progress("Deleting", total=count) as progress:
        for named, names in found:
            for start in range(0, len(names), _PAGE):
                page = names[start : start + _PAGE]
                refused = named.storage.delete_many(page)
                failed.update(
                    {f"{named.module}:{name}": plain_text(e) for name, e in refused.items()}
                )
                deleted.append((named, [name for name in page if name not in refused]))
                progress.advance(len(page))


def _tell(
    context: Context,
    found: List[Tuple[Named, List[str]]],
    what: str,
    failed: Any = None,
) -> None:
    names = [f"{named.module}:{name}" for named, each in found for name in each]
    if context.json:
        context.write_json({what.replace(" ", "_"): names, "failed": failed or {}})
        return
    for name in names if len(names) == 1 or what != "deleted" else ():
        context.write(f"{name} {what}")
    if len(names) > 1:
        context.write(f"{len(names)} files {what}.")
