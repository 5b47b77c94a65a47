"""``manage.py buckets explain``: every option of a module, and where it comes from."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict

from smart_storages.management.explaining import DEFAULT, explain
from smart_storages.management.output import Context
from smart_storages.management.places import find_place
from smart_storages.management.subcommands import FINE, WRONG

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Show every option of a module as it takes effect, and where it comes from."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the module."""
    parser.add_argument("module", help="A module of SMART_STORAGE_BUCKETS, or an alias.")
    parser.add_argument("--set", action="store_true", help="Only options that somebody set.")


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Show the table; the exit code is 1 if the module cannot be used as it is configured."""
    place = find_place(options["module"])
    if place.problem is not None:
        context.warn(str(place.problem))
        return WRONG
    rows = [each for each in explain(place) if not (options["set"] and each.source == DEFAULT)]
    if context.json:
        context.write_json([each._asdict() for each in rows])
    else:
        context.table(rows, ("OPTION", "VALUE", "SOURCE"))
    return FINE
