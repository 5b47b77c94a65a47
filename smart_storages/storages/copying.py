"""How a storage copies and moves files, within S3 and between backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple

from django.core.files.storage import Storage
from django.core.files.utils import validate_file_name
from storages.utils import clean_name

from smart_storages import config
from smart_storages.backends import s3
from smart_storages.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ContentMismatchError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    S3Error,
)
from smart_storages.storages.operations import operation

if TYPE_CHECKING:
    from storages.backends.s3boto3 import S3Boto3Storage as _Base

    from smart_storages.backends.s3.target import Target
else:
    _Base = object

__all__ = ["CopyingMixin"]

_NAME_TRIES = 100

#: Headers that a copy keeps, and what ``put_object`` calls them.
_HEADERS = {
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-type": "ContentType",
}

#: Errors of a copy by the server if the target's credentials cannot read or see the source.
_OUT_OF_SIGHT = (
    AccessDeniedError,
    BucketNotFoundError,
    ObjectNotFoundError,
    PreconditionFailedError,
)


def _is_another(source: Target, target: Target, key: str, token: str) -> bool:
    """Return whether a copy with a token is another object than its source; raise if unknown."""
    if s3.writing.parameters.has_token(target, key, target.read_parameters, token) is None:
        raise S3Error(
            "The copy could not be checked, so it may have replaced the file itself. Look at both "
            "before you delete one.",
            **target.places(key),
        )
    try:
        found = s3.writing.parameters.head(source, key)
    except ObjectNotFoundError:  # deleted meanwhile, while the copy is there
        return True
    return bool((found.get("Metadata") or {}).get(s3.writing.parameters.WRITE_ID) != token)


class CopyingMixin(_Base):  # type: ignore[misc]
    """``copy``, ``move`` and ``replicate``."""

    #: Whether the files are in a bucket of S3; else another backend keeps them.
    is_in_s3 = True
    #: Whether types, headers and metadata are kept beside the bytes of a file.
    keeps_attributes = True

    def find_folder(self) -> Optional[str]:
        """Return the folder of this host that its bucket is, ``None`` if it is none.

        Example::

            MediaStorage(backend="filesystem", root="/srv").find_folder()     # "/srv/media"
        """
        return None

    @operation()
    def copy(self, name: str, new_name: str, to: Optional[Storage] = None) -> str:
        """Copy a file within S3, or into another storage; return the name of the copy.

        If both storages are on one server, the server copies the file. If they are not, or if the
        credentials of the other storage cannot read this bucket, the bytes pass through this
        process. The copy keeps content type and metadata; its ACL is that of the other storage.

        Args:
            name: Name of the file.
            new_name: Name of the copy. If the name is taken and that storage does not overwrite,
                the copy gets an alternative name, as Django chooses them.
            to: The storage of the copy; this one if ``None``.

        Raises:
            ObjectNotFoundError: there is no such file.
            S3Error: it could not be copied.

        Example::

            storage.copy("draft.pdf", "final.pdf")
            storage.copy("final.pdf", "2024/final.pdf", to=archive)
        """
        return self._copy(name, new_name, self if to is None else to)[0]

    @operation()
    def move(self, name: str, new_name: str, to: Optional[Storage] = None) -> str:
        """Copy a file as :meth:`copy` does, then delete it; return its new name.

        A file is deleted only after its copy was made. A file moved onto itself stays as it is.

        Raises:
            ObjectNotFoundError: there is no such file.
            S3Error: it could not be copied, or not be deleted.

        Example::

            storage.move("inbox/a.pdf", "2024/a.pdf", to=archive)
        """
        to = self if to is None else to
        if isinstance(to, CopyingMixin) and self._is_same_file(name, to, new_name):
            self._require(self._normalize_name(clean_name(name)))
            return str(clean_name(new_name))
        moved, is_other = self._copy(name, new_name, to)
        if is_other:
            self.delete(name)
        return moved

    def _copy(self, name: str, new_name: str, to: Storage) -> Tuple[str, bool]:
        """Copy a file; return the copy's name, and whether the copy is another file."""
        new_name = clean_name(new_name)
        validate_file_name(new_name, allow_relative_path=True)
        if not isinstance(to, CopyingMixin):
            return self._copy_out_of_s3(name, new_name, to), True
        key = self._normalize_name(clean_name(name))
        for _ in range(_NAME_TRIES):
            free = new_name if to.file_overwrite else to.get_available_name(new_name)
            if self._is_same_file(name, to, free):
                self._require(key)
                return free, False
            try:
                return free, self._copy_key(key, to, to._normalize_name(free))
            except ObjectExistsError as error:
                taken = error
        raise taken

    def copy_uploaded(
        self, name: str, to: CopyingMixin, new_name: str, *, overwrite: bool, etag: str = ""
    ) -> None:
        """Copy a file to exactly a name of another storage, or leave it if it is that file.

        Args:
            name: Name of the file.
            to: The storage of the copy.
            new_name: Name of the copy.
            overwrite: ``False`` to fail if the name is taken by another file.
            etag: ETag that the file must have, without its quotes; ``""`` for any.

        Raises:
            ObjectExistsError: the name is taken.
            ObjectNotFoundError: there is no such file.
            PreconditionFailedError: the file has another ETag.
        """
        key = self._normalize_name(clean_name(name))
        # Ceph 16 ignores the condition of a copy.
        if etag and self.stat(name).etag != etag:
            raise PreconditionFailedError(
                "The file has changed since it was checked.", **self.s3_target().places(key)
            )
        if self._is_same_file(name, to, new_name):
            self._require(key)
            return
        self._copy_key(key, to, to._normalize_name(new_name), overwrite=overwrite, etag=etag)

    def _require(self, key: str) -> None:
        """Raise if there is no such object."""
        s3.writing.parameters.head(self.s3_target(), key)

    def _is_same_file(self, name: str, to: CopyingMixin, new_name: str) -> bool:
        if self.identify_server() != to.identify_server() or self.bucket_name != to.bucket_name:
            return False
        key = self._normalize_name(clean_name(name))
        return bool(key == to._normalize_name(clean_name(new_name)))

    def _copy_key(
        self,
        key: str,
        to: CopyingMixin,
        new_key: str,
        *,
        overwrite: Optional[bool] = None,
        etag: str = "",
    ) -> bool:
        overwrite = to.file_overwrite if overwrite is None else overwrite
        with to._changing(new_key):
            if self._copy_on_server(key, to, new_key, overwrite=overwrite, etag=etag):
                return True
            token = self._stream_key(key, to, new_key, overwrite=overwrite, etag=etag)
        if not self.is_in_s3:
            # Two roots may be one directory, and two folders of a root the same.
            return not self._is_same_object(key, to, new_key)
        if not to.is_in_s3:
            return not to._is_same_object(new_key, self, key)
        source, target = self.s3_target(key), to.s3_target(new_key)
        if token and (source.bucket, key) == (target.bucket, new_key):
            # Either these are two buckets, or it is one bucket under two addresses or with two
            # pairs of keys; in the second case the copy has replaced the file.
            return _is_another(source, target, key, token)
        return True

    @operation("copy")
    def replicate(
        self,
        key: str,
        to: CopyingMixin,
        new_key: str,
        *,
        etag: str = "",
        on_server: bool = True,
        watch: Optional[Callable[[], None]] = None,
    ) -> bool:
        """Copy an object to exactly this key of another storage, and replace what is there.

        Args:
            key: Key of the object, its location included.
            to: The storage of the copy.
            new_key: Key of the copy.
            etag: ETag that the object must have, if it is known, without its quotes.
            on_server: Whether the server may copy it; ``False`` once that has failed for another
                object of the same two buckets.
            watch: As for :func:`smart_storages.backends.s3.copying.stream_object`.

        Returns:
            Whether the server copied it. If not, it passed through this process.

        Raises:
            PreconditionFailedError: the object has another ETag now.
            S3Error: it could not be copied.

        Example::

            photos.replicate("media/a.jpg", archive, "2026/a.jpg")
        """
        with to._changing(new_key):
            if on_server and self._copy_on_server(key, to, new_key, overwrite=True, etag=etag):
                return True
            with self.saving_one_of_many():
                self._stream_key(key, to, new_key, overwrite=True, etag=etag, watch=watch)
            return False

    def _copy_on_server(
        self, key: str, to: CopyingMixin, new_key: str, *, overwrite: bool, etag: str = ""
    ) -> bool:
        """Let the server copy an object; return ``False`` if it cannot reach both buckets."""
        if self.identify_server() != to.identify_server():
            return False
        foreign = self._describe_credentials() != to._describe_credentials()
        try:
            s3.copying.copy_object(
                self.s3_target(key),
                key,
                to.s3_target(new_key),
                new_key,
                to._get_copy_parameters(new_key),
                foreign=foreign,
                overwrite=overwrite,
                etag=etag,
            )
        except ObjectExistsError:
            raise
        except S3Error as error:
            out_of_sight = foreign and isinstance(error, _OUT_OF_SIGHT)
            if not out_of_sight and error.code != "NotImplemented":
                raise
            return False
        return True

    def _stream_key(
        self,
        key: str,
        to: CopyingMixin,
        new_key: str,
        *,
        overwrite: bool,
        etag: str = "",
        watch: Optional[Callable[[], None]] = None,
    ) -> str:
        if not (self.is_in_s3 and to.is_in_s3):
            self._stream_through(key, to, new_key, overwrite=overwrite, etag=etag, watch=watch)
            return ""
        return s3.copying.stream_object(
            self.s3_target(key),
            key,
            to.s3_target(new_key),
            new_key,
            to._get_copy_parameters(new_key),
            overwrite=overwrite,
            transfer=to._chosen_transfer(),
            watch=watch,
        )

    def _stream_through(
        self,
        key: str,
        to: CopyingMixin,
        new_key: str,
        *,
        overwrite: bool,
        etag: str,
        watch: Optional[Callable[[], None]],
    ) -> None:
        """Copy an object between two backends of which at least one is not S3."""
        with self._open_key(key) as reader:
            if etag and reader.stat.etag != etag:
                what = "The file has changed meanwhile."
                raise PreconditionFailedError(what, **self.s3_target().places(key))
            content = reader if watch is None else s3.copying.Watched(reader, watch)
            source = s3.writing.source.Source(content, to.transfer_config.multipart_threshold)
            params = {**self._parameters_of(reader), **to._get_copy_parameters(new_key)}
            try:
                to._put(new_key, source, params, overwrite=overwrite)
            finally:
                source.close()

    def _is_same_object(self, key: str, to: CopyingMixin, new_key: str) -> bool:
        return False

    def _open_key(self, key: str) -> Any:
        return s3.reading.reader.S3Reader(self.s3_target(key), key)

    @staticmethod
    def _parameters_of(reader: Any) -> Dict[str, Any]:
        """Return what is to be written beside the content that a reader reads."""
        headers = {name: reader.headers.get(name) for name in _HEADERS}
        params = {_HEADERS[name]: value for name, value in headers.items() if value}
        # As a copy between two servers of S3: the next one knows that this is the same file.
        metadata = {**reader.stat.metadata, s3.writing.parameters.COPIED_FROM: reader.stat.etag}
        metadata.pop(s3.writing.parameters.WRITE_ID, None)  # it identifies one write of one bucket
        return {**params, "Metadata": metadata}

    def _get_copy_parameters(self, key: str) -> Dict[str, Any]:
        # The parameters that the storage sets; a content type guessed from the name is left out,
        # since the source has one.
        params = config.options.guard_parameters(self.get_object_parameters(key))
        acl = self._get_write_parameters(key).get("ACL")
        return params if acl is None else {**params, "ACL": acl}

    def _copy_out_of_s3(self, name: str, new_name: str, to: Storage) -> str:
        with self.open(name) as file:
            saved = to.save(new_name, file)
            is_as_stored = not (self.gzip or self.brotli)
            if is_as_stored and to.size(saved) != file.size:
                raise ContentMismatchError(
                    f"The copy {saved!r} has {to.size(saved)} bytes, but the file has {file.size}. "
                    "Delete the copy and copy the file again.",
                    **self.s3_target().places(name),
                )
        return saved
