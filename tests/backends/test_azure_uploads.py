"""Uploads in parts to Azure, against Azurite: what a URL allows is of no use to a stranger."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest
from azure.storage.blob import BlobClient
from django.core.files.base import ContentFile

from smart_storages.backends import signed_urls
from smart_storages.common.parts import UploadedPart
from smart_storages.exceptions import (
    ConfigurationError,
    ContentMismatchError,
    ObjectExistsError,
    ObjectNotFoundError,
)
from smart_storages.storages import SmartS3Storage
from tests.parts import digest_of, send_part, upload_parts

TEXT = "text/plain"


@pytest.fixture
def container(azurite):
    return azurite.create_container()


@pytest.fixture
def make(azurite, container):
    options = {"bucket_name": container, "connection_string": azurite.connection_string}
    return lambda **more: SmartS3Storage("media", backend="azure", **{**options, **more})


@pytest.fixture
def storage(make):
    return make(location="in", file_overwrite=False)


def complete(storage, name, upload_id, **options):
    parts = storage.list_parts(name, upload_id)
    return storage.complete_multipart_upload(name, upload_id, parts, **options)


def content_of(storage, name):
    with storage.open(name) as file:
        return file.read()


def as_a_stranger(signed):
    """What the SDK does with nothing but a URL of a part."""
    address, _, query = signed["url"].partition("?")
    sas = "&".join(each for each in query.split("&") if not each.startswith(("comp=", "blockid=")))
    return BlobClient.from_blob_url(f"{address}?{sas}")


def test_parts_become_a_file(make):
    storage = make(location="in", object_parameters={"Metadata": {"of": "a_test"}})
    upload_id = upload_parts(storage, "ä b.txt", b"first ", b"last")
    assert not storage.exists("ä b.txt")
    stat = complete(storage, "ä b.txt", upload_id)
    assert (stat.size, stat.content_type, stat.metadata["of"]) == (10, TEXT, "a_test")
    assert content_of(storage, "ä b.txt") == b"first last"
    assert [name for name, _ in storage.iter_files()] == ["ä b.txt"]


def test_an_empty_file_is_one_empty_part(storage):
    upload_id = storage.create_multipart_upload("a.txt", content_type=TEXT)
    send_part(storage.presigned_part("a.txt", upload_id, 1, size=0), b"")
    complete(storage, "a.txt", upload_id)
    assert content_of(storage, "a.txt") == b""


def test_an_upload_is_in_no_listing(make):
    storage = make()
    upload_parts(storage, "a.txt", b"x")
    assert list(storage.iter_files()) == []
    assert storage.listdir("") == ([], [])


def test_of_eight_uploads_of_one_name_one_becomes_the_file(storage):
    contents = [b"%d" % number for number in range(8)]
    uploads = [upload_parts(storage, "a.txt", content) for content in contents]
    start, errors = threading.Barrier(8), [None] * 8

    def run(number):
        start.wait()
        try:
            complete(storage, "a.txt", uploads[number])
        except Exception as error:
            errors[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for number in range(8) if errors[number] is None]
    assert len(winners) == 1, errors
    assert all(isinstance(each, ObjectExistsError) for each in errors if each is not None)
    assert content_of(storage, "a.txt") == contents[winners[0]]


def test_a_taken_name_is_refused_and_the_upload_stays(storage):
    storage.save("a.txt", ContentFile(b"here first"))
    upload_id = upload_parts(storage, "a.txt", b"la", b"te")
    with pytest.raises(ObjectExistsError):
        complete(storage, "a.txt", upload_id)
    assert content_of(storage, "a.txt") == b"here first"
    complete(storage, "a.txt", upload_id, overwrite=True)
    assert content_of(storage, "a.txt") == b"late"


def test_an_upload_is_completed_once(storage):
    upload_id = upload_parts(storage, "a.txt", b"x")
    parts = storage.list_parts("a.txt", upload_id)
    storage.complete_multipart_upload("a.txt", upload_id, parts)
    for ask in (
        lambda: storage.complete_multipart_upload("a.txt", upload_id, parts),
        lambda: storage.list_parts("a.txt", upload_id),
    ):
        with pytest.raises(ObjectNotFoundError, match="no such upload"):
            ask()


def test_parts_that_have_not_arrived_are_an_error(storage):
    upload_id = upload_parts(storage, "a.txt", b"x")
    (part,) = storage.list_parts("a.txt", upload_id)
    with pytest.raises(ContentMismatchError, match="part 2 has not arrived"):
        storage.complete_multipart_upload("a.txt", upload_id, [part, UploadedPart(2, 1, "")])
    assert not storage.exists("a.txt")


def test_open_uploads_are_listed_and_aborted(storage, make):
    make(location="other").create_multipart_upload("a/1.txt", content_type=TEXT)
    ids = {name: upload_parts(storage, name, b"x") for name in ("a/1.txt", "a/2.txt", "b.txt")}
    found = list(storage.iter_multipart_uploads("a/"))
    assert {each.name: each.upload_id for each in found} == {
        name: ids[name] for name in ("a/1.txt", "a/2.txt")
    }
    assert abs(datetime.now(timezone.utc) - found[0].started) < timedelta(minutes=1)
    for name, upload_id in ids.items():
        storage.abort_multipart_upload(name, upload_id)
        storage.abort_multipart_upload(name, upload_id)
    assert list(storage.iter_multipart_uploads()) == []


class TestAUrlOfAPart:
    @pytest.fixture
    def upload_id(self, storage):
        return upload_parts(storage, "a.txt", b"right")

    @pytest.fixture
    def signed(self, storage, upload_id):
        return storage.presigned_part("a.txt", upload_id, 2, size=5)

    def test_reads_nothing(self, signed):
        with pytest.raises(Exception, match=r"(?i)not authorized|AuthorizationPermissionMismatch"):
            as_a_stranger(signed).download_blob()

    def test_opens_no_other_blob(self, storage, signed, upload_id):
        other = upload_parts(storage, "b.txt", b"x")
        assert send_part(signed, b"wrong", signed["url"].replace(upload_id, other)) == 403
        assert [part.size for part in storage.list_parts("b.txt", other)] == [1]

    def test_is_refused_if_altered_or_expired(self, storage, upload_id, signed, monkeypatch):
        assert send_part(signed, b"wrong", signed["url"].replace("sp=w", "sp=rw")) == 403
        past = signed_urls.time() - 7200
        monkeypatch.setattr(signed_urls, "time", lambda: past)
        old = storage.presigned_part("a.txt", upload_id, 2, size=5, expire=60)
        assert send_part(old, b"wrong") == 403

    def test_cannot_make_the_upload_another(self, storage, upload_id, signed):
        stranger = as_a_stranger(signed)
        about = {"about": "eyJrZXkiOiAiYi50eHQifQ==", "upload": upload_id}
        stranger.upload_blob(b"<script>", overwrite=True, metadata=about)
        for name in ("a.txt", "b.txt", "in/b.txt"):
            with pytest.raises(ObjectNotFoundError):
                storage.list_parts(name, upload_id)
        assert list(storage.iter_multipart_uploads()) == []

    def test_cannot_change_the_content_while_it_is_completed(
        self, storage, upload_id, signed, monkeypatch
    ):
        stranger = as_a_stranger(signed)
        start_copy = BlobClient.start_copy_from_url

        def changed_before(self, *args, **kwargs):
            stranger.upload_blob(b"<script>", overwrite=True)
            return start_copy(self, *args, **kwargs)

        monkeypatch.setattr(BlobClient, "start_copy_from_url", changed_before)
        with pytest.raises(ContentMismatchError, match="changed while it was completed"):
            complete(storage, "a.txt", upload_id)
        assert not storage.exists("a.txt")

    def test_cannot_be_bound_to_a_digest(self, storage, upload_id):
        assert not storage.upload_limits("a.txt").signs_part_digests
        with pytest.raises(ConfigurationError, match="Leave sha256 out"):
            storage.presigned_part("a.txt", upload_id, 2, size=5, sha256=digest_of(b"right"))


@pytest.mark.parametrize("upload_id", ["0" * 32, "..", "0" * 32 + "-" + "0" * 32])
def test_an_unknown_identifier_is_none(storage, upload_id):
    with pytest.raises(ObjectNotFoundError):
        storage.list_parts("a.txt", upload_id)
    storage.abort_multipart_upload("a.txt", upload_id)


def test_a_new_secret_key_ends_no_upload(storage, settings):
    upload_id = upload_parts(storage, "a.txt", b"x")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    with pytest.raises(ObjectNotFoundError):
        storage.list_parts("a.txt", upload_id)
    settings.SECRET_KEY_FALLBACKS = [old]
    complete(storage, "a.txt", upload_id)
    assert content_of(storage, "a.txt") == b"x"


def test_an_identifier_opens_no_upload_of_another_name(storage):
    upload_id = upload_parts(storage, "a.txt", b"x")
    with pytest.raises(ObjectNotFoundError):
        storage.list_parts("b.txt", upload_id)
    storage.abort_multipart_upload("b.txt", upload_id)
    assert len(storage.list_parts("a.txt", upload_id)) == 1


def test_the_limits_are_those_of_azure(storage):
    limits = storage.upload_limits("a.txt")
    assert (limits.max_part_size, limits.max_parts) == (4000 * 1024**2, 50_000)
    assert limits.part_size_for(5 * 1024**4) * 50_000 >= 5 * 1024**4
