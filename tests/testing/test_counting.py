"""What storages do is counted."""

from __future__ import annotations

import threading

from django.core.files.base import ContentFile

from smart_storages.storages import SmartS3Storage
from smart_storages.testing import count_operations, override_buckets
from smart_storages.utils import get_storage
from tests.conftest import lead_to


def test_operations_and_bytes_are_counted_in_all_threads():
    with override_buckets(buckets={"*": {}}):
        media, other = get_storage("media"), get_storage("other")
        with count_operations() as every, count_operations("media") as counted:
            media.save("a.txt", ContentFile(b"hello"))
            thread = threading.Thread(target=media.exists, args=("a.txt",))
            thread.start()
            thread.join()
            with media.open("a.txt") as file:
                file.read()
            other.exists("a.txt")
        media.exists("a.txt")
    assert (counted["save"], counted["exists"], counted["delete"]) == (1, 1, 0)
    assert (counted.total, every.total) == (3, 4)
    assert (counted.bytes, counted.requests) == (5, 0)
    assert repr(counted) == "<Counted exists: 1, open: 1, save: 1; 0 requests, 5 bytes>"


def test_requests_to_s3_are_counted(moto_bucket, settings):
    lead_to(settings, moto_bucket.server, moto_bucket.name)
    storage = SmartS3Storage("media")
    with count_operations() as counted:
        storage.save("a.txt", ContentFile(b"hello"))
    assert (counted["save"], counted.requests, counted.bytes) == (1, 1, 5)
