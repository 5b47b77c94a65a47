"""Tools for the benchmarks: fresh processes, S3 servers, and tables of the results."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List

import smart_storages
from benchmarks import OURS
from benchmarks.measures import (
    Row,
    cases_of,
    contenders_of,
    find_row,
    format_number,
    measures_of,
)
from tests.servers import CephGateway, MotoServer, S3Proxy, S3Server, ceph_available

ROOT = Path(__file__).resolve().parents[1]


class Context:
    """Handed to each benchmark's ``run``.

    Args:
        repeat: How often a measurement is repeated; the median counts.
        quick: Whether to use smaller numbers, only to see that a benchmark works.
    """

    def __init__(self, repeat: int = 3, quick: bool = False) -> None:
        self.repeat = 1 if quick else repeat
        self.quick = quick
        self._stack = contextlib.ExitStack()
        self._servers: Dict[str, S3Server] = {}

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def measure(
        self, function: Callable[..., Row], python: str = sys.executable, **arguments: Any
    ) -> Row:
        """Call ``function`` in fresh processes and return the median of each number it returns.

        Args:
            function: A function at the top level of a module whose imports are cheap, because they
                are part of the process that is measured.
            python: The Python that runs it.
            arguments: Its arguments, as values that JSON can represent.
        """
        return _median([self._in_process(function, python, arguments) for _ in range(self.repeat)])

    def measure_in_turns(
        self, function: Callable[..., Row], contenders: Iterable[str], rounds: int
    ) -> Dict[str, Row]:
        """As :meth:`measure` for several contenders, who take turns in every round.

        A machine gets faster and slower in the course of a minute; in turns, all get their share.

        Args:
            function: As for :meth:`measure`; its arguments are ``who`` and ``turn``, the number
                of the round.
            contenders: Who takes turns.
            rounds: How many rounds there are, for each repetition.
        """
        outcomes: Dict[str, List[Row]] = {who: [] for who in contenders}
        for turn in range(rounds * self.repeat):
            for who, mine in outcomes.items():
                mine.append(self.measure_once(function, who=who, turn=turn))
        return {who: _median(mine) for who, mine in outcomes.items()}

    def measure_once(self, function: Callable[..., Row], **arguments: Any) -> Row:
        """Call ``function`` in one fresh process, for work that cannot be repeated as it is."""
        return self._in_process(function, sys.executable, arguments)

    def _in_process(
        self, function: Callable[..., Row], python: str, arguments: Dict[str, Any]
    ) -> Row:
        result = subprocess.run(
            [
                python,
                "-m",
                "benchmarks.child",
                function.__module__,
                function.__name__,
                json.dumps(arguments),
            ],
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        outcome: Row = json.loads(result.stdout.splitlines()[-1])
        return outcome

    def moto(self) -> S3Server:
        """moto's server, started once."""
        if "moto" not in self._servers:
            self._servers["moto"] = self._stack.enter_context(MotoServer())
        return self._servers["moto"]

    def ceph(self) -> S3Server:
        """Ceph's gateway, started once; raises if it is not installed."""
        if "ceph" not in self._servers:
            self._servers["ceph"] = self._stack.enter_context(CephGateway())
        return self._servers["ceph"]

    def best_server(self) -> S3Server:
        """Ceph if it is installed, otherwise moto, which is slower and affects every figure."""
        return self.ceph() if ceph_available() else self.moto()

    @property
    def servers(self) -> List[str]:
        """The S3 servers that were started."""
        return sorted(self._servers)

    def proxy(self, server: S3Server, latency: float = 0.0) -> S3Proxy:
        """A proxy in front of the server that delays each request by ``latency`` seconds."""
        proxy = self._stack.enter_context(S3Proxy(server.endpoint_url))
        if latency:
            proxy.inject(times=None, latency=latency)
        return proxy


def _median(outcomes: List[Row]) -> Row:
    return {
        name: statistics.median(outcome[name] for outcome in outcomes)
        if isinstance(value, (int, float))
        else value
        for name, value in outcomes[0].items()
    }


def load_now() -> float:
    """Return the load average over the last minute."""
    return round(os.getloadavg()[0], 2)


def describe_machine() -> Dict[str, Any]:
    """Return what the figures depend on, so that they can be judged later."""
    packages = ["Django", "boto3", "botocore", "django-storages"]
    packages += ["obstore"] if importlib.util.find_spec("obstore") else []
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "load_at_start": load_now(),
        "versions": {
            OURS: smart_storages.__version__,
            **{name: metadata.version(name) for name in packages},
        },
    }


def format_ratio(theirs: Any, ours: Any) -> str:
    numbers = isinstance(theirs, (int, float)) and isinstance(ours, (int, float))
    if not numbers or not ours or ours < 0:
        return ""
    return f"{theirs / ours:,.2f}x"


def render_table(rows: List[Row]) -> str:
    """Return a table with a line per case and measure, and a column and ratio per contender."""
    others = [name for name in contenders_of(rows) if name != OURS]
    # Ratios first: they tell more than times, which are those of one machine.
    header = ["case", "measure", *(f"{other} / ours" for other in others), OURS, *others]
    lines = [header]
    for case in cases_of(rows):
        ours = find_row(rows, case, OURS)
        present = [row for row in rows if row["case"] == case]
        for measure in measures_of(present):
            known = [find_row(rows, case, other).get(measure) for other in others]
            ratios = [format_ratio(value, ours.get(measure)) for value in known]
            numbers = [format_number(value) for value in (ours.get(measure), *known)]
            lines.append([case, measure, *ratios, *numbers])
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = []
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        text.append("  ".join(cells).rstrip())
        if number == 0:
            text.append("  ".join("-" * width for width in widths))
    notes = [f"{row['case']}, {row['who']}: {row['note']}" for row in rows if row.get("note")]
    return "\n".join(text + [f"* {note}" for note in notes])
