"""How often a request is tried, and how long it waits in between."""

from __future__ import annotations

import random
from typing import Any, Optional

from botocore.exceptions import ClientError

from smart_storages.common import on_loop, recording

__all__ = ["RETRIED", "attempts_of", "pause"]

#: HTTP statuses after which a request is retried.
RETRIED = frozenset({429, 500, 502, 503, 504})

# The defaults of botocore's retry modes, for a client without a configured number.
_ATTEMPTS = {"legacy": 5, "standard": 3}
_MAX_PAUSE = 20.0


def attempts_of(client: Any) -> int:
    """Return how many times botocore would try a request, the first time included."""
    retries = client.meta.config.retries or {}
    return int(retries.get("total_max_attempts") or _ATTEMPTS.get(retries.get("mode") or "", 3))


def pause(failures: int, error: Optional[BaseException] = None) -> None:
    """Wait before the next try: for a random time whose upper limit doubles, or ``Retry-After``.

    Args:
        failures: How many tries have failed so far.
        error: The error of the last one, which may have a ``Retry-After`` header.
    """
    recording.count_retry()
    on_loop.pause(_retry_after(error) or random.random() * min(2 ** (failures - 1), _MAX_PAUSE))  # noqa: S311


def _retry_after(error: Optional[BaseException]) -> float:
    if not isinstance(error, ClientError):
        return 0.0
    text = error.response["ResponseMetadata"]["HTTPHeaders"].get("retry-after", "")
    return min(float(text), _MAX_PAUSE) if text.isdecimal() else 0.0
