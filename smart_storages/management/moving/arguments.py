"""The arguments of the subcommands that have a source and a target."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any, Dict

from django.core.exceptions import SuspiciousFileOperation
from django.core.management.base import CommandError

from smart_storages.common.names import check_path
from smart_storages.exceptions import ConfigurationError
from smart_storages.management.moving.copying import Plan
from smart_storages.management.moving.ends import End, end_of
from smart_storages.management.places import refuse_pattern
from smart_storages.storages.lookup import resolve_storage

__all__ = ["add_ends", "count", "find_end", "read_plan"]

_MOST_WORKERS = 256


def add_ends(parser: ArgumentParser) -> None:
    """Declare ``SOURCE``, ``TARGET`` and ``--prefix``."""
    parser.add_argument("source", metavar="SOURCE", help="A module, or an alias of STORAGES.")
    parser.add_argument("target", metavar="TARGET", help="A module, or an alias of STORAGES.")
    parser.add_argument("--prefix", default="", help="Only names that begin with this.")


def count(text: str) -> int:
    """Return a number of workers.

    Raises:
        ArgumentTypeError: it is no whole number from 1 to 256.
    """
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_WORKERS:
        raise ArgumentTypeError(f"{text!a} is not a whole number from 1 to {_MOST_WORKERS}.")
    return int(text)


def read_plan(options: Dict[str, Any]) -> Plan:
    """Return what the arguments say is to be copied or compared.

    Raises:
        CommandError: an end is no module and no alias, or is misconfigured; or the prefix leads out
            of the storage.
    """
    try:
        check_path(options["prefix"])
    except SuspiciousFileOperation as error:
        raise CommandError(f"--prefix: {error}", returncode=2) from error
    return Plan(
        source=find_end(options["source"]),
        target=find_end(options["target"]),
        prefix=options["prefix"],
        delete=options.get("delete", False),
        dry_run=options.get("dry_run", False),
        workers=options.get("workers"),
        allow_empty=options.get("allow_empty", False),
    )


def find_end(reference: str) -> End:
    """Return the end that a module or an alias means.

    Raises:
        CommandError: it means nothing, or its settings are wrong.
    """
    refuse_pattern(reference)
    try:
        return end_of(resolve_storage(reference), reference)
    except ConfigurationError as error:
        raise CommandError(str(error), returncode=2) from error
