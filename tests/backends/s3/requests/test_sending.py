"""The requests that write, sent directly: what botocore would send, and what it would answer."""

from __future__ import annotations

import datetime
import io
from contextlib import suppress
from typing import Any, Dict, Iterator, List, Tuple

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends.s3.clients.direct import direct_client_of
from smart_storages.backends.s3.requests import sending
from smart_storages.backends.s3.requests.sending import send
from smart_storages.backends.s3.requests.timestamps import read_timestamp
from smart_storages.common import on_loop
from tests.conftest import Bucket
from tests.servers import S3Proxy


def is_direct(proxy: S3Proxy, position: int = -1) -> bool:
    """Whether a request was ours: botocore marks each of its own with an id."""
    return "amz-sdk-invocation-id" not in proxy.requests[position].headers


class TestEveryOperation:
    def test_a_file_is_put_and_deleted(
        self, s3_bucket: Bucket, client: Any, proxy: S3Proxy
    ) -> None:
        for body in (b"", b"text", io.BytesIO(b"y" * 3_000_000), bytearray(b"array")):
            content = body.getvalue() if isinstance(body, io.BytesIO) else bytes(body)
            answer = send(
                client,
                "PutObject",
                Bucket=s3_bucket.name,
                Key="a b/é.txt",
                Body=body,
                checksum="md5",
                ContentType="text/plain",
                Metadata={"write-id": "abc"},
            )
            assert is_direct(proxy)
            assert s3_bucket.get("a b/é.txt") == content
            head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="a b/é.txt")
            assert answer["ETag"] == head["ETag"]
            assert (head["ContentType"], head["Metadata"]) == ("text/plain", {"write-id": "abc"})
        send(client, "DeleteObject", Bucket=s3_bucket.name, Key="a b/é.txt")
        assert is_direct(proxy)
        assert s3_bucket.keys() == []

    @pytest.mark.parametrize("checksum", ["md5", "CRC32"])
    def test_a_file_goes_up_in_parts(
        self, s3_bucket: Bucket, client: Any, proxy: S3Proxy, checksum: str
    ) -> None:
        if s3_bucket.server.name == "ceph" and checksum == "CRC32":
            pytest.skip("Ceph 16 knows no such checksums; its row of providers says md5")
        place = {"Bucket": s3_bucket.name, "Key": "film"}
        chosen = {} if checksum == "md5" else {"ChecksumAlgorithm": checksum}
        upload = send(client, "CreateMultipartUpload", **place, ContentType="video/mp4", **chosen)
        place["UploadId"] = upload["UploadId"]
        parts = []
        for number, body in enumerate([b"a" * 5 * 1024**2, b"b"], 1):
            answer = send(
                client, "UploadPart", **place, PartNumber=number, Body=body, checksum=checksum
            )
            sums = {name: answer[name] for name in answer if name.startswith("ChecksumCRC")}
            parts.append({"PartNumber": number, "ETag": answer["ETag"], **sums})
        send(client, "CompleteMultipartUpload", **place, MultipartUpload={"Parts": parts})
        assert all(is_direct(proxy, -position) for position in range(1, 5))
        assert s3_bucket.get("film") == b"a" * 5 * 1024**2 + b"b"

        upload = send(client, "CreateMultipartUpload", Bucket=s3_bucket.name, Key="film")
        place["UploadId"] = upload["UploadId"]
        send(client, "AbortMultipartUpload", **place)
        assert s3_bucket.open_uploads() == []

    def test_many_files_are_deleted(self, s3_bucket: Bucket, client: Any, proxy: S3Proxy) -> None:
        for key in ("a", "b&<é>", "c"):
            s3_bucket.put(key, b"x")
        answer = send(
            client,
            "DeleteObjects",
            Bucket=s3_bucket.name,
            Delete={"Objects": [{"Key": "a"}, {"Key": "b&<é>"}, {"Key": "none"}]},
        )
        assert is_direct(proxy)
        assert sorted(each["Key"] for each in answer["Deleted"]) == ["a", "b&<é>", "none"]
        assert s3_bucket.keys() == ["c"]

    def test_a_condition_that_does_not_hold(self, s3_bucket: Bucket, client: Any) -> None:
        s3_bucket.put("a", b"first")
        with pytest.raises(ClientError) as caught:
            send(
                client,
                "PutObject",
                Bucket=s3_bucket.name,
                Key="a",
                Body=b"second",
                IfNoneMatch="*",
                checksum="md5",
            )
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
        assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0
        assert s3_bucket.get("a") == b"first"


