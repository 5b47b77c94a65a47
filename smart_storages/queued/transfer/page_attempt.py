"""One attempt at a page of a copy: claimed, copied, recorded."""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, Optional

from django.db import Error as AnyDatabaseError
from django.utils.module_loading import import_string

from smart_storages.backends.s3.errors.logs import redact
from smart_storages.config import get_queue_settings
from smart_storages.queued.ledger import pages, queries
from smart_storages.queued.ledger.lease import Lease, LeaseLostError
from smart_storages.queued.ledger.texts import describe_error
from smart_storages.queued.models import QueuedPage
from smart_storages.queued.transfer.attempt import Outcome, retry_delay

__all__ = ["process_page"]

logger = logging.getLogger("smart_storages.queued")


def process_page(pk: int, again: Callable[[int, float], Any]) -> Optional[str]:
    """Do the work of a page, if it has any.

    Args:
        pk: Id of the page.
        again: Called with the id and seconds, if the page is to be tried again then.

    Returns:
        How the attempt ended, ``None`` if there was nothing to do.
    """
    page = pages.claim(pk)
    if page is None:
        return None
    try:
        with Lease(page, pages.renew) as lease:
            # Called as task(page, check): check raises if another attempt has taken over.
            report = import_string(page.task)(page, lease.check)
            lease.check()
    except LeaseLostError:
        logger.warning("the attempt on %s lost its lease; another goes on", page.name)
        return Outcome.LATE
    except Exception as error:
        if isinstance(error, AnyDatabaseError):
            queries.replace_lost_connection()
        return _fail(page, describe_error(error), again)
    except BaseException:  # the worker was told to stop
        pages.requeue(page)
        raise
    counts = _count(page, report)
    if report.failed:
        told = "; ".join(f"{name}: {error}" for name, error in report.failures.items())
        return _fail(page, f"{report.failed} files could not be copied. {told}", again, **counts)
    return Outcome.DONE if pages.finish(page, **counts) else Outcome.LATE


def _count(page: QueuedPage, report: Any) -> Dict[str, int]:
    # What an earlier attempt has copied is the same already in this one.
    return {
        "copied": page.copied + report.copied,
        "size": page.size + report.bytes,
        "same": max(report.same - page.copied, 0),
        "gone": report.gone,
        "failed": report.failed,
    }


def _fail(page: QueuedPage, error: str, again: Callable[[int, float], Any], **counts: int) -> str:
    retry_in = retry_delay(page.attempts) if page.attempts <= get_queue_settings().retries else None
    error = redact(error)
    if not pages.fail(page, error, retry_in, **counts):
        return Outcome.LATE
    if retry_in is None:
        logger.error("%s: gave up after attempt %d: %s", page.name, page.attempts, error)
        return Outcome.FAILED
    logger.warning("%s: attempt %d failed: %s", page.name, page.attempts, error)
    again(page.pk, retry_in)
    return Outcome.RETRY
