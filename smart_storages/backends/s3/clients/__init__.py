"""One client for each distinct connection, its credentials, and the sockets of direct requests.

A :class:`~smart_storages.backends.s3.clients.pool.Connection` comes in; a shared botocore client
goes out, or a direct route to the same server. This room may not know what the requests are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

if TYPE_CHECKING:
    from . import credentials as credentials
    from . import pool as pool
else:
    __getattr__ = importing_on_demand(__name__)
