"""Objects in the memory of this process; they are gone when it ends."""

from __future__ import annotations

import io
import mimetypes
import os
import uuid
from contextlib import contextmanager
from datetime import datetime, timezone
from threading import Lock
from typing import TYPE_CHECKING, Dict, Iterator, List, NamedTuple, Optional, Tuple

from smart_storages.backends.memory_uploads import MemoryUploads
from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.store import Attributes, Found, Store
from smart_storages.common.compat import md5

if TYPE_CHECKING:
    from typing import Any

__all__ = ["MemoryStore", "has_memory_store", "isolated", "memory_store"]


class _Object(NamedTuple):
    content: bytes
    found: Found


class MemoryStore(Store):
    """The objects of one bucket."""

    place = "in memory"

    def __init__(self) -> None:
        self._objects: Dict[str, _Object] = {}
        self._lock = Lock()
        self._uploads = MemoryUploads(self)

    def put(
        self, key: str, chunks: Iterator[bytes], attributes: Attributes, *, overwrite: bool
    ) -> Stat:
        if not overwrite and key in self._objects:
            raise FileExistsError(key)
        content = b"".join(chunks)
        stat = Stat(
            size=len(content),
            modified_time=datetime.now(timezone.utc),
            etag=_etag(content),
            content_type=attributes.headers.get("content-type") or mimetypes.guess_type(key)[0],
            content_encoding=attributes.headers.get("content-encoding"),
            metadata=attributes.metadata,
        )
        with self._lock:
            if not overwrite and key in self._objects:
                raise FileExistsError(key)
            self._objects[key] = _Object(content, Found(stat, attributes))
        return stat

    def open(self, key: str) -> Tuple[Any, Found]:
        kept = self._get(key)
        return io.BytesIO(kept.content), kept.found

    def find(self, key: str) -> Found:
        return self._get(key).found

    def _get(self, key: str) -> _Object:
        try:
            return self._objects[key]
        except KeyError:
            raise FileNotFoundError(key) from None

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(key, None)

    def entries(self, prefix: str) -> Iterator[Tuple[str, Stat]]:
        with self._lock:
            kept = {key: each for key, each in self._objects.items() if key.startswith(prefix)}
        for key in sorted(kept, key=_in_order_of_s3):
            yield key, kept[key].found.stat

    def copy(self) -> MemoryStore:
        """Return a store with the same objects, which has its own life from now on."""
        twin = MemoryStore()
        with self._lock:
            twin._objects.update(self._objects)
        return twin

    def uploads(self) -> MemoryUploads:
        return self._uploads

    def identity(self) -> str:
        return f"memory {_blocks[-1].number}"


def _etag(content: bytes) -> str:
    digest = md5()
    digest.update(content)
    return str(digest.hexdigest())


def _in_order_of_s3(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


class _Block(NamedTuple):
    """Buckets that know nothing of those of other blocks."""

    number: str
    buckets: Dict[str, MemoryStore]

    @classmethod
    def new(cls, buckets: Optional[Dict[str, MemoryStore]] = None) -> _Block:
        return cls(uuid.uuid4().hex, {} if buckets is None else buckets)


_blocks: List[_Block] = [_Block.new()]


def _renew_locks() -> None:
    # A thread of the parent may hold one, and does not live in the child.
    for block in _blocks:
        for store in block.buckets.values():
            store._lock = Lock()
            store._uploads.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def has_memory_store(bucket: str) -> bool:
    """Return whether a file was ever saved in, or asked of, a bucket in memory."""
    return bucket in _blocks[-1].buckets


def memory_store(bucket: str) -> MemoryStore:
    """Return the store of a bucket; every caller gets the same one.

    Args:
        bucket: Name of the bucket.
    """
    buckets = _blocks[-1].buckets
    try:
        return buckets[bucket]
    except KeyError:
        return buckets.setdefault(bucket, MemoryStore())


@contextmanager
def isolated(*, keep: bool = False) -> Iterator[None]:
    """A block that leaves nothing behind.

    Args:
        keep: Whether it begins with the files that there are; else its buckets are empty.
    """
    files = {name: each.copy() for name, each in _blocks[-1].buckets.items()} if keep else None
    mine = _Block.new(files)
    _blocks.append(mine)
    try:
        yield
    finally:
        # Not the last: the blocks of a class of tests and of a test may end in another order.
        _blocks[:] = [each for each in _blocks if each is not mine]
