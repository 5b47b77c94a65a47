"""``manage.py buckets usage``: what the modules take up, by folder, and unfinished uploads."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict, List

from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import SmartStorageError
from smart_storages.management.output import Context, describe_size
from smart_storages.management.places import Place, find_sound_places
from smart_storages.management.statements import bucket_arn, one_line, statement
from smart_storages.management.subcommands import FINE, WRONG
from smart_storages.management.usage import Total, Upload, Usage, measure
from smart_storages.signals import bucket_measured

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Show what the modules take up, by folder, and uploads that were never finished."

_BAR = 24
_MOST_UPLOADS = 10


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the modules, and how much is shown of each."""
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="Modules; all if none.")
    parser.add_argument("--top", type=int, default=20, help="Folders to show of each module (20).")


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Show a table for each module; the exit code is 1 if one could not be listed."""
    failed = False
    described: List[Dict[str, Any]] = []
    for place in find_sound_places(options["modules"]):
        if "*" in str(place.bucket):
            context.warn(f"{place.module}: a pattern with many buckets; name one of its modules.")
            continue
        try:
            with context.progress(f"Listing {place.module}") as progress:
                usage = measure(place, progress.advance)
        except SmartStorageError as error:
            context.warn(f"{place.module}: {plain_text(error)}")
            failed = True
            continue
        described.append(_describe(usage))
        context.announce(bucket_measured, **_noted(usage))
        if not context.json:
            _show(context, usage, options["top"])
    if context.json:
        context.write_json(described)
    return WRONG if failed else FINE


def _noted(usage: Usage) -> Dict[str, Any]:
    return {
        "module": usage.place.module,
        "bucket": usage.place.bucket,
        "location": usage.place.location,
        "files": usage.total.files,
        "bytes": usage.total.bytes,
        "newest": usage.total.newest,
        "incomplete_uploads": None if usage.uploads is None else len(usage.uploads),
    }


def _describe(usage: Usage) -> Dict[str, Any]:
    return {
        "module": usage.place.module,
        "bucket": usage.place.bucket,
        "location": usage.place.location,
        **vars(usage.total),
        "folders": {name: vars(total) for name, total in usage.folders.items()},
        "incomplete_uploads": None
        if usage.uploads is None
        else [
            {"key": each.key, "started": each.started, "days": round(each.days, 1)}
            for each in usage.uploads
        ],
    }


def _show(context: Context, usage: Usage, top: int) -> None:
    place, total = usage.place, usage.total
    count = f"{total.files:,} files, {describe_size(total.bytes)}"
    context.write(f"{place.module}: {place.bucket}/{place.location}, {count}")
    if usage.folders:
        ordered = sorted(usage.folders.items(), key=lambda item: -item[1].bytes)
        block = _block(context)
        rows = [_row(name, each, total, block) for name, each in ordered[:top]]
        context.table(rows, ("FOLDER", "FILES", "SIZE", "NEWEST", "SHARE"))
        if len(ordered) > top:
            context.write(f"and {len(ordered) - top} more folders; --top shows them")
    _show_uploads(context, place, usage.uploads)
    context.write()


def _row(name: str, each: Total, whole: Total, block: str) -> List[Any]:
    share = each.bytes / whole.bytes if whole.bytes else 0.0
    newest = f"{each.newest:%Y-%m-%d %H:%M}" if each.newest else None
    bar = block * max(round(share * _BAR), 1)
    return [name, each.files, describe_size(each.bytes), newest, f"{share:4.0%} {bar}"]


def _block(context: Context) -> str:
    encoding = getattr(context.stdout, "encoding", None) or "utf-8"
    try:
        "\u2588".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return "#"
    return "\u2588"


def _show_uploads(context: Context, place: Place, uploads: Any) -> None:
    if uploads is None:
        allowed = one_line(statement(["s3:ListBucketMultipartUploads"], bucket_arn(place)))
        context.write(f"Incomplete uploads could not be listed. Allow it: {allowed}")
        return
    found: List[Upload] = uploads
    if found:
        context.write(
            f"{len(found)} incomplete uploads, which take up space unseen; 'manage.py buckets "
            f"create {place.module}' has them removed after 7 days:"
        )
        for each in found[:_MOST_UPLOADS]:
            context.write(f"  {each.days:6.1f} days  {each.key}")
        if len(found) > _MOST_UPLOADS:
            context.write(f"  and {len(found) - _MOST_UPLOADS} more")
