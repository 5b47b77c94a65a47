"""Compares the times of calls that take well under a millisecond."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Sequence

__all__ = ["take_turns"]


def take_turns(
    contestants: Dict[str, Callable[[str], Any]], names: Sequence[str], rounds: int
) -> Dict[str, float]:
    """Return the seconds per call of each contestant in its best round.

    They take turns within each round, so that other work on the machine slows all or none.

    Args:
        contestants: Functions that take a name, by label.
        names: The names; each contestant is called once with each of them in a round.
        rounds: Number of rounds.
    """
    best = dict.fromkeys(contestants, float("inf"))
    for call in contestants.values():
        call(names[0])  # work that is only done once
    for _ in range(rounds):
        for contestant, call in contestants.items():
            started = time.perf_counter()
            for name in names:
                call(name)
            spent = (time.perf_counter() - started) / len(names)
            best[contestant] = min(best[contestant], spent)
    return best
