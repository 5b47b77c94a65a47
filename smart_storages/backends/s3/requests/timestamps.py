"""Times as S3 writes them, read in a microsecond; any other as botocore reads them."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

from botocore.utils import parse_timestamp

__all__ = ["read_timestamp"]

_match = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\d*Z").fullmatch


def read_timestamp(value: Any) -> datetime:
    """Return the time that an answer gives, as an aware datetime.

    Args:
        value: ``"2026-11-26T01:02:03.456Z"``, or what else botocore understands.

    Raises:
        ValueError: it is no time.

    Example:
        >>> read_timestamp("2026-11-26T01:02:03.456Z").microsecond
        456000
    """
    found = _match(value) if isinstance(value, str) else None
    if found is None:
        return parse_timestamp(value)
    year, month, day, hour, minute, second, fraction = found.groups()
    microsecond = int(fraction.ljust(6, "0")) if fraction else 0
    moment = (int(year), int(month), int(day), int(hour), int(minute), int(second))
    return datetime(*moment, microsecond, timezone.utc)
