"""A server of one object that answers GET and HEAD as a test writes the bytes of the answer.

    with Liar(b"content") as liar:
        liar.lie = lambda asked: b"HTTP/1.1 204 No Content\r\n\r\n"
        ...                             # talk to liar.server.endpoint_url
        liar.lie = None                 # honest again, ranges and conditions included

After each answer the connection is closed, as one that lies would have to.
"""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, List, NamedTuple, Optional

from tests.servers.base import S3Server, Startable


class Asked(NamedTuple):
    """What a request asked for; ``range`` is the value of its header."""

    method: str
    range: Optional[str]


#: Returns a whole answer, status line included; ``None`` to answer honestly.
Lie = Callable[[Asked], Optional[bytes]]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        liar: Liar = self.server.liar  # type: ignore[attr-defined]
        asked = Asked(self.command, self.headers.get("Range"))
        liar.asked.append(asked)
        answer = liar.lie(asked) if liar.lie else None
        self.wfile.write(liar.answer(asked) if answer is None else answer)
        self.close_connection = True

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        """Say nothing of readers that go before the answer is over."""


class Liar(Startable["Liar"]):
    """The server; see the module.

    Args:
        content: The object, whatever its key.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag = hashlib.md5(content).hexdigest()  # noqa: S324 - S3's own ETag
        self.lie: Optional[Lie] = None
        self.asked: List[Asked] = []

    def start(self) -> Liar:
        self._http: Any = _Server(("127.0.0.1", 0), _Handler)
        self._http.liar = self
        threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def server(self) -> S3Server:
        return S3Server("liar", f"http://127.0.0.1:{self._http.server_port}", "key", "secret")

    def answer(self, asked: Asked) -> bytes:
        """The honest answer."""
        size = len(self.content)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.range or "")
        if not found:
            return self.write("200 OK", asked, self.content)
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
        if first >= size:
            return self.write("416 Range Not Satisfiable", asked, b"")
        body = self.content[first : last + 1]
        return self.write("206 OK", asked, body, f"Content-Range: bytes {first}-{last}/{size}")

    def write(self, status: str, asked: Asked, body: bytes, *lines: str) -> bytes:
        """An answer with the object's ETag and the true length of ``body``."""
        lines = (f"Content-Length: {len(body)}", *lines)
        return self.head(status, *lines) + (b"" if asked.method == "HEAD" else body)

    def head(self, status: str, *lines: str) -> bytes:
        """The head of an answer with the object's ETag and these headers."""
        return "\r\n".join(
            [f"HTTP/1.1 {status}", f'ETag: "{self.etag}"', "Connection: close", *lines, "", ""]
        ).encode("latin-1")
