"""What commands and storages leave behind for the page "Buckets"."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Iterator

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db import transaction

from smart_storages.exceptions import ObjectNotFoundError, S3Error
from smart_storages.monitoring import noting
from smart_storages.monitoring.models import BucketCheck, BucketUsage
from smart_storages.signals import bucket_measured, storage_operation
from tests.conftest import Bucket
from tests.management.calls import call


@pytest.fixture
def listening() -> Iterator[None]:
    cache.clear()
    noting.connect()
    yield
    storage_operation.disconnect(dispatch_uid="smart_storages.monitoring.noting.error")
    cache.clear()


@pytest.fixture
def module(s3_bucket: Bucket, s3_settings: Any) -> Any:
    """The only module, ``media``, and its entry."""
    entry = {"bucket_name": s3_bucket.name, "provider": s3_bucket.server.name, "location": "in"}
    s3_settings.SMART_STORAGE_BUCKETS = {"media": entry}
    return entry


@pytest.mark.django_db
# moto keeps nothing private
@pytest.mark.parametrize(
    "s3_server", [pytest.param("ceph", marks=pytest.mark.real_s3)], indirect=True
)
def test_a_check_is_noted_with_what_is_wrong(module: Any, s3_settings: Any) -> None:
    assert call("check", "media").code == 0
    module["bucket_name"] = "no-such-bucket-anywhere"
    s3_settings.SMART_STORAGE_BUCKETS = {"media": module}
    assert call("check", "media").code == 1
    fine, wrong = BucketCheck.objects.order_by("pk")
    assert (fine.module, fine.is_fine) == ("media", True)
    assert all(finding["status"] == "warning" for finding in fine.findings)
    assert (wrong.bucket, wrong.is_fine) == ("no-such-bucket-anywhere", False)
    assert [finding["status"] for finding in wrong.findings].count("failed") >= 1
    assert str(s3_settings.AWS_S3_SECRET_ACCESS_KEY) not in str(wrong.findings)


@pytest.mark.django_db
def test_usage_is_noted(module: Any, s3_bucket: Bucket) -> None:
    for number in range(3):
        s3_bucket.put(f"in/{number}", b"hello")
    s3_bucket.client.create_multipart_upload(Bucket=s3_bucket.name, Key="in/film")
    assert call("usage", "media").code == 0
    row = BucketUsage.objects.get()
    assert (row.module, row.bucket, row.location) == ("media", s3_bucket.name, "in/")
    assert (row.files, row.bytes, row.incomplete_uploads) == (3, 15, 1)
    assert row.newest is not None


@pytest.mark.django_db
@pytest.mark.one_server
def test_a_table_that_is_missing_is_told_and_stops_no_command(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**values: Any) -> None:
        raise RuntimeError("no such table")

    monkeypatch.setattr(BucketUsage.objects, "create", refuse)
    answer = call("usage", "media")
    assert answer.code == 0
    assert "note_usage could not note the result: no such table" in answer.err


@pytest.mark.django_db
def test_the_oldest_rows_of_a_module_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "_MOST_ROWS", 3)
    for number in range(5):
        for module in ("media", "other") if number < 2 else ("media",):
            noting.note_usage(
                module, "b", "", files=number, bytes=0, newest=None, incomplete_uploads=None
            )
    kept = BucketUsage.objects.order_by("pk").values_list("module", "files")
    assert sorted(kept) == [("media", 2), ("media", 3), ("media", 4), ("other", 0), ("other", 1)]


@pytest.mark.one_server
def test_errors_are_kept_and_answers_are_not(
    listening: None, make_storage: Any, s3_proxy: Any
) -> None:
    storage = make_storage()
    storage.save("a.txt", ContentFile(b"x"))
    with pytest.raises(ObjectNotFoundError):
        storage.size("missing")
    assert noting.read_errors() == []
    s3_proxy.inject(method="GET", status=403, times=None)
    for number in range(noting._MOST_ERRORS + 2):
        with pytest.raises(S3Error):
            storage.open(f"{number}.txt")
    errors = noting.read_errors()
    assert len(errors) == noting._MOST_ERRORS
    assert (errors[0]["module"], errors[0]["operation"]) == ("media", "open")
    assert errors[0]["name"] == f"{noting._MOST_ERRORS + 1}.txt"
    assert errors[0]["error"].startswith("AccessDeniedError: ")
    assert (datetime.now(timezone.utc) - errors[0]["at"]).total_seconds() < 60


@pytest.mark.one_server
@pytest.mark.django_db
def test_a_cache_in_the_database_has_no_part_in_a_transaction(
    listening: None,
    make_storage: Any,
    s3_proxy: Any,
    settings: Any,
    django_assert_num_queries: Any,
) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "no_such_table",
        }
    }
    s3_proxy.inject(method="GET", status=403, times=None)
    storage = make_storage()
    # On PostgreSQL, one query that fails would end the project's transaction.
    with transaction.atomic(), django_assert_num_queries(0), pytest.raises(S3Error):
        storage.open("a.txt")


@pytest.mark.one_server
def test_a_cache_that_is_down_leaves_the_operation_alone(
    listening: None, make_storage: Any, s3_proxy: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("no cache")

    monkeypatch.setattr("django.core.cache.backends.locmem.LocMemCache.get", refuse)
    s3_proxy.inject(method="GET", status=403, times=None)
    with pytest.raises(S3Error):
        make_storage().open("a.txt")
    assert "An error of a storage could not be kept." in caplog.text


def test_other_errors_are_named_and_not_quoted(listening: None) -> None:
    noting.note_error("media", "save", "a", ValueError("a secret of the project's own"))
    assert [each["error"] for each in noting.read_errors()] == ["ValueError"]


@pytest.mark.django_db
def test_receivers_are_connected_once(listening: None) -> None:
    noting.connect()
    values = {"files": 1, "bytes": 1, "newest": None, "incomplete_uploads": None}
    bucket_measured.send(sender=None, module="m", bucket="b", location="", **values)
    assert BucketUsage.objects.count() == 1
