"""Keeps what commands find out about buckets, and the last errors of storages."""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Optional

from django.core.cache import DEFAULT_CACHE_ALIAS, cache, caches
from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router
from django.utils import timezone

from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import ObjectExistsError, ObjectNotFoundError, SmartStorageError
from smart_storages.monitoring.models import BucketCheck, BucketUsage
from smart_storages.signals import bucket_checked, bucket_measured, storage_operation

__all__ = ["connect", "read_errors"]

logger = logging.getLogger(__name__)

#: Rows kept of each module: of usage counted each night, those of more than a year.
_MOST_ROWS = 400

_ERRORS = "smart_storages:last-errors"
_MOST_ERRORS = 20
_ERROR_SECONDS = 7 * 24 * 3600
_LONGEST_ERROR = 500

#: Answers rather than faults: a project may ask for files that are not there all day.
_EXPECTED = (ObjectExistsError, ObjectNotFoundError)


def connect() -> None:
    """Listen to the signals; a second call changes nothing."""
    bucket_checked.connect(note_check, dispatch_uid=f"{__name__}.check")
    bucket_measured.connect(note_usage, dispatch_uid=f"{__name__}.usage")
    storage_operation.connect(note_error, dispatch_uid=f"{__name__}.error")


def note_check(
    module: str, bucket: Optional[str], is_fine: bool, findings: List[Any], **kwargs: Any
) -> None:
    """Keep the result of a check."""
    row = BucketCheck(module=module, bucket=bucket or "", is_fine=is_fine)
    row.findings = findings
    row.save()
    _drop_oldest(BucketCheck, module)


def note_usage(
    module: str,
    bucket: Optional[str],
    location: str,
    *,
    files: int,
    newest: Any,
    incomplete_uploads: Optional[int],
    **kwargs: Any,
) -> None:
    """Keep what a module takes up."""
    BucketUsage.objects.create(
        module=module,
        bucket=bucket or "",
        location=location,
        files=files,
        bytes=kwargs["bytes"],
        newest=newest,
        incomplete_uploads=incomplete_uploads,
    )
    _drop_oldest(BucketUsage, module)


def _drop_oldest(model: Any, module: str) -> None:
    rows = model.objects.filter(module=module).order_by("-pk")
    oldest = rows.values_list("pk", flat=True)[_MOST_ROWS - 1 : _MOST_ROWS].first()
    if oldest is not None:
        rows.filter(pk__lt=oldest).delete()


def note_error(
    module: str,
    operation: str,
    name: Optional[str],
    error: Optional[BaseException],
    **kwargs: Any,
) -> None:
    """Keep an error of a storage in the cache, as far as that works.

    Two processes that keep one at the same moment may keep one of the two. A cache in the database
    takes part in a transaction of the project, and an error there would end it: within one,
    nothing is kept.
    """
    if error is None or isinstance(error, _EXPECTED):
        return
    # The text of another error may hold anything.
    text = f": {plain_text(error)}"[:_LONGEST_ERROR] if isinstance(error, SmartStorageError) else ""
    entry = {
        "at": timezone.now(),
        "module": module,
        "operation": operation,
        "name": name,
        "error": f"{type(error).__name__}{text}",
    }
    try:
        if _takes_part_in_transaction():
            return
        cache.set(_ERRORS, [entry, *read_errors()][:_MOST_ERRORS], _ERROR_SECONDS)
    except Exception:  # the cache is down: what the project does with the storage goes on
        logger.exception("An error of a storage could not be kept.")


def _takes_part_in_transaction() -> bool:
    found = caches[DEFAULT_CACHE_ALIAS]
    if not isinstance(found, DatabaseCache):
        return False
    alias = router.db_for_write(found.cache_model_class)
    return bool(connections[alias].in_atomic_block)


def read_errors() -> List[Dict[str, Any]]:
    """Return the last errors of storages, the newest first.

    With a cache of each process, such as Django's default, those of this process.
    """
    found: List[Dict[str, Any]] = cache.get(_ERRORS, [])
    return found
