"""``copy_on_read`` of a fallback: a file found further down is copied up, and a delete takes all.

A copy must neither replace what was written meanwhile nor bring back what was deleted meanwhile.
Both hold a lock on the name where there is one, and look again where there is none.
"""

from __future__ import annotations

import logging
from typing import Any, List

from smart_storages.common.content import spool
from smart_storages.composed.backend import NOTHING, Backend
from smart_storages.composed.calls import Steps
from smart_storages.composed.failures import Failures, make_error, sort
from smart_storages.composed.forwarding import follow_steps, put_steps
from smart_storages.composed.health import NOT_FOUND
from smart_storages.composed.locks import locked_steps
from smart_storages.signals import file_copied

__all__ = ["copy_up_steps", "delete_all_steps"]

logger = logging.getLogger("smart_storages.fallback")


def copy_up_steps(fallback: Any, backends: List[Backend], source: Backend, name: str) -> Steps:
    """Write a file to the first writer; a failure is logged, for the read has succeeded.

    Args:
        fallback: The storage that was read from, for the signal.
        backends: Its backends, in their order.
        source: The one that had the file.
        name: Name of the file.
    """
    above = backends[: backends.index(source)]
    target = next((backend for backend in above if backend.writes), None)
    if target is None:
        return
    failures: Failures = []
    try:
        size = yield from _copy_steps(source, target, name, failures)
    except Exception as error:
        failures.append((target.label, error))
        size = None
    if size is None:
        if failures:
            logger.warning("%s was not copied to %s: %r", name, target.label, failures)
        return
    logger.info("%s was copied from %s to %s", name, source.label, target.label)
    file_copied.send(
        sender=type(fallback), storage=fallback, name=name, source=source.label,
        target=target.label, size=size,
    )  # fmt: skip


def delete_all_steps(backends: List[Backend], name: str) -> Steps:
    """Delete a file from each of the backends, for it may have been copied to any."""
    return (yield from locked_steps(name, _delete_each_steps(backends, name), wait=True))


def _copy_steps(source: Backend, target: Backend, name: str, failures: Failures) -> Steps:
    file = yield from source.ask("open", (name, "rb"), failures)
    if file is NOTHING:
        return None
    with file:
        copy = spool(file)  # whole, before any of it is published
    with copy:
        steps = _publish_steps(source, target, name, copy, failures)
        return (yield from locked_steps(name, steps, wait=False))


def _publish_steps(
    source: Backend, target: Backend, name: str, copy: Any, failures: Failures
) -> Steps:
    for backend, wanted in ((target, False), (source, True)):
        has_it = yield from backend.ask("exists", (name,), failures)
        if has_it is NOTHING or bool(has_it) is not wanted:
            return None
    storage = target.reference.storage
    try:
        if not (yield from put_steps(storage, name, copy, replace=False)):
            return None
    except Exception:
        # A full disk keeps the piece that fitted.
        yield from target.ask("delete", (name,), failures)
        raise
    size = yield from target.ask("size", (name,), failures)
    if size not in (copy.size, NOTHING):
        return None  # written over meanwhile, and newer
    if (yield from source.ask("exists", (name,), failures)):  # NOTHING is no answer, and true
        # Not before: one of the target's mirrors may be our source.
        yield from follow_steps(storage, name)
        return copy.size
    # Somebody deleted the file meanwhile.
    yield from target.ask("delete", (name,), failures)
    return None


def _delete_each_steps(backends: List[Backend], name: str) -> Steps:
    # What was copied is in several, and would come back from the others. The deepest first:
    # a copy that did not see the lock looks at its source last, and removes itself when
    # that is gone.
    failures: Failures = []
    for backend in reversed(backends):
        yield from backend.ask("delete", (name,), failures)
    unsure = [pair for pair in failures if sort(pair[1]) != NOT_FOUND]
    if unsure:
        raise make_error("delete", name, unsure)
    return None
