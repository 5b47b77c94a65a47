"""Many files at once, copies and moves; requests counted on the wire."""

import gzip
import threading
from datetime import timezone

import pytest
from boto3.s3.transfer import TransferConfig
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.backends.s3 import copying
from smart_storages.backends.s3.bulk import run_many
from smart_storages.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from smart_storages.storages import SmartS3Storage
from tests.conftest import lead_to, methods

MIB = 1024**2


@pytest.fixture
def filled(s3_bucket, make_storage):
    """A folder of 1,100 files, more than a page of S3's; empty but for every hundredth."""
    names = [f"media/photo-{number:04}.jpg" for number in range(1100)]
    pairs = ((name, b"x" if name.endswith("00.jpg") else b"") for name in names)
    list(run_many(lambda pair: s3_bucket.put(*pair), pairs, threads=8))
    return names


class TestAsking:
    @pytest.mark.one_server
    def test_1100_names_under_a_prefix_are_two_listings(
        self, s3_proxy, make_storage, count_requests, filled
    ):
        storage = make_storage(location="media")
        names = [name[len("media/") :] for name in filled]
        with count_requests() as requests:
            stats = storage.stat_many(names)
        assert methods(requests) == ["GET"] * 2
        assert [stats[name].size for name in names[98:102]] == [0, 0, 1, 0]
        with count_requests() as requests:
            there = storage.exists_many([*names, "photo-0000.png", "photo-9999.jpg"])
        assert methods(requests) == ["GET"] * 2
        assert sum(there.values()) == 1100
        assert (there["photo-0000.png"], there["photo-9999.jpg"]) == (False, False)
        with count_requests() as requests:
            found = list(storage.iter_files("photo-"))
        assert methods(requests) == ["GET"] * 2
        assert [name for name, _ in found] == names
        # Close together in a large folder: one page answers them.
        with count_requests() as requests:
            there = storage.exists_many([f"photo-{n:04}.jpg" for n in range(500, 600, 3)])
        assert methods(requests) == ["GET"]
        assert all(there.values())
        # One here, one there: a page or two to find out, then HEADs.
        scattered = [f"photo-{n:04}.jpg" for n in range(0, 1100, 180)]
        with count_requests() as requests:
            there = storage.exists_many(scattered)
        assert len(requests) <= len(scattered)
        assert all(there.values())
        with count_requests() as requests:
            assert storage.delete_many(names) == {}
        assert methods(requests) == ["POST"] * 2
        assert list(storage.iter_files()) == []

    @pytest.mark.one_server
    def test_scattered_names_cost_one_head_each_and_few_listings(
        self, s3_bucket, s3_proxy, make_storage, count_requests
    ):
        storage = make_storage()
        names = [f"{folder:02}/050" for folder in range(12)]
        keys = [f"{folder:02}/{number:03}" for folder in range(12) for number in range(100)]
        list(run_many(lambda key: s3_bucket.put(key, b""), keys, threads=8))
        with count_requests() as requests:
            assert all(storage.exists_many(names).values())
        assert methods(requests).count("GET") <= 2
        assert len(requests) <= len(names) + 2

    def test_a_few_names_are_asked_one_by_one(
        self, s3_bucket, s3_proxy, make_storage, count_requests
    ):
        s3_bucket.put("a.txt", b"hello", ContentType="text/plain")
        with count_requests() as requests:
            stats = make_storage().stat_many(["a.txt", "b.txt"])
        assert methods(requests) == ["HEAD", "HEAD"]
        assert stats["b.txt"] is None
        assert (stats["a.txt"].size, stats["a.txt"].content_type) == (5, "text/plain")

    def test_a_stat_is_the_same_from_a_listing_and_from_a_head(self, s3_bucket, make_storage):
        for name in "abcdef":
            s3_bucket.put(name, name.encode())
        storage = make_storage()
        listed = storage.stat_many("abcdef")["a"]
        asked = storage.stat_many("a")["a"]
        assert (listed.size, listed.etag) == (asked.size, asked.etag)
        assert abs((listed.modified_time - asked.modified_time).total_seconds()) < 1
        assert [each.modified_time.tzinfo for each in (listed, asked)] == [timezone.utc] * 2
        assert next(stat for _, stat in storage.iter_files()).modified_time.tzinfo is timezone.utc

    def test_odd_names_are_answered(self, s3_bucket, make_storage):
        odd = [
            "a b",
            "a+b",
            "a&b",
            "a%20b",
            "ä/ö",
            "日本/語",
            "a" * 300,
            "~",
            "a\x7f",
            "😀",
            "z'\"",
        ]
        for name in odd:
            s3_bucket.put(name, name.encode())
        storage = make_storage()
        asked = [*odd, *(f"{name}-missing" for name in odd)]
        stats = storage.stat_many(asked)
        assert {name for name in asked if stats[name]} == set(odd)
        assert sorted(name for name, _ in storage.iter_files()) == sorted(odd)

    def test_who_may_not_list_is_answered_one_by_one(self, s3_bucket, s3_proxy, make_storage):
        s3_bucket.put("a", b"")
        s3_proxy.inject(method="GET", query="list-type", status=403, times=None)
        there = make_storage().exists_many("abcdef")
        assert [name for name in there if there[name]] == ["a"]

    def test_a_server_that_is_gone_is_an_error_not_a_missing_file(
        self, s3_bucket, s3_proxy, make_storage
    ):
        storage = make_storage()
        with s3_proxy.refusing(), pytest.raises(UnreachableError):
            storage.exists_many("abcdef")

    def test_iter_files_knows_folders_only_as_part_of_a_name(self, s3_bucket, make_storage):
        for key in ("in/a/", "in/a/1", "in/ab/2", "in/b", "out/c"):
            s3_bucket.put(key, b"")
        storage = make_storage(location="in")
        assert [name for name, _ in storage.iter_files()] == ["a/1", "ab/2", "b"]
        assert [name for name, _ in storage.iter_files("a/")] == ["a/1"]
        assert [name for name, _ in storage.iter_files("a")] == ["a/1", "ab/2"]

    def test_iter_files_leaves_out_keys_that_no_name_leads_to(self, s3_bucket, make_storage):
        keys = ["in/a", "in//a", "in/./a", "in/b/../a", "in/c\\d", "in/b//c", "in/...", "in/.x/y"]
        for key in keys:
            s3_bucket.put(key, b"")
        storage = make_storage(location="in")
        # Each would be opened, and deleted, as another object: "in//a" as "in/a".
        assert sorted(name for name, _ in storage.iter_files()) == ["...", ".x/y", "a"]

    @pytest.mark.parametrize("name", ["../out/c", "..", "a/../../out/c", "a\0"])
    def test_a_name_that_climbs_is_refused_and_nothing_sent(self, s3_proxy, make_storage, name):
        storage = make_storage(location="in")
        calls = [
            lambda: storage.delete_many(["a", name]),
            lambda: storage.exists_many(["a", name]),
            lambda: storage.stat_many(["a", name]),
            lambda: list(storage.iter_files(name)),
            lambda: storage.copy(name, "b"),
            lambda: storage.copy("a", name),
            lambda: storage.move(name, "b"),
            lambda: storage.move("a", name),
            lambda: storage.save_many([(name, ContentFile(b"x"))]),
        ]
        for call in calls:
            with pytest.raises(SuspiciousFileOperation):
                call()
        assert s3_proxy.requests == []


