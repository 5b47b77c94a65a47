"""How far something is, for those who draw it in one way or another, or not at all."""

from __future__ import annotations

from typing import Optional

__all__ = ["Progress"]


class Progress:
    """How far something is; draws nothing itself, for when nobody is watching.

    Args:
        description: What is being done: ``"Copying"``.
        total: How many files or bytes there are, ``None`` if that is not known.
        unit: ``"files"`` or ``"bytes"``.
    """

    def __init__(self, description: str, total: Optional[int], unit: str) -> None:
        self.description, self.total, self.unit = description, total, unit
        self.done = 0

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more as done. One thread at a time may call this."""
        self.done += n

    def close(self) -> None:
        """Remove what is drawn."""
