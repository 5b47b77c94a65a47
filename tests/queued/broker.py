"""An engine that keeps its messages until a test delivers them."""

from __future__ import annotations

from typing import List, Tuple

from smart_storages.queued import engines

messages: List[Tuple[int, float]] = []


def post(pk: int, delay: float) -> str:
    messages.append((pk, delay))
    return f"message {len(messages)}"


def refuse(pk: int, delay: float) -> None:
    raise ConnectionError("the broker is down")


def deliver() -> list:
    """Deliver every message once, whatever its delay, and return how each ended."""
    taken = list(messages)
    messages.clear()
    return [engines.run(pk) for pk, _ in taken]
