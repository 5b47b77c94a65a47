"""How a storage writes, names, deletes and lists files."""

from __future__ import annotations

import os
import posixpath
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from boto3.s3.transfer import TransferConfig
from django.core.files.base import File
from django.core.files.storage import Storage
from storages.utils import ReadBytesWrapper, clean_name, is_seekable

from smart_storages import common
from smart_storages.backends import s3
from smart_storages.common.compat import KEEPS_OVERWRITTEN_NAMES
from smart_storages.exceptions import ConfigurationError, ObjectExistsError
from smart_storages.storages.free_names import KnownNames, issued_names, with_random_suffix
from smart_storages.storages.operations import begin_lasting, operation

if TYPE_CHECKING:
    from storages.backends.s3boto3 import S3Boto3Storage as _Base

    from smart_storages.backends.s3.writing.parameters import Written
    from smart_storages.backends.s3.writing.source import Source
else:
    _Base = object

__all__ = ["WritingMixin", "is_one_of_many"]

#: Alternative names are random, so a second try is rare; a hundredth means that something else
#: chooses the names, always the same one.
_NAME_TRIES = 100

#: Packages whose ``exists()`` checks nothing but whether the key is taken.
_LIBRARIES = ("django.", "smart_storages.", "storages.")


class _Saving:
    """One call of ``save()`` that must not overwrite, from its first try to its last."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage
        self.names = KnownNames(storage)
        self.source: Optional[Source] = None
        #: Whether the content is an object of a storage, of which a copy is made.
        self.is_copy = False
        self.extra_params: Dict[str, Any] = {}
        #: Whether the next ``_save()`` belongs to this call, and so must not overwrite.
        self.is_named = False


#: Whether many files are being saved at once; then the parts of each are uploaded one by one.
is_one_of_many: ContextVar[bool] = ContextVar("smart_storages_one_of_many", default=False)

_saving: ContextVar[Optional[_Saving]] = ContextVar("smart_storages_saving", default=None)


class WritingMixin(_Base):  # type: ignore[misc]
    """``save``, ``open`` for writing, ``delete`` and ``listdir`` of a storage."""

    # Saving

    @operation()
    def save(self, name: Optional[str], content: Any, max_length: Optional[int] = None) -> str:
        """Save a file, and return the name it was given.

        With ``file_overwrite=False`` the write itself checks that the name is free, so no other
        writer can come in between. If the name is taken, an alternative name is used, as Django
        chooses them. On a server that cannot check this, every name gets a random suffix.

        Args:
            name: Name of the file; ``None`` for the content's own.
            content: A file, or anything with ``read()``. It is rewound first, and not closed.
            max_length: Longest name allowed, in characters.

        Raises:
            S3Error: S3 refused the file, or did not answer. Nothing is published.
            SuspiciousFileOperation: the name is not valid, or no name of that length is free.

        Example::

            name = storage.save("reports/2024.pdf", ContentFile(b"..."))

        Source: ``Storage.save`` of Django.
        """
        if self.file_overwrite:
            saved: str = super().save(name, content, max_length)
            return saved
        saving = _Saving(self)
        token = _saving.set(saving)
        try:
            return self._save_under_free_name(saving, name, content, max_length)
        finally:
            _saving.reset(token)
            if saving.source is not None:
                saving.source.close()

    def _save_under_free_name(
        self, saving: _Saving, name: Optional[str], content: Any, max_length: Optional[int]
    ) -> str:
        for _ in range(_NAME_TRIES):
            try:
                saved: str = super().save(name, content, max_length)
            except ObjectExistsError as error:
                # Raised by another storage, called from save()?
                if saving.source is None and not saving.is_copy:
                    raise
                last = error
            else:
                return saved
        raise last

    def get_available_name(self, name: str, max_length: Optional[int] = None) -> str:
        """Return a free name, or the name itself if files are overwritten.

        The name may be taken by the time it is used; ``save()`` handles that. On a server that
        cannot refuse a taken name, it gets a random suffix that makes it unique.

        Source: ``Storage.get_available_name`` of Django.
        """
        find: Any = Storage.get_available_name
        if self.file_overwrite and not KEEPS_OVERWRITTEN_NAMES:
            kept: str = find(KnownNames(self), clean_name(name), max_length)
            return kept
        if self._adds_random_suffixes:
            name = self._add_random_suffix(name, max_length)
        saving = _saving.get()
        if saving is None or saving.storage is not self or self.file_overwrite:
            available: str = super().get_available_name(name, max_length)
            return available
        saving.is_named = True
        if self._names_are_ours():
            # No request is needed: the write itself will fail if the name is taken.
            found: str = find(saving.names, clean_name(name), max_length)
        else:
            found = super().get_available_name(name, max_length)
        return found

    @property
    def _adds_random_suffixes(self) -> bool:
        return not self.file_overwrite and not self.s3_provider.conditional_put

    def _add_random_suffix(self, name: str, max_length: Optional[int]) -> str:
        cleaned: str = clean_name(name)
        saving = _saving.get()
        is_saving = saving is not None and saving.storage is self
        given = is_saving and issued_names.take(self.bucket_name, self._normalize_name(cleaned))
        if given and not self.exists(cleaned):  # a copy may have been made under it
            return cleaned
        drawn = with_random_suffix(self, cleaned, max_length)
        if not is_saving:
            issued_names.add(self.bucket_name, self._normalize_name(drawn))
        return drawn

    @operation("save")
    def _save_exactly(self, name: str, content: Any, *, replace: bool) -> bool:
        """Save under exactly this name; return whether that was possible.

        For composed storages that keep a file under the same name in several places; see
        :func:`smart_storages.wrappers.forwarding.put_steps`.
        """
        if not replace and self.exists(name):
            return False
        if not hasattr(content, "chunks"):
            content = File(content, name)
        self._save(name, content)
        return True

    def _names_are_ours(self) -> bool:
        # An exists() or is_name_available() of the project may check more than this bucket.
        methods = (type(self).exists, getattr(type(self), "is_name_available", None))
        return all(method is None or method.__module__.startswith(_LIBRARIES) for method in methods)

    def _save(self, name: str, content: Any) -> str:
        cleaned: str = clean_name(name)
        key = self._normalize_name(cleaned)
        params = self._get_write_parameters(key, content)
        # What only Django's UploadedFile has: its type is what a browser claims, which would run a
        # page at the address of the bucket.
        is_claimed = hasattr(content, "content_type_extra")
        if is_claimed and "ContentType" not in self.get_object_parameters(key):
            params["ContentType"] = common.serving.type_of_upload(key, params["ContentType"])
        saving = _saving.get()
        is_named = saving is not None and saving.storage is self and saving.is_named
        uploaded = getattr(content, "uploaded_object", None)
        if uploaded is not None and self._choose_encoding(params) is None:
            overwrite = not is_named or self._adds_random_suffixes
            if self._save_a_copy(uploaded, cleaned, saving if is_named else None, overwrite):
                return cleaned
        if saving is None or not is_named:
            source, extra = self._make_source(content, params)
            try:
                self._put(key, source, {**params, **extra}, overwrite=True)
            finally:
                source.close()
            return cleaned
        saving.is_named = False
        if saving.source is None:
            saving.source, saving.extra_params = self._make_source(content, params)
        try:
            # A name with a random suffix needs no condition: it is unique.
            self._put(
                key,
                saving.source,
                {**params, **saving.extra_params},
                overwrite=self._adds_random_suffixes,
            )
        except ObjectExistsError:
            saving.names.taken.add(cleaned)
            raise
        return cleaned

    def _save_a_copy(
        self, uploaded: Any, name: str, saving: Optional[_Saving], overwrite: bool
    ) -> bool:
        """Copy an object of another storage; return ``False`` if that must be read instead."""
        locate = getattr(uploaded.storage, "locate_upload", None)
        if locate is None:  # a storage of another package
            return False
        try:
            storage, stored_name = locate(uploaded.stored_name)
        except ConfigurationError:  # it chooses a storage of another package
            return False
        if saving is not None:
            saving.is_named, saving.is_copy = False, True
        try:
            storage.copy_uploaded(
                stored_name, self, name, overwrite=overwrite, etag=uploaded.etag or ""
            )
        except ObjectExistsError:
            if saving is not None:
                saving.names.taken.add(name)
            raise
        return True

    def _make_source(self, content: Any, params: Dict[str, Any]) -> Tuple[Source, Dict[str, Any]]:
        if is_seekable(content):
            content.seek(0, os.SEEK_SET)
        readable: Any = ReadBytesWrapper(content)
        extra: Dict[str, Any] = {}
        encoding = self._choose_encoding(params)
        if encoding is not None:
            if encoding == "br":
                readable = common.brotli_streams.BrotliCompressed(readable)
            else:
                readable = self._compress_content(readable)
            extra["ContentEncoding"] = encoding
        threshold = self.transfer_config.multipart_threshold
        return s3.writing.source.Source(readable, threshold), extra

    def _choose_encoding(self, params: Dict[str, Any]) -> Optional[str]:
        compressible = params["ContentType"] in self.gzip_content_types
        if not compressible or "ContentEncoding" in params:
            return None
        if self.brotli:
            return "br"
        return "gzip" if self.gzip else None

    def _put(self, key: str, source: Source, params: Dict[str, Any], *, overwrite: bool) -> Written:
        transfer = self._chosen_transfer()
        target = self.s3_target(key)
        with self._changing(key) as change:
            written = s3.writing.writer.put(
                target, key, source, params, overwrite=overwrite, transfer=transfer
            )
            change.wrote(written)
        return written

    def _chosen_transfer(self) -> TransferConfig:
        transfer: TransferConfig = self.transfer_config
        if not is_one_of_many.get():
            return transfer
        return TransferConfig(
            multipart_threshold=transfer.multipart_threshold,
            multipart_chunksize=transfer.multipart_chunksize,
            use_threads=False,
        )

    # Opening for writing

    def _open(self, name: str, mode: str = "rb") -> Any:
        if "r" in mode and "w" in mode:
            raise ValueError("Can't combine 'r' and 'w' in mode.")
        if "r" in mode or not set(mode) & set("wax"):
            return super()._open(name, mode)
        key = self._normalize_name(clean_name(name))
        return s3.writing.write_file.S3WriteFile(
            self.s3_target(key),
            key,
            key[len(self.location) :].lstrip("/"),
            mode,
            self._get_write_parameters(key),
            transfer=self.transfer_config,
            on_close=lambda: self._forget([key]),
            begin=lambda: begin_lasting(self, "open", name),
        )

    # Deleting and listing

    @operation()
    def delete(self, name: str) -> None:
        """Delete a file; a missing file is not an error.

        Raises:
            S3Error: S3 refused to delete it, or there is no such bucket.

        Source: ``S3Storage.delete`` of django-storages.
        """
        key = self._normalize_name(clean_name(name))
        with self._changing(key) as change:
            self._delete_key(key)
            change.removed()

    def _delete_key(self, key: str) -> None:
        s3.bulk.delete_one(self.s3_target(key), key)

    @operation()
    def listdir(self, path: str) -> Tuple[List[str], List[str]]:
        """Return the names of the folders and of the files in a folder.

        Raises:
            S3Error: S3 refused to list them, or there is no such bucket.

        Source: ``S3Storage.listdir`` of django-storages.
        """
        prefix = self._normalize_name(clean_name(path))
        if prefix and not prefix.endswith("/"):
            prefix += "/"
        target = self.s3_target()
        folders: List[str] = []
        files: List[str] = []
        pages = target.client.get_paginator("list_objects_v2").paginate(
            Bucket=target.bucket, Delimiter="/", Prefix=prefix
        )
        try:
            for page in pages:
                entries = page.get("CommonPrefixes", ())
                folders += [posixpath.relpath(entry["Prefix"], prefix) for entry in entries]
                keys = [entry["Key"] for entry in page.get("Contents", ())]
                files += [posixpath.relpath(key, prefix) for key in keys if key != prefix]
        except s3.writing.parameters.CALL_ERRORS as error:
            target.fail(error, prefix)
        return folders, files
