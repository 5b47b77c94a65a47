"""Claiming a key for an object that is published by a request without a condition.

Some servers honour ``If-None-Match`` on a PUT and ignore it when an upload in parts is completed,
or an object is copied. There an empty object that carries a mark takes the key first, by a PUT,
and the real one replaces it in the very next request. So the claim stands for one round trip, and
the engine reads it as a file that does not exist. A process that is killed within that moment
leaves it behind: it can be told by its mark, keeps nobody from reading a file, and is replaced by
a write that overwrites, or deleted by name.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Optional

from smart_storages.exceptions import ObjectExistsError, ObjectNotFoundError, S3Error
from smart_storages.s3.requests.answers import CLAIM_MARK
from smart_storages.s3.requests.sending import send
from smart_storages.s3.target import Target
from smart_storages.s3.writing.parameters import CALL_ERRORS, WRITE_ID, accepted, head, new_token
from smart_storages.s3.writing.single_put import put_new

__all__ = ["Claim"]

logger = logging.getLogger(__name__)

# These describe content, and a claim has none. What a bucket policy may ask for stays: ACL,
# encryption, storage class, tags.
_OF_CONTENT = frozenset(
    {
        "ChecksumAlgorithm",
        "ContentDisposition",
        "ContentEncoding",
        "Expires",
        "Metadata",
        "ObjectLockLegalHoldStatus",  # a claim that is locked could not be released
        "ObjectLockMode",
        "ObjectLockRetainUntilDate",
        "WebsiteRedirectLocation",
    }
)


class Claim:
    """A key that is ours until the object is published.

    Args:
        target: Where; a server that honours ``If-None-Match`` on a PUT.
        key: The key.
        params: Parameters of the write.

    Raises:
        ObjectExistsError: the key is taken.
        S3Error: S3 refused the claim, or did not answer.

    Example::

        claim = Claim(target, "film.mp4", params)
        try:
            client.complete_multipart_upload(...)
        except BaseException:
            claim.release()
            raise
    """

    def __init__(self, target: Target, key: str, params: Dict[str, Any]) -> None:
        self._target = target
        self._key = key
        self._token = new_token()
        self._version_id: Optional[str] = None
        kept = {name: value for name, value in params.items() if name not in _OF_CONTENT}
        # No cache on the way may keep the empty answer for as long as the file is good for.
        kept.update(CacheControl="no-store", Metadata={CLAIM_MARK: "pending"})
        try:
            self._version_id = put_new(target, key, b"", kept, self._token).version_id
        except ObjectExistsError:
            raise
        except BaseException:
            self.release()  # it may have arrived, and its answer not
            raise

    def release(self) -> None:
        """Take the claim back, if it still stands; what replaced it stays."""
        try:
            answer = head(self._target, self._key)
        except ObjectNotFoundError:
            return
        except S3Error as error:
            self._warn(error)
            return
        if (answer.get("Metadata") or {}).get(WRITE_ID) == self._token:
            self._delete()

    def _delete(self) -> None:
        client = self._target.client
        params = accepted(client, "DeleteObject", self._target.read_parameters)
        # Where versions are kept, this one alone: what came after it stays whatever happens. Who
        # may not delete versions hides it.
        ways: List[Dict[str, Any]] = [{"VersionId": self._version_id}] if self._version_id else []
        failed: Optional[Exception] = None
        for way in (*ways, {}):
            try:
                send(
                    client,
                    "DeleteObject",
                    Bucket=self._target.bucket,
                    Key=self._key,
                    **params,
                    **way,
                )
            except CALL_ERRORS as error:
                failed = error
            else:
                return
        self._warn(failed)

    def _warn(self, error: Optional[BaseException]) -> None:
        logger.warning(
            "An empty object that claimed the name %s in bucket %s was left behind: %s. It reads "
            "as a missing file. Delete it to free the name.",
            self._key,
            self._target.bucket,
            type(error).__name__,
        )
