"""The requests that botocore's client sends, as they are counted."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from smart_storages.common.recording import Record
from smart_storages.common.reporting import Place


@pytest.fixture
def record() -> Record:
    return Record(Place(object, "media", None), "test", None)


def test_each_attempt_is_a_request_and_each_but_the_first_a_retry(
    make_storage: Any, s3_proxy: Any, s3_bucket: Any, record: Record
) -> None:
    client = make_storage().client
    s3_proxy.inject(method="GET", status=503)
    with record.active():
        client.list_objects_v2(Bucket=s3_bucket.name)
        with pytest.raises(ClientError):
            client.head_object(Bucket=s3_bucket.name, Key="missing")
    client.list_objects_v2(Bucket=s3_bucket.name)
    assert (record.requests, record.retries) == (3, 1)
    assert len(s3_proxy.requests) == 4


def test_what_never_left_is_no_request(
    make_storage: Any, s3_proxy: Any, s3_bucket: Any, record: Record
) -> None:
    client = make_storage().client
    with s3_proxy.refusing(), record.active(), pytest.raises(EndpointConnectionError):
        client.list_objects_v2(Bucket=s3_bucket.name)
    assert record.requests == 0
    assert record.retries > 0


def test_an_answer_that_was_lost_was_a_request(
    make_storage: Any, s3_proxy: Any, s3_bucket: Any, record: Record
) -> None:
    client = make_storage().client
    s3_proxy.inject(method="GET", lose_answer=True)
    with record.active():
        client.list_objects_v2(Bucket=s3_bucket.name)
    assert (record.requests, record.retries) == (len(s3_proxy.requests), 1)
