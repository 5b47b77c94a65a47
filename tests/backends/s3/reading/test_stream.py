"""A lost connection is taken up where it broke, within one version of the object."""

from __future__ import annotations

import io
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Iterator, List

import pytest

from smart_storages.backends.s3.reading.reader import S3Reader
from smart_storages.backends.s3.target import Target
from smart_storages.exceptions import (
    ContentMismatchError,
    ObjectChangedError,
    ObjectNotFoundError,
    UnreachableError,
)
from tests.backends.s3.conftest import MIB, iter_pieces, make_bytes
from tests.conftest import Bucket
from tests.servers import S3Proxy, S3Server

BIG = 20 * MIB

pytestmark = pytest.mark.usefixtures("pauses")


class TestOneVersion:
    @pytest.mark.parametrize("whole", [True, False])
    def test_a_replaced_object_is_an_error(
        self, target: Target, s3_bucket: Bucket, whole: bool
    ) -> None:
        s3_bucket.put("k", b"a" * BIG)
        with S3Reader(target, "k") as reader:
            assert reader.read(10) == b"a" * 10
            s3_bucket.put("k", b"b" * BIG)
            reader.seek(10 * MIB)
            with pytest.raises(ObjectChangedError, match="replaced"):
                reader.readall() if whole else reader.read(10)

    def test_a_shorter_one_too(self, target: Target, s3_bucket: Bucket) -> None:
        s3_bucket.put("k", b"a" * BIG)
        with S3Reader(target, "k") as reader:
            s3_bucket.put("k", b"b")
            reader.seek(10 * MIB)
            with pytest.raises(ObjectChangedError):
                reader.read(10)

    def test_a_deleted_one_is_missing(self, target: Target, s3_bucket: Bucket) -> None:
        s3_bucket.put("k", b"a" * BIG)
        with S3Reader(target, "k") as reader:
            s3_bucket.client.delete_object(Bucket=s3_bucket.name, Key="k")
            reader.seek(10 * MIB)
            with pytest.raises(ObjectNotFoundError):
                reader.read(10)


class TestLostConnections:
    @pytest.mark.parametrize("size", [4096, 700_000, 3 * MIB])
    @pytest.mark.parametrize("part", [0, 1, 50, 99])
    def test_a_cut_is_taken_up_where_it_was(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, size: int, part: int
    ) -> None:
        content = make_bytes(size)
        s3_bucket.put("k", content)
        cut = size * part // 100
        proxy.inject(cut_after=cut)
        with S3Reader(target, "k") as reader:
            assert reader.readall() == content
        assert len(proxy.requests) == 2
        # All that arrived counts, but for what one call of the kernel had not handed over.
        first = int(proxy.requests[1].headers["range"].partition("=")[2].partition("-")[0])
        assert cut - 256 * 1024 <= first <= cut

    def test_cuts_of_every_connection_are_survived_while_it_goes_on(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        content = make_bytes(12 * MIB)
        s3_bucket.put("k", content)
        proxy.inject(cut_after=2 * MIB, times=None)
        with S3Reader(target, "k") as reader:
            assert reader.readall() == content
        assert b"".join(iter_pieces(target, 100_000)) == content

    def test_a_connection_that_always_breaks_is_given_up(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, pauses: List[float]
    ) -> None:
        s3_bucket.put("k", make_bytes(3 * MIB))
        proxy.inject(cut_after=1000, times=None)
        with S3Reader(target, "k") as reader, pytest.raises(
            UnreachableError, match="broke 4 times"
        ):
            reader.readall()
        assert len(proxy.requests) == 4
        assert pauses

    @pytest.mark.parametrize("status", [500, 503])
    def test_a_refused_second_try_is_tried_again(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, status: int
    ) -> None:
        content = make_bytes(3 * MIB)
        s3_bucket.put("k", content)
        proxy.inject(cut_after=MIB)
        proxy.inject(status=status, times=2, skip=0)
        with S3Reader(target, "k") as reader:
            assert reader.readall() == content


class _Peculiar(BaseHTTPRequestHandler):
    """A server that knows neither ranges nor conditions; its object is in ``server.content``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.requests += 1
        self.send_response(200)
        for name, value in server.headers.items():
            self.send_header(name, value)
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(server.content), 1000):
                piece = server.content[start : start + 1000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(server.content)))
            self.end_headers()
            self.wfile.write(server.content)

    def log_message(self, *args: Any) -> None:
        pass


class _PeculiarServer(ThreadingHTTPServer):
    def handle_error(self, *args: Any) -> None:
        """Say nothing of readers that go before the answer is over."""


@pytest.fixture
def peculiar() -> Iterator[Any]:
    server: Any = _PeculiarServer(("127.0.0.1", 0), _Peculiar)
    server.daemon_threads = True
    server.content = make_bytes(2 * MIB)
    server.headers = {"ETag": '"first"'}
    server.chunked = False
    server.requests = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def odd_target(peculiar: Any) -> Target:
    url = f"http://127.0.0.1:{peculiar.server_port}"
    client = S3Server("odd", url, "key", "secret").client()
    return Target("acme", lambda: client)


class TestPeculiarServers:
    def test_one_that_ignores_ranges(self, peculiar: Any, odd_target: Target) -> None:
        with S3Reader(odd_target, "k") as reader:
            reader.seek(MIB)
            assert reader.read(10) == peculiar.content[MIB : MIB + 10]
            reader.seek(-5, io.SEEK_END)
            assert reader.read() == peculiar.content[-5:]
            reader.seek(0)
            assert reader.readall() == peculiar.content

    def test_one_that_ignores_conditions(self, peculiar: Any, odd_target: Target) -> None:
        with S3Reader(odd_target, "k") as reader:
            peculiar.headers = {"ETag": '"second"'}
            reader.seek(MIB)
            with pytest.raises(ObjectChangedError):
                reader.read(10)

    def test_one_without_etags(self, peculiar: Any, odd_target: Target) -> None:
        peculiar.headers = {"Last-Modified": "Sat, 21 Nov 2026 08:00:00 GMT"}
        with S3Reader(odd_target, "k") as reader:
            reader.seek(MIB)
            assert reader.read(10) == peculiar.content[MIB : MIB + 10]
            peculiar.headers = {"Last-Modified": "Sat, 21 Nov 2026 08:00:01 GMT"}
            reader.seek(1_800_000)
            with pytest.raises(ObjectChangedError):
                reader.read(10)

    def test_one_that_answers_with_another_range(self, peculiar: Any, odd_target: Target) -> None:
        with S3Reader(odd_target, "k") as reader:
            peculiar.headers["Content-Range"] = f"bytes 5-9/{2 * MIB}"
            reader.seek(MIB)
            with pytest.raises(ContentMismatchError, match="asked for the bytes from"):
                reader.read(10)

    def test_one_that_does_not_say_how_much_comes(self, peculiar: Any, odd_target: Target) -> None:
        peculiar.chunked = True
        peculiar.content = os.urandom(10_500)
        with S3Reader(odd_target, "k") as reader:
            assert reader.size == reader.stat.size == 10_500
            reader.seek(500)
            assert reader.readall() == peculiar.content[500:]
            reader.seek(0)
            assert reader.read(10) == peculiar.content[:10]
        assert peculiar.requests == 1
