"""A terminal as a picture: a command is run in a pseudo-terminal, and what it prints is drawn.

The picture is an SVG of text. In a browser its lines appear one after another, once; where
animations are not wanted or not known, all are there at once.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Sequence, Tuple

#: Of one character, in pixels, whatever font the reader has: each piece of text is set to it.
_WIDTH, _HEIGHT = 8.4, 20.0
_MARGIN, _TOP = 18.0, 44.0
_SECONDS = 120
_BACKGROUND, _FOREGROUND = "#161b22", "#e6edf3"
_COLOURS = {
    31: "#ff7b72",
    32: "#7ee787",
    33: "#e3b341",
    34: "#79c0ff",
    35: "#d2a8ff",
    36: "#76e3ea",
    90: "#8b949e",
}
_ESCAPE = re.compile(r"\x1b\[([\d;]*)([A-Za-z])")
_PIECE = re.compile(r"\S+(?: \S+)*")
_LINE = re.compile(r'<g class="line"[^>]*>(.*?)</g>', re.DOTALL)
_TEXT = re.compile(r'<text x="([\d.]+)"[^>]*>([^<]*)</text>')


@dataclass(frozen=True)
class Span:
    """Characters of one line that look alike."""

    text: str
    style: str = ""


Line = List[Span]


def record(
    command: Sequence[str], folder: Path, environment: Dict[str, str], columns: int = 100
) -> str:
    """Run a command as in a terminal.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        environment: All of its variables.
        columns: The width of the terminal, in characters.

    Returns:
        What it wrote, with the codes of its colours.
    """
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=str(folder),
        env={**environment, "TERM": "xterm-256color", "COLUMNS": str(columns)},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    try:
        written = b"".join(_read(ours))
        process.wait(timeout=_SECONDS)
    finally:
        os.close(ours)
        process.kill()
    return written.decode("utf-8").replace("\r\n", "\n")


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says so when the last program has closed it
            return
        if not piece:
            return
        yield piece


def lines_of(written: str, columns: int, *, crop: bool = False) -> List[Line]:
    """Return what was written as lines of a terminal.

    Args:
        written: What `record` returned.
        columns: Where a longer line goes on in the next one.
        crop: Cut longer lines off instead.
    """
    found: List[Line] = []
    for text in written.rstrip().split("\n"):
        cells = list(_cells(text.expandtabs(8)))
        rows = [cells[start : start + columns] for start in range(0, len(cells), columns)] or [[]]
        found += [_spans(row) for row in (rows[:1] if crop else rows)]
    return found


def _cells(text: str) -> Iterator[Tuple[str, str]]:
    colour, is_bold, position = "", False, 0
    for code in [*_ESCAPE.finditer(text), None]:
        end = code.start() if code else len(text)
        style = (f"fill:{colour};" if colour else "") + ("font-weight:bold;" if is_bold else "")
        for character in text[position:end]:
            yield character, style
        if code is None:
            return
        position = code.end()
        for number in map(int, filter(None, (code[1] or "0").split(";"))):
            if number in (0, 39):
                colour = ""
            if number in (0, 1, 22):
                is_bold = number == 1
            colour = _COLOURS.get(number, colour)


def _spans(cells: Iterable[Tuple[str, str]]) -> Line:
    line: Line = []
    for character, style in cells:
        if line and line[-1].style == style:
            line[-1] = Span(line[-1].text + character, style)
        else:
            line.append(Span(character, style))
    return line


def draw(title: str, parts: Sequence[Tuple[str, List[Line]]], columns: int) -> str:
    """Return the picture of commands and what each has printed.

    Args:
        title: For those who do not see the picture.
        parts: Command and lines, in their order.
        columns: Width of the picture, in characters.
    """
    rows: List[Tuple[Line, float]] = []
    moment = 0.3
    for number, (command, printed) in enumerate(parts):
        if number:
            rows.append(([], moment))
        prompt = [Span("$ ", f"fill:{_COLOURS[32]};"), Span(command, "font-weight:bold;")]
        rows.append((prompt, moment))
        moment += 0.9
        for line in printed:
            rows.append((line, moment))
            moment += 0.09
        moment += 1.2
    width = round(columns * _WIDTH + 2 * _MARGIN)
    height = round(_TOP + len(rows) * _HEIGHT + _MARGIN / 2)
    drawn = "\n".join(_row(line, number, begin) for number, (line, begin) in enumerate(rows))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" \
width="{width}" height="{height}" role="img" aria-labelledby="title">
<title id="title">{escape(title)}</title>
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  fill: {_FOREGROUND}; white-space: pre; }}
@keyframes appear {{ from {{ opacity: 0; }} }}
@media (prefers-reduced-motion: no-preference) {{
  .line {{ animation: appear 0.05s step-end backwards; }}
}}
</style>
<rect width="{width}" height="{height}" rx="8" fill="{_BACKGROUND}"/>
<circle cx="22" cy="20" r="6" fill="#ff5f57"/><circle cx="42" cy="20" r="6" fill="#febc2e"/>\
<circle cx="62" cy="20" r="6" fill="#28c840"/>
{drawn}
</svg>
"""


def _row(line: Line, number: int, begin: float) -> str:
    y = _TOP + (number + 0.7) * _HEIGHT
    column, pieces = 0, []
    for span in line:
        for piece in _PIECE.finditer(span.text):
            x = _MARGIN + (column + piece.start()) * _WIDTH
            length = len(piece[0]) * _WIDTH
            style = f' style="{span.style}"' if span.style else ""
            pieces.append(
                f'<text x="{x:.1f}" y="{y:.1f}" textLength="{length:.1f}"{style}>'
                f"{escape(piece[0], quote=False)}</text>"
            )
        column += len(span.text)
    return f'<g class="line" style="animation-delay:{begin:.2f}s">{"".join(pieces)}</g>'


def text_of(picture: str) -> str:
    """Return what a picture of `draw` shows, as text."""
    lines = []
    for row in _LINE.finditer(picture):
        line = ""
        for piece in _TEXT.finditer(row[1]):
            column = round((float(piece[1]) - _MARGIN) / _WIDTH)
            line = line.ljust(column) + unescape(piece[2])
        lines.append(line)
    return "\n".join(lines)
