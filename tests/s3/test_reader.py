"""The reader against the truth: the bytes of one version, or a clear error, and few requests."""

from __future__ import annotations

import io
import os
import random
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from botocore.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smart_storages.exceptions import (
    ContentMismatchError,
    ObjectChangedError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from smart_storages.providers import PROVIDERS
from smart_storages.s3 import http
from smart_storages.s3.reader import MAX_KEPT, S3Reader
from smart_storages.s3.target import Target
from tests.conftest import Bucket
from tests.servers import S3Proxy, S3Server

MIB = 1024 * 1024
BIG = 20 * MIB


def make_bytes(size: int) -> bytes:
    chance = random.Random(size)  # noqa: S311 - only to differ
    return chance.getrandbits(8 * size).to_bytes(size, "big") if size else b""


@pytest.fixture(scope="module")
def big() -> bytes:
    return make_bytes(BIG)


@pytest.fixture
def proxy(s3_bucket: Bucket) -> Iterator[S3Proxy]:
    with S3Proxy(s3_bucket.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def target(s3_bucket: Bucket, proxy: S3Proxy) -> Target:
    config = Config(
        s3={"addressing_style": "path"}, retries={"total_max_attempts": 4, "mode": "standard"}
    )
    client = s3_bucket.server.client(endpoint_url=proxy.endpoint_url, config=config)
    provider = PROVIDERS[s3_bucket.server.name]
    return Target(s3_bucket.name, lambda: client, module="media", provider=provider)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """How long each pause between two tries would have been."""
    taken: List[float] = []
    monkeypatch.setattr(http, "sleep", taken.append)
    return taken


class TestOpening:
    def test_a_missing_object_is_told_when_opened(self, target: Target, proxy: S3Proxy) -> None:
        with pytest.raises(ObjectNotFoundError):
            S3Reader(target, "nope")
        assert len(proxy.requests) == 1

    @pytest.mark.parametrize("size", [0, 1, 4096, 300_000, MAX_KEPT])
    def test_up_to_eight_megabytes_take_one_request(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, size: int
    ) -> None:
        content = make_bytes(size)
        s3_bucket.put("k", content)
        with S3Reader(target, "k") as reader:
            assert reader.readall() == content
            assert reader.read() == b""
        assert len(proxy.requests) == 1

    def test_what_the_answer_said_costs_nothing(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        s3_bucket.put("k", b"content", ContentType="text/css", Metadata={"by": "me"})
        head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="k")
        with S3Reader(target, "k") as reader:
            assert reader.size == 7
            assert reader.stat.size == 7
            assert reader.stat.content_type == "text/css"
            assert reader.stat.metadata == {"by": "me"}
            assert f'"{reader.stat.etag}"' == head["ETag"]
            assert reader.stat.modified_time == head["LastModified"]
        assert len(proxy.requests) == 1

    def test_ten_bytes_of_a_big_object_move_little(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, big: bytes
    ) -> None:
        s3_bucket.put("k", big)
        for _ in range(5):
            proxy.reset()
            with S3Reader(target, "k") as reader:
                assert reader.read(10) == big[:10]
            assert len(proxy.requests) == 1
            assert proxy.requests[0].bytes_down <= MIB

    def test_ten_bytes_move_little_after_a_big_read_too(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, big: bytes
    ) -> None:
        # A connection that has carried much would let the server send as much again.
        s3_bucket.put("k", big)
        s3_bucket.put("eight", big[:MAX_KEPT])
        for _ in range(3):
            with S3Reader(target, "eight") as reader:
                assert reader.readall() == big[:MAX_KEPT]
            with S3Reader(target, "k") as reader:
                assert reader.read(10) == big[:10]
            assert proxy.requests[-1].bytes_down <= MIB


class TestSeeking:
    @pytest.mark.parametrize("from_end", [1, 22, 1000, 200_000, 300_000, 3 * MIB])
    def test_near_the_end_takes_two_requests(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, big: bytes, from_end: int
    ) -> None:
        s3_bucket.put("k", big)
        with io.BufferedReader(S3Reader(target, "k")) as file:
            assert file.seek(-from_end, io.SEEK_END) == BIG - from_end
            assert file.read() == big[-from_end:]
        assert len(proxy.requests) == 2
        assert proxy.requests[1].headers["if-match"] == proxy.requests[0].answer_headers["etag"]

    def test_an_archive_is_opened_with_two_requests(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, big: bytes
    ) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for number in range(100):
                archive.writestr(f"{number}.bin", big[number * 200_000 : (number + 1) * 200_000])
        s3_bucket.put("k.zip", file.getvalue())
        with io.BufferedReader(S3Reader(target, "k.zip")) as source, zipfile.ZipFile(
            source
        ) as zip_:
            assert len(zip_.namelist()) == 100
            assert len(proxy.requests) == 2
            # The first answer is still being read: what it starts with needs no third request.
            assert zip_.read("0.bin") == big[:200_000]
            assert len(proxy.requests) == 2
            assert zip_.testzip() is None

    def test_going_back_to_the_start_is_free(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, big: bytes
    ) -> None:
        s3_bucket.put("k", big)
        with io.BufferedReader(S3Reader(target, "k")) as file:
            for size in (10, 5_000, 100_000, 200_000):
                assert file.read(size) == big[:size]
                file.seek(0)
            assert file.read(3 * MIB) == big[: 3 * MIB]
        assert len(proxy.requests) == 1

    def test_a_small_object_is_read_again_without_a_request(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        content = make_bytes(2 * MIB)
        s3_bucket.put("k", content)
        with S3Reader(target, "k") as reader:
            for start in (0, 0, 5, MIB, 2 * MIB):
                reader.seek(start)
                assert reader.readall() == content[start:]
        assert len(proxy.requests) == 1

    @pytest.mark.parametrize(("offset", "whence"), [(-1, 0), (-8, 2), (0, 3)])
    def test_nowhere_is_an_error(
        self, target: Target, s3_bucket: Bucket, offset: int, whence: int
    ) -> None:
        s3_bucket.put("k", b"content")
        with S3Reader(target, "k") as reader, pytest.raises(ValueError, match=r"seek|whence"):
            reader.seek(offset, whence)

    def test_beyond_the_end_is_nothing(self, target: Target, s3_bucket: Bucket) -> None:
        s3_bucket.put("k", b"content")
        with S3Reader(target, "k") as reader:
            assert reader.seek(5, io.SEEK_END) == 12
            assert reader.read() == b""
            assert reader.read(3) == b""
            assert reader.seek(-7, io.SEEK_CUR) == 5
            assert reader.read() == b"nt"

    def test_a_closed_reader_says_so(self, target: Target, s3_bucket: Bucket) -> None:
        s3_bucket.put("k", b"content")
        reader = S3Reader(target, "k")
        reader.close()
        reader.close()
        calls: List[Callable[[], Any]] = [reader.read, reader.tell, lambda: reader.seek(0)]
        for call in calls:
            with pytest.raises(ValueError, match="closed"):
                call()


#: One step of a reader's life: what to call, and with which numbers.
_SIZES = st.one_of(
    st.integers(0, 100), st.integers(0, 70_000), st.integers(0, 3 * MIB), st.just(-1)
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), _SIZES),
        st.tuples(st.just("readinto"), st.integers(0, 600_000)),
        st.tuples(st.just("seek"), st.integers(0, 12 * MIB)),
        st.tuples(st.just("from_end"), st.integers(0, 400_000)),
        st.tuples(st.just("forward"), st.integers(0, 700_000)),
    ),
    max_size=12,
)


