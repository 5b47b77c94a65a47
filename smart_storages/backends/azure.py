"""Objects as blobs of a container of Azure, or of Azurite."""

from __future__ import annotations

import io
import os
import uuid
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    BlobBlock,
    BlobSasPermissions,
    ContentSettings,
)
from storages.backends.azure_storage import AzureStorage

from smart_storages.backends.azure_accounts import account_of
from smart_storages.backends.azure_container import AzureContainerMixin
from smart_storages.backends.azure_errors import CHANGED, code_of, strange_answer, translating
from smart_storages.backends.azure_rules import (
    FOLDER,
    as_identifiers,
    check_headers,
    check_key,
    from_identifiers,
    is_key,
)
from smart_storages.backends.azure_signing import sign
from smart_storages.backends.azure_uploads import AzureUploads
from smart_storages.backends.pieces import JoinedContent, take_beginning
from smart_storages.backends.ranges import RangeReader
from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.s3.writing.parameters import WRITE_ID, new_token
from smart_storages.backends.store import Attributes, Found, Store
from smart_storages.exceptions import ObjectChangedError, S3Error, UnreachableError

__all__ = ["AzureStore", "account_of"]

#: What opens a file is one request for this many bytes: most files are smaller.
_FIRST_READ = 4 * 1024**2
#: Content up to this size is one request; larger content is sent in blocks of it, 50,000 at most.
_BLOCK = 8 * 1024**2

_SETTINGS = {
    name.replace("_", "-"): name
    for name in (
        "cache_control",
        "content_disposition",
        "content_encoding",
        "content_language",
        "content_type",
    )
}
#: Parameters of S3's ``get_object`` that change headers of the answer, and what a SAS calls them.
_PARAMETERS = {f"Response{name.title().replace('_', '')}": name for name in _SETTINGS.values()}
#: Codes of Azure if the name is another writer's.
_TAKEN = {
    # With its own blocks, Azure discards those of all others.
    "InvalidBlockList": "Another writer saved the file meanwhile. Save it again.",
    # All blocks that wait for one name must have ids of one length.
    "InvalidBlobOrBlock": "Another program has begun to upload a file of this name, and has not "
    "ended. Save it under another name, or in a week, when Azure has forgotten that.",
}
_AS_STORED = {"decompress": False}  # a part of compressed content cannot be decompressed


