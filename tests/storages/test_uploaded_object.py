"""What is in a bucket already is saved by a copy on the server, and read only where it must be."""

from __future__ import annotations

import gzip
import threading

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.backends.memory import isolated
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ObjectNotFoundError, PreconditionFailedError
from smart_storages.mirror import MirrorStorage
from smart_storages.resolvers import ByExtension, RendezvousHash
from smart_storages.storages import SmartS3Storage, UploadedObject
from tests.conftest import methods

BODY = b"0123456789" * 1000


def content_of(storage, name):
    with storage.open(name) as file:
        return file.read()


@pytest.fixture
def source(make_storage):
    storage = make_storage(location="in", object_parameters={"CacheControl": "max-age=5"})
    storage.save("up/film.bin", ContentFile(BODY))
    return storage


@pytest.fixture
def uploaded(source):
    return UploadedObject(source, "up/film.bin", name="my film.txt", size=len(BODY))


class TestSaving:
    def test_the_server_copies_it(self, s3_proxy, make_storage, count_requests, s3_bucket):
        make_storage(location="in").save("up/film.bin", ContentFile(BODY))
        uploaded = UploadedObject(make_storage(location="in"), "up/film.bin", size=len(BODY))
        target = make_storage(location="out", file_overwrite=False)
        with count_requests() as requests:
            name = target.save("a.bin", uploaded)
        assert s3_bucket.get(f"out/{name}") == BODY
        assert "GET" not in methods(requests)
        assert sum(len(each.body or b"") for each in requests if hasattr(each, "body")) == 0

    def test_it_keeps_its_type_and_metadata(self, source, make_storage, s3_bucket):
        target = make_storage(location="out")
        name = target.save("a.bin", UploadedObject(source, "up/film.bin"))
        head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key=f"out/{name}")
        assert head["CacheControl"] == "max-age=5"

    def test_nothing_is_overwritten(self, uploaded, make_storage, s3_bucket):
        target = make_storage(location="out", file_overwrite=False)
        target.save("a.txt", ContentFile(b"here first"))
        name = target.save("a.txt", uploaded)
        assert name != "a.txt"
        assert content_of(target, name) == BODY
        assert content_of(target, "a.txt") == b"here first"

    def test_many_at_once_get_a_name_each(self, source, make_storage):
        target = make_storage(location="out", file_overwrite=False)
        names = []

        def save():
            names.append(target.save("a.txt", UploadedObject(source, "up/film.bin")))

        threads = [threading.Thread(target=save) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({*names}) == 6
        assert all(content_of(target, name) == BODY for name in names)

    def test_a_storage_that_overwrites_replaces_the_file(self, uploaded, make_storage):
        target = make_storage(location="out", file_overwrite=True)
        target.save("a.txt", ContentFile(b"here first"))
        assert target.save("a.txt", uploaded) == "a.txt"
        assert content_of(target, "a.txt") == BODY

    def test_a_file_is_not_copied_onto_itself(self, source, uploaded):
        assert source.file_overwrite
        assert source.save("up/film.bin", uploaded) == "up/film.bin"
        assert content_of(source, "up/film.bin") == BODY

    def test_a_storage_that_compresses_reads_it(self, source, make_storage, s3_bucket):
        uploaded = UploadedObject(source, "up/film.bin")
        target = make_storage(location="out", gzip=True, gzip_content_types=("text/plain",))
        name = target.save("a.txt", uploaded)
        assert gzip.decompress(s3_bucket.get(f"out/{name}")) == BODY

    def test_another_version_than_was_checked_is_refused(self, source, make_storage, s3_bucket):
        checked = source.stat("up/film.bin").etag
        source.save("up/film.bin", ContentFile(b"another"))
        target = make_storage(location="out", file_overwrite=False)
        with pytest.raises(PreconditionFailedError):
            target.save("a.txt", UploadedObject(source, "up/film.bin", etag=checked))
        assert s3_bucket.keys("out/") == []

    def test_what_is_gone_is_an_error(self, source, make_storage, s3_bucket):
        target = make_storage(location="out", file_overwrite=False)
        with pytest.raises(ObjectNotFoundError):
            target.save("a.txt", UploadedObject(source, "up/gone.bin", size=1))
        assert s3_bucket.keys("out/") == []

    def test_other_storages_read_it(self, uploaded, tmp_path):
        target = FileSystemStorage(str(tmp_path))
        name = target.save("a.txt", uploaded)
        assert content_of(target, name) == BODY

    def test_it_goes_to_another_backend_and_back(self, source, uploaded, make_storage, tmp_path):
        disk = SmartS3Storage("disk", backend="filesystem", root=tmp_path, file_overwrite=False)
        name = disk.save("a.txt", uploaded)
        assert content_of(disk, name) == BODY
        back = make_storage(location="back").save("b.txt", UploadedObject(disk, name))
        assert content_of(make_storage(location="back"), back) == BODY


@pytest.mark.one_server
class TestThroughComposedStorages:
    @pytest.fixture(autouse=True)
    def _isolated(self):
        with isolated():
            yield

    @pytest.fixture
    def make(self, make_storage):
        return lambda label: make_storage(location=label, file_overwrite=False)

    def test_what_a_dispatcher_has_is_copied_from_where_it_is(self, make):
        storages = {"a": make("a"), "b": make("b")}
        dispatcher = StorageDispatcher(ByExtension({"bin": "b"}, default="a"), storages=storages)
        dispatcher.save("film.bin", ContentFile(BODY))
        target = make("out")
        name = target.save("a.bin", UploadedObject(dispatcher, "film.bin"))
        assert content_of(target, name) == BODY

    @pytest.mark.parametrize("kind", ["by_extension", "by_hash", "mirror"])
    def test_a_composed_storage_has_it_copied(self, make, source, s3_proxy, count_requests, kind):
        one, other = make("a"), make("b")
        storages = {"a": one, "b": other}
        target = {
            "by_extension": lambda: StorageDispatcher(ByExtension({"bin": "a"}), storages=storages),
            "by_hash": lambda: StorageDispatcher(RendezvousHash(["a", "b"]), storages=storages),
            "mirror": lambda: MirrorStorage(one, [other]),
        }[kind]()
        name = target.save("a.bin", UploadedObject(source, "up/film.bin"))
        assert content_of(target, name) == BODY

    def test_what_a_dispatcher_has_on_a_disk_is_read(self, make, tmp_path):
        disk = FileSystemStorage(str(tmp_path))
        dispatcher = StorageDispatcher(lambda *_: "a", storages={"a": disk})
        disk.save("film.bin", ContentFile(BODY))
        target = make("out")
        assert content_of(target, target.save("a", UploadedObject(dispatcher, "film.bin"))) == BODY


@pytest.mark.one_server
class TestReading:
    def test_it_is_opened_when_it_is_read(self, source, uploaded):
        assert uploaded.closed
        assert (uploaded.name, uploaded.size, len(uploaded)) == (
            "my film.txt", len(BODY), len(BODY),
        )  # fmt: skip
        uploaded.seek(0)
        assert uploaded.closed
        assert uploaded.read(3) == b"012"
        assert not uploaded.closed
        assert b"".join(uploaded.chunks(1000)) == BODY
        uploaded.close()
        assert uploaded.closed
        with uploaded.open("rb") as file:
            assert file.read() == BODY

    def test_it_asks_for_its_size_if_nobody_knows(self, source):
        uploaded = UploadedObject(source, "up/film.bin")
        assert (uploaded.name, uploaded.size) == ("film.bin", len(BODY))

    def test_it_is_not_written(self, uploaded):
        with pytest.raises(ValueError, match="read only"):
            uploaded.open("wb")

    @pytest.mark.parametrize("name", ["../a.txt", "", "/etc/passwd", "a/../../b"])
    def test_a_hostile_name_is_refused(self, source, name):
        with pytest.raises(SuspiciousFileOperation):
            UploadedObject(source, name)

    def test_it_says_where_it_is_and_no_secret(self, uploaded, s3_bucket):
        assert "'up/film.bin' of <SmartS3Storage" in repr(uploaded)
        assert s3_bucket.secret_key not in repr(uploaded)
