"""Writing an object with one PUT, with or without the condition that its key is free."""

from __future__ import annotations

import random
from typing import Any, Dict, Optional

from smart_storages.backends.s3.errors.results import MISSING_RESULT
from smart_storages.backends.s3.requests.bodies import Body, size_of
from smart_storages.backends.s3.requests.sending import send
from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.parameters import (
    CALL_ERRORS,
    Written,
    checksum_for,
    exists,
    has_token,
    new_token,
    retries_of,
    with_token,
)
from smart_storages.common import on_loop, recording
from smart_storages.exceptions import ObjectExistsError, PreconditionFailedError, S3Error

__all__ = [
    "CONFLICT",
    "CONFLICT_TRIES",
    "conflict_error",
    "pause",
    "put_body",
    "put_new",
    "taken_error",
]

#: S3's error code for "another request is changing this object".
CONFLICT = "ConditionalRequestConflict"

#: How often a write is tried when S3 answers that another one was in progress (409).
CONFLICT_TRIES = 8

_CONDITION_CODES = ("PreconditionFailed", "412", CONFLICT, "NotImplemented")


def put_body(
    target: Target, key: str, body: Body, params: Dict[str, Any], *, overwrite: bool
) -> Written:
    """Write an object with one PUT; the arguments are those of :func:`.writer.put`."""
    if overwrite:
        return _put_once(target, key, body, params)
    if not target.provider.conditional_put:
        if exists(target, key, params):
            raise taken_error(target, key)
        return _put_once(target, key, body, params)
    return put_new(target, key, body, params)


def put_new(
    target: Target, key: str, body: Body, params: Dict[str, Any], token: Optional[str] = None
) -> Written:
    """Write an object in one request, on the condition that its key is free.

    Args:
        target: The bucket; its server must honour ``If-None-Match`` on a PUT.
        key: Key of the object.
        body: Content.
        params: Parameters of ``put_object``.
        token: The token to write into the object's metadata; a new one if ``None``.

    Raises:
        ObjectExistsError: the key is taken.
        S3Error: S3 refused the object, or did not answer.
    """
    token = token or new_token()
    chosen = {**with_token(params, token), "IfNoneMatch": "*"}
    for _ in range(CONFLICT_TRIES):
        try:
            return _put_once(target, key, body, chosen)
        except S3Error as error:
            cause = error.__cause__
            if error.code not in (*_CONDITION_CODES, MISSING_RESULT) or cause is None:
                raise
            if retries_of(cause) or error.code == MISSING_RESULT:
                # The answer to an earlier try was lost: that try may have taken the key.
                ours = has_token(target, key, params, token)
                if ours is not None:
                    return Written.from_answer(ours, size_of(body))
            if error.code == MISSING_RESULT:
                raise
            if error.code == "NotImplemented":
                raise _no_conditions(target, key) from cause
            if error.code != CONFLICT:
                raise taken_error(target, key) from cause
        pause()
    raise conflict_error(target, key)


def _put_once(target: Target, key: str, body: Body, params: Dict[str, Any]) -> Written:
    others = {name: value for name, value in params.items() if name != "ChecksumAlgorithm"}
    checksum = checksum_for(target, params.get("ChecksumAlgorithm"))
    size = size_of(body)
    try:
        answer = send(
            target.client,
            "PutObject",
            Bucket=target.bucket,
            Key=key,
            Body=body,
            checksum=checksum,
            **others,
        )
    except CALL_ERRORS as error:
        target.fail(error, key)
    return Written.from_answer(answer, size)


def pause() -> None:
    """Wait for a random moment before repeating a write that conflicted with another one."""
    recording.count_retry()
    on_loop.pause(random.uniform(0.01, 0.1))  # noqa: S311


def taken_error(target: Target, key: str) -> ObjectExistsError:
    """Return the error for a key that is taken."""
    return ObjectExistsError("There is already a file of that name.", **target.places(key))


def conflict_error(target: Target, key: str) -> PreconditionFailedError:
    """Return the error for a write that conflicted with others at every try."""
    return PreconditionFailedError(
        "Other requests kept changing the object at the same time. Save the file again.",
        code=CONFLICT,
        **target.places(key),
    )


def _no_conditions(target: Target, key: str) -> S3Error:
    return S3Error(
        "The server does not support If-None-Match. Correct the module's 'provider' option, or "
        "leave it out.",
        **target.places(key),
    )
