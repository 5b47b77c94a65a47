"""A progress bar for a terminal; it draws nothing elsewhere, such as under cron."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["Progress"]

_WIDTH = 30
_INTERVAL = 0.1


class Progress:
    """Draws ``[####......] 40% retry 4/10`` over and over in one line.

    Args:
        stream: Where to draw; nothing is drawn if it is not a terminal.
        quiet: Whether to draw nothing at all.

    Example:
        >>> import sys
        >>> with Progress(sys.stdout) as progress:
        ...     progress("retry", 4, 10)
    """

    def __init__(self, stream: Any, *, quiet: bool = False) -> None:
        self._stream = stream
        self._drawing = not quiet and stream.isatty()
        self._next = 0.0
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._drawn:
            self._stream.write("\r\033[K", ending="")

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how much is done.

        Args:
            what: What is being done, in a word.
            done: How many are done.
            total: How many there are.
        """
        now = time.monotonic()
        if not self._drawing or (now < self._next and done < total):
            return
        self._next, self._drawn = now + _INTERVAL, True
        share = done / total if total else 1.0
        bar = "#" * int(share * _WIDTH)
        line = f"\r[{bar:.<{_WIDTH}}] {share:4.0%} {what} {done}/{total}\033[K"
        self._stream.write(line, ending="")
        self._stream.flush()
