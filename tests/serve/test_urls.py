"""URLs for pages and APIs, with as many options as the storage knows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, List
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.db import models
from django.db.models.fields.files import FieldFile

from smart_storages.backends.s3.signing import sigv4
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.resolvers import ByPathPrefix
from smart_storages.serve import file_url
from smart_storages.serve.urls import url_of
from smart_storages.storages import SmartS3Storage
from tests.conftest import Bucket
from tests.old_releases import needs_newer_moto

KEYS = {"access_key": "key", "secret_key": "secret", "region_name": "eu-central-1"}


def make(**options: Any) -> SmartS3Storage:
    return SmartS3Storage("media", bucket_name="acme", **KEYS, **options)


def value_of(storage: Any, name: str) -> FieldFile:
    return FieldFile(None, models.FileField(storage=storage), name)  # type: ignore[arg-type]


def test_the_options_are_part_of_the_signed_url() -> None:
    file = value_of(make(), "reports/7f3a.pdf")
    assert urlsplit(file_url(file)).path == urlsplit(file.url).path
    query = parse_qs(urlsplit(file_url(file, expire=300, filename="Überblick.pdf")).query)
    assert query["X-Amz-Expires"] == ["300"]
    assert query["response-content-disposition"] == [
        "attachment; filename*=UTF-8''%C3%9Cberblick.pdf"
    ]
    query = parse_qs(urlsplit(file_url(file, download=True)).query)
    assert query["response-content-disposition"] == ['attachment; filename="7f3a.pdf"']
    with pytest.raises(ValueError, match="between 1 second and 7 days"):
        file_url(file, expire=10_000_000)


def test_a_row_without_a_file_has_no_url() -> None:
    assert file_url(value_of(make(), "")) == ""
    assert file_url(None) == ""


@needs_newer_moto
def test_the_bucket_sends_what_the_url_says(s3_bucket: Bucket, s3_settings: Any) -> None:
    s3_bucket.put("a.pdf", b"%PDF")
    storage = StorageDispatcher(ByPathPrefix({}, default="a"), storages={"a": SmartS3Storage("m")})
    url = file_url(value_of(storage, "a.pdf"), download=True)
    answer = urllib3.PoolManager().request("GET", url)
    assert (answer.status, answer.data) == (200, b"%PDF")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a.pdf"'


def test_a_storage_that_knows_no_options_gives_its_url(tmp_path: Any) -> None:
    disk = FileSystemStorage(str(tmp_path), base_url="/media/")
    assert file_url(value_of(disk, "a.pdf"), expire=60, download=True) == "/media/a.pdf"
    # S3 refuses these parameters to whoever does not sign.
    public = file_url(value_of(make(querystring_auth=False), "a.pdf"), download=True)
    assert urlsplit(public).query == ""


def test_what_a_storage_of_another_package_knows_is_used() -> None:
    class Expiring(Storage):
        def url(self, name: Any, expire: Any = None) -> str:  # type: ignore[override]
            return f"/{name}?expire={expire}"

    class Broken(Storage):
        def url(self, name: Any, **options: Any) -> str:  # type: ignore[override]
            return name + 1  # type: ignore[no-any-return]

    assert file_url(value_of(Expiring(), "a"), expire=60, download=True) == "/a?expire=60"
    assert url_of(Expiring(), "a", http_method="HEAD") == "/a?expire=None"
    with pytest.raises(TypeError, match="concatenate"):
        file_url(value_of(Broken(), "a"), expire=60)


def test_a_thumbnail_is_as_good_as_a_field() -> None:
    thumbnail = SimpleNamespace(storage=make(), name="a.jpg.400x0.jpg")
    assert "X-Amz-Expires=60" in file_url(thumbnail, expire=60)


def test_a_file_that_waits_is_saved_under_its_name(
    tmp_path: Any, transactional_db: None, settings: Any
) -> None:
    from smart_storages.queued.backends import QueuedStorage

    disks = [FileSystemStorage(str(tmp_path / each), base_url="/x/") for each in ("l", "r")]
    queue = QueuedStorage(*disks, signed_urls=True, durable=False, key="urls", delayed=True)
    queue.save("a.pdf", ContentFile(b"%PDF"))
    url = file_url(value_of(queue, "a.pdf"), filename="July.pdf")
    from django.test import Client

    answer = Client().get(url)
    assert answer["Content-Disposition"] == 'attachment; filename="July.pdf"'


def test_a_page_of_a_thousand_urls_derives_one_key(monkeypatch: Any) -> None:
    make().url("a.jpg")  # the first URL of a bucket is compared with one of botocore
    derived: List[Any] = []
    derive = sigv4.derive_key.__wrapped__

    def count(*args: Any) -> bytes:
        derived.append(args)
        return bytes(derive(*args))

    monkeypatch.setattr(sigv4, "derive_key", count)
    monkeypatch.setattr(sigv4, "time", lambda: 1_800_000_000)
    storage = make()
    files = [value_of(storage, f"a/{number}.jpg") for number in range(1_000)]
    assert len({file_url(file, expire=300) for file in files}) == 1_000
    assert len({day for _, day, _ in derived}) == len(derived) == 1
