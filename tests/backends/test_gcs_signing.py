"""Signatures for Google Cloud Storage are those of Google's own library, byte for byte."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from urllib.parse import quote

import pytest
from google.auth.exceptions import RefreshError, TransportError
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends import gcs_requests, gcs_signing
from smart_storages.exceptions import AccessDeniedError
from smart_storages.storages import SmartS3Storage
from tests.servers.gcs import service_account

NOW = 1_790_000_000
ENDPOINTS = ["https://storage.googleapis.com", "http://127.0.0.1:4443", "https://cdn.example.com"]
TEXT = st.text(st.characters(min_codepoint=32, blacklist_categories=["Cs"]), min_size=1)
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "x-goog-acl", "x-goog-meta-by"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
)


def moment(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y%m%dT%H%M%SZ")


@pytest.fixture(scope="module")
def signer():
    return gcs_signing.RsaSigner(service_account().signer_email, service_account())


@pytest.fixture(scope="module")
def library():
    """What Google's library signs; on Python 3.8 and 3.9 it is not installed for the tests."""
    return pytest.importorskip("google.cloud.storage")


@pytest.fixture(scope="module")
def sign_url(library):
    return pytest.importorskip("google.cloud.storage._signing").generate_signed_url_v4


@given(
    endpoint=st.sampled_from(ENDPOINTS),
    key=TEXT,
    method=st.sampled_from(["GET", "HEAD", "PUT"]),
    begins=st.integers(0, NOW * 2),
    life=st.integers(1, 604_800),
    parameters=st.dictionaries(
        st.sampled_from(["response-content-type", "response-content-disposition"]), TEXT
    ),
    headers=HEADERS,
)
def test_a_signed_url_is_that_of_the_library(
    sign_url, signer, *, endpoint, key, method, begins, life, parameters, headers
):
    path = f"/acme/{quote(key, safe='/~')}"
    ours = gcs_signing.signed_url(
        signer, method, endpoint + path, parameters, begins, life, headers
    )
    theirs = sign_url(
        service_account(),
        path,
        life,
        api_access_endpoint=endpoint,
        method=method,
        headers=dict(headers),
        query_parameters=dict(parameters),
        _request_timestamp=moment(begins),
    )
    assert ours == theirs


def test_the_url_of_a_storage_is_that_of_the_library(library, sign_url, monkeypatch):
    monkeypatch.setattr("smart_storages.backends.signed_urls.time", lambda: NOW + 0.5)
    storage = SmartS3Storage(
        "media", backend="gcs", bucket_name="acme", credentials=service_account(), location="in"
    )
    blob = library.Client("p", credentials=service_account()).bucket("acme").blob("in/ä b.txt")
    theirs = sign_url(
        service_account(),
        "/acme/in/%C3%A4%20b.txt",
        60,
        api_access_endpoint="https://storage.googleapis.com",
        _request_timestamp=moment(NOW),
    )
    assert storage.url("ä b.txt", expire=60) == theirs
    unsigned = blob.generate_signed_url(expiration=60, version="v4").partition("?")[0]
    assert theirs.startswith(f"{unsigned}?")


def test_a_url_that_stays_the_same_begins_with_its_window(monkeypatch):
    monkeypatch.setattr("smart_storages.backends.signed_urls.time", lambda: NOW + 7)
    storage = SmartS3Storage(
        "media",
        backend="gcs",
        bucket_name="acme",
        credentials=service_account(),
        url_stable_for=1000,
    )
    url = storage.url("a.txt", expire=60)
    assert f"X-Goog-Date={moment(NOW // 1000 * 1000)}" in url
    assert "X-Goog-Expires=1060" in url


@given(key=TEXT, max_size=st.integers(0, 2**40), life=st.integers(1, 604_800))
def test_a_form_allows_what_that_of_the_library_allows(library, signer, key, max_size, life):
    fields = {"key": key, "Content-Type": "image/png"}
    ours = gcs_signing.signed_form(signer, "acme", fields, max_size, NOW, life)
    theirs = library.Client("p", credentials=service_account()).generate_signed_post_policy_v4(
        "acme",
        key,
        life,
        conditions=[["content-length-range", 0, max_size]],
        fields={"Content-Type": "image/png"},
    )["fields"]
    assert set(ours) == set(theirs)
    said = [json.loads(base64.b64decode(each["policy"])) for each in (ours, theirs)]
    changing = ("x-goog-date", "x-goog-credential")

    def fixed(policy):
        conditions = policy["conditions"]
        return sorted(
            json.dumps(each, sort_keys=True)
            for each in conditions
            if isinstance(each, list) or not set(each) & set(changing)
        )

    assert fixed(said[0]) == fixed(said[1])
    until = datetime.fromtimestamp(NOW + life, timezone.utc)
    assert said[0]["expiration"] == until.strftime("%Y-%m-%dT%H:%M:%SZ")
    # Every field but the policy and its signature is in a condition.
    bound = {name for each in said[0]["conditions"] if isinstance(each, dict) for name in each}
    assert bound == {*ours, "bucket"} - {"policy", "x-goog-signature"}
    assert ours["x-goog-signature"] == service_account().sign_bytes(ours["policy"].encode()).hex()


class Signing:
    """The service that signs for an account, as Google documents it."""

    def __init__(self):
        self.asked = []

    def __call__(self, url, method="GET", body=None, headers=None, **kwargs):
        self.asked.append((method, url, json.loads(body)))
        signed = base64.b64encode(b"signed").decode()

        class Answer:
            status = 200
            data = json.dumps({"keyId": "1", "signedBlob": signed}).encode()

        return Answer()


def test_without_a_key_google_signs(monkeypatch):
    # No emulator has this service; its address is fixed in the library.
    service = Signing()
    monkeypatch.setattr(gcs_signing, "Request", lambda: service)
    storage = SmartS3Storage(
        "media",
        backend="gcs",
        bucket_name="acme",
        credentials=service_account(),
        iam_sign_blob=True,
        sa_email="signer@example.com",
    )
    url = storage.url("a.txt")
    assert "X-Goog-Credential=signer%40example.com%2F" in url
    assert url.endswith(f"&X-Goog-Signature={b'signed'.hex()}")
    ((method, asked, body),) = service.asked
    assert method == "POST"
    assert asked.endswith("/projects/-/serviceAccounts/signer@example.com:signBlob")
    assert base64.b64decode(body["payload"]).startswith(b"GOOG4-RSA-SHA256\n")


@pytest.mark.parametrize("error", [RefreshError("hunter2"), TransportError("hunter2")])
def test_a_refused_signature_is_an_error_of_this_package(error):
    class Refusing:
        def sign(self, text):
            raise error

    signer = gcs_signing.RsaSigner("a@example.com", Refusing())
    with pytest.raises(AccessDeniedError, match="no token") as caught:
        signer.sign(b"text")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_scope_is_that_of_what_is_asked_for():
    given = {"credentials": service_account()}
    plain = gcs_requests.connection_of(given)
    assert list(plain.credentials.scopes) == [
        "https://www.googleapis.com/auth/devstorage.full_control"
    ]
    signing = gcs_requests.connection_of({**given, "iam_sign_blob": True})
    assert list(signing.credentials.scopes) == ["https://www.googleapis.com/auth/cloud-platform"]
