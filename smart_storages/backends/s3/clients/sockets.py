"""The connections of direct requests: urllib3 pools with the options of botocore's client."""

from __future__ import annotations

import os
import weakref
from typing import Any, Dict, Optional, Tuple
from urllib.parse import urlsplit

from botocore.httpsession import URLLib3Session, create_urllib3_context, get_cert_path
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout

from smart_storages.backends.s3.clients.idle import ClosesIdle
from smart_storages.backends.s3.private_names import (
    lends_connections,
    may_connect_directly,
    session_of,
    verify_of,
)

__all__ = ["SocketPools"]

#: The least size of a host's pool; urllib3 logs a warning when more sockets are in use at once.
_SOCKETS = 64


class _Pool(ClosesIdle, HTTPConnectionPool):
    pass


class _SecurePool(ClosesIdle, HTTPSConnectionPool):
    pass


# Clients that differ only in credentials share sockets; they close with the last of the clients.
_shared: weakref.WeakValueDictionary[Tuple[Any, ...], Any] = weakref.WeakValueDictionary()

if hasattr(os, "register_at_fork"):
    # Two processes on one socket would read each other's responses.
    os.register_at_fork(after_in_child=_shared.clear)


class SocketPools:
    """The urllib3 pools of one client, a pool for each host.

    Args:
        client: The client whose timeouts, certificates and pool size are used.
    """

    def __init__(self, client: Any) -> None:
        config = client.meta.config
        session = session_of(client)
        self._session = session
        #: Whether these sockets can be used in place of the client's own.
        self.usable = (
            type(session) is URLLib3Session
            and lends_connections(HTTPConnectionPool)
            and (config.retries or {}).get("mode") != "adaptive"
            and not getattr(config, "tcp_keepalive", None)
        )
        self._timeouts = (config.connect_timeout, config.read_timeout)
        self._size = max(config.max_pool_connections, _SOCKETS)
        cert = config.client_cert
        self._cert = tuple(cert) if isinstance(cert, (tuple, list)) else (cert, None)
        self._pools: Dict[Tuple[Any, ...], Any] = {}

    def pool(self, url: str) -> Optional[Any]:
        """Return the pool for a URL, ``None`` if requests to it go through a proxy."""
        session: Any = self._session
        if not may_connect_directly(session, url):
            return None
        parts = urlsplit(url)
        verify = verify_of(session) if parts.scheme == "https" else None
        place = (parts.scheme, parts.hostname, parts.port)
        name = (*place, verify, self._cert, self._timeouts, self._size)
        # Two threads may each make one; it is then shared by fewer clients, which does no harm.
        pool = _shared.get(name)
        if pool is None:
            pool = _shared[name] = self._make(*place, verify)
        self._pools[name] = pool
        return pool

    def _make(self, scheme: str, host: Any, port: Optional[int], verify: Any) -> Any:
        connect, read = self._timeouts
        options: Dict[str, Any] = {
            "timeout": Timeout(connect=connect, read=read),
            "maxsize": self._size,
            "block": False,
        }
        if scheme == "http":
            return _Pool(host, port, **options)
        options.update(
            ssl_context=create_urllib3_context(),
            cert_reqs="CERT_REQUIRED" if verify else "CERT_NONE",
            ca_certs=get_cert_path(verify) if verify else None,
            cert_file=self._cert[0],
            key_file=self._cert[1],
        )
        return _SecurePool(host, port, **options)
