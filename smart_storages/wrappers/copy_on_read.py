"""``copy_on_read`` of a fallback: files are copied to an earlier backend, and deleted from all.

A file that is read from a later backend is copied to the first one that may be written to. The
copy must neither replace a file that was written in the meantime nor bring back one that was
deleted in the meantime. Copies and deletes therefore hold a lock on the name if a lock cache is
set, and in any case the copy checks both storages again.
"""

from __future__ import annotations

import logging
from typing import Any, List

from smart_storages.common.content import spool
from smart_storages.signals import file_copied
from smart_storages.wrappers.backend import NOTHING, Backend
from smart_storages.wrappers.calls import Steps
from smart_storages.wrappers.failures import Failures, kind_of_failure, make_error
from smart_storages.wrappers.forwarding import put_steps, sync_mirrors_steps
from smart_storages.wrappers.health import NOT_FOUND
from smart_storages.wrappers.locks import locked_steps

__all__ = ["copy_up_steps", "delete_all_steps"]

logger = logging.getLogger("smart_storages.fallback")


def copy_up_steps(fallback: Any, backends: List[Backend], source: Backend, name: str) -> Steps:
    """Copy a file to the first backend before ``source`` that may be written to.

    A failure is only logged, because the read itself has succeeded.

    Args:
        fallback: The fallback that was read from, the sender of the signal.
        backends: Its backends, in order.
        source: The backend that had the file.
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
    """Delete a file from each of the backends, because it may have been copied to any of them."""
    return (yield from locked_steps(name, _delete_each_steps(backends, name), wait=True))


def _copy_steps(source: Backend, target: Backend, name: str, failures: Failures) -> Steps:
    file = yield from source.ask("open", (name, "rb"), failures)
    if file is NOTHING:
        return None
    with file:
        copy = spool(file)  # read completely before any of it is published
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
        # On a full disk, the part that fitted is left behind.
        yield from target.ask("delete", (name,), failures)
        raise
    size = yield from target.ask("size", (name,), failures)
    if size not in (copy.size, NOTHING):
        return None  # replaced by a newer file in the meantime
    # NOTHING is truthy: a source that could not answer counts as one that still has the file.
    if (yield from source.ask("exists", (name,), failures)):
        # Only now: one of the target's mirrors may be our source.
        yield from sync_mirrors_steps(storage, name)
        return copy.size
    # The file was deleted in the meantime.
    yield from target.ask("delete", (name,), failures)
    return None


def _delete_each_steps(backends: List[Backend], name: str) -> Steps:
    # A copied file is in several backends, and one that kept it would make it come back. Last
    # backend first: a copy that runs without the lock checks its source at its end, and deletes
    # what it wrote if the source is gone.
    failures: Failures = []
    for backend in reversed(backends):
        yield from backend.ask("delete", (name,), failures)
    unsure = [pair for pair in failures if kind_of_failure(pair[1]) != NOT_FOUND]
    if unsure:
        raise make_error("delete", name, unsure)
    return None
