"""Saving, opening for writing, deleting and listing; requests counted on the wire."""

import gc
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from django.apps.registry import Apps
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import models
from django.db.models.fields.files import FieldFile

from smart_storages.exceptions import (
    BucketNotFoundError,
    ContentMismatchError,
    ObjectExistsError,
    PreconditionFailedError,
    S3Error,
    UnreachableError,
)
from smart_storages.storages import SmartS3Storage
from tests.conftest import Bucket, lead_to, methods
from tests.servers import S3Proxy

MIB = 1024**2
SMALL_PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)


class Unseekable(io.RawIOBase):
    """A stream as a socket gives it: once, and a little at a time."""

    def __init__(self, content, piece=100_000):
        self._file = io.BytesIO(content)
        self._piece = piece

    def readable(self):
        return True

    def read(self, size=-1):
        return self._file.read(min(size, self._piece) if size >= 0 else size)


class TestRequests:
    def test_a_save_that_overwrites_is_one_put(self, s3_proxy, make_storage, count_requests):
        storage = make_storage()
        with count_requests() as requests:
            assert storage.save("a.txt", ContentFile(b"hello")) == "a.txt"
        assert methods(requests) == ["PUT"]

    def test_a_free_name_is_claimed_by_the_put_itself(
        self, s3_bucket, s3_proxy, make_storage, count_requests
    ):
        storage = make_storage(file_overwrite=False)
        with count_requests() as requests:
            assert storage.save("a.txt", ContentFile(b"hello")) == "a.txt"
        assert methods(requests) == ["PUT"]
        assert requests[0].headers["if-none-match"] == "*"
        assert s3_bucket.get("a.txt") == b"hello"

    def test_a_taken_name_costs_one_request_more(
        self, s3_bucket, s3_proxy, make_storage, count_requests
    ):
        s3_bucket.put("a.txt", b"first")
        storage = make_storage(file_overwrite=False)
        with count_requests() as requests:
            name = storage.save("a.txt", ContentFile(b"second"))
        assert methods(requests) == ["PUT", "PUT"]
        assert name != "a.txt"
        assert s3_bucket.get("a.txt") == b"first"
        assert s3_bucket.get(name) == b"second"

    def test_ten_bytes_written_are_one_put(self, s3_bucket, s3_proxy, make_storage, count_requests):
        storage = make_storage()
        with count_requests() as requests, storage.open("a.txt", "wb") as file:
            file.write(b"0123456789")
        assert methods(requests) == ["PUT"]
        assert s3_bucket.get("a.txt") == b"0123456789"

    def test_content_as_long_as_the_threshold_is_one_put(
        self, s3_proxy, make_storage, count_requests
    ):
        storage = make_storage()
        with count_requests() as requests:
            storage.save("a.bin", ContentFile(bytes(8 * MIB)))
        assert methods(requests) == ["PUT"]

    def test_one_byte_more_goes_in_parts(self, s3_bucket, s3_proxy, make_storage, count_requests):
        storage = make_storage()
        with count_requests() as requests:
            storage.save("a.bin", ContentFile(bytes(8 * MIB + 1)))
        assert sorted(methods(requests)) == ["POST", "POST", "PUT", "PUT"]
        assert s3_bucket.get("a.bin") == bytes(8 * MIB + 1)

    @pytest.mark.parametrize("size", [5, 8 * MIB + 1])
    def test_a_server_without_conditions_gets_no_question_and_names_of_their_own(
        self, s3_bucket, s3_proxy, make_storage, count_requests, size
    ):
        storage = make_storage(provider="spaces", addressing_style="path", file_overwrite=False)
        with count_requests() as requests:
            names = [storage.save("a.txt", ContentFile(bytes(size))) for _ in range(2)]
        assert "HEAD" not in methods(requests)
        assert names[0] != names[1]
        assert all(re.fullmatch(r"a_[a-z0-9]{16}\.txt", name) for name in names)
        assert sorted(s3_bucket.keys()) == sorted(names)

    def test_delete_is_one_request(self, s3_bucket, s3_proxy, make_storage, count_requests):
        s3_bucket.put("a.txt", b"hello")
        storage = make_storage()
        with count_requests() as requests:
            storage.delete("a.txt")
        assert methods(requests) == ["DELETE"]
        assert s3_bucket.keys() == []

    def test_listdir_is_one_request(self, s3_bucket, s3_proxy, make_storage, count_requests):
        for key in ("docs/a.txt", "docs/b & c.txt", "docs/deep/d.txt", "e.txt"):
            s3_bucket.put(key, b"")
        storage = make_storage(location="docs")
        with count_requests() as requests:
            assert storage.listdir("") == (["deep"], ["a.txt", "b & c.txt"])
        assert methods(requests) == ["GET"]


class TestVerification:
    def test_the_server_is_given_a_checksum(self, s3_bucket, s3_proxy, make_storage):
        storage = make_storage(transfer_config=SMALL_PARTS)
        # Over plain HTTP the signature covers the body, so that MD5 would say nothing more.
        header = {"moto": "x-amz-checksum-crc32", "ceph": "x-amz-content-sha256"}
        storage.save("a.txt", ContentFile(b"hello"))
        storage.save("b.bin", ContentFile(bytes(6 * MIB)))
        bodies = [request for request in s3_proxy.requests if request.method == "PUT"]
        assert len(bodies) == 3
        told = [request.headers[header[s3_bucket.server.name]] for request in bodies]
        assert len(set(told)) == 3
        assert "UNSIGNED-PAYLOAD" not in told

    def test_another_algorithm_may_be_chosen(self, moto_bucket, settings):
        moto_bucket.put("probe", b"x", ChecksumAlgorithm="SHA256")
        where = {"Bucket": moto_bucket.name, "Key": "probe", "ChecksumMode": "ENABLED"}
        if "ChecksumSHA256" not in moto_bucket.client.head_object(**where):
            pytest.skip("this moto (5.0, the last for Python 3.8) tells no checksums")
        lead_to(settings, moto_bucket.server)
        storage = SmartS3Storage(
            provider="moto",
            bucket_name=moto_bucket.name,
            object_parameters={"ChecksumAlgorithm": "SHA256"},
            transfer_config=SMALL_PARTS,
        )
        for name, size in (("small.bin", 5), ("large.bin", 6 * MIB)):
            storage.save(name, ContentFile(bytes(size)))
            head = moto_bucket.client.head_object(
                Bucket=moto_bucket.name, Key=name, ChecksumMode="ENABLED"
            )
            assert "ChecksumSHA256" in head


