"""What a presigned form or PUT is bound to; then the same asked of a real server."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import logging
from typing import Any, Dict, Optional
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends.s3.signing.browser_uploads import (
    presigned_part,
    presigned_post,
    presigned_put,
)
from smart_storages.backends.s3.signing.presigned_urls import UrlSigner
from smart_storages.exceptions import ConfigurationError
from tests.backends.s3.botocore_clock import botocore_clock_at
from tests.conftest import examples, shown

NOW = 1_790_000_000


def make_signer(**config: Any) -> UrlSigner:
    client = boto3.session.Session().client(
        "s3",
        region_name="eu-central-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI",
        config=Config(**{"signature_version": "s3v4", **config}),
    )
    return UrlSigner(client, "acme")


SIGNER = make_signer()


def policy_of(form: Dict[str, Any]) -> Dict[str, Any]:
    policy: Dict[str, Any] = json.loads(base64.b64decode(form["fields"]["policy"]))
    return policy


@examples(50)
@given(
    key=st.text(st.characters(blacklist_categories=["Cs"]), min_size=1),
    low=st.integers(0, 10),
    high=st.integers(10, 10**12),
    expires=st.integers(1, 604_800),
)
def test_a_form_equals_what_botocore_signs_for_the_same_conditions(
    key: str, low: int, high: int, expires: int
) -> None:
    with botocore_clock_at(NOW):
        ours = presigned_post(
            SIGNER,
            key,
            min_size=low,
            max_size=high,
            content_type="image/png",
            expires=expires,
            fields={"acl": "private"},
        )
        theirs = SIGNER.client.generate_presigned_post(
            "acme",
            key,
            Fields={"Content-Type": "image/png", "acl": "private"},
            Conditions=[
                {"Content-Type": "image/png"},
                {"acl": "private"},
                ["content-length-range", low, high],
            ],
            ExpiresIn=expires,
        )
    assert ours == {**theirs, "method": "POST"}


def test_a_form_binds_bucket_key_type_size_fields_and_time() -> None:
    with botocore_clock_at(NOW):
        form = presigned_post(
            SIGNER,
            "avatars/7.png",
            max_size=500,
            min_size=2,
            content_type="image/png",
            expires=600,
            fields={"Cache-Control": "no-store"},
        )
    policy = policy_of(form)
    for condition in (
        {"bucket": "acme"},
        {"key": "avatars/7.png"},
        {"Content-Type": "image/png"},
        {"Cache-Control": "no-store"},
        ["content-length-range", 2, 500],
    ):
        assert condition in policy["conditions"]
    end = datetime.datetime.strptime(policy["expiration"] + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")
    assert end.timestamp() == NOW + 600
    assert json.loads(json.dumps(form)) == form


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_size": -1},
        {"max_size": "5"},
        {"max_size": True},
        {"max_size": 1.5},
        {"min_size": 501},
        {"min_size": -1},
        {"expires": 0},
        {"expires": 604_801},
        {"content_type": ""},
        {"content_type": None},
        {"content_type": "a/b\r\nX: y"},
        {"key": ""},
        {"key": "avatars/${filename}"},
        {"key": "${filename}/a"},
        {"fields": {"key": "other"}},
        {"fields": {"Policy": "x"}},
        {"fields": {"X-Amz-Date": "x"}},
        {"fields": {"content-type": "text/html"}},
    ],
    ids=str,
)
def test_a_form_that_would_not_be_bound_is_refused(wrong: Dict[str, Any]) -> None:
    asked: Dict[str, Any] = {"key": "a", "max_size": 500, "content_type": "image/png", **wrong}
    with pytest.raises(ValueError):  # noqa: PT011
        presigned_post(SIGNER, asked.pop("key"), **asked)


def test_a_put_signs_size_type_and_everything_else_it_is_given() -> None:
    put = presigned_put(
        SIGNER,
        "a b.png",
        size=51_200,
        content_type="image/png",
        overwrite=False,
        now=NOW,
        params={
            "CacheControl": "no-store",
            "Metadata": {"Owner": "7"},
            "ServerSideEncryption": "AES256",
        },
    )
    fields = parse_qs(urlsplit(put["url"]).query)
    assert fields["X-Amz-SignedHeaders"][0].split(";") == [
        "cache-control",
        "content-length",
        "content-type",
        "host",
        "if-none-match",
        "x-amz-meta-owner",
        "x-amz-server-side-encryption",
    ]
    assert put["method"] == "PUT"
    assert put["headers"] == {
        "Cache-Control": "no-store",
        "Content-Type": "image/png",
        "If-None-Match": "*",
        "x-amz-meta-owner": "7",
        "x-amz-server-side-encryption": "AES256",
    }
    assert json.loads(json.dumps(put)) == put


@examples(50)
@given(size=st.integers(0, 5 * 2**40), expires=st.integers(1, 604_800))
def test_a_put_equals_what_botocore_signs(size: int, expires: int) -> None:
    put = presigned_put(SIGNER, "a", size=size, content_type="a/b", expires=expires, now=NOW)
    with botocore_clock_at(NOW):
        theirs = SIGNER.client.generate_presigned_url(
            "put_object",
            Params={"Bucket": "acme", "Key": "a", "ContentType": "a/b", "ContentLength": size},
            ExpiresIn=expires,
        )
    assert put["url"] == theirs


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": -1},
        {"size": "5"},
        {"size": True},
        {"expires": 0},
        {"expires": 604_801},
        {"content_type": ""},
        {"content_type": None},
        {"content_type": "a/b\r\nX: y"},
        {"params": {"ContentType": "text/html"}},
        {"params": {"Key": "other"}},
        {"params": {"Unheard": "of"}},
        {"params": {"SSECustomerKey": "k" * 32}},
        {"params": {"Metadata": {"a": "é"}}},
        {"params": {"CacheControl": 5.0}},
    ],
    ids=str,
)
def test_a_put_that_would_not_be_bound_is_refused(wrong: Dict[str, Any]) -> None:
    asked: Dict[str, Any] = {"size": 500, "content_type": "image/png", **wrong}
    with pytest.raises(ValueError):  # noqa: PT011
        presigned_put(SIGNER, "a", **asked)


@pytest.mark.parametrize("version", ["s3", botocore.UNSIGNED], ids=shown)
def test_a_put_is_refused_where_the_signature_would_not_cover_size_and_type(version: Any) -> None:
    signer = make_signer(signature_version=version)
    with pytest.raises(ConfigurationError, match=r"content-length.*s3v4"):
        presigned_put(signer, "a", size=5, content_type="image/png")


def test_a_message_about_a_bad_value_does_not_repeat_it() -> None:
    with pytest.raises(ValueError, match="SSEKMSKeyId") as caught:
        presigned_put(SIGNER, "a", size=5, content_type="a/b", params={"SSEKMSKeyId": "hidden\n"})
    assert "hidden" not in str(caught.value)


def test_a_form_ends_with_temporary_credentials_and_says_so(caplog: Any) -> None:
    signer = make_signer()
    credentials = signer.client._request_signer._credentials
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=100)
    signer.client._request_signer._credentials = Ending(credentials, soon)
    with caplog.at_level(logging.WARNING, "smart_storages.backends.s3"):
        form = presigned_post(signer, "a", max_size=5, content_type="a/b", expires=600)
    end = policy_of(form)["expiration"]
    seconds = datetime.datetime.strptime(end + "+0000", "%Y-%m-%dT%H:%M:%SZ%z") - soon
    assert abs(seconds.total_seconds()) <= 2
    assert "temporary credentials" in caplog.text


class Ending:
    """Credentials that end and cannot be refreshed."""

    def __init__(self, credentials: Any, end: datetime.datetime) -> None:
        self._frozen = credentials.get_frozen_credentials()
        self._expiry_time = end

    def get_frozen_credentials(self) -> Any:
        return self._frozen


@examples(50)
@given(
    key=st.text(st.characters(blacklist_categories=["Cs"]), min_size=1),
    upload_id=st.text("abcXYZ019._~=+/-", min_size=1),
    number=st.integers(1, 10_000),
    size=st.integers(0, 5 * 2**30),
    body=st.none() | st.binary(max_size=20),
    expires=st.integers(1, 604_800),
)
def test_a_part_equals_what_botocore_signs(  # noqa: PLR0917
    key: str, upload_id: str, number: int, size: int, body: Optional[bytes], expires: int
) -> None:
    digest = None if body is None else hashlib.sha256(body)
    part = presigned_part(
        SIGNER,
        key,
        upload_id,
        number,
        size=size,
        sha256=digest and base64.b64encode(digest.digest()).decode(),
        expires=expires,
        now=NOW,
    )

    def sign_the_digest(request: Any, **_: Any) -> None:
        # botocore signs what this header says of any body; for a URL nobody sets it otherwise.
        if digest is not None:
            request.headers["X-Amz-Content-SHA256"] = digest.hexdigest()

    client = make_signer().client
    client.meta.events.register("before-sign.s3.UploadPart", sign_the_digest)
    with botocore_clock_at(NOW):
        theirs = client.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": "acme",
                "Key": key,
                "UploadId": upload_id,
                "PartNumber": number,
                "ContentLength": size,
            },
            ExpiresIn=expires,
        )
    assert _parts_of(part["url"]) == _parts_of(theirs)
    assert part["headers"] == (
        {} if digest is None else {"x-amz-content-sha256": digest.hexdigest()}
    )


def _parts_of(url: str) -> Any:
    # The order of the parameters is no part of the signature.
    address, _, query = url.partition("?")
    return address, sorted(query.split("&"))
