"""One request and its answer: what is sent, what is kept, what is closed."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
import sys
import threading
import time
from typing import Any, Callable, Iterator, List

import pytest
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout

from smart_storages.backends.s3.requests import exchange as exchange_module
from smart_storages.backends.s3.requests.exchange import EXCHANGE_ERRORS, exchange
from smart_storages.common import on_loop
from smart_storages.common.secrets import conceal


class Peer:
    """A server that answers each request of a connection with the next of its texts."""

    def __init__(self, *answers: bytes, reads_body: bool = True, certificate: str = "") -> None:
        self.answers = list(answers)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._context is not None:
            self._context.load_cert_chain(certificate)
        self.received: List[bytes] = []
        self.connections = 0
        self._reads_body = reads_body
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while self.answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                while self.answers and self._take(connection):
                    answer = self.answers.pop(0)
                    connection.sendall(answer)
                    if b"Connection: close" in answer or not answer:
                        break

    def _take(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            try:
                piece = connection.recv(65536)
            except OSError:  # closed with something of ours unread
                return False
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        size = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                size = int(line.partition(b":")[2])
        while self._reads_body and len(body) < size:
            body += connection.recv(65536)
        self.received.append(head + b"\r\n\r\n" + body)
        return True

    def close(self) -> None:
        self.answers.clear()
        self._listener.close()


@pytest.fixture
def make_peer() -> Iterator[Callable[..., Any]]:
    peers: List[Peer] = []

    def make(*answers: bytes, **options: Any) -> Any:
        peer = Peer(*answers, **options)
        peers.append(peer)
        certificate = options.get("certificate")
        kind: Any = HTTPSConnectionPool if certificate else HTTPConnectionPool
        more = {"ca_certs": certificate} if certificate else {}
        timeout = Timeout(connect=5, read=5)
        return peer, kind("127.0.0.1", peer.port, timeout=timeout, **more)

    yield make
    for peer in peers:
        peer.close()


OK = b'HTTP/1.1 200 OK\r\nETag: "abc"\r\nContent-Length: 0\r\n\r\n'
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def test_one_connection_serves_one_request_after_another(make_peer: Any) -> None:
    peer, pool = make_peer(OK, HELLO, OK)
    first = exchange(pool, "PUT", "/acme/a", {"Host": "h", "Content-MD5": "x"}, b"body")
    assert (first.status, first.headers["etag"]) == (200, '"abc"')
    first.raw.read()
    first.release()
    second = exchange(pool, "GET", "/acme/a?x=", {"Host": "h"})
    assert second.raw.read() == b"hello"
    second.release()
    third = exchange(pool, "PUT", "/acme/b", {"Host": "h"}, io.BytesIO(b"y" * 100_000))
    third.raw.read()
    third.release()
    assert peer.connections == 1
    assert peer.received[0] == (
        b"PUT /acme/a HTTP/1.1\r\nHost: h\r\nContent-MD5: x\r\nContent-Length: 4\r\n\r\nbody"
    )
    assert peer.received[1] == b"GET /acme/a?x= HTTP/1.1\r\nHost: h\r\n\r\n"
    assert peer.received[2].endswith(b"\r\n\r\n" + b"y" * 100_000)


def test_a_body_that_was_not_read_costs_the_connection_and_mixes_no_answers(make_peer: Any) -> None:
    peer, pool = make_peer(HELLO, OK)
    exchange(pool, "GET", "/a", {"Host": "h"}).release()
    answer = exchange(pool, "GET", "/b", {"Host": "h"})
    assert answer.headers["etag"] == '"abc"'
    answer.raw.read()
    answer.release()
    assert peer.connections == 2


def test_a_server_that_closes_is_connected_to_anew(make_peer: Any) -> None:
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    peer, pool = make_peer(closing, OK)
    for _ in range(2):
        answer = exchange(pool, "DELETE", "/a", {"Host": "h"})
        answer.raw.read()
        answer.release()
    assert peer.connections == 2


def test_a_lost_answer_is_an_error_of_the_connection(make_peer: Any) -> None:
    _, pool = make_peer(b"")
    with pytest.raises(EXCHANGE_ERRORS):
        exchange(pool, "PUT", "/a", {"Host": "h"}, b"body")


@pytest.mark.skipif(
    sys.platform != "linux", reason="another kernel may drop what came before the reset"
)
def test_the_answer_to_a_body_refused_early_is_read(make_peer: Any) -> None:
    # The server closes with most of the body unread, so that its kernel resets the connection. The
    # client's still hands out what arrived before the reset.
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nConnection: close\r\n\r\nno no"
    _, pool = make_peer(refusal, reads_body=False)
    answer = exchange(pool, "PUT", "/a", {"Host": "h"}, bytes(64 * 1024**2))
    assert (answer.status, answer.raw.read()) == (403, b"no no")
    answer.release()


@pytest.mark.parametrize("value", ["a\r\nX-Amz-Acl: public-read", "a\nb", "a\0b", "☃"])
def test_no_value_can_add_a_header(make_peer: Any, value: str) -> None:
    peer, pool = make_peer(OK)
    with pytest.raises(ValueError, match="HTTP cannot send"):
        exchange(pool, "PUT", "/a", {"Host": "h", "x-amz-meta-a": value}, b"")
    with pytest.raises(ValueError, match="HTTP cannot send"):
        exchange(pool, "PUT", f"/a{value}", {"Host": "h"}, b"")
    assert not peer.received


def test_what_follows_an_answer_is_never_taken_for_the_next_one(
    make_peer: Any, tls_certificate: str
) -> None:
    # More than http.client reads at once: over TLS the rest lies where no poll() sees it.
    stale = OK.replace(b"abc", b"stale") + bytes(io.DEFAULT_BUFFER_SIZE + 4_000)
    for options in ({}, {"certificate": tls_certificate}):
        peer, pool = make_peer(OK + stale, OK, OK, **options)
        found = []
        for _ in range(2):
            answer = exchange(pool, "PUT", "/a", {"Host": "h"}, b"body")
            answer.read_all(100)
            found.append(answer.headers["etag"])
            time.sleep(0.05)  # for what follows to be there, or this would prove nothing
        assert found == ['"abc"', '"abc"'], options
        assert peer.connections == 2


def test_an_answer_that_is_no_final_one_is_an_error(make_peer: Any) -> None:
    _, pool = make_peer(b"HTTP/1.1 102 Processing\r\n\r\n")
    with pytest.raises(EXCHANGE_ERRORS):
        exchange(pool, "DELETE", "/a", {"Host": "h"})


def test_a_yes_to_a_body_that_was_not_read_is_an_error(make_peer: Any) -> None:
    _, pool = make_peer(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), reads_body=False)
    with pytest.raises(EXCHANGE_ERRORS):
        exchange(pool, "PUT", "/a", {"Host": "h"}, bytes(64 * 1024**2))


def test_a_slow_line_has_the_timeout_for_each_piece_and_not_for_the_whole() -> None:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
    ours.settimeout(0.5)
    received = []

    def read_slowly() -> None:
        while sum(received) < 2 * 1024**2:
            received.append(len(theirs.recv(32 * 1024)))
            time.sleep(0.02)

    reader = threading.Thread(target=read_slowly)
    reader.start()
    exchange_module._send(ours, b"", bytes(2 * 1024**2))
    reader.join()
    ours.close()
    theirs.close()


def test_what_interrupts_a_request_sees_no_token(make_peer: Any) -> None:
    _, pool = make_peer(OK)
    headers = {"Host": "h", "X-Amz-Security-Token": conceal("the-token")}

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange_module, "_receive", interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            exchange(pool, "PUT", conceal("/a?X-Amz-Signature=the-signature"), headers, b"body")
    frames = [entry.frame.f_locals for entry in caught.traceback]
    assert any("head" in variables for variables in frames)
    for variables in frames[1:]:
        assert "the-token" not in repr(variables)
        assert "the-signature" not in repr(variables)


def test_a_socket_that_the_garbage_collector_closed_is_not_kept(make_peer: Any) -> None:
    peer, pool = make_peer(HELLO, OK)
    answer = exchange(pool, "GET", "/a", {"Host": "h"})
    assert answer.raw.read() == b"hello"
    # In a cycle of objects that nobody holds, the socket may be finalised before the file.
    pool_connection = answer._connection
    pool_connection.sock.close()
    answer.release()
    assert exchange(pool, "PUT", "/b", {"Host": "h"}, b"").read_all(0) == b""
    assert peer.connections == 2


def test_on_an_event_loop_it_is_the_same_over_tls_too(make_peer: Any, tls_certificate: str) -> None:
    pytest.importorskip("greenlet")
    large = bytes(range(256)) * 4096
    many = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(large) + large
    for options in ({}, {"certificate": tls_certificate}):
        peer, pool = make_peer(HELLO, OK, many, **options)

        def work() -> List[bytes]:
            return [
                exchange(pool, "PUT", "/a", {"Host": "h"}, body).read_all(len(large))  # noqa: B023
                for body in (None, large, None)
            ]

        assert asyncio.run(on_loop.call(work)) == [b"hello", b"", large], options
        assert peer.received[1].endswith(large)
        assert peer.connections == 1
