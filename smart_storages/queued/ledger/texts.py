"""Texts for the ledger, in a form that every database accepts."""

from __future__ import annotations

from typing import Any, Optional

from django.core.exceptions import SuspiciousFileOperation

from smart_storages.common.documentation import plain_text
from smart_storages.queued.models import QueuedFile

__all__ = ["check_fits", "describe_error", "longest", "storable"]


def longest(column: str) -> int:
    """Return how many characters a column of the ledger can hold.

    Example:
        >>> longest("name")
        1024
    """
    found: Optional[int] = QueuedFile._meta.get_field(column).max_length  # type: ignore[union-attr]
    assert found is not None  # noqa: S101 - only called for columns that have a limit
    return found


def check_fits(**columns: Any) -> None:
    """Refuse texts that are too long for their columns; SQLite would accept them.

    Raises:
        SuspiciousFileOperation: Names the column, the text and how long it may be.
    """
    for column, text in columns.items():
        if isinstance(text, str) and len(text) > (most := longest(column)):
            what = column.replace("_", " ")
            raise SuspiciousFileOperation(
                f"The {what} {text[:40]!r}... has {len(text)} characters, and the ledger of queued "
                f"files holds at most {most}. Give a shorter one."
            )


def storable(text: str) -> str:
    r"""Return a text in which the characters that some database refuses are escaped.

    PostgreSQL refuses NUL, SQLite the lone surrogates that ``os.fsdecode`` makes of invalid bytes.

    Example:
        >>> storable("a\0b\udce9")
        'a\\x00b\\udce9'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def describe_error(error: BaseException) -> str:
    """Return the class and the text of an error, in a form that the ledger can hold.

    Example:
        >>> describe_error(KeyError("a"))
        "KeyError: 'a'"
    """
    try:
        text = plain_text(error)
    except Exception as another:  # its __str__ may raise
        text = f"(its text raised {type(another).__name__})"
    return storable(f"{type(error).__name__}: {text}")
