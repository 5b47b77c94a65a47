"""Local copies: their names, how they are written, and whether a remote file equals one."""

from __future__ import annotations

import hashlib
import logging
import os
import posixpath
import re
import socket
import tempfile
import uuid
from contextlib import suppress
from typing import Any, BinaryIO, Dict, Iterator, Optional, Set, Tuple, cast

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage

from smart_storages.common.compat import md5
from smart_storages.queued.ledger.identity import orphan_prefix
from smart_storages.queued.ledger.recording import LocalCopy
from smart_storages.queued.ledger.texts import longest, storable
from smart_storages.storages.operations import recording
from smart_storages.wrappers.health import UNREACHABLE, kind_of

__all__ = [
    "delete_quietly",
    "holds",
    "is_unfinished",
    "keep",
    "missing",
    "new_name",
    "path_on_disk",
    "sync_to_disk",
    "this_host",
]

logger = logging.getLogger("smart_storages.queued")

_CHUNK = 256 * 1024
_SHARDS = 256
_SPOOL = 8 * 1024 * 1024
_MOST_DIRECTORIES = 10_000
_WRITES_PLAINLY = getattr(FileSystemStorage, "_save", None)
_SIZE_IN_NAME = re.compile(r"[0-9a-f]{32}\.(\d+)-")

#: Directories known to be flushed to the disk in their parent; the inode detects one that was
#: deleted and created again.
_on_disk: Set[Tuple[str, int, int]] = set()


def new_name(storage: str, name: str, size: int) -> str:
    """Return a local name that is never used for another copy.

    So a late worker can never read or delete a newer copy. The name includes the size, so that a
    sweep can recognise an incomplete copy.
    """
    token = uuid.uuid4().hex
    root, extension = posixpath.splitext(posixpath.basename(name))
    shard = int(token[:8], 16) % _SHARDS
    base = f"{token}.{size}-{root[:40]}{extension[:16]}"
    return f"{orphan_prefix(storage)}/{shard:02x}/{base}"


def keep(local: Storage, storage: str, name: str, content: Any, *, durable: bool) -> LocalCopy:
    """Write ``content`` as a new local copy, whole or not at all.

    Args:
        local: The local storage.
        storage: Key of the queued storage.
        name: Name that the file has for the application.
        content: A Django file; text is stored as UTF-8.
        durable: Whether to flush the copy to the disk, so that it survives a power cut.

    Returns:
        What was written.

    Raises:
        OSError: The disk is full, or another error of the local storage; nothing is left behind.
    """
    body, size, sha256, md5sum = measure(content)
    local_name = new_name(storage, name, size)
    try:
        local_name = local.save(local_name, body)
        if durable:
            sync_to_disk(local, local_name)
        _check_whole(local, local_name, size)
    except BaseException as error:
        # On a full disk, the rest of this copy would make every later save fail. A bucket holds
        # only complete objects, so one that does not answer is not called again.
        if path_on_disk(local, local_name) or kind_of(error) != UNREACHABLE:
            delete_quietly(local, local_name)
        raise
    return LocalCopy(local_name, size, sha256, md5sum, this_host())


def this_host() -> str:
    """Return the name of this host, in the form that the ledger holds."""
    return storable(socket.gethostname())[: longest("host")]


def missing(name: str, host: str, error: FileNotFoundError) -> FileNotFoundError:
    """Return the error to raise for a file that its storage does not have.

    Args:
        name: Name of the file.
        host: Where its local copy was saved; empty if it is in the remote.
        error: The error of the storage.
    """
    if host in ("", this_host()):
        return error
    return FileNotFoundError(
        f"{name!r} waits for its transfer, and its local copy is not on this host: it was saved on "
        f"{host!r}. If several hosts serve the site, let them share the local storage, or make it "
        "a bucket."
    )


def _check_whole(local: Storage, name: str, size: int) -> None:
    # After a long stall, a sweep may have deleted it as incomplete.
    found = _size_on_disk(local, name)
    if found is not None and found != size:
        raise OSError(f"The local copy {name!r} has {max(found, 0)} bytes of {size}; save again.")


def _size_on_disk(local: Storage, name: str) -> Optional[int]:
    """Return the size of a copy, -1 if it does not exist, ``None`` if it cannot be compared."""
    # A storage that overrides _save() may compress or encrypt what it writes.
    if getattr(type(local), "_save", None) is not _WRITES_PLAINLY:
        return None
    try:
        return os.path.getsize(local.path(name))
    except FileNotFoundError:
        return -1


