"""Uploads in parts to modules that are not in S3: the same, through the view of this package."""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends import memory_uploads, signed_urls
from smart_storages.backends.memory import isolated
from smart_storages.common.parts import UploadedPart, part_size_for
from smart_storages.exceptions import (
    ConfigurationError,
    ContentMismatchError,
    ObjectExistsError,
    ObjectNotFoundError,
    UnreachableError,
)
from smart_storages.storages import SmartS3Storage
from smart_storages.testing import failing
from tests.conftest import examples
from tests.parts import digest_of, send_part, upload_parts

TEXT = "text/plain"


@pytest.fixture(params=["filesystem", "memory"])
def make(request, tmp_path):
    options = {"filesystem": {"root": tmp_path}, "memory": {}}[request.param]
    with isolated():
        yield lambda **more: SmartS3Storage(
            "media", backend=request.param, bucket_name="acme", **{**options, **more}
        )


@pytest.fixture
def storage(make):
    return make(location="in")


def content_of(storage, name):
    with storage.open(name) as file:
        return file.read()


def complete(storage, name, upload_id, **options):
    parts = storage.list_parts(name, upload_id)
    return storage.complete_multipart_upload(name, upload_id, parts, **options)


def test_parts_become_a_file(storage):
    upload_id = upload_parts(storage, "ä b.txt", b"first ", b"last")
    assert not storage.exists("ä b.txt")
    assert storage.listdir("") == ([], [])
    parts = storage.list_parts("ä b.txt", upload_id)
    assert [part[:2] for part in parts] == [(1, 6), (2, 4)]
    assert parts[1].sha256 == digest_of(b"last")
    stat = storage.complete_multipart_upload("ä b.txt", upload_id, parts)
    assert (stat.size, stat.content_type) == (10, TEXT)
    assert stat == storage.stat("ä b.txt")
    assert content_of(storage, "ä b.txt") == b"first last"
    assert list(storage.iter_multipart_uploads()) == []


def test_an_empty_file_is_one_empty_part(storage):
    assert complete(storage, "a.txt", upload_parts(storage, "a.txt", b"")).size == 0
    assert content_of(storage, "a.txt") == b""


def test_a_part_that_is_sent_again_replaces_the_first(storage):
    upload_id = upload_parts(storage, "a.txt", b"first")
    listed = storage.list_parts("a.txt", upload_id)
    assert send_part(storage.presigned_part("a.txt", upload_id, 1, size=6), b"second") == 200
    with pytest.raises(ContentMismatchError, match="part 1 has not arrived"):
        storage.complete_multipart_upload("a.txt", upload_id, listed)
    complete(storage, "a.txt", upload_id)
    assert content_of(storage, "a.txt") == b"second"


def test_parts_that_have_not_arrived_are_an_error(storage):
    upload_id = upload_parts(storage, "a.txt", b"x")
    (part,) = storage.list_parts("a.txt", upload_id)
    with pytest.raises(ContentMismatchError, match="part 2 has not arrived"):
        storage.complete_multipart_upload("a.txt", upload_id, [part, UploadedPart(2, 1, part.etag)])
    assert not storage.exists("a.txt")
    assert complete(storage, "a.txt", upload_id).size == 1


def test_a_taken_name_is_refused_and_the_file_stays(storage):
    storage.save("a.txt", ContentFile(b"here first"))
    upload_id = upload_parts(storage, "a.txt", b"late")
    with pytest.raises(ObjectExistsError):
        complete(storage, "a.txt", upload_id)
    assert content_of(storage, "a.txt") == b"here first"
    complete(storage, "a.txt", upload_id, overwrite=True)
    assert content_of(storage, "a.txt") == b"late"


def test_of_eight_uploads_of_one_name_one_becomes_the_file(storage):
    contents = [b"%d" % number * 50_000 for number in range(8)]
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
    assert len(winners) == 1
    assert all(isinstance(each, ObjectExistsError) for each in errors if each is not None)
    assert content_of(storage, "a.txt") == contents[winners[0]]


