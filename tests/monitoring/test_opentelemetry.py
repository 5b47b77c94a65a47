"""The spans of operations, and of the calls of S3 within them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Dict, Iterator, List

import pytest
from boto3.s3.transfer import TransferConfig
from django.core.files.base import ContentFile
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from smart_storages.common import reporting
from smart_storages.common.recording import Observer, observers
from smart_storages.exceptions import ConfigurationError, ObjectNotFoundError
from smart_storages.monitoring import opentelemetry

MIB = 1024 * 1024


@pytest.fixture
def provider() -> TracerProvider:
    return TracerProvider()


@pytest.fixture
def spans(provider: TracerProvider) -> Iterator[Any]:
    """Returns the spans that have ended, by name, in order."""
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    opentelemetry.install(provider)

    def finished() -> Dict[str, List[Any]]:
        reporting.flush()
        found: Dict[str, List[Any]] = {}
        for span in exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        exporter.clear()
        return found

    yield finished
    opentelemetry.uninstall()


def test_an_operation_is_a_span_with_its_calls_of_s3_within(
    spans: Any, make_storage: Any, s3_bucket: Any
) -> None:
    make_storage(location="x").save("a.txt", ContentFile(b"hello"))
    found = spans()
    assert set(found) == {"smart_storages.save", "S3.PutObject"}
    (saved,), (put,) = found["smart_storages.save"], found["S3.PutObject"]
    assert put.parent.span_id == saved.context.span_id
    assert saved.kind is SpanKind.INTERNAL
    assert dict(saved.attributes) == {
        "smart_storages.module": "media",
        "smart_storages.operation": "save",
        "smart_storages.name": "a.txt",
        "smart_storages.bytes": 5,
        "smart_storages.requests": 1,
        "smart_storages.retries": 0,
        "aws.s3.bucket": s3_bucket.name,
    }
    assert put.kind is SpanKind.CLIENT
    attributes = dict(put.attributes)
    attributes.pop("aws.request_id", None)  # moto sends none
    attributes.pop("aws.extended_request_id", None)
    assert attributes == {
        "rpc.system": "aws-api",
        "rpc.service": "S3",
        "rpc.method": "PutObject",
        "aws.s3.bucket": s3_bucket.name,
        "aws.s3.key": "x/a.txt",
        "http.response.status_code": 200,
    }


def test_spans_are_within_those_of_the_project(
    spans: Any, provider: TracerProvider, make_storage: Any
) -> None:
    storage = make_storage()
    with provider.get_tracer("project").start_as_current_span("view") as view:
        storage.exists("a.txt")

        async def use() -> None:
            await asyncio.gather(*(storage.aexists(f"{number}.txt") for number in range(4)))

        asyncio.run(use())
    found = spans()
    operations = found["smart_storages.exists"]
    assert {span.parent.span_id for span in operations} == {view.get_span_context().span_id}
    ids = [span.context.span_id for span in operations]
    assert sorted(span.parent.span_id for span in found["S3.HeadObject"]) == sorted(ids)
    assert len(set(ids)) == 5


def test_calls_of_helper_threads_are_within_their_operation(spans: Any, make_storage: Any) -> None:
    parts = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB)
    storage = make_storage(transfer_config=parts)
    storage.save("big", ContentFile(b"x" * 11 * MIB))
    found = spans()
    (saved,) = found["smart_storages.save"]
    uploads = found["S3.UploadPart"]
    assert sorted(span.attributes["aws.s3.part_number"] for span in uploads) == [1, 2, 3]
    assert {span.parent.span_id for span in uploads} == {saved.context.span_id}
    assert all(span.attributes["aws.s3.upload_id"] for span in uploads)
    with storage.open("big") as file:
        file.read()
    storage.save_many([(f"{number}", ContentFile(b"x")) for number in range(3)])
    found = spans()
    (opened,), (saved,) = found["smart_storages.open"], found["smart_storages.save_many"]
    assert {span.parent.span_id for span in found["S3.GetObject"]} == {opened.context.span_id}
    assert [span.parent.span_id for span in found["S3.PutObject"]] == [saved.context.span_id] * 3


def test_with_the_instrumentation_of_botocore_each_call_is_one_span_of_its_operation(
    spans: Any, provider: TracerProvider, make_storage: Any, s3_bucket: Any
) -> None:
    BotocoreInstrumentor().instrument(tracer_provider=provider)
    try:
        storage = make_storage()
        storage.exists("a.txt")  # sent directly, after botocore was asked how it would do it
        storage.listdir("")
    finally:
        BotocoreInstrumentor().uninstrument()
    found = spans()
    assert {name: len(each) for name, each in found.items()} == {
        "smart_storages.exists": 1,
        "S3.HeadObject": 1,
        "smart_storages.listdir": 1,
        "S3.ListObjectsV2": 1,
    }
    (listed,), (by_botocore,) = found["smart_storages.listdir"], found["S3.ListObjectsV2"]
    assert by_botocore.parent.span_id == listed.context.span_id
    (ours,) = found["S3.HeadObject"]
    shared = {"rpc.system", "rpc.service"}
    assert {name: ours.attributes[name] for name in shared} == {
        name: by_botocore.attributes[name] for name in shared
    }


def test_an_error_is_the_status_of_both(spans: Any, make_storage: Any) -> None:
    with pytest.raises(ObjectNotFoundError):
        make_storage().size("missing")
    found = spans()
    for name in ("smart_storages.size", "S3.HeadObject"):
        (span,) = found[name]
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == "ObjectNotFoundError"
        assert not span.events
    assert found["S3.HeadObject"][0].attributes["http.response.status_code"] == 404


def test_retries_are_on_the_span_of_their_call(
    spans: Any, make_storage: Any, s3_proxy: Any
) -> None:
    storage = make_storage()
    s3_proxy.inject(method="PUT", status=503)
    storage.save("a.txt", ContentFile(b"hello"))
    found = spans()
    assert found["S3.PutObject"][0].attributes["http.request.resend_count"] == 1
    assert found["smart_storages.save"][0].attributes["smart_storages.retries"] == 1


def test_a_copy_by_the_server_names_its_source(
    spans: Any, make_storage: Any, s3_bucket: Any
) -> None:
    storage = make_storage()
    storage.save("a.txt", ContentFile(b"hello"))
    storage.copy("a.txt", "b.txt")
    (copied,) = spans()["S3.CopyObject"]
    assert copied.attributes["aws.s3.copy_source"] == f"{s3_bucket.name}/a.txt"


def test_no_span_holds_a_secret(spans: Any, make_storage: Any, s3_bucket: Any) -> None:
    storage = make_storage()
    storage.save("a.txt", ContentFile(b"hello"))
    with storage.open("a.txt") as file:
        file.read()
    everything = "".join(span.to_json() for each in spans().values() for span in each)
    assert s3_bucket.secret_key not in everything
    assert "Signature" not in everything


def test_installing_twice_makes_one_span_and_uninstalling_none(
    spans: Any, provider: TracerProvider, make_storage: Any
) -> None:
    opentelemetry.install(provider)
    storage = make_storage()
    storage.exists("a.txt")
    assert len(spans()["smart_storages.exists"]) == 1
    opentelemetry.uninstall()
    opentelemetry.uninstall()
    storage.exists("a.txt")
    assert spans() == {}


def test_a_file_that_was_open_before_does_no_harm(
    provider: TracerProvider, make_storage: Any
) -> None:
    storage = make_storage()
    storage.save("a.txt", ContentFile(b"hello"))
    quiet = Observer()
    observers.append(quiet)
    try:
        file = storage.open("a.txt")
        opentelemetry.install(provider)
        assert file.read() == b"hello"
        file.close()
    finally:
        observers.remove(quiet)
        opentelemetry.uninstall()


def test_an_observer_that_raises_breaks_nothing(make_storage: Any, caplog: Any) -> None:
    class Broken(Observer):
        def begin(self, record: Any) -> None:
            raise RuntimeError("begin")

        enter = end = send = begin  # type: ignore[assignment]

    broken = Broken()
    observers.append(broken)
    try:
        storage = make_storage()
        storage.save("a.txt", ContentFile(b"hello"))
        with storage.open("a.txt") as file:
            assert file.read() == b"hello"
    finally:
        observers.remove(broken)
    assert "An observer of the operations of storages failed" in caplog.text


def test_without_the_package_the_error_says_what_to_install(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"django-smart-storages\[opentelemetry\]"):
        opentelemetry.install()