class TestDeleting:
    def test_what_failed_comes_back_with_why(self, s3_bucket, s3_proxy, make_storage):
        names = [f"{number:04}" for number in range(1500)]
        s3_bucket.put("0000", b"")
        s3_bucket.put("1499", b"")
        s3_proxy.inject(method="POST", query="delete", status=403)
        failed = make_storage().delete_many(names)
        assert len(failed) in (500, 1000)
        assert all(isinstance(error, AccessDeniedError) for error in failed.values())
        assert all(error.key == name for name, error in failed.items())

    def test_a_server_without_bulk_delete_gets_single_ones(
        self, s3_bucket, s3_proxy, make_storage, count_requests
    ):
        for name in "abc":
            s3_bucket.put(name, b"")
        storage = make_storage(provider="gcs")
        with count_requests() as requests:
            assert storage.delete_many("abcd") == {}
        assert methods(requests) == ["DELETE"] * 4
        assert s3_bucket.keys() == []

    def test_names_that_xml_cannot_carry_are_deleted(self, s3_bucket, make_storage):
        names = ["a\x01b", "a&b", "<c>", "d e", "é"]
        for name in names:
            s3_bucket.put(name, b"")
        assert make_storage().delete_many(names) == {}
        left = s3_bucket.client.list_objects_v2(Bucket=s3_bucket.name)
        assert left["KeyCount"] == 0

    def test_a_missing_bucket_is_said_for_every_name(self, s3_bucket, make_storage):
        failed = make_storage(bucket_name="no-such-bucket").delete_many("ab")
        assert set(failed) == {"a", "b"}
        assert all(isinstance(error, BucketNotFoundError) for error in failed.values())

    def test_nothing_is_no_request(self, s3_proxy, make_storage):
        assert make_storage().delete_many([]) == {}
        assert make_storage().stat_many([]) == {}
        assert make_storage().save_many([]) == []
        assert s3_proxy.requests == []


