"""A progress bar drawn by ``rich``, which the extra ``progress`` installs."""

from __future__ import annotations

from typing import Any, List, Optional

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from smart_storages.management.progress import Progress

__all__ = ["Bar"]


class _FilesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class Bar(Progress):
    """A bar with how much is done, the rate and the time left.

    Args:
        description: What is being done.
        total: How many there are, ``None`` if that is not known.
        unit: ``"files"`` or ``"bytes"``.
        file: The terminal.
    """

    def __init__(self, description: str, total: Optional[int], unit: str, file: Any) -> None:
        super().__init__(description, total, unit)
        counts: List[ProgressColumn] = (
            [DownloadColumn(binary_units=True), TransferSpeedColumn()]
            if unit == "bytes"
            else [MofNCompleteColumn(), _FilesPerSecond()]
        )
        self._drawn = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            *counts,
            TimeRemainingColumn(),
            console=Console(file=file, force_terminal=True),
            transient=True,
        )
        self._task = self._drawn.add_task(description, total=total)
        self._drawn.start()

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more as done."""
        super().advance(n)
        self._drawn.update(self._task, completed=self.done, total=self.total)

    def close(self) -> None:
        """Remove the bar."""
        self._drawn.stop()
