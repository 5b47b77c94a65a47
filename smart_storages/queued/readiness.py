"""Whether the queue can be used, and clear errors in place of those of the database if not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

from django.apps import apps
from django.db import DatabaseError

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued import engines
from smart_storages.queued.models import LedgerIdentity, QueuedFile, QueuedPage

__all__ = ["explained", "require"]

_APP = "smart_storages.queued"
_NOT_INSTALLED = (
    f"Queued storages need {_APP!r} in INSTALLED_APPS: add it, and run manage.py migrate."
)
#: Error codes of PostgreSQL (in any language) and MySQL for a missing table or column.
_CODES = ("42P01", "42703", 1146, 1054)
_PHRASES = ("no such table", "no such column", "has no column", "does not exist", "doesn't exist")


def require() -> None:
    """Make sure, before a file is written, that there is a ledger and an engine.

    Raises:
        ConfigurationError: The app is not installed, or a setting of the queue is wrong.
    """
    if not apps.is_installed(_APP):
        raise ConfigurationError(_NOT_INSTALLED)
    engines.require()


@contextmanager
def explained() -> Iterator[None]:
    """Turn the database's error about a missing table into one that says what to do.

    It makes no query of its own.

    Raises:
        ConfigurationError: A table or a column of the ledger is missing.
    """
    try:
        yield
    except DatabaseError as error:
        if not _is_missing(error):
            raise
        if not apps.is_installed(_APP):
            raise ConfigurationError(_NOT_INSTALLED) from error
        raise ConfigurationError(
            f"The ledger of queued files ({QueuedFile._meta.db_table}) is not in the database, "
            "or is older than this version: run manage.py migrate."
        ) from error


def _is_missing(error: DatabaseError) -> bool:
    cause: Any = error.__cause__
    codes = (getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), *error.args[:1])
    text = str(error).lower()
    matches = any(code in _CODES for code in codes) or any(phrase in text for phrase in _PHRASES)
    # Only for our tables, not for one of the application's that is used in the same block.
    tables = (each._meta.db_table for each in (QueuedFile, LedgerIdentity, QueuedPage))
    return matches and any(table in text for table in tables)
