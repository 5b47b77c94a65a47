"""``manage.py buckets list``: the modules, their buckets, and who uses them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict

from smart_storages.management.output import Context
from smart_storages.management.places import Place, find_places
from smart_storages.management.subcommands import FINE, WRONG

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Show the modules, their buckets, and who uses them."

_HEADINGS = ("MODULE", "BUCKET", "LOCATION", "SERVER", "ACCESS", "USED BY")


def add_arguments(parser: ArgumentParser) -> None:
    """It has no arguments of its own."""


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Show the table; the exit code is 1 if a module cannot be used as it is configured."""
    described = [_describe(place) for place in find_places()]
    if context.json:
        context.write_json(described)
    elif described:
        context.table([_row(each) for each in described], _HEADINGS)
    else:
        context.write(
            "There are no modules: SMART_STORAGE_BUCKETS is not set, and no storage used."
        )
    wrong = [each for each in described if each["problem"]]
    for each in wrong:
        context.warn(f"{each['module']}: {each['problem']}")
    return WRONG if wrong else FINE


def _describe(place: Place) -> Dict[str, Any]:
    if place.problem is not None:
        shown: Dict[str, Any] = dict.fromkeys(("bucket", "location", "server", "access"))
    else:
        shown = {name: getattr(place, name) for name in ("bucket", "location", "server", "access")}
    problem = str(place.problem) if place.problem else None
    if problem is None and not place.bucket:
        problem = "It has no bucket: set bucket_name, or AWS_STORAGE_BUCKET_NAME."
    return {"module": place.module, **shown, "used_by": list(place.used_by), "problem": problem}


def _row(described: Dict[str, Any]) -> Any:
    cells = [described[name] or None for name in ("module", "bucket", "location", "server")]
    return (*cells, described["access"], ", ".join(described["used_by"]) or None)
