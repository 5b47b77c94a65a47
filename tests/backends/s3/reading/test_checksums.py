"""Which checksum an answer tells, and that it is told apart from what only looks like one."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Dict, Optional

import pytest

from smart_storages.backends.s3.reading.checksums import find_checksum

DATA = b"The quick brown fox"
MD5 = hashlib.md5(DATA).hexdigest()  # noqa: S324 - as S3 makes its ETags


def encode(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


CRC32 = encode(zlib.crc32(DATA).to_bytes(4, "big"))


def holds(headers: Dict[str, str], data: bytes = DATA, md5_etags: bool = True) -> Optional[bool]:
    checksum = find_checksum(headers, md5_etags=md5_etags)
    if checksum is None:
        return None
    checksum.update(data[:5])
    checksum.update(memoryview(data)[5:])
    return checksum.holds()


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-crc32": CRC32},
        {"x-amz-checksum-crc32": CRC32, "x-amz-checksum-type": "FULL_OBJECT", "etag": '"a-2"'},
        {"x-amz-checksum-sha1": encode(hashlib.sha1(DATA).digest())},  # noqa: S324
        {"x-amz-checksum-sha256": encode(hashlib.sha256(DATA).digest())},
        {"etag": f'"{MD5}"'},
        {"etag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"},
    ],
)
def test_a_checksum_holds_for_its_bytes_only(headers: Dict[str, str]) -> None:
    assert holds(headers) is True
    assert holds(headers, DATA[:-1] + b"!") is False
    assert holds(headers, DATA[:-1]) is False


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"etag": f'"{MD5}-3"'},
        {"etag": '"5d41402abc4b2a76b9719d911017c59"'},
        {"etag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"},
        {"etag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"},
        {"x-amz-checksum-crc32": f"{CRC32}-4"},
        {"x-amz-checksum-sha256": "x", "x-amz-checksum-type": "COMPOSITE"},
    ],
)
def test_what_is_not_the_checksum_of_the_content_is_not_used(headers: Dict[str, str]) -> None:
    assert holds(headers) is None


def test_an_etag_is_trusted_only_where_the_server_is_known() -> None:
    assert holds({"etag": f'"{MD5}"'}, md5_etags=False) is None


@pytest.mark.parametrize(("name", "size"), [("crc32c", 4), ("crc64nvme", 8)])
def test_checksums_of_awss_runtime_are_used_where_it_is_installed(name: str, size: int) -> None:
    try:
        from awscrt import checksums
    except ImportError:
        assert holds({f"x-amz-checksum-{name}": "anything"}) is None
    else:
        expected = encode(getattr(checksums, name)(DATA).to_bytes(size, "big"))
        assert holds({f"x-amz-checksum-{name}": expected}) is True
        assert holds({f"x-amz-checksum-{name}": expected}, DATA[:-1]) is False
