"""Every kind of URL we sign, shown to a server that checks signatures.

Sent with ``http.client``: it neither follows, retries nor tidies a URL.
"""

from __future__ import annotations

import http.client
import time
import uuid
from typing import Any, Dict, Iterator, NamedTuple, Optional
from urllib.parse import urlsplit

import boto3
import botocore
import pytest
import urllib3
from botocore.config import Config

from smart_storages.backends.s3.signing.browser_uploads import presigned_post, presigned_put
from smart_storages.backends.s3.signing.presigned_urls import UrlSigner
from smart_storages.backends.s3.signing.sigv4 import MAX_EXPIRES
from tests.backends.s3.botocore_clock import botocore_clock_at

pytestmark = pytest.mark.real_s3


class Answer(NamedTuple):
    status: int
    headers: Dict[str, str]
    body: bytes


def send(
    url: str,
    method: str = "GET",
    *,
    headers: Optional[Dict[str, str]] = None,
    body: Optional[bytes] = None,
    connect_to: Optional[str] = None,
) -> Answer:
    parts = urlsplit(url)
    address = urlsplit(connect_to or url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        target = url[len(f"{parts.scheme}://{parts.netloc}") :]
        connection.request(method, target, body, {"Host": parts.netloc, **(headers or {})})
        response = connection.getresponse()
        got = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, got, response.read())
    finally:
        connection.close()


def make_client(ceph: Any, endpoint_url: Optional[str] = None, **config: Any) -> Any:
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint_url or ceph.endpoint_url,
        region_name=ceph.region_name,
        aws_access_key_id=ceph.access_key,
        aws_secret_access_key=ceph.secret_key,
        config=Config(
            **{
                "signature_version": "s3v4",
                "s3": {"addressing_style": "path"},
                "request_checksum_calculation": "when_required",
                **config,
            }
        ),
    )


@pytest.fixture(scope="module")
def client(ceph: Any) -> Any:
    return make_client(ceph)


@pytest.fixture(scope="module")
def bucket(client: Any) -> Iterator[str]:
    name = f"urls-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    yield name
    for version in client.list_object_versions(Bucket=name).get("Versions", []):
        client.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    client.delete_bucket(Bucket=name)


@pytest.fixture
def signer(client: Any, bucket: str) -> UrlSigner:
    return UrlSigner(client, bucket)


@pytest.fixture
def key(client: Any, bucket: str) -> str:
    name = f"{uuid.uuid4().hex}/a file é+~%.txt"
    client.put_object(Bucket=bucket, Key=name, Body=b"0123456789")
    return name


AWKWARD_KEYS = [
    "plain.txt",
    "a b+c%20d.txt",
    "tilde~é漢😀.png",
    "quotes'\"()*!.txt",
    "a//b",
    "folder/",
    "dots/../up",
    "./here",
    "&=?#;:@$,[]{}|\\^`<>",
]


@pytest.mark.parametrize("name", AWKWARD_KEYS)
def test_every_operation_is_accepted_for_an_awkward_key(signer: UrlSigner, name: str) -> None:
    assert signer.can_sign("put_object", name)
    assert send(signer.url("put_object", name), "PUT", body=b"hello").status == 200
    assert signer.client.get_object(Bucket=signer.bucket, Key=name)["Body"].read() == b"hello"
    assert send(signer.url("get_object", name)).body == b"hello"
    head = send(signer.url("head_object", name), "HEAD")
    assert (head.status, head.headers["content-length"]) == (200, "5")
    assert send(signer.url("get_object", name, http_method="HEAD"), "HEAD").status == 200
    assert send(signer.url("delete_object", name), "DELETE").status == 204
    assert send(signer.url("get_object", name)).status == 404