class AzureStore(AzureContainerMixin, Store):
    """The blobs of one container.

    Args:
        account: What :func:`account_of` returned.
        bucket: Name of the container.
        custom_domain: Host of a CDN in front of the account, for URLs.
    """

    place = "in Azure"
    takes_uploads = False

    def __init__(self, account: AzureStorage, bucket: str, custom_domain: Optional[str]) -> None:
        self._account = account
        self._bucket = bucket
        self._custom_domain = custom_domain

    @property
    def _container(self) -> Any:
        return self._account.service_client.get_container_client(self._bucket)

    def _blob(self, key: str) -> Any:
        if key.startswith(FOLDER):
            raise FileNotFoundError(key)
        return self.blob(key)

    def blob(self, key: str) -> Any:
        """Return the SDK's client for the blob with a key, which may be that of an upload."""
        if not is_key(key):  # Azure would show another file
            raise FileNotFoundError(key)
        return self._container.get_blob_client(key)

    def uploads(self) -> AzureUploads:
        return AzureUploads(self, self._account, self._bucket)

    # Writing

    def put(
        self, key: str, chunks: Iterator[bytes], attributes: Attributes, *, overwrite: bool
    ) -> Stat:
        check_key(key)
        token = "" if overwrite else new_token()
        retries: List[Any] = []
        parameters = self.parameters_of(attributes, {WRITE_ID: token} if token else {})
        parameters["retry_hook"] = lambda **retry: retries.append(retry)
        try:
            answer, size = self._write(key, chunks, parameters, overwrite=overwrite)
        except FileExistsError:
            # If the answer to a first try got lost, it is this very write that has taken the name.
            if not (retries and self._was_written_with(token, key)):
                raise
            return self.find(key).stat
        return Stat(
            size=size,
            modified_time=answer["last_modified"],
            etag=answer["etag"].strip('"'),
            content_type=attributes.headers.get("content-type"),
            content_encoding=attributes.headers.get("content-encoding"),
            metadata=attributes.metadata,
        )

    def parameters_of(
        self, attributes: Attributes, metadata: Mapping[str, str] = MappingProxyType({})
    ) -> Dict[str, Any]:
        """Return what the SDK calls the attributes of an object.

        Args:
            attributes: The attributes.
            metadata: More metadata.

        Raises:
            S3Error: Azure does not take one of them.
        """
        check_headers(attributes.headers)
        named: Any = {_SETTINGS[name]: value for name, value in attributes.headers.items()}
        return {
            "content_settings": ContentSettings(**named),
            "metadata": as_identifiers({**attributes.metadata, **metadata}),
        }

    def _write(
        self, key: str, chunks: Iterator[bytes], parameters: Any, *, overwrite: bool
    ) -> Tuple[Any, int]:
        beginning, is_whole = take_beginning(chunks, _BLOCK)
        if not is_whole:
            content = JoinedContent(beginning, chunks)
            return self._put_blocks(key, content, parameters, overwrite=overwrite)
        with translating():
            answer = self.blob(key).upload_blob(
                beginning,
                length=len(beginning),
                overwrite=overwrite,  # else Put Blob has the condition If-None-Match: *
                # The request has the MD5 of its body: a truncated one is refused.
                validate_content=True,
                **parameters,
            )
        return answer, len(beginning)

    def _put_blocks(
        self, key: str, content: JoinedContent, parameters: Any, *, overwrite: bool
    ) -> Tuple[Any, int]:
        if not overwrite:
            parameters = {**parameters, "match_condition": MatchConditions.IfMissing}
        blob = self.blob(key)
        blocks: List[BlobBlock] = []
        try:
            for block in iter(lambda: content.read(_BLOCK), b""):
                # The SDK counts its blocks: those of two writers of one name have the same ids, and
                # the blob would be made of both.
                blocks.append(BlobBlock(uuid.uuid4().hex))
                with translating():
                    blob.stage_block(blocks[-1].id, block, len(block), validate_content=True)
            with translating():
                return blob.commit_block_list(blocks, **parameters), content.size
        except S3Error as error:
            if error.code not in _TAKEN:
                raise
            what = _TAKEN[error.code]
        if not overwrite:
            raise FileExistsError(key)
        raise S3Error(what, code="Conflict")

    def _was_written_with(self, token: str, key: str) -> bool:
        try:
            return self.find(key).stat.metadata.get(WRITE_ID) == token
        except FileNotFoundError:
            return False

    def delete(self, key: str) -> None:
        with suppress(FileNotFoundError):
            blob = self._blob(key)
            with translating():
                blob.delete_blob(delete_snapshots="include")

    # Reading

    def open(self, key: str) -> Tuple[io.RawIOBase, Found]:
        blob = self._blob(key)
        with translating():
            try:
                answer = blob.download_blob(offset=0, length=_FIRST_READ, **_AS_STORED)
                beginning = answer.readall()
                properties = answer.properties
                size = int(properties.content_range.rpartition("/")[2])
            except HttpResponseError as error:
                if code_of(error) != "InvalidRange":
                    raise
                # It is empty: it has no first byte.
                properties, beginning, size = blob.get_blob_properties(), b"", 0
        if properties.size and not size:  # replaced between the two requests
            return self.open(key)
        found = _found(properties, size)
        if len(beginning) != min(size, _FIRST_READ):
            raise strange_answer()

        opened_in = os.getpid()

        def fetch(start: int, count: int) -> bytes:
            if os.getpid() != opened_in:  # which has the sockets of the SDK's client
                raise UnreachableError("The file was opened before a fork. Open it again.")
            try:
                with translating():
                    answer = blob.download_blob(
                        offset=start,
                        length=count,
                        etag=properties.etag,
                        match_condition=MatchConditions.IfNotModified,
                        **_AS_STORED,
                    )
                    content = bytes(answer.readall())
            except FileNotFoundError:
                raise ObjectChangedError(CHANGED) from None
            if len(content) != count:
                raise strange_answer()
            return content

        return RangeReader(fetch, beginning, size), found

    def find(self, key: str) -> Found:
        blob = self._blob(key)
        with translating():
            properties = blob.get_blob_properties()
        return _found(properties, properties.size)

    def entries(self, prefix: str) -> Iterator[Tuple[str, Stat]]:
        with translating():
            for each in self._container.list_blobs(name_starts_with=prefix or None):
                if not each.name.startswith(FOLDER):
                    yield each.name, _found(each, each.size).stat

    def list_folder(self, prefix: str) -> Tuple[List[str], List[str]]:
        folders: List[str] = []
        files: List[str] = []
        with translating():
            for each in self._container.walk_blobs(name_starts_with=prefix or None, delimiter="/"):
                name = each.name[len(prefix) :]
                if each.name == FOLDER:
                    continue
                if name.endswith("/"):
                    folders.append(name[:-1])
                elif name:
                    files.append(name)
        return folders, files

    def is_same(self, key: str, other: Store, other_key: str) -> bool:
        if not isinstance(other, AzureStore):
            return False
        if (self._bucket, key) != (other._bucket, other_key):
            return False
        try:
            # The two accounts may be one, under two addresses. No two versions have one ETag.
            return self.find(key).stat.etag == other.find(other_key).stat.etag
        except FileNotFoundError:
            return False

    def identity(self) -> str:
        return f"azure {self._account.service_client.url.rstrip('/')}"

    # URLs

    def url(
        self,
        key: str,
        *,
        expires: Optional[int] = None,
        parameters: Optional[Mapping[str, str]] = None,
    ) -> str:
        check_key(key)
        url: str = self.blob(key).url.partition("?")[0]
        if self._custom_domain:
            scheme, _, rest = url.partition("://")
            url = f"{scheme}://{self._custom_domain}/{rest.partition('/')[2]}"
        return url if expires is None else f"{url}?{self._sign(key, expires, parameters or {})}"

    def _sign(self, key: str, expires: int, parameters: Mapping[str, str]) -> str:
        unknown = sorted({*parameters} - {*_PARAMETERS})
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)}: a URL of Azure takes the parameters "
                f"{', '.join(_PARAMETERS)} only."
            )
        changed = {_PARAMETERS[name]: value for name, value in parameters.items()}
        allowed = BlobSasPermissions(read=True)
        return sign(self._account, self._bucket, key, expires, allowed, **changed)


def _found(properties: Any, size: int) -> Found:
    if not properties.etag or properties.last_modified is None:
        raise strange_answer()
    settings = properties.content_settings
    headers = {
        header: getattr(settings, name)
        for header, name in _SETTINGS.items()
        if getattr(settings, name, None)
    }
    metadata = from_identifiers(properties.metadata or {})
    stat = Stat(
        size=size,
        modified_time=properties.last_modified,
        etag=str(properties.etag).strip('"'),
        content_type=headers.get("content-type"),
        content_encoding=headers.get("content-encoding"),
        metadata=metadata,
        version_id=getattr(properties, "version_id", None),
    )
    return Found(stat, Attributes(headers, metadata))
