"""Answers of S3 about a file, in Django's cache, valid until the next write by this package.

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
import secrets
from typing import Any, Dict, Optional, Tuple

from django.core.cache import caches

from smart_storages import config

__all__ = ["Answers", "Known"]

#: A stamp lives longer than its answers; if it expires, this only costs a request.
_STAMP_SECONDS = 24 * 3600

#: The kind of an answer, and its values.
Known = Tuple[str, Dict[str, Any]]


class Answers:
    """The cached answers about one file, for one set of credentials."""

    def __init__(self, place: Tuple[Any, ...], identity: str, seconds: int) -> None:
        self._answer = f"smart-storages:answer:{_digest(*place, identity)}"
        self._stamp = f"smart-storages:stamp:{_digest(*place)}"
        self._seconds = seconds
        self._cache = caches[config.get_metadata_cache_alias()]

    def recall(self) -> Tuple[Optional[Known], Optional[int]]:
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
