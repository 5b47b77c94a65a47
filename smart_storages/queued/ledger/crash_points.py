"""Named steps of the queue, at which the crash tests kill the process.

Each place where a crash could leave work half done calls :func:`reached` with the step's name. In
production this costs one comparison. The crash tests set :data:`hook` and kill the process at each
of these steps; ``docs/queued.md`` says what each crash leaves behind and what repairs it.
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

#: Called with the name of each step; only tests set it.
hook: Optional[Callable[[str], None]] = None


def reached(step: str) -> None:
    """Report that ``step`` has just been completed."""
    if hook is not None:
        hook(step)
