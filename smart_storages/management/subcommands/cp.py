"""``manage.py buckets cp``: copies of a few files, between modules and this machine."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path, PurePosixPath
from typing import Any, Dict, Iterator, List, Optional, Tuple

from django.core.management.base import CommandError

from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import S3Error
from smart_storages.management.files import Named, copy_file, find_files, parse, parse_local
from smart_storages.management.output import Context
from smart_storages.management.subcommands import FINE, USAGE, WRONG

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Copy a file or folder between modules, or from and to this machine."

#: From where to where: a module's file or one of this machine, and its name there.
_End = Tuple[Optional[Named], str]


def add_arguments(parser: ArgumentParser) -> None:
    """Declare both ends."""
    text = "A file as MODULE:PATH, or one of this machine as ./PATH."
    parser.add_argument("source", metavar="SOURCE", help=text)
    parser.add_argument("target", metavar="TARGET", help=f"{text} With / at its end, a folder.")
    parser.add_argument("-r", "--recursive", action="store_true", help="A folder, all in it.")


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Copy; the exit code is 1 if a file could not be copied."""
    pairs = _find_pairs(options["source"], options["target"], options["recursive"])
    copied: List[Dict[str, str]] = []
    failed: List[str] = []
    try:
        with context.progress("Copying", total=len(pairs)) as progress:
            for source, target in pairs:
                try:
                    name = copy_file(source, target)
                except (S3Error, OSError) as error:
                    failed.append(f"{_label(source)}: {plain_text(error)}")
                else:
                    copied.append({"source": _label(source), "target": _label((target[0], name))})
                progress.advance()
    except KeyboardInterrupt:
        context.warn(f"{len(copied)} of {len(pairs)} were copied, each of them whole.")
        raise
    if context.json:
        context.write_json({"copied": copied, "failed": failed})
    for each in copied:
        context.write(f"{each['source']} -> {each['target']}")
    for text in failed:
        context.warn(text)
    return WRONG if failed else FINE


def _label(end: _End) -> str:
    named, name = end
    return f"{named.module}:{name}" if named else name


def _find_pairs(source: str, target: str, recursive: bool) -> List[Tuple[_End, _End]]:
    here, there = parse_local(source), parse_local(target)
    if here is not None and there is not None:
        raise CommandError("One of the two has to be MODULE:PATH.", returncode=USAGE)
    end: _End = (None, target) if there is not None else _split(target)
    if here is None:
        named = parse(source)
        names = find_files(named, recursive=recursive)
        start = len(named.folder) if recursive else 0
        found: Iterator[Tuple[_End, str]] = (
            ((named, name), name[start:] if recursive else PurePosixPath(name).name)
            for name in names
        )
    else:
        found = ((((None, str(path))), name) for path, name in _local_files(here, recursive))
    return [(each, _target_of(end, name, recursive)) for each, name in found]


def _split(text: str) -> _End:
    named = parse(text)
    return named, named.path


def _target_of(end: _End, name: str, recursive: bool) -> _End:
    named, path = end
    is_folder = not path or path.endswith("/") or (named is None and Path(path).is_dir())
    if not (recursive or is_folder):
        return named, path
    return named, f"{path.rstrip('/')}/{name}" if path else name


def _local_files(path: Path, recursive: bool) -> Iterator[Tuple[Path, str]]:
    if path.is_dir():
        if not recursive:
            raise CommandError(
                f"{path} is a folder: give --recursive for all in it.", returncode=USAGE
            )
        for each in sorted(path.rglob("*")):
            if each.is_file():
                yield each, each.relative_to(path).as_posix()
    elif path.is_file():
        yield path, path.name
    else:
        raise CommandError(f"There is no file {path}.", returncode=WRONG)