def test_an_upload_is_completed_once(storage):
    upload_id = upload_parts(storage, "a.txt", b"x")
    parts = storage.list_parts("a.txt", upload_id)
    storage.complete_multipart_upload("a.txt", upload_id, parts)
    for ask in (
        lambda: storage.complete_multipart_upload("a.txt", upload_id, parts),
        lambda: storage.list_parts("a.txt", upload_id),
    ):
        with pytest.raises(ObjectNotFoundError, match=r"no such upload.*in/a\.txt"):
            ask()


def test_an_aborted_upload_is_gone(storage, tmp_path):
    upload_id = upload_parts(storage, "a.txt", b"x")
    signed = storage.presigned_part("a.txt", upload_id, 1, size=1)
    storage.abort_multipart_upload("a.txt", upload_id)
    storage.abort_multipart_upload("a.txt", upload_id)
    assert send_part(signed, b"y") == 404
    assert list(storage.iter_multipart_uploads()) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_open_uploads_are_listed_by_name(storage, make):
    make(location="other").create_multipart_upload("a/1.txt", content_type=TEXT)
    ids = {name: upload_parts(storage, name, b"x") for name in ("a/1.txt", "a/2.txt", "b.txt")}
    found = list(storage.iter_multipart_uploads("a/"))
    assert [(each.name, each.upload_id) for each in found] == [
        (name, ids[name]) for name in ("a/1.txt", "a/2.txt")
    ]
    assert abs(datetime.now(timezone.utc) - found[0].started) < timedelta(minutes=1)
    assert len(list(storage.iter_multipart_uploads())) == 3


def test_an_identifier_opens_no_upload_of_another_name(storage):
    upload_id = upload_parts(storage, "a.txt", b"x")
    parts = storage.list_parts("a.txt", upload_id)
    assert send_part(storage.presigned_part("b.txt", upload_id, 1, size=1), b"y") == 404
    for ask in (
        lambda: storage.list_parts("b.txt", upload_id),
        lambda: storage.complete_multipart_upload("b.txt", upload_id, parts),
    ):
        with pytest.raises(ObjectNotFoundError):
            ask()
    storage.abort_multipart_upload("b.txt", upload_id)
    assert storage.list_parts("a.txt", upload_id) == parts


@pytest.mark.parametrize("upload_id", ["..", "../../x", "a" * 32, "0" * 32, "."])
def test_an_identifier_leads_to_no_other_folder(storage, upload_id):
    storage.create_multipart_upload("a.txt", content_type=TEXT)
    with pytest.raises(ObjectNotFoundError):
        storage.list_parts("a.txt", upload_id)
    assert send_part(storage.presigned_part("a.txt", upload_id, 1, size=1), b"y") == 404
    storage.abort_multipart_upload("a.txt", upload_id)
    assert len(list(storage.iter_multipart_uploads())) == 1


