"""Pages of a listing: only the last one ends it, whatever the others hold."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from smart_storages.exceptions import S3Error
from tests.conftest import Bucket
from tests.servers import S3Proxy

NAMES = ["a.txt", "b.txt", "c.txt", "d.txt"]


def page(*keys: str, **ends: str) -> bytes:
    """Return the answer to a request for a listing."""
    entries = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;0&quot;</ETag><Size>1</Size></Contents>"
        for key in keys
    )
    text = "".join(f"<{name}>{value}</{name}>" for name, value in ends.items())
    body = f"<ListBucketResult><EncodingType>url</EncodingType>{text}{entries}</ListBucketResult>"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return (head + body).encode()


@pytest.fixture
def full(s3_bucket: Bucket) -> Bucket:
    for name in NAMES:
        s3_bucket.put(name, b"x")
    return s3_bucket


@pytest.fixture
def token(full: Bucket) -> str:
    """A token of the server with which a listing goes on after the first key."""
    first = full.client.list_objects_v2(Bucket=full.name, MaxKeys=1)
    return str(first["NextContinuationToken"])


def test_an_empty_page_is_not_the_end(
    full: Bucket, token: str, s3_proxy: S3Proxy, make_storage: Any
) -> None:
    storage = make_storage()
    for first in ([], NAMES[:1]):
        s3_proxy.reset()
        if first:
            s3_proxy.inject(
                method="GET", answer=page(*first, IsTruncated="true", NextContinuationToken="one")
            )
        empty = page(IsTruncated="true", NextContinuationToken=token)
        s3_proxy.inject(method="GET", answer=empty, unasked=True)
        names = [name for name, _ in storage.iter_files()]
        assert names == (NAMES if first else NAMES[1:])  # what the token stands for
        assert s3_proxy.requests[-1].query["continuation-token"] == token


def test_many_are_asked_about_beyond_an_empty_page(
    full: Bucket, token: str, s3_proxy: S3Proxy, make_storage: Any
) -> None:
    empty = page(IsTruncated="true", NextContinuationToken=token)
    s3_proxy.inject(method="GET", answer=empty, unasked=True)
    found = make_storage().stat_many([*NAMES[1:], "e.txt", "f.txt"])
    assert [name for name, stat in found.items() if stat is not None] == NAMES[1:]


@pytest.mark.one_server
@pytest.mark.parametrize("keys", [[], NAMES[:2]], ids=["empty", "the same again"])
def test_a_listing_that_does_not_come_to_its_end_is_an_error(
    full: Bucket, s3_proxy: S3Proxy, make_storage: Any, keys: Any
) -> None:
    s3_proxy.inject(method="GET", answer=page(*keys, IsTruncated="true"), times=None)
    with pytest.raises(S3Error, match="goes on, but not from where"):
        list(make_storage().iter_files())
    assert len(s3_proxy.requests) <= 2


def test_a_copy_deletes_nothing_that_an_empty_page_hides(
    full: Bucket, token: str, s3_proxy: S3Proxy, s3_settings: Any
) -> None:
    other = Bucket(full.server.create_bucket(), full.server, full.client)
    for name in [*NAMES[1:], "extra.txt"]:
        other.put(name, b"x")
    provider = full.server.name
    s3_settings.SMART_STORAGE_BUCKETS = {
        "source": {
            "bucket_name": full.name,
            "provider": provider,
            "endpoint_url": s3_proxy.endpoint_url,
        },
        "target": {"bucket_name": other.name, "provider": provider},
    }
    empty = page(IsTruncated="true", NextContinuationToken=token)
    s3_proxy.inject(method="GET", answer=empty, unasked=True, times=None)
    # Every page of the source is empty.
    with pytest.raises(CommandError, match="goes on, but not from where"):
        call_command("buckets", "copy", "source", "target", "--delete")
    assert other.keys() == [*NAMES[1:], "extra.txt"]