class TestContent:
    def test_it_is_rewound_and_stays_open(self, s3_bucket, make_storage):
        content = io.BytesIO(b"hello")
        content.read(3)
        make_storage().save("a.txt", content)
        assert s3_bucket.get("a.txt") == b"hello"
        assert not content.closed

    @pytest.mark.parametrize("size", [0, 5, 6 * MIB])
    def test_an_uploaded_file_stays_open(self, s3_bucket, make_storage, size):
        content = TemporaryUploadedFile("a.bin", "image/png", size, None)
        content.write(bytes(size))
        make_storage(transfer_config=SMALL_PARTS).save("a.bin", content)
        assert not content.closed
        assert s3_bucket.get("a.bin") == bytes(size)
        head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="a.bin")
        assert head["ContentType"] == "image/png"

    @pytest.mark.parametrize(
        ("name", "claimed", "stored"),
        [
            ("a.png", "text/html", "image/png"),
            ("a.png", "IMAGE/SVG+XML; charset=utf-8", "image/png"),
            ("a.txt", "application/xhtml+xml", "text/plain"),
            ("a", "text/html", "application/octet-stream"),
            ("a.html", "text/html", "text/html"),
            ("a", "image/jpeg", "image/jpeg"),
            ("a.csv", "text/plain", "text/plain"),
        ],
    )
    def test_a_page_is_none_because_a_browser_claims_it(
        self, s3_bucket, make_storage, name, claimed, stored
    ):
        make_storage().save(name, SimpleUploadedFile(name, b"<html>", content_type=claimed))
        head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key=name)
        assert head["ContentType"] == stored

    def test_the_project_says_what_a_page_is(self, s3_bucket, make_storage):
        content = ContentFile(b"<html>")
        content.content_type = "text/html"
        make_storage().save("page", content)
        given = make_storage(object_parameters={"ContentType": "text/html"})
        given.save("other", SimpleUploadedFile("other", b"<html>", content_type="text/html"))
        for key in ("page", "other"):
            head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key=key)
            assert head["ContentType"] == "text/html"

    def test_text_becomes_bytes(self, s3_bucket, make_storage):
        make_storage().save("a.txt", ContentFile("Grüße"))
        assert s3_bucket.get("a.txt") == "Grüße".encode()

    @pytest.mark.parametrize("overwrite", [True, False])
    def test_an_unseekable_stream_goes_through_whole(self, s3_bucket, make_storage, overwrite):
        content = bytes(range(256)) * 4096 * 11
        storage = make_storage(transfer_config=SMALL_PARTS, file_overwrite=overwrite)
        s3_bucket.put("a.bin", b"first")
        name = storage.save("a.bin", File(Unseekable(content), "a.bin"))
        assert s3_bucket.get(name) == content
        assert (name == "a.bin") is overwrite

    @pytest.mark.parametrize("size", [100, 300_000])
    def test_compressible_content_is_compressed_also_at_the_second_try(
        self, s3_bucket, make_storage, size
    ):
        import gzip

        s3_bucket.put("a.css", b"first")
        storage = make_storage(gzip=True, file_overwrite=False)
        name = storage.save("a.css", ContentFile(b"p" * size))
        answer = s3_bucket.client.get_object(Bucket=s3_bucket.name, Key=name)
        assert answer["ContentEncoding"] == "gzip"
        assert gzip.decompress(answer["Body"].read()) == b"p" * size

    def test_a_threshold_above_memory_goes_out_in_one_put_from_disk(
        self, s3_bucket, s3_proxy, make_storage, count_requests
    ):
        config = TransferConfig(multipart_threshold=64 * MIB)
        storage = make_storage(transfer_config=config, file_overwrite=False)
        s3_bucket.put("a.bin", b"first")
        with count_requests() as requests:
            name = storage.save("a.bin", ContentFile(bytes(20 * MIB)))
        assert methods(requests) == ["PUT", "PUT"]
        assert s3_bucket.get(name) == bytes(20 * MIB)

    @pytest.mark.parametrize("overwrite", [True, False])
    @pytest.mark.parametrize("threshold", [5 * MIB, 64 * MIB])
    def test_a_file_on_disk_is_sent_from_there(
        self, s3_bucket, make_storage, tmp_path, overwrite, threshold
    ):
        content = bytes(range(256)) * 4096 * 17 + b"end"
        path = tmp_path / "film.bin"
        path.write_bytes(content)
        transfer = TransferConfig(multipart_threshold=threshold, multipart_chunksize=5 * MIB)
        s3_bucket.put("a.bin", b"first")
        options = [{}, {"client_config": Config(s3={"payload_signing_enabled": False})}]
        for chosen in options:
            storage = make_storage(transfer_config=transfer, file_overwrite=overwrite, **chosen)
            with path.open("rb") as file:
                name = storage.save("a.bin", File(file))
                assert file.read() == b""  # as after every other save
            assert s3_bucket.get(name) == content
            assert (name == "a.bin") is overwrite
        assert s3_bucket.open_uploads() == []

    def test_a_client_that_sends_itself_sends_a_file_on_disk_too(
        self, s3_bucket, s3_proxy, make_storage, tmp_path
    ):
        path = tmp_path / "film.bin"
        path.write_bytes(bytes(17 * MIB) + b"end")
        storage = make_storage()
        storage.client.meta.events.register("before-call.s3.UploadPart", lambda **_: None)
        with path.open("rb") as file:
            storage.save("a.bin", File(file))
        assert s3_bucket.get("a.bin") == bytes(17 * MIB) + b"end"
        # Each part once: one that is not whole would be sent again, after 60 seconds.
        sent = [each.body_up for each in s3_proxy.requests if "partNumber" in each.query]
        assert sorted(sent) == [MIB + 3, 8 * MIB, 8 * MIB]

    def test_a_file_that_becomes_shorter_while_it_is_sent_is_not_stored(
        self, s3_bucket, make_storage, tmp_path, monkeypatch
    ):
        path = tmp_path / "log.bin"
        path.write_bytes(bytes(17 * MIB))
        storage = make_storage(transfer_config=SMALL_PARTS)
        for threshold in (5 * MIB, 64 * MIB):
            path.write_bytes(bytes(17 * MIB))
            storage.transfer_config = TransferConfig(multipart_threshold=threshold)
            with path.open("rb+") as file:
                source, _ = storage._make_source(File(file), {"ContentType": "a/b"})
                file.truncate(6 * MIB)
                with pytest.raises(EOFError, match="became shorter"):
                    storage._put("a.bin", source, {}, overwrite=True)
        assert s3_bucket.keys() == s3_bucket.open_uploads() == []

    def test_a_stream_without_data_is_refused_rather_than_cut(self, s3_bucket, make_storage):
        class NotYet(Unseekable):
            def read(self, size=-1):
                return None

        with pytest.raises((BlockingIOError, AttributeError)):
            make_storage().save("a.bin", File(NotYet(b"later"), "a.bin"))
        assert s3_bucket.keys() == []