def test_what_is_never_completed_is_removed_after_a_week(storage, monkeypatch, tmp_path):
    upload_parts(storage, "old.txt", b"x")
    week = 7 * 24 * 3600
    for folder in tmp_path.glob(".smart-storages/uploads/acme/*"):
        os.utime(folder, (time.time() - week - 60,) * 2)

    class InAWeek(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(seconds=week + 60)

    monkeypatch.setattr(memory_uploads, "datetime", InAWeek)
    storage.create_multipart_upload("new.txt", content_type=TEXT)
    assert [each.name for each in storage.iter_multipart_uploads()] == ["new.txt"]


class TestAUrlAllowsOnePart:
    @pytest.fixture
    def upload_id(self, storage):
        return storage.create_multipart_upload("a.txt", content_type=TEXT)

    @pytest.fixture
    def signed(self, storage, upload_id):
        return storage.presigned_part("a.txt", upload_id, 2, size=5, sha256=digest_of(b"right"))

    def test_the_part_itself_arrives(self, storage, upload_id, signed):
        assert send_part(signed, b"right") == 200
        assert [part[:2] for part in storage.list_parts("a.txt", upload_id)] == [(2, 5)]

    @pytest.mark.parametrize(
        ("body", "status"), [(b"", 400), (b"righ", 400), (b"right!", 400), (b"wrong", 400)]
    )
    def test_another_body_is_refused(self, storage, upload_id, signed, body, status):
        assert send_part(signed, body) == status
        assert storage.list_parts("a.txt", upload_id) == []

    def test_nothing_is_left_of_a_part_that_was_refused(self, upload_id, signed, tmp_path):
        assert send_part(signed, b"wrong") == 400
        assert list(tmp_path.rglob("*.part")) == []

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("part-number=2", "part-number=3"),
            ("size=5", "size=6"),
            ("a.txt", "b.txt"),
            ("/acme/", "/other/"),
            ("sha256=", "sha256=0"),
            ("upload-id=", "upload-id=0"),
            ("expires=", "expires=9"),
            ("signature=", "signature=0"),
            ("&expires", "&type=text/html&expires"),
        ],
    )
    def test_an_altered_url_is_refused(self, storage, upload_id, signed, old, new):
        url = signed["url"].replace(old, new)
        assert url != signed["url"]
        assert send_part(signed, b"right", url) == 403
        assert storage.list_parts("a.txt", upload_id) == []

    def test_an_expired_url_is_refused(self, signed, monkeypatch):
        now = signed_urls.time()
        monkeypatch.setattr(signed_urls, "time", lambda: now + 3601)
        assert send_part(signed, b"right") == 403

    def test_a_url_of_a_file_takes_no_part_and_the_reverse(self, storage, signed):
        whole = storage.presigned_put("a.txt", size=5, content_type=TEXT)
        url = f"{whole['url']}&part-number=2"
        assert send_part(whole, b"right", url) == 403
        assert not storage.exists("a.txt")
        assert storage.url("a.txt") not in signed["url"]


@pytest.mark.parametrize("name", ["../a.txt", "a/../../b.txt", "a\0b"])
def test_a_hostile_name_is_refused(storage, name):
    for ask in (
        lambda: storage.create_multipart_upload(name, content_type=TEXT),
        lambda: storage.presigned_part(name, "0" * 32, 1, size=5),
        lambda: storage.list_parts(name, "0" * 32),
        lambda: storage.complete_multipart_upload(name, "0" * 32, [UploadedPart(1, 5, "e")]),
        lambda: storage.abort_multipart_upload(name, "0" * 32),
    ):
        with pytest.raises(SuspiciousFileOperation):
            ask()


def test_another_server_takes_no_uploads(tmp_path):
    storage = SmartS3Storage(
        "media", backend="filesystem", root=tmp_path, base_url="https://files.example.com/"
    )
    for ask in (
        lambda: storage.create_multipart_upload("a.txt", content_type=TEXT),
        lambda: storage.presigned_part("a.txt", "0" * 32, 1, size=5),
        lambda: storage.part_size_for(5),
    ):
        with pytest.raises(ConfigurationError, match=r"'media' has a base_url"):
            ask()


def test_a_test_can_let_an_upload_fail(settings):
    from smart_storages.testing import override_buckets

    with override_buckets():
        storage = SmartS3Storage("documents")
        with failing("documents", on="save"), pytest.raises(UnreachableError):
            storage.create_multipart_upload("a.txt", content_type=TEXT)


def test_the_limits_are_those_of_s3(storage):
    assert (storage.min_part_size, storage.max_parts) == (5 * 1024**2, 10_000)
    assert storage.signs_part_digests
    assert storage.part_size_for(1) == 8 * 1024**2


@examples(200)
@given(size=st.integers(0, 10_000 * 5 * 1024**3))
def test_the_parts_of_a_file_fit(size):
    part = part_size_for(size, max_parts=10_000, max_part_size=5 * 1024**3)
    assert 8 * 1024**2 <= part <= 5 * 1024**3
    assert -(-size // part) <= 10_000
    assert part % 1024**2 == 0
    if size <= 10_000 * 16 * 1024**2:
        assert part <= 16 * 1024**2


def test_parts_are_not_within_the_bucket(make, tmp_path):
    storage = make()
    upload_parts(storage, "a.txt", b"x")
    assert list(storage.iter_files()) == []
    assert all(
        Path(".smart-storages") in path.relative_to(tmp_path).parents
        for path in tmp_path.rglob("*")
        if path.is_file()
    )
