"""Metadata of files from Django's cache, invalidated by the writes of this package.

Each file has a version number in the cache, called its stamp; every write increments it, before and
after. An answer of S3 is cached with the stamp read before its request, and is valid only as long
as the stamp is the same. So an answer that was under way during a write is never used, in whatever
order things arrive, and if the cache drops a stamp, the answers that depend on it are invalid.

Answers are cached for each set of credentials: with others, the same endpoint, bucket and name may
mean another file, or one that may not be read. The stamp belongs to the name, so a write
invalidates the answers for all credentials.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, Optional, Tuple

from storages.utils import clean_name

from smart_storages import config, s3
from smart_storages.exceptions import ObjectNotFoundError
from smart_storages.storages.operations import operation

if TYPE_CHECKING:
    from storages.backends.s3boto3 import S3Boto3Storage as _Base

    from smart_storages.s3.stat import Stat
    from smart_storages.s3.writing.parameters import Written
else:
    _Base = object

__all__ = ["MetadataCacheMixin"]

logger = logging.getLogger(__name__)

#: Kinds of cached answers: there is no such file; it was just written, so that everything but its
#: time is known; a complete stat.
_MISSING = "missing"
_WRITTEN = "written"
_STAT = "stat"

#: A stamp lives longer than its answers; if it expires, this only costs a request.
_STAMP_SECONDS = 24 * 3600

_Known = Tuple[str, Dict[str, Any]]


class _Answers:
    """The cached answers about one file, for one set of credentials."""

    def __init__(self, place: Tuple[Any, ...], identity: str, seconds: int) -> None:
        self._answer = f"smart-storages:answer:{_digest(*place, identity)}"
        self._stamp = f"smart-storages:stamp:{_digest(*place)}"
        self._seconds = seconds
        from django.core.cache import caches  # which most storages never use

        self._cache = caches[config.get_metadata_cache_alias()]

    def recall(self) -> Tuple[Optional[_Known], Optional[int]]:
        """Return the cached answer, if it is valid, and the stamp for a new answer."""
        found = self._cache.get_many([self._answer, self._stamp])
        stamp = found.get(self._stamp)
        if stamp is None:
            stamp = _new_stamp()
            if not self._cache.add(self._stamp, stamp, _STAMP_SECONDS):
                stamp = self._cache.get(self._stamp)
        answer = found.get(self._answer)
        if answer is not None and answer[0] == stamp:
            return (answer[1], answer[2]), stamp
        return None, stamp

    def keep(self, stamp: Optional[int], kind: str, values: Dict[str, Any]) -> None:
        if stamp is not None:
            self._cache.set(self._answer, (stamp, kind, values), self._seconds)

    def raise_stamp(self) -> Optional[int]:
        try:
            return int(self._cache.incr(self._stamp))
        except ValueError:  # not in the cache any more, so no answer is valid
            return None

    def begin(self) -> Optional[int]:
        stamp = self.raise_stamp()
        if stamp is None:
            stamp = _new_stamp()
            if not self._cache.add(self._stamp, stamp, _STAMP_SECONDS):
                stamp = self.raise_stamp()
        return stamp

    def end(self, started: Optional[int], kind: Optional[str], values: Dict[str, Any]) -> None:
        stamp = self.raise_stamp()
        # If another writer came in between, it is unknown whose object is there now.
        alone = stamp is not None and started is not None and stamp == started + 1
        if alone and kind is not None:
            self.keep(stamp, kind, values)


def _digest(*parts: Any) -> str:
    # Caches limit the length and the characters of a key.
    text = "\0".join(map(str, parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _new_stamp() -> int:
    # Random, so that it is not close to an earlier stamp of the file; memcached counts in 64 bits.
    return secrets.randbits(56)


class _Change:
    """What a write did, to be cached when it ends."""

    kind: Optional[str] = None

    def __init__(self) -> None:
        self.values: Dict[str, Any] = {}

    def wrote(self, written: Written) -> None:
        self.kind = _WRITTEN
        self.values = {"size": written.size, "etag": written.etag}

    def removed(self) -> None:
        self.kind = _MISSING


class MetadataCacheMixin(_Base):  # type: ignore[misc]
    """``exists``, ``size``, ``get_modified_time`` and ``stat`` from Django's cache.

    Nothing is cached unless the option ``metadata_cache_seconds`` is set.
    """

    @operation()
    def stat(self, name: str) -> Stat:
        answers = self._answers_of(self._normalize_name(clean_name(name)))
        if answers is None:
            uncached: Stat = super().stat(name)
            return uncached
        known, stamp = _quietly(answers.recall) or (None, None)
        if known is not None and known[0] == _MISSING:
            raise self._missing(name)
        if known is not None and known[0] == _STAT:
            return s3.stat.Stat(**known[1])
        try:
            stat: Stat = super().stat(name)
        except ObjectNotFoundError:
            _quietly(answers.keep, stamp, _MISSING, {})
            raise
        _quietly(answers.keep, stamp, _STAT, dict(vars(stat)))
        return stat

    @operation()
    def exists(self, name: str) -> bool:
        known = self._recall(name)
        if known is None:
            there: bool = super().exists(name)
            return there
        return known[0] != _MISSING

    @operation()
    def size(self, name: str) -> int:
        known = self._recall(name)
        if known is None or known[0] == _MISSING:
            size: int = super().size(name)
            return size
        return int(known[1]["size"])

    @operation()
    def get_modified_time(self, name: str) -> datetime:
        # Uses stat(): the answer that a write left in the cache has no time.
        moment: datetime = super().get_modified_time(name)
        return moment

    def _missing(self, name: str) -> ObjectNotFoundError:
        key = self._normalize_name(clean_name(name))
        return ObjectNotFoundError("There is no such file.", **self.s3_target().places(key))

    def _recall(self, name: str) -> Optional[_Known]:
        answers = self._answers_of(self._normalize_name(clean_name(name)))
        if answers is None:
            return None
        known, _ = _quietly(answers.recall) or (None, None)
        return known

    def _answers_of(self, key: str) -> Optional[_Answers]:
        if not self.metadata_cache_seconds:
            return None
        place = (self.endpoint_url or "aws", self.bucket_name, key)
        return _Answers(place, self.credentials_identity, self.metadata_cache_seconds)

    # Invalidation

    @contextmanager
    def _changing(self, key: str) -> Iterator[_Change]:
        """Invalidate what is cached about an object; every write runs in this block."""
        change = _Change()
        answers = self._answers_of(key)
        if answers is None:
            yield change
            return
        started = _quietly(answers.begin)
        try:
            yield change
        finally:
            # Also after an error: the write may have succeeded and only its answer been lost.
            _quietly(answers.end, started, change.kind, change.values)

    def _forget(self, keys: Iterable[str]) -> None:
        """Invalidate what is cached about objects that were written or deleted."""
        for key in keys:
            answers = self._answers_of(key)
            if answers is None:
                return
            _quietly(answers.raise_stamp)


def _quietly(function: Any, *args: Any) -> Any:
    # If the cache is down, answers are slower, but saving a file does not fail.
    try:
        return function(*args)
    except Exception:
        logger.warning(
            "The cache of file metadata, %s, does not work.",
            config.METADATA_CACHE_SETTING,
            exc_info=True,
        )
        return None
