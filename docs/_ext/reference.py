"""Writes the pages of the reference from the code: its tables, parsers and docstrings.

The pages are made anew at each build of the site and are not kept, so they cannot be out of date.
"""

from __future__ import annotations

import importlib
import re
from argparse import SUPPRESS, ArgumentParser, _SubParsersAction
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, Sequence, Tuple

import option_texts
import setting_texts
from django.core.management import load_command_class
from django.template import Library

from smart_storages.config.options import OPTIONS, SECRET_OPTIONS
from smart_storages.config.spelling import OWN_SETTINGS
from smart_storages.config.uploads import UPLOADS_SETTING, UploadSettings

ROOT = Path(__file__).resolve().parents[2]

#: Set by the package itself, and by nobody's settings file.
INTERNAL_SETTINGS = frozenset({"SMART_STORAGE_TEST_BACKEND"})

#: Settings of this package whose names say nothing of it.
NAMED_OTHERWISE = frozenset({"AZURE_CONTAINER", "FALLBACK_STORAGES", "GS_BUCKET_NAME"})

#: Page, its title, and the public modules whose names it describes.
MODULES: Sequence[Tuple[str, str, Sequence[str]]] = (
    (
        "storages",
        "Storages",
        ["smart_storages.storages", "smart_storages.utils", "smart_storages.config"],
    ),
    (
        "composed",
        "Dispatchers, fallbacks, mirrors, tenants",
        [
            "smart_storages.dispatcher",
            "smart_storages.resolvers",
            "smart_storages.tenancy",
            "smart_storages.fallback",
            "smart_storages.mirror",
            "smart_storages.wrappers",
        ],
    ),
    ("fields", "Fields", ["smart_storages.storages.fields"]),
    (
        "queue",
        "Queued transfers",
        [
            "smart_storages.queued.backends",
            "smart_storages.queued.fields",
            "smart_storages.queued.tasks",
        ],
    ),
    (
        "uploads",
        "Direct uploads",
        [
            "smart_storages.uploads.fields",
            "smart_storages.uploads.forms",
            "smart_storages.uploads.admin",
            "smart_storages.uploads.middleware",
            "smart_storages.uploads.targets",
            "smart_storages.uploads.adopting",
            "smart_storages.uploads.views",
            "smart_storages.uploads.rest_framework",
        ],
    ),
    (
        "serving",
        "Serving files",
        [
            "smart_storages.serve",
            "smart_storages.templatetags.smart_storages",
            "smart_storages.serve.rest_framework",
        ],
    ),
    ("testing", "Testing", ["smart_storages.testing"]),
    ("errors", "Errors", ["smart_storages.exceptions"]),
    ("signals", "Signals", ["smart_storages.signals"]),
    ("debug", "Debug pages", ["smart_storages.monitoring.debug_page"]),
)

_UPLOADS = str(UploadSettings.__doc__).split("Args:")[1]

#: Commands, and the app that has each.
COMMANDS = {"buckets": "smart_storages", "transfers": "smart_storages.queued"}


def write(folder: Path) -> List[str]:
    """Write all pages; return their names."""
    folder.mkdir(exist_ok=True)
    pages = {
        "settings": settings_page(),
        "options": options_page(),
        "commands": commands_page(),
        **{name: module_page(title, modules) for name, title, modules in MODULES},
    }
    for name, text in pages.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text("utf-8") != text:  # or Sphinx builds it again
            path.write_text(text, "utf-8")
    for path in folder.glob("*.rst"):
        if path.stem not in pages:
            path.unlink()
    return list(pages)


def settings_page() -> str:
    """The settings of the package, and those of the options."""
    of_options = sorted(
        (f"``{option.setting}``", f":ref:`{name} <option-{name}>`")
        for name, option in OPTIONS.items()
        if option.setting
    )
    return "\n".join(
        [
            *_title("Settings"),
            "",
            *_own_settings(),
            "Defaults of options",
            "-------------------",
            "",
            "The value of an option in every module that does not set it.",
            "",
            *_table(("setting", "option"), of_options),
            "",
        ]
    )


def _own_settings() -> Iterator[str]:
    for name, setting in sorted(setting_texts.SETTINGS.items()):
        yield from (f".. _setting-{name}:", "", f"``{name}``", "-" * (len(name) + 4), "")
        yield from (_rst(setting.text), "")
        yield f":Type: {setting.expected}"
        yield f":Default: ``{setting.default!r}``"
        yield f":More: :doc:`/{setting.page}`"
        yield ""
        if name == UPLOADS_SETTING:
            yield from (_key(each) for each in fields(UploadSettings))
            yield ""


def _key(field: Field[Any]) -> str:
    text = re.search(rf"{field.name}: (.*?)(?=\n\s+\w+: |\n\n|\Z)", _UPLOADS, re.DOTALL)
    if not text:
        raise ValueError(f"UploadSettings does not describe {field.name}.")
    return f"- ``{field.name!r}``: {' '.join(text[1].split())} Default: ``{field.default!r}``."


