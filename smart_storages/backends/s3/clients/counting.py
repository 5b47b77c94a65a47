"""Counts the requests that botocore's client sends to the operation that they are sent for."""

from __future__ import annotations

from typing import Any, Dict, Optional

from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    SSLError,
)

from smart_storages.common.recording import count_request, count_retry

__all__ = ["count_requests_of"]

#: After these, no request has left.
_NEVER_LEFT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError)


def count_requests_of(client: Any) -> None:
    """Count each attempt of each request that a client sends.

    Args:
        client: A boto3 client that only this package uses.
    """
    events = client.meta.events
    events.register("before-send.s3", _count)
    events.register("response-received.s3", _correct)


def _count(**_: Any) -> None:
    count_request()


def _correct(
    context: Optional[Dict[str, Any]] = None, exception: Optional[Exception] = None, **_: Any
) -> None:
    if isinstance(exception, _NEVER_LEFT):
        count_request(-1)
    if ((context or {}).get("retries") or {}).get("attempt", 1) > 1:
        count_retry()
