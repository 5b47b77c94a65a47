"""Removes what was uploaded and never used, and rows that are of no more use."""

from __future__ import annotations

import datetime
import logging
from typing import Any, Dict, Iterator, NamedTuple, Optional, Tuple

from django.db.models import Q
from django.utils import timezone

from smart_storages.exceptions import SmartStorageError, UploadError
from smart_storages.storages.fields import find_named
from smart_storages.tenancy import use_region, use_tenant
from smart_storages.uploads import ledger
from smart_storages.uploads.models import DirectUpload, State
from smart_storages.uploads.targets import Target, find_target

__all__ = ["Cleared", "clear", "iter_live"]

logger = logging.getLogger("smart_storages.uploads")

#: How long after its expiry an upload is left alone: a form may just be being saved.
GRACE = 3600
_PAGE = 500


class Cleared(NamedTuple):
    """What was found, or removed.

    Args:
        uploads: Uploads that were never used.
        bytes: The size of their files, as announced.
        rows: Rows of the ledger that are of no more use.
        failed: Uploads that could not be removed; the log says why.
    """

    uploads: int
    bytes: int
    rows: int
    failed: int


def clear(*, delete: bool = True, now: Optional[datetime.datetime] = None) -> Cleared:
    """Remove uploads whose form was never submitted, or whose row was never saved.

    A file that a row of any model names stays, whatever the ledger says.

    Args:
        delete: Whether to remove them; else they are counted.
        now: The time, for tests.

    Example::

        clear(delete=False).uploads
    """
    before = (now or timezone.now()) - datetime.timedelta(seconds=GRACE)
    count = size = failed = 0
    for row in list(_iter_left(before)):
        count, size = count + 1, size + row.size
        if delete:
            failed += not _remove(row)
    if delete:
        rows = ledger.forget(before)
    else:
        old = ledger.rows().filter(expires_at__lt=before)
        rows = old.filter(Q(state=State.ADOPTED) | Q(state=State.GONE, is_removed=True)).count()
    return Cleared(count, size, rows, failed)


def iter_live() -> Iterator[Tuple[Any, str]]:
    """Yield the storage and the name of every file whose row may still be saved."""
    since = timezone.now() - datetime.timedelta(seconds=GRACE)
    rows = ledger.rows().filter(state__in=(State.OPEN, State.COMPLETED), expires_at__gte=since)
    for row in rows.iterator():
        target = _find_target(row)
        if target is not None:
            yield target.storage, row.name


def _iter_left(before: datetime.datetime) -> Iterator[DirectUpload]:
    left = ledger.rows().filter(expires_at__lt=before).exclude(state=State.ADOPTED)
    left = left.exclude(is_removed=True).order_by("pk")
    last = ""
    while True:
        page = list(left.filter(pk__gt=last)[:_PAGE])
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1].pk


def _remove(row: DirectUpload) -> bool:
    if row.state != State.GONE and not ledger.give_up(row, "expired"):
        return True  # it was adopted a moment ago
    target = _find_target(row)
    if target is None:
        logger.warning("%s was for %s, which there is no more.", row.name, row.field)
        return False
    try:
        with use_tenant(row.tenant or None), use_region(row.region or None):
            target.storage.abort_multipart_upload(row.name, row.upload_id)
            if not find_named(target.storage, {row.name}):
                target.storage.delete(row.name)
    except (SmartStorageError, OSError):
        logger.exception("The upload %r could not be removed; the next audit tries again.", row.pk)
        return False
    ledger.mark_removed(row)
    return True


def _find_target(row: DirectUpload) -> Optional[Target]:
    try:
        return find_target(row.field)
    except UploadError:
        return None


def as_dict(cleared: Cleared) -> Dict[str, int]:
    """Return it for JSON."""
    return dict(cleared._asdict())
