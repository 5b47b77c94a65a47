"""A proxy on loopback in front of an S3 server: records each request, and breaks some on demand.

It passes bytes on as they come, so signatures stay valid: an S3 server checks the signature over
the ``Host`` header that the client sent, and that header is left alone. One thread serves one
client connection over one upstream connection; both are kept alive as HTTP/1.1 asks.

    with S3Proxy(server.endpoint_url) as proxy:
        proxy.inject(method="GET", cut_after=1000)      # the next GET ends after 1,000 bytes
        ...                                             # talk to proxy.endpoint_url
        assert [request.method for request in proxy.requests] == ["HEAD", "GET"]

What a fault does is in `relay.Fault`, how bytes are framed in `wire.py`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, Iterator, List, Optional, Set, Tuple
from urllib.parse import parse_qsl, urlsplit

from tests.servers.base import Startable
from tests.servers.relay import Exchange, Fault, Relay
from tests.servers.wire import Connection, Head, WireError

_PATIENCE = 60.0
_SEND_BUFFER = 65536


class S3Proxy(Startable["S3Proxy"]):
    """The proxy; see the module. Use as a context manager, or ``start()`` and ``stop()``.

    Args:
        upstream: The server's address, ``http://host:port``.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"upstream must be http://host:port, not {upstream!r}")
        self._upstream: Tuple[str, int] = (parts.hostname, parts.port or 80)
        self._listener: Optional[socket.socket] = None
        self._port = 0
        self._lock = threading.Lock()
        self._open: Set[Connection] = set()
        self._faults: List[Fault] = []
        self._in_flight = 0
        #: Requests in the order they arrived; clear with ``reset()``.
        self.requests: List[Exchange] = []
        #: Client connections accepted since the last ``reset()``.
        self.connections = 0
        #: Most requests under way at the same time since the last ``reset()``; a request is under
        #: way from its head to just before the last bytes of its answer.
        self.peak_in_flight = 0

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def in_flight(self) -> int:
        """Requests under way now."""
        return self._in_flight

    # Life

    def start(self) -> S3Proxy:
        self._listen()
        return self

    def stop(self) -> None:
        """Stop listening and close every connection."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # shutdown wakes the thread that sits in accept; close alone would not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            connections = list(self._open)
            faults = list(self._faults)
        for fault in faults:
            fault.resume.set()
        for connection in connections:
            connection.abort()

    # Orders

    def inject(self, **fault: Any) -> Fault:
        """Plan a fault; arguments as in `Fault`. The result says how often it ``fired``."""
        planned = Fault(**fault)
        with self._lock:
            self._faults.append(planned)
        return planned

    def reset(self) -> None:
        """Forget planned faults and what was recorded."""
        with self._lock:
            self._faults.clear()
            self.requests = []
            self.connections = 0
            self.peak_in_flight = self._in_flight

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Meanwhile connections are refused, as by a machine on which no server runs."""
        self.stop()
        try:
            yield
        finally:
            self._listen()

    @contextlib.contextmanager
    def recording(self) -> Iterator[List[Exchange]]:
        """The list of requests that arrive inside the block; it is filled as they come."""
        with self._lock:
            outer, self.requests = self.requests, []
            mine = self.requests
        try:
            yield mine
        finally:
            with self._lock:
                self.requests = outer
                outer.extend(mine)

    # Work

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(512)
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            # What a client leaves unread shall wait in the server, not here, counted as moved.
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            client = Connection(accepted, _PATIENCE)
            with self._lock:
                self.connections += 1
                self._open.add(client)
            if self._listener is not listener:
                # Accepted while stop() ran: nobody would close it any more.
                client.abort()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: Connection) -> None:
        upstream = None
        try:
            while True:
                head = client.read_head()
                if head is None:
                    return
                exchange = self._record(head)
                with contextlib.ExitStack() as under_way:
                    under_way.callback(self._finished)
                    if upstream is None or upstream.has_input():
                        # Input between answers is the end of an idle connection.
                        upstream = self._connect(upstream)
                    if not Relay(client, upstream, head, exchange, under_way.close).run():
                        return
        except (OSError, WireError):
            # Either side went away; whoever is left sees its connection close.
            return
        finally:
            self._forget(client)
            if upstream is not None:
                self._forget(upstream)

    def _connect(self, old: Optional[Connection]) -> Connection:
        if old is not None:
            self._forget(old)
        upstream = Connection(socket.create_connection(self._upstream, _PATIENCE), _PATIENCE)
        with self._lock:
            self._open.add(upstream)
        return upstream

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _finished(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def _record(self, head: Head) -> Exchange:
        method, target, _ = head.start
        path, _, query = target.partition("?")
        exchange = Exchange(
            method=method,
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=head.headers,
        )
        with self._lock:
            self.requests.append(exchange)
            self._in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self._in_flight)
            for fault in self._faults:
                if fault.hits(exchange):
                    exchange.fault = fault
                    break
        return exchange
