"""Rules that use the name of a file."""

from __future__ import annotations

import posixpath
import struct
from functools import lru_cache
from hashlib import shake_128
from typing import Any, Collection, Mapping, Optional, Tuple
from zlib import crc32

from smart_storages.common.arguments import require_names, require_tables
from smart_storages.exceptions import ConfigurationError
from smart_storages.resolvers.base import FALLBACK, StorageResolver, known, without_missing_fallback

__all__ = ["ByExtension", "ByPathPrefix", "RendezvousHash"]

#: Far more slots than there will be buckets, so that each bucket gets nearly the same share.
_SLOTS = 1 << 14
_WEIGHTS = f"<{_SLOTS}Q"
_STREAM_BYTES = struct.calcsize(_WEIGHTS)


class ByExtension(StorageResolver):
    """Chooses by the extension of the name; the longest that matches wins.

    Args:
        table: Aliases by extension, with or without the dot, in any case.
        default: Alias for every other name; ``None`` for the fallback.

    Example:
        >>> rule = ByExtension({"pdf": "documents", "jpg": "media"}, default="files")
        >>> rule.resolve({}, "open", "press/kit.PDF", {})
        'documents'
    """

    by_name = True

    def __init__(self, table: Mapping[str, str], default: Optional[str] = None) -> None:
        require_tables(type(self), table=table)
        self.table = {f".{key.lower().lstrip('.')}": alias for key, alias in table.items()}
        self.default = default
        self.aliases = known(*table.values(), default or FALLBACK)
        # Before Django 5, the alternative name for "a.tar.gz" is "a.tar_x7Yp2aB.gz".
        self.by_whole_name = any(key.count(".") > 1 for key in self.table)

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        if not self.by_whole_name:
            extension = filename[filename.rfind(".") :]
            alias = self.table.get(extension)
            return alias or self.table.get(extension.lower(), self.default)
        name = filename[filename.rfind("/") + 1 :].lower()
        dot = name.find(".")
        while dot != -1:
            alias = self.table.get(name[dot:])
            if alias is not None:
                return alias
            dot = name.find(".", dot + 1)
        return self.default

    def spread(self, storages: Any, path: str) -> Collection[str]:
        return without_missing_fallback(self.aliases or (), storages)

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        extension = posixpath.splitext(filename)[1] or "no extension"
        return f"{filename!r} has {extension}."


class ByPathPrefix(StorageResolver):
    """Chooses by the directories that a name begins with; the longest prefix that matches wins.

    Args:
        table: Aliases by prefix. A prefix matches whole segments: ``"reports"`` does not match
            ``"reports2/"``.
        default: Alias for every other name; ``None`` for the fallback.

    Example:
        >>> rule = ByPathPrefix({"reports/": "reports", "reports/public/": "public"})
        >>> rule.resolve({}, "open", "reports/public/2026.pdf", {})
        'public'
    """

    by_name = True

    def __init__(self, table: Mapping[str, str], default: Optional[str] = None) -> None:
        require_tables(type(self), table=table)
        pairs = [(key.strip("/") + "/", alias) for key, alias in table.items()]
        self.table = sorted(pairs, key=lambda pair: -len(pair[0]))
        self._directories = {prefix[:-1]: alias for prefix, alias in pairs}
        # A name that begins with none of these matches no prefix, however it is spelled.
        self._beginnings = (".", *{prefix.partition("/")[0] for prefix, _ in pairs})
        self.default = default
        self.aliases = known(*table.values(), default or FALLBACK)

    def _match(self, filename: str) -> Tuple[Optional[str], Optional[str]]:
        filename = filename.replace("\\", "/")
        if "//" in filename or "./" in filename:
            filename = posixpath.normpath(filename)
        for prefix, alias in self.table:
            if filename.startswith(prefix) or filename == prefix[:-1]:
                return prefix, alias
        return None, self.default

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        if not filename.startswith(self._beginnings):
            return self.default
        if "./" in filename or "//" in filename or "\\" in filename:
            return self._match(filename)[1]
        for prefix, alias in self.table:
            if filename.startswith(prefix):
                return alias
        return self._directories.get(filename, self.default)

    def spread(self, storages: Any, path: str) -> Collection[str]:
        inside = "" if path in ("", ".") else path.strip("/") + "/"
        below = [alias for prefix, alias in self.table if prefix.startswith(inside)]
        return without_missing_fallback(known(self._match(path)[1], *below), storages)

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        prefix = self._match(filename)[0]
        return f"{filename!r} begins with {prefix!r}." if prefix else "No prefix matches."


class RendezvousHash(StorageResolver):
    """Chooses one of N buckets by a hash of the name.

    A new bucket takes over an equal share of the names; all other names keep their bucket. The
    choice depends on the name alone: if buckets will be added while files stay where they are, set
    ``record_alias`` on the dispatcher.

    Args:
        buckets: Aliases, in any order.

    Example:
        >>> rule = RendezvousHash(["files_a", "files_b", "files_c"])
        >>> rule.resolve({}, "open", "a.txt", {}) == rule.resolve({}, "save", "a.txt", {})
        True

    Source: Thaler and Ravishankar, "A name-based mapping scheme for rendezvous", 1996.
    """

    by_name = True
    by_whole_name = True

    def __init__(self, buckets: Collection[str]) -> None:
        if not buckets or isinstance(buckets, str):
            raise ConfigurationError("RendezvousHash needs a list of aliases.")
        for each in buckets:
            require_names(type(self), **{"each bucket": each})
        self.buckets = sorted(set(buckets))
        self.aliases = known(*buckets)
        self._slots: Tuple[str, ...] = ()

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> str:
        if "./" in filename or "//" in filename:
            filename = posixpath.normpath(filename)
        slots = self._slots or self._assign_slots()
        return slots[crc32(filename.encode("utf-8", "surrogatepass")) % _SLOTS]

    def _assign_slots(self) -> Tuple[str, ...]:
        self._slots = _assign_slots(tuple(self.buckets))
        return self._slots

    def spread(self, storages: Any, path: str) -> Collection[str]:
        return without_missing_fallback(self.aliases or (), storages)

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        return f"Of {len(self.buckets)} buckets it has the highest weight for {filename!r}."


@lru_cache(maxsize=32)
def _assign_slots(buckets: Tuple[str, ...]) -> Tuple[str, ...]:
    # The bucket with the highest weight is found once for each slot, not for each call. A bucket's
    # weights come from a pseudorandom stream that depends on its alias alone.
    weights = []
    for alias in buckets:
        stream = shake_128(alias.encode("utf-8", "surrogatepass")).digest(_STREAM_BYTES)
        weights.append(struct.unpack(_WEIGHTS, stream))
    return tuple(buckets[column.index(max(column))] for column in zip(*weights))
