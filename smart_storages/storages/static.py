"""The storages of static files, imported where they are used, as few processes do.

How they answer ``collectstatic``, and how they write and name files.
"""

from __future__ import annotations

import mimetypes
import posixpath
from datetime import datetime
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import urljoin

from django.utils.encoding import filepath_to_uri

from smart_storages import config
from smart_storages.backends.s3.writing.parameters import Written
from smart_storages.storages.collectstatic import Collection, find_call
from smart_storages.storages.manifest import LazyManifestMixin
from smart_storages.storages.operations import operation, unreported
from smart_storages.storages.reading import localize
from smart_storages.storages.smart import SmartS3Storage
from smart_storages.storages.writing import is_one_of_many

__all__ = ["ManifestStaticStorage", "StaticStorage"]

#: Types of files of the web. The table of Python depends on its version and on the machine: an
#: image without ``/etc/mime.types`` knows few fonts.
#: https://www.iana.org/assignments/media-types/media-types.xhtml
CONTENT_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css",
    ".eot": "application/vnd.ms-fontobject",
    ".gif": "image/gif",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".mp4": "video/mp4",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}


class StaticStorage(SmartS3Storage):
    """Static files, with URLs that stay the same.

    While ``collectstatic`` of Django runs, it is answered from one listing of the bucket, and what
    has changed is uploaded in parallel at the end; see :class:`.collectstatic.Collection`. Calls of
    others are those of every storage.
    """

    module_name: str = "static"
    location = "static"
    querystring_auth = False

    #: The ``Cache-Control`` of files whose name contains a hash of their content; ``None`` for that
    #: of ``object_parameters``, which all other files have.
    hashed_cache_control: Optional[str] = "max-age=31536000, immutable"

    _collection: Optional[Collection] = None

    def _collect(self) -> Tuple[Optional[Collection], Any]:
        """Return the run of ``collectstatic`` that this call belongs to, if any, and the call."""
        call = find_call()
        if call is None:
            return None, None
        current = self._collection
        if current is not None and current.is_of(call):
            return current, call
        # The command's storage may be another one, which calls this one and knows no end.
        named = getattr(call.command, "storage", None)
        if self is not named and self is not getattr(named, "_wrapped", None):
            return None, None
        if current is not None:  # of a run that failed
            current.end()
        self._collection = Collection(self, call)
        return self._collection, call

    # What the command and HashedFilesMixin call

    def exists(self, name: str) -> bool:
        collection, _ = self._collect()
        there: bool = super().exists(name) if collection is None else collection.exists(name)
        return there

    def get_modified_time(self, name: str) -> datetime:
        collection, call = self._collect()
        moment = collection.modified_time(name, call.source) if collection is not None else None
        if moment is None:
            uncollected: datetime = super().get_modified_time(name)
            return uncollected
        return localize(moment)

    def listdir(self, path: str) -> Tuple[List[str], List[str]]:
        collection, _ = self._collect()
        if collection is None:
            listed: Tuple[List[str], List[str]] = super().listdir(path)
            return listed
        return collection.listdir(path)

    def delete(self, name: str) -> None:
        collection, call = self._collect()
        if collection is None:
            super().delete(name)
        else:
            collection.delete(name, is_clearing=call.is_clearing)

    def save(self, name: Optional[str], content: Any, max_length: Optional[int] = None) -> str:
        collection, _ = self._collect()
        if collection is None:
            saved: str = super().save(name, content, max_length)
            return saved
        with unreported():  # the operation is the upload, at the end
            noted: str = super().save(name, content, max_length)
        return noted

    def get_available_name(self, name: str, max_length: Optional[int] = None) -> str:
        collection, _ = self._collect()
        if collection is None:
            available: str = super().get_available_name(name, max_length)
            return available
        return name

    def _save(self, name: str, content: Any) -> str:
        collection, _ = self._collect()
        if collection is None:
            saved: str = super()._save(name, content)
            return saved
        self.get_key(name)  # raises for a name that is not valid
        return collection.save(name, content)

    def _open(self, name: str, mode: str = "rb") -> Any:
        collection, _ = self._collect()
        found = collection.open(name) if collection is not None and mode == "rb" else None
        return super()._open(name, mode) if found is None else found

    def url(self, name: str, *args: Any, **kwargs: Any) -> str:
        """Return the URL of a static file.

        With ``DEBUG`` and a ``STATIC_URL`` without a host it is Django's own, below ``STATIC_URL``:
        there ``runserver`` serves the files of the project, and none needs to be collected.

        Args:
            name: Name of the file.

        Source: ``Storage.url`` of Django.
        """
        collection, _ = self._collect()
        # Of such a URL, HashedFilesMixin takes the last part.
        base = config.get_local_static_url() if collection is None else "/"
        if base is None:
            remote: str = super().url(name, *args, **kwargs)
            return remote
        return urljoin(base, filepath_to_uri(name).lstrip("/"))

    # Writing

    @operation("save")
    def _upload(self, name: str, content: Any, *, is_hashed: bool) -> Tuple[Written, str]:
        """Write a file now; return what S3 says of it, and how it was compressed."""
        key = self.get_key(name)
        params = self._get_write_parameters(key, content)
        if is_hashed and self.hashed_cache_control is not None:
            params["CacheControl"] = self.hashed_cache_control
        token = is_one_of_many.set(True)
        try:
            source, extra = self._make_source(content, params)
            try:
                written = self._put(key, source, {**params, **extra}, overwrite=True)
            finally:
                source.close()
        finally:
            is_one_of_many.reset(token)
        return written, extra.get("ContentEncoding", "")

    def _find_encoding(self, name: str) -> str:
        """Return how a file of that name is compressed on its way, ``""`` if it is not."""
        return self._choose_encoding(self._get_write_parameters(self.get_key(name))) or ""

    def _get_write_parameters(self, name: str, content: Any = None) -> Dict[str, Any]:
        params: Dict[str, Any] = super()._get_write_parameters(name, content)
        extension = posixpath.splitext(name)[1].lower()
        known = CONTENT_TYPES.get(extension)
        is_guessed = params.get("ContentType") in (
            mimetypes.guess_type(name)[0],
            self.default_content_type,
        )
        if known is not None and is_guessed:
            params["ContentType"] = known
        return params


class ManifestStaticStorage(LazyManifestMixin, StaticStorage):  # type: ignore[misc]
    """Static files whose names contain a hash of their content, so that browsers keep them.

    As Django's ``ManifestStaticFilesStorage``. The manifest is written last, when every file that
    it names is there.
    """


# Migrations and pickles name a class by its module. This public path must not change.
for _class in (ManifestStaticStorage, StaticStorage):
    _class.__module__ = "smart_storages.storages"
