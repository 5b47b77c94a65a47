"""``manage.py buckets cat``: the content of files."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict

from smart_storages.management.files import parse
from smart_storages.management.output import Context
from smart_storages.management.subcommands import FINE

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Write the content of files to the standard output."

_CHUNK = 1024**2


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the files."""
    parser.add_argument("paths", nargs="+", metavar="MODULE:PATH", help="Files, one after another.")


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Write the contents; with ``--json`` what is known of the files instead."""
    files = [parse(text) for text in options["paths"]]
    if context.json:
        stats = [(file, file.storage.stat(file.path)) for file in files]
        context.write_json([{"name": str(file), **vars(stat)} for file, stat in stats])
        return FINE
    for file in files:
        with file.storage.open(file.path) as opened:
            for chunk in opened.chunks(_CHUNK):
                context.write_bytes(chunk)
    return FINE
