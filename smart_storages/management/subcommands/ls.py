"""``manage.py buckets ls``: what is in a module, or in one of its folders."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict, Iterator

from smart_storages.management.files import Entry, Named, iter_folder, parse
from smart_storages.management.output import Context, describe_size
from smart_storages.management.subcommands import FINE, WRONG

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "List the files of a module, or of one of its folders."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the folder."""
    parser.add_argument("path", metavar="MODULE:PATH", help="A module, a folder, or a file of it.")
    parser.add_argument("-r", "--recursive", action="store_true", help="Folders in it as well.")
    parser.add_argument("--bytes", action="store_true", help="Sizes in bytes.")


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Write a line for each; the exit code is 1 if there is nothing."""
    named = parse(options["path"])
    found = False
    entries = []
    for entry in _find(named, options["recursive"]):
        found = True
        if context.json:
            entries.append(entry._asdict())
        else:
            context.write(_line(entry, options["bytes"]))
    if context.json:
        context.write_json(entries)
    if not found and named.path:
        context.warn(f"There is nothing at {named}.")
        return WRONG
    return FINE


def _find(named: Named, recursive: bool) -> Iterator[Entry]:
    stat = None
    if named.path and not named.path.endswith("/"):
        stat = named.storage.stat_many([named.path])[named.path]
    if stat is not None:
        yield Entry(named.path, stat.size, stat.modified_time)
    elif recursive:
        for name, each in named.storage.iter_files(named.folder):
            yield Entry(name[len(named.folder) :], each.size, each.modified_time)
    else:
        yield from iter_folder(named)


def _line(entry: Entry, in_bytes: bool) -> str:
    if entry.size is None or entry.modified is None:
        return f"{'':31}{entry.name}"
    size = str(entry.size) if in_bytes else describe_size(entry.size)
    return f"{entry.modified:%Y-%m-%d %H:%M}  {size:>12} {entry.name}"
