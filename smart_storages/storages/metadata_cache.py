"""Metadata of files from Django's cache, invalidated by the writes of this package.

How an answer is kept, and when it is valid, is in :mod:`smart_storages.storages.cached_answers`,
which is imported where a storage uses the cache.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, Optional

from storages.utils import clean_name

from smart_storages import config
from smart_storages.backends import s3
from smart_storages.exceptions import ObjectNotFoundError
from smart_storages.storages.operations import operation

if TYPE_CHECKING:
    from storages.backends.s3boto3 import S3Boto3Storage as _Base

    from smart_storages.backends.s3.stat import Stat
    from smart_storages.backends.s3.writing.parameters import Written
    from smart_storages.storages.cached_answers import Answers, Known
else:
    _Base = object

__all__ = ["MetadataCacheMixin"]

logger = logging.getLogger(__name__)

#: Kinds of cached answers: there is no such file; it was just written, so that everything but its
#: time is known; a complete stat.
_MISSING = "missing"
_WRITTEN = "written"
_STAT = "stat"


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

    def _recall(self, name: str) -> Optional[Known]:
        answers = self._answers_of(self._normalize_name(clean_name(name)))
        if answers is None:
            return None
        known, _ = _quietly(answers.recall) or (None, None)
        return known

    def _answers_of(self, key: str) -> Optional[Answers]:
        if not self.metadata_cache_seconds:
            return None
        place = (self.endpoint_url or "aws", self.bucket_name, key)
        from smart_storages.storages.cached_answers import Answers  # most storages never use it

        return Answers(place, self.credentials_identity, self.metadata_cache_seconds)

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