class TestNames:
    def test_a_name_is_cut_to_its_longest_length(self, s3_bucket, make_storage):
        storage = make_storage(file_overwrite=False)
        names = {storage.save("a" * 40 + ".txt", ContentFile(b"x"), max_length=20) for _ in "abc"}
        assert len(names) == 3
        assert all(len(name) <= 20 and name.endswith(".txt") for name in names)
        assert sorted(s3_bucket.keys()) == sorted(names)

    def test_no_room_for_a_name_is_djangos_error(self, make_storage):
        storage = make_storage(file_overwrite=False)
        storage.save("abc.txt", ContentFile(b"x"), max_length=7)
        with pytest.raises(SuspiciousFileOperation, match="available filename"):
            storage.save("abc.txt", ContentFile(b"x"), max_length=7)

    @pytest.mark.parametrize("name", ["../a.txt", "a/../../b.txt", "..", "/", "a/..", "a\0b"])
    def test_a_name_that_climbs_is_refused_before_anything_is_sent(
        self, s3_proxy, make_storage, name
    ):
        for overwrite in (True, False):
            with pytest.raises(SuspiciousFileOperation):
                make_storage(file_overwrite=overwrite).save(name, ContentFile(b"x"))
        assert s3_proxy.requests == []

    def test_a_free_name_can_still_be_asked_for(self, s3_bucket, make_storage):
        s3_bucket.put("a.txt", b"first")
        storage = make_storage(file_overwrite=False)
        free = storage.get_available_name("a.txt")
        assert free != "a.txt"
        assert not storage.exists(free)
        assert storage.get_available_name("b.txt") == "b.txt"

    def test_somebodys_own_rule_for_names_is_followed(self, s3_bucket, s3_settings):
        class Dated(SmartS3Storage):
            file_overwrite = False

            def get_available_name(self, name, max_length=None):
                return super().get_available_name(f"2024/{name}", max_length)

        storage = Dated(provider=s3_bucket.server.name)
        first = storage.save("a.txt", ContentFile(b"1"))
        second = storage.save("a.txt", ContentFile(b"2"))
        assert first == "2024/a.txt"
        assert second.startswith("2024/a_")

    def test_a_rule_that_names_a_taken_file_overwrites_it(self, s3_bucket, s3_settings):
        class Overwriting(SmartS3Storage):
            file_overwrite = False

            def get_available_name(self, name, max_length=None):
                return name

        storage = Overwriting(provider=s3_bucket.server.name)
        storage.save("a.txt", ContentFile(b"1"))
        assert storage.save("a.txt", ContentFile(b"2")) == "a.txt"
        assert s3_bucket.get("a.txt") == b"2"

    def test_a_rule_below_save_that_always_gives_one_name_ends(self, s3_bucket, s3_settings):
        class Stubborn(SmartS3Storage):
            file_overwrite = False

            def _save(self, name, content):
                return super()._save("always.txt", content)

        storage = Stubborn(provider=s3_bucket.server.name)
        storage.save("a.txt", ContentFile(b"1"))
        with pytest.raises(ObjectExistsError):
            storage.save("a.txt", ContentFile(b"2"))
        assert s3_bucket.get("always.txt") == b"1"

    @pytest.mark.skipif(not hasattr(Storage, "is_name_available"), reason="Django 5.1")
    def test_somebodys_own_check_of_names_is_asked(self, s3_bucket, s3_settings):
        class Reserving(SmartS3Storage):
            file_overwrite = False

            def is_name_available(self, name, max_length=None):
                return name != "reserved.txt" and super().is_name_available(name, max_length)

        storage = Reserving(provider=s3_bucket.server.name)
        assert storage.save("reserved.txt", ContentFile(b"1")) != "reserved.txt"

    def test_a_file_field_gets_a_name_of_its_length(self, s3_bucket, make_storage):
        class Article(models.Model):
            report = models.FileField(
                storage=make_storage(file_overwrite=False), upload_to="r", max_length=24
            )

            class Meta:
                app_label = "smart_storages"
                apps = Apps()

        names = set()
        for _ in range(2):
            article = Article()
            article.report.save("quarterly-report-of-2024.txt", ContentFile(b"x"), save=False)
            names.add(article.report.name)
        assert len(names) == 2
        assert all(len(name) <= 24 for name in names)
        assert sorted(s3_bucket.keys()) == sorted(names)


PROCESS = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
import django
from django.conf import settings
options = json.loads(sys.argv[1])
settings.configure(INSTALLED_APPS=["smart_storages"], **options["settings"])
django.setup()
from django.core.files.base import ContentFile
from smart_storages.storages import SmartS3Storage
storage = SmartS3Storage(provider=options["provider"], file_overwrite=False)
def save(number):
    return storage.save("a.txt", ContentFile(f"{options['process']}-{number}"))
