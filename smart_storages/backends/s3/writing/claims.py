"""Claims: an empty object that reserves a key, where the final request cannot have a condition.

Some servers honour ``If-None-Match`` on a PUT but ignore it when a multipart upload is completed
or an object is copied. There, a PUT first writes an empty object with a mark in its metadata, the
claim, and the next request replaces it with the real object. So the claim exists for one round
trip, and the engine treats it as a file that does not exist. A process that is killed in between
leaves it behind: it is recognised by its mark, hides no file, and goes away with a write that
overwrites it, or when it is deleted by name.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Optional

from smart_storages.backends.s3.requests.answers import CLAIM_MARK
from smart_storages.backends.s3.requests.sending import send
from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.parameters import (
    CALL_ERRORS,
    WRITE_ID,
    accepted,
    has_token,
    head,
    new_token,
)
from smart_storages.backends.s3.writing.single_put import put_new
from smart_storages.exceptions import ObjectExistsError, ObjectNotFoundError, S3Error

__all__ = ["Claim", "release"]

logger = logging.getLogger(__name__)

# These describe content, and a claim has none. What a bucket policy may require is kept: ACL,
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
    """Reserves a key until the object is published.

    Args:
        target: The bucket; its server must honour ``If-None-Match`` on a PUT.
        key: The key.
        params: Parameters of the write.
        token: Identifies the claim; a new one if ``None``. A claim that an earlier try with this
            token has left is taken over.

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

    def __init__(
        self, target: Target, key: str, params: Dict[str, Any], *, token: Optional[str] = None
    ) -> None:
        self._target = target
        self._key = key
        self._token = token or new_token()
        self._version_id: Optional[str] = None
        kept = {name: value for name, value in params.items() if name not in _OF_CONTENT}
        # No cache in between may keep the empty answer for as long as it may keep the file.
        kept.update(CacheControl="no-store", Metadata={CLAIM_MARK: "pending"})
        try:
            self._version_id = put_new(target, key, b"", kept, self._token).version_id
        except ObjectExistsError:
            if token is None or not self._is_there():
                raise
        except BaseException:
            self.release()  # the request may have arrived although its answer did not
            raise

    def _is_there(self) -> bool:
        found = has_token(self._target, self._key, self._target.read_parameters, self._token)
        return found is not None and CLAIM_MARK in (found.get("Metadata") or {})

    def release(self) -> None:
        """Delete the claim if it is still there; an object that replaced it stays."""
        release(self._target, self._key, self._token, version_id=self._version_id)


def release(target: Target, key: str, token: str, *, version_id: Optional[str] = None) -> None:
    """Delete the claim with a token if it is there; an object that replaced it stays.

    Args:
        target: The bucket.
        key: The key.
        token: The token of the claim.
        version_id: Its version, in a bucket that keeps versions, if it is known.
    """
    try:
        answer = head(target, key)
    except ObjectNotFoundError:
        return
    except S3Error as error:
        _warn(target, key, error)
        return
    if (answer.get("Metadata") or {}).get(WRITE_ID) == token:
        _delete(target, key, version_id)


def _delete(target: Target, key: str, version_id: Optional[str]) -> None:
    client = target.client
    params = accepted(client, "DeleteObject", target.read_parameters)
    # If the bucket keeps versions, delete this version only: later ones stay in any case. If the
    # credentials may not delete versions, a delete marker hides it.
    versions: List[Dict[str, Any]] = [{"VersionId": version_id}] if version_id else []
    failed: Optional[Exception] = None
    for version in (*versions, {}):
        try:
            send(client, "DeleteObject", Bucket=target.bucket, Key=key, **params, **version)
        except CALL_ERRORS as error:
            failed = error
        else:
            return
    _warn(target, key, failed)


def _warn(target: Target, key: str, error: Optional[BaseException]) -> None:
    logger.warning(
        "An empty object that reserved the key %s in bucket %s was left behind: %s. It is "
        "treated as a missing file. Delete it to free the key.",
        key,
        target.bucket,
        type(error).__name__,
    )
