"""The subcommands, one module for each; a new module is a new subcommand.

Parsed options and a :class:`~smart_storages.management.output.Context` come in; an exit code goes
out. A module has ``HELP``, a sentence; ``add_arguments(parser)``; and ``handle(context, options)``,
which returns the exit code. It may not write to ``sys.stdout`` past its context.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Dict, List

from botocore.exceptions import BotoCoreError, ClientError
from django.core.exceptions import SuspiciousOperation
from django.core.management.base import CommandError

from smart_storages.backends.s3.errors.translation import translate_error
from smart_storages.exceptions import SmartStorageError
from smart_storages.management.output import Context

__all__ = ["FINE", "INTERRUPTED", "USAGE", "WRONG", "load", "names", "run"]

FINE, WRONG, USAGE, INTERRUPTED = 0, 1, 2, 130


def names() -> List[str]:
    """Return the names of the subcommands, sorted."""
    return sorted(name for _, name, is_package in iter_modules(__path__) if not is_package)


def load(name: str) -> Any:
    """Return the module of a subcommand."""
    return import_module(f"{__name__}.{name}")


def run(name: str, context: Context, options: Dict[str, Any]) -> int:
    """Run a subcommand and return its exit code.

    Raises:
        CommandError: something that it needs is wrong; Django shows the text, without a traceback.
    """
    try:
        code: int = load(name).handle(context, options)
    except BrokenPipeError:
        # The reader has seen enough: "cat ... | head". Python would fail again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except KeyboardInterrupt:
        context.warn("Interrupted.")
        return INTERRUPTED
    except (BotoCoreError, ClientError) as error:
        ours = translate_error(error)
        raise CommandError(str(ours), returncode=WRONG) from ours
    except (SmartStorageError, SuspiciousOperation) as error:
        raise CommandError(str(error), returncode=WRONG) from error
    return code