sys.stdin.read()
with ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(save, range(8)))))
"""


class TestNeverOverwrite:
    # The first row is the server's own; the other one promises nothing. Those that claim a name
    # are in test_claims.
    @pytest.mark.parametrize("provider", [None, "b2"])
    def test_64_threads_saving_one_name_end_as_64_files(self, s3_bucket, make_storage, provider):
        storage = make_storage(provider=provider or s3_bucket.server.name, file_overwrite=False)
        start = threading.Barrier(64)

        def save(number):
            start.wait()
            return storage.save("a.txt", ContentFile(str(number).encode()))

        with ThreadPoolExecutor(64) as pool:
            names = list(pool.map(save, range(64)))
        assert len(set(names)) == 64
        assert [s3_bucket.get(name) for name in names] == [str(n).encode() for n in range(64)]

    @pytest.mark.slow
    @pytest.mark.one_server
    def test_8_processes_of_8_threads_end_as_64_files(self, s3_bucket, s3_settings):
        options = {"AWS_STORAGE_BUCKET_NAME": s3_bucket.name, **s3_bucket.server.django_settings()}
        processes = []
        for process in range(8):
            order = {"settings": options, "provider": s3_bucket.server.name, "process": process}
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-W", "ignore", "-c", PROCESS, json.dumps(order)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
        for process in processes:
            process.stdin.close()
        saved = {}
        for number, process in enumerate(processes):
            for index, name in enumerate(json.loads(process.stdout.read())):
                saved[name] = f"{number}-{index}".encode()
            assert process.wait() == 0
        assert len(saved) == 64
        assert sorted(s3_bucket.keys()) == sorted(saved)
        assert {name: s3_bucket.get(name) for name in saved} == saved

    def test_on_a_server_without_conditions_large_files_do_too(self, s3_bucket, make_storage):
        storage = make_storage(
            provider="gcs",
            file_overwrite=False,
            transfer_config=TransferConfig(multipart_threshold=1000),
        )
        pairs = [("a.bin", ContentFile(bytes([number]) * 64 * 1024)) for number in range(64)]
        names = storage.save_many(pairs)
        assert len(set(names)) == 64
        assert [s3_bucket.get(name)[:1] for name in names] == [bytes([n]) for n in range(64)]

    def test_a_name_that_was_asked_for_is_used_once(self, s3_bucket, make_storage):
        storage = make_storage(provider="b2", file_overwrite=False)
        name = storage.get_available_name("a.txt")
        assert name != "a.txt"
        assert storage.save(name, ContentFile(b"first")) == name
        assert storage.save(name, ContentFile(b"second")) != name
        copied = storage.copy(name, "b.txt")
        assert copied != "b.txt"
        assert storage.save(copied, ContentFile(b"third")) != copied
        assert storage.open(name).read() == storage.open(copied).read() == b"first"

    def test_a_name_of_ones_own_drawing_keeps_to_the_longest_length(self, s3_bucket, make_storage):
        storage = make_storage(provider="b2", file_overwrite=False)
        name = storage.save("a" * 60 + ".txt", ContentFile(b"x"), max_length=40)
        assert re.fullmatch(r"a{19}_[a-z0-9]{16}\.txt", name)
        with pytest.raises(SuspiciousFileOperation):
            storage.save("a.txt", ContentFile(b"x"), max_length=10)

    def test_large_files_get_names_of_their_own(self, s3_bucket, make_storage):
        storage = make_storage(file_overwrite=False, transfer_config=SMALL_PARTS)
        names = [storage.save("a.bin", ContentFile(bytes([n]) * 6 * MIB)) for n in range(3)]
        assert len(set(names)) == 3
        assert [s3_bucket.get(name)[:1] for name in names] == [b"\0", b"\1", b"\2"]
        assert s3_bucket.open_uploads() == []

    def test_a_large_file_whose_name_is_taken_meanwhile_gets_another(self, s3_bucket, make_storage):
        class Racing(io.BytesIO):
            """Somebody else saves a file of that name while this one is read."""

            def read(self, size=-1):
                if self.tell() > 5 * MIB:
                    s3_bucket.put("a.bin", b"theirs")
                return super().read(size)

        storage = make_storage(file_overwrite=False, transfer_config=SMALL_PARTS)
        name = storage.save("a.bin", File(Racing(bytes(11 * MIB)), "a.bin"))
        assert name != "a.bin"
        assert s3_bucket.get("a.bin") == b"theirs"
        assert s3_bucket.get(name) == bytes(11 * MIB)
        assert s3_bucket.open_uploads() == []

    def test_saving_through_another_storage_below_is_that_ones_affair(self, s3_bucket, s3_settings):
        inner = SmartS3Storage(provider=s3_bucket.server.name, location="inner")

        class Outer(SmartS3Storage):
            file_overwrite = False

            def _save(self, name, content):
                inner.save(name, ContentFile(b"copy"))
                return super()._save(name, content)

        outer = Outer(provider=s3_bucket.server.name)
        assert outer.save("a.txt", ContentFile(b"1")) == "a.txt"
        assert outer.save("a.txt", ContentFile(b"2")) != "a.txt"
        assert s3_bucket.get("a.txt") == b"1"


class TestLostAnswers:
    def test_a_retry_that_meets_its_own_object_is_a_success(
        self, s3_bucket, s3_proxy, make_storage
    ):
        storage = make_storage(file_overwrite=False)
        lost = s3_proxy.inject(method="PUT", lose_answer=True)
        assert storage.save("a.txt", ContentFile(b"hello")) == "a.txt"
        assert lost.fired == 1
        assert s3_bucket.keys() == ["a.txt"]

    def test_a_retry_that_meets_anothers_object_takes_another_name(
        self, s3_bucket, s3_proxy, make_storage
    ):
        s3_bucket.put("a.txt", b"hello")  # the same bytes, and not ours
        storage = make_storage(file_overwrite=False)
        s3_proxy.inject(method="PUT", lose_answer=True)
        name = storage.save("a.txt", ContentFile(b"hello"))
        assert name != "a.txt"
        assert sorted(s3_bucket.keys()) == sorted(["a.txt", name])

    @pytest.mark.parametrize("overwrite", [True, False])
    def test_a_large_file_whose_completion_was_lost_is_there_once(
        self, s3_bucket, s3_proxy, make_storage, overwrite
    ):
        storage = make_storage(file_overwrite=overwrite, transfer_config=SMALL_PARTS)
        lost = s3_proxy.inject(method="POST", query="uploadId", lose_answer=True)
        assert storage.save("a.bin", ContentFile(bytes(6 * MIB))) == "a.bin"
        assert lost.fired == 1
        assert s3_bucket.keys() == ["a.bin"]
        assert s3_bucket.open_uploads() == []

    def test_an_upload_whose_start_was_lost_is_not_left_behind(
        self, s3_bucket, s3_proxy, make_storage
    ):
        storage = make_storage(transfer_config=SMALL_PARTS)
        lost = s3_proxy.inject(method="POST", query="uploads", lose_answer=True)
        storage.save("a.bin", ContentFile(bytes(6 * MIB)))
        assert lost.fired == 1
        assert s3_bucket.get("a.bin") == bytes(6 * MIB)
        if s3_bucket.server.name != "moto":  # which says that every upload began in 2010
            assert s3_bucket.open_uploads() == []


class Refusing:
    """Answers an operation of a client itself, as a server would, so many times."""

    def __init__(self, storage, operation, status, code, times):
        self.left, self.answered = times, 0
        self._status, self._code = status, code
        self._where = f"before-call.s3.{operation}"
        self._events = storage.client.meta.events

    def __enter__(self):
        self._events.register(self._where, self._answer)
        return self

    def __exit__(self, *error):
        self._events.unregister(self._where, self._answer)

    def _answer(self, **_):
        if not self.left:
            return None
        self.left -= 1
        self.answered += 1
        places = {"HTTPStatusCode": self._status, "RetryAttempts": 0}
        response = AWSResponse("http://s3.example.com/", self._status, {}, None)
        return response, {"Error": {"Code": self._code}, "ResponseMetadata": places}


class TestConflicts:
    @pytest.mark.parametrize("size", [5, 6 * MIB])
    def test_a_write_that_met_another_is_repeated(self, s3_bucket, make_storage, size):
        storage = make_storage(provider="moto", file_overwrite=False, transfer_config=SMALL_PARTS)
        operation = "PutObject" if size == 5 else "CompleteMultipartUpload"
        with Refusing(storage, operation, 409, "ConditionalRequestConflict", 2) as refusing:
            assert storage.save("a.bin", ContentFile(bytes(size))) == "a.bin"
        assert refusing.answered == 2
        assert s3_bucket.get("a.bin") == bytes(size)
        assert s3_bucket.open_uploads() == []

    @pytest.mark.parametrize("size", [5, 6 * MIB])
    def test_a_write_that_never_gets_through_is_an_error(
        self, s3_bucket, make_storage, size, monkeypatch
    ):
        monkeypatch.setattr("smart_storages.backends.s3.writing.writer.CONFLICT_TRIES", 3)
        monkeypatch.setattr("smart_storages.backends.s3.writing.single_put.CONFLICT_TRIES", 3)
        storage = make_storage(provider="moto", file_overwrite=False, transfer_config=SMALL_PARTS)
        operation = "PutObject" if size == 5 else "CompleteMultipartUpload"
        refusing = Refusing(storage, operation, 409, "ConditionalRequestConflict", 1000)
        with refusing, pytest.raises(PreconditionFailedError, match="Save the file again"):
            storage.save("a.bin", ContentFile(bytes(size)))
        assert s3_bucket.keys() == []
        assert s3_bucket.open_uploads() == []

    @pytest.mark.parametrize("size", [5, 6 * MIB])
    def test_a_file_open_for_writing_says_so_in_a_public_error(self, s3_bucket, make_storage, size):
        storage = make_storage(transfer_config=SMALL_PARTS)
        operation = "PutObject" if size == 5 else "CompleteMultipartUpload"
        file = storage.open("a.bin", "wb")
        file.write(bytes(size))
        refusing = Refusing(storage, operation, 409, "ConditionalRequestConflict", 1000)
        with refusing, pytest.raises(PreconditionFailedError):
            file.close()
        assert file.closed
        assert s3_bucket.keys() == []
        assert s3_bucket.open_uploads() == []

    @pytest.mark.parametrize("overwrite", [True, False])
    def test_content_that_comes_once_is_repeated_only_if_it_was_kept(
        self, s3_bucket, make_storage, overwrite
    ):
        storage = make_storage(
            provider="moto", file_overwrite=overwrite, transfer_config=SMALL_PARTS
        )
        content = File(Unseekable(bytes(6 * MIB)), "a.bin")
        with Refusing(storage, "CompleteMultipartUpload", 409, "ConditionalRequestConflict", 1):
            if overwrite:
                with pytest.raises(PreconditionFailedError, match="Save the file again"):
                    storage.save("a.bin", content)
            else:
                storage.save("a.bin", content)
        assert s3_bucket.keys() == ([] if overwrite else ["a.bin"])
        assert s3_bucket.open_uploads() == []

    def test_a_server_that_knows_no_conditions_is_told_by_name(self, s3_bucket, make_storage):
        storage = make_storage(file_overwrite=False)
        refusing = Refusing(storage, "PutObject", 501, "NotImplemented", 1)
        with refusing, pytest.raises(S3Error, match="provider"):
            storage.save("a.txt", ContentFile(b"x"))


FAULTS = [
    {"status": 500},
    {"status": 503},
    {"lose_answer": True},
    {"cut_request_after": 100_000},
]


class TestFaults:
    @pytest.fixture
    def impatient(self, make_storage):
        from botocore.config import Config

        def make(**options):
            return make_storage(client_config=Config(retries={"max_attempts": 1}), **options)

        return make

    @pytest.fixture
    def open_content(self, tmp_path):
        """Return a file of zeros, in memory or on disk."""
        path = tmp_path / "zeros.bin"

        def open_file(size, kind):
            if kind == "memory":
                return ContentFile(bytes(size))
            path.write_bytes(b"")
            os.truncate(path, size)
            return File(path.open("rb"))

        return open_file

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("fault", FAULTS, ids=str)
    @pytest.mark.parametrize(
        ("size", "kind"), [(1 * MIB, "memory"), (7 * MIB, "memory"), (7 * MIB, "disk")]
    )
    def test_one_fault_is_got_over(
        self, s3_bucket, s3_proxy, impatient, *, open_content, fault, size, kind
    ):
        planned = s3_proxy.inject(method="PUT", **fault)
        storage = impatient(transfer_config=SMALL_PARTS, file_overwrite=False)
        with open_content(size, kind) as content:
            name = storage.save("a.bin", content)
        assert planned.fired == 1
        assert name == "a.bin"
        assert s3_bucket.get("a.bin") == bytes(size)
        assert s3_bucket.keys() == ["a.bin"]
        assert s3_bucket.open_uploads() == []

    @pytest.mark.parametrize("fault", [FAULTS[0], FAULTS[1], FAULTS[3]], ids=str)
    @pytest.mark.parametrize(("skip", "kind"), [(0, "memory"), (1, "memory"), (1, "disk")])
    def test_a_part_that_never_arrives_publishes_nothing(
        self, s3_bucket, s3_proxy, impatient, *, open_content, fault, skip, kind
    ):
        s3_proxy.inject(method="PUT", times=None, skip=skip, **fault)
        storage = impatient(transfer_config=SMALL_PARTS)
        with open_content(11 * MIB, kind) as content, pytest.raises(S3Error):
            storage.save("a.bin", content)
        assert s3_bucket.keys() == []
        assert s3_bucket.open_uploads() == []

    @pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}], ids=str)
    def test_an_upload_that_cannot_be_completed_publishes_nothing(
        self, s3_bucket, s3_proxy, impatient, fault
    ):
        s3_proxy.inject(method="POST", query="uploadId", times=None, **fault)
        storage = impatient(transfer_config=SMALL_PARTS)
        with pytest.raises(S3Error):
            storage.save("a.bin", ContentFile(bytes(6 * MIB)))
        assert s3_bucket.keys() == []
        assert s3_bucket.open_uploads() == []

    def test_a_start_that_is_never_answered_leaves_nothing(self, s3_bucket, s3_proxy, impatient):
        s3_proxy.inject(method="POST", query="uploads", times=None, lose_answer=True)
        storage = impatient(transfer_config=SMALL_PARTS)
        with pytest.raises(UnreachableError):
            storage.save("a.bin", ContentFile(bytes(6 * MIB)))
        assert s3_bucket.keys() == []
        if s3_bucket.server.name != "moto":  # which says that every upload began in 2010
            assert s3_bucket.open_uploads() == []

    def test_content_that_fails_halfway_publishes_nothing(self, s3_bucket, make_storage):
        class Breaking(Unseekable):
            def read(self, size=-1):
                if self._file.tell() > 11 * MIB:
                    raise KeyboardInterrupt
                return super().read(size)

        storage = make_storage(transfer_config=SMALL_PARTS)
        with pytest.raises(KeyboardInterrupt):
            storage.save("a.bin", File(Breaking(bytes(20 * MIB)), "a.bin"))
        assert s3_bucket.keys() == []
        assert s3_bucket.open_uploads() == []

    def test_a_missing_bucket_is_named(self, s3_bucket, make_storage):
        storage = make_storage(bucket_name="no-such-bucket")
        for call in (
            lambda: storage.save("a.txt", ContentFile(b"x")),
            lambda: storage.listdir(""),
            lambda: storage.delete("a.txt"),
        ):
            with pytest.raises(BucketNotFoundError, match="no-such-bucket"):
                call()

    def test_a_refused_server_is_said_to_be_unreachable(self, s3_bucket, s3_proxy, impatient):
        storage = impatient()
        with s3_proxy.refusing(), pytest.raises(UnreachableError, match="endpoint_url"):
            storage.save("a.txt", ContentFile(b"x"))


def save_over(storage, content):
    return storage.save("a.bin", ContentFile(content))


def save_from_disk(storage, content):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        return storage.save("a.bin", File(file, "a.bin"))


def write_file(storage, content):
    with storage.open("a.bin", "wb") as file:
        file.write(content)
    return "a.bin"


#: By the name of the way: options of the storage, and how it writes ``a.bin``.
WAYS = {
    "save": ({}, save_over),
    "save, never overwriting": ({"file_overwrite": False}, save_over),
    "save from disk": ({}, save_from_disk),
    "open": ({}, write_file),
}
SIZES = {"one PUT": 1 * MIB, "parts": 7 * MIB}
ONE_RETRY = {"client_config": Config(retries={"max_attempts": 1})}
#: The first is for bodies, too: what urllib3 waits until a request is sent.
IMPATIENT = {
    "client_config": Config(retries={"max_attempts": 1}, connect_timeout=1.5, read_timeout=1)
}


@pytest.fixture
def way_through(ceph, settings):
    """Makes a bucket, a proxy before it and, by options, a storage that goes there in a way."""
    lead_to(settings, ceph)
    with ExitStack() as stack:

        def make(way):
            name = ceph.create_bucket()
            proxy = stack.enter_context(S3Proxy(ceph.endpoint_url))

            def storage(**options):
                return SmartS3Storage(
                    "media",
                    provider="ceph",
                    bucket_name=name,
                    endpoint_url=proxy.endpoint_url,
                    transfer_config=SMALL_PARTS,
                    **{**WAYS[way][0], **options},
                )

            return Bucket(name, ceph, ceph.client()), proxy, storage

        yield make


def check(bucket, proxy, content, *, published):
    """What is there is right, also once all that is still under way has arrived."""
    eventually(lambda: proxy.in_flight == 0)
    assert bucket.open_uploads() == []
    if published is not None:
        assert bucket.keys() == (["a.bin"] if published else [])
    found = bucket.keys()
    assert [bucket.get(key) for key in found] == [content] * len(found)


@pytest.mark.real_s3
@pytest.mark.sampled(4)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
class TestBytesThatAreChangedOnTheirWay:
    # Over plain HTTP, SigV4 signs the body as well. With SigV2, as with SigV4 over TLS, only the
    # checksum guards it.
    @pytest.mark.parametrize("version", ["s3v4", "s3"])
    @pytest.mark.parametrize("at", [0, 1 * MIB - 1])
    def test_once_are_never_published(self, way_through, way, size, version, at):
        bucket, proxy, storage = way_through(way)
        content = os.urandom(size)
        skip = int(size > 5 * MIB)  # of parts, the second
        fault = proxy.inject(method="PUT", corrupt_request_at=at, skip=skip)
        try:
            WAYS[way][1](storage(**ONE_RETRY, signature_version=version), content)
        except ContentMismatchError:
            published = False
        else:
            published = True
        assert fault.fired == 1
        check(bucket, proxy, content, published=published)

    @pytest.mark.parametrize("version", ["s3v4", "s3"])
    def test_always_leave_what_is_there(self, way_through, way, size, version):
        bucket, proxy, storage = way_through(way)
        bucket.put("b.bin", b"before")
        proxy.inject(method="PUT", corrupt_request_at=1000, times=None)
        with pytest.raises(ContentMismatchError, match="not the ones that were sent"):
            WAYS[way][1](storage(**ONE_RETRY, signature_version=version), os.urandom(size))
        assert bucket.keys() == ["b.bin"]
        assert bucket.open_uploads() == []


HOLDS = [{"hold_request_at": 500_000}, {"hold_answer": True}]


@pytest.mark.real_s3
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
class TestWhatIsHeldUpOnItsWay:
    """All ways at the same time, because each waits until the client's patience has ended."""

    @pytest.fixture
    def in_all_ways(self, way_through):
        def run(steps):
            def run_one(way, bucket, proxy, storage):
                try:
                    steps(way, bucket, proxy, storage(**IMPATIENT))
                except BaseException as error:
                    raise AssertionError(f"{way}: {error!r}") from error

            with ThreadPoolExecutor(len(WAYS)) as pool:
                runs = [pool.submit(run_one, way, *way_through(way)) for way in WAYS]
            for each in runs:
                each.result()

        return run

    @pytest.mark.parametrize("hold", HOLDS, ids=str)
    def test_one_is_sent_again_and_does_no_harm_when_it_arrives(self, in_all_ways, size, hold):
        content = os.urandom(size)

        def steps(way, bucket, proxy, storage):
            fault = proxy.inject(method="PUT", **hold)
            assert WAYS[way][1](storage, content) == "a.bin"
            assert fault.fired == 1
            assert bucket.get("a.bin") == content
            fault.resume.set()
            check(bucket, proxy, content, published=True)

        in_all_ways(steps)

    @pytest.mark.parametrize("hold", HOLDS, ids=str)
    def test_if_it_is_all_the_object_is_whole_or_absent(self, in_all_ways, size, hold):
        content = os.urandom(size)

        def steps(way, bucket, proxy, storage):
            fault = proxy.inject(method="PUT", times=None, **hold)
            with pytest.raises(UnreachableError):
                WAYS[way][1](storage, content)
            fault.resume.set()
            # A PUT that arrived may have been done: S3 has nothing to call it back with.
            check(bucket, proxy, content, published=None if size == 1 * MIB else False)

        in_all_ways(steps)

    def test_a_late_answer_to_the_last_step_publishes_once(self, in_all_ways, size):
        content = os.urandom(size)

        def steps(way, bucket, proxy, storage):
            fault = proxy.inject(method="POST", query="uploadId", hold_answer=True)
            assert WAYS[way][1](storage, content) == "a.bin"
            assert fault.fired == int(size > 5 * MIB)
            fault.resume.set()
            check(bucket, proxy, content, published=True)

        in_all_ways(steps)


