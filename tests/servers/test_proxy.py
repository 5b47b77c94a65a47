"""The proxy must be invisible until it is told otherwise, and then do exactly what it was told."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import Any, Callable, Iterator, Tuple

import botocore.exceptions
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import examples
from tests.servers import S3Proxy, S3Server, free_port
from tests.servers.wire import Connection, Framing, Head, WireError

KILO = 1024
CONNECTION_ERRORS = (
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.EndpointConnectionError,
)


def client_of(proxy: S3Proxy, server: S3Server, **config: Any) -> Any:
    config.setdefault("retries", {"max_attempts": 0})
    config.setdefault("read_timeout", 20)
    return server.client(
        endpoint_url=proxy.endpoint_url,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, **config),
    )


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[S3Proxy]:
    with S3Proxy(s3_server.endpoint_url) as running:
        yield running


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    return s3_server.create_bucket()


@pytest.fixture
def client(proxy: S3Proxy, s3_server: S3Server) -> Any:
    return client_of(proxy, s3_server)


@contextmanager
def scripted_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that hands its only connection to ``serve``; gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    listener.settimeout(20)

    def accept() -> None:
        connection, _ = listener.accept()
        connection.settimeout(20)
        # The proxy may cut the connection; what matters is what its client then sees.
        with connection, suppress(ConnectionError):
            serve(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(20)
        listener.close()


def read_until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        piece = connection.recv(65536)
        assert piece, f"closed before {end!r}: {data!r}"
        data += piece
    return data


def port_of(proxy: S3Proxy) -> int:
    return int(proxy.endpoint_url.rpartition(":")[2])


def fetch(client: Any, proxy: S3Proxy, bucket: str) -> bytes:
    """The object ``k`` by a client that, unlike boto3, checks nothing but the framing."""
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    connection = http.client.HTTPConnection(proxy.endpoint_url[len("http://") :], timeout=20)
    try:
        connection.request("GET", url[len(proxy.endpoint_url) :])
        return connection.getresponse().read()
    finally:
        connection.close()


def raw_answer(proxy: S3Proxy, request: bytes) -> bytes:
    """Everything that comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", port_of(proxy)), 20) as connection:
        connection.sendall(request)
        data = b""
        while True:
            piece = connection.recv(65536)
            if not piece:
                return data
            data += piece


class TestUnseen:
    def test_an_object_travels_both_ways_unharmed(self, client: Any, bucket: str) -> None:
        body = os.urandom(3 * KILO * KILO + 17)
        client.put_object(Bucket=bucket, Key="a/ä b+c.bin", Body=body)
        answer = client.get_object(Bucket=bucket, Key="a/ä b+c.bin")
        assert answer["Body"].read() == body

    def test_answers_without_a_body_end_at_once(self, client: Any, bucket: str) -> None:
        client.put_object(Bucket=bucket, Key="k", Body=b"12345")
        etag = client.head_object(Bucket=bucket, Key="k")["ETag"]
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
        deleted = client.delete_object(Bucket=bucket, Key="k")
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    def test_one_connection_carries_many_requests(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

        def serve(connection: socket.socket) -> None:
            for _ in range(3):
                read_until(connection, b"\r\n\r\n")
                connection.sendall(answer)

        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            with socket.create_connection(("127.0.0.1", port_of(proxy)), 20) as connection:
                for _ in range(3):
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                    assert read_until(connection, b"ok") == answer
            assert len(proxy.requests) == 3
            assert proxy.connections == 1

    @pytest.mark.real_s3
    def test_a_client_keeps_its_connection(self, ceph: S3Server) -> None:
        bucket = ceph.create_bucket()
        with S3Proxy(ceph.endpoint_url) as proxy:
            client = client_of(proxy, ceph)
            for _ in range(10):
                client.head_bucket(Bucket=bucket)
            assert len(proxy.requests) == 10
            assert proxy.connections == 1

    def test_a_multipart_upload_works(self, client: Any, bucket: str) -> None:
        part = os.urandom(5 * KILO * KILO)
        upload = client.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
        parts = []
        for number, body in enumerate([part, b"tail"], start=1):
            answer = client.upload_part(
                Bucket=bucket, Key="big", UploadId=upload, PartNumber=number, Body=body
            )
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        client.complete_multipart_upload(
            Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
        )
        assert client.get_object(Bucket=bucket, Key="big")["Body"].read() == part + b"tail"

    def test_many_threads_do_not_mix_their_answers(self, client: Any, bucket: str) -> None:
        bodies = {f"k{number}": os.urandom(20_000) for number in range(40)}

        def there_and_back(item: Tuple[str, bytes]) -> bytes:
            client.put_object(Bucket=bucket, Key=item[0], Body=item[1])
            content: bytes = client.get_object(Bucket=bucket, Key=item[0])["Body"].read()
            return content

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(there_and_back, bodies.items())) == list(bodies.values())

    @pytest.mark.real_s3
    def test_a_wrong_signature_is_still_refused(self, ceph: S3Server) -> None:
        bucket = ceph.create_bucket()
        with S3Proxy(ceph.endpoint_url) as proxy:
            client = ceph.client(endpoint_url=proxy.endpoint_url, aws_secret_access_key="wrong")
            with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
                client.list_objects_v2(Bucket=bucket)
            assert proxy.requests[-1].status == 403


