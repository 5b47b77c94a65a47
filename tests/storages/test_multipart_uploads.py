"""Uploads in parts straight to a bucket: what is taken, what is refused, and what they become."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from hashlib import md5, sha256

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile

from smart_storages.common.parts import UploadedPart
from smart_storages.exceptions import (
    ConfigurationError,
    ContentMismatchError,
    ObjectExistsError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from smart_storages.storages import SmartS3Storage
from tests.conftest import methods
from tests.old_releases import needs_newer_moto
from tests.parts import digest_of, send_part, upload_parts

MIB = 1024 * 1024
TEXT = "text/plain"


@pytest.fixture
def storage(make_storage):
    return make_storage(location="media", file_overwrite=False)


# What becomes of an upload


def test_parts_become_a_file(storage, s3_bucket):
    first, last = b"a" * 5 * MIB, b"the end"
    upload_id = upload_parts(storage, "film.mp4", first, last, content_type="video/mp4")
    assert not storage.exists("film.mp4")
    parts = storage.list_parts("film.mp4", upload_id)
    assert [(part.number, part.size) for part in parts] == [(1, 5 * MIB), (2, 7)]
    stat = storage.complete_multipart_upload("film.mp4", upload_id, parts)
    assert (stat.size, stat.content_type) == (5 * MIB + 7, "video/mp4")
    assert stat.etag == storage.stat("film.mp4").etag
    assert s3_bucket.get("media/film.mp4") == first + last
    assert s3_bucket.open_uploads() == []


def test_an_empty_file_is_one_empty_part(storage):
    upload_id = upload_parts(storage, "empty.txt", b"")
    parts = storage.list_parts("empty.txt", upload_id)
    assert storage.complete_multipart_upload("empty.txt", upload_id, parts).size == 0
    with storage.open("empty.txt") as file:
        assert file.read() == b""


def test_a_part_that_is_sent_again_replaces_the_first(storage):
    upload_id = upload_parts(storage, "a.txt", b"first")
    assert send_part(storage.presigned_part("a.txt", upload_id, 1, size=6), b"second") == 200
    parts = storage.list_parts("a.txt", upload_id)
    storage.complete_multipart_upload("a.txt", upload_id, parts)
    with storage.open("a.txt") as file:
        assert file.read() == b"second"


def test_the_file_has_what_a_save_would_set(make_storage, s3_bucket):
    storage = make_storage(
        object_parameters={"CacheControl": "max-age=5", "Metadata": {"of": "a test"}},
        default_acl="public-read",
    )
    upload_id = upload_parts(storage, "a.txt", b"x")
    parts = storage.list_parts("a.txt", upload_id)
    stat = storage.complete_multipart_upload("a.txt", upload_id, parts)
    head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="a.txt")
    assert (head["CacheControl"], head["ContentType"]) == ("max-age=5", TEXT)
    assert head["Metadata"]["of"] == stat.metadata["of"] == "a test"
    acl = s3_bucket.client.get_object_acl(Bucket=s3_bucket.name, Key="a.txt")
    assert any("AllUsers" in grant["Grantee"].get("URI", "") for grant in acl["Grants"])


def test_a_taken_name_is_refused_and_the_file_stays(storage, s3_bucket):
    storage.save("a.txt", ContentFile(b"here first"))
    upload_id = upload_parts(storage, "a.txt", b"late")
    parts = storage.list_parts("a.txt", upload_id)
    with pytest.raises(ObjectExistsError, match="already a file"):
        storage.complete_multipart_upload("a.txt", upload_id, parts)
    assert s3_bucket.get("media/a.txt") == b"here first"
    storage.complete_multipart_upload("a.txt", upload_id, parts, overwrite=True)
    assert s3_bucket.get("media/a.txt") == b"late"


@pytest.mark.parametrize("seed", range(3))
@needs_newer_moto
def test_of_eight_uploads_of_one_name_one_becomes_the_file(storage, s3_bucket, seed):
    contents = [b"%d %d" % (seed, number) for number in range(8)]
    uploads = [upload_parts(storage, "a.txt", content) for content in contents]
    parts = [storage.list_parts("a.txt", upload_id) for upload_id in uploads]
    start, results = threading.Barrier(8), [None] * 8

    def complete(number):
        start.wait()
        try:
            storage.complete_multipart_upload("a.txt", uploads[number], parts[number])
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=complete, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for number in range(8) if results[number] is None]
    assert len(winners) == 1, results
    assert all(isinstance(each, ObjectExistsError) for each in results if each is not None)
    assert s3_bucket.get("media/a.txt") == contents[winners[0]]


def test_one_upload_that_is_completed_eight_times_at_once_is_one_file(storage, s3_bucket):
    upload_id = upload_parts(storage, "a.txt", b"x" * 1000)
    parts = storage.list_parts("a.txt", upload_id)
    start, results = threading.Barrier(8), []

    def complete():
        start.wait()
        try:
            results.append(storage.complete_multipart_upload("a.txt", upload_id, parts).size)
        except (ObjectExistsError, ObjectNotFoundError) as error:
            results.append(error)

    threads = [threading.Thread(target=complete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert 1000 in results
    assert s3_bucket.get("media/a.txt") == b"x" * 1000
    assert s3_bucket.open_uploads() == []


def test_an_upload_is_completed_once(storage):
    upload_id = upload_parts(storage, "a.txt", b"x")
    parts = storage.list_parts("a.txt", upload_id)
    first = storage.complete_multipart_upload("a.txt", upload_id, parts)
    if storage.s3_provider.name == "moto":  # which remembers it
        assert storage.complete_multipart_upload("a.txt", upload_id, parts) == first
    else:
        with pytest.raises(ObjectNotFoundError, match="no such upload"):
            storage.complete_multipart_upload("a.txt", upload_id, parts)
    storage.delete("a.txt")
    with pytest.raises(ObjectNotFoundError):
        storage.complete_multipart_upload("a.txt", upload_id, parts)
    assert not storage.exists("a.txt")
    storage.save("a.txt", ContentFile(b"another"))
    with pytest.raises(ObjectNotFoundError):
        storage.complete_multipart_upload("a.txt", upload_id, parts)
    with storage.open("a.txt") as file:
        assert file.read() == b"another"
    with pytest.raises(ObjectNotFoundError, match="no such upload"):
        storage.list_parts("a.txt", upload_id)


def test_parts_that_have_not_arrived_are_an_error_and_can_still_come(storage, s3_bucket):
    first = b"a" * 5 * MIB
    upload_id = upload_parts(storage, "a.bin", first)
    parts = storage.list_parts("a.bin", upload_id)
    announced = [*parts, UploadedPart(2, 1, parts[0].etag)]
    with pytest.raises(ContentMismatchError, match="has not arrived"):
        storage.complete_multipart_upload("a.bin", upload_id, announced)
    assert not storage.exists("a.bin")
    assert s3_bucket.keys() == []  # nor an object that reserves the name
    assert send_part(storage.presigned_part("a.bin", upload_id, 2, size=1), b"b") == 200
    parts = storage.list_parts("a.bin", upload_id)
    assert storage.complete_multipart_upload("a.bin", upload_id, parts).size == 5 * MIB + 1


def test_a_part_in_between_that_is_too_small_is_an_error(storage):
    upload_id = upload_parts(storage, "a.bin", b"small", b"end")
    parts = storage.list_parts("a.bin", upload_id)
    with pytest.raises(ContentMismatchError, match="smaller than the server allows"):
        storage.complete_multipart_upload("a.bin", upload_id, parts)
    assert not storage.exists("a.bin")


def test_an_aborted_upload_is_gone(storage, s3_bucket):
    upload_id = upload_parts(storage, "a.txt", b"x")
    signed = storage.presigned_part("a.txt", upload_id, 1, size=1)
    parts = storage.list_parts("a.txt", upload_id)
    storage.abort_multipart_upload("a.txt", upload_id)
    storage.abort_multipart_upload("a.txt", upload_id)
    assert s3_bucket.open_uploads() == []
    assert send_part(signed, b"y") == (500 if s3_bucket.server.name == "moto" else 404)
    with pytest.raises(ObjectNotFoundError):
        storage.complete_multipart_upload("a.txt", upload_id, parts)
    assert s3_bucket.keys() == []


def test_aborting_a_completed_upload_leaves_its_file(storage, s3_bucket):
    upload_id = upload_parts(storage, "a.txt", b"x")
    parts = storage.list_parts("a.txt", upload_id)
    storage.complete_multipart_upload("a.txt", upload_id, parts)
    storage.abort_multipart_upload("a.txt", upload_id)
    assert s3_bucket.get("media/a.txt") == b"x"


def test_open_uploads_are_listed_by_name(storage, make_storage):
    elsewhere = make_storage(location="other")
    elsewhere.create_multipart_upload("a.txt", content_type=TEXT)
    ids = {name: upload_parts(storage, name, b"x") for name in ("a/1.txt", "a/2.txt", "b/1.txt")}
    found = list(storage.iter_multipart_uploads("a/"))
    assert {each.name: each.upload_id for each in found} == {
        name: ids[name] for name in ("a/1.txt", "a/2.txt")
    }
    assert len(list(storage.iter_multipart_uploads())) == 3
    aged = datetime.now(timezone.utc) - found[0].started
    assert abs(aged) < timedelta(minutes=5) or storage.s3_provider.name == "moto"


def test_each_step_takes_few_requests(make_storage, s3_proxy, count_requests, s3_bucket):
    storage = make_storage()
    storage.exists("warm.txt")
    with count_requests() as requests:
        name = storage.get_upload_name("a.txt")
        upload_id = storage.create_multipart_upload(name, content_type=TEXT)
    assert len(requests) == 1
    assert send_part(storage.presigned_part(name, upload_id, 1, size=1), b"x") == 200
    with count_requests() as requests:
        parts = storage.list_parts(name, upload_id)
    assert len(requests) == 1
    with count_requests() as requests:
        storage.complete_multipart_upload(name, upload_id, parts)
    reserves = s3_bucket.server.name == "ceph"
    assert methods(requests) == [*(["PUT"] if reserves else []), "POST", "HEAD"]
    with count_requests() as requests:
        storage.abort_multipart_upload(name, upload_id)
    assert methods(requests) == ["DELETE", *(["HEAD"] if reserves else [])]


# Lost answers


class TestLostAnswers:
    @pytest.fixture
    def begun(self, storage, s3_proxy):
        upload_id = upload_parts(storage, "a.txt", b"x")
        return upload_id, storage.list_parts("a.txt", upload_id)

    def test_a_completion_whose_answer_is_lost_succeeds(self, storage, s3_proxy, s3_bucket, begun):
        s3_proxy.inject(method="POST", query="uploadId", lose_answer=True)
        assert storage.complete_multipart_upload("a.txt", *begun).size == 1
        assert s3_bucket.get("media/a.txt") == b"x"

    def test_a_completion_without_any_answer_can_be_repeated(
        self, storage, s3_proxy, s3_bucket, begun
    ):
        s3_proxy.inject(method="POST", query="uploadId", status=500, times=None)
        with pytest.raises(UnreachableError):
            storage.complete_multipart_upload("a.txt", *begun)
        assert not storage.exists("a.txt")
        s3_proxy.reset()
        assert storage.complete_multipart_upload("a.txt", *begun).size == 1
        assert s3_bucket.get("media/a.txt") == b"x"

    def test_a_name_is_free_again_after_an_abort(self, storage, s3_proxy, s3_bucket, begun):
        s3_proxy.inject(method="POST", query="uploadId", status=500, times=None)
        with pytest.raises(UnreachableError):
            storage.complete_multipart_upload("a.txt", *begun)
        s3_proxy.reset()
        storage.abort_multipart_upload("a.txt", begun[0])
        assert s3_bucket.keys() == []
        assert storage.save("a.txt", ContentFile(b"y")) == "a.txt"

    @needs_newer_moto
    def test_another_upload_of_the_same_content_is_not_taken_for_this_one(
        self, storage, s3_proxy, begun
    ):
        other = upload_parts(storage, "a.txt", b"x")
        storage.complete_multipart_upload("a.txt", other, storage.list_parts("a.txt", other))
        with pytest.raises(ObjectExistsError):
            storage.complete_multipart_upload("a.txt", *begun)

    def test_a_beginning_that_is_refused_is_an_error_of_ours(self, storage, s3_proxy):
        s3_proxy.inject(method="POST", query="uploads", status=403, times=None)
        with pytest.raises(S3Error, match=r"media/a\.txt"):
            storage.create_multipart_upload("a.txt", content_type=TEXT)

    @pytest.mark.parametrize("ask", ["list_parts", "abort_multipart_upload"])
    def test_what_s3_refuses_is_an_error_of_ours(self, storage, s3_proxy, begun, ask):
        s3_proxy.inject(query="uploadId", status=403, times=None)
        with pytest.raises(S3Error, match=r"media/a\.txt"):
            getattr(storage, ask)("a.txt", begun[0])
        s3_proxy.reset()
        s3_proxy.inject(query="uploads", status=403, times=None)
        with pytest.raises(S3Error):
            list(storage.iter_multipart_uploads())


# What a URL of a part allows


@pytest.mark.real_s3
@pytest.mark.parametrize("s3_server", ["ceph"], indirect=True)
class TestAUrlAllowsOnePart:
    @pytest.fixture
    def signed(self, storage):
        self.upload_id = storage.create_multipart_upload("a.txt", content_type=TEXT)
        self.storage = storage
        return storage.presigned_part(
            "a.txt", self.upload_id, 2, size=5, sha256=digest_of(b"right")
        )

    @pytest.fixture(autouse=True)
    def _nothing_arrives_that_was_refused(self, signed):
        yield
        parts = self.storage.list_parts("a.txt", self.upload_id)
        assert [part.etag for part in parts] in ([], [md5(b"right").hexdigest()])  # noqa: S324

    def test_the_part_itself_arrives(self, signed):
        assert signed["method"] == "PUT"
        assert send_part(signed, b"right") == 200
        (part,) = self.storage.list_parts("a.txt", self.upload_id)
        assert (part.number, part.size) == (2, 5)

    @pytest.mark.parametrize("body", [b"", b"righ", b"right!", b"r" * 100_000])
    def test_another_size_is_refused(self, signed, body):
        assert send_part(signed, body) in (400, 403)

    def test_other_bytes_are_refused(self, signed):
        assert send_part(signed, b"wrong") == 400

    def test_other_bytes_with_their_own_digest_are_refused(self, signed):
        digest = sha256(b"wrong").hexdigest()
        assert send_part(signed, b"wrong", x_amz_content_sha256=digest) == 403
        assert send_part(signed, b"wrong", x_amz_content_sha256="UNSIGNED-PAYLOAD") == 403

    def test_no_digest_is_refused(self, signed):
        assert send_part({**signed, "headers": {}}, b"wrong") == 403
        assert send_part({**signed, "headers": {}}, b"right") == 403

    def test_another_number_is_refused(self, signed):
        url = signed["url"].replace("partNumber=2", "partNumber=3")
        assert url != signed["url"]
        assert send_part(signed, b"right", url) == 403

    def test_another_key_is_refused(self, signed):
        url = signed["url"].replace("a.txt", "b.txt")
        assert send_part(signed, b"right", url) == 403

    def test_another_upload_is_refused(self, signed):
        other = self.storage.create_multipart_upload("a.txt", content_type=TEXT)
        url = (
            signed["url"]
            .replace(self.upload_id.replace("~", "%7E"), other.replace("~", "%7E"))
            .replace(self.upload_id, other)
        )
        assert url != signed["url"]
        assert send_part(signed, b"right", url) == 403

    def test_the_whole_file_cannot_be_send_part(self, signed):
        url = signed["url"].replace(f"partNumber=2&uploadId={self.upload_id}&", "")
        assert url != signed["url"]
        assert send_part(signed, b"right", url) == 403

    def test_an_altered_signature_or_life_is_refused(self, signed):
        url = signed["url"]
        last = "0" if url[-1] != "0" else "1"
        assert send_part(signed, b"right", url[:-1] + last) == 403
        life = url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200")
        assert life != url
        assert send_part(signed, b"right", life) == 403

    def test_an_added_parameter_is_refused(self, signed):
        assert send_part(signed, b"right", f"{signed['url']}&x-id=UploadPart") == 403

    def test_an_expired_url_is_refused(self, signed, monkeypatch):
        past = datetime.now(timezone.utc).timestamp() - 120
        monkeypatch.setattr("smart_storages.backends.s3.signing.sigv4.time", lambda: past)
        old = self.storage.presigned_part("a.txt", self.upload_id, 2, size=5, expire=60)
        assert send_part(old, b"right") == 403


@pytest.mark.real_s3
@pytest.mark.parametrize("s3_server", ["ceph"], indirect=True)
def test_an_identifier_opens_no_upload_of_another_name(storage):
    upload_id = upload_parts(storage, "a.txt", b"x")
    parts = storage.list_parts("a.txt", upload_id)
    assert send_part(storage.presigned_part("b.txt", upload_id, 1, size=1), b"y") == 404
    with pytest.raises(ObjectNotFoundError):
        storage.list_parts("b.txt", upload_id)
    with pytest.raises(ObjectNotFoundError):
        storage.complete_multipart_upload("b.txt", upload_id, parts)
    storage.abort_multipart_upload("b.txt", upload_id)
    assert storage.list_parts("a.txt", upload_id) == parts


# What cannot be signed


@pytest.mark.one_server
class TestArguments:
    @pytest.fixture
    def aws(self):
        return SmartS3Storage(
            "m",
            bucket_name="acme",
            access_key="key",
            secret_key="secret",
            region_name="eu-central-1",
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {"number": 0},
            {"number": 10_001},
            {"number": True},
            {"number": "1"},
            {"size": -1},
            {"size": 5 * 1024**3 + 1},
            {"size": "5"},
            {"upload_id": ""},
            {"upload_id": "a b"},
            {"upload_id": "a\r\nX: y"},
            {"upload_id": None},
            {"sha256": "no digest"},
            {"sha256": b"x"},
            {"sha256": "A" * 43},
            {"expire": 0},
            {"expire": 604_801},
            {"name": ""},
            {"name": "folder/"},
        ],
        ids=str,
    )
    def test_a_part_that_cannot_be_signed_is_refused(self, aws, wrong):
        asked = {"name": "a.txt", "upload_id": "2~abc", "number": 1, "size": 5, **wrong}
        name, upload_id, number = (asked.pop(each) for each in ("name", "upload_id", "number"))
        with pytest.raises(ValueError):  # noqa: PT011
            aws.presigned_part(name, upload_id, number, **asked)

    @pytest.mark.parametrize("name", ["../a.txt", "a/../../b.txt", "a\0b"])
    def test_a_hostile_name_is_refused(self, aws, name):
        for ask in (
            lambda: aws.create_multipart_upload(name, content_type=TEXT),
            lambda: aws.presigned_part(name, "2~abc", 1, size=5),
            lambda: aws.list_parts(name, "2~abc"),
            lambda: aws.complete_multipart_upload(name, "2~abc", [UploadedPart(1, 5, "e")]),
            lambda: aws.abort_multipart_upload(name, "2~abc"),
        ):
            with pytest.raises(SuspiciousFileOperation):
                ask()

    @pytest.mark.parametrize(
        "wrong", [{"content_type": ""}, {"content_type": "a/b\r\nX: y"}, {"size": 2**60}], ids=str
    )
    def test_an_upload_that_cannot_be_begun_is_refused(self, aws, wrong):
        with pytest.raises(ValueError):  # noqa: PT011
            aws.create_multipart_upload("a.txt", **{"content_type": TEXT, **wrong})

    def test_a_part_needs_a_signature_that_covers_its_size(self, aws):
        old = SmartS3Storage(
            "m",
            bucket_name="acme",
            access_key="key",
            secret_key="secret",
            signature_version="s3",
        )
        assert not old.signs_part_digests
        with pytest.raises(ConfigurationError, match=r"content-length.*s3v4"):
            old.presigned_part("a.txt", "2~abc", 1, size=5)
        with pytest.raises(ConfigurationError, match="Leave sha256 out"):
            old.presigned_part("a.txt", "2~abc", 1, size=5, sha256=digest_of(b"right"))
        assert aws.signs_part_digests

    def test_a_customer_key_is_not_given_to_a_browser(self):
        keyed = SmartS3Storage(
            "m",
            bucket_name="acme",
            access_key="key",
            secret_key="secret",
            object_parameters={"SSECustomerKey": "k" * 32, "SSECustomerAlgorithm": "AES256"},
        )
        with pytest.raises(ValueError, match="cannot be signed") as raised:
            keyed.presigned_part("a.txt", "2~abc", 1, size=5)
        assert "kkkk" not in str(raised.value)

    def test_a_part_costs_no_request(self, count_requests, make_storage):
        storage = make_storage()
        storage.url("warm.txt")
        with count_requests() as requests:
            storage.presigned_part("a.txt", "2~abc", 1, size=5, sha256=digest_of(b"right"))
            assert storage.part_size_for(5 * 1024**4) * storage.max_parts >= 5 * 1024**4
        assert requests == []

    @pytest.mark.parametrize(
        ("parts", "what"),
        [
            ([], "at least one part"),
            ([UploadedPart(2, 1, "e")], "part 1 is missing"),
            ([UploadedPart(1, 1, "e"), UploadedPart(3, 1, "e")], "part 2 is missing"),
            ([UploadedPart(1, 1, "e"), UploadedPart(1, 1, "e")], "part 1 is given twice"),
        ],
        ids=str,
    )
    def test_parts_that_make_no_file_are_refused(self, aws, parts, what):
        with pytest.raises(ValueError, match=what):
            aws.complete_multipart_upload("a.txt", "2~abc", parts)


@async_to_sync
async def _use_the_twins(storage):
    upload_id = await storage.acreate_multipart_upload("a.txt", content_type=TEXT)
    signed = await storage.apresigned_part("a.txt", upload_id, 1, size=1)
    assert send_part(signed, b"x") == 200
    parts = await storage.alist_parts("a.txt", upload_id)
    stat = await storage.acomplete_multipart_upload("a.txt", upload_id, parts)
    assert stat.size == 1
    other = await storage.acreate_multipart_upload("b.txt", content_type=TEXT)
    await storage.aabort_multipart_upload("b.txt", other)


def test_the_async_twins_do_the_same(storage):
    _use_the_twins(storage)
    assert list(storage.iter_multipart_uploads()) == []
