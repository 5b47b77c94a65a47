"""What requests carry, what their answers give, and how often they are tried."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from typing import Any, Iterator, List

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, SSLError

from smart_storages.backends.s3.requests.http import fetch
from smart_storages.backends.s3.requests.retries import attempts_of
from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.parameters import head
from smart_storages.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ObjectNotFoundError,
    PreconditionFailedError,
    S3Error,
    ThrottledError,
    UnreachableError,
)
from tests.backends.s3.conftest import is_direct, make_client, read
from tests.conftest import Bucket
from tests.servers import S3Proxy, S3Server, free_port


class _Secure(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secure")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def tls_server(tls_certificate: str) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_certificate)
    server = HTTPServer(("127.0.0.1", 0), _Secure)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class TestRequests:
    def test_a_get_goes_the_lean_way(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        s3_bucket.put("a b/ü%2F'.txt", b"content", ContentType="text/plain", Metadata={"k": "v"})
        answer = fetch(target, "a b/ü%2F'.txt")
        assert read(answer) == b"content"
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain"
        assert answer.headers["x-amz-meta-k"] == "v"
        assert len(proxy.requests) == 1
        assert is_direct(proxy)

    def test_a_head_goes_the_lean_way(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        s3_bucket.put("k", b"content")
        answer = fetch(target, "k", method="HEAD")
        answer.close()
        assert answer.headers["content-length"] == "7"
        assert [request.method for request in proxy.requests] == ["HEAD"]
        assert is_direct(proxy)

    def test_a_range_of_one_version_is_asked_for(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        s3_bucket.put("k", b"0123456789")
        etag = fetch(target, "k", method="HEAD").headers["etag"]
        answer = fetch(target, "k", start=2, stop=5, etag=etag)
        assert read(answer) == b"234"
        assert answer.status == 206
        assert answer.headers["content-range"] == "bytes 2-4/10"
        assert is_direct(proxy)

    def test_another_version_fails_the_precondition(
        self, target: Target, s3_bucket: Bucket
    ) -> None:
        s3_bucket.put("k", b"0123456789")
        with pytest.raises(PreconditionFailedError):
            fetch(target, "k", etag='"0123456789abcdef0123456789abcdef"')

    def test_the_stored_checksum_is_asked_for(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        s3_bucket.client.put_object(
            Bucket=s3_bucket.name, Key="k", Body=b"content", ChecksumAlgorithm="CRC32"
        )
        answer = fetch(target, "k", checksum=True)
        assert read(answer) == b"content"
        assert proxy.requests[-1].headers["x-amz-checksum-mode"] == "ENABLED"
        assert "x-amz-checksum-mode" in proxy.requests[-1].query["X-Amz-SignedHeaders"]
        # Ceph 16 keeps none, moto tells of one since 5.1.
        if s3_bucket.server.name == "moto" and not version("moto").startswith("5.0."):
            assert answer.headers["x-amz-checksum-crc32"]

    def test_a_version_is_asked_for_by_its_id(
        self, target: Target, s3_bucket: Bucket, client: Any, proxy: S3Proxy
    ) -> None:
        s3_bucket.client.put_bucket_versioning(
            Bucket=s3_bucket.name, VersioningConfiguration={"Status": "Enabled"}
        )
        first = s3_bucket.client.put_object(Bucket=s3_bucket.name, Key="k", Body=b"first")
        s3_bucket.put("k", b"second")
        old = Target(
            s3_bucket.name, lambda: client, read_parameters={"VersionId": first["VersionId"]}
        )
        assert read(fetch(old, "k")) == b"first"
        assert is_direct(proxy)
        assert read(fetch(target, "k")) == b"second"

    def test_the_connection_is_used_again(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        if s3_bucket.server.name == "moto":
            pytest.skip("moto closes every connection")
        s3_bucket.put("k", b"x" * 4096)
        for _ in range(5):
            read(fetch(target, "k"))
        assert (len(proxy.requests), proxy.connections) == (5, 1)

    @pytest.mark.real_s3
    def test_the_connection_is_used_again_after_big_bodies_and_near_their_ends(
        self, ceph: S3Server
    ) -> None:
        bucket = ceph.create_bucket()
        size = 256 * 1024
        ceph.client().put_object(Bucket=bucket, Key="k", Body=bytes(size))
        for left, connections in ((0, 1), (1000, 1), (200_000, 20)):
            with S3Proxy(ceph.endpoint_url) as proxy:
                client = make_client(ceph, endpoint_url=proxy.endpoint_url)
                for _ in range(20):
                    answer = fetch(Target(bucket, lambda client=client: client), "k")
                    view = memoryview(bytearray(size - left))
                    while view:
                        view = view[answer.readinto(view) :]
                    answer.close()
                assert (len(proxy.requests), proxy.connections) == (20, connections)

    def test_nothing_of_an_unread_body_reaches_the_next_answer(
        self, target: Target, s3_bucket: Bucket
    ) -> None:
        s3_bucket.put("a", b"a" * 300_000)
        s3_bucket.put("b", b"b" * 10)
        for size in (0, 10, 299_000, 299_999):
            answer = fetch(target, "a")
            answer.read(size)
            answer.close()
            assert read(fetch(target, "b")) == b"b" * 10

    def test_an_unsigned_client_sends_no_signature(self, s3_bucket: Bucket, proxy: S3Proxy) -> None:
        s3_bucket.put("k", b"content", ACL="public-read")
        client = s3_bucket.server.client(
            endpoint_url=proxy.endpoint_url,
            config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
        )
        assert read(fetch(Target(s3_bucket.name, lambda: client), "k")) == b"content"
        assert proxy.requests[-1].query == {}
        assert "authorization" not in proxy.requests[-1].headers

    @pytest.mark.real_s3
    def test_a_wrong_key_is_denied(self, ceph: S3Server) -> None:
        client = make_client(ceph, aws_secret_access_key="wrong")
        bucket = ceph.create_bucket()
        with pytest.raises(AccessDeniedError, match="secret_key"):
            fetch(Target(bucket, lambda: client), "k")

    @pytest.mark.real_s3
    def test_a_refused_head_says_that_listing_may_be_missing(
        self, ceph: S3Server, ceph_gateway: Any
    ) -> None:
        stranger = make_client(ceph_gateway.create_user())
        bucket = ceph.create_bucket()
        with pytest.raises(AccessDeniedError, match="s3:ListBucket") as caught:
            fetch(Target(bucket, lambda: stranger, module="media"), "k", method="HEAD")
        assert (caught.value.module, caught.value.bucket, caught.value.key) == (
            "media",
            bucket,
            "k",
        )


class TestErrors:
    def test_a_missing_object(self, target: Target, s3_bucket: Bucket, proxy: S3Proxy) -> None:
        for method in ("GET", "HEAD"):
            with pytest.raises(FileNotFoundError) as caught:
                fetch(target, "nope", method=method)
            assert isinstance(caught.value, ObjectNotFoundError)
            assert caught.value.text.endswith(
                f"(module 'media', bucket '{s3_bucket.name}', key 'nope')"
            )
            assert isinstance(caught.value.__cause__, ClientError)
        assert len(proxy.requests) == 2

    def test_a_missing_bucket(self, client: Any) -> None:
        with pytest.raises(BucketNotFoundError, match="no such bucket"):
            fetch(Target("no-such-bucket-anywhere", lambda: client), "k")

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_a_passing_error_is_tried_again(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, pauses: List[float], method: str
    ) -> None:
        s3_bucket.put("k", b"content")
        for status in (500, 503, 429):
            proxy.inject(status=status)
        assert fetch(target, "k", method=method).headers["content-length"] == "7"
        assert len(proxy.requests) == 4
        assert len(pauses) == 3
        assert all(pause <= 2**number for number, pause in enumerate(pauses))

    @pytest.mark.parametrize(("status", "kind"), [(503, ThrottledError), (500, UnreachableError)])
    def test_an_error_that_stays_is_told_after_the_last_try(
        self, target: Target, proxy: S3Proxy, pauses: List[float], status: int, kind: Any
    ) -> None:
        proxy.inject(status=status, times=None)
        with pytest.raises(kind) as caught:
            fetch(target, "k")
        assert caught.value.status == status
        assert isinstance(caught.value.__cause__, ClientError)
        assert len(proxy.requests) == 4

    def test_the_server_says_how_long_to_wait(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, pauses: List[float]
    ) -> None:
        s3_bucket.put("k", b"content")
        proxy.inject(status=503, retry_after=7)
        fetch(target, "k").close()
        assert pauses == [7.0]

    def test_a_lost_answer_is_asked_for_again(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, pauses: List[float]
    ) -> None:
        s3_bucket.put("k", b"content")
        proxy.inject(lose_answer=True, times=2)
        assert read(fetch(target, "k")) == b"content"
        assert len(proxy.requests) == 3

    def test_no_server_is_unreachable(self, pauses: List[float], moto_server: S3Server) -> None:
        client = make_client(moto_server, endpoint_url=f"http://127.0.0.1:{free_port()}")
        with pytest.raises(ConnectionError) as caught:
            fetch(Target("acme", lambda: client, module="media"), "k")
        assert isinstance(caught.value, UnreachableError)
        assert isinstance(caught.value.__cause__, EndpointConnectionError)
        assert len(pauses) == 3

    def test_a_silent_server_is_given_up(
        self, s3_bucket: Bucket, proxy: S3Proxy, pauses: List[float]
    ) -> None:
        client = make_client(
            s3_bucket.server,
            endpoint_url=proxy.endpoint_url,
            config={"read_timeout": 0.1, "retries": {"total_max_attempts": 2}},
        )
        proxy.inject(latency=1.0, times=None)
        with pytest.raises(UnreachableError):
            fetch(Target(s3_bucket.name, lambda: client), "k")
        assert len(proxy.requests) == 2

    def test_a_kept_connection_that_was_closed_costs_no_try(
        self, s3_bucket: Bucket, proxy: S3Proxy, pauses: List[float]
    ) -> None:
        if s3_bucket.server.name == "moto":
            pytest.skip("moto closes every connection")
        client = make_client(
            s3_bucket.server,
            endpoint_url=proxy.endpoint_url,
            config={"retries": {"total_max_attempts": 1}},
        )
        target = Target(s3_bucket.name, lambda: client)
        s3_bucket.put("k", b"content")
        read(fetch(target, "k"))
        proxy.inject(lose_answer=True)
        assert read(fetch(target, "k")) == b"content"
        assert pauses == []

    @pytest.mark.parametrize(
        ("retries", "attempts"),
        [
            ({"total_max_attempts": 7}, 7),
            ({"max_attempts": 0}, 1),
            ({"mode": "standard"}, 3),
            ({"mode": "legacy"}, 5),
        ],
    )
    def test_botocore_says_how_often(
        self, moto_server: S3Server, retries: Any, attempts: int
    ) -> None:
        assert attempts_of(moto_server.client(config=Config(retries=retries))) == attempts


class TestCertificates:
    def test_a_certificate_that_nobody_signed_is_refused(
        self, pauses: List[float], tls_server: str, moto_server: S3Server
    ) -> None:
        client = make_client(moto_server, endpoint_url=tls_server)
        with pytest.raises(S3Error) as caught:
            fetch(Target("acme", lambda: client), "k")
        assert isinstance(caught.value.__cause__, SSLError)
        assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value.__cause__)
        assert pauses == []

    def test_verify_may_name_a_certificate_or_be_off(
        self, tls_server: str, tls_certificate: str, moto_server: S3Server
    ) -> None:
        for verify in (tls_certificate, False):
            client = make_client(moto_server, endpoint_url=tls_server, verify=verify)
            assert read(fetch(Target("acme", lambda client=client: client), "k")) == b"secure"

    @pytest.mark.parametrize("ask", [fetch, head], ids=["directly", "by the client"])
    def test_an_error_names_what_is_wrong_with_it_and_the_option_that_helps(
        self, tls_server: str, tls_certificate: str, moto_server: S3Server, ask: Any
    ) -> None:
        other_name = tls_server.replace("127.0.0.1", "localhost")
        no_tls = moto_server.endpoint_url.replace("http:", "https:")
        for endpoint, verify, expected in (
            (tls_server, None, ["certificate", "self", "signed", "verify (AWS_S3_VERIFY)"]),
            (other_name, tls_certificate, ["certificate", "localhost", "endpoint_url"]),
            (no_tls, None, ["did not accept a TLS connection", "http://"]),
        ):
            client = make_client(moto_server, endpoint_url=endpoint, verify=verify)
            with pytest.raises(UnreachableError) as caught:
                ask(Target("acme", lambda client=client: client, module="media"), "k")
            text = str(caught.value)
            assert all(each in text for each in [*expected, "module 'media'"]), text
            assert "did not answer" not in text
