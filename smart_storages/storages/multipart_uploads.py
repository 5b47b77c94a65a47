"""Uploads in parts that a browser, or another program, sends straight to where a file is kept.

Nothing is kept in this process between two calls: the bucket knows the upload, and its identifier
is all that the next call needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Optional, Tuple

from django.core.files.utils import validate_file_name
from storages.utils import clean_name

from smart_storages import common
from smart_storages.backends import s3
from smart_storages.common.parts import MAX_PART_SIZE, MAX_PARTS, MIN_PART_SIZE
from smart_storages.storages.free_names import with_random_suffix
from smart_storages.storages.operations import operation, steps

if TYPE_CHECKING:
    from storages.backends.s3boto3 import S3Boto3Storage as _Base

    from smart_storages.backends.s3.stat import Stat
    from smart_storages.common.parts import StartedUpload, UploadedPart, UploadLimits
else:
    _Base = object

__all__ = ["MultipartUploadsMixin"]


class MultipartUploadsMixin(_Base):  # type: ignore[misc]
    """The part of a storage that begins, signs, lists and ends uploads in parts."""

    #: Whether there is anything that can take them: Google Cloud Storage, for one, does not.
    takes_multipart_uploads = True
    #: Fewest bytes of a part that is not the last.
    min_part_size = MIN_PART_SIZE
    #: Most bytes of a part.
    max_part_size = MAX_PART_SIZE
    #: Most parts of an upload.
    max_parts = MAX_PARTS

    if TYPE_CHECKING:
        location: str
        querystring_expire: int

        _get_signer: Any
        _get_upload_key: Any
        _names: Any

    @property
    def signs_part_digests(self) -> bool:
        """Whether :meth:`presigned_part` takes the SHA-256 of a part, and another is refused."""
        return self._get_signer(signed=True).query_signer() is not None

    def part_size_for(self, size: int) -> int:
        """Return how many bytes each part of a file should have; the last has the rest.

        It is 8 MiB for a file of up to 512 MiB, 16 MiB for a larger one, and more where the file
        would otherwise have too many parts.

        Args:
            size: Bytes of the file.

        Raises:
            ValueError: the file is larger than can be uploaded.

        Example::

            count = max(1, -(-size // storage.part_size_for(size)))
        """
        return common.parts.part_size_for(
            size, max_parts=self.max_parts, max_part_size=self.max_part_size
        )

    def upload_limits(self, name: str) -> UploadLimits:
        """Return what the parts of an upload may be.

        Args:
            name: Name of the file: a storage that chooses among others needs it.

        Example::

            part_size = storage.upload_limits("film.mp4").part_size_for(size)
        """
        self._get_upload_key(name, "upload_limits")
        return common.parts.UploadLimits(
            self.min_part_size, self.max_part_size, self.max_parts, self.signs_part_digests
        )

    def locate_upload(self, name: str) -> Tuple[Any, str]:
        """Return the storage that keeps an upload, and its name there: this one and the same name.

        A storage that chooses among others returns the one that it chooses.

        Args:
            name: Name of the file.

        Example::

            kept_in, name = storage.locate_upload("film_x3v0q1d2f8k7a5c9.mp4")
        """
        self._get_upload_key(name, "locate_upload")
        return self, name

    def get_upload_name(
        self,
        name: str,
        *,
        content_type: str = "",
        size: Optional[int] = None,
        max_length: Optional[int] = None,
    ) -> str:
        """Return the name for an upload in parts; no request is sent.

        It has a random suffix, so that nobody else chooses it before the upload is completed.

        Args:
            name: Name of the file; it may be taken.
            content_type: Its type: a storage that chooses among others may need it.
            size: Its bytes, for the same.
            max_length: Longest name allowed, in characters.

        Raises:
            SuspiciousFileOperation: the name is not valid, or no name of that length is possible.

        Example::

            storage.get_upload_name("film.mp4")     # 'film_x3v0q1d2f8k7a5c9.mp4'
        """
        self._get_upload_key(name, "get_upload_name")
        cleaned = clean_name(name)
        validate_file_name(cleaned, allow_relative_path=True)
        return str(with_random_suffix(self, cleaned, max_length))

    @operation()
    def create_multipart_upload(
        self, name: str, *, content_type: str, size: Optional[int] = None
    ) -> str:
        """Begin an upload in parts, and return its identifier.

        Until it is completed, no file is to be seen, and nothing is replaced. One that is never
        completed takes up space: ``manage.py buckets create`` sets the rule that removes it.

        Args:
            name: Name of the file, exactly.
            content_type: The type that the file gets, unless ``object_parameters`` names one.
            size: Bytes of the file, if they are known; more than can be uploaded are refused.

        Raises:
            S3Error: S3 refused it, or did not answer.
            ValueError: the name, the type or the size is none.

        Example::

            upload_id = storage.create_multipart_upload("film.mp4", content_type="video/mp4")

        Source: ``create_multipart_upload`` of boto3's client.
        """
        key = self._get_upload_key(name, "create_multipart_upload")
        s3.signing.browser_uploads.check_text("content_type", content_type)
        if size is not None:
            self.part_size_for(size)
        return self._create_upload(key, self._get_parameters_of_upload(key, content_type))

    def presigned_part(
        self,
        name: str,
        upload_id: str,
        number: int,
        *,
        size: int,
        sha256: Optional[str] = None,
        expire: Optional[int] = None,
    ) -> Dict[str, Any]:
        """Return a URL to which one part is PUT; no request is sent.

        Args:
            name: Name of the file, as it was given to :meth:`create_multipart_upload`.
            upload_id: What that returned.
            number: Number of the part, from 1.
            size: Exact size of the part in bytes.
            sha256: The SHA-256 of the part in base64, or in hexadecimal digits; another part is
                refused. Only where :attr:`signs_part_digests` is true.
            expire: Seconds for which the URL can be used, ``querystring_expire`` if ``None``.

        Returns:
            ``{"url": ..., "method": "PUT", "headers": {...}}``, ready for JSON. The request must
            have these headers.

        Raises:
            ValueError: an argument is wrong.
            ConfigurationError: the storage has no bucket or no credentials, or signs in a way that
                would allow a part of any size.

        Example::

            storage.presigned_part("film.mp4", upload_id, 1, size=8_388_608)
        """
        key = self._get_upload_key(name, "presigned_part")
        common.parts.check_upload_id(upload_id)
        common.parts.check_part(
            number, size, max_parts=self.max_parts, max_part_size=self.max_part_size
        )
        life = self.querystring_expire if expire is None else expire
        return self._sign_part(key, upload_id, number, size=size, sha256=sha256, life=life)

    @operation()
    def list_parts(self, name: str, upload_id: str) -> List[UploadedPart]:
        """Return the parts that have arrived, in their order.

        Args:
            name: Name of the file.
            upload_id: What :meth:`create_multipart_upload` returned.

        Raises:
            ObjectNotFoundError: there is no such upload: it was completed, aborted, or has expired.
            S3Error: S3 refused to list them, or did not answer.

        Example::

            received = sum(part.size for part in storage.list_parts("film.mp4", upload_id))

        Source: ``list_parts`` of boto3's client.
        """
        key = self._get_upload_key(name, "list_parts")
        return self._list_parts(key, common.parts.check_upload_id(upload_id))

    @operation()
    def complete_multipart_upload(
        self,
        name: str,
        upload_id: str,
        parts: Iterable[UploadedPart],
        *,
        overwrite: bool = False,
    ) -> Stat:
        """Make a file of the parts, whole or not at all.

        Args:
            name: Name of the file.
            upload_id: What :meth:`create_multipart_upload` returned.
            parts: All parts of the file, as :meth:`list_parts` returns them.
            overwrite: Whether a file of that name may be replaced. On a server that cannot refuse
                a taken name, another writer may come in between: use a name with a random suffix.

        Returns:
            What :meth:`stat` returns.

        Raises:
            ObjectExistsError: the name is taken. The upload stays, to be aborted.
            ObjectNotFoundError: there is no such upload: it was completed, aborted, or has expired.
                A server that remembers a completion may give the same answer once more.
            ContentMismatchError: a part has not arrived, or is another one than was listed.
            S3Error: S3 refused it, or did not answer. The upload stays, and can be completed again.
            ValueError: there is no part, or one is missing in between.

        Example::

            parts = storage.list_parts("film.mp4", upload_id)
            storage.complete_multipart_upload("film.mp4", upload_id, parts).size

        Source: ``complete_multipart_upload`` of boto3's client.
        """
        key = self._get_upload_key(name, "complete_multipart_upload")
        common.parts.check_upload_id(upload_id)
        ordered = common.parts.in_order(parts)
        with self._changing(key):
            return self._complete_upload(key, upload_id, ordered, overwrite=overwrite)

    @operation()
    def abort_multipart_upload(self, name: str, upload_id: str) -> None:
        """End an upload without a file; one that does not exist is no error.

        A part that is just arriving may stay. The rule that removes incomplete uploads removes it.

        Args:
            name: Name of the file.
            upload_id: What :meth:`create_multipart_upload` returned.

        Raises:
            S3Error: S3 refused it, or did not answer.

        Example::

            storage.abort_multipart_upload("film.mp4", upload_id)

        Source: ``abort_multipart_upload`` of boto3's client.
        """
        key = self._get_upload_key(name, "abort_multipart_upload")
        self._abort_upload(key, common.parts.check_upload_id(upload_id))

    @steps
    def iter_multipart_uploads(self, prefix: str = "") -> Iterator[StartedUpload]:
        """Yield every upload that is neither completed nor aborted.

        Args:
            prefix: How the names of the files begin.

        Raises:
            S3Error: S3 refused to list them, or did not answer.

        Example::

            old = [each for each in storage.iter_multipart_uploads() if each.started < yesterday]

        Source: ``list_multipart_uploads`` of boto3's client.
        """
        start = len(self._normalize_name(""))
        for each in self._iter_uploads(self._normalize_name(clean_name(prefix))):
            name = each.name[start:]
            if self._names(name, each.name):  # else no other method would find it by this name
                yield each._replace(name=name)

    # What differs by backend

    def _get_parameters_of_upload(self, key: str, content_type: str = "") -> Dict[str, Any]:
        params: Dict[str, Any] = self._get_write_parameters(key)
        if content_type and "ContentType" not in self.get_object_parameters(key):
            params["ContentType"] = content_type
        return params

    def _create_upload(self, key: str, params: Dict[str, Any]) -> str:
        return str(s3.writing.browser_parts.create(self.s3_target(key), key, params))

    def _sign_part(
        self, key: str, upload_id: str, number: int, *, size: int, sha256: Optional[str], life: int
    ) -> Dict[str, Any]:
        target = self.s3_target(key)
        signed: Dict[str, Any] = s3.signing.browser_uploads.presigned_part(
            self._get_signer(signed=True),
            key,
            upload_id,
            number,
            size=size,
            sha256=sha256,
            expires=life,
            params=s3.writing.browser_parts.part_parameters(
                target, self.get_object_parameters(key)
            ),
        )
        return signed

    def _list_parts(self, key: str, upload_id: str) -> List[UploadedPart]:
        found: List[UploadedPart] = s3.writing.browser_parts.list_parts(
            self.s3_target(key), key, upload_id
        )
        return found

    def _complete_upload(
        self, key: str, upload_id: str, parts: List[UploadedPart], *, overwrite: bool
    ) -> Stat:
        stat: Stat = s3.writing.browser_parts.complete(
            self.s3_target(key),
            key,
            upload_id,
            parts,
            self._get_parameters_of_upload(key),
            overwrite=overwrite,
        )
        return stat

    def _abort_upload(self, key: str, upload_id: str) -> None:
        s3.writing.browser_parts.abort(self.s3_target(key), key, upload_id)

    def _iter_uploads(self, prefix: str) -> Iterator[StartedUpload]:
        found: Iterator[StartedUpload] = s3.writing.browser_parts.iter_uploads(
            self.s3_target(), prefix
        )
        return found
