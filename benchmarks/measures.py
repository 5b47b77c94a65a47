"""The name and unit of each number in a benchmark, and whether less or more is better."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple

from benchmarks import BOTO3, OURS, THEIRS

Row = Dict[str, Any]

RESERVED = ("case", "who", "note")


class Measure(NamedTuple):
    """A number that is measured."""

    name: str
    unit: str
    #: ``"less"`` or ``"more"``; empty for numbers that are only shown for information.
    better: str = "less"

    @property
    def label(self) -> str:
        """The name with its unit."""
        return f"{self.name}, {self.unit}" if self.unit else self.name


MEASURES: Dict[str, Measure] = {
    "added_ns": Measure("added to the call", "ns"),
    "all_ms": Measure("all reads", "ms"),
    "call_ns": Measure("the whole call", "ns", ""),
    "clients": Measure("clients", ""),
    "construct_ms": Measure("construction", "ms"),
    "construct_us": Measure("construction", "µs"),
    "cpu_ms": Measure("processor time", "ms"),
    "cpu_s": Measure("processor time", "s"),
    "files": Measure("files", "", ""),
    "first_cpu_ms": Measure("first request, processor time", "ms"),
    "first_ms": Measure("first request", "ms"),
    "first_use_cpu_ms": Measure("first use, processor time", "ms"),
    "first_use_ms": Measure("first use", "ms"),
    "grown_mib": Measure("growth of memory", "MiB"),
    "import_ms": Measure("import", "ms"),
    "ledger_ms": Measure("the ledger's part", "ms", ""),
    "loop_late_max_ms": Measure("event loop late, at most", "ms"),
    "loop_late_p99_ms": Measure("event loop late, 99th percentile", "ms"),
    "mb_per_s": Measure("throughput", "MB/s", "more"),
    "memory_growth_mb": Measure("growth of memory", "MiB"),
    "memory_mb": Measure("memory", "MiB"),
    "mib_per_s": Measure("throughput", "MiB/s", "more"),
    "moved_kb": Measure("moved", "kB"),
    "p95_ms": Measure("save, 95th percentile", "ms"),
    "plain_disk_ms": Measure("save to the plain disk", "ms", ""),
    "queries": Measure("queries", "", ""),
    "requests": Measure("requests", ""),
    "save_ms": Measure("save", "ms"),
    "time_ms": Measure("time", "ms"),
    "time_us": Measure("time", "µs"),
    "transfers_per_s": Measure("transfers a second", "", "more"),
    "with_ledger_ms": Measure("save with the ledger", "ms", ""),
}


def measures_of(rows: List[Row]) -> List[str]:
    """The names of all measures, in the order in which they first appear."""
    names = {name: None for row in rows for name in row if name not in RESERVED}
    return list(names)


def cases_of(rows: List[Row], measure: str = "") -> List[str]:
    """The cases, in the order in which they first appear; those with a measure, if one is named."""
    return list({str(row["case"]): None for row in rows if not measure or measure in row})


def contenders_of(rows: List[Row]) -> List[str]:
    """The contenders: this package first, then django-storages, boto3 and the rest."""
    names = {str(row["who"]): None for row in rows}
    return sorted(names, key=lambda name: ([OURS, THEIRS, BOTO3, name].index(name), ""))


def find_row(rows: List[Row], case: str, who: str) -> Row:
    """The row of a contender in a case, empty if there is none."""
    return next((row for row in rows if row["case"] == case and row["who"] == who), {})


def format_number(value: Any) -> str:
    """A number, rounded to its significant digits."""
    if value is None:
        return "-"
    if not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
