"""What a worker does with a file; a project subclasses one of these to do more.

The path stays: rows of the ledger and settings of projects hold it.
"""

from __future__ import annotations

from smart_storages.queued.transfer.tasks import (
    Transfer,
    TransferAndDelete,
    get_task,
    how_to_write,
)

__all__ = ["Transfer", "TransferAndDelete", "get_task", "how_to_write"]
