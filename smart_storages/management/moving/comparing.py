"""Whether two files are the same, by what the servers say about them, or by reading them.

The ETag of an object is the MD5 of its content only if it was written in one piece and not
encrypted with a key (SSE-KMS, SSE-C). Two equal ETags mean the same content; two different ones
may, so the checksums that the servers keep are compared then.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from base64 import b64encode
from typing import Any, Dict, Iterator, List, Optional

from botocore.compat import MD5_AVAILABLE, get_md5

from smart_storages.backends.s3.writing.parameters import COPIED_FROM
from smart_storages.backends.s3.writing.source import part_size, read_exactly
from smart_storages.management.moving.ends import BucketEnd, End, Entry

__all__ = ["is_same", "is_same_content"]

_PIECE = 1024**2
_CHECKSUM = "x-amz-checksum-"
_TYPE = f"{_CHECKSUM}type"
_ENCRYPTIONS = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-customer-algorithm")

_is_md5 = re.compile(r"[0-9a-f]{32}").fullmatch


def is_same(source: Any, one: Entry, target: Any, other: Entry) -> Optional[bool]:
    """Return whether two files have the same content, ``None`` if only reading both would tell.

    Args:
        source: Where the first is.
        one: The first, as it was listed.
        target: Where the second is.
        other: The second, as it was listed.
    """
    if one.etag and (one.size, one.etag) == (other.size, other.etag):
        return True
    if _keeps_attributes(source) and _keeps_attributes(target):
        return _is_same_object(source, one, target, other)
    if _keeps_attributes(source):
        return _is_same_as_file(source, one, target, other)
    if _keeps_attributes(target):
        return _is_same_as_file(target, other, source, one)
    return one.size == other.size and is_same_content(source, target, one.name)


def _keeps_attributes(end: Any) -> bool:
    # Where nothing is kept beside the bytes, only they can be compared.
    return isinstance(end, BucketEnd) and end.storage.keeps_attributes


def is_same_content(source: End, target: End, name: str) -> bool:
    """Read both files, as the project would read them, and return whether they are the same.

    An object that is stored compressed is read decompressed.
    """
    with source.open(name) as one, target.open(name) as other:
        while True:
            first, second = read_exactly(one, _PIECE), read_exactly(other, _PIECE)
            if first != second:
                return False
            if not first:
                return True


def _ask(end: BucketEnd, entry: Entry) -> Dict[str, str]:
    return end.headers_of(entry.name)


def _is_same_object(
    source: BucketEnd, one: Entry, target: BucketEnd, other: Entry
) -> Optional[bool]:
    if one.size != other.size:
        return False
    first, second = _ask(source, one), _ask(target, other)
    if second.get(f"x-amz-meta-{COPIED_FROM}") == first.get("etag", "").strip('"') != "":
        return True
    if first.get(_TYPE) == second.get(_TYPE):
        for name in first.keys() & second.keys():
            if name.startswith(_CHECKSUM) and name != _TYPE:
                return first[name] == second[name]
    if _has_md5(source, first) and _has_md5(target, second):
        return first["etag"] == second["etag"]
    return None


def _has_md5(end: BucketEnd, headers: Dict[str, str]) -> bool:
    encrypted = headers.get(_ENCRYPTIONS[0], "AES256") != "AES256" or _ENCRYPTIONS[1] in headers
    is_md5 = bool(_is_md5(headers.get("etag", "").strip('"')))
    return is_md5 and end.target.provider.md5_etags and not encrypted


def _is_same_as_file(end: BucketEnd, entry: Entry, files: End, file: Entry) -> Optional[bool]:
    if entry.size != file.size:
        # One that is stored compressed has another size, and is read decompressed.
        return None if "content-encoding" in _ask(end, entry) else False
    if MD5_AVAILABLE and entry.etag and entry.etag == _etag_of(end, entry, files):
        return True
    headers = _ask(end, entry)
    if "content-encoding" in headers:
        return None
    found = _checksum_of(files, file.name, headers)
    if found is not None:
        return found
    return False if _has_md5(end, headers) and MD5_AVAILABLE else None


def _etag_of(end: BucketEnd, entry: Entry, files: End) -> str:
    """Return the ETag that the object would have if the file were uploaded by this package."""
    with files.open(entry.name) as content:
        if "-" not in entry.etag:
            whole = get_md5()
            for piece in _pieces(content):
                whole.update(piece)
            return str(whole.hexdigest())
        digests: List[bytes] = []
        chunk = end.storage.transfer_config.multipart_chunksize
        while True:
            part = read_exactly(content, part_size(len(digests), chunk))
            if not part:
                return f"{get_md5(b''.join(digests)).hexdigest()}-{len(digests)}"
            digests.append(get_md5(part).digest())


def _checksum_of(files: End, name: str, headers: Dict[str, str]) -> Optional[bool]:
    """Compare a file with a checksum of the whole object, if it has one that Python can compute."""
    if headers.get(_TYPE, "FULL_OBJECT") != "FULL_OBJECT":
        return None
    for algorithm in ("sha256", "sha1", "crc32"):
        stored = headers.get(f"{_CHECKSUM}{algorithm}", "")
        if not stored or "-" in stored:
            continue
        with files.open(name) as content:
            return stored == b64encode(_digest(algorithm, content)).decode("ascii")
    return None


def _digest(algorithm: str, content: Any) -> bytes:
    if algorithm == "crc32":
        total = 0
        for piece in _pieces(content):
            total = zlib.crc32(piece, total)
        return total.to_bytes(4, "big")
    digest = hashlib.new(algorithm)
    for piece in _pieces(content):
        digest.update(piece)
    return digest.digest()


def _pieces(content: Any) -> Iterator[bytes]:
    return iter(lambda: content.read(_PIECE), b"")
