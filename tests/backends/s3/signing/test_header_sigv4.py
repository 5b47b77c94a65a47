"""Our headers beside botocore's: equal byte for byte, in every mode of the payload."""

from __future__ import annotations

from typing import Any, Dict, Tuple

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends.s3.signing.header_sigv4 import (
    EMPTY_PAYLOAD,
    UNSIGNED_PAYLOAD,
    UNSIGNED_TRAILER,
    HeaderSigner,
)
from smart_storages.backends.s3.signing.sigv4 import Route
from tests.backends.s3.botocore_clock import botocore_clock_at

NOW = 1_790_000_000

header_names = st.sampled_from(
    [
        "Cache-Control",
        "Content-MD5",
        "Content-Type",
        "If-None-Match",
        "x-amz-acl",
        "x-amz-checksum-crc32",
        "x-amz-meta-a",
        "x-amz-meta-write-id",
        "X-Amz-Storage-Class",
    ]
)
values = st.text(alphabet=' ,;="/abcXYZ019*-_.', max_size=30).map(str.strip)
queries = st.sampled_from(
    ["", "uploads=", "delete=", "partNumber=3&uploadId=a-b_c", "uploadId=2~x%2By", "versionId=null"]
)
credentials = st.builds(
    Credentials,
    st.text(alphabet="AKIA0123456789", min_size=3),
    st.text(alphabet="abc/+XYZ019", min_size=3),
    st.one_of(st.none(), st.text(alphabet="abc/+=XYZ019", min_size=3)),
)


def sign_with_botocore(
    credentials: Credentials, route: Route, request: AWSRequest, payload: str
) -> Dict[str, str]:
    class Auth(S3SigV4Auth):
        def payload(self, request: Any) -> str:
            return payload

    with botocore_clock_at(NOW):
        Auth(credentials, "s3", route.region).add_auth(request)
    return {name: value for name, value in request.headers.items() if name != "Host"}


requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["PUT", "POST", "DELETE", "GET", "HEAD"]),
        "key": st.sampled_from(["a.txt", "a%20b.txt", "%C3%A9/~x", "a//b", "a/../b"]),
        "headers": st.dictionaries(header_names, values, max_size=5),
        "query": queries,
        "payload": st.sampled_from([EMPTY_PAYLOAD, UNSIGNED_PAYLOAD, UNSIGNED_TRAILER, "ab" * 32]),
    }
)
places = st.sampled_from([("https://acme.s3.example.com", "/"), ("http://[::1]:9000", "/acme/")])


@given(credentials=credentials, sent=requests, place=places)
def test_headers_are_equal_to_those_of_botocore(
    credentials: Credentials, sent: Dict[str, Any], place: Tuple[str, str]
) -> None:
    origin, before_key = place
    route = Route(origin, before_key, origin.partition("//")[2], "eu-central-1")
    method, headers, query = sent["method"], sent["headers"], sent["query"]
    path = f"{before_key}{sent['key']}"
    request = AWSRequest(
        method=method,
        url=f"{origin}{path}" + (f"?{query}" if query else ""),
        headers={**headers, "Host": route.host},
    )
    theirs = sign_with_botocore(credentials, route, request, sent["payload"])
    ours = HeaderSigner(route, credentials).sign(
        method, path, headers, query=query, payload=sent["payload"], now=NOW
    )
    assert {**headers, **ours} == theirs


def test_a_signer_signs_each_second_anew_and_shows_no_key() -> None:
    route = Route("http://localhost:9000", "/acme/", "localhost:9000", "us-east-1")
    signer = HeaderSigner(route, Credentials("AKIAEXAMPLE", "secret-text", "token-text"))
    first, second = (signer.sign("PUT", "/acme/a", {}, now=moment) for moment in (NOW, NOW + 1))
    assert first["X-Amz-Date"] != second["X-Amz-Date"]
    assert first["Authorization"] != second["Authorization"]
    for shown in (repr(signer), repr(signer._prepared)):
        assert "secret-text" not in shown
        assert "token-text" not in shown
