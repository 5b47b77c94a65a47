"""Writing an object with one PUT, also where its key must be free."""

from __future__ import annotations

import random
import time
from typing import IO, Any, Dict, Optional, Union

from smart_storages.exceptions import ObjectExistsError, PreconditionFailedError, S3Error
from smart_storages.s3.errors.results import MISSING_RESULT
from smart_storages.s3.requests.exchange import size_of
from smart_storages.s3.requests.sending import send
from smart_storages.s3.target import Target
from smart_storages.s3.writing.parameters import (
    CALL_ERRORS,
    Written,
    checksum_for,
    exists,
    has_token,
    new_token,
    retries_of,
    with_token,
)

__all__ = [
    "CONFLICT",
    "CONFLICT_TRIES",
    "conflict_error",
    "pause",
    "put_body",
    "put_new",
    "taken_error",
]

_Body = Union[bytes, IO[bytes]]

#: The code of S3 for "another request changes this object just now".
CONFLICT = "ConditionalRequestConflict"

#: How often a write is repeated when S3 answers that another one was under way (409).
CONFLICT_TRIES = 8

_CONDITION_CODES = ("PreconditionFailed", "412", CONFLICT, "NotImplemented")


def put_body(
    target: Target, key: str, body: _Body, params: Dict[str, Any], *, overwrite: bool
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
    target: Target, key: str, body: _Body, params: Dict[str, Any], token: Optional[str] = None
) -> Written:
    """Write an object whose key is free, in one request that checks it.

    Args:
        target: Where to; a server that honours ``If-None-Match`` on a PUT.
        key: Key of the object.
        body: Content.
        params: Parameters of ``put_object``.
        token: The mark that the object will carry; drawn if ``None``.

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
                # The answer to an earlier try was lost: the key may be taken by ourselves.
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


def _put_once(target: Target, key: str, body: _Body, params: Dict[str, Any]) -> Written:
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
    """Wait a moment, at random, before a write that met another one is repeated."""
    time.sleep(random.uniform(0.01, 0.1))  # noqa: S311


def taken_error(target: Target, key: str) -> ObjectExistsError:
    """Return the error for a key that is taken."""
    return ObjectExistsError("There is a file of that name already.", **target.places(key))


def conflict_error(target: Target, key: str) -> PreconditionFailedError:
    """Return the error for a write that met others again and again."""
    return PreconditionFailedError(
        "Other requests kept changing the object at the same time. Save the file again.",
        code=CONFLICT,
        **target.places(key),
    )


def _no_conditions(target: Target, key: str) -> S3Error:
    return S3Error(
        "The server does not know If-None-Match. Set the provider key to what the server is, or "
        "leave it out.",
        **target.places(key),
    )