class TestRecord:
    def test_each_request_is_described(self, client: Any, proxy: S3Proxy, bucket: str) -> None:
        client.put_object(Bucket=bucket, Key="dir/k", Body=b"12345", ContentType="text/plain")
        client.list_objects_v2(Bucket=bucket, Prefix="dir/")
        put, listing = proxy.requests
        assert (put.method, put.path, put.status) == ("PUT", f"/{bucket}/dir/k", 200)
        assert put.headers["content-type"] == "text/plain"
        assert put.headers["host"] == proxy.endpoint_url[len("http://") :]
        assert put.bytes_up > put.body_up >= 5
        assert put.bytes_down > 0 == put.body_down
        assert listing.method == "GET"
        assert listing.query["prefix"] == "dir/"
        assert listing.query["list-type"] == "2"
        assert "date" in listing.answer_headers

    def test_bytes_of_a_ranged_read_are_those_asked_for(
        self, client: Any, proxy: S3Proxy, bucket: str
    ) -> None:
        client.put_object(Bucket=bucket, Key="k", Body=bytes(100_000))
        with proxy.recording() as requests:
            client.get_object(Bucket=bucket, Key="k", Range="bytes=10-29")["Body"].read()
        assert [(r.method, r.status, r.body_down) for r in requests] == [("GET", 206, 20)]
        assert requests[0].body_down < requests[0].bytes_down < 1000

    def test_recording_blocks_nest(self, client: Any, proxy: S3Proxy, bucket: str) -> None:
        with proxy.recording() as outer:
            client.head_bucket(Bucket=bucket)
            with proxy.recording() as inner:
                client.head_bucket(Bucket=bucket)
            client.head_bucket(Bucket=bucket)
        client.head_bucket(Bucket=bucket)
        assert (len(inner), len(outer), len(proxy.requests)) == (1, 3, 4)

    def test_requests_under_way_together_are_counted(
        self, proxy: S3Proxy, s3_server: S3Server, bucket: str
    ) -> None:
        client = client_of(proxy, s3_server)
        proxy.inject(times=None, latency=0.3)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: client.head_bucket(Bucket=bucket), range(4)))
        assert proxy.peak_in_flight == 4
        proxy.reset()
        for _ in range(20):
            client.head_bucket(Bucket=bucket)
        assert proxy.peak_in_flight == 1