def take_step(file: Any, size: int, step: Tuple[str, int]) -> Any:
    name, number = step
    if name == "read":
        return file.read(number)
    if name == "readinto":
        buffer = bytearray(number)
        filled = 0
        while filled < number:
            count = file.readinto(memoryview(buffer)[filled:])
            if not count:
                break
            filled += count
        return bytes(buffer[:filled])
    if name == "seek":
        return file.seek(number)
    if name == "from_end":
        return file.seek(-min(number, size), io.SEEK_END)
    return file.seek(number, io.SEEK_CUR)


class TestAgainstBytesIO:
    @pytest.mark.parametrize("size", [0, 1000, 700_000, 10 * MIB + 7])
    def test_any_steps_read_the_same(self, moto_server: S3Server, size: int) -> None:
        bucket = moto_server.create_bucket()
        content = make_bytes(size)
        moto_server.client().put_object(Bucket=bucket, Key="k", Body=content)
        client = moto_server.client()
        target = Target(bucket, lambda: client, provider=PROVIDERS["moto"])

        @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(_STEPS)
        def check(steps: List[Tuple[str, int]]) -> None:
            reference = io.BytesIO(content)
            with io.BufferedReader(S3Reader(target, "k"), 65536) as file:
                for step in steps:
                    expected = take_step(reference, size, step)
                    assert take_step(file, size, step) == expected
                    assert file.tell() == reference.tell()

        check()