class TestWhatTheClientSends:
    @pytest.mark.parametrize(
        "params",
        [
            {"checksum": "SHA256"},
            {"checksum": "md5", "Metadata": {"a": "é"}},
            {"checksum": "md5", "Surprise": "x"},
            {"checksum": "md5", "ContentDisposition": 'attachment; filename="é.txt"'},
        ],
    )
    def test_is_what_is_not_known_here(
        self, s3_bucket: Bucket, client: Any, proxy: S3Proxy, params: Dict[str, Any]
    ) -> None:
        before = len(proxy.requests)
        with suppress(BotoCoreError, ClientError):
            send(client, "PutObject", Bucket=s3_bucket.name, Key="k", Body=b"x", **params)
        assert not any(is_direct(proxy, at) for at in range(before, len(proxy.requests)))

    def test_is_everything_once_somebody_listens(
        self, s3_bucket: Bucket, client: Any, proxy: S3Proxy
    ) -> None:
        seen: List[Any] = []
        client.meta.events.register("before-send.s3.PutObject", lambda **each: seen.append(each))
        send(client, "PutObject", Bucket=s3_bucket.name, Key="k", Body=b"x", checksum="md5")
        assert seen
        assert not is_direct(proxy)


class TestFaults:
    @pytest.fixture(autouse=True)
    def _no_pauses(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(on_loop, "sleep", lambda seconds: None)
        return

    def test_a_body_that_is_changed_on_its_way_is_refused(
        self, s3_bucket: Bucket, client: Any, proxy: S3Proxy
    ) -> None:
        if s3_bucket.server.name == "moto":
            pytest.skip("moto looks at no body")
        route = direct_client_of(client).route(s3_bucket.name)
        request = sending._serialize(
            client, "PutObject", route, {"Bucket": s3_bucket.name, "Key": "k"}, b"what was meant"
        )
        headers: Dict[str, str] = {}
        payload = sending._protect(client, route, request, "md5", headers)
        added = route.header_signer.sign("PUT", request.path, headers, payload=payload)
        changed = b"what was sent!"
        response = sending.exchange(
            route.pool, "PUT", request.path, {"Host": route.host, **headers, **added}, changed
        )
        text = response.raw.read()
        response.release()
        assert response.status == 400, text
        assert s3_bucket.keys() == []

    def test_a_lost_answer_is_told_by_the_count_of_retries(
        self, s3_bucket: Bucket, client: Any, proxy: S3Proxy
    ) -> None:
        send(client, "PutObject", Bucket=s3_bucket.name, Key="warm", Body=b"x", checksum="md5")
        proxy.inject(lose_answer=True)
        answer = send(
            client, "PutObject", Bucket=s3_bucket.name, Key="k", Body=b"x", checksum="md5"
        )
        assert answer["ResponseMetadata"]["RetryAttempts"] >= 1
        assert s3_bucket.get("k") == b"x"


# Beside botocore, without a server

CLIENT = boto3.session.Session().client(
    "s3",
    endpoint_url="http://127.0.0.1:9",
    region_name="us-east-1",
    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="secret",
    config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
)

_OF_BOTOCORE = {
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "content-length",
    "content-md5",
    "content-type",  # which botocore guesses for a body without one
    "expect",
    "user-agent",
    "x-amz-content-sha256",
    "x-amz-date",
}

words = st.text(alphabet="abcXYZ019-_./ ;=", min_size=1, max_size=20).filter(
    lambda text: text.strip() == text
)
keys = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=30)
put_params = st.fixed_dictionaries(
    {},
    optional={
        "ACL": st.sampled_from(["private", "public-read"]),
        "CacheControl": words,
        "ContentDisposition": words,
        "ContentEncoding": st.just("gzip"),
        "ContentLanguage": st.just("de"),
        "ContentType": words,
        "Expires": st.just(datetime.datetime(2030, 1, 2)),
        "IfNoneMatch": st.just("*"),
        "Metadata": st.dictionaries(st.sampled_from(["a", "write-id"]), words),
        "RequestPayer": st.just("requester"),
        "SSEKMSKeyId": words,
        "ServerSideEncryption": st.sampled_from(["AES256", "aws:kms"]),
        "StorageClass": st.just("STANDARD_IA"),
        "Tagging": st.just("a=b&c=d%20e"),
    },
)
others = st.sampled_from(
    [
        ("CopyObject", {"CopySource": {"Bucket": "other", "Key": "a b+c/é~.txt"}}),
        (
            "CopyObject",
            {
                "CopySource": {"Bucket": "other", "Key": "a//b"},
                "CopySourceIfMatch": '"abc"',
                "Metadata": {"a": "b"},
                "MetadataDirective": "REPLACE",
            },
        ),
        ("DeleteObject", {}),
        ("DeleteObject", {"VersionId": "a b+c"}),
        ("CreateMultipartUpload", {"ContentType": "a/b", "Metadata": {"a": "b"}}),
        ("AbortMultipartUpload", {"UploadId": "2~a+b/c="}),
        (
            "CompleteMultipartUpload",
            {
                "UploadId": "2~a+b/c=",
                "IfNoneMatch": "*",
                "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": '"a"'}]},
            },
        ),
    ]
)