def own_settings() -> FrozenSet[str]:
    """The settings of the package that are not the default of an option."""
    return (OWN_SETTINGS | NAMED_OTHERWISE) - INTERNAL_SETTINGS - settings_of_options()


def settings_of_options() -> FrozenSet[str]:
    """The settings that are the default of an option."""
    return frozenset(option.setting for option in OPTIONS.values() if option.setting)


def options_page() -> str:
    """The options of a module."""
    lines = [
        *_title("Options"),
        "",
        "Keys of an entry of ``SMART_STORAGE_BUCKETS``, arguments of a storage, attributes of a",
        "class, and ``OPTIONS`` of ``STORAGES``. :doc:`/configuration` says which of them counts.",
        "",
    ]
    for name, option in sorted(OPTIONS.items()):
        lines += [f".. _option-{name}:", "", f"``{name}``", "~" * (len(name) + 4), ""]
        lines += [_rst(option_texts.OPTIONS[name]), ""]
        if option.types:
            lines += [f":Type: {option.expected}"]
        if name not in SECRET_OPTIONS:
            lines += [f":Default: ``{option.default!r}``"]
        if option.setting:
            lines += [f":Setting: ``{option.setting}``"]
        if name in SECRET_OPTIONS:
            lines += [":Secret: prints as ``***``"]
        lines += [""]
    return "\n".join(lines)


def commands_page() -> str:
    """The commands, with each subcommand and argument."""
    lines = _title("Commands")
    for command, app in COMMANDS.items():
        parser = load_command_class(app, command).create_parser("manage.py", command)
        lines += ["", command, "-" * len(command), "", _rst(str(parser.description)), ""]
        for name, text, each in subparsers(parser):
            title = f"{command} {name}"
            lines += [title, "~" * len(title), "", _rst(text), ""]
            lines += _arguments(each)
    return "\n".join(lines)


def subparsers(parser: ArgumentParser) -> Iterator[Tuple[str, str, ArgumentParser]]:
    """Yield the name, the help and the parser of each subcommand."""
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, each in action.choices.items():
                yield name, helps.get(name, ""), each


def _arguments(parser: ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if action.help == SUPPRESS or action.dest == "help" or action.dest in _OF_DJANGO:
            continue
        names = action.option_strings or [str(action.metavar or action.dest)]
        value = ""
        if action.option_strings and action.nargs != 0:
            value = f" {action.metavar or action.dest.upper()}"
            if action.choices:
                value = " " + "|".join(map(str, action.choices))
        yield f"``{', '.join(names)}{value}``"
        yield f"    {_rst(_expanded(parser, action))}"
        yield ""


_OF_DJANGO = {
    "force_color",
    "no_color",
    "pythonpath",
    "settings",
    "skip_checks",
    "traceback",
    "verbosity",
    "version",
}


def _expanded(parser: ArgumentParser, action: Any) -> str:
    return " ".join(str(parser._get_formatter()._expand_help(action) or "").split())


def module_page(title: str, modules: Iterable[str]) -> str:
    """The public names of modules, from their docstrings."""
    lines = _title(title)
    for path in modules:
        summary = str(importlib.import_module(path).__doc__).split("\n\n")[0]
        lines += ["", path, "-" * len(path), "", f".. module:: {path}", "", *summary.splitlines()]
        lines += [""]
        for name, kind in public_names(path):
            lines += [f".. auto{kind}:: {path}.{name}"]
            if kind in ("class", "exception"):
                lines += ["   :members:", "   :show-inheritance:"]
            lines += [""]
    return "\n".join(lines)


def public_names(path: str) -> Iterator[Tuple[str, str]]:
    """Yield each name of ``__all__`` that is at home here, and how Sphinx calls its kind."""
    module = importlib.import_module(path)
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, Library):
            yield from ((tag, "function") for tag in value.tags)
        elif isinstance(value, dict):
            continue  # URLs and the like: their page tells of them
        elif isinstance(value, type):
            if value.__module__.split(".")[0] != "smart_storages":
                continue  # S3Boto3Storage, handed on
            if name not in described(path):
                yield name, "exception" if issubclass(value, BaseException) else "class"
        elif name not in described(path):
            yield name, "function" if callable(value) and hasattr(value, "__code__") else "data"


def described(path: str) -> Dict[str, str]:
    """The names of a module that another page has already, with that module."""
    return {"ReadOnlyStorage": "", "ScopedStorage": ""} if path.endswith(".mirror") else {}


def _title(text: str) -> List[str]:
    return [text, "=" * len(text)]


def _table(head: Tuple[str, str], rows: Iterable[Tuple[str, str]]) -> Iterator[str]:
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :widths: 40 60"
    yield ""
    for row in [head, *rows]:
        yield f"   * - {row[0]}"
        yield f"     - {row[1]}"


def _rst(text: str) -> str:
    """Markdown's code spans as those of reStructuredText, and its special signs as text."""
    parts = re.split(r"(`+[^`]+`+)", text)
    return "".join(
        f"``{part.strip('`')}``" if part.startswith("`") else re.sub(r"([*|_])", r"\\\1", part)
        for part in parts
    )
