"""The queue between buckets, and from a disk to a bucket."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile

from smart_storages.exceptions import ObjectExistsError
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.ledger import crash_points
from smart_storages.queued.tasks import TransferAndDelete
from tests.parts import send_part
from tests.queued import broker
from tests.queued.conftest import DISK, row_of
from tests.servers import S3Proxy

S3 = "smart_storages.storages.SmartS3Storage"


@pytest.fixture
def wire(s3_bucket: Any) -> Any:
    """Every request that storages made with its address send."""
    with S3Proxy(s3_bucket.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def make_bucket_queue(
    s3_bucket: Any, wire: Any, tmp_path: Any, transactional_db: None, messages: list
) -> Any:
    def options(location: str, **more: Any) -> dict:
        return {
            "bucket_name": s3_bucket.name,
            "endpoint_url": wire.endpoint_url,
            "access_key": s3_bucket.access_key,
            "secret_key": s3_bucket.secret_key,
            "region_name": s3_bucket.region_name,
            "addressing_style": "path",
            "location": location,
            **more,
        }

    def make(*, staging: bool = False, **more: Any) -> QueuedStorage:
        local = (S3, options("staging")) if staging else (DISK, {"location": str(tmp_path / "l")})
        return QueuedStorage(
            local[0], S3, local[1], options("final", **more), task=TransferAndDelete, key="s3"
        )

    return make


def test_a_file_travels_from_the_disk_to_a_bucket(make_bucket_queue: Any, s3_bucket: Any) -> None:
    queue = make_bucket_queue()
    queue.save("a/b.txt", ContentFile(b"hello" * 1000))
    assert s3_bucket.keys() == []
    assert broker.deliver() == ["done"]
    assert s3_bucket.get("final/a/b.txt") == b"hello" * 1000
    assert queue.open("a/b.txt").read() == b"hello" * 1000
    queue.save("a/b.txt", ContentFile(b"newer"))
    assert broker.deliver() == ["done"]
    assert s3_bucket.get("final/a/b.txt") == b"newer"
    queue.delete("a/b.txt")
    assert broker.deliver() == ["deleted"]
    assert s3_bucket.keys() == []


@pytest.mark.parametrize("staging", [False, True])
def test_a_bucket_that_draws_its_names_gets_one_object_a_file(
    make_bucket_queue: Any, s3_bucket: Any, staging: bool
) -> None:
    queue = make_bucket_queue(staging=staging, provider="b2", file_overwrite=False)
    for text in (b"first", b"second"):
        name = queue.save("a.txt", ContentFile(text))
        assert broker.deliver() == ["done"]
        remote_name = row_of(queue, name).remote_name
        assert re.fullmatch(r"a.*_[a-z0-9]{16}\.txt", remote_name)
        assert s3_bucket.get(f"final/{remote_name}") == text
        assert queue.open(name).read() == text
    assert len(s3_bucket.keys()) == 2


def test_a_save_sends_nothing_to_an_overwriting_bucket(make_bucket_queue: Any, wire: Any) -> None:
    queue = make_bucket_queue()
    with wire.recording() as requests:
        queue.save("a.txt", ContentFile(b"hello"))
    assert [each.method for each in requests] == []


def test_s3_tells_the_checksum_so_nothing_is_read_back(make_bucket_queue: Any, wire: Any) -> None:
    queue = make_bucket_queue()
    queue.save("a.txt", ContentFile(b"hello"))
    with wire.recording() as requests:
        assert broker.deliver() == ["done"]
    assert [each.method for each in requests] == ["PUT", "HEAD"]


def test_what_s3_does_not_tell_is_read_back(
    make_bucket_queue: Any, s3_bucket: Any, wire: Any
) -> None:
    queue = make_bucket_queue(gzip=True)
    queue.save("a.css", ContentFile(b"hello " * 1000))
    with wire.recording() as requests:
        assert broker.deliver() == ["done"]
    assert "GET" in [each.method for each in requests]
    assert len(s3_bucket.get("final/a.css")) < 1000
    assert queue.open("a.css").read() == b"hello " * 1000


def test_between_two_buckets_the_server_copies(
    make_bucket_queue: Any, s3_bucket: Any, wire: Any
) -> None:
    body = b"x" * 300_000
    queue = make_bucket_queue(staging=True)
    queue.save("a/picture.png", ContentFile(body))
    (staged,) = s3_bucket.keys()
    assert staged == f"staging/{row_of(queue, 'a/picture.png').local_name}"
    assert queue.open("a/picture.png").read() == body
    with wire.recording() as requests:
        assert broker.deliver() == ["done"]
    assert s3_bucket.keys() == ["final/a/picture.png"]
    assert s3_bucket.get("final/a/picture.png") == body
    head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="final/a/picture.png")
    assert head["ContentType"] == "image/png"
    assert "GET" not in [each.method for each in requests], "the bytes came through the worker"


def test_a_file_that_changed_on_the_way_does_not_count(
    make_bucket_queue: Any, s3_bucket: Any, monkeypatch: Any
) -> None:
    queue = make_bucket_queue()
    queue.save("a.txt", ContentFile(b"hello"))
    real = queue.remote.save

    def save(name: str, content: Any, **kwargs: Any) -> Any:
        return real(name, ContentFile(content.read()[:-1]), **kwargs)

    monkeypatch.setattr(queue.remote, "save", save)
    assert broker.deliver() == ["retry"]
    assert queue.open("a.txt").read() == b"hello"


def test_without_overwriting_a_clash_in_the_bucket_is_renamed(
    make_bucket_queue: Any, s3_bucket: Any
) -> None:
    queue = make_bucket_queue(file_overwrite=False)
    queue.save("a.txt", ContentFile(b"mine"))
    s3_bucket.put("final/a.txt", b"theirs")
    assert broker.deliver() == ["done"]
    assert row_of(queue, "a.txt").remote_name != "a.txt"
    assert queue.open("a.txt").read() == b"mine"
    assert s3_bucket.get("final/a.txt") == b"theirs"


def test_a_bucket_that_is_down_takes_no_file_away(make_bucket_queue: Any, s3_bucket: Any) -> None:
    queue = make_bucket_queue(endpoint_url="http://127.0.0.1:1")
    queue.save("a.txt", ContentFile(b"hello"))
    assert broker.deliver() == ["retry"]
    assert queue.open("a.txt").read() == b"hello"
    assert queue.using_local("a.txt")


def test_a_clash_in_the_bucket_costs_one_request_more(
    make_bucket_queue: Any, s3_bucket: Any, wire: Any
) -> None:
    queue = make_bucket_queue(file_overwrite=False, provider="ceph")
    queue.save("a.txt", ContentFile(b"mine"))
    crash_points.hook = lambda step: (
        s3_bucket.put("final/a.txt", b"theirs") if step == "transfer:sending" else None
    )
    try:
        with wire.recording() as requests:
            assert broker.deliver() == ["done"]
    finally:
        crash_points.hook = None
    assert [(each.method, each.status) for each in requests] == [
        ("HEAD", 404), ("PUT", 412), ("PUT", 200), ("HEAD", 200),
    ]  # fmt: skip
    assert s3_bucket.get("final/a.txt") == b"theirs"
    assert queue.open("a.txt").read() == b"mine"


@pytest.mark.real_s3
def test_a_remote_of_another_tenant_is_not_asked_to_copy_from_a_bucket_of_its_own(
    ceph_gateway: Any, transactional_db: None, messages: list
) -> None:
    """Both tenants have a bucket of that name, and there an object where the local copy is."""
    tenants = [ceph_gateway.create_user("owner", tenant=f"q{uuid4().hex[:6]}") for _ in range(2)]
    options = []
    for tenant, location in zip(tenants, ("staging", "final")):
        tenant.client().create_bucket(Bucket="queue")
        keys = {"access_key": tenant.access_key, "secret_key": tenant.secret_key}
        place = {"endpoint_url": tenant.endpoint_url, "region_name": tenant.region_name}
        options.append({**keys, **place, "bucket_name": "queue", "location": location})
    queue = QueuedStorage(S3, S3, *options, task=TransferAndDelete, key="tenants")
    queue.save("a.txt", ContentFile(b"mine"))
    theirs = tenants[1].client()
    key = f"staging/{row_of(queue, 'a.txt').local_name}"
    theirs.put_object(Bucket="queue", Key=key, Body=b"evil")
    assert broker.deliver() == ["done"]
    assert theirs.get_object(Bucket="queue", Key="final/a.txt")["Body"].read() == b"mine"
    assert queue.open("a.txt").read() == b"mine"


def test_an_upload_in_parts_goes_straight_to_the_bucket(
    make_bucket_queue: Any, s3_bucket: Any
) -> None:
    queue = make_bucket_queue()
    about = {"content_type": "text/plain", "size": 5}
    name = queue.get_upload_name("a/film.txt", **about)
    upload_id = queue.create_multipart_upload(name, **about)
    assert send_part(queue.presigned_part(name, upload_id, 1, size=5), b"hello") == 200
    parts = queue.list_parts(name, upload_id)
    assert queue.complete_multipart_upload(name, upload_id, parts).size == 5
    assert s3_bucket.get(f"final/{name}") == b"hello"
    assert queue.using_remote(name)
    assert queue.open(name).read() == b"hello"
    assert queue.listdir("a")[1] == [name.partition("/")[2]]
    assert broker.deliver() == []


@pytest.mark.parametrize("is_deleted", [False, True])
def test_an_upload_does_not_take_a_name_that_the_ledger_knows(
    make_bucket_queue: Any, is_deleted: bool
) -> None:
    queue = make_bucket_queue()
    upload_id = queue.create_multipart_upload("a.txt", content_type="text/plain")
    assert send_part(queue.presigned_part("a.txt", upload_id, 1, size=4), b"late") == 200
    queue.save("a.txt", ContentFile(b"here first"))
    if is_deleted:
        queue.delete("a.txt")
    with pytest.raises(ObjectExistsError, match="get_upload_name"):
        queue.complete_multipart_upload("a.txt", upload_id, queue.list_parts("a.txt", upload_id))
    with pytest.raises(ObjectExistsError, match="get_upload_name"):
        queue.create_multipart_upload("a.txt", content_type="text/plain")
    assert queue.exists("a.txt") is not is_deleted