class TestCopying:
    def test_a_copy_is_one_request(self, s3_bucket, s3_proxy, make_storage, count_requests):
        s3_bucket.put(
            "a b+ä.txt", b"hello", ContentType="text/x-odd", Metadata={"owner": "somebody"}
        )
        storage = make_storage()
        with count_requests() as requests:
            assert storage.copy("a b+ä.txt", "copies/b.txt") == "copies/b.txt"
        assert methods(requests) == ["PUT"]
        answer = s3_bucket.client.get_object(Bucket=s3_bucket.name, Key="copies/b.txt")
        assert answer["Body"].read() == b"hello"
        assert answer["ContentType"] == "text/x-odd"
        assert answer["Metadata"] == {"owner": "somebody"}
        assert s3_bucket.get("a b+ä.txt") == b"hello"

    def test_a_copy_takes_on_what_the_other_storage_asks_for(self, s3_bucket, make_storage):
        s3_bucket.put("a.txt", b"hello", ContentType="text/x-odd")
        archive = make_storage(location="archive", object_parameters={"CacheControl": "max-age=60"})
        make_storage().copy("a.txt", "b.txt", to=archive)
        head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="archive/b.txt")
        assert (head["ContentType"], head["CacheControl"]) == ("text/x-odd", "max-age=60")

    def test_a_copy_has_the_tags_of_the_storage_that_it_goes_to(self, moto_bucket, settings):
        # Ceph 16 knows no directive for tags, and keeps those of the source.
        lead_to(settings, moto_bucket.server, moto_bucket.name)
        moto_bucket.put("a.txt", b"hello", Tagging="kind=draft")
        press = SmartS3Storage("press", object_parameters={"Tagging": "kind=press"})
        press.copy("a.txt", "b.txt")
        tags = moto_bucket.client.get_object_tagging(Bucket=moto_bucket.name, Key="b.txt")
        assert tags["TagSet"] == [{"Key": "kind", "Value": "press"}]

    def test_a_copy_does_not_overwrite_where_saving_does_not(self, s3_bucket, make_storage):
        s3_bucket.put("a.txt", b"a")
        s3_bucket.put("b.txt", b"b")
        name = make_storage(file_overwrite=False).copy("a.txt", "b.txt")
        assert name != "b.txt"
        assert (s3_bucket.get("b.txt"), s3_bucket.get(name)) == (b"b", b"a")
        assert make_storage().copy("a.txt", "b.txt") == "b.txt"
        assert s3_bucket.get("b.txt") == b"a"

    def test_a_missing_file_cannot_be_copied_or_moved(self, s3_bucket, make_storage):
        storage = make_storage()
        for call in (storage.copy, storage.move):
            with pytest.raises(ObjectNotFoundError, match=r"a\.txt"):
                call("a.txt", "b.txt")
            with pytest.raises(ObjectNotFoundError, match=r"a\.txt"):
                call("a.txt", "a.txt")
        assert s3_bucket.keys() == []

    def test_a_move_is_a_copy_and_a_delete(self, s3_bucket, s3_proxy, make_storage, count_requests):
        s3_bucket.put("a.txt", b"hello")
        with count_requests() as requests:
            assert make_storage().move("a.txt", "b.txt") == "b.txt"
        assert methods(requests) == ["PUT", "DELETE"]
        assert s3_bucket.keys() == ["b.txt"]

    @pytest.mark.parametrize("overwrite", [True, False])
    def test_a_file_moved_onto_itself_stays(self, s3_bucket, make_storage, overwrite):
        s3_bucket.put("in/a.txt", b"hello")
        storage = make_storage(file_overwrite=overwrite)
        within = make_storage(location="in", file_overwrite=overwrite)
        assert storage.move("in/a.txt", "in/./a.txt") == "in/a.txt"
        assert storage.move("in/a.txt", "a.txt", to=within) == "a.txt"
        assert s3_bucket.keys() == ["in/a.txt"]

    def test_a_file_moved_onto_itself_under_another_address_stays(
        self, s3_bucket, s3_proxy, make_storage
    ):
        s3_bucket.put("a.txt", b"hello")
        alias = make_storage(endpoint_url=s3_bucket.endpoint_url)
        assert make_storage().move("a.txt", "a.txt", to=alias) == "a.txt"
        assert s3_bucket.get("a.txt") == b"hello"

    def test_a_move_that_fails_keeps_the_file(self, s3_bucket, s3_proxy, make_storage):
        s3_bucket.put("a.txt", b"hello")
        s3_proxy.inject(method="PUT", status=403)
        with pytest.raises(AccessDeniedError):
            make_storage().move("a.txt", "b.txt")
        assert s3_bucket.keys() == ["a.txt"]

    @pytest.mark.parametrize("size", [5, 12 * MIB])
    def test_to_another_server_the_bytes_pass_through(
        self, s3_bucket, s3_proxy, make_storage, size
    ):
        content = bytes(range(256)) * (size // 256 + 1)
        s3_bucket.put("a.bin", content, ContentType="text/x-odd", Metadata={"owner": "me"})
        other = make_storage(
            endpoint_url=s3_bucket.endpoint_url,
            location="other",
            transfer_config=TransferConfig(multipart_threshold=5 * MIB),
            file_overwrite=False,
        )
        names = [make_storage().copy("a.bin", "b.bin", to=other) for _ in range(2)]
        assert names[0] == "b.bin" != names[1]
        for name in names:
            answer = s3_bucket.client.get_object(Bucket=s3_bucket.name, Key=f"other/{name}")
            assert answer["Body"].read() == content
            assert answer["ContentType"] == "text/x-odd"
            assert answer["Metadata"]["owner"] == "me"

    def test_out_of_s3_a_file_is_saved_by_the_other_storage(
        self, s3_bucket, make_storage, tmp_path
    ):
        s3_bucket.put("a.txt", b"hello")
        disk = FileSystemStorage(location=str(tmp_path))
        assert make_storage().copy("a.txt", "in/a.txt", to=disk) == "in/a.txt"
        assert make_storage().move("a.txt", "b.txt", to=disk) == "b.txt"
        assert (tmp_path / "in/a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes() == b"hello"
        assert s3_bucket.keys() == []

    def test_a_compressed_file_stays_compressed(self, s3_bucket, s3_proxy, make_storage):
        packed = gzip.compress(b"hello")
        s3_bucket.put("a.css", packed, ContentEncoding="gzip", ContentType="text/css")
        other = make_storage(endpoint_url=s3_bucket.endpoint_url, location="other", gzip=True)
        make_storage(gzip=True).copy("a.css", "b.css", to=other)
        answer = s3_bucket.client.get_object(Bucket=s3_bucket.name, Key="other/b.css")
        assert answer["ContentEncoding"] == "gzip"
        assert answer["Body"].read() == packed

    def test_what_is_too_large_for_one_request_is_copied_in_parts(
        self, s3_bucket, s3_proxy, make_storage, count_requests, monkeypatch
    ):
        monkeypatch.setattr(copying, "MAX_COPY", 8 * MIB)
        monkeypatch.setattr(copying, "COPY_PART", 5 * MIB)
        content = bytes(range(256)) * 4096 * 12
        s3_bucket.put("a.bin", content, ContentType="text/x-odd", Metadata={"owner": "me"})
        storage = make_storage(object_parameters={"CacheControl": "max-age=60"})
        with count_requests() as requests:
            storage.copy("a.bin", "b.bin")
        assert sorted(methods(requests)) == ["HEAD", "POST", "POST", "PUT", "PUT", "PUT"]
        assert max(request.body_up for request in requests) < 10_000
        answer = s3_bucket.client.get_object(Bucket=s3_bucket.name, Key="b.bin")
        assert answer["Body"].read() == content
        assert (answer["ContentType"], answer["CacheControl"]) == ("text/x-odd", "max-age=60")
        assert answer["Metadata"]["owner"] == "me"
        s3_proxy.inject(method="PUT", status=403, skip=1)
        with pytest.raises(AccessDeniedError):
            storage.copy("a.bin", "c.bin")
        assert s3_bucket.keys() == ["a.bin", "b.bin"]
        assert s3_bucket.open_uploads() == []

    def test_one_that_the_server_calls_too_large_is_copied_in_parts(
        self, s3_bucket, s3_proxy, make_storage, monkeypatch
    ):
        monkeypatch.setattr(copying, "COPY_PART", 5 * MIB)
        s3_bucket.put("a.bin", bytes(6 * MIB))
        monkeypatch.setattr(copying, "MAX_COPY", 5 * MIB)
        monkeypatch.setattr(copying, "_TOO_LARGE", ("Injected",))
        s3_proxy.inject(method="PUT", status=403)
        make_storage().copy("a.bin", "b.bin")
        assert s3_bucket.get("b.bin") == bytes(6 * MIB)


class TestOtherCredentials:
    @pytest.fixture
    def stranger(self, ceph_gateway, ceph, settings):
        """A bucket of another user on the same Ceph, closed to everybody else."""
        import uuid

        import boto3

        user = ceph_gateway.create_user()
        lead_to(settings, ceph)
        options = {"access_key": user.access_key, "secret_key": user.secret_key}
        client = boto3.client(
            "s3",
            endpoint_url=ceph.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=user.access_key,
            aws_secret_access_key=user.secret_key,
        )
        bucket = f"stranger-{uuid.uuid4().hex[:10]}"
        client.create_bucket(Bucket=bucket)
        return SmartS3Storage(module_name="b", provider="ceph", bucket_name=bucket, **options)

    def test_a_file_moves_to_a_storage_that_may_not_read_it(self, ceph, stranger):
        ours = SmartS3Storage(provider="ceph", bucket_name=ceph.create_bucket())
        ours.save("a.txt", ContentFile(b"hello"))
        assert ours.move("a.txt", "b.txt", to=stranger) == "b.txt"
        assert stranger.open("b.txt").read() == b"hello"
        assert ours.listdir("") == ([], [])


class TestSavingMany:
    def test_they_are_saved_a_few_at_a_time_and_named_in_order(
        self, s3_bucket, s3_proxy, make_storage
    ):
        storage = make_storage(file_overwrite=False)
        s3_bucket.put("3", b"taken")
        names = storage.save_many((str(n), ContentFile(str(n).encode())) for n in range(40))
        assert [name for name in names if "_" not in name] == [str(n) for n in range(40) if n != 3]
        assert s3_bucket.get(names[3]) == b"3"
        assert s3_proxy.peak_in_flight <= 8

    def test_an_error_is_raised_once_the_others_are_saved(self, s3_bucket, s3_proxy, make_storage):
        s3_proxy.inject(method="PUT", status=403, skip=2)
        with pytest.raises(AccessDeniedError):
            make_storage().save_many((str(n), ContentFile(b"x")) for n in range(10))
        assert len(s3_bucket.keys()) == 9
        s3_proxy.inject(method="PUT", status=403, skip=2)
        results = make_storage().save_many(
            ((str(n), ContentFile(b"x")) for n in range(10)), return_errors=True
        )
        assert sum(isinstance(result, S3Error) for result in results) == 1
        assert len(results) == 10

    def test_large_ones_are_saved_whole(self, s3_bucket, make_storage):
        storage = make_storage(transfer_config=TransferConfig(multipart_threshold=5 * MIB))
        storage.save_many((str(n), ContentFile(bytes([n]) * 6 * MIB)) for n in range(3))
        assert [s3_bucket.get(str(n)) for n in range(3)] == [bytes([n]) * 6 * MIB for n in range(3)]


class TestRunMany:
    def test_items_are_taken_as_there_is_room(self):
        taken = []

        def items():
            for number in range(100):
                taken.append(number)
                yield number

        running = run_many(lambda item: item, items(), threads=4)
        assert next(running)[0] == 0
        assert len(taken) <= 2 + 8 + 1
        running.close()
        assert len(taken) <= 2 + 8 + 1

    def test_no_more_run_at_once_than_said(self):
        lock = threading.Lock()
        running, most = [0], [0]
        meet = threading.Barrier(4)

        def work(item):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            meet.wait(timeout=30)
            with lock:
                running[0] -= 1
            return item * 2

        done = [result for _, result, _ in run_many(work, range(16), threads=4)]
        assert done == [item * 2 for item in range(16)]
        assert most[0] == 4
