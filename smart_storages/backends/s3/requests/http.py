"""GET and HEAD of one object: a presigned request over a kept connection, or boto3's client.

A direct request takes a quarter of the client's CPU time. Which requests can be sent directly is
decided in :mod:`smart_storages.backends.s3.clients.direct`.
"""

from __future__ import annotations

import re
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Dict, Optional, Union

from botocore.exceptions import BotoCoreError, ClientError, SSLError
from urllib3.exceptions import HTTPError

from smart_storages.backends.s3.clients.direct import (
    OPERATIONS,
    BucketRoute,
    DirectClient,
    Request,
    direct_client_of,
)
from smart_storages.backends.s3.errors.cleaning import clean
from smart_storages.backends.s3.requests.answers import find_fault, is_claim, length_of
from smart_storages.backends.s3.requests.exchange import EXCHANGE_ERRORS, NotCarriedError, exchange
from smart_storages.backends.s3.requests.retries import RETRIED, attempts_of, pause
from smart_storages.common import on_loop, recording
from smart_storages.common.secrets import conceal
from smart_storages.exceptions import ObjectNotFoundError, UnreachableError

if TYPE_CHECKING:
    from smart_storages.backends.s3.target import Target

__all__ = ["BODY_ERRORS", "Answer", "fetch"]

#: What reading a body may raise when the connection fails.
BODY_ERRORS = (HTTPError, BotoCoreError, HTTPException, OSError)

_BAD_REQUEST = 400
_FIRST_REDIRECT, _FIRST_ERROR = 300, 400
_MAX_ERROR_BODY = 65536

# With at most this many bytes unread, the rest is read rather than the connection closed: it has
# already arrived, and a new connection would cost more.
_DRAINED = 32 * 1024

_METHODS = {"GET": "get_object", "HEAD": "head_object"}

_read_element = re.compile(rb"<(Code|Message)>([^<]*)</")


class Answer:
    """The answer to a GET or HEAD that succeeded.

    Args:
        status: 200 or 206.
        headers: Headers by lower-case name.
        body: What the body is read from; ``None`` for a HEAD.
        is_ours: Whether the request was sent directly, and not by botocore's client.
    """

    __slots__ = ("_body", "_is_fresh", "_is_ours", "_source", "headers", "left", "status")

    def __init__(self, status: int, headers: Dict[str, str], body: Any, is_ours: bool) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._is_ours = is_ours
        self._is_fresh = is_ours
        self._source = body.raw if is_ours and body is not None else body
        #: Bytes of the body not read yet, ``None`` if the server does not say.
        self.left: Optional[int] = length_of(headers)

    def read(self, size: int) -> bytes:
        """Read ``size`` bytes; fewer only at the end, or when the connection broke."""
        if self._is_ours:
            data: bytes = self._source.read(size)
        else:
            data = on_loop.run_blocking(self._source.read, size)
        if self.left is not None:
            self.left -= len(data)
        recording.count_bytes(len(data))
        return data

    def readinto(self, view: memoryview) -> int:
        """Read into ``view``: at first what has arrived, later as many bytes as fit."""
        if not self._is_ours:
            data = self.read(len(view))
            view[: len(data)] = data
            return len(data)
        if self._is_fresh and self.left is not None and len(view) < self.left:
            # The first read returns what has arrived and does not wait until the buffer is full.
            data = self._source.read1(len(view))
            view[: len(data)] = data
            count = len(data)
        else:
            count = self._source.readinto(view)
        self._is_fresh = False
        if self.left is not None:
            self.left -= count
        recording.count_bytes(count)
        return count

    def close(self) -> None:
        """Return the connection to the pool if little is left to read, else close it."""
        body, self._body = self._body, None
        if body is None:
            return
        try:
            if self.left and self.left <= _DRAINED and self._is_ours:
                self.left -= len(self._source.read(self.left))
        except BODY_ERRORS:
            self.left = None
        self._source = None
        if self._is_ours:
            body.release()
        elif self.left != 0:
            body.close()


