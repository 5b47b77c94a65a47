"""Whether the queue can be used at all, said in words before or instead of a database's error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

from django.apps import apps
from django.db import DatabaseError

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued import engines
from smart_storages.queued.models import LedgerIdentity, QueuedFile

__all__ = ["explained", "require"]

_APP = "smart_storages.queued"
_NOT_INSTALLED = (
    f"Queued storages need {_APP!r} in INSTALLED_APPS: add it, and run manage.py migrate."
)
#: What PostgreSQL (in any language) and MySQL call a table or a column that is not there.
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
    """Say what to do about a table that is not there; asks the database nothing.

    Raises:
        ConfigurationError: In the place of the database's error.
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
    told = any(code in _CODES for code in codes) or any(phrase in text for phrase in _PHRASES)
    # Ours, not one of the application's that happened to be used in the same place.
    return told and any(each._meta.db_table in text for each in (QueuedFile, LedgerIdentity))
