"""Running a test's own code in several threads."""

from __future__ import annotations

import threading
from typing import Any, Callable, Iterable


def run_in_threads(work: Callable[[Any], Any], arguments: Iterable[Any]) -> None:
    """Call ``work`` in a thread for each argument, all at once, and wait for all of them."""
    threads = [threading.Thread(target=work, args=(each,)) for each in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
