"""The ledger: the only record of where a queued file is, and every write to it.

Decisions of the application and the workers come in; rows go out. It may not know storages: a row
holds the key of one, never its options. The states of a row are explained at the top of
:mod:`.writes`.
"""

from __future__ import annotations

from .queries import (
    connection,
    database,
    find,
    no_lease,
    rows,
)
from .writes import (
    claim,
    fail,
    finish,
    forget_local,
    mark_in_doubt,
    name_remote,
    prunable,
    release,
    remove,
    renew,
    requeue,
)

__all__ = [
    "claim",
    "connection",
    "database",
    "fail",
    "find",
    "finish",
    "forget_local",
    "mark_in_doubt",
    "name_remote",
    "no_lease",
    "prunable",
    "release",
    "remove",
    "renew",
    "requeue",
    "rows",
]
