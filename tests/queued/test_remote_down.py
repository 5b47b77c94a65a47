"""A remote that is down fails no save, whatever its errors are called."""

from __future__ import annotations

from typing import Any, Callable, ClassVar

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.models import QueuedFile
from smart_storages.wrappers.health import is_failure_of_storage
from tests.queued import broker
from tests.queued.conftest import DISK, local_files, pass_time, row_of

OURS = "smart_storages.storages.SmartS3Storage"
PLAIN = "storages.backends.s3.S3Storage"
try:
    import storages.backends.s3  # noqa: F401 - since django-storages 1.14
except ImportError:
    PLAIN = "storages.backends.s3boto3.S3Boto3Storage"


@pytest.fixture
def make_s3_queue(
    moto_bucket: Any, tmp_path: Any, transactional_db: None, messages: list
) -> Callable[..., QueuedStorage]:
    """Makes a queue from a disk to a bucket that is asked once for everything."""

    def make(
        remote: str, endpoint_url: str, *, file_overwrite: bool = False, **options: Any
    ) -> QueuedStorage:
        remote_options = {
            "bucket_name": moto_bucket.name,
            "endpoint_url": endpoint_url,
            "access_key": moto_bucket.access_key,
            "secret_key": moto_bucket.secret_key,
            "region_name": moto_bucket.region_name,
            "addressing_style": "path",
            "file_overwrite": file_overwrite,
            "client_config": Config(
                retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
            ),
        }
        local = {"location": str(tmp_path / "local")}
        return QueuedStorage(DISK, remote, local, remote_options, key="s3", **options)

    return make


@pytest.fixture
def wire(moto_bucket: Any) -> Any:
    from tests.servers import S3Proxy

    with S3Proxy(moto_bucket.endpoint_url) as proxy:
        yield proxy


def deliver_all() -> None:
    for _ in range(3):
        pass_time(1000)
        broker.messages.extend((pk, 0.0) for pk in QueuedFile.objects.values_list("pk", flat=True))
        broker.deliver()


@pytest.mark.parametrize("remote", [OURS, PLAIN])
@pytest.mark.parametrize("direct", [False, True])
def test_a_bucket_that_is_down_fails_no_save(
    make_s3_queue: Any, moto_bucket: Any, wire: Any, remote: str, direct: bool
) -> None:
    options = {"max_local_bytes": 0} if direct else {}
    queue = make_s3_queue(remote, wire.endpoint_url, **options)
    saved = {}
    with wire.refusing():
        saved[queue.save("refused.txt", ContentFile(b"hello"))] = "refused"
    wire.inject(times=None, lose_answer=True)
    saved[queue.save("silent.txt", ContentFile(b"hello"))] = "silent"
    wire.reset()
    wire.inject(times=None, status=503)
    saved[queue.save("busy.txt", ContentFile(b"hello"))] = "busy"
    for name, label in saved.items():
        assert name.startswith(label + "_"), "nobody said that the name was free"
        assert queue.using_local(name)
        assert queue.open(name).read() == b"hello"
    wire.reset()
    deliver_all()
    assert sorted(moto_bucket.keys()) == sorted(row_of(queue, each).remote_name for each in saved)
    for name in saved:
        assert queue.using_remote(name)
        assert queue.open(name).read() == b"hello"


def test_a_bucket_that_closes_at_the_look_afterwards_leaves_no_object(
    make_s3_queue: Any, moto_bucket: Any, wire: Any
) -> None:
    options = {"file_overwrite": True, "overwrite": False, "ask_remote": False}
    queue = make_s3_queue(OURS, wire.endpoint_url, max_local_bytes=0, **options)
    wire.inject(method="HEAD", times=None, lose_answer=True)
    wire.inject(method="GET", times=None, lose_answer=True)
    name = queue.save("a.txt", ContentFile(b"hello"))
    assert [each.method for each in wire.requests][:2] == ["PUT", "HEAD"]
    assert queue.using_local(name)
    wire.reset()
    deliver_all()
    assert moto_bucket.keys() == [row_of(queue, name).remote_name]
    assert queue.open(name).read() == b"hello"


