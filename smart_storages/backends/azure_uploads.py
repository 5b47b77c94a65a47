"""Uploads in parts to a container of Azure.

A URL of Azure can be limited to a blob, but not to a block, its size or its content, and whoever
may write a block may write the whole blob. So the blocks are sent to a blob of the upload's own,
which nothing reads. What is known of the upload is in its metadata, and signed in the identifier,
since whoever has a URL of a block could change them. A completion looks at the blocks, makes them
the content of that blob, and has the server copy exactly this version of it to the key.

Blocks that were never completed are removed by Azure after a week:
https://learn.microsoft.com/rest/api/storageservices/put-block
"""

from __future__ import annotations

import hmac
import json
import re
import time
import uuid
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple
from urllib.parse import quote

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock, BlobSasPermissions

from smart_storages import config
from smart_storages.backends.azure_errors import translating
from smart_storages.backends.azure_rules import FOLDER, check_key
from smart_storages.backends.azure_signing import sign
from smart_storages.backends.store import Attributes
from smart_storages.backends.uploads import Uploads, require_same
from smart_storages.common.parts import MIB, StartedUpload, UploadedPart
from smart_storages.exceptions import ContentMismatchError, ObjectChangedError, UnreachableError

if TYPE_CHECKING:
    from smart_storages.backends.azure import AzureStore
    from smart_storages.backends.s3.stat import Stat

__all__ = ["AzureUploads"]

_UPLOADS = f"{FOLDER}uploads/"

_is_upload_id = re.compile(r"([0-9a-f]{32})-([0-9a-f]{32})").fullmatch
_is_block = re.compile(r"\d{5}").fullmatch
#: Seconds between two looks at a copy, and until it is given up. Within an account, a copy is done
#: at once as a rule.
_PAUSE, _PATIENCE = 0.2, 900.0
_IS_THIS: Dict[str, Any] = {"match_condition": MatchConditions.IfNotModified}


