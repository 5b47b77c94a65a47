"""When two files count as the same, told by what servers say of them."""

from __future__ import annotations

import zlib
from base64 import b64encode
from hashlib import md5, sha256
from typing import Any, Dict, Optional

import pytest
from django.core.files.base import ContentFile

from smart_storages.management.moving import comparing
from smart_storages.management.moving.comparing import is_same
from smart_storages.management.moving.ends import BucketEnd, Entry, end_of
from smart_storages.storages import SmartS3Storage

ONE, OTHER = "1" * 32, "2" * 32
KMS = {"x-amz-server-side-encryption": "aws:kms"}
AES = {"x-amz-server-side-encryption": "AES256"}
CUSTOMER = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}


def of(checksum: str, kind: str = "FULL_OBJECT", algorithm: str = "crc64nvme") -> Dict[str, str]:
    return {f"x-amz-checksum-{algorithm}": checksum, "x-amz-checksum-type": kind}


def bucket(name: str, provider: str = "aws") -> Any:
    storage = SmartS3Storage(name, bucket_name=f"acme-{name}", provider=provider)
    return end_of(storage, name)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({}, {}, False),
        (AES, AES, False),
        (KMS, {}, None),
        ({}, KMS, None),
        (CUSTOMER, {}, None),
        ({**KMS, **of("a")}, {**KMS, **of("a")}, True),
        ({**KMS, **of("a")}, {**KMS, **of("b")}, False),
        ({**KMS, **of("a-2", "COMPOSITE")}, of("a"), None),
        ({**KMS, **of("a-2", "COMPOSITE")}, of("a-2", "COMPOSITE"), True),
        ({**KMS, **of("a")}, of("a", algorithm="sha256"), None),
        (KMS, {"x-amz-meta-copied-from": ONE}, True),
        (KMS, {"x-amz-meta-copied-from": OTHER}, None),
        ({}, {"x-amz-meta-copied-from": OTHER}, False),
    ],
)
def test_two_objects_of_one_size_and_two_etags(
    monkeypatch: pytest.MonkeyPatch,
    first: Dict[str, str],
    second: Dict[str, str],
    same: Optional[bool],
) -> None:
    headers = {"one": {"etag": f'"{ONE}"', **first}, "two": {"etag": f'"{OTHER}"', **second}}
    monkeypatch.setattr(comparing, "_ask", lambda end, entry: headers[end.label])
    one, two = Entry("a", 5, ONE), Entry("a", 5, OTHER)
    assert is_same(bucket("one"), one, bucket("two"), two) is same


def test_what_decides_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(BucketEnd, "headers_of")
    one, two = bucket("one"), bucket("two")
    assert is_same(one, Entry("a", 5, "x-2"), two, Entry("a", 5, "x-2")) is True
    assert is_same(one, Entry("a", 5, ONE), two, Entry("a", 6, ONE)) is False


def test_an_etag_of_a_server_that_makes_its_own_is_no_md5(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comparing, "_ask", lambda end, entry: {"etag": f'"{entry.etag}"'})
    one, two = bucket("one", "wasabi"), bucket("two", "wasabi")
    assert is_same(one, Entry("a", 5, ONE), two, Entry("a", 5, OTHER)) is None


BODY = b"x" * 9 * 1024**2
PARTS = [BODY[: 8 * 1024**2], BODY[8 * 1024**2 :]]
IN_PARTS = md5(b"".join(md5(part).digest() for part in PARTS)).hexdigest() + "-2"  # noqa: S324
CRC32 = b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
SHA256 = b64encode(sha256(BODY).digest()).decode()


@pytest.mark.parametrize(
    ("etag", "size", "headers", "same"),
    [
        (md5(BODY).hexdigest(), len(BODY), {}, True),  # noqa: S324
        (IN_PARTS, len(BODY), {}, True),
        (ONE, len(BODY), {}, False),
        (ONE, len(BODY), KMS, None),
        (f"{ONE}-2", len(BODY), {}, None),
        (ONE, len(BODY), {**KMS, **of(CRC32, algorithm="crc32")}, True),
        (ONE, len(BODY), {**KMS, **of("AAAAAA==", algorithm="crc32")}, False),
        (f"{ONE}-2", len(BODY), of(f"{CRC32}-2", "COMPOSITE", "crc32"), None),
        (f"{ONE}-2", len(BODY), of(SHA256, algorithm="sha256"), True),
        (f"{ONE}-2", len(BODY), of(CRC32), None),
        (ONE, 7, {}, False),
        (ONE, 7, {"content-encoding": "gzip"}, None),
        (ONE, len(BODY), {"content-encoding": "gzip"}, None),
    ],
)
@pytest.mark.usefixtures("moto_ends")
def test_an_object_and_a_file(
    monkeypatch: pytest.MonkeyPatch,
    etag: str,
    size: int,
    headers: Dict[str, str],
    same: Optional[bool],
) -> None:
    from smart_storages.storages.lookup import resolve_storage

    disk = end_of(resolve_storage("disk"), "disk")
    disk.write("a", ContentFile(BODY))
    monkeypatch.setattr(comparing, "_ask", lambda end, entry: {"etag": f'"{etag}"', **headers})
    held, file = Entry("a", size, etag), Entry("a", len(BODY))
    assert is_same(bucket("one"), held, disk, file) is same
    assert is_same(disk, file, bucket("one"), held) is same
