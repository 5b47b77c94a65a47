"""HTTP/1.1 on a socket as far as a proxy must understand it: heads, and where bodies end."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Tuple

_PIECE = 65536
_MAX_HEAD = 1 << 20


class WireError(Exception):
    """What came is not HTTP/1.1, or ended early."""


@dataclass(frozen=True)
class Framing:
    """Where a body ends: after ``length`` bytes, after the last chunk, or with the connection."""

    length: Optional[int] = 0
    chunked: bool = False

    @property
    def keeps_alive(self) -> bool:
        return self.chunked or self.length is not None


@dataclass
class Head:
    """Start line and headers (lower-case names) of a message, and the bytes they came in."""

    raw: bytes
    start: Tuple[str, str, str]
    headers: Dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        lines = raw.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ", 2)
        if len(parts) < 2:
            raise WireError(f"not HTTP: {lines[0][:80]!r}")
        parts += [""] * (3 - len(parts))
        headers = {}
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
        return cls(raw, (parts[0], parts[1], parts[2]), headers)

    @property
    def status(self) -> int:
        return int(self.start[1])

    @property
    def _is_answer(self) -> bool:
        return self.start[0].startswith("HTTP/")

    def body_framing(self, method: str = "") -> Framing:
        """How the body is framed (RFC 9112, section 6.3).

        Args:
            method: For an answer, the method of its request.
        """
        if self._is_answer and (method == "HEAD" or self.status in (204, 304)):
            return Framing()
        if self.headers.get("transfer-encoding", "").lower().endswith("chunked"):
            return Framing(None, chunked=True)
        if "content-length" in self.headers:
            return Framing(int(self.headers["content-length"]))
        return Framing(None) if self._is_answer else Framing()

    def keeps_alive(self) -> bool:
        version = self.start[0] if self._is_answer else self.start[2]
        connection = self.headers.get("connection", "").lower()
        if version == "HTTP/1.0":
            return connection == "keep-alive"
        return connection != "close"

    def with_body_length(self, length: int) -> bytes:
        """The head again, saying that ``length`` bytes of body follow."""
        dropped = (b"content-length:", b"transfer-encoding:")
        lines = [
            line
            for line in self.raw.split(b"\r\n")
            if line and not line.lower().startswith(dropped)
        ]
        lines.append(b"Content-Length: %d" % length)
        return b"\r\n".join(lines) + b"\r\n\r\n"


class Connection:
    """A socket with a buffer in front of it. ``eq`` is identity."""

    def __init__(self, sock: socket.socket, patience: float) -> None:
        sock.settimeout(patience)
        # Without it a small write waits for the acknowledgement of the one before.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._patience = patience
        self._buffer = b""
        self._more_body = False

    # Input

    def read_head(self) -> Optional[Head]:
        """The next head, or None when the other side closed before one began."""
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD:
                raise WireError("a head of over 1 MiB")
            piece = self._socket.recv(_PIECE)
            if not piece:
                if self._buffer:
                    raise WireError("closed within a head")
                return None
            self._buffer += piece
        end = self._buffer.index(b"\r\n\r\n") + 4
        raw, self._buffer = self._buffer[:end], self._buffer[end:]
        return Head.parse(raw)

    def unread(self, head: Head) -> None:
        self._buffer = head.raw + self._buffer

    def read_body(self, framing: Framing) -> Iterator[Tuple[bytes, int]]:
        """Pieces of a body as ``(bytes on the wire, how many of them at the end are payload)``."""
        if framing.chunked:
            return self._read_chunks()
        if framing.length is None:
            return self._read_to_end()
        return self._read_exactly(framing.length)

    def has_more_body(self) -> bool:
        """Whether the body that is being read goes on after the last piece."""
        return self._more_body

    def _read_exactly(self, length: int) -> Iterator[Tuple[bytes, int]]:
        while length:
            piece = self._take(min(length, _PIECE))
            length -= len(piece)
            self._more_body = length > 0
            yield piece, len(piece)

    def _read_to_end(self) -> Iterator[Tuple[bytes, int]]:
        self._more_body = True
        while True:
            piece, self._buffer = self._buffer, b""
            piece = piece or self._socket.recv(_PIECE)
            if not piece:
                return
            yield piece, len(piece)

    def _read_chunks(self) -> Iterator[Tuple[bytes, int]]:
        self._more_body = True
        while True:
            line = self._read_line()
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            first = True
            while size:
                piece = self._take(min(size, _PIECE))
                size -= len(piece)
                yield (line + piece if first else piece), len(piece)
                first = False
            yield self._read_line(), 0
        # Trailers, up to and with the empty line.
        tail: List[bytes] = [line]
        while tail[-1] != b"\r\n":
            tail.append(self._read_line())
        self._more_body = False
        yield b"".join(tail), 0

    def _take(self, most: int) -> bytes:
        if self._buffer:
            piece, self._buffer = self._buffer[:most], self._buffer[most:]
            return piece
        piece = self._socket.recv(most)
        if not piece:
            raise WireError("closed within a body")
        return piece

    def _read_line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            piece = self._socket.recv(_PIECE)
            if not piece:
                raise WireError("closed within a chunked body")
            self._buffer += piece
        end = self._buffer.index(b"\r\n") + 2
        line, self._buffer = self._buffer[:end], self._buffer[end:]
        return line

    def has_input(self) -> bool:
        """Whether a read would not wait: there is data, or the other side closed."""
        if self._buffer:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    @staticmethod
    def wait_for_any(*connections: Connection) -> None:
        """Wait until one of them has input."""
        if any(connection._buffer for connection in connections):
            return
        poll = select.poll()
        for connection in connections:
            if connection._socket.fileno() < 0:
                raise WireError("the connection was aborted")
            poll.register(connection._socket, select.POLLIN)
        poll.poll(connections[0]._patience * 1000)

    # Output and end

    def send(self, data: bytes) -> None:
        if data:
            self._socket.sendall(data)

    def drain(self) -> None:
        """Say that nothing more comes, then read on until the other side has finished too."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + 2
            self._socket.settimeout(2)
            while self._socket.recv(_PIECE) and time.monotonic() < deadline:
                pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def abort(self) -> None:
        """Close with a reset, as a crashed machine or an impatient router does."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            # Wakes a thread that reads; shutting down output too would say goodbye politely.
            self._socket.shutdown(socket.SHUT_RD)
        self._socket.close()