def what_botocore_sends(operation: str, **params: Any) -> Any:
    caught: List[Any] = []

    def catch(request: Any, **kwargs: Any) -> Any:
        caught.append(request)
        return AWSResponse(request.url, 500, {}, io.BytesIO(b""))

    event = f"before-send.s3.{operation}"
    CLIENT.meta.events.register(event, catch)
    try:
        getattr(CLIENT, sending.xform_name(operation))(Bucket="acme", **params)
    except Exception:
        assert caught, "botocore refused the parameters"
    finally:
        CLIENT.meta.events.unregister(event, catch)
    return caught[0]


def what_we_send(operation: str, params: Dict[str, Any], body: Any) -> Any:
    route = direct_client_of(CLIENT).route("acme")
    assert route is not None
    return sending._serialize(CLIENT, operation, route, {**params, "Bucket": "acme"}, body)


@given(key=keys, call=st.one_of(st.tuples(st.just("PutObject"), put_params), others))
def test_a_request_is_what_botocore_would_send(key: str, call: Tuple[str, Dict[str, Any]]) -> None:
    operation, params = call
    body = b"content" if operation == "PutObject" else None
    given_body = {} if body is None else {"Body": body}
    theirs = what_botocore_sends(operation, Key=key, **params, **given_body)
    ours = what_we_send(operation, {**params, "Key": key}, body)
    origin = "http://127.0.0.1:9"
    assert ours.method == theirs.method
    url = f"{origin}{ours.path}" + (f"?{ours.query}" if ours.query else "")
    assert url.replace("?uploads=", "?uploads") == theirs.url
    meant = {name.lower(): value for name, value in theirs.headers.items()}
    for headers in (meant, ours.headers):
        for name, value in headers.items():
            headers[name] = value.decode() if isinstance(value, bytes) else value
    expected = {name: each for name, each in meant.items() if name not in _OF_BOTOCORE}
    expected = {
        n: v for n, v in expected.items() if not n.startswith(("x-amz-checksum", "x-amz-sdk"))
    }
    found = {name.lower(): each for name, each in ours.headers.items()}
    found.pop("content-type", None)
    assert found == expected
    if operation == "CompleteMultipartUpload":
        assert ours.body == theirs.body


