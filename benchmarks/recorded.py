"""What it costs that somebody could watch an operation, and what it costs when somebody does.

The operation itself does nothing, so that only its record is measured. The contestants take turns,
and the best round of each counts, so that other work on the machine slows all of them or none.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Callable, ContextManager, Dict, Iterator, List

from benchmarks import OURS

ROUNDS = 60
QUICK_ROUNDS = 5
CALLS_PER_ROUND = 200
BARE_METHOD = "not an operation"
NOBODY = f"{OURS}, nobody listens"

Listening = Callable[[], ContextManager[Any]]


def measure_records(context: Any) -> List[Dict[str, Any]]:
    """Measure a method, the same method as an operation, and that with each kind of listener.

    Args:
        context: The harness's context; its ``quick`` shortens this.

    Returns:
        A row for each: nanoseconds per call, and how many more than the bare method takes.
    """
    from smart_storages.storages import SmartS3Storage
    from smart_storages.storages.operations import operation

    class Storage(SmartS3Storage):
        def bare(self, name: str) -> None:
            pass

        recorded = operation("exists")(bare)

    storage = Storage("media", bucket_name="acme")
    rounds = QUICK_ROUNDS if context.quick else ROUNDS
    best: Dict[str, float] = {}
    for _ in range(rounds):
        for who, listening in _LISTENERS.items():
            call = storage.bare if who == BARE_METHOD else storage.recorded
            with listening():
                seconds = _time(call)
            best[who] = min(seconds, best.get(who, seconds))
    return [
        {
            "case": "an operation without a request",
            "who": who,
            "call_ns": round(seconds * 1e9),
            "added_ns": round((seconds - best[BARE_METHOD]) * 1e9),
        }
        for who, seconds in best.items()
    ]


def _time(call: Callable[[str], None]) -> float:
    start = perf_counter()
    for _ in range(CALLS_PER_ROUND):
        call("a.txt")
    return (perf_counter() - start) / CALLS_PER_ROUND


@contextmanager
def _nobody() -> Iterator[None]:
    yield


@contextmanager
def _receiver() -> Iterator[None]:
    from smart_storages.signals import storage_operation

    def receive(**fields: Any) -> None:
        pass

    storage_operation.connect(receive)
    yield
    storage_operation.disconnect(receive)


@contextmanager
def _log() -> Iterator[None]:
    logger = logging.getLogger("smart_storages.operations")
    handler = logging.NullHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield
    logger.propagate = True
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


@contextmanager
def _prometheus() -> Iterator[None]:
    from prometheus_client import CollectorRegistry

    from smart_storages.monitoring import prometheus

    prometheus.install(CollectorRegistry())
    yield
    prometheus.uninstall()


@contextmanager
def _opentelemetry() -> Iterator[None]:
    from opentelemetry.sdk.trace import TracerProvider

    from smart_storages.monitoring import opentelemetry

    opentelemetry.install(TracerProvider())
    yield
    opentelemetry.uninstall()


_LISTENERS: Dict[str, Listening] = {
    BARE_METHOD: _nobody,
    NOBODY: _nobody,
    f"{OURS}, a receiver": _receiver,
    f"{OURS}, the log": _log,
    f"{OURS}, Prometheus": _prometheus,
    f"{OURS}, OpenTelemetry": _opentelemetry,
}
