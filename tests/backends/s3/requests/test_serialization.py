"""Requests and answers by table, held equal to botocore's serializer and parser."""

from __future__ import annotations

from typing import Any, Dict

import boto3
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends.s3.clients.direct import WRITES
from smart_storages.backends.s3.requests.serialization import operation_of

_client = boto3.client(
    "s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
)
_serializer = create_serializer("rest-xml", include_validation=False)
_parser = create_parser("rest-xml")

texts = st.text(max_size=8)
operations = st.sampled_from(sorted(WRITES))


def inputs_of(operation: str) -> Any:
    shape = _client.meta.service_model.operation_model(operation).input_shape
    kinds: Dict[str, Any] = {
        "string": texts,
        "integer": st.integers(1, 10_000),
        "boolean": st.booleans(),
        "map": st.dictionaries(texts, texts, max_size=3),
        "timestamp": st.datetimes(),
    }
    chosen = {
        name: kinds[member.type_name]
        for name, member in shape.members.items()
        if member.type_name in kinds and name not in shape.required_members
    }
    required = {
        name: kinds.get(shape.members[name].type_name, st.nothing())
        for name in shape.required_members
    }
    return st.fixed_dictionaries(required, optional=chosen)


@given(data=st.data(), operation=st.sampled_from(sorted(WRITES - {"DeleteObjects"})))
def test_parameters_become_the_headers_and_the_query_that_botocore_makes(
    data: Any, operation: str
) -> None:
    params = data.draw(inputs_of(operation))
    known = operation_of(_client, operation)
    made = known.serialize(params)
    if made is None:
        return
    expected = _serializer.serialize_to_request(params, known.model)
    assert made[0] == dict(expected["headers"])
    assert made[1] == {name: str(value) for name, value in expected["query_string"].items()}
    assert known.method == expected["method"]
    assert known.subresource == expected["url_path"].partition("?")[2]
    assert not expected["body"]


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        (
            "PutObject",
            {"ContentType": "text/plain", "Metadata": {"write-id": "a"}, "ACL": "private"},
        ),
        ("PutObject", {"IfNoneMatch": "*", "CacheControl": "max-age=1", "Tagging": "a=b"}),
        ("UploadPart", {"PartNumber": 7, "UploadId": "x"}),
        ("CreateMultipartUpload", {"ContentType": "text/plain", "StorageClass": "STANDARD"}),
        ("AbortMultipartUpload", {"UploadId": "x"}),
        ("DeleteObject", {"VersionId": "x"}),
    ],
)
def test_the_common_requests_need_no_serializer(operation: str, params: Dict[str, Any]) -> None:
    params = {**params, "Bucket": "acme", "Key": "a.txt"}
    assert operation_of(_client, operation).serialize(params) is not None


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("PutObject", {"Metadata": {"a": 1}}),
        ("PutObject", {"ContentType": b"text/plain"}),
        ("PutObject", {"BucketKeyEnabled": True}),
        ("PutObject", {"ContentType": None}),
        ("UploadPart", {"PartNumber": "7"}),
        ("CompleteMultipartUpload", {"MultipartUpload": {"Parts": []}}),
        ("DeleteObjects", {"Delete": {"Objects": []}}),
    ],
)
def test_botocore_serializes_all_others(operation: str, params: Dict[str, Any]) -> None:
    assert operation_of(_client, operation).serialize(params) is None


header_names = st.sampled_from(
    [
        "etag", "x-amz-version-id", "x-amz-request-id", "x-amzn-requestid", "x-amz-id-2", "date",
        "x-amz-server-side-encryption", "x-amz-checksum-crc32", "x-amz-expiration", "x-unknown",
        "x-amz-delete-marker", "x-amz-abort-rule-id",
    ]
)  # fmt: skip


@given(operations, st.dictionaries(header_names, st.text(max_size=8)))
def test_an_answer_of_headers_alone_becomes_the_dict_that_botocore_makes(
    operation: str, headers: Dict[str, str]
) -> None:
    known = operation_of(_client, operation)
    answer = known.parse(200, headers)
    if answer is None:
        return
    received = {"status_code": 200, "headers": HeadersDict(headers), "body": b""}
    assert answer == _parser.parse(received, known.model.output_shape)


def test_the_answers_to_a_save_and_a_delete_need_no_parser() -> None:
    headers = {"etag": '"abc"', "x-amz-request-id": "r", "x-amz-version-id": "v"}
    for operation in ("PutObject", "UploadPart", "DeleteObject", "AbortMultipartUpload"):
        assert operation_of(_client, operation).parse(200, headers) is not None
    assert operation_of(_client, "DeleteObject").parse(204, {"x-amz-delete-marker": "true"}) is None
    assert operation_of(_client, "DeleteObjects").parse(200, headers) is None