def is_unfinished(local: Storage, name: str, before: float) -> bool:
    """Whether a copy is smaller than its name says, and was not written to since ``before``.

    Only for copies without a row; a copy that has a row was complete.

    Args:
        local: The local storage.
        name: Name of a copy there.
        before: A time, in seconds since the epoch.
    """
    expected = _SIZE_IN_NAME.match(posixpath.basename(name))
    found = _size_on_disk(local, name)
    if expected is None or found is None or not 0 <= found < int(expected.group(1)):
        return False
    with suppress(FileNotFoundError):
        return os.path.getmtime(local.path(name)) < before
    return False


def measure(content: Any) -> Tuple[File[Any], int, str, str]:
    """Read ``content`` once, and return it rewound, with its size, SHA-256 and MD5."""
    sha256, md5sum, size = hashlib.sha256(), md5(), 0
    spool: Optional[BinaryIO] = None
    if not _is_seekable_binary(content):
        # Closed together with the file that wraps it.
        spool = cast(BinaryIO, tempfile.SpooledTemporaryFile(_SPOOL))  # noqa: SIM115
    for chunk in _chunks(content):
        size += len(chunk)
        sha256.update(chunk)
        md5sum.update(chunk)
        if spool is not None:
            spool.write(chunk)
    body = content if spool is None else File(spool, name=getattr(content, "name", None))
    body.seek(0)
    return body, size, sha256.hexdigest(), md5sum.hexdigest()


def _is_seekable_binary(content: Any) -> bool:
    try:
        content.seek(0)
        return isinstance(content.read(0), bytes)
    except (AttributeError, OSError, ValueError):
        return False


def _chunks(content: Any) -> Iterator[bytes]:
    for chunk in content.chunks(_CHUNK):
        yield chunk.encode() if isinstance(chunk, str) else bytes(chunk)


def path_on_disk(storage: Any, name: str) -> Optional[str]:
    """Return where a file would be on a disk, ``None`` if the storage has no paths."""
    try:
        return str(storage.path(name))
    except Exception:  # composed storages and those of other packages raise various errors
        return None


def sync_to_disk(storage: Storage, name: str) -> None:
    """Flush a file to the disk, and every directory that was created for it."""
    path = path_on_disk(storage, name)
    if path is None or not os.path.exists(path):  # an in-memory storage has paths without files
        return
    _sync(path)
    directory = os.path.dirname(path)
    _sync(directory)
    # The storage's own directory may be new as well.
    for _ in name.split("/"):
        found = os.stat(directory)
        known = (directory, found.st_dev, found.st_ino)
        if known in _on_disk or directory == os.path.dirname(directory):
            return
        directory = os.path.dirname(directory)
        try:
            _sync(directory)
        except PermissionError:  # owned by another user, so not created by us
            return
        if len(_on_disk) >= _MOST_DIRECTORIES:
            _on_disk.clear()
        _on_disk.add(known)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def holds(remote: Storage, name: str, row: Any) -> bool:
    """Whether the file ``name`` of the remote has the size and checksum that are in the ledger.

    For an object that was sent in one part, S3 reports the MD5; any other file is read.
    """
    if _size_and_md5_in_s3(remote, name) == (row.size, row.md5):
        return True
    sha256, size = hashlib.sha256(), 0
    try:
        with remote.open(name) as content:
            for chunk in _chunks(content):
                size += len(chunk)
                sha256.update(chunk)
    except FileNotFoundError:
        return False
    return (size, sha256.hexdigest()) == (row.size, row.checksum)


def _size_and_md5_in_s3(remote: Storage, name: str) -> Optional[Tuple[int, str]]:
    bucket_object = s3_address(remote, name)
    if bucket_object is None:
        return None
    client, address = bucket_object
    try:
        with recording(remote, "stat", name):
            head = client.head_object(**address)
    except client.exceptions.ClientError:  # missing or forbidden: reading the file will show it
        return None
    return head["ContentLength"], head.get("ETag", "").strip('"')


def s3_address(storage: Any, name: str) -> Optional[Tuple[Any, Dict[str, str]]]:
    """Return the client and the bucket and key of a file, ``None`` if it is not in S3."""
    if not getattr(storage, "is_in_s3", True):  # a module in a directory or in memory
        return None
    client = getattr(storage, "client", None)
    normalize = getattr(storage, "_normalize_name", None)
    if client is None or normalize is None or not hasattr(client, "head_object"):
        return None
    key = normalize(posixpath.normpath(name.replace("\\", "/")))
    return client, {"Bucket": storage.bucket_name, "Key": key}


def delete_quietly(storage: Storage, name: str) -> bool:
    """Delete a copy that is no longer needed. A failure is logged; the sweep retries local ones."""
    if not name:
        return True
    try:
        storage.delete(name)
    except Exception:
        logger.warning("could not delete the copy %s", name, exc_info=True)
        return False
    return True
