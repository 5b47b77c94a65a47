"""What differs between the supported versions. "Goes with X" says when an entry can be removed."""

from __future__ import annotations

import hashlib
import sys
from typing import Any, Callable, Dict, Iterator, Tuple

import django
import storages.utils
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

__all__ = [
    "FILES_TAG",
    "HAS_MANIFEST_STORAGE",
    "HAS_STORAGES",
    "IN_MEMORY_STORAGES",
    "KEEPS_OVERWRITTEN_NAMES",
    "READS_OLD_STORAGE_SETTINGS",
    "STREAMS_ASYNC",
    "InvalidStorageError",
    "StorageHandler",
    "cache",
    "django_storages_handler",
    "forget_default_storages",
    "iscoroutinefunction",
    "markcoroutinefunction",
    "module_script",
]

#: Django reads ``STORAGES`` itself. Goes with Django 4.1.
HAS_STORAGES = django.VERSION >= (4, 2)

#: Django reads ``DEFAULT_FILE_STORAGE`` and ``STATICFILES_STORAGE``. Goes with Django 5.0.
READS_OLD_STORAGE_SETTINGS = django.VERSION < (5, 1)

#: Django's ``ManifestFilesMixin`` takes a ``manifest_storage``. Goes with Django 3.2.
HAS_MANIFEST_STORAGE = django.VERSION >= (4, 0)

#: A ``StreamingHttpResponse`` takes an async iterator. Goes with Django 4.1.
STREAMS_ASYNC = django.VERSION >= (4, 2)

#: Whether django-storages itself keeps the name of a file that is overwritten. Before, its
#: ``exists()`` returned ``False`` for that, which ours does not. Goes with django-storages 1.14.4.
KEEPS_OVERWRITTEN_NAMES = hasattr(storages.utils, "get_available_overwrite_name")

#: Django names it ``Tags.files`` since 4.0. Goes with Django 3.2.
FILES_TAG = "files"

if sys.version_info >= (3, 9):  # goes with Python 3.8: it can then be imported directly
    from functools import cache
else:  # pragma: no cover
    from functools import lru_cache

    cache = lru_cache(maxsize=None)

#: ``InMemoryStorage``, where Django has it. Goes with Django 4.1.
IN_MEMORY_STORAGES: Tuple[Any, ...] = ()

if HAS_STORAGES:
    from django.core.files.storage import InMemoryStorage, InvalidStorageError

    IN_MEMORY_STORAGES = (InMemoryStorage,)
else:  # goes with Django 4.1

    class InvalidStorageError(ImproperlyConfigured):  # type: ignore[no-redef]
        """The name of Django 4.2 for an alias that is not in ``STORAGES``."""


try:  # goes with Django 4.1, which accepts an asgiref without them
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction
except ImportError:  # pragma: no cover
    import asyncio

    iscoroutinefunction = asyncio.iscoroutinefunction  # type: ignore[assignment]

    def markcoroutinefunction(func: Any) -> Any:
        func._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
        return func


class StorageHandler:
    """Django 4.2's ``storages`` for older versions: builds each alias once. Goes with Django 4.1.

    Args:
        read_backends: Returns the ``STORAGES`` setting, as ``{alias: {"BACKEND", "OPTIONS"}}``.
    """

    def __init__(self, read_backends: Callable[[], Dict[str, Any]]) -> None:
        self._read_backends = read_backends
        self._storages: Dict[str, Any] = {}

    @property
    def backends(self) -> Dict[str, Any]:
        return self._read_backends()

    def __getitem__(self, alias: str) -> Any:
        try:
            return self._storages[alias]
        except KeyError:
            pass
        try:
            params = self.backends[alias]
        except KeyError:
            raise InvalidStorageError(
                f"Could not find config for '{alias}' in settings.STORAGES."
            ) from None
        self._storages[alias] = self.create_storage(params)
        return self._storages[alias]

    def __contains__(self, alias: object) -> bool:
        return alias in self.backends

    def __iter__(self) -> Iterator[str]:
        return iter(self.backends)

    def create_storage(self, params: Dict[str, Any]) -> Any:
        try:
            storage_class = import_string(params["BACKEND"])
        except (ImportError, KeyError) as error:
            raise InvalidStorageError(f"Could not find backend: {error}") from error
        return storage_class(**params.get("OPTIONS", {}))

    def clear(self) -> None:
        self._storages.clear()


def django_storages_handler(read_backends: Callable[[], Dict[str, Any]]) -> Any:
    """Return Django's own ``storages`` if there is one, else ours. Goes with Django 4.1."""
    if HAS_STORAGES:
        from django.core.files.storage import storages

        return storages
    return StorageHandler(read_backends)


def forget_default_storages() -> None:
    """Make Django build its two lazy storages again at the next use. Goes with Django 4.1."""
    from django.contrib.staticfiles.storage import staticfiles_storage
    from django.core.files.storage import default_storage
    from django.utils.functional import empty

    lazies: Any = (default_storage, staticfiles_storage)
    for lazy in lazies:
        lazy._wrapped = empty


def md5() -> Any:
    """Return an MD5 to recognise equal bytes, not for security; works even if MD5 is forbidden."""
    if sys.version_info >= (3, 9):  # goes with Python 3.8
        return hashlib.md5(usedforsecurity=False)
    return hashlib.md5()  # noqa: S324


def module_script(path: str) -> Any:
    """Return a static file as an entry of a form's ``media``: an ES module.

    Args:
        path: Its path within the static files.
    """
    if django.VERSION >= (5, 2):
        from django.forms.widgets import Script

        return Script(path, type="module")
    if django.VERSION >= (4, 1):
        return _ModuleScript(path)
    # Django asks staticfiles for the URL of a path that does not begin with a slash.
    return _ModuleScriptInQuotes(f"/{path}")


class _ModuleScript:
    """``Script`` of Django 5.2, as far as a module needs it. Goes with Django 5.1."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ModuleScript) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __html__(self) -> str:
        return _module_html('<script src="{}" type="module"></script>', self.path)


class _ModuleScriptInQuotes(str):
    """The same where Django writes it between the quotes of ``src``. Goes with Django 4.0."""

    __slots__ = ()

    def __html__(self) -> str:
        return _module_html('{}" type="module', self[1:])


def _module_html(html: str, path: str) -> str:
    from django.templatetags.static import static
    from django.utils.html import format_html

    return format_html(html, static(path))
