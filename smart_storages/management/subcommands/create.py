"""``manage.py buckets create``: makes what the buckets of the modules lack."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict, List, Tuple

from smart_storages.management.creating import FAILED, PENDING, Change, Wishes, create
from smart_storages.management.output import Context
from smart_storages.management.places import Place, find_places, find_sound_places
from smart_storages.management.subcommands import FINE, WRONG

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Make what the buckets lack; what is there already stays."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the modules, and what the buckets are to have."""
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="Modules; all if none.")
    parser.add_argument("--dry-run", action="store_true", help="Change nothing, say what lacks.")
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        help="Origin of pages that upload straight to the bucket, https://www.example.com: it is "
        "added to the CORS rules. May be repeated.",
    )
    versions = parser.add_mutually_exclusive_group()
    versions.add_argument(
        "--versioning",
        action="store_true",
        default=None,
        help="Keep old versions; the default, save on Ceph, which then ignores If-None-Match.",
    )
    versions.add_argument(
        "--no-versioning", dest="versioning", action="store_false", help="Leave versioning alone."
    )


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Make what lacks; the exit code is 1 if something could not be made."""
    places = find_sound_places(options["modules"])
    wishes = Wishes(options["origin"], options["versioning"], options["dry_run"])
    reports: List[Dict[str, Any]] = []
    for bucket, group in _by_bucket(places, context).items():
        modules = [place.module for place in group]
        context.write(f"{bucket[-1]}, for {', '.join(modules)}")
        changes: List[Change] = []
        for change in create(group, wishes):
            changes.append(change)
            _tell(context, change)
        described = [change._asdict() for change in changes]
        reports.append({"bucket": bucket[-1], "modules": modules, "changes": described})
    if context.json:
        context.write_json(reports)
    statuses = [change["status"] for report in reports for change in report["changes"]]
    if PENDING in statuses:
        context.write(f"{statuses.count(PENDING)} changes to make; nothing was changed.")
    return WRONG if FAILED in statuses else FINE


def _by_bucket(places: List[Place], context: Context) -> Dict[Tuple[str, ...], List[Place]]:
    buckets: Dict[Tuple[str, ...], List[Place]] = {}
    for place in places:
        if "*" in str(place.bucket):
            context.warn(f"{place.module}: a pattern; name one of its modules to make its bucket.")
        else:
            buckets.setdefault(_identity_of(place), []).append(place)
    # A public and a private module may share a bucket: all of them say what it needs.
    for place in find_places():
        if place.problem is None and place.bucket and _identity_of(place) in buckets:
            group = buckets[_identity_of(place)]
            if all(place.module != each.module for each in group):
                group.append(place)
    return buckets


def _identity_of(place: Place) -> Tuple[str, ...]:
    return (*place.storage.identify_server(), str(place.bucket))


def _tell(context: Context, change: Change) -> None:
    context.write(f"  {change.status:13} {change.what}")
    for label, text in (("why", change.why), ("fix", change.fix)):
        if text:
            context.write(f"{'':16}{label}: {text}")
