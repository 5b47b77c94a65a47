"""The connections of the lean requests: urllib3 pools with the options of botocore's client."""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
import weakref
from typing import Any, Dict, Optional, Tuple
from urllib.parse import urlsplit

from botocore.httpsession import URLLib3Session, create_urllib3_context, get_cert_path
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from smart_storages.s3.idle import ClosesIdle

__all__ = ["SocketPools"]

_ON_LINUX = sys.platform.startswith("linux")

#: Sockets that may be in use to one host at least before urllib3 complains in the log.
_SOCKETS = 64

# A server sizes its send buffer by the segment: on loopback, where one holds 32 KB, it would
# push megabytes into the kernel before it learns that a reader wanted ten bytes.
_SEGMENT = 1460

# A connection to a server this near, in microseconds, is opened anew rather than used again after
# a body this big, in bytes: its windows are then wide enough to take megabytes nobody reads.
_NEAR = 1000
_WIDE = 128 * 1024

# Where Linux keeps the round trip, in microseconds, in its struct tcp_info.
_RTT = struct.Struct("68xI")


class _HideSignatures(logging.Filter):
    """Takes the signature, and the session token beside it, out of urllib3's own log lines.

    botocore signs in headers, which urllib3 does not log; a signed query would let whoever reads
    the log make the request again.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and any(map(_is_signed, record.args)):
            record.args = tuple(
                f"{str(each).split('?')[0]}?***" if _is_signed(each) else each
                for each in record.args
            )
        return True


def _is_signed(value: Any) -> bool:
    return isinstance(value, str) and "X-Amz-Signature=" in value


logging.getLogger("urllib3.connectionpool").addFilter(_HideSignatures())


class _Bounded:
    """A connection on which an unread answer stays small."""

    near = False
    spent = False

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.near = _is_near(self.sock)  # type: ignore[attr-defined]
        self.spent = False

    def request(
        self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any
    ) -> None:
        if self.spent and "Range" not in (headers or {}):
            self.close()  # type: ignore[attr-defined]
        super().request(method, url, body=body, headers=headers, **options)  # type: ignore[misc]

    def getresponse(self, *args: Any, **options: Any) -> Any:
        response = super().getresponse(*args, **options)  # type: ignore[misc]
        length = response.headers.get("Content-Length") or ""
        if self.near and length.isdigit() and int(length) > _WIDE:
            self.spent = True
        return response


class _Connection(_Bounded, HTTPConnection):
    pass


class _SecureConnection(_Bounded, HTTPSConnection):
    pass


class _Pool(ClosesIdle, HTTPConnectionPool):
    ConnectionCls: Any = _Connection


class _SecurePool(ClosesIdle, HTTPSConnectionPool):
    ConnectionCls: Any = _SecureConnection


# Clients that differ in credentials alone share sockets; the last client to go closes them.
_shared: weakref.WeakValueDictionary[Tuple[Any, ...], Any] = weakref.WeakValueDictionary()

if hasattr(os, "register_at_fork"):
    # Two processes on one socket would read each other's answers.
    os.register_at_fork(after_in_child=_shared.clear)


class SocketPools:
    """The urllib3 pools of one client, a pool for each host.

    Args:
        client: The client whose timeouts, certificates and pool size hold.
    """

    def __init__(self, client: Any) -> None:
        config = client.meta.config
        session = getattr(getattr(client, "_endpoint", None), "http_session", None)
        self._session = session
        #: Whether these sockets can stand in for the client's own.
        self.usable = (
            type(session) is URLLib3Session
            and (config.retries or {}).get("mode") != "adaptive"
            and not getattr(config, "tcp_keepalive", None)
        )
        self._timeouts = (config.connect_timeout, config.read_timeout)
        self._size = max(config.max_pool_connections, _SOCKETS)
        cert = config.client_cert
        self._cert = tuple(cert) if isinstance(cert, (tuple, list)) else (cert, None)
        self._pools: Dict[Tuple[Any, ...], Any] = {}

    def pool(self, url: str) -> Optional[Any]:
        """Return the pool for a URL, ``None`` if a proxy stands before it."""
        session: Any = self._session
        if session._proxy_config.proxy_url_for(url):
            return None
        parts = urlsplit(url)
        verify = session._verify if parts.scheme == "https" else None
        place = (parts.scheme, parts.hostname, parts.port)
        name = (*place, verify, self._cert, self._timeouts, self._size)
        # Two threads may make one each; they are then shared by fewer, which does no harm.
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
            "socket_options": _socket_options(),
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


def _is_near(sock: Any) -> bool:
    # The kernel's figure of the handshake: a clock around connect() would measure our own load.
    if not _ON_LINUX:
        return False
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT.size)
    return len(info) == _RTT.size and _RTT.unpack(info)[0] < _NEAR


def _socket_options() -> Any:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if _ON_LINUX:
        options.append((socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT))
    return options
