"""What a user of a storage reads with: few requests, Django's file API, clear errors."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import time
import weakref
import zipfile
from datetime import timezone
from pathlib import PurePath
from typing import Any, Callable, ContextManager, List

import pytest
from django.core.files import File
from django.http import FileResponse, StreamingHttpResponse
from django.utils.timezone import is_aware, make_naive
from PIL import Image

from smart_storages.common.compat import HAS_STORAGES
from smart_storages.exceptions import AccessDeniedError, ObjectNotFoundError
from smart_storages.storages import S3Boto3Storage, SmartS3Storage
from smart_storages.storages.reading import S3ReadFile
from tests.conftest import Bucket, lead_to
from tests.servers import Exchange

MIB = 1024 * 1024
Counter = Callable[[], ContextManager[List[Exchange]]]


@pytest.fixture
def storage(s3_settings: Any) -> SmartS3Storage:
    return SmartS3Storage(location="media")


class TestRequests:
    """Rows of the table in docs/reading.md."""

    @pytest.mark.parametrize("size", [0, 4096, 8 * MIB])
    def test_a_file_is_opened_and_read_with_one(
        self, s3_bucket: Bucket, count_requests: Counter, size: int
    ) -> None:
        content = b"x" * size
        s3_bucket.put("k", content)
        with count_requests() as requests:
            assert SmartS3Storage().open("k").read() == content
        assert [request.method for request in requests] == ["GET"]

    def test_a_missing_one_costs_one(self, count_requests: Counter) -> None:
        with count_requests() as requests, pytest.raises(FileNotFoundError):
            SmartS3Storage().open("nope")
        assert [request.method for request in requests] == ["GET"]

    def test_ten_bytes_of_twenty_megabytes_cost_one(
        self, s3_bucket: Bucket, count_requests: Counter
    ) -> None:
        s3_bucket.put("k", b"0123456789" * 2 * MIB)
        storage = SmartS3Storage()
        with count_requests() as requests:
            file = storage.open("k")
            assert file.read(10) == b"0123456789"
            file.close()
        assert len(requests) == 1
        assert requests[0].bytes_down <= MIB

    def test_the_end_of_twenty_megabytes_costs_two(
        self, s3_bucket: Bucket, count_requests: Counter
    ) -> None:
        s3_bucket.put("k", b"0123456789" * 2 * MIB)
        with count_requests() as requests, SmartS3Storage().open("k") as file:
            file.seek(-15, io.SEEK_END)
            assert file.read() == b"567890123456789"
        assert len(requests) <= 2

    def test_an_open_file_knows_its_size_time_and_type(
        self, s3_bucket: Bucket, count_requests: Counter
    ) -> None:
        s3_bucket.put("k", b"content", ContentType="text/css")
        storage = SmartS3Storage()
        with storage.open("k") as file, count_requests() as requests:
            assert (file.size, len(file)) == (7, 7)
            assert file.content_type == "text/css"
            assert file.modified_time.tzinfo is timezone.utc
            assert len(file.etag) == 32
            assert not file.multiple_chunks()
        assert requests == []

    def test_a_question_costs_one_head(self, s3_bucket: Bucket, count_requests: Counter) -> None:
        s3_bucket.put("k", b"content")
        storage = SmartS3Storage()
        questions: List[Callable[[], Any]] = [
            lambda: storage.exists("k"),
            lambda: storage.size("k"),
            lambda: storage.get_modified_time("k"),
            lambda: storage.stat("k"),
        ]
        for ask in questions:
            with count_requests() as requests:
                ask()
            assert [request.method for request in requests] == ["HEAD"]

    def test_chunks_of_a_big_file_cost_one(
        self, s3_bucket: Bucket, count_requests: Counter
    ) -> None:
        s3_bucket.put("k", b"0123456789" * MIB)
        with count_requests() as requests, SmartS3Storage().open("k") as file:
            sizes = [len(chunk) for chunk in file.chunks()]
        assert sum(sizes) == 10 * MIB
        assert max(sizes) == File.DEFAULT_CHUNK_SIZE
        assert len(requests) == 1

    def test_the_size_of_an_image_costs_one(
        self, s3_bucket: Bucket, count_requests: Counter
    ) -> None:
        from django.core.files.images import get_image_dimensions

        picture = io.BytesIO()
        Image.effect_noise((1500, 1000), 200).save(picture, "PNG")
        s3_bucket.put("k.png", picture.getvalue())
        with count_requests() as requests:
            assert get_image_dimensions(SmartS3Storage().open("k.png")) == (1500, 1000)
        assert len(requests) == 1


class TestFile:
    def test_it_is_a_file_of_django(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        s3_bucket.put("media/a/b.txt", b"one\ntwo\r\nthree")
        file = storage.open("a/b.txt")
        assert isinstance(file, File)
        assert isinstance(file, S3ReadFile)
        assert (file.name, file.mode, str(file), bool(file)) == ("a/b.txt", "rb", "a/b.txt", True)
        assert file.readable()
        assert file.seekable()
        assert not file.writable()
        assert file.readline() == b"one\n"
        assert file.tell() == 4
        assert list(file) == [b"one\n", b"two\r\n", b"three"]
        file.seek(4)
        assert file.readlines() == [b"two\r\n", b"three"]
        buffer = bytearray(3)
        file.seek(0)
        assert file.readinto(buffer) == 3
        assert bytes(buffer) == b"one"
        assert not file.closed
        file.close()
        assert file.closed
        with pytest.raises(ValueError, match="closed"):
            file.read()

    def test_it_reads_what_django_storages_reads(
        self, storage: SmartS3Storage, s3_bucket: Bucket
    ) -> None:
        s3_bucket.put("media/k", "zwölf\r\nBoxkämpfer\n".encode())
        theirs = S3Boto3Storage(location="media")
        for mode in ("rb", "r"):
            ours_open, theirs_open = storage.open("k", mode), theirs.open("k", mode)
            assert ours_open.name == theirs_open.name
            assert ours_open.read() == theirs_open.read()
            ours_open.seek(0)
            theirs_open.seek(0)
            assert list(ours_open) == list(theirs_open)

    def test_it_can_be_opened_again(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        s3_bucket.put("media/k", b"first")
        file = storage.open("k")
        assert file.read() == b"first"
        assert file.open() is file
        assert file.read() == b"first"
        file.close()
        s3_bucket.put("media/k", b"second")
        with file.open("rb"):
            assert file.read() == b"second"
        assert file.size == 6
        with file.open("r"):
            assert file.read() == "second"
            assert file.open("rb").read() == "second"

    def test_a_mode_that_s3_cannot_do_is_refused_without_a_request(
        self, s3_bucket: Bucket, count_requests: Counter
    ) -> None:
        s3_bucket.put("k", b"content")
        storage = SmartS3Storage()
        with count_requests() as requests:
            for mode in ("r+b", "r+", "rb+", "q", "rtb"):
                with pytest.raises(ValueError, match="cannot be opened in mode"):
                    storage.open("k", mode)
        assert requests == []

    def test_one_that_could_not_be_opened_can_be_shown(
        self, storage: SmartS3Storage, s3_bucket: Bucket
    ) -> None:
        # As Django's debug page does with each local variable.
        with pytest.raises(FileNotFoundError) as caught:
            storage.open("nope")
        frames = [entry.frame.f_locals.get("self") for entry in caught.traceback]
        halves = [each for each in frames if isinstance(each, S3ReadFile)]
        assert halves
        for half in halves:
            assert repr(half) == "<S3ReadFile: nope>"
            assert half.closed
            half.close()

    def test_a_packed_one_keeps_its_mode(self, s3_settings: Any, s3_bucket: Bucket) -> None:
        # GzipFile has a mode of its own, a number until Python 3.13.
        s3_bucket.put("k", gzip.compress(b"content"), ContentEncoding="gzip")
        with SmartS3Storage(gzip=True).open("k") as file:
            assert file.mode == "rb"
            assert file.open("rb").read() == b"content"

    def test_botos_object_is_at_hand(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        s3_bucket.put("media/k", b"content", Metadata={"by": "me"})
        theirs = S3Boto3Storage(location="media").open("k").obj
        with storage.open("k") as file:
            assert file.obj == theirs
            assert file.obj.metadata == {"by": "me"}
            assert file.obj.content_length == 7

    def test_text_is_text(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        s3_bucket.put("media/k", "zwölf\nBoxkämpfer".encode())
        with storage.open("k", "r") as file:
            assert file.read(3) == "zwö"
            assert list(file) == ["zwölf\n", "Boxkämpfer"]
        with storage.open("k", "r") as file:
            assert "".join(file.chunks(4)) == "zwölf\nBoxkämpfer"

    def test_gzip_is_unpacked_if_the_storage_packs(
        self, s3_settings: Any, s3_bucket: Bucket
    ) -> None:
        packed = gzip.compress(b"content" * 1000)
        s3_bucket.put("k", packed, ContentEncoding="gzip")
        with SmartS3Storage(gzip=True).open("k") as file:
            assert file.read() == b"content" * 1000
            file.seek(7)
            assert file.read(7) == b"content"
            assert file.size == len(packed)
        with SmartS3Storage(gzip=True).open("k", "r") as file:
            assert file.read(7) == "content"
        with SmartS3Storage().open("k") as file:
            assert file.read() == packed

    def test_what_the_storage_packed_is_read_back(self, s3_settings: Any) -> None:
        storage = SmartS3Storage(gzip=True)
        name = storage.save("k.css", File(io.BytesIO(b"a {}\n" * 1000)))
        with storage.open(name) as file:
            assert file.read() == b"a {}\n" * 1000

    def test_an_archive_in_it_can_be_read(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as written:
            written.writestr("a.txt", "content")
        s3_bucket.put("media/k.zip", archive.getvalue())
        with storage.open("k.zip") as file, zipfile.ZipFile(file) as read:
            assert read.read("a.txt") == b"content"

    @pytest.mark.django_db  # closing a response ends a request, which looks at the connections
    def test_a_response_streams_it(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        s3_bucket.put("media/k.txt", b"content" * 20_000)
        response = FileResponse(storage.open("k.txt"))
        assert b"".join(response.streaming_content) == b"content" * 20_000
        response.close()

    def test_a_customer_key_opens_it(self, s3_settings: Any, s3_bucket: Bucket) -> None:
        secret = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
        s3_bucket.put("k", b"content", **secret)
        storage = SmartS3Storage(object_parameters=secret)
        assert storage.open("k").read() == b"content"
        assert storage.size("k") == 7

    @pytest.mark.parametrize("name", [PurePath("a/b.txt"), "a//b.txt", "a/./b.txt"])
    def test_a_name_is_cleaned(self, storage: SmartS3Storage, s3_bucket: Bucket, name: Any) -> None:
        s3_bucket.put("media/a/b.txt", b"content")
        assert storage.open(name).read() == b"content"
        assert storage.exists(name)


class TestQuestions:
    def test_a_stat_says_it_all(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        s3_bucket.put("media/k", b"content", ContentType="text/css", Metadata={"by": "me"})
        head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="media/k")
        stat = storage.stat("k")
        assert stat.size == 7
        assert stat.modified_time == head["LastModified"]
        assert f'"{stat.etag}"' == head["ETag"]
        assert stat.content_type == "text/css"
        assert stat.metadata == {"by": "me"}
        assert (stat.content_encoding, stat.storage_class) == (None, None)

    def test_times_are_as_django_wants_them(
        self, storage: SmartS3Storage, s3_bucket: Bucket, settings: Any
    ) -> None:
        s3_bucket.put("media/k", b"content")
        settings.TIME_ZONE = "Asia/Tokyo"
        settings.USE_TZ = True
        aware = storage.get_modified_time("k")
        assert is_aware(aware)
        settings.USE_TZ = False
        assert storage.get_modified_time("k") == make_naive(aware)
        with storage.open("k") as file:
            assert file.modified_time == make_naive(aware)

    def test_a_missing_file(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        assert storage.exists("nope") is False
        questions: List[Callable[[str], Any]] = [
            storage.size,
            storage.get_modified_time,
            storage.stat,
            storage.open,
        ]
        for ask in questions:
            with pytest.raises(FileNotFoundError) as caught:
                ask("nope")
            assert isinstance(caught.value, ObjectNotFoundError)
            assert f"module 'default', bucket '{s3_bucket.name}', key 'media/nope'" in str(
                caught.value
            )

    @pytest.mark.real_s3
    def test_a_denied_one(self, ceph_gateway: Any, ceph: Any, settings: Any) -> None:
        lead_to(settings, ceph_gateway.create_user(), ceph.create_bucket())
        with pytest.raises(AccessDeniedError, match="s3:ListBucket"):
            SmartS3Storage().exists("k")
        with pytest.raises(PermissionError):
            SmartS3Storage().open("k")


class TestAsync:
    def test_every_call_has_a_twin(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        async def use() -> None:
            name = await storage.asave("a/k.txt", File(io.BytesIO(b"content")))
            assert await storage.aexists(name)
            assert await storage.asize(name) == 7
            assert await storage.alistdir("a") == ([], ["k.txt"])
            assert await storage.aget_modified_time(name) == storage.get_modified_time(name)
            assert (await storage.astat(name)).size == 7
            assert name in await storage.aurl(name)
            async with await storage.aopen(name) as file:
                assert await file.aread(3) == b"con"
                assert await file.aread() == b"tent"
            assert file.closed
            await storage.adelete(name)
            assert not await storage.aexists(name)
            with pytest.raises(FileNotFoundError):
                await storage.aopen(name)

        asyncio.run(use())

    def test_a_response_streams_it(self, storage: SmartS3Storage, s3_bucket: Bucket) -> None:
        s3_bucket.put("media/k", b"0123456789" * 20_000)

        async def use() -> bytes:
            file = await storage.aopen("k")
            content = b"".join([chunk async for chunk in file])
            if HAS_STORAGES:  # Django 4.2 was also the first whose responses stream for async
                response = StreamingHttpResponse(file.achunks())
                assert response.is_async
                assert content == b"".join([chunk async for chunk in response])
            await file.aclose()
            return content

        assert asyncio.run(use()) == b"0123456789" * 20_000

    def test_a_response_that_ends_early_closes_it(
        self, storage: SmartS3Storage, s3_bucket: Bucket
    ) -> None:
        s3_bucket.put("media/k", b"x" * 9_000_000)

        async def use() -> None:
            file = await storage.aopen("k")
            chunks = file.achunks()
            # Django calls close() of what a response sends when the client has gone.
            close = StreamingHttpResponse(chunks).close if HAS_STORAGES else chunks.close
            assert await chunks.__anext__()
            close()
            assert file.closed
            assert [chunk async for chunk in chunks] == []

        asyncio.run(use())

    def test_a_loop_over_it_that_ends_early_leaves_it_open(
        self, storage: SmartS3Storage, s3_bucket: Bucket
    ) -> None:
        s3_bucket.put("media/k", b"x" * 9_000_000)

        async def use() -> None:
            async with await storage.aopen("k") as file:
                async for _ in file.achunks(1000):
                    break
                assert await file.aread(5) == b"xxxxx"

        asyncio.run(use())

    def test_five_hundred_files_are_read_at_once(
        self, storage: SmartS3Storage, s3_bucket: Bucket
    ) -> None:
        content = b"x" * 4096
        for number in range(10):
            s3_bucket.put(f"media/{number}", content)

        async def read(number: int) -> bytes:
            async with await storage.aopen(str(number % 10)) as file:
                data: bytes = await file.aread()
                return data

        async def use() -> List[bytes]:
            return await asyncio.gather(*[read(number) for number in range(500)])

        assert asyncio.run(use()) == [content] * 500

    def test_a_read_leaves_no_work_to_the_garbage_collector(
        self, storage: SmartS3Storage, s3_bucket: Bucket
    ) -> None:
        # The collector holds the interpreter, and with it the event loop, for its whole run.
        s3_bucket.put("media/k", b"content")

        async def read() -> weakref.ReferenceType[S3ReadFile]:
            async with await storage.aopen("k") as file:
                assert await file.aread() == b"content"
                return weakref.ref(file)

        gc.disable()
        try:
            freed = asyncio.run(read())
            give_up = time.monotonic() + 10
            while freed() is not None and time.monotonic() < give_up:
                time.sleep(0.01)  # the thread that closed it may be on its way out
            assert freed() is None
        finally:
            gc.enable()


def test_a_file_can_be_passed_on_as_it_is_stored(
    s3_bucket: Bucket, s3_settings: Any, count_requests: Counter
) -> None:
    packed = gzip.compress(b"x" * 10_000)
    s3_bucket.put("k", packed, ContentEncoding="gzip", ContentLanguage="de")
    storage = SmartS3Storage(gzip=True)
    assert storage.open("k").is_decompressed
    for lazily in (False, True):
        with count_requests() as requests, storage.open_stored("k", lazily=lazily) as file:
            assert not file.is_decompressed
            assert file.headers["content-language"] == "de"
            assert [request.method for request in requests] == ["HEAD" if lazily else "GET"]
            assert file.read() == packed
    with storage.open_stored("k", lazily=True) as file:
        file.expect(3, 9)
        assert file.read(6) == packed[3:9]
    with pytest.raises(ObjectNotFoundError):
        storage.open_stored("nope", lazily=True)
