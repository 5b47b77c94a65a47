"""A server that lies of what it sends: the object's bytes arrive, or a clear error, never less."""

from __future__ import annotations

import gc
import io
import logging
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.backends.s3.reading import reader as reader_module
from smart_storages.backends.s3.reading.reader import S3Reader
from smart_storages.backends.s3.reading.sizes import stat_object
from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.s3.target import Target
from smart_storages.config.providers import CAUTIOUS, PROVIDERS
from smart_storages.exceptions import (
    ContentMismatchError,
    S3Error,
    ThrottledError,
    UnreachableError,
)
from smart_storages.fallback import FallbackStorage
from smart_storages.storages import SmartS3Storage
from tests.backends.s3.conftest import MIB, make_bytes, make_client
from tests.conftest import lead_to
from tests.servers.liar import Asked, Liar, Lie

CONTENT = make_bytes(5000)

pytestmark = pytest.mark.usefixtures("pauses")


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    with Liar(CONTENT) as liar:
        yield liar


@pytest.fixture(autouse=True)
def _honest(liar: Liar) -> None:
    liar.lie = None
    liar.content = CONTENT
    liar.etag = Liar(CONTENT).etag
    liar.asked.clear()


@pytest.fixture(scope="module")
def client(liar: Liar) -> Any:
    return make_client(liar.server)


@pytest.fixture(params=["other", "aws", "other, by boto3"])
def target(request: pytest.FixtureRequest, liar: Liar, client: Any) -> Target:
    """Seen as a server nobody knows, and as one whose ETags are known to be MD5 sums.

    A parameter that direct requests do not support makes the request go to boto3's client.
    """
    provider = PROVIDERS["aws"] if request.param == "aws" else CAUTIOUS
    if "boto3" not in request.param:
        return Target("acme", lambda: client, module="media", provider=provider)
    once = make_client(liar.server, config={"retries": {"total_max_attempts": 1}})
    return Target(
        "acme",
        lambda: once,
        module="media",
        provider=provider,
        read_parameters={"RequestPayer": "requester"},
    )


def make_lies(liar: Liar) -> Dict[str, Lie]:
    """Each answers a GET without a range, or any HEAD, with an untruth."""

    def plain(make: Callable[[Asked], bytes]) -> Lie:
        return lambda asked: make(asked) if asked.range is None else None

    def length(text: str) -> Lie:
        def make(asked: Asked) -> bytes:
            body = b"" if asked.method == "HEAD" else CONTENT
            return liar.head("200 OK", f"Content-Length: {text}") + body

        return plain(make)

    chunk = b"%x\r\n%s\r\n" % (1000, CONTENT[:1000])
    chunked = "Transfer-Encoding: chunked"
    return {
        "nothing": plain(lambda asked: liar.write("200 OK", asked, b"")),
        "204": plain(lambda asked: liar.head("204 No Content")),
        "204 with a length": plain(lambda asked: liar.head("204 OK", "Content-Length: 5000")),
        "202": plain(lambda asked: liar.write("202 Accepted", asked, b"")),
        "206 unasked": plain(
            lambda asked: liar.write("206 OK", asked, CONTENT[:10], "Content-Range: bytes 0-9/5000")
        ),
        "206 unasked, without its range": plain(
            lambda asked: liar.write("206 OK", asked, CONTENT[:10])
        ),
        "negative length": length("-1"),
        "empty length": length(""),
        "length of letters": length("many"),
        "length that only looks like a digit": length("\xb2"),
        "length of 5,000 digits": length("5" * 5000),
        "two lengths": length("5, 6"),
        "chunks that end early": plain(lambda asked: liar.head("200 OK", chunked) + chunk),
        "chunks that break off": plain(lambda asked: liar.head("200 OK", chunked) + chunk[:500]),
        "no chunks": plain(lambda asked: liar.head("200 OK", chunked)),
        "a chunk of no size": plain(lambda asked: liar.head("200 OK", chunked) + b"zz\r\nabc"),
        "no head": plain(lambda asked: b""),
        "no HTTP": plain(lambda asked: b"220 ftp ready\r\n\r\n"),
        "half a head": plain(lambda asked: liar.head("200 OK")[:20]),
        "date of letters": plain(
            lambda asked: liar.write("200 OK", asked, CONTENT, "Last-Modified: lately")
        ),
    }