def test_a_url_for_one_thing_is_refused_for_every_other(signer: UrlSigner, key: str) -> None:
    url = signer.url("get_object", key, {"ResponseContentType": "text/plain"}, expires=60)
    assert send(url).status == 200
    last = "0" if url[-1] != "0" else "1"
    for tampered, method in (
        (url[:-1] + last, "GET"),
        (url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"), "GET"),
        (url.replace("text%2Fplain", "text%2Fhtml"), "GET"),
        (url.replace("/a%20file", "/another%20file"), "GET"),
        (url + "&response-cache-control=none", "GET"),
        (url, "PUT"),
        (url, "DELETE"),
    ):
        assert send(tampered, method).status == 403, (tampered, method)
    assert send(url).status == 200


def test_a_url_is_accepted_until_it_expires(signer: UrlSigner, key: str) -> None:
    now = time.time()
    assert send(signer.url("get_object", key, expires=600, now=now - 300)).status == 200
    assert send(signer.url("get_object", key, expires=300, now=now - 600)).status == 403


def test_the_longest_life_is_accepted(signer: UrlSigner, key: str) -> None:
    assert send(signer.url("get_object", key, expires=MAX_EXPIRES)).status == 200


@pytest.mark.parametrize("window", [3600, 86_400, 500_000])
def test_a_stable_url_is_accepted_in_all_of_its_window(
    signer: UrlSigner, key: str, window: int
) -> None:
    url = signer.url("get_object", key, expires=600, stable_for=window)
    assert send(url).body == b"0123456789"


def test_response_parameters_are_honoured(signer: UrlSigner, key: str) -> None:
    params = {
        "ResponseContentDisposition": 'attachment; filename="r e.pdf"',
        "ResponseContentType": "application/pdf; a=b",
        "ResponseCacheControl": "private, max-age=60",
        "ResponseContentLanguage": "de",
    }
    assert signer.can_sign("get_object", key, params)
    answer = send(signer.url("get_object", key, params))
    assert answer.headers["content-disposition"] == params["ResponseContentDisposition"]
    assert answer.headers["content-type"] == params["ResponseContentType"]
    assert answer.headers["cache-control"] == params["ResponseCacheControl"]
    assert answer.headers["content-language"] == params["ResponseContentLanguage"]


def test_a_range_may_be_signed_or_sent_freely(signer: UrlSigner, key: str) -> None:
    params = {"Range": "bytes=2-4"}
    url = signer.url("get_object", key, params)
    assert send(url, headers={"Range": "bytes=2-4"}).body == b"234"
    assert send(url, headers={"Range": "bytes=2-5"}).status == 403
    assert send(url).status == 403
    free = signer.url("get_object", key)
    assert send(free, headers={"Range": "bytes=5-6"}).body == b"56"


def test_conditions_and_checksum_mode_work_on_the_bare_signer(signer: UrlSigner, key: str) -> None:
    bare = signer.query_signer()
    assert bare is not None
    sent = {"x-amz-checksum-mode": "ENABLED", "If-Match": '"wrong"'}
    url = bare.sign_query("GET", key, headers=sent, expires=60)
    assert send(url, headers=sent).status == 412
    etag = send(bare.sign_query("HEAD", key, expires=60), "HEAD").headers["etag"]
    right = {**sent, "If-Match": etag}
    url = bare.sign_query("GET", key, headers=right, expires=60)
    assert send(url, headers=right).body == b"0123456789"
    assert send(url, headers=sent).status == 403


def test_versions_are_reached(client: Any) -> None:
    name = f"versions-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    signer = UrlSigner(client, name)
    versions = [
        client.put_object(Bucket=name, Key="a", Body=body)["VersionId"] for body in (b"1", b"2")
    ]
    params = {"VersionId": versions[0]}
    assert signer.can_sign("delete_object", "a", params)
    assert send(signer.url("get_object", "a", params)).body == b"1"
    assert send(signer.url("get_object", "a")).body == b"2"
    assert send(signer.url("delete_object", "a", params), "DELETE").status == 204
    assert send(signer.url("get_object", "a", params)).status == 404
    client.delete_object(Bucket=name, Key="a", VersionId=versions[1])
    client.delete_bucket(Bucket=name)


def test_bucket_in_the_host_name(ceph: Any, bucket: str, key: str) -> None:
    port = urlsplit(ceph.endpoint_url).port
    virtual = make_client(ceph, f"http://localhost:{port}", s3={"addressing_style": "virtual"})
    signer = UrlSigner(virtual, bucket)
    url = signer.url("get_object", key)
    assert urlsplit(url).netloc == f"{bucket}.localhost:{port}"
    assert signer.can_sign("get_object", key)
    assert send(url, connect_to=ceph.endpoint_url).body == b"0123456789"


def test_a_public_endpoint_is_signed_for_the_host_that_browsers_see(
    ceph: Any, signer: UrlSigner, key: str
) -> None:
    inner = urlsplit(ceph.endpoint_url)
    public = UrlSigner(make_client(ceph, f"http://localhost:{inner.port}"), signer.bucket)
    url = public.url("get_object", key)
    assert urlsplit(url).netloc == f"localhost:{inner.port}"
    assert send(url, connect_to=ceph.endpoint_url).body == b"0123456789"
    assert send(url.replace(f"localhost:{inner.port}", inner.netloc)).status == 403


def test_a_url_without_a_signature_opens_public_objects_only(
    ceph: Any, client: Any, bucket: str, key: str
) -> None:
    signer = UrlSigner(make_client(ceph, signature_version=botocore.UNSIGNED), bucket)
    assert "?" not in signer.url("get_object", key)
    assert send(signer.url("get_object", key)).status == 403
    client.put_object_acl(Bucket=bucket, Key=key, ACL="public-read")
    assert send(signer.url("get_object", key)).body == b"0123456789"


def test_sigv2_urls_of_botocore_pass_through(ceph: Any, bucket: str, key: str) -> None:
    signer = UrlSigner(make_client(ceph, signature_version="s3"), bucket)
    url = signer.url("get_object", key)
    assert "AWSAccessKeyId=" in url
    assert send(url).body == b"0123456789"


def put_headers(put: Dict[str, Any], **changed: str) -> Dict[str, str]:
    return {**put["headers"], **{name.replace("_", "-"): value for name, value in changed.items()}}


def test_a_put_lands_only_with_its_key_size_and_type(signer: UrlSigner) -> None:
    name = f"{uuid.uuid4().hex}/ü.png"
    put = presigned_put(signer, name, size=5, content_type="image/png")
    url = put["url"]
    for refused in (
        send(url, "PUT", headers=put["headers"], body=b"123456"),
        send(url, "PUT", headers=put["headers"], body=b"1234"),
        send(url, "PUT", headers=put_headers(put, Content_Type="text/html"), body=b"12345"),
        send(url, "PUT", headers={}, body=b"12345"),
        send(url.replace("%C3%BC", "%C3%B6"), "PUT", headers=put["headers"], body=b"12345"),
        send(url.replace("content-length%3B", ""), "PUT", headers=put["headers"], body=b"123456"),
    ):
        assert refused.status == 403
    assert send(signer.url("head_object", name), "HEAD").status == 404
    assert send(url, "PUT", headers=put["headers"], body=b"12345").status == 200
    stored = signer.client.get_object(Bucket=signer.bucket, Key=name)
    assert (stored["Body"].read(), stored["ContentType"]) == (b"12345", "image/png")


def test_an_expired_put_is_refused(signer: UrlSigner) -> None:
    put = presigned_put(
        signer, "late.png", size=5, content_type="image/png", expires=60, now=time.time() - 62
    )
    assert send(put["url"], "PUT", headers=put["headers"], body=b"12345").status == 403


def test_a_put_that_must_not_overwrite_lands_once(signer: UrlSigner) -> None:
    name = f"{uuid.uuid4().hex}.png"
    put = presigned_put(
        signer,
        name,
        size=5,
        content_type="image/png",
        overwrite=False,
        params={"CacheControl": "no-store", "Metadata": {"owner": "7"}},
    )
    without = {n: v for n, v in put["headers"].items() if n != "If-None-Match"}
    assert send(put["url"], "PUT", headers=without, body=b"12345").status == 403
    assert send(put["url"], "PUT", headers=put["headers"], body=b"12345").status == 200
    assert send(put["url"], "PUT", headers=put["headers"], body=b"54321").status == 412
    stored = signer.client.get_object(Bucket=signer.bucket, Key=name)
    assert stored["Body"].read() == b"12345"
    assert (stored["CacheControl"], stored["Metadata"]) == ("no-store", {"owner": "7"})


def post(form: Dict[str, Any], content: bytes, **changed: str) -> Answer:
    fields = {**form["fields"], **{name.replace("_", "-"): text for name, text in changed.items()}}
    parts = [(name, text) for name, text in fields.items() if text]
    body, kind = urllib3.encode_multipart_formdata(
        [*parts, ("file", ("local name.png", content, "image/png"))]
    )
    return send(form["url"], "POST", headers={"Content-Type": kind}, body=body)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_form_lands_only_with_its_key_size_and_type(ceph: Any, bucket: str, version: str) -> None:
    signer = UrlSigner(make_client(ceph, signature_version=version), bucket)
    name = f"{uuid.uuid4().hex}/ü b.png"
    form = presigned_post(
        signer,
        name,
        max_size=5,
        min_size=2,
        content_type="image/png",
        fields={"x-amz-meta-owner": "7", "success_action_status": "201"},
    )
    for refused in (
        post(form, b"123456"),
        post(form, b"1"),
        post(form, b"12345", key="other.png"),
        post(form, b"12345", Content_Type="text/html"),
        post(form, b"12345", Content_Type=""),
        post(form, b"12345", x_amz_meta_owner="8"),
        post(form, b"12345", acl="public-read"),
        post(form, b"12345", policy=form["fields"]["policy"][:-8] + "AAAAAAA="),
    ):
        assert 400 <= refused.status < 500
    assert send(UrlSigner(make_client(ceph), bucket).url("head_object", name), "HEAD").status == 404
    assert post(form, b"12345").status == 201
    stored = signer.client.get_object(Bucket=bucket, Key=name)
    assert stored["Body"].read() == b"12345"
    assert (stored["ContentType"], stored["Metadata"]) == ("image/png", {"owner": "7"})


def test_an_expired_form_is_refused(signer: UrlSigner) -> None:
    with botocore_clock_at(int(time.time()) - 62):
        form = presigned_post(signer, "late.png", max_size=5, content_type="image/png", expires=60)
    assert post(form, b"12345").status == 403
