"""What a URL says of itself, beside URLs that the packages of each service have made."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.signers import CloudFrontSigner
from django.core.files.storage import FileSystemStorage

from smart_storages.common.signed_urls import is_signed, seconds_left, sets_headers
from smart_storages.storages import SmartS3Storage

_DISPOSITION = {"ResponseContentDisposition": "attachment"}


def _by_boto3(version: str) -> str:
    client = boto3.client(
        "s3",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="eu-central-1",
        config=Config(signature_version=version),
    )
    params = {"Bucket": "acme", "Key": "a b", **_DISPOSITION}
    return str(client.generate_presigned_url("get_object", Params=params, ExpiresIn=600))


def _by_cloudfront() -> str:
    signer = CloudFrontSigner("KEY", lambda message: b"signature")
    moment = datetime.now(timezone.utc) + timedelta(seconds=600)
    return str(signer.generate_presigned_url("https://cdn.example.com/a", date_less_than=moment))


def _by_azure() -> str:
    storage = SmartS3Storage(
        "media",
        backend="azure",
        bucket_name="acme",
        account_name="acme",
        account_key="c2VjcmV0",
    )
    return storage.url("a", parameters=_DISPOSITION, expire=600)


def _by_ourselves() -> str:
    storage = SmartS3Storage("media", backend="memory", bucket_name="acme")
    return storage.url("a", parameters=_DISPOSITION, expire=600)


@pytest.mark.parametrize(
    ("make", "has_headers"),
    [
        (lambda: _by_boto3("s3v4"), True),
        (lambda: _by_boto3("s3"), True),
        (_by_cloudfront, False),
        (_by_azure, True),
        (_by_ourselves, True),
    ],
    ids=["sigv4", "sigv2", "cloudfront", "azure", "memory"],
)
def test_a_signed_url_is_seen_and_says_how_long_it_is_valid(make: Any, has_headers: bool) -> None:
    if make is _by_azure:
        pytest.importorskip("azure.storage.blob")
    url = make()
    assert is_signed(url)
    assert sets_headers(url) is has_headers
    left = seconds_left(url)
    assert left is not None
    assert 590 <= left <= 600


def test_a_plain_url_is_not_signed() -> None:
    for url in (
        FileSystemStorage(base_url="/media/").url("signature=1.png"),
        "https://acme.s3.amazonaws.com/a?versionId=1&response-content-type=text%2Fcss",
        "/media/a.png?v=4.7",
        "",
    ):
        assert not is_signed(url)
        assert seconds_left(url) is None


def test_a_time_that_is_none_is_not_believed() -> None:
    for query in ("Expires=soon", "X-Amz-Date=x&X-Amz-Expires=60", "se=tomorrow"):
        assert seconds_left(f"/a?{query}") is None
    assert seconds_left("/a?Expires=1") == 0