LIES = list(make_lies(Liar(CONTENT)))


def by_pieces(reader: S3Reader) -> bytes:
    return b"".join(iter(lambda: reader.read(700) or b"", b""))


def from_behind(reader: S3Reader) -> bytes:
    reader.seek(3000)
    end = reader.read()
    reader.seek(0)
    return bytes(reader.read(3000) or b"") + bytes(end or b"")


class TestLies:
    def test_none_gives_less_than_the_object(self, liar: Liar, target: Target) -> None:
        wrong: List[Any] = []
        ways: List[Callable[[S3Reader], Any]] = [S3Reader.readall, by_pieces, from_behind]
        for name, lie in make_lies(liar).items():
            liar.lie = lie
            for way in ways:
                try:
                    with S3Reader(target, "k") as reader:
                        content = way(reader)
                except S3Error as error:
                    assert "module 'media', bucket 'acme', key 'k'" in str(error)  # noqa: PT017
                else:
                    if content != CONTENT:
                        wrong.append((name, way, len(content)))
        assert wrong == []

    def test_none_gives_a_wrong_size(self, liar: Liar, target: Target) -> None:
        wrong = []
        for name, lie in make_lies(liar).items():
            liar.lie = lie
            try:
                size = stat_object(target, "k").size
            except S3Error:
                continue
            if size != len(CONTENT):
                wrong.append((name, size))
        assert wrong == []

    def test_a_fallback_reads_the_next_backend(
        self, liar: Liar, settings: Any, tmp_path: Any
    ) -> None:
        lead_to(settings, liar.server, "acme")
        disk = FileSystemStorage(str(tmp_path))
        disk.save("k", ContentFile(CONTENT))
        storage = FallbackStorage(backends=[SmartS3Storage(), disk])
        outcomes = {}
        for name, lie in make_lies(liar).items():
            # One that cannot be caught out by a second question.
            liar.lie = lambda asked, lie=lie: lie(asked._replace(range=None))
            with storage.open("k") as file:
                outcomes[name] = file.read()
        assert [name for name, content in outcomes.items() if content != CONTENT] == []

    def test_a_head_cut_off_is_logged_without_its_signature(
        self, liar: Liar, client: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        liar.lie = lambda asked: liar.head("200 OK")[:20]
        with pytest.raises(UnreachableError):
            S3Reader(Target("acme", lambda: client), "k")
        assert "X-Amz-Signature" not in caplog.text


class TestEmptyObjects:
    @pytest.mark.parametrize(
        ("etag", "asked"),
        [
            ("d41d8cd98f00b204e9800998ecf8427e", 1),
            ("59adb24ef3cdbe0297f05b395827453f-1", 1),
            ("0123456789abcdef0123456789abcdef", 2),  # encrypted: a digest of no content
            ("whatever", 2),
        ],
    )
    def test_are_empty(self, liar: Liar, client: Any, etag: str, asked: int) -> None:
        liar.content, liar.etag = b"", etag
        target = Target("acme", lambda: client)
        with S3Reader(target, "k") as reader:
            assert (reader.read(), reader.size) == (b"", 0)
        assert len(liar.asked) == asked
        assert stat_object(target, "k").size == 0

    def test_are_empty_on_a_server_without_ranges(self, liar: Liar, client: Any) -> None:
        liar.content, liar.etag = b"", "whatever"
        liar.lie = lambda asked: liar.write("200 OK", asked, b"")
        with S3Reader(Target("acme", lambda: client), "k") as reader:
            assert reader.read() == b""

    def test_one_that_only_seems_so_is_told_by_its_etag(self, liar: Liar, client: Any) -> None:
        liar.lie = lambda asked: liar.write("200 OK", asked, b"")
        target = Target("acme", lambda: client)
        for read in (S3Reader, stat_object):
            with pytest.raises(UnreachableError, match="sends no bytes"):
                read(target, "k")


class TestHalfAnObject:
    def test_a_range_of_a_shorter_one_is_not_taken_for_it(self, liar: Liar, client: Any) -> None:
        # Cut within its digits: of 5000 bytes, 50 are promised.
        liar.lie = lambda asked: None if asked.range else liar.head("200 OK", "Content-Length: 50")
        with S3Reader(Target("acme", lambda: client), "k") as reader:
            with pytest.raises(ContentMismatchError, match="5000 bytes"):
                reader.read()

    def test_a_body_that_ends_with_its_connection_is_asked_about(
        self, liar: Liar, client: Any
    ) -> None:
        def lie(asked: Asked) -> Optional[bytes]:
            return None if asked.range else liar.head("200 OK") + CONTENT[:4000]

        liar.lie = lie
        with pytest.raises(UnreachableError, match="4000 of 5000"):
            S3Reader(Target("acme", lambda: client), "k")
        liar.lie = lambda asked: None if asked.range else liar.head("200 OK") + CONTENT
        with S3Reader(Target("acme", lambda: client), "k") as reader:
            assert reader.read() == CONTENT


class TestErrors:
    def test_a_wait_that_only_looks_like_a_number_is_none(
        self, liar: Liar, client: Any, pauses: List[float]
    ) -> None:
        lines = ("Content-Length: 0", "Retry-After: \xb2")
        liar.lie = lambda asked: liar.head("503 Slow Down", *lines)
        with pytest.raises(ThrottledError):
            S3Reader(Target("acme", lambda: client), "k")
        assert all(pause <= 4 for pause in pauses)


class TestTimes:
    @pytest.mark.parametrize(
        ("told", "meant"),
        [
            ("Sat, 21 Nov 2026 08:00:00 GMT", datetime(2026, 11, 21, 8, tzinfo=timezone.utc)),
            ("Sat, 21 Nov 2026 08:00:00 -0000", datetime(2026, 11, 21, 8, tzinfo=timezone.utc)),
            ("Sat, 21 Nov 2026 08:00:00 +0900", datetime(2026, 11, 20, 23, tzinfo=timezone.utc)),
            ("Fri, 31 Dec 9999 23:00:00 -0900", datetime(1970, 1, 1, tzinfo=timezone.utc)),
            ("lately", datetime(1970, 1, 1, tzinfo=timezone.utc)),
        ],
    )
    def test_are_in_utc_however_they_are_told(self, told: str, meant: datetime) -> None:
        time = Stat.from_headers({"last-modified": told}).modified_time
        assert (time, time.tzinfo) == (meant, timezone.utc)


class TestBigReadsThatFail:
    def test_leave_no_buffer_that_cannot_be_closed(
        self, liar: Liar, client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # From Python 3.13 on each of these is printed as "Exception ignored in".
        stuck: List[BufferError] = []

        class Watched(io.BytesIO):
            def close(self) -> None:
                try:
                    super().close()
                except BufferError as error:
                    stuck.append(error)

        monkeypatch.setattr(reader_module.io, "BytesIO", Watched)
        liar.content = bytes(18 * MIB)
        liar.lie = lambda asked: (
            liar.head("500 Error", "Content-Length: 0") if asked.range else liar.answer(asked)[:MIB]
        )
        target = Target("acme", lambda: client)
        for threads in (0, 3):
            with S3Reader(target, "k", threads=threads) as reader:
                with pytest.raises(UnreachableError):
                    reader.readall()
            gc.collect()
        assert stuck == []
