"""Objects as blobs of a container of Azure, or of Azurite.

Clients are made by django-storages' Azure backend, one for each distinct account and credentials,
and shared by all storages and threads.
"""

from __future__ import annotations

import io
import json
import os
import uuid
from threading import Lock
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    BlobBlock,
    BlobSasPermissions,
    BlobServiceClient,
    ContentSettings,
)
from storages.backends.azure_storage import AzureStorage

from smart_storages.backends.azure_errors import code_of, translating
from smart_storages.backends.azure_signing import sign
from smart_storages.backends.azure_uploads import FOLDER, AzureUploads
from smart_storages.backends.pieces import JoinedContent, take_beginning
from smart_storages.backends.store import Attributes, Found, Store
from smart_storages.common.secrets import reveal
from smart_storages.exceptions import ConfigurationError, S3Error
from smart_storages.s3.stat import Stat
from smart_storages.s3.writing.parameters import COPIED_FROM

__all__ = ["AzureStore", "account_of"]

#: What opens a file is one request for this many bytes: most files are smaller.
_FIRST_READ = 4 * 1024**2
#: What further requests ask for.
_NEXT_READ = 8 * 1024**2
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
#: Three retries within ten seconds. The SDK's own would take a minute and a half, and so would a
#: page of the site.
_RETRIES = {
    "increment_base": 2,
    "initial_backoff": 1,
    "random_jitter_range": 1,
    "retry_total": 3,
}
#: Names of metadata are identifiers there.
_COPIED_FROM = COPIED_FROM.replace("-", "_")
_AS_STORED = {"decompress": False}  # a part of compressed content cannot be decompressed
_NOT_MODIFIED = {"match_condition": MatchConditions.IfNotModified}

_accounts: Dict[str, AzureStorage] = {}
_making = Lock()
if hasattr(os, "register_at_fork"):
    # A forked child must not use the sockets of its parent.
    os.register_at_fork(after_in_child=_accounts.clear)


def account_of(options: Mapping[str, Any]) -> AzureStorage:
    """Return the storage of django-storages that holds the client of an account.

    Args:
        options: The options of the backend, by the names of django-storages.

    Raises:
        ConfigurationError: no account is named.
    """
    given = {name: reveal(value) for name, value in options.items() if value is not None}
    if not given.get("account_name") and not given.get("connection_string"):
        raise ConfigurationError(
            "It names no account of Azure. Set account_name and account_key, or connection_string, "
            "or AZURE_ACCOUNT_NAME and AZURE_ACCOUNT_KEY."
        )
    key = json.dumps(given, sort_keys=True, default=lambda value: f"{type(value)} {id(value)}")
    with _making:
        if key not in _accounts:
            # Not the settings of the project: the module may have an account of its own.
            nothing: Dict[str, Any] = dict.fromkeys(
                ("account_name", "account_key", "connection_string", "sas_token")
            )
            client_options = {**_RETRIES, **(given.pop("client_options", None) or {})}
            account = _Account(**{**nothing, "token_credential": None, **given})
            account.client_options = client_options
            _accounts[key] = account
        return _accounts[key]


class _Account(AzureStorage):  # type: ignore[misc]
    """django-storages' storage, which keeps the client and delegated keys."""

    client_options: Dict[str, Any]

    def _get_service_client(self) -> Any:
        client = self._make_client()
        if client is None:
            # Past its frames, whose variables hold the key: Django's debug page shows them.
            raise ConfigurationError(
                "The client of Azure cannot be made. Check account_name, endpoint_suffix, "
                "connection_string and client_options."
            )
        return client

    def _make_client(self) -> Any:
        # As django-storages; before 1.14.5 it knows no client_options, and it forgets them if there
        # is a connection string.
        try:
            if self.connection_string is not None:
                return BlobServiceClient.from_connection_string(
                    self.connection_string, **self.client_options
                )
            credential: Any = self.sas_token or self.token_credential
            if self.account_key:
                credential = {"account_name": self.account_name, "account_key": self.account_key}
            url = f"{self.azure_protocol}://{self.account_name}.blob.{self.endpoint_suffix}"
            return BlobServiceClient(url, credential=credential, **self.client_options)
        except (TypeError, ValueError):
            return None


