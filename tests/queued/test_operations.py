"""A queue between buckets is seen by what its two storages do, request for request."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List

import pytest
from django.core.files.base import ContentFile

from smart_storages.common import reporting
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.tasks import TransferAndDelete
from smart_storages.signals import storage_operation
from tests.queued import broker
from tests.servers import S3Proxy

S3 = "smart_storages.storages.SmartS3Storage"


@pytest.fixture
def wire(s3_bucket: Any) -> Iterator[S3Proxy]:
    with S3Proxy(s3_bucket.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def said(wire: S3Proxy) -> Iterator[Callable[[], List[str]]]:
    """Returns the operations since the last call, having held their requests against the proxy."""
    reports: List[Dict[str, Any]] = []

    def note(**fields: Any) -> None:
        reports.append(fields)

    def look() -> List[str]:
        reporting.flush()
        mine, reports[:] = list(reports), []
        seen, wire.requests = wire.requests, []
        assert sum(each["requests"] for each in mine) == len(seen), (mine, seen)
        return [each["operation"] for each in mine]

    storage_operation.connect(note)
    yield look
    storage_operation.disconnect(note)


@pytest.fixture
def make(s3_bucket: Any, wire: S3Proxy, transactional_db: None) -> Callable[..., QueuedStorage]:
    place = {
        "bucket_name": s3_bucket.name,
        "endpoint_url": wire.endpoint_url,
        "access_key": s3_bucket.access_key,
        "secret_key": s3_bucket.secret_key,
        "region_name": s3_bucket.region_name,
        "addressing_style": "path",
    }

    def make(**remote: Any) -> QueuedStorage:
        options = [{**place, "location": "staging"}, {**place, "location": "final", **remote}]
        return QueuedStorage(S3, S3, *options, task=TransferAndDelete, key="seen")

    return make


def test_a_transfer_in_a_worker_is_seen(make: Any, said: Any, messages: list) -> None:
    queue = make()
    queue.save("a.txt", ContentFile(b"hello"))
    assert said() == ["save"]
    assert broker.deliver() == ["done"]
    done = said()
    assert "copy" in done
    assert "stat" in done
    assert done[-1] == "delete"
    with queue.open("a.txt") as file:
        assert file.read() == b"hello"
    assert said() == ["open"]
    queue.delete("a.txt")
    assert broker.deliver() == ["deleted"]
    assert set(said()) <= {"delete", "exists"}


def test_a_transfer_inline_is_seen(make: Any, said: Any, settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    queue = make(file_overwrite=False)
    for _ in range(2):
        queue.save("a.txt", ContentFile(b"hello"))
    found = said()
    assert found.count("copy") == 2
    assert found.count("delete") == 2


def test_what_is_compressed_on_its_way_passes_through(make: Any, said: Any, messages: list) -> None:
    queue = make(gzip=True)
    queue.save("a.css", ContentFile(b"hello " * 1000))
    assert broker.deliver() == ["done"]
    found = said()
    assert found.count("save") == 2
    assert "copy" not in found
    assert "open" in found


def test_a_transfer_that_fails_is_seen(make: Any, said: Any, wire: S3Proxy, messages: list) -> None:
    queue = make(gzip=True)
    queue.save("a.css", ContentFile(b"hello"))
    said()
    wire.inject(method="PUT", status=403)
    assert broker.deliver() == ["retry"]
    assert sorted(said()) == ["open", "save"]


def test_a_copy_in_parts_counts_its_threads(
    make: Any, said: Any, messages: list, monkeypatch: Any
) -> None:
    from s3transfer.manager import TransferConfig

    made = TransferConfig.__init__

    def in_parts(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        self.multipart_threshold = self.multipart_chunksize = 5 * 1024 * 1024

    queue = make()
    queue.save("big", ContentFile(b"x" * 11 * 1024 * 1024))
    said()
    monkeypatch.setattr(TransferConfig, "__init__", in_parts)
    assert broker.deliver() == ["done"]
    assert "copy" in said()
