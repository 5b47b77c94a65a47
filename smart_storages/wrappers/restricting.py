"""Storages that restrict another one: to reading, or to a prefix."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Tuple

from django.core.exceptions import SuspiciousFileOperation

from smart_storages.common.names import PreparedName, check_name
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages.lookup import resolve_storage
from smart_storages.wrappers.calls import Steps
from smart_storages.wrappers.forwarding import ChoosingStorage
from smart_storages.wrappers.storage_api import is_changing, require_uploads

__all__ = ["ReadOnlyStorage", "ScopedStorage"]


class ReadOnlyStorage(ChoosingStorage):
    """Reads from another storage, and refuses every change to it.

    Args:
        inner: Reference to the storage.

    Raises:
        PermissionError: from ``save``, ``delete``, and ``open`` in a mode that writes.

    Example:
        >>> from django.core.files.storage import FileSystemStorage
        >>> ReadOnlyStorage(FileSystemStorage("/srv/files")).delete("a.txt")
        Traceback (most recent call last):
            ...
        PermissionError: FileSystemStorage is read-only here: delete('a.txt') was refused.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = self._refer(inner, resolve_storage)

    def _pick(self, method: str, name: Any, params: Dict[str, Any]) -> Tuple[Any, Any]:
        if is_changing(method, tuple(params.values())):
            raise PermissionError(
                f"{self._inner.label} is read-only here: {method}({str(name)!r}) was refused."
            )
        return self._inner.storage, name

    def __repr__(self) -> str:
        return f"<ReadOnlyStorage of {self._inner.label}>"


class ScopedStorage(ChoosingStorage):
    """A storage confined to a prefix of another; its names do not include the prefix.

    Args:
        inner: Reference to the other storage.
        prefix: Directory in that storage, such as ``"tenants/acme"``.

    Raises:
        ConfigurationError: the prefix is not a string or path.
        SuspiciousFileOperation: from the constructor and every method: the prefix or a name could
            point outside.

    Example:
        >>> from django.core.files.storage import FileSystemStorage
        >>> ScopedStorage(FileSystemStorage("/srv/files"), "acme").path("a.txt")
        '/srv/files/acme/a.txt'
    """

    def __init__(self, inner: Any, prefix: str) -> None:
        if not isinstance(prefix, (str, os.PathLike)):
            raise ConfigurationError(f"ScopedStorage: prefix must be a directory, not {prefix!r}.")
        check_name(str(prefix).rstrip("/"))
        self._inner = self._refer(inner, resolve_storage)
        self._prefix = str(prefix).replace("\\", "/").rstrip("/") + "/"

    def _pick(self, method: str, name: Any, params: Dict[str, Any]) -> Tuple[Any, Any]:
        if method in ("get_valid_name", "get_alternative_name"):
            return self._inner.storage, name
        if name in ("", "."):
            return self._inner.storage, self._prefix[:-1] if method == "listdir" else self._prefix
        return self._inner.storage, f"{self._prefix}{name}"

    def _outside_in(self, name: str) -> str:
        if not name.startswith(self._prefix):
            raise SuspiciousFileOperation(
                f"{self._inner.label} returned the name {name!r}, which is outside of "
                f"{self._prefix!r}."
            )
        name = name[len(self._prefix) :]
        check_name(name)
        return name

    def generate_filename(self, filename: Any) -> str:
        """Return the name that the other storage makes; it carries that storage's choices along."""
        check_name(filename)
        inner = self._inner.storage.generate_filename(f"{self._prefix}{filename}")
        return PreparedName(self._outside_in(inner), owner=self, storage=self, inner=inner)

    def get_available_name(self, name: str, max_length: Optional[int] = None) -> str:
        """Return a free name; ``max_length`` does not count the prefix."""
        check_name(name)
        limit = max_length and max_length + len(self._prefix)
        free = self._inner.storage.get_available_name(f"{self._prefix}{name}", max_length=limit)
        return self._outside_in(free)

    def is_name_available(self, name: str, max_length: Optional[int] = None) -> bool:
        """Return whether a name is free; ``max_length`` does not count the prefix."""
        check_name(name)
        limit = max_length and max_length + len(self._prefix)
        storage = self._inner.storage
        return bool(storage.is_name_available(f"{self._prefix}{name}", max_length=limit))

    def get_upload_name(self, name: str, *, max_length: Optional[int] = None, **about: Any) -> str:
        """Return a name for an upload in parts; ``max_length`` does not count the prefix."""
        check_name(name)
        require_uploads(self._inner.storage)
        prepared = PreparedName.made_by(self, name)
        inner = prepared.inner if prepared else f"{self._prefix}{name}"
        limit = max_length and max_length + len(self._prefix)
        return self._outside_in(
            self._inner.storage.get_upload_name(inner, max_length=limit, **about)
        )

    def _save_steps(self, name: str, content: Any, max_length: Optional[int]) -> Steps:
        prepared = PreparedName.made_by(self, name)
        inner = prepared.inner if prepared else f"{self._prefix}{name}"
        limit = max_length and max_length + len(self._prefix)
        saved = yield self._inner.storage, "save", (inner, content), {"max_length": limit}
        try:
            return self._outside_in(saved)
        except SuspiciousFileOperation:
            yield self._inner.storage, "delete", (saved,), {}
            raise

    def __repr__(self) -> str:
        return f"<ScopedStorage {self._prefix!r} of {self._inner.label}>"