def fetch(
    target: Target,
    key: str,
    *,
    method: str = "GET",
    start: int = 0,
    stop: Optional[int] = None,
    etag: Optional[str] = None,
    checksum: bool = False,
) -> Answer:
    """Request an object, or a range of it, and return the answer with its body not read yet.

    Throttling, server errors and connection errors are retried as often as botocore would.

    Args:
        target: The bucket.
        key: Key of the object.
        method: ``"GET"`` or ``"HEAD"``.
        start: Position of the first byte.
        stop: Position after the last byte, ``None`` for the end.
        etag: ETag, quotes included, that the object must have (``If-Match``).
        checksum: Whether to request the checksum that was stored with the object.

    Raises:
        S3Error: S3 refused, or did not answer; see :mod:`smart_storages.exceptions`.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    request = Request(method, key, dict(target.read_parameters))
    if start or stop is not None:
        request.params["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    if etag is not None:
        request.params["IfMatch"] = etag
    if checksum:
        request.params["ChecksumMode"] = "ENABLED"
    client = target.client
    direct = direct_client_of(client)
    route = direct.route_for(target.bucket, request)
    answer = None
    if route is not None:
        if recording.observers:
            params = {"Key": key, **request.params}
            watched = recording.observed(OPERATIONS[method], target.bucket, params)
            answer = watched(_send_directly, target, direct, route, request)
        else:
            answer = _send_directly(target, direct, route, request)
        if answer is None:
            direct.forget(target.bucket)
    answer = answer or _send_by_client(target, client, request)
    if is_claim(answer.headers):
        answer.close()
        raise ObjectNotFoundError(
            "There is no such file yet: another process is about to save it, or died while "
            "saving it.",
            **target.places(key),
        )
    return answer


def _send_directly(
    target: Target, direct: DirectClient, route: BucketRoute, request: Request
) -> Optional[Answer]:
    """Send a request, with retries; return ``None`` if the client has to send it instead."""
    plain, signed = request.headers()
    headers = {"Host": route.host, "User-Agent": direct.user_agent, **plain, **signed}
    head = request.method == "HEAD"
    failures = 0
    may_be_stale = True
    while True:
        error: BaseException
        final = False
        opened = route.pool.num_connections
        try:
            # Concealed: Django's debug page shows the variables of frames, this path is signed.
            response = exchange(
                route.pool, request.method, conceal(route.target_of(request, signed)), headers
            )
            status = response.status
            if status < _FIRST_REDIRECT:
                outcome = _take(target, request, response)
                if isinstance(outcome, Answer):
                    return outcome
                error = outcome
            elif status < _FIRST_ERROR or status == _BAD_REQUEST:
                # Another region, or S3 wants another kind of signature: botocore handles both.
                response.release()
                recording.count_retry()
                return None
            else:
                error = _read_error(response, request)
                final = status not in RETRIED
        except NotCarriedError:
            return None  # botocore says what is wrong with it
        except EXCHANGE_ERRORS as broken:
            error = broken
            final = isinstance(broken, SSLError)
            if may_be_stale and route.pool.num_connections == opened and not final:
                # The server had closed a kept connection: a new one does not count as a retry.
                may_be_stale = False
                recording.count_retry()
                continue
        failures += 1
        if final or failures >= attempts_of(target.client):
            target.fail(error, request.key, head=head)
        pause(failures, error)


def _take(target: Target, request: Request, response: Any) -> Union[Answer, UnreachableError]:
    fault = _find_fault(target, request, response.status, response.headers)
    if fault is not None:
        response.release()
        return fault
    if request.method == "HEAD":
        response.read_all(0)
        return Answer(response.status, response.headers, None, is_ours=True)
    return Answer(response.status, response.headers, response, is_ours=True)


def _find_fault(
    target: Target, request: Request, status: int, headers: Dict[str, str]
) -> Optional[UnreachableError]:
    fault = find_fault(status, headers, ranged="Range" in request.params)
    return None if fault is None else _make_fault(target, request, status, fault)


def _make_fault(
    target: Target, request: Request, status: Optional[int], fault: str
) -> UnreachableError:
    return UnreachableError(
        f"S3's answer to a {request.method} cannot be read: {fault}. "
        "A proxy or gateway in front of S3 may be at fault.",
        status=status,
        **target.places(request.key),
    )


def _read_error(response: Any, request: Request) -> ClientError:
    """Return the exception that botocore would raise for an error answer."""
    status = response.status
    try:
        found = dict(_read_element.findall(response.read_all(_MAX_ERROR_BODY)))
    except EXCHANGE_ERRORS:
        found = {}
    headers = response.headers
    answer: Any = {
        "Error": {
            "Code": found.get(b"Code", str(status).encode()).decode("utf-8", "replace"),
            "Message": found.get(b"Message", b"").decode("utf-8", "replace"),
        },
        "ResponseMetadata": {
            "HTTPStatusCode": status,
            "HTTPHeaders": headers,
            "RequestId": headers.get("x-amz-request-id", ""),
        },
    }
    return ClientError(answer, OPERATIONS[request.method])


def _send_by_client(target: Target, client: Any, request: Request) -> Answer:
    method = getattr(client, _METHODS[request.method])
    call = partial(method, Bucket=target.bucket, Key=request.key, **request.params)
    try:
        answer = on_loop.run_blocking(call)
    except (BotoCoreError, ClientError, HTTPError) as error:
        target.fail(error, request.key, head=request.method == "HEAD")
    except ValueError as error:
        # botocore converts numbers and dates of the answer, and does not catch what that raises.
        raise _make_fault(target, request, None, str(error)) from clean(error)
    about = answer["ResponseMetadata"]
    headers = {name.lower(): value for name, value in about["HTTPHeaders"].items()}
    body = answer.get("Body")
    fault = _find_fault(target, request, about["HTTPStatusCode"], headers)
    if fault is not None:
        if body is not None:
            body.close()
        raise fault
    return Answer(about["HTTPStatusCode"], headers, body, is_ours=False)