class TestFaults:
    def test_an_injected_status_never_reaches_the_server(
        self, client: Any, proxy: S3Proxy, bucket: str
    ) -> None:
        fault = proxy.inject(method="PUT", status=503, retry_after=7)
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.put_object(Bucket=bucket, Key="k", Body=b"x" * 300_000)
        answer = caught.value.response
        assert answer["Error"]["Code"] == "SlowDown"
        assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"
        assert fault.fired == 1
        assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    def test_the_request_that_is_hit_can_be_chosen(
        self, client: Any, proxy: S3Proxy, bucket: str
    ) -> None:
        proxy.inject(method="GET", query="list-type", skip=1, times=2, status=500)
        statuses = []
        for _ in range(5):
            with suppress(botocore.exceptions.ClientError):
                client.list_objects_v2(Bucket=bucket)
            statuses.append(proxy.requests[-1].status)
            client.head_bucket(Bucket=bucket)
        assert statuses == [200, 500, 500, 200, 200]

    def test_a_path_chooses_too(self, client: Any, proxy: S3Proxy, bucket: str) -> None:
        proxy.inject(path="/bad", times=None, status=500)
        client.put_object(Bucket=bucket, Key="good", Body=b"1")
        with pytest.raises(botocore.exceptions.ClientError):
            client.put_object(Bucket=bucket, Key="bad", Body=b"1")

    def test_boto3_retries_what_the_proxy_answers(
        self, proxy: S3Proxy, s3_server: S3Server, bucket: str
    ) -> None:
        client = client_of(proxy, s3_server, retries={"max_attempts": 2, "mode": "standard"})
        proxy.inject(status=500)
        client.head_bucket(Bucket=bucket)
        assert [request.status for request in proxy.requests] == [500, 200]

    @pytest.mark.parametrize("size", [1, 60_000, 200_000])
    def test_a_cut_answer_ends_after_that_many_bytes(
        self, client: Any, proxy: S3Proxy, bucket: str, size: int
    ) -> None:
        body = os.urandom(300_000)
        client.put_object(Bucket=bucket, Key="k", Body=body)
        proxy.inject(method="GET", cut_after=size)
        with pytest.raises(http.client.IncompleteRead) as caught:
            fetch(client, proxy, bucket)
        assert caught.value.partial == body[:size]
        assert proxy.requests[-1].body_down == size

    def test_a_lost_answer_leaves_the_work_done(
        self, client: Any, proxy: S3Proxy, bucket: str
    ) -> None:
        proxy.inject(method="PUT", lose_answer=True)
        with pytest.raises(botocore.exceptions.HTTPClientError):
            client.put_object(Bucket=bucket, Key="k", Body=b"there")
        assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"there"

    def test_an_answer_is_another_one_than_the_servers(
        self, client: Any, proxy: S3Proxy, bucket: str
    ) -> None:
        answer = b'HTTP/1.1 200 OK\r\nETag: "made-up"\r\n\r\n'
        proxy.inject(method="PUT", path="/asked", answer=answer)
        proxy.inject(method="PUT", path="/unasked", answer=answer, unasked=True)
        for key in ("asked", "unasked"):
            assert client.put_object(Bucket=bucket, Key=key, Body=b"x")["ETag"] == '"made-up"'
        found = client.list_objects_v2(Bucket=bucket)["Contents"]
        assert [entry["Key"] for entry in found] == ["asked"]

    def test_a_request_is_corrupted_at_one_byte(
        self, client: Any, proxy: S3Proxy, bucket: str, s3_server: S3Server
    ) -> None:
        body = os.urandom(200 * KILO)
        url = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"})
        for at in (0, 150_001, len(body) - 1):
            proxy.inject(method="PUT", corrupt_request_at=at)
            connection = http.client.HTTPConnection("127.0.0.1", port_of(proxy), timeout=20)
            connection.request("PUT", url[len(proxy.endpoint_url) :], body)
            assert connection.getresponse().status == 200
            connection.close()
            stored = s3_server.client().get_object(Bucket=bucket, Key="k")["Body"].read()
            assert stored == body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]

    @pytest.mark.parametrize("hold", [{"hold_request_at": 70_000}, {"hold_answer": True}], ids=str)
    def test_what_is_held_waits_to_be_resumed(
        self, client: Any, proxy: S3Proxy, bucket: str, hold: Any
    ) -> None:
        body = os.urandom(200 * KILO)
        fault = proxy.inject(method="PUT", **hold)
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(client.put_object, Bucket=bucket, Key="k", Body=body)
            try:
                assert wait([writing], 0.3).not_done
                assert proxy.in_flight == 1
            finally:
                fault.resume.set()
            writing.result(20)
        assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == body
        assert proxy.requests[0].body_up == len(body)

    def test_a_cut_request_stores_nothing(self, client: Any, proxy: S3Proxy, bucket: str) -> None:
        proxy.inject(method="PUT", cut_request_after=100_000)
        with pytest.raises(botocore.exceptions.HTTPClientError):
            client.put_object(Bucket=bucket, Key="k", Body=b"x" * 1_000_000)
        assert proxy.requests[-1].status is None
        assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    def test_a_truncated_answer_looks_whole(self, client: Any, proxy: S3Proxy, bucket: str) -> None:
        client.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
        proxy.inject(method="GET", truncate_to=4)
        assert fetch(client, proxy, bucket) == b"0123"
        assert fetch(client, proxy, bucket) == b"0123456789"

    def test_one_byte_is_corrupted(self, client: Any, proxy: S3Proxy, bucket: str) -> None:
        body = bytes(200_000)
        client.put_object(Bucket=bucket, Key="k", Body=body)
        proxy.inject(method="GET", corrupt_at=150_000)
        got = fetch(client, proxy, bucket)
        assert [at for at in range(len(body)) if got[at] != body[at]] == [150_000]

    def test_latency_makes_an_impatient_client_give_up(
        self, proxy: S3Proxy, s3_server: S3Server, bucket: str
    ) -> None:
        proxy.inject(method="HEAD", latency=1.5)
        impatient = client_of(proxy, s3_server, read_timeout=0.2)
        with pytest.raises(botocore.exceptions.ReadTimeoutError):
            impatient.head_bucket(Bucket=bucket)

    def test_refused_connections_come_back_on_the_same_port(
        self, proxy: S3Proxy, s3_server: S3Server, bucket: str
    ) -> None:
        before = proxy.endpoint_url
        client_of(proxy, s3_server).head_bucket(Bucket=bucket)
        with proxy.refusing():
            with pytest.raises(botocore.exceptions.EndpointConnectionError):
                client_of(proxy, s3_server).head_bucket(Bucket=bucket)
        client_of(proxy, s3_server).head_bucket(Bucket=bucket)
        assert proxy.endpoint_url == before

    def test_connections_that_are_open_end_when_it_starts_refusing(
        self, client: Any, proxy: S3Proxy, bucket: str
    ) -> None:
        client.head_bucket(Bucket=bucket)
        with proxy.refusing():
            # A pooled connection closes, or a new one is refused: by chance, one of the two.
            with pytest.raises(CONNECTION_ERRORS):
                client.head_bucket(Bucket=bucket)
        client.head_bucket(Bucket=bucket)

    def test_a_server_that_is_gone_ends_the_connection(self) -> None:
        with S3Proxy(f"http://127.0.0.1:{free_port()}") as proxy:
            assert raw_answer(proxy, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") == b""
            assert proxy.requests[0].status is None

    def test_reset_forgets_faults_and_requests(
        self, client: Any, proxy: S3Proxy, bucket: str
    ) -> None:
        proxy.inject(times=None, status=500)
        proxy.reset()
        client.head_bucket(Bucket=bucket)
        assert [request.status for request in proxy.requests] == [200]

    def test_an_upstream_that_is_no_http_address_is_refused(self) -> None:
        with pytest.raises(ValueError, match="https://example"):
            S3Proxy("https://example.com")


class TestFraming:
    """Answers that moto and Ceph do not give, from servers that follow a script."""

    def test_a_chunked_answer_passes_byte_for_byte(self) -> None:
        answer = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n"
        )

        def serve(connection: socket.socket) -> None:
            read_until(connection, b"\r\n\r\n")
            connection.sendall(answer)

        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            assert raw_answer(proxy, b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n") == answer
            assert proxy.requests[0].body_down == 11
            assert proxy.requests[0].bytes_down == len(answer)

    def test_a_chunked_answer_is_cut_within_its_payload(self) -> None:
        def serve(connection: socket.socket) -> None:
            read_until(connection, b"\r\n\r\n")
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.sendall(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")

        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            proxy.inject(cut_after=7)
            got = raw_answer(proxy, b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n")
        assert got.endswith(b"\r\n\r\n5\r\nhello\r\n6\r\n w")

    def test_a_chunked_answer_is_truncated_to_a_plain_one(self) -> None:
        def serve(connection: socket.socket) -> None:
            read_until(connection, b"\r\n\r\n")
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            )
            connection.sendall(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")

        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            proxy.inject(truncate_to=8)
            got = raw_answer(proxy, b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n")
        assert got == (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\n\r\nhello wo")

    def test_an_answer_that_ends_with_its_connection(self) -> None:
        def serve(connection: socket.socket) -> None:
            read_until(connection, b"\r\n\r\n")
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000)

        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            got = raw_answer(proxy, b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n")
        assert got == b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000

    def test_a_chunked_upload_passes_byte_for_byte(self) -> None:
        body = b"5\r\nhello\r\n0\r\n\r\n"
        seen = []

        def serve(connection: socket.socket) -> None:
            seen.append(read_until(connection, b"0\r\n\r\n"))
            connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

        request = b"PUT /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            assert raw_answer(proxy, request).startswith(b"HTTP/1.1 204")
            assert seen == [request]
            assert proxy.requests[0].body_up == 5

    def test_100_continue_reaches_the_client_before_its_body(self) -> None:
        def serve(connection: socket.socket) -> None:
            read_until(connection, b"\r\n\r\n")
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            read_until(connection, b"body!")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            with socket.create_connection(("127.0.0.1", port_of(proxy)), 20) as sock:
                sock.sendall(
                    b"PUT /k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                    b"Content-Length: 5\r\n\r\n"
                )
                read_until(sock, b"HTTP/1.1 100 Continue\r\n\r\n")
                sock.sendall(b"body!")
                assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")

    def test_a_refusal_instead_of_100_continue_arrives_whole(self) -> None:
        refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!"

        def serve(connection: socket.socket) -> None:
            read_until(connection, b"\r\n\r\n")
            connection.sendall(refusal)

        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            request = (
                b"PUT /k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
            )
            assert raw_answer(proxy, request) == refusal

    def test_an_answer_before_the_end_of_the_body_arrives_whole(self) -> None:
        refusal = b"HTTP/1.1 400 Bad\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!"

        def serve(connection: socket.socket) -> None:
            read_until(connection, b"\r\n\r\n")
            connection.sendall(refusal)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            head = b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n"
            assert raw_answer(proxy, head + bytes(200_000)) == refusal

    def test_interim_answers_are_passed_on(self) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

        def serve(connection: socket.socket) -> None:
            read_until(connection, b"\r\n\r\n")
            connection.sendall(early + final)

        with scripted_server(serve) as upstream, S3Proxy(upstream) as proxy:
            assert raw_answer(proxy, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") == early + final

    def test_what_is_not_http_ends_the_connection(self, moto_server: S3Server) -> None:
        with S3Proxy(moto_server.endpoint_url) as proxy:
            assert raw_answer(proxy, b"hello\r\n\r\n") == b""
            assert proxy.requests == []

    @examples(60)
    @given(
        chunks=st.lists(st.binary(min_size=1, max_size=200), max_size=6),
        steps=st.lists(st.integers(1, 50), min_size=1, max_size=20),
    )
    def test_chunked_bodies_survive_any_segmentation(
        self, chunks: list[bytes], steps: list[int]
    ) -> None:
        wire = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        near, far = socket.socketpair()

        def send() -> None:
            at, turn = 0, 0
            while at < len(wire):
                step = steps[turn % len(steps)]
                far.sendall(wire[at : at + step])
                at, turn = at + step, turn + 1

        thread = threading.Thread(target=send)
        with far:
            connection = Connection.__new__(Connection)
            # A UNIX socket pair has no TCP_NODELAY to set.
            connection._socket, connection._buffer = near, b""
            connection._patience, connection._more_body = 20.0, False
            near.settimeout(20)
            thread.start()
            pieces = list(connection.read_body(Framing(None, chunked=True)))
            thread.join()
        near.close()
        assert b"".join(raw for raw, _ in pieces) == wire
        assert b"".join(raw[len(raw) - size :] for raw, size in pieces if size) == b"".join(chunks)
        assert not connection.has_more_body()

    @pytest.mark.parametrize(
        ("raw", "method", "framing"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "GET", Framing(9)),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD", Framing(0)),
            (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", Framing(0)),
            (b"HTTP/1.1 204 No Content\r\n\r\n", "DELETE", Framing(0)),
            (b"HTTP/1.1 200 OK\r\n\r\n", "GET", Framing(None)),
            (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "", Framing(0)),
            (b"PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\n", "", Framing(4)),
            (
                b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "",
                Framing(None, chunked=True),
            ),
        ],
    )
    def test_where_a_body_ends(self, raw: bytes, method: str, framing: Framing) -> None:
        assert Head.parse(raw).body_framing(method) == framing

    def test_a_start_line_of_one_word_is_an_error(self) -> None:
        with pytest.raises(WireError, match="garbage"):
            Head.parse(b"garbage\r\n\r\n")
