"""The named steps between which a process may die.

Each place where a crash could leave something half done calls :func:`reached` with its name.
In production that is one comparison. The crash tests set :data:`hook` and kill the process at
every one of these names; ``docs/queued.md`` says what each leaves behind and who repairs it.
"""

from __future__ import annotations

from typing import Callable, Optional

__all__ = ["STEPS", "hook", "reached"]

STEPS = (
    "save:local-written",
    "save:remote-written",
    "save:row-written",
    "save:committed",
    "save:enqueued",
    "save:old-copy-deleted",
    "delete:row-written",
    "delete:committed",
    "delete:enqueued",
    "ask:committed",
    "ask:enqueued",
    "transfer:claimed",
    "transfer:named",
    "transfer:place-freed",
    "transfer:sending",
    "transfer:uploading",
    "transfer:uploaded",
    "transfer:verified",
    "transfer:recorded",
    "transfer:local-forgotten",
    "transfer:local-deleted",
    "transfer:finished",
    "transfer:superseded",
    "remove:claimed",
    "remove:remote-deleted",
    "remove:finished",
    "settle:claimed",
    "settle:verified",
    "sweep:requeued",
    "sweep:local-forgotten",
    "sweep:local-deleted",
    "sweep:orphan-deleted",
    "retry:requeued",
)

#: Set by tests only; called with the name of the step.
hook: Optional[Callable[[str], None]] = None


def reached(step: str) -> None:
    """Say that ``step`` has just been completed."""
    if hook is not None:
        hook(step)