def eventually(condition):
    """Wait for a thread of ours to get to something, a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


class TestOpenForWriting:
    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("size", [0, 1, 5 * MIB, 5 * MIB + 1, 10 * MIB, 17 * MIB])
    @pytest.mark.parametrize("piece", [70_001, 20 * MIB])
    def test_what_is_written_is_there_once_closed(self, s3_bucket, make_storage, size, piece):
        content = (bytes(range(251)) * (size // 251 + 1))[:size]
        file = make_storage(transfer_config=SMALL_PARTS).open("a.bin", "wb")
        for start in range(0, size, piece):
            assert file.write(content[start : start + piece]) == len(content[start : start + piece])
        assert file.tell() == file.size == size
        assert s3_bucket.keys() == []
        file.close()
        file.close()
        assert file.closed
        assert s3_bucket.get("a.bin") == content
        assert s3_bucket.open_uploads() == []

    @pytest.mark.parametrize("size", [10, 17 * MIB])
    def test_an_exception_in_the_block_publishes_nothing(self, s3_bucket, make_storage, size):
        s3_bucket.put("a.bin", b"before")
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            with make_storage(transfer_config=SMALL_PARTS).open("a.bin", "wb") as file:
                file.write(bytes(size))
                1 / 0  # noqa: B018
        assert s3_bucket.get("a.bin") == b"before"
        assert s3_bucket.open_uploads() == []

    def test_an_exception_in_a_fields_block_publishes_nothing(self, s3_bucket, make_storage):
        class Paper(models.Model):
            text = models.FileField(storage=make_storage())

            class Meta:
                app_label = "smart_storages"
                apps = Apps()

        field_file = FieldFile(Paper(), Paper._meta.get_field("text"), "a.txt")
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            with field_file.open("wb") as file:
                file.write(b"half of")
                1 / 0  # noqa: B018
        assert s3_bucket.keys() == []
        whole = FieldFile(Paper(), Paper._meta.get_field("text"), "a.txt")
        with whole.open("wb") as file:
            file.write(b"all of it")
        assert s3_bucket.get("a.txt") == b"all of it"

    def test_a_file_closed_while_an_exception_is_handled_is_published(
        self, s3_bucket, make_storage
    ):
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            with make_storage().open("errors.txt", "w") as file:
                file.write("division")
        assert s3_bucket.get("errors.txt") == b"division"

    def test_a_generator_that_is_not_finished_publishes_nothing(self, s3_bucket, make_storage):
        def write(storage):
            with storage.open("a.bin", "wb") as file:
                while True:
                    file.write(bytes(6 * MIB))
                    yield

        writing = write(make_storage(transfer_config=SMALL_PARTS))
        next(writing)
        next(writing)
        writing.close()
        assert s3_bucket.keys() == []
        assert s3_bucket.open_uploads() == []

    def test_a_file_that_is_lost_publishes_nothing(self, s3_bucket, make_storage):
        file = make_storage(transfer_config=SMALL_PARTS).open("a.bin", "wb")
        file.write(bytes(17 * MIB))
        assert s3_bucket.open_uploads() == ["a.bin"]
        del file
        gc.collect()
        eventually(lambda: s3_bucket.open_uploads() == [])
        assert s3_bucket.keys() == []

    @pytest.mark.one_server
    def test_a_file_still_open_at_exit_publishes_nothing(self, s3_bucket, s3_settings):
        source = (
            "import json, sys, django\n"
            "from django.conf import settings\n"
            "settings.configure(INSTALLED_APPS=['smart_storages'], **json.loads(sys.argv[1]))\n"
            "django.setup()\n"
            "from smart_storages.storages import SmartS3Storage\n"
            "file = SmartS3Storage(provider=sys.argv[2]).open('a.bin', 'wb')\n"
            "file.write(bytes(20 * 1024**2))\n"
            "print('written')\n"
        )
        options = {"AWS_STORAGE_BUCKET_NAME": s3_bucket.name, **s3_bucket.server.django_settings()}
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                source,
                json.dumps(options),
                s3_bucket.server.name,
            ],
            stdout=subprocess.PIPE,
            check=True,
        )
        assert done.stdout.strip() == b"written"
        assert s3_bucket.keys() == []
        assert s3_bucket.open_uploads() == []

    def test_nothing_written_creates_an_empty_object(
        self, s3_bucket, s3_proxy, make_storage, count_requests
    ):
        with count_requests() as requests:
            make_storage().open("a.txt", "wb").close()
        assert methods(requests) == ["PUT"]
        assert s3_bucket.get("a.txt") == b""

    @pytest.mark.parametrize("provider", [None, "spaces"])
    def test_nothing_written_leaves_what_is_there(self, s3_bucket, make_storage, provider):
        s3_bucket.put("a.txt", b"before")
        provider = provider or s3_bucket.server.name
        make_storage(provider=provider, addressing_style="path").open("a.txt", "w").close()
        assert s3_bucket.get("a.txt") == b"before"

    def test_empty_content_written_empties_the_object(self, s3_bucket, make_storage):
        s3_bucket.put("a.txt", b"before")
        with make_storage().open("a.txt", "wb") as file:
            file.write(b"")
        assert s3_bucket.get("a.txt") == b""

    def test_a_failed_close_publishes_nothing_and_ends_the_file(
        self, s3_bucket, s3_proxy, make_storage
    ):
        file = make_storage(transfer_config=SMALL_PARTS).open("a.bin", "wb")
        file.write(bytes(6 * MIB))
        s3_proxy.inject(method="POST", query="uploadId", status=403, times=None)
        with pytest.raises(S3Error):
            file.close()
        assert file.closed
        assert s3_bucket.keys() == []
        assert s3_bucket.open_uploads() == []

    @pytest.mark.parametrize("mode", ["a", "ab", "x", "xb"])
    def test_a_mode_that_s3_cannot_do_is_refused(self, s3_proxy, make_storage, mode):
        with pytest.raises(ValueError, match="not possible"):
            make_storage().open("a.txt", mode)
        assert s3_proxy.requests == []

    def test_reading_and_writing_at_once_is_refused(self, make_storage):
        with pytest.raises(ValueError, match="combine"):
            make_storage().open("a.txt", "rw")

    def test_it_is_a_file_open_for_writing(self, make_storage):
        file = make_storage(location="docs").open("b/a.txt", "wb")
        assert (file.name, file.mode, bool(file)) == ("b/a.txt", "wb", True)
        assert (file.writable(), file.readable(), file.seekable()) == (True, False, False)
        file.flush()
        for call in (file.read, file.readline, lambda: list(file), lambda: file.seek(0)):
            with pytest.raises(io.UnsupportedOperation):
                call()
        file.discard()
        for call in (lambda: file.write(b"x"), file.flush, file.tell):
            with pytest.raises(ValueError, match="closed"):
                call()
        assert "closed" in repr(file)

    def test_a_closed_file_can_be_opened_again_in_its_mode(self, s3_bucket, make_storage):
        file = make_storage().open("a.txt", "wb")
        file.write(b"first")
        file.close()
        with file.open("wb") as again:
            again.write(b"second")
        assert s3_bucket.get("a.txt") == b"second"
        with pytest.raises(ValueError, match="storage"):
            file.open("rb")

    def test_text_and_lines_become_utf_8(self, s3_bucket, make_storage):
        with make_storage().open("a.txt", "w") as file:
            assert file.write("Grüße\n") == 6
            file.writelines(["a\n", b"b\n", bytearray(b"c\n"), memoryview(b"d\n")])
        assert s3_bucket.get("a.txt") == "Grüße\na\nb\nc\nd\n".encode()

    def test_others_write_to_it(self, s3_bucket, make_storage):
        import csv
        import zipfile

        storage = make_storage()
        with storage.open("a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr("inside.txt", "hello")
        archive = zipfile.ZipFile(io.BytesIO(s3_bucket.get("a.zip")))
        assert archive.read("inside.txt") == b"hello"
        with storage.open("a.csv", "w") as file:
            csv.writer(file).writerow([1, "ä"])
        assert s3_bucket.get("a.csv") == "1,ä\r\n".encode()
        with storage.open("b.txt", "wb") as file, io.TextIOWrapper(file, "utf-16-le") as text:
            text.write("hi")
        assert s3_bucket.get("b.txt") == "hi".encode("utf-16-le")
