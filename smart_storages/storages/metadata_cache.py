"""Answers about files from Django's cache, kept right by what this package writes.

Beside each answer's key stands a stamp, a number that every write raises, before and after. An
answer is kept with the stamp that stood when its question was asked, and counts only while that
stamp stands. So an answer that was on its way while a file was written is never believed, whatever
order things arrive in, and a cache that forgets a stamp forgets its answer with it.

An answer belongs to whoever asked: with other credentials the same endpoint, bucket and name may
mean another file, or one that may not be read. The stamp belongs to the name, so that a write
counts for all who ask for it.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, Optional, Tuple

from django.core.cache import caches
from storages.utils import clean_name

from smart_storages import config
from smart_storages.exceptions import ObjectNotFoundError
from smart_storages.s3.stat import Stat
from smart_storages.s3.writing.parameters import Written

if TYPE_CHECKING:
    from storages.backends.s3boto3 import S3Boto3Storage as _Base
else:
    _Base = object

__all__ = ["MetadataCacheMixin"]

logger = logging.getLogger(__name__)

#: What is known of a file that is not there; of one that was just written, all but the time.
_MISSING = "missing"
_WRITTEN = "written"
_STAT = "stat"

#: A stamp outlives the answers it vouches for; one that expires costs a request, no more.
_STAMP_SECONDS = 24 * 3600

_Known = Tuple[str, Dict[str, Any]]


class _Answers:
    """The answers about one file, for one who asks."""

    def __init__(self, place: Tuple[Any, ...], identity: str, seconds: int) -> None:
        self._answer = f"smart-storages:answer:{_digest(*place, identity)}"
        self._stamp = f"smart-storages:stamp:{_digest(*place)}"
        self._seconds = seconds
        self._cache = caches[config.get_metadata_cache_alias()]

    def recall(self) -> Tuple[Optional[_Known], Optional[int]]:
        """Return what is known, and the stamp to keep a new answer with."""
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
        except ValueError:  # forgotten, and every answer with it
            return None

    def begin(self) -> Optional[int]:
        stamp = self.raise_stamp()
        if stamp is None:
            stamp = _new_stamp()
            if not self._cache.add(self._stamp, stamp, _STAMP_SECONDS):
                stamp = self.raise_stamp()
        return stamp

    def end(self, begun: Optional[int], kind: Optional[str], values: Dict[str, Any]) -> None:
        stamp = self.raise_stamp()
        # Another writer in between: whose object is there now nobody here knows.
        alone = stamp is not None and begun is not None and stamp == begun + 1
        if alone and kind is not None:
            self.keep(stamp, kind, values)


def _digest(*parts: Any) -> str:
    # Caches limit the length and the characters of a key.
    text = "\0".join(map(str, parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _new_stamp() -> int:
    # A number that no earlier stamp of this file was near; memcached counts in 64 bits.
    return secrets.randbits(56)


class _Change:
    """What a write did, for whoever keeps the answers."""

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

    Off without the option ``metadata_cache_seconds``.
    """

    def stat(self, name: str) -> Stat:
        answers = self._answers_of(self._normalize_name(clean_name(name)))
        if answers is None:
            asked: Stat = super().stat(name)
            return asked
        known, stamp = _quietly(answers.recall) or (None, None)
        if known is not None and known[0] == _MISSING:
            raise self._missing(name)
        if known is not None and known[0] == _STAT:
            return Stat(**known[1])
        try:
            stat: Stat = super().stat(name)
        except ObjectNotFoundError:
            _quietly(answers.keep, stamp, _MISSING, {})
            raise
        _quietly(answers.keep, stamp, _STAT, dict(vars(stat)))
        return stat

    def exists(self, name: str) -> bool:
        known = self._recall(name)
        if known is None:
            there: bool = super().exists(name)
            return there
        return known[0] != _MISSING

    def size(self, name: str) -> int:
        known = self._recall(name)
        if known is None or known[0] == _MISSING:
            size: int = super().size(name)
            return size
        return int(known[1]["size"])

    def get_modified_time(self, name: str) -> datetime:
        # Asks stat(): what a write left here lacks the time.
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

    # Keeping them right

    @contextmanager
    def _changing(self, key: str) -> Iterator[_Change]:
        """Around every write of an object: what was known of it counts no more."""
        change = _Change()
        answers = self._answers_of(key)
        if answers is None:
            yield change
            return
        begun = _quietly(answers.begin)
        try:
            yield change
        finally:
            # Also after an error: the answer may have been lost, and not the write.
            _quietly(answers.end, begun, change.kind, change.values)

    def _forget(self, keys: Iterable[str]) -> None:
        """Forget what is known of objects that were written, or deleted."""
        for key in keys:
            answers = self._answers_of(key)
            if answers is None:
                return
            _quietly(answers.raise_stamp)


def _quietly(function: Any, *args: Any) -> Any:
    # A cache that is down makes answers slower; no file fails to be saved for it.
    try:
        return function(*args)
    except Exception:
        logger.warning("The cache of file metadata does not work.", exc_info=True)
        return None