@given(prefix=keys, after=keys)
def test_a_listing_is_asked_for_as_botocore_would(prefix: str, after: str) -> None:
    params = {"Prefix": prefix, "StartAfter": after, "EncodingType": "url"}
    theirs = what_botocore_sends("ListObjectsV2", **params)
    ours = what_we_send("ListObjectsV2", params, None)
    assert ours.method == theirs.method == "GET"
    path, _, query = theirs.url[len("http://127.0.0.1:9") :].partition("?")
    assert (ours.path, ours.query) == (path, "&".join(sorted(query.split("&"))))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-26T01:02:03Z",
        "2026-11-26T01:02:03.4Z",
        "2026-11-26T01:02:03.456789Z",
        "Thu, 26 Nov 2026 01:02:03 GMT",
        "1764118923",
    ],
)
def test_a_time_is_what_botocore_reads(text: str) -> None:
    assert read_timestamp(text) == parse_timestamp(text)
    assert read_timestamp(text).tzinfo is not None


@pytest.mark.parametrize("text", [b"", b"<html></html>", b"<ListBucketResult/>"])
def test_an_answer_that_lists_nothing_is_no_empty_bucket(
    s3_bucket: Bucket, client: Any, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    monkeypatch.setattr(sending.Response, "read_all", lambda self, most: text)
    monkeypatch.setattr(sending, "pause", lambda *_: None)
    with pytest.raises(ClientError) as caught:
        send(client, "ListObjectsV2", Bucket=s3_bucket.name)
    assert caught.value.response["Error"]["Code"] == "MissingResult"


_COPIED = b"<CopyObjectResult xmlns='x'>%b<ETag>&quot;abc-2&quot;</ETag></CopyObjectResult>"


@pytest.mark.parametrize(
    ("text", "etag"),
    [
        (_COPIED % b"<LastModified>2026-11-26T01:02:03Z</LastModified>", '"abc-2"'),
        (b'<?xml version="1.0"?>\n' + _COPIED % b"", '"abc-2"'),
        (_COPIED % b"<ChecksumCRC32>AAAAAA==</ChecksumCRC32>", '"abc-2"'),
        ((_COPIED % b"")[:-5], None),
        (b"<Error><Code>InternalError</Code></Error>", None),
        (b"<CopyObjectResult><ETag></ETag></CopyObjectResult>", None),
    ],
)
def test_the_answer_to_a_copy_is_read_whole_or_is_an_error(text: bytes, etag: Any) -> None:
    class Answer:
        status = 200
        headers: Dict[str, str] = {}

    answer, is_error = sending._parse(CLIENT, "CopyObject", Answer(), text, 0)
    assert is_error == (etag is None)
    if etag is not None:
        assert answer["CopyObjectResult"]["ETag"] == etag
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_only_operations_that_write_or_list_are_sent_from_here() -> None:
    assert not sending._is_supported("GetObject", {}, None)
    assert not sending._is_supported("CopyObject", {"CopySource": "a/b"}, None)
    access_point = {"Bucket": "arn:aws:s3:eu-west-1:1:accesspoint/a", "Key": "b"}
    assert not sending._is_supported("CopyObject", {"CopySource": access_point}, None)
    assert not sending._is_supported("UploadPartCopy", {"CopySource": "a/b"}, None)
    assert not sending._is_supported("PutObject", {"SSECustomerKey": "k"}, None)
    assert sending._is_supported("CreateMultipartUpload", {"ChecksumAlgorithm": "CRC32"}, None)
