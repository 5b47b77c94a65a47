"""Relays on loopback for servers that do not speak HTTP; one loses an answer, one cuts.

The first is for PostgreSQL. It passes bytes on as they come. Armed with a piece of a statement, it
lets the server carry out the next message that holds it, reads the answer to its end, and then
drops the connection: the client never learns that the server has done what it was asked.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import List, Optional, Tuple

from tests.servers.base import Startable

__all__ = ["AnswerLosingRelay", "CuttingRelay"]

#: ReadyForQuery, with which PostgreSQL ends each answer: outside of a transaction, in one, in a
#: failed one.
_ENDS = tuple(b"Z\x00\x00\x00\x05" + state for state in (b"I", b"T", b"E"))
_PIECE = 65536


class AnswerLosingRelay(Startable["AnswerLosingRelay"]):
    """The relay; see the module.

    Args:
        port: Port of the PostgreSQL server on loopback.
    """

    def __init__(self, port: int) -> None:
        self._upstream: Tuple[str, int] = ("127.0.0.1", port)
        self._listener: Optional[socket.socket] = None
        self._wanted = b""
        #: How many answers were lost so far.
        self.lost = 0

    @property
    def port(self) -> int:
        assert self._listener is not None
        return int(self._listener.getsockname()[1])

    def start(self) -> AnswerLosingRelay:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # shutdown wakes the thread that sits in accept; close alone would not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def lose_answer(self, to: bytes) -> None:
        """Have the server carry out the next message that holds ``to``, and lose its answer."""
        self._wanted = to

    def disarm(self) -> None:
        """Lose nothing."""
        self._wanted = b""

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._upstream) as up:
            for each in (client, up):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            losing = False
            answer = b""
            while True:
                for ready in select.select([client, up], [], [])[0]:
                    data = ready.recv(_PIECE)
                    if not data:
                        return
                    if ready is client:
                        losing = losing or self._is_wanted(data)
                        up.sendall(data)
                    elif not losing:
                        client.sendall(data)
                    else:
                        answer += data
                        if answer.endswith(_ENDS):
                            self.lost += 1
                            return

    def _is_wanted(self, data: bytes) -> bool:
        if not self._wanted or self._wanted not in data:
            return False
        self._wanted = b""
        return True


class CuttingRelay(Startable["CuttingRelay"]):
    """A relay on loopback that passes bytes on, counts connections, and cuts them on demand.

    Args:
        port: Port of the server on loopback.
    """

    def __init__(self, port: int) -> None:
        self._upstream: Tuple[str, int] = ("127.0.0.1", port)
        self._listener: Optional[socket.socket] = None
        self._left: Optional[int] = None
        self._open: List[socket.socket] = []
        #: How many connections there were so far.
        self.connections = 0
        #: Whether new connections are closed at once.
        self.refuses = False

    @property
    def port(self) -> int:
        assert self._listener is not None
        return int(self._listener.getsockname()[1])

    def start(self) -> CuttingRelay:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut every connection now."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def cut_after(self, count: int) -> None:
        """Cut the connection that sends so many bytes to the server from now on."""
        self._left = count

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.refuses:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._upstream) as up:
            for each in (client, up):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.append(each)
            while True:
                for ready in select.select([client, up], [], [])[0]:
                    data = ready.recv(_PIECE)
                    if not data:
                        return
                    if ready is client and self._left is not None:
                        self._left -= len(data)
                        if self._left < 0:
                            self._left = None
                            return
                    (up if ready is client else client).sendall(data)
