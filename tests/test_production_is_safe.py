"""The development case: a production bucket behind a local disk is read, and never changed.

Real requests are counted on the wire, by a proxy before the S3 server.
"""

from __future__ import annotations

import contextlib

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.fallback import FallbackStorage
from smart_storages.storages import SmartS3Storage
from smart_storages.wrappers import ReadOnlyStorage

READS = {"GET", "HEAD"}


@pytest.fixture
def production(s3_proxy, s3_bucket):
    s3_bucket.put("media/old.txt", b"production")
    s3_bucket.put("media/docs/other.txt", b"other")
    return SmartS3Storage("production", location="media")


def use_everything(storage):
    """Every call of the Storage API, in every mode, sync and async."""
    names = ["old.txt", "docs/other.txt", "new.txt"]
    calls = [
        lambda: storage.save("new.txt", ContentFile(b"x")),
        lambda: storage.save("old.txt", ContentFile(b"x")),
        lambda: storage.listdir("docs"),
        lambda: storage.generate_filename("docs/x y.txt"),
        lambda: async_to_sync(storage.asave)("async.txt", ContentFile(b"x")),
        *(lambda name=name: storage.open(name).read() for name in names),
        *(
            lambda name=name, method=method: getattr(storage, method)(name)
            for name in names
            for method in ("exists", "size", "url", "path", "get_modified_time", "delete")
        ),
        *(lambda mode=mode: write(storage, mode) for mode in ("wb", "ab", "r+b", "xb")),
        lambda: async_to_sync(storage.adelete)("old.txt"),
    ]
    for call in calls:
        # Some may be refused, or not be there; what counts is what went over the wire.
        with contextlib.suppress(Exception):
            call()


def write(storage, mode):
    with storage.open("docs/other.txt", mode) as file:
        file.write(b"changed")


@pytest.mark.parametrize("copy_on_read", [False, True])
def test_no_changing_request_reaches_the_production_bucket(
    production, s3_bucket, s3_proxy, tmp_path, copy_on_read
):
    local = FileSystemStorage(str(tmp_path), base_url="/media/")
    storage = FallbackStorage(
        {"local": local, "production": production}, write_to=["local"], copy_on_read=copy_on_read
    )
    with s3_proxy.recording() as requests:
        use_everything(storage)
    assert len(requests) > 10
    assert {request.method for request in requests} <= READS
    assert s3_bucket.get("media/old.txt") == b"production"
    assert sorted(s3_bucket.keys()) == ["media/docs/other.txt", "media/old.txt"]
    assert storage.open("docs/other.txt").read()


def test_the_same_calls_would_change_it_without_the_guard(production, s3_proxy):
    with s3_proxy.recording() as requests:
        use_everything(FallbackStorage([production]))
    assert {"PUT", "DELETE"} <= {request.method for request in requests}


def test_a_read_only_storage_sends_no_changing_request(production, s3_bucket, s3_proxy):
    with s3_proxy.recording() as requests:
        use_everything(ReadOnlyStorage(production))
    assert requests
    assert {request.method for request in requests} <= READS
    assert sorted(s3_bucket.keys()) == ["media/docs/other.txt", "media/old.txt"]
