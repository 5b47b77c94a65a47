"""Counts what storages do."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from threading import Lock
from typing import Any, Iterator, Optional

from smart_storages.signals import storage_operation

__all__ = ["Counted", "count_operations"]


class Counted:
    """What was counted; see :func:`count_operations`.

    Args:
        module: Name of the module that counts, ``None`` for all.
    """

    def __init__(self, module: Optional[str] = None) -> None:
        self._module = module
        self._lock = Lock()
        #: How often each method was called, by its name.
        self.operations: Counter[str] = Counter()
        #: Requests that were sent to S3; none while the buckets are overridden.
        self.requests = 0
        #: Bytes of content that were sent or received.
        self.bytes = 0

    @property
    def total(self) -> int:
        """How many operations there were."""
        return sum(self.operations.values())

    def __getitem__(self, operation: str) -> int:
        return self.operations[operation]

    def __repr__(self) -> str:
        each = ", ".join(f"{name}: {count}" for name, count in sorted(self.operations.items()))
        return f"<Counted {each or 'nothing'}; {self.requests} requests, {self.bytes} bytes>"

    def hear(self, **said: Any) -> None:
        """Count an operation; a receiver of the signal ``storage_operation``."""
        if self._module not in (None, said["module"]):
            return
        with self._lock:
            self.operations[said["operation"]] += 1
            self.requests += said["requests"]
            self.bytes += said["bytes"]


@contextmanager
def count_operations(module: Optional[str] = None) -> Iterator[Counted]:
    """A block in which the operations of storages are counted, in all threads.

    What is a part of another operation is not counted by itself: ``exists()`` within ``save()``.

    Args:
        module: Name of the module that counts, ``None`` for all.

    Example::

        with count_operations("media") as counted:
            client.get("/gallery/")
        assert counted["exists"] == 0, counted

    Source: Django's ``assertNumQueries``.
    """
    counted = Counted(module)
    # A bound method would be referred to weakly.
    storage_operation.connect(counted.hear, weak=False)
    try:
        yield counted
    finally:
        storage_operation.disconnect(counted.hear)