class AzureStore(Store):
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

    def blob(self, key: str) -> Any:
        """Return the SDK's client for the blob with a key."""
        return self._container.get_blob_client(key)

    def uploads(self) -> AzureUploads:
        return AzureUploads(self, self._account, self._bucket)

    # Writing

    def put(
        self, key: str, chunks: Iterator[bytes], attributes: Attributes, *, overwrite: bool
    ) -> Stat:
        beginning, is_whole = take_beginning(chunks, _BLOCK)
        parameters = self.parameters_of(attributes)
        if is_whole:
            size = len(beginning)
            with translating():
                answer = self.blob(key).upload_blob(
                    beginning,
                    length=size,
                    overwrite=overwrite,  # else Put Blob has the condition If-None-Match: *
                    # The request has the MD5 of its body: a truncated one is refused.
                    validate_content=True,
                    **parameters,
                )
        else:
            if not overwrite:
                parameters["match_condition"] = MatchConditions.IfMissing
            answer, size = self._put_blocks(key, JoinedContent(beginning, chunks), parameters)
        return Stat(
            size=size,
            modified_time=answer["last_modified"],
            etag=answer["etag"].strip('"'),
            content_type=attributes.headers.get("content-type"),
            content_encoding=attributes.headers.get("content-encoding"),
            metadata=attributes.metadata,
        )

    def parameters_of(self, attributes: Attributes) -> Dict[str, Any]:
        """Return what the SDK calls the attributes of an object."""
        named: Any = {_SETTINGS[name]: value for name, value in attributes.headers.items()}
        metadata = _as_identifiers(attributes.metadata)
        return {"content_settings": ContentSettings(**named), "metadata": metadata}

    def _put_blocks(self, key: str, content: JoinedContent, parameters: Any) -> Tuple[Any, int]:
        blob = self.blob(key)
        blocks: List[BlobBlock] = []
        for block in iter(lambda: content.read(_BLOCK), b""):
            # The SDK counts its blocks: those of two writers of one name have the same ids, and
            # the blob would be made of both.
            blocks.append(BlobBlock(uuid.uuid4().hex))
            with translating():
                blob.stage_block(blocks[-1].id, block, len(block), validate_content=True)
        try:
            with translating():
                return blob.commit_block_list(blocks, **parameters), content.size
        except S3Error as error:
            if error.code != "InvalidBlockList":
                raise
        # Another writer was first; with its own, Azure discards the blocks of all others.
        if "match_condition" in parameters:
            raise FileExistsError(key)
        raise S3Error("Another writer saved the file meanwhile. Save it again.", code="Conflict")

    def delete(self, key: str) -> None:
        try:
            with translating():
                self.blob(key).delete_blob(delete_snapshots="include")
        except FileNotFoundError:
            pass

    # Reading

    def open(self, key: str) -> Tuple[io.RawIOBase, Found]:
        blob = self.blob(key)
        with translating():
            try:
                answer = blob.download_blob(offset=0, length=_FIRST_READ, **_AS_STORED)
                beginning = answer.readall()
                size = int(answer.properties.content_range.rpartition("/")[2])
                properties = answer.properties
            except HttpResponseError as error:
                if code_of(error) != "InvalidRange":
                    raise
                # It is empty: it has no first byte.
                properties, beginning, size = blob.get_blob_properties(), b"", 0
        found = _found(properties, size)
        return _BlobReader(blob, beginning, size, properties.etag), found

    def find(self, key: str) -> Found:
        with translating():
            properties = self.blob(key).get_blob_properties()
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


class _BlobReader(io.RawIOBase):
    """One version of a blob, read in ranges; what opened it has its beginning."""

    def __init__(self, blob: Any, beginning: bytes, size: int, etag: str) -> None:
        self._blob = blob
        self._start = 0
        self._held = beginning
        self._size = size
        self._etag = etag
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0:
            return 0
        skip = self._at - self._start
        if not 0 <= skip < len(self._held):
            self._fetch(max(wanted, min(_NEXT_READ, self._size - self._at)))
            skip = 0
        piece = self._held[skip : skip + wanted]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _fetch(self, count: int) -> None:
        # A blob that is gone does not have that ETag either.
        with translating():
            answer = self._blob.download_blob(
                offset=self._at, length=count, etag=self._etag, **_NOT_MODIFIED, **_AS_STORED
            )
            self._held, self._start = answer.readall(), self._at


def _as_identifiers(metadata: Mapping[str, str]) -> Dict[str, str]:
    named = {_COPIED_FROM if name == COPIED_FROM else name: metadata[name] for name in metadata}
    wrong = [name for name in named if not (name.isidentifier() and name.isascii())]
    if wrong:
        raise S3Error(
            f"Azure takes letters, digits and '_' in names of metadata, not {wrong[0]!r}. Rename "
            "it in object_parameters.",
            code="InvalidMetadata",
        )
    return named


def _found(properties: Any, size: int) -> Found:
    settings = properties.content_settings
    headers = {
        header: getattr(settings, name)
        for header, name in _SETTINGS.items()
        if getattr(settings, name, None)
    }
    given = dict(properties.metadata or {})
    metadata = {COPIED_FROM if name == _COPIED_FROM else name: given[name] for name in given}
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
