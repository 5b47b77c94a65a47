"""The clients of every storage of this process; a module of its own, imported at first use."""

from __future__ import annotations

from smart_storages import config
from smart_storages.backends.s3.clients.pool import ClientPool

__all__ = ["client_pool"]

client_pool = ClientPool(limit=config.get_max_clients)
