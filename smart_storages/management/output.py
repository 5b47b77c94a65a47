"""Where a subcommand writes: text, tables, JSON, warnings, and how far it is."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from django.dispatch import Signal

from smart_storages.common.secrets import Secret, SecretBytes
from smart_storages.management.progress import Progress

__all__ = ["Context", "describe_size"]

_SECONDS_BETWEEN_LINES = 2.0
_STEP = 1024


def describe_size(size: float) -> str:
    """Return bytes as people read them.

    Example:
        >>> describe_size(512), describe_size(5 * 1024 * 1024)
        ('512 B', '5.0 MiB')
    """
    if size < _STEP:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size /= _STEP
        if size < _STEP:
            return f"{size:.1f} {unit}"
    return f"{size / _STEP:.1f} PiB"


class Context:
    """What a subcommand is given: where to write, and how.

    Args:
        stdout: Django's wrapper of the standard output.
        stderr: Django's wrapper of the standard error.
        json: Whether ``--json`` was given: then only JSON goes to the standard output.
        verbosity: Django's ``--verbosity``; at 0 no progress is shown.
        highlight: Marks a text as a warning, for a terminal with colours.

    Example::

        def handle(context, options):
            context.table([("media", 3)], ["MODULE", "FILES"])
            return 0
    """

    def __init__(
        self,
        stdout: Any,
        stderr: Any,
        *,
        json: bool = False,
        verbosity: int = 1,
        highlight: Callable[[str], str] = str,
    ) -> None:
        self.stdout, self.stderr = stdout, stderr
        self.json, self.verbosity = json, verbosity
        self._highlight = highlight

    def announce(self, signal: Signal, **facts: Any) -> None:
        """Send a signal; an error of a receiver is a warning, and the command goes on."""
        for receiver, answer in signal.send_robust(sender=None, **facts):
            if isinstance(answer, Exception):
                name = getattr(receiver, "__name__", type(receiver).__name__)
                self.warn(f"{name} could not note the result: {answer}")

    def write(self, text: str = "") -> None:
        """Write a line for a person; with ``--json`` nothing."""
        if not self.json:
            self.stdout.write(text)

    def write_bytes(self, content: bytes) -> None:
        """Write the content of a file to the standard output, as it is."""
        buffer = getattr(self.stdout, "buffer", None)
        if buffer is None:  # of a test, or of a program that collects text
            self.stdout.write(content.decode("utf-8", "replace"), ending="")
            return
        self.stdout.flush()
        buffer.write(content)
        buffer.flush()

    def write_json(self, value: Any) -> None:
        """Write a value as indented JSON. Values that JSON does not know become text."""
        plain = _without_secrets(value)
        self.stdout.write(json.dumps(plain, indent=2, default=str, ensure_ascii=False))

    def table(self, rows: Sequence[Sequence[Any]], headings: Sequence[str]) -> None:
        """Write rows in columns, those of numbers to the right; ``None`` as ``-``."""
        cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
        right = [
            bool(rows) and all(isinstance(row[index], (int, float)) for row in rows)
            for index in range(len(headings))
        ]
        widths = [max(map(len, column)) for column in zip(headings, *cells)]
        for line in (headings, *cells):
            padded = [
                cell.rjust(width) if to_right else cell.ljust(width)
                for cell, width, to_right in zip(line, widths, right)
            ]
            self.stdout.write("  ".join(padded).rstrip())

    def warn(self, text: str) -> None:
        """Write a line to the standard error."""
        self.stderr.write(text, style_func=self._highlight)

    @contextmanager
    def progress(
        self, description: str, total: Optional[int] = None, unit: str = "files"
    ) -> Iterator[Progress]:
        """Show how far something is, on the standard error, while a person is watching.

        With ``rich`` (the extra ``progress``) a bar with rate and time left, else a line every two
        seconds; nothing if the standard error is no terminal, or with ``--verbosity 0``.

        Args:
            description: What is being done.
            total: How many there are; may be set later, as the attribute ``total``.
            unit: ``"files"`` or ``"bytes"``.

        Example::

            with context.progress("Copying", total=20_000) as progress:
                progress.advance()
        """
        shown = self._make_progress(description, total, unit)
        try:
            yield shown
        finally:
            shown.close()

    def _make_progress(self, description: str, total: Optional[int], unit: str) -> Progress:
        if self.verbosity == 0 or not self.stderr.isatty():
            return Progress(description, total, unit)
        try:
            from smart_storages.management.bars import Bar
        except ImportError:
            return _Lines(description, total, unit, self.stderr)
        return Bar(description, total, unit, _Plain(self.stderr))


def _without_secrets(value: Any) -> Any:
    # JSON would copy the characters of a secret.
    if isinstance(value, (Secret, SecretBytes)):
        return "***"
    if isinstance(value, Mapping):
        return {str(key): _without_secrets(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_secrets(each) for each in value]
    return value


class _Plain:
    """A file of Django's wrapper that adds neither line ends nor colours."""

    def __init__(self, wrapper: Any) -> None:
        self._wrapper = wrapper

    def write(self, text: str) -> int:
        self._wrapper.write(text, style_func=str, ending="")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapper, name)


class _Lines(Progress):
    """A line every two seconds, where ``rich`` is not installed."""

    def __init__(self, description: str, total: Optional[int], unit: str, stderr: Any) -> None:
        super().__init__(description, total, unit)
        self._stderr = stderr
        self._began = self._last = time.monotonic()

    def advance(self, n: int = 1) -> None:
        super().advance(n)
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            self._stderr.write(self._describe(now - self._began), style_func=str)

    def _describe(self, seconds: float) -> str:
        rate = self.done / seconds
        of = f" of {self._amount(self.total)}" if self.total else ""
        text = f"{self.description}: {self._amount(self.done)}{of}, {self._amount(rate)}/s"
        if self.total and rate:
            text += f", {max(self.total - self.done, 0) / rate:.0f} s left"
        return text

    def _amount(self, count: float) -> str:
        return describe_size(count) if self.unit == "bytes" else f"{count:,.0f} {self.unit}"
