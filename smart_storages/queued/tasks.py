"""The tasks: what a worker does with a file. A project subclasses one of them to do more.

This path must not change, because rows of the ledger and settings of projects hold it.
"""

from __future__ import annotations

from smart_storages.queued.transfer.tasks import (
    Transfer,
    TransferAndDelete,
    get_task,
    how_to_write,
)

__all__ = ["Transfer", "TransferAndDelete", "get_task", "how_to_write"]
