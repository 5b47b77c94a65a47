"""What a check says of each step, and how a step says it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FAILED", "OK", "SKIPPED", "WARNING", "FaultError", "Finding", "NotApplicableError"]

OK, FAILED, WARNING, SKIPPED = "ok", "failed", "warning", "skipped"


class Finding(NamedTuple):
    """The outcome of one step.

    Args:
        step: Name of the step.
        status: ``OK``, ``FAILED``, ``WARNING`` or ``SKIPPED``.
        what: What was seen, as a sentence.
        why: Why that is so, as far as it can be told.
        fix: The smallest change that mends it: an option, a statement of a policy, a command.
    """

    step: str
    status: str
    what: str = ""
    why: str = ""
    fix: str = ""


class FaultError(Exception):
    """Raised by a step that found something wrong.

    Args:
        what: What was seen.
        why: Why that is so.
        fix: What mends it.
        serious: ``False`` for what works, but is better changed.
        step: The step that is to blame, if it is an earlier one.
    """

    def __init__(
        self, what: str, why: str = "", fix: str = "", *, serious: bool = True, step: str = ""
    ) -> None:
        super().__init__(what)
        self.what, self.why, self.fix = what, why, fix
        self.serious, self.step = serious, step


class NotApplicableError(Exception):
    """Raised by a step that has nothing to look at.

    Args:
        reason: Why.
        blocks: Whether the steps that need this one have nothing to look at either.
    """

    def __init__(self, reason: str, *, blocks: bool = False) -> None:
        super().__init__(reason)
        self.blocks = blocks
