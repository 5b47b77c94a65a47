"""A server on loopback that refuses whatever it is asked, as an S3 endpoint or as a proxy."""

from __future__ import annotations

import socket
import threading
from typing import Callable, Optional

from tests.servers.base import Startable

#: Returns the whole answer to a request's head, ``None`` to close the connection without a word.
Refusal = Callable[[str], Optional[bytes]]


#: What a client begins with that wants TLS, which is not spoken here.
_TLS = b"\x16"


class RefusingServer(Startable["RefusingServer"]):
    """Answers each request with what ``refuse`` says of its head, then closes the connection.

    Args:
        refuse: May be replaced while the server runs.

    Example:
        with RefusingServer(lambda head: None) as server:
            ...                                         # talk to server.endpoint_url
    """

    def __init__(self, refuse: Refusal) -> None:
        self.refuse = refuse
        self._listener: Optional[socket.socket] = None

    @property
    def address(self) -> str:
        """``host:port``."""
        assert self._listener is not None
        return "{}:{}".format(*self._listener.getsockname())

    @property
    def endpoint_url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> RefusingServer:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with accepted:
            accepted.settimeout(10)
            try:
                head = self._read(accepted)
                answer = self.refuse(head)
                if answer is not None:
                    accepted.sendall(answer)
                    accepted.shutdown(socket.SHUT_WR)
                    while accepted.recv(65536):  # so that what was not read resets nothing
                        pass
            except OSError:
                return

    @staticmethod
    def _read(accepted: socket.socket) -> str:
        data = b""
        while b"\r\n\r\n" not in data and not data.startswith(_TLS):
            piece = accepted.recv(65536)
            if not piece:
                break
            data += piece
        if b"100-continue" in data:
            accepted.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return data.partition(b"\r\n\r\n")[0].decode("latin-1")
