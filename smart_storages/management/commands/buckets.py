"""``manage.py buckets``: check, create, show and move what the modules' buckets hold."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand

from smart_storages.common.subcommands import adopt_subcommands
from smart_storages.management import subcommands
from smart_storages.management.output import Context

__all__ = ["Command"]

_EXIT_CODES = """\
exit codes:
  0    everything is fine
  1    something is wrong, or could not be done
  2    the command cannot be called that way
  130  interrupted with Ctrl-C
"""


class Command(BaseCommand):
    """The command; each subcommand is a module of ``smart_storages.management.subcommands``."""

    help = "Operate the buckets of the modules; 'buckets SUBCOMMAND --help' explains each."
    requires_system_checks: Any = ()  # it is there to find out what is wrong

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        parser.epilog = _EXIT_CODES
        parser.formatter_class = RawDescriptionHelpFormatter
        parsers = parser.add_subparsers(
            dest="subcommand", required=True, metavar="SUBCOMMAND", title="subcommands"
        )
        for name in subcommands.names():
            module = subcommands.load(name)
            each = parsers.add_parser(
                name,
                help=module.HELP,
                description=module.HELP,
                epilog=_EXIT_CODES,
                formatter_class=RawDescriptionHelpFormatter,
            )
            module.add_arguments(each)
            each.add_argument("--json", action="store_true", help="Write JSON, for programs.")
        adopt_subcommands(parser, parsers)

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        """Run the subcommand, and leave with its exit code."""
        context = Context(
            self.stdout,
            self.stderr,
            json=options["json"],
            verbosity=options["verbosity"],
            highlight=self.style.WARNING,
        )
        code = subcommands.run(subcommand, context, options)
        if code:
            raise SystemExit(code)
