"""Which async calls of a storage run on the event loop, and which need a thread."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from smart_storages.common.compat import cache

__all__ = ["LARGEST", "AsyncCallsMixin"]

#: Up to this size, in bytes, content is read and saved on the loop. Its checksum is computed there
#: too, during which nothing else runs: 1 MiB takes 1 to 2 ms.
LARGEST = 1024 * 1024

_METHODS = frozenset({"delete", "exists", "get_modified_time", "open", "save", "size", "stat"})

#: Packages whose code is known not to block.
_LIBRARIES = ("builtins", "django.", "smart_storages.", "storages.")


class AsyncCallsMixin:
    """The part of a storage that decides where its async calls run."""

    metadata_cache_seconds: int

    def _can_run_on_loop(self, method: str, *args: Any, **kwargs: Any) -> bool:
        # Django's cache may be a server, and code of the project may do anything.
        kind: Any = type(self)
        if method not in _METHODS or self.metadata_cache_seconds or _has_own_code(kind):
            return False
        if method == "open":
            return "r" in (args[1] if len(args) > 1 else kwargs.get("mode", "rb"))
        if method == "save":
            return _is_small(args[1] if len(args) > 1 else kwargs.get("content"))
        return True


@cache
def _has_own_code(storage_class: Any) -> bool:
    return any(
        callable(value) or isinstance(value, (classmethod, property, staticmethod))
        for each in storage_class.__mro__
        if not f"{each.__module__}.".startswith(_LIBRARIES)
        for name, value in vars(each).items()
        if not name.startswith("__")
    )


def _is_small(content: Any) -> bool:
    # Not the length of its buffer: asking for that copies what BytesIO shares with its bytes.
    is_known = type(content).__module__.startswith("django.") and type(content.file) is BytesIO
    return is_known and isinstance(content.size, int) and content.size <= LARGEST
