"""``manage.py buckets url``: the URLs under which files are read."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict

from django.core.management.base import CommandError

from smart_storages.management.files import parse
from smart_storages.management.output import Context
from smart_storages.management.subcommands import FINE, USAGE

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Print the URL of a file, as the storage gives it; no request is sent."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the files, and how long their URLs are valid."""
    parser.add_argument(
        "paths", nargs="+", metavar="MODULE:PATH", help="Files; they need not exist."
    )
    parser.add_argument(
        "--expire", type=int, metavar="SECONDS", help="How long it is valid; 604800 at most."
    )


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Print a URL in each line."""
    files = [parse(text) for text in options["paths"]]
    try:
        urls = [file.storage.url(file.path, expire=options["expire"]) for file in files]
    except ValueError as error:
        raise CommandError(str(error), returncode=USAGE) from error
    if context.json:
        context.write_json([{"name": str(file), "url": url} for file, url in zip(files, urls)])
    for url in urls:
        context.write(url)
    return FINE
