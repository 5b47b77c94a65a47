"""Subcommands of a management command that behave like commands of their own."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from typing import Any

__all__ = ["adopt_subcommands"]


def adopt_subcommands(parser: ArgumentParser, subcommands: Any) -> None:
    """Have each subcommand take Django's own options too, and report errors as the command does.

    Args:
        parser: The command's parser.
        subcommands: What ``parser.add_subparsers()`` returned, with all subcommands added.

    Example::

        subcommands = parser.add_subparsers(dest="action", required=True)
        subcommands.add_parser("list")
        adopt_subcommands(parser, subcommands)      # "list --verbosity 0" works
    """
    each: Any
    for each in subcommands.choices.values():  # Django does so itself from 4.0 on
        each.called_from_command_line = getattr(parser, "called_from_command_line", False)
        _add_options_of_django(each)


def _add_options_of_django(parser: ArgumentParser) -> None:
    # Without defaults: these would replace what is given before the subcommand.
    hidden: Any = {"default": SUPPRESS, "help": SUPPRESS}
    parser.add_argument("-v", "--verbosity", type=int, choices=range(4), **hidden)
    for option in ("--settings", "--pythonpath"):
        parser.add_argument(option, **hidden)
    for flag in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
        parser.add_argument(flag, action="store_true", **hidden)
