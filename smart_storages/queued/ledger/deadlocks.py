"""Statements that the database broke off to end a deadlock, made again.

An application that deletes a row and then its file, while another saves such a file and then its
row, can deadlock in the database. The database ends a deadlock by refusing the statement of any
connection that waits in it. That can be a worker that only waits for the same row of the ledger
and has done nothing wrong. Its statement changed nothing, so it is safe to make it again.
"""

from __future__ import annotations

import logging
import random
import time
from typing import Any, Callable, Dict, Tuple, TypeVar

from django.db import Error, connections
from django.db.models import Model, QuerySet

__all__ = ["RetriedRows", "is_deadlock", "retry_deadlocks"]

logger = logging.getLogger(__name__)
T = TypeVar("T")
M = TypeVar("M", bound=Model)

_ATTEMPTS = 6
_FIRST_PAUSE = 0.02  # seconds

# PostgreSQL: deadlock_detected, serialization_failure. MySQL: ER_LOCK_DEADLOCK; its
# ER_LOCK_WAIT_TIMEOUT has taken 50 seconds already, and a request would wait that long again.
_SQLSTATES = ("40P01", "40001")
_MYSQL_NUMBER = 1213
_ORACLE_NUMBER = 60  # ORA-00060


def retry_deadlocks(using: str, write: Callable[[], T]) -> T:
    """Return what ``write`` returns, and call it again if the database broke off a deadlock.

    Inside a transaction it is called once: the whole transaction was rolled back, and only the
    code that began it can begin it again.

    Args:
        using: Alias of the database.
        write: Makes one statement, or one transaction.

    Raises:
        django.db.OperationalError: If the last of six attempts was refused as well.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return write()
        except Error as error:
            if attempt == _ATTEMPTS or connections[using].in_atomic_block or not is_deadlock(error):
                raise
            logger.info("the database broke off a deadlock; attempt %d follows", attempt + 1)
        time.sleep(_FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("the last attempt returns or raises")


def is_deadlock(error: Error) -> bool:
    """Whether the database refused a statement only because of others that ran beside it."""
    driver = error.__cause__
    state = getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None)
    if state in _SQLSTATES:
        return True
    first = error.args[0] if error.args else None
    return first == _MYSQL_NUMBER or getattr(first, "code", None) == _ORACLE_NUMBER


class RetriedRows(QuerySet[M]):
    """The rows of the ledger; an update or delete outside a transaction survives a deadlock."""

    def update(self, **values: Any) -> int:
        """Update as Django does, again if a deadlock was broken off."""
        return retry_deadlocks(self.db, lambda: super(RetriedRows, self).update(**values))

    def delete(self) -> Tuple[int, Dict[str, int]]:
        """Delete as Django does, again if a deadlock was broken off."""
        return retry_deadlocks(self.db, super().delete)