class AzureUploads(Uploads):
    """The uploads to one container.

    Args:
        store: What keeps the objects that they become.
        account: What :func:`smart_storages.backends.azure.account_of` returned.
        container: Name of the container.
    """

    # https://learn.microsoft.com/azure/storage/blobs/scalability-targets
    max_part_size = 4000 * MIB
    max_parts = 50_000
    signs_part_digests = False

    def __init__(self, store: AzureStore, account: Any, container: str) -> None:
        self._store = store
        self._account = account
        self._container = container

    def create(self, key: str, attributes: Attributes) -> str:
        check_key(key)
        about = _encode(key, attributes)
        random = uuid.uuid4().hex
        upload_id = f"{random}-{self._digests(random, about)[0]}"
        with translating():
            self._blob(upload_id).upload_blob(
                b"", length=0, overwrite=False, metadata={"about": about, "upload": upload_id}
            )
        return upload_id

    def put_part(
        self, key: str, upload_id: str, number: int, chunks: Iterator[bytes]
    ) -> UploadedPart:
        self._find(key, upload_id)
        content = b"".join(chunks)
        with translating():
            self._blob(upload_id).stage_block(_block_id(number), content, len(content))
        return UploadedPart(number, len(content), "")

    def sign_part(
        self, key: str, upload_id: str, number: int, *, expires: int
    ) -> Optional[Dict[str, Any]]:
        if not _is_upload_id(upload_id):
            raise FileNotFoundError(upload_id)
        signature = sign(
            self._account,
            self._container,
            f"{_UPLOADS}{upload_id}",
            expires,
            BlobSasPermissions(write=True),
        )
        address = self._blob(upload_id).url.partition("?")[0]
        block = quote(b64encode(_block_id(number).encode()), safe="")
        return {
            "url": f"{address}?{signature}&comp=block&blockid={block}",
            "method": "PUT",
            "headers": {},
        }

    def parts(self, key: str, upload_id: str) -> List[UploadedPart]:
        self._find(key, upload_id)
        return self._arrived(upload_id)

    def complete(
        self, key: str, upload_id: str, parts: Sequence[UploadedPart], *, overwrite: bool
    ) -> Stat:
        properties, attributes = self._find(key, upload_id)
        require_same(parts, self._arrived(upload_id))
        if not overwrite:
            with suppress(FileNotFoundError):
                self._store.find(key)
                raise FileExistsError(key)
        try:
            self._publish(key, upload_id, parts, properties, attributes, overwrite=overwrite)
        except ObjectChangedError:
            raise ContentMismatchError(
                "The upload was changed while it was completed. List its parts again.",
                code="InvalidPart",
            ) from None
        with suppress(FileNotFoundError), translating():
            self._blob(upload_id).delete_blob(delete_snapshots="include")
        return self._store.find(key).stat

    def _publish(
        self,
        key: str,
        upload_id: str,
        parts: Sequence[UploadedPart],
        properties: Any,
        attributes: Attributes,
        *,
        overwrite: bool,
    ) -> None:
        blob = self._blob(upload_id)
        parameters = self._store.parameters_of(attributes)
        with translating():
            blob.commit_block_list(
                [BlobBlock(_block_id(part.number)) for part in parts],
                content_settings=parameters["content_settings"],
                metadata=properties.metadata,  # it is an upload until the copy is made
                etag=properties.etag,
                **_IS_THIS,
            )
            made = blob.get_blob_properties()
        if made.size != sum(part.size for part in parts):
            raise ContentMismatchError(
                "A part was uploaded again after the parts were listed. List them again.",
                code="InvalidPart",
            )
        conditions = {} if overwrite else {"match_condition": MatchConditions.IfMissing}
        target = self._store.blob(key)
        with translating():
            answer = target.start_copy_from_url(
                blob.url,
                metadata=parameters["metadata"],
                source_etag=made.etag,
                source_match_condition=MatchConditions.IfNotModified,
                **conditions,
            )
        _wait(target, answer)

    def abort(self, key: str, upload_id: str) -> None:
        with suppress(FileNotFoundError):
            self._find(key, upload_id)
            with translating():
                self._blob(upload_id).delete_blob(delete_snapshots="include")

    def open_uploads(self, prefix: str) -> Iterator[StartedUpload]:
        container = self._account.service_client.get_container_client(self._container)
        with translating():
            for each in container.list_blobs(name_starts_with=_UPLOADS, include=["metadata"]):
                upload_id = each.name[len(_UPLOADS) :]
                found = self._read(upload_id, each.metadata or {})
                if found is not None and found[0].startswith(prefix):
                    yield StartedUpload(found[0], upload_id, each.creation_time)

    # What is known of an upload

    def _blob(self, upload_id: str) -> Any:
        return self._store.blob(f"{_UPLOADS}{upload_id}")

    def _digests(self, random: str, about: str) -> List[str]:
        # Also those of an older SECRET_KEY: it may be replaced while a file is on its way.
        found = config.keyed_digests("upload to azure", self._container, random, about)
        return [digest[:32] for digest in found]

    def _read(self, upload_id: str, metadata: Dict[str, str]) -> Optional[Tuple[str, Attributes]]:
        named = _is_upload_id(upload_id)
        about = metadata.get("about", "")
        digests = [] if named is None else self._digests(named[1], about)
        if named is None or not any(hmac.compare_digest(each, named[2]) for each in digests):
            return None
        kept = json.loads(b64decode(about))
        return kept["key"], Attributes(kept["headers"], kept["metadata"])

    def _find(self, key: str, upload_id: str) -> Tuple[Any, Attributes]:
        if not _is_upload_id(upload_id):
            raise FileNotFoundError(upload_id)
        with translating():
            properties = self._blob(upload_id).get_blob_properties()
        found = self._read(upload_id, properties.metadata or {})
        if found is None or found[0] != key:
            raise FileNotFoundError(upload_id)
        return properties, found[1]

    def _arrived(self, upload_id: str) -> List[UploadedPart]:
        with translating():
            committed, uncommitted = self._blob(upload_id).get_block_list("all")
        # Those of a completion that another one of the name has overtaken are committed already.
        sizes = {block.id: block.size for block in (*committed, *uncommitted)}
        return [
            UploadedPart(int(each), sizes[each], "") for each in sorted(sizes) if _is_block(each)
        ]


def _block_id(number: int) -> str:
    return f"{number:05}"  # those of one blob have the same length


def _encode(key: str, attributes: Attributes) -> str:
    about = {
        "key": key,
        "headers": dict(attributes.headers),
        "metadata": dict(attributes.metadata),
    }
    # Metadata is sent in headers, which are ASCII.
    return b64encode(json.dumps(about, ensure_ascii=False).encode()).decode("ascii")


def _wait(blob: Any, answer: Dict[str, Any]) -> None:
    until = time.monotonic() + _PATIENCE
    status = answer.get("copy_status")
    while status == "pending":
        if time.monotonic() > until:
            with suppress(Exception):
                blob.abort_copy(answer["copy_id"])
            raise UnreachableError(f"Azure had not copied the file after {_PATIENCE:g} seconds.")
        time.sleep(_PAUSE)
        with translating():
            status = blob.get_blob_properties().copy.status
    if status not in (None, "success"):
        raise UnreachableError(f"Azure could not copy the file: the copy is {status!r}.")
