"""Timing calls that take well under a millisecond, beside each other."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Sequence

__all__ = ["take_turns"]


def take_turns(
    contestants: Dict[str, Callable[[str], Any]], names: Sequence[str], rounds: int
) -> Dict[str, float]:
    """Return the seconds that a call took each contestant in its best round.

    They take turns within each round, so that what else the machine does slows all or none.

    Args:
        contestants: What to call with a name, by label.
        names: One call for each of them in a round.
        rounds: How many rounds.
    """
    best = dict.fromkeys(contestants, float("inf"))
    for call in contestants.values():
        call(names[0])  # what is only done once
    for _ in range(rounds):
        for contestant, call in contestants.items():
            started = time.perf_counter()
            for name in names:
                call(name)
            spent = (time.perf_counter() - started) / len(names)
            best[contestant] = min(best[contestant], spent)
    return best