class Failing(FileSystemStorage):
    """A remote that raises what it is told, after it has written a part."""

    error: ClassVar[Any] = None
    cannot_delete: ClassVar[bool] = False

    def exists(self, name: str) -> bool:
        if Failing.error:
            raise Failing.error
        return super().exists(name)

    def _save(self, name: str, content: Any) -> str:
        saved = super()._save(name, ContentFile(b"par"))
        raise Failing.error or OSError(28, "No space left on device", saved)

    def get_available_name(self, name: str, max_length: Any = None) -> str:
        return name

    def delete(self, name: str) -> None:
        if Failing.cannot_delete:
            raise ConnectionError("unreachable")
        super().delete(name)


class ProviderError(Exception):
    """What the client of another provider raises."""


SILENT = [
    ConnectionError("unreachable"),
    EndpointConnectionError(endpoint_url="http://nowhere"),
    ConnectTimeoutError(endpoint_url="http://nowhere"),
    ClientError({"Error": {"Code": "503"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "Head"),  # type: ignore[typeddict-item]
    ClientError({"Error": {"Code": "NoSuchBucket"}}, "Head"),
    ProviderError("no answer"),
]
MISTAKES = [ImproperlyConfigured("wrong"), TypeError("wrong"), KeyError("wrong")]


def test_what_a_failure_of_a_remote_is(make_queue: Any, monkeypatch: Any, tmp_path: Any) -> None:
    direct = {"max_local_bytes": 0}
    for number, options in enumerate(({}, direct, {**direct, "overwrite": True})):
        queue = make_queue(remote=f"{__name__}.Failing", key=f"{number}", **options)
        for error in SILENT:
            monkeypatch.setattr(Failing, "error", error)
            assert is_failure_of_storage(error)
            name = queue.save("a.txt", ContentFile(b"hello"))
            assert queue.open(name).read() == b"hello", error
        for error in MISTAKES:
            monkeypatch.setattr(Failing, "error", error)
            if not options.get("overwrite"):  # else an old row is enough to know
                before = QueuedFile.objects.count()
                with pytest.raises(type(error)):
                    queue.save("a.txt", ContentFile(b"hello"))
                assert QueuedFile.objects.count() == before


@pytest.mark.parametrize("cannot_delete", [False, True])
def test_a_part_that_a_remote_has_written_is_taken_away(
    make_queue: Any, monkeypatch: Any, cannot_delete: bool
) -> None:
    monkeypatch.setattr(Failing, "cannot_delete", cannot_delete)
    queue = make_queue(remote=f"{__name__}.Failing", max_local_bytes=0, ask_remote=False)
    name = queue.save("a.txt", ContentFile(b"hello"))
    assert queue.open(name).read() == b"hello"
    assert len(local_files(queue)) == 1
    left = queue.remote.listdir("")[1]
    assert len(left) == (1 if cannot_delete else 0)
    assert queue.listdir("")[1] == [name], "no reader of the queue sees it"
    monkeypatch.setattr(Failing, "cannot_delete", False)
    monkeypatch.setattr(Failing, "_save", FileSystemStorage._save)
    deliver_all()
    assert queue.remote.listdir("")[1] == [row_of(queue, name).remote_name]
    assert queue.open(name).read() == b"hello"


def test_a_mistake_in_a_remote_is_told_and_leaves_no_row(make_queue: Any, monkeypatch: Any) -> None:
    queue = make_queue(remote=f"{__name__}.Failing", max_local_bytes=0, ask_remote=False)
    monkeypatch.setattr(Failing, "cannot_delete", True)
    for error in MISTAKES:
        monkeypatch.setattr(Failing, "error", error)
        with pytest.raises(type(error)):
            queue.save("a.txt", ContentFile(b"hello"))
    assert not QueuedFile.objects.exists()
    assert local_files(queue) == []
