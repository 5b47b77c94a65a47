"""The reader against the truth: the bytes of one version, or a clear error, and few requests."""

from __future__ import annotations

import io
import random
import zipfile
from typing import Any, Callable, Dict, List, Tuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smart_storages.backends.s3.reading.range_threads import RangeThreads
from smart_storages.backends.s3.reading.reader import MAX_KEPT, S3Reader
from smart_storages.backends.s3.target import Target
from smart_storages.config.providers import PROVIDERS
from smart_storages.exceptions import (
    ContentMismatchError,
    ObjectChangedError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from tests.backends.s3.conftest import MIB, iter_pieces, make_bytes
from tests.conftest import Bucket
from tests.servers import S3Proxy, S3Server

BIG = 20 * MIB


pytestmark = pytest.mark.usefixtures("pauses")


@pytest.fixture(scope="module")
def big() -> bytes:
    return make_bytes(BIG)


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
        # The kernel has widened the window of a connection that has carried much. How far depends
        # on how busy the machine is: more than a mebibyte is seen, but never most of the object.
        s3_bucket.put("k", big)
        s3_bucket.put("eight", big[:MAX_KEPT])
        for _ in range(3):
            with S3Reader(target, "eight") as reader:
                assert reader.readall() == big[:MAX_KEPT]
            with S3Reader(target, "k") as reader:
                assert reader.read(10) == big[:10]
            assert proxy.requests[-1].bytes_down <= BIG // 4


class TestOpeningLazily:
    def test_a_missing_object_is_told_when_opened(self, target: Target, proxy: S3Proxy) -> None:
        with pytest.raises(ObjectNotFoundError):
            S3Reader(target, "nope", lazily=True)
        assert [each.method for each in proxy.requests] == ["HEAD"]

    @pytest.mark.parametrize("size", [0, 1, 4096, 300_000, MAX_KEPT, BIG])
    def test_it_reads_the_same_bytes(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, size: int
    ) -> None:
        content = make_bytes(size)
        s3_bucket.put("k", content)
        with S3Reader(target, "k", lazily=True) as reader:
            assert reader.size == size
            assert [each.method for each in proxy.requests] == ["HEAD"]
            assert reader.read() == content
            assert reader.read() == b""

    @pytest.mark.parametrize("span", [(0, 10), (0, BIG), (500, 1_000_000), (BIG - 1, BIG), (7, 7)])
    def test_an_expected_range_is_requested_and_nothing_else(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, big: bytes, span: Tuple[int, int]
    ) -> None:
        s3_bucket.put("k", big)
        start, stop = span
        with S3Reader(target, "k", lazily=True) as reader:
            reader.expect(start, stop)
            pieces = []
            while sum(map(len, pieces)) < stop - start:
                pieces.append(reader.read(min(100_000, stop - start - sum(map(len, pieces)))))
        assert b"".join(pieces) == big[start:stop]
        ranged = [each for each in proxy.requests if each.method == "GET"]
        assert sum(each.body_down for each in ranged) == stop - start
        assert len(ranged) == (start < stop)

    def test_an_object_that_was_replaced_after_the_head_is_not_mixed(
        self, target: Target, s3_bucket: Bucket
    ) -> None:
        s3_bucket.put("k", b"first" * 100)
        with S3Reader(target, "k", lazily=True) as reader:
            s3_bucket.put("k", b"other" * 100)
            reader.expect(0, 500)
            with pytest.raises(ObjectChangedError):
                reader.read(500)


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

    #: What pyarrow 26 reads of 8 columns: the end, then one of them, in 1 and in 10 row groups.
    @pytest.mark.parametrize(
        "reads",
        [[(1_493_692, 497_896)], [(at, 48_239) for at in range(144_721, 3_900_000, 385_912)]],
    )
    def test_one_column_of_a_parquet_file_moves_little_more(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, reads: List[Tuple[int, int]]
    ) -> None:
        content = make_bytes(3_987_698)
        s3_bucket.put("k", content)
        with io.BufferedReader(S3Reader(target, "k"), 65536) as file:
            file.seek(0, io.SEEK_END)
            for start, size in [(3_922_162, 65_536), *reads]:
                file.seek(start)
                assert file.read(size) == content[start : start + size]
        assert len(proxy.requests) <= 2 + len(reads)
        # How much of the first answer is sent before it is given up is the sockets' affair.
        assert sum(request.body_down for request in proxy.requests) <= len(content) // 2

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

    def test_threads_may_be_faster_than_the_reader_that_started_them(
        self,
        target: Target,
        s3_bucket: Bucket,
        proxy: S3Proxy,
        big: bytes,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        s3_bucket.put("k", big)
        start = RangeThreads.run

        def run_to_the_end(threads: RangeThreads, count: int) -> None:
            start(threads, count)
            for thread in threads._threads:
                thread.join()

        monkeypatch.setattr(RangeThreads, "run", run_to_the_end)
        with S3Reader(target, "k") as reader:
            assert reader.readall() == big
        # The first answer was left; each part came by a range of its own.
        assert len(proxy.requests) == 4
        assert all("range" in request.headers for request in proxy.requests[1:])
        proxy.inject(corrupt_at=0, skip=1, times=None)
        with S3Reader(target, "k") as reader, pytest.raises(ContentMismatchError):
            reader.readall()

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


class TestFaults:
    @pytest.mark.parametrize("size", [4096, 3 * MIB, 12 * MIB])
    def test_a_corrupted_byte_never_arrives_unnoticed(
        self, target: Target, s3_bucket: Bucket, proxy: S3Proxy, size: int
    ) -> None:
        content = make_bytes(size)
        s3_bucket.put("k", content)
        for at in (0, size // 3):
            # In every answer: which of them brings this byte is for the threads to settle.
            proxy.inject(corrupt_at=at, times=None)
            with S3Reader(target, "k") as reader, pytest.raises(
                ContentMismatchError, match="checksum"
            ):
                reader.readall()
            with pytest.raises(ContentMismatchError, match="checksum"):
                list(iter_pieces(target, 50_000))
            proxy.reset()

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
