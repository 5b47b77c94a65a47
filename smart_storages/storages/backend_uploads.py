"""Uploads in parts to a storage whose files are not in S3."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional

from smart_storages import backends, common, config
from smart_storages.backends import s3
from smart_storages.exceptions import ConfigurationError, ObjectNotFoundError

if TYPE_CHECKING:
    from smart_storages.backends.s3.stat import Stat
    from smart_storages.backends.uploads import Uploads
    from smart_storages.common.parts import StartedUpload, UploadedPart

__all__ = ["BackendUploadsMixin"]


class BackendUploadsMixin:
    """What :class:`.multipart_uploads.MultipartUploadsMixin` leaves to the backend."""

    if TYPE_CHECKING:
        backend: str
        base_url: Optional[str]
        module_name: str

        _attributes_of: Any
        _get_upload_url: Any
        _store: Any
        _translating: Any
        s3_target: Any

    @property
    def takes_multipart_uploads(self) -> bool:
        # Asked by pages and checks, so no store is made: that of Google looks for credentials.
        is_without = self.backend == "gcs" or config.plain_backends.is_plain(self.backend)
        return self.base_url is None and not is_without

    @property
    def signs_part_digests(self) -> bool:
        return self._uploads().signs_part_digests

    @property
    def min_part_size(self) -> int:
        return self._uploads().min_part_size

    @property
    def max_part_size(self) -> int:
        return self._uploads().max_part_size

    @property
    def max_parts(self) -> int:
        return self._uploads().max_parts

    def get_upload_name(self, name: str, **options: Any) -> str:
        self._uploads()  # raises if there are none
        return str(super().get_upload_name(name, **options))  # type: ignore[misc]

    def _uploads(self) -> Uploads:
        store = self._store()
        found: Optional[Uploads] = store.uploads()
        if found is None or self.base_url is not None:
            where = "has a base_url" if self.base_url else f"is {store.place}"
            raise ConfigurationError(
                f"The module {self.module_name!r} {where}, which takes no uploads in parts. Let "
                "the file go through a view of the project, which saves it."
            )
        return found

    @contextmanager
    def _translating_uploads(self, key: str) -> Iterator[None]:
        try:
            with self._translating(key):
                yield
        except ObjectNotFoundError as error:
            raise s3.writing.browser_parts.no_upload_error(self.s3_target(), key) from error

    def _create_upload(self, key: str, params: Dict[str, Any]) -> str:
        with self._translating(key):
            return self._uploads().create(key, self._attributes_of(params))

    def _sign_part(
        self, key: str, upload_id: str, number: int, *, size: int, sha256: Optional[str], life: int
    ) -> Dict[str, Any]:
        s3.signing.sigv4.check_life(life, 0)
        uploads = self._uploads()
        if sha256 is not None and not uploads.signs_part_digests:
            raise ConfigurationError(
                f"The module {self.module_name!r} is {self._store().place}, where no URL can be "
                "signed for the digest of a part. Leave sha256 out."
            )
        digest = None if sha256 is None else common.parts.as_hex_digest(sha256)
        expires = backends.signed_urls.expires_at(int(life))
        with self._translating(key):
            signed = uploads.sign_part(key, upload_id, number, expires=expires)
        if signed is not None:
            return signed
        part = backends.signed_urls.PartUpload(upload_id, number, size, digest)
        return {"url": self._get_upload_url("PUT", key, part, life), "method": "PUT", "headers": {}}

    def _list_parts(self, key: str, upload_id: str) -> List[UploadedPart]:
        with self._translating_uploads(key):
            return self._uploads().parts(key, upload_id)

    def _complete_upload(
        self, key: str, upload_id: str, parts: List[UploadedPart], *, overwrite: bool
    ) -> Stat:
        with self._translating_uploads(key):
            return self._uploads().complete(key, upload_id, parts, overwrite=overwrite)

    def _abort_upload(self, key: str, upload_id: str) -> None:
        with self._translating(key):
            self._uploads().abort(key, upload_id)

    def _iter_uploads(self, prefix: str) -> Iterator[StartedUpload]:
        with self._translating(prefix):
            yield from self._uploads().open_uploads(prefix)
