"""The table of what each backend can do, in docs/backends.md.

``python -m tests.contract.table`` measures it on every server of the tests, and writes it there.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Dict, List

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backends.md"
_BEGIN, _END = "<!-- capabilities -->", "<!-- /capabilities -->"


def read_table(page: str) -> Dict[str, Dict[str, str]]:
    """What the page says, by column and row."""
    block = page.partition(_BEGIN)[2].partition(_END)[0].strip().splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block]
    found: Dict[str, Dict[str, str]] = {title: {} for title in head[1:]}
    for label, *cells in rows:
        for title, cell in zip(head[1:], cells):
            found[title][label] = cell
    return found


def with_table(page: str, measured: Dict[str, Dict[str, str]]) -> str:
    """The page with the table of these columns."""
    labels: List[str] = list(next(iter(measured.values())))
    lines = [f"| | {' | '.join(measured)} |", f"|---|{'---|' * len(measured)}"]
    for label in labels:
        lines.append(f"| {label} | {' | '.join(each[label] for each in measured.values())} |")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return "\n".join([f"{before}{_BEGIN}", *lines, f"{_END}{after}"])


def main() -> None:
    """Measure every column, and write the page."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from tests.contract.capabilities import COLUMNS, measure
    from tests.servers.keeper import Keeper, ask_for

    measured: Dict[str, Any] = {}
    with Keeper():
        for column in COLUMNS:
            server = ask_for(column.kind) if column.kind else None
            with tempfile.TemporaryDirectory() as directory:
                measured[column.title] = measure(column, server, Path(directory))
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), measured), encoding="utf-8")


if __name__ == "__main__":
    main()