class TestBigReads:
    def test_ranges_are_fetched_side_by_side(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        content = make_bytes(40 * MIB + 5)
        s3_bucket.put("k", content)
        with S3Reader(target, "k") as reader:
            assert reader.readall() == content
            assert reader.tell() == len(content)
        assert 2 <= len(proxy.requests) <= 8
        assert proxy.peak_in_flight > 1
        etag = proxy.requests[0].answer_headers["etag"]
        assert {request.headers["if-match"] for request in proxy.requests[1:]} == {etag}

    def test_without_threads_one_connection_reads_it_all(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, big: bytes
    ) -> None:
        s3_bucket.put("k", big)
        with S3Reader(target, "k", threads=0) as reader:
            assert reader.readall() == big
        assert len(proxy.requests) == 1

    def test_the_rest_from_the_middle(self, target: Target, s3_bucket: Bucket, big: bytes) -> None:
        s3_bucket.put("k", big)
        for start in (5, 300_000, 5 * MIB, BIG - 100):
            with io.BufferedReader(S3Reader(target, "k")) as file:
                file.read(3)
                file.seek(start)
                assert file.read() == big[start:]

    def test_an_error_in_one_range_ends_the_read(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        s3_bucket.put("k", make_bytes(40 * MIB))
        with S3Reader(target, "k") as reader:
            proxy.inject(status=500, times=None)
            with pytest.raises(UnreachableError):
                reader.readall()


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


class TestFaults:
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

    @pytest.mark.parametrize("size", [4096, 3 * MIB, 12 * MIB])
    def test_a_corrupted_byte_never_arrives_unnoticed(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, size: int
    ) -> None:
        content = make_bytes(size)
        s3_bucket.put("k", content)
        for at in (0, size // 3):
            proxy.inject(corrupt_at=at)
            with S3Reader(target, "k") as reader, pytest.raises(
                ContentMismatchError, match="checksum"
            ):
                reader.readall()
            proxy.inject(corrupt_at=at)
            with pytest.raises(ContentMismatchError, match="checksum"):
                list(iter_pieces(target, 50_000))

    def test_a_clean_answer_with_less_in_it_is_noticed(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        s3_bucket.put("k", make_bytes(5000))
        proxy.inject(truncate_to=1000)
        with S3Reader(target, "k") as reader, pytest.raises(ContentMismatchError):
            reader.readall()

    def test_any_trouble_ends_in_the_bytes_or_an_error(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy
    ) -> None:
        content = make_bytes(10 * MIB)
        s3_bucket.put("k", content)
        chance = random.Random(7)  # noqa: S311 - the same trouble each time
        outcomes = set()
        for _ in range(40):
            proxy.reset()
            for _ in range(chance.randrange(1, 6)):
                harm: Dict[str, Any] = chance.choice(
                    [
                        {"cut_after": chance.randrange(10 * MIB)},
                        {"status": chance.choice([500, 503])},
                        {"lose_answer": True},
                        {"corrupt_at": chance.randrange(10 * MIB)},
                        {"truncate_to": chance.randrange(10 * MIB)},
                        {"latency": 0.01},
                    ]
                )
                proxy.inject(skip=chance.randrange(3), **harm)
            try:
                with S3Reader(target, "k", threads=chance.choice([0, 3])) as reader:
                    got = reader.readall()
            except S3Error as error:
                outcomes.add(type(error))
            else:
                assert got == content
                outcomes.add(bytes)
        assert bytes in outcomes
        assert len(outcomes) > 1


def iter_pieces(target: Target, size: int) -> Iterator[bytes]:
    with S3Reader(target, "k") as reader:
        while True:
            piece = reader.read(size)
            if not piece:
                return
            yield piece


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
