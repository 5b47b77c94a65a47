"""One request and its answer passed on between client and server, with what goes wrong on order."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, Optional

from tests.servers.wire import Connection, Head, WireError

_LONGEST_HOLD = 60.0
_STATUS_TEXT = {429: "Too Many Requests", 500: "InternalError", 503: "SlowDown"}


@dataclass
class Exchange:
    """One request and its answer as they went over the wire.

    ``bytes_up`` and ``bytes_down`` count heads, framing and bodies; ``body_up`` and ``body_down``
    payload alone. ``status`` is None until the server's answer arrives, or when none does.
    """

    method: str
    path: str
    query: Dict[str, str]
    headers: Dict[str, str]
    status: Optional[int] = None
    answer_headers: Dict[str, str] = field(default_factory=dict)
    bytes_up: int = 0
    bytes_down: int = 0
    body_up: int = 0
    body_down: int = 0
    fault: Optional[Fault] = None


@dataclass
class Fault:
    """What goes wrong, and with which requests. Attributes left out do not matter.

    Choice: ``method``, ``path`` (a part of it) and ``query`` (a parameter's name) select requests;
    of those, the first ``skip`` pass and the next ``times`` (None: all) are hit.

    Harm:
        latency: Seconds to wait before the request is passed on.
        status: Answered with this status by the proxy, without asking the server.
        retry_after: Seconds for the ``Retry-After`` header of such an answer.
        lose_answer: The server does what was asked, then the connection ends without a word.
        cut_after: The connection ends after this many bytes of the answer's body.
        cut_request_after: The connection ends after this many bytes of the request's body.
        truncate_to: The body is shortened, and the headers agree: a clean answer with less in it.
        corrupt_at: The byte of the answer's body at this position is flipped.
        corrupt_request_at: The byte of the request's body at this position is flipped.
        hold_request_at: The request's body stops after this many bytes until ``resume`` is set.
        hold_answer: The server's answer is kept back until ``resume`` is set.
        answer: What the client gets in the place of the server's answer, byte by byte; then the
            connection ends. The server does what was asked, unless it is ``unasked``.
        unasked: The server never sees the request. With ``answer``.
    """

    method: Optional[str] = None
    path: Optional[str] = None
    query: Optional[str] = None
    skip: int = 0
    times: Optional[int] = 1
    latency: float = 0.0
    status: Optional[int] = None
    retry_after: Optional[int] = None
    lose_answer: bool = False
    cut_after: Optional[int] = None
    cut_request_after: Optional[int] = None
    truncate_to: Optional[int] = None
    corrupt_at: Optional[int] = None
    corrupt_request_at: Optional[int] = None
    hold_request_at: Optional[int] = None
    hold_answer: bool = False
    answer: Optional[bytes] = None
    unasked: bool = False
    resume: threading.Event = field(default_factory=threading.Event, init=False)
    seen: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)

    def hits(self, exchange: Exchange) -> bool:
        """Count the request if it is one of the chosen; True when it is to be harmed."""
        if self.method is not None and exchange.method != self.method:
            return False
        if self.path is not None and self.path not in exchange.path:
            return False
        if self.query is not None and self.query not in exchange.query:
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


class Relay:
    """One request up, one answer down.

    ``finished`` may be called often; it is, before the client can know that its answer is whole.
    """

    def __init__(
        self,
        client: Connection,
        upstream: Connection,
        head: Head,
        exchange: Exchange,
        finished: Callable[[], None],
    ) -> None:
        self.client = client
        self.upstream = upstream
        self.head = head
        self.exchange = exchange
        self.fault = exchange.fault or Fault()
        self.finished = finished
        self._sent = 0

    def run(self) -> bool:
        """Whether the client's connection stays open for another request."""
        if self.fault.latency:
            time.sleep(self.fault.latency)
        if self.fault.status is not None:
            self._answer_ourselves(self.fault.status)
            return False
        if self.fault.answer is not None and self.fault.unasked:
            self._send_instead(self.fault.answer)
            return False
        whole = self._send_request()
        if self.fault.cut_request_after is not None and not whole:
            self.finished()
            self.upstream.abort()
            self.client.abort()
            return False
        answer = self._read_answer()
        if self.fault.hold_answer:
            self._hold()
        self.exchange.answer_headers = answer.headers
        self.exchange.status = answer.status
        if self.fault.lose_answer:
            self._swallow(answer)
            self.finished()
            self.client.abort()
            return False
        if self.fault.answer is not None:
            self._swallow(answer)
            self._send_instead(self.fault.answer)
            return False
        again = self._send_answer(answer)
        if not whole:
            # The server answered before it had the whole body. The client may still be sending;
            # closing now would make the kernel discard the answer it has not read yet.
            self.client.drain()
        return again and whole

    # Up

    def _send_request(self) -> bool:
        """Pass the request on; False when the server answered, or we cut, before its end."""
        self.exchange.bytes_up += len(self.head.raw)
        self.upstream.send(self.head.raw)
        if self.head.headers.get("expect", "").lower() == "100-continue":
            # Whoever speaks first: the server with 100 or a refusal, or a client tired of waiting.
            Connection.wait_for_any(self.client, self.upstream)
            if self.upstream.has_input():
                interim = self._read_interim()
                if interim is None:
                    return False
                self._count_down(len(interim.raw), 0)
                self.client.send(interim.raw)
        framing = self.head.body_framing()
        pieces = self.client.read_body(framing)
        more = framing.chunked or bool(framing.length)
        while more and self._wait_for_piece():
            raw, payload = next(pieces)
            if not self._send_piece(raw, payload):
                return False
            more = self.client.has_more_body()
        return not more

    def _wait_for_piece(self) -> bool:
        """Wait for more of the body; False when the server begins its answer instead."""
        while True:
            # A client may well stop in the middle, and wait for the answer.
            Connection.wait_for_any(self.client, self.upstream)
            if not self.upstream.has_input():
                return True
            # Werkzeug says 100 twice, the second time in the middle of the body.
            if self._read_interim() is None:
                return False

    def _send_piece(self, raw: bytes, payload: int) -> bool:
        """Pass a piece on; False when it was cut, or the server takes no more."""
        position = self.exchange.body_up
        if payload:
            raw = self._flip(raw, payload, position, self.fault.corrupt_request_at)
        held = self.fault.hold_request_at
        if held is not None and position <= held < position + payload:
            index = self._payload_start(raw, payload) + held - position
            self.upstream.send(raw[:index])
            self._hold()
            self.exchange.bytes_up += index
            self.exchange.body_up += held - position
            raw, payload = raw[index:], payload - (held - position)
        room = self.fault.cut_request_after
        cut = room is not None and self._sent + len(raw) > room
        kept = raw[: room - self._sent] if cut and room is not None else raw
        self._sent += len(kept)
        self.exchange.bytes_up += len(raw)
        self.exchange.body_up += payload
        try:
            self.upstream.send(kept)
        except OSError:
            # It may have answered and gone; the answer, if any, is still to be read.
            return False
        return not cut

    def _hold(self) -> None:
        # Should a test forget to resume, its servers still have to end.
        self.fault.resume.wait(_LONGEST_HOLD)

    # Down

    def _read_head_up(self) -> Head:
        head = self.upstream.read_head()
        if head is None:
            raise WireError("the server closed the connection without an answer")
        return head

    def _read_interim(self) -> Optional[Head]:
        """The server's ``100 Continue``, or None when it has already begun its answer."""
        head = self._read_head_up()
        if head.status == 100:
            return head
        self.upstream.unread(head)
        return None

    def _read_answer(self) -> Head:
        while True:
            answer = self._read_head_up()
            if answer.status >= 200:
                return answer
            self._count_down(len(answer.raw), 0)
            if answer.status != 100:
                self.client.send(answer.raw)

    def _send_answer(self, answer: Head) -> bool:
        framing = answer.body_framing(self.exchange.method)
        if self.fault.truncate_to is not None:
            return self._send_truncated(answer, self.fault.truncate_to)
        pending = answer.raw
        position = 0
        self._count_down(len(answer.raw), 0)
        for piece, payload in self.upstream.read_body(framing):
            raw = piece
            if payload:
                raw = self._flip(piece, payload, position, self.fault.corrupt_at)
                limit = self.fault.cut_after
                if limit is not None and position + payload > limit:
                    start = self._payload_start(raw, payload)
                    kept = raw[: start + limit - position]
                    self._count_down(len(kept), limit - position)
                    self.finished()
                    self.client.send(pending + kept)
                    self.client.close()
                    self.upstream.abort()
                    return False
                position += payload
            self._count_down(len(raw), payload)
            if not self.upstream.has_more_body():
                self.finished()
            # The head goes with the first piece: one packet for a small answer.
            self.client.send(pending + raw)
            pending = b""
        if pending:
            self.finished()
            self.client.send(pending)
        return framing.keeps_alive and answer.keeps_alive() and self.head.keeps_alive()

    @staticmethod
    def _payload_start(raw: bytes, payload: int) -> int:
        # Framing sends a chunk's size line before its payload and nothing after it.
        return len(raw) - payload

    def _flip(self, raw: bytes, payload: int, position: int, at: Optional[int]) -> bytes:
        if at is None or not position <= at < position + payload:
            return raw
        index = self._payload_start(raw, payload) + at - position
        return raw[:index] + bytes([raw[index] ^ 0xFF]) + raw[index + 1 :]

    def _send_truncated(self, answer: Head, size: int) -> bool:
        body = b"".join(
            raw[len(raw) - payload :]
            for raw, payload in self.upstream.read_body(answer.body_framing(self.exchange.method))
            if payload
        )[:size]
        head = answer.with_body_length(len(body))
        self._count_down(len(head) + len(body), len(body))
        self.finished()
        self.client.send(head + body)
        return answer.keeps_alive() and self.head.keeps_alive()

    def _swallow(self, answer: Head) -> None:
        for _ in self.upstream.read_body(answer.body_framing(self.exchange.method)):
            pass

    def _send_instead(self, answer: bytes) -> None:
        self._count_down(len(answer), 0)
        self.finished()
        self.client.send(answer)
        self.client.drain()

    def _answer_ourselves(self, status: int) -> None:
        code = _STATUS_TEXT.get(status, "Injected")
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f"<Error><Code>{code}</Code><Message>injected by the test</Message></Error>"
        ).encode()
        lines = [
            f"HTTP/1.1 {status} {code}",
            "Content-Type: application/xml",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        if self.fault.retry_after is not None:
            lines.append(f"Retry-After: {self.fault.retry_after}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        if self.exchange.method == "HEAD":
            body = b""
        self.exchange.status = status
        self._count_down(len(head) + len(body), len(body))
        self.finished()
        self.client.send(head + body)
        self.client.drain()

    def _count_down(self, raw: int, payload: int) -> None:
        # Always before the bytes are sent: a test may look as soon as it has them.
        self.exchange.bytes_down += raw
        self.exchange.body_down += payload
