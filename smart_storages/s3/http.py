"""GET and HEAD of one object: a presigned request over urllib3, or boto3's client.

The lean way costs a quarter of the client's CPU time. How botocore would make the request is
never guessed: the client is asked once per bucket, without network, and what it would have sent
decides. Handlers of anybody else (moto's mock, a tracer), proxies, customer keys and signatures
other than SigV4 all lead to the client.
"""

from __future__ import annotations

import os
import random
import re
import weakref
from dataclasses import dataclass
from http.client import HTTPException
from io import BytesIO
from time import sleep
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple
from urllib.parse import quote, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError, SSLError

from smart_storages.s3.sigv4 import QuerySigner, Route
from smart_storages.s3.sockets import SocketPools

if TYPE_CHECKING:
    from smart_storages.s3.target import Target

__all__ = ["BODY_ERRORS", "Answer", "attempts_of", "fetch", "pause"]

#: What reading a body may raise when the connection fails.
BODY_ERRORS = (HTTPError, BotoCoreError, HTTPException, OSError)

#: Seconds a signature is good for. As long as S3 lets clocks differ for a signed header.
_EXPIRES = 900

_RETRIED = frozenset({429, 500, 502, 503, 504})
_BAD_REQUEST = 400
_FIRST_REDIRECT, _FIRST_ERROR = 300, 400
_MAX_ERROR_BODY = 65536

# As botocore's own modes, where nothing else is configured.
_ATTEMPTS = {"legacy": 5, "standard": 3}
_MAX_PAUSE = 20.0

# A connection closed with this little unread is not worth opening anew: the rest has arrived.
_DRAINED = 32 * 1024

_PROBE_KEY = "smart-storages/probe"
_EVENTS = (
    "provide-client-params.s3.",
    "before-parameter-build.s3.",
    "before-endpoint-resolution.s3.",
    "before-call.s3.",
    "request-created.s3.",
    "choose-signer.s3.",
    "before-sign.s3.",
    "before-send.s3.",
    "response-received.s3.",
    "needs-retry.s3.",
    "after-call.s3.",
    "after-call-error.s3.",
)
_OPERATIONS = {"GET": "GetObject", "HEAD": "HeadObject"}
_METHODS = {"GET": "get_object", "HEAD": "head_object"}

# What botocore's request of the probe may carry without our request missing something.
_KNOWN_HEADERS = frozenset(
    {
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "user-agent",
        "x-amz-checksum-mode",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
        "x-amzn-trace-id",
    }
)
_read_scope = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=[^/,]+/\d{8}/([^/,]+)/s3/aws4_request"
).match
_read_element = re.compile(rb"<(Code|Message)>([^<]*)</")


class Answer:
    """The answer to a GET or HEAD that went well.

    Args:
        status: 200 or 206.
        headers: By lower-case name.
        body: What the body is read from; ``None`` for a HEAD.
    """

    __slots__ = ("_body", "_is_fresh", "_is_ours", "_source", "headers", "left", "status")

    def __init__(self, status: int, headers: Dict[str, str], body: Any, is_ours: bool) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._is_ours = is_ours
        self._is_fresh = is_ours
        # What urllib3 reads from itself. It reads into a buffer of ours, urllib3 copies twice.
        self._source = getattr(body, "_fp", body) if is_ours else body
        length = headers.get("content-length")
        #: Bytes of the body not read yet, ``None`` where the server does not say.
        self.left: Optional[int] = int(length) if length is not None else None

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes; fewer only at the end, or where the connection broke."""
        data: bytes = self._source.read(size)
        if self.left is not None:
            self.left -= len(data)
        return data

    def readinto(self, view: memoryview) -> int:
        """Read into ``view``; fewer bytes only at the end, or where the connection broke."""
        if not self._is_ours:
            data = self.read(len(view))
            view[: len(data)] = data
            return len(data)
        if self._is_fresh and self.left is not None and len(view) < self.left:
            # Who wants the first bytes gets what is there, and waits for no full buffer.
            data = self._source.read1(len(view))
            view[: len(data)] = data
            count = len(data)
        else:
            count = self._source.readinto(view)
        self._is_fresh = False
        if self.left is not None:
            self.left -= count
        return count

    def close(self) -> None:
        """Give the connection back if next to nothing is left to read, else close it."""
        body, self._body = self._body, None
        if body is None:
            return
        try:
            if self.left and self.left <= _DRAINED and self._is_ours:
                self.read(self.left)
            if self.left != 0:
                body.close()
        except BODY_ERRORS:
            body.close()
        self._source = None
        if self._is_ours:
            body.release_conn()


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
    """Ask for an object, or a range of it, and return the answer with its body unread.

    Throttling, errors of the server and of the connection are retried as often as botocore
    would.

    Args:
        target: The bucket.
        key: Key of the object.
        method: ``"GET"`` or ``"HEAD"``.
        start: First byte wanted.
        stop: The byte after the last one wanted, ``None`` for the end.
        etag: Answer only with this version of the object (``If-Match``), quotes included.
        checksum: Ask for the checksum that was stored with the object.

    Raises:
        S3Error: S3 refused, or did not answer; see :mod:`smart_storages.exceptions`.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    request = _Request(method, key, dict(target.read_parameters))
    if start or stop is not None:
        request.params["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    if etag is not None:
        request.params["IfMatch"] = etag
    if checksum:
        request.params["ChecksumMode"] = "ENABLED"
    client = target.client
    lane = _lane_of(client)
    way = lane.way_to(target.bucket, request)
    if way is not None:
        answer = _send_lean(target, lane, way, request)
        if answer is not None:
            return answer
        lane.forget(target.bucket)
    return _send_by_client(target, client, request)


def attempts_of(client: Any) -> int:
    """Return how often botocore would try a request in all."""
    retries = client.meta.config.retries or {}
    return int(retries.get("total_max_attempts") or _ATTEMPTS.get(retries.get("mode") or "", 3))


def pause(failures: int, error: Optional[BaseException] = None) -> None:
    """Wait before the next try: a random time whose bound doubles, or what the server asked for.

    Args:
        failures: Tries that failed so far.
        error: What the last one said, for its ``Retry-After``.
    """
    sleep(_retry_after(error) or random.random() * min(2 ** (failures - 1), _MAX_PAUSE))  # noqa: S311


def _retry_after(error: Optional[BaseException]) -> float:
    if not isinstance(error, ClientError):
        return 0.0
    text = error.response["ResponseMetadata"]["HTTPHeaders"].get("retry-after", "")
    return min(float(text), _MAX_PAUSE) if text.isdigit() else 0.0


@dataclass
class _Request:
    """One request by boto3's names of its parameters."""

    method: str
    key: str
    params: Dict[str, Any]

    def headers(self) -> Tuple[Dict[str, str], Dict[str, str]]:
        """Headers that need no signature, and those that S3 wants signed."""
        names = {"Range": "Range", "IfMatch": "If-Match"}
        plain = {names[name]: self.params[name] for name in names if name in self.params}
        signed = {"x-amz-checksum-mode": "ENABLED"} if "ChecksumMode" in self.params else {}
        return plain, signed


#: Parameters that the lean way carries; any other one is the client's.
_CARRIED = frozenset({"ChecksumMode", "IfMatch", "Range", "VersionId"})


@dataclass(frozen=True)
class _Way:
    """How to reach one bucket without the client."""

    pool: Any
    before_key: str
    signer: Optional[QuerySigner]

    def target_of(self, request: _Request, signed: Mapping[str, str]) -> str:
        """Path and query of a request, signed if this bucket's requests are."""
        query = {}
        if "VersionId" in request.params:
            query["versionId"] = str(request.params["VersionId"])
        if self.signer is not None:
            url = self.signer.sign_query(
                request.method, request.key, params=query, headers=signed, expires=_EXPIRES
            )
            return url[len(self.signer.route.origin) :]
        tail = "".join(f"?{name}={quote(value, safe='')}" for name, value in query.items())
        return f"{self.before_key}{quote(request.key, safe='/~')}{tail}"


class _Lane:
    """What is known of one client: for which buckets the lean way is open, and its sockets."""

    def __init__(self, client: Any) -> None:
        # A client must be able to go while this is kept beside it.
        self._client = weakref.ref(client)
        self._emitter = getattr(client.meta.events, "_emitter", None)
        self._ways: Dict[str, Optional[_Way]] = {}
        self._handlers: Any = None
        self.attempts = attempts_of(client)
        self.user_agent = client.meta.config.user_agent
        self._pools = SocketPools(client)

    def way_to(self, bucket: str, request: _Request) -> Optional[_Way]:
        """Return the lean way to a bucket, ``None`` if this request is the client's."""
        if not request.params.keys() <= _CARRIED or not request.key:
            return None
        # botocore replaces this object when a handler comes or goes.
        if getattr(self._emitter, "_lookup_cache", None) is not self._handlers:
            self._ways = {}
        try:
            return self._ways[bucket]
        except KeyError:
            way = self._ways[bucket] = self._learn(bucket)
            self._handlers = getattr(self._emitter, "_lookup_cache", None)
            return way

    def forget(self, bucket: str) -> None:
        """Ask the client anew at the next request: it was told something, a region perhaps."""
        self._ways.pop(bucket, None)

    def _learn(self, bucket: str) -> Optional[_Way]:
        client = self._client()
        if client is None or not self._pools.usable or not self._has_only_botocores_handlers():
            return None
        sent = _ask_client(client, bucket)
        if sent is None or not _KNOWN_HEADERS.issuperset(map(str.lower, sent.headers.keys())):
            return None
        parts = urlsplit(sent.url)
        pool = self._pools.pool(sent.url)
        if pool is None or parts.query or not parts.path.endswith(_PROBE_KEY):
            return None
        before_key = parts.path[: -len(_PROBE_KEY)]
        authorization = sent.headers.get("Authorization")
        if authorization is None:
            return _Way(pool, before_key, None)
        scope = _read_scope(_as_bytes(authorization))
        credentials = getattr(client._request_signer, "_credentials", None)
        if scope is None or credentials is None:
            return None
        route = Route(
            origin=f"{parts.scheme}://{parts.netloc}",
            path=before_key,
            host=_host_header(parts),
            region=scope.group(1).decode(),
        )
        return _Way(pool, before_key, QuerySigner(route, credentials))

    def _has_only_botocores_handlers(self) -> bool:
        handlers = getattr(self._emitter, "_handlers", None)
        if handlers is None:
            return False
        return all(
            _is_botocores(handler)
            for event in _EVENTS
            for operation in _OPERATIONS.values()
            for handler in handlers.prefix_search(event + operation)
        )


def _ask_client(client: Any, bucket: str) -> Any:
    """Return the request that a client would send for the probe key, unsent."""
    caught = []

    def catch(request: Any, **kwargs: Any) -> Any:
        if not urlsplit(request.url).path.endswith(_PROBE_KEY):
            return None
        caught.append(request)
        headers: Any = {"content-length": "0"}
        return AWSResponse(request.url, 200, headers, _NoBody())

    client.meta.events.register("before-send.s3.GetObject", catch)
    try:
        client.get_object(Bucket=bucket, Key=_PROBE_KEY)
    except (BotoCoreError, ClientError):
        return None
    finally:
        client.meta.events.unregister("before-send.s3.GetObject", catch)
    return caught[0] if caught else None


class _NoBody(BytesIO):
    def stream(self, *args: Any, **kwargs: Any) -> Any:
        return iter(())


def _is_botocores(handler: Any) -> bool:
    module = getattr(handler, "__module__", None) or type(handler).__module__
    return module.partition(".")[0] in ("boto3", "botocore", "s3transfer")


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _host_header(parts: Any) -> str:
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return host if parts.port in (None, default) else f"{host}:{parts.port}"


_lanes: weakref.WeakKeyDictionary[Any, _Lane] = weakref.WeakKeyDictionary()


def _lane_of(client: Any) -> _Lane:
    try:
        return _lanes[client]
    except KeyError:
        lane = _lanes[client] = _Lane(client)
        return lane


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lanes.clear)


def _send_lean(target: Target, lane: _Lane, way: _Way, request: _Request) -> Optional[Answer]:
    """Send a request, also again; ``None`` if its answer is one for the client to handle."""
    plain, signed = request.headers()
    headers = {"User-Agent": lane.user_agent, **plain, **signed}
    head = request.method == "HEAD"
    failures = 0
    may_be_stale = True
    while True:
        error: BaseException
        final = False
        opened = way.pool.num_connections
        try:
            response = way.pool.urlopen(
                request.method,
                way.target_of(request, signed),
                headers=headers,
                preload_content=False,
                decode_content=False,
                enforce_content_length=False,
                redirect=False,
                retries=False,
                assert_same_host=False,
            )
            status = response.status
            if status < _FIRST_REDIRECT:
                received = {name.lower(): value for name, value in response.headers.items()}
                if head:
                    response.read()
                    response.release_conn()
                return Answer(status, received, None if head else response, is_ours=True)
            if status < _FIRST_ERROR or status == _BAD_REQUEST:
                # Another region, or a signature that S3 wants otherwise: botocore knows how.
                response.close()
                return None
            error = _read_error(response, request)
            final = status not in _RETRIED
        except (HTTPError, OSError) as broken:
            error = broken
            final = isinstance(broken, SSLError)
            if may_be_stale and way.pool.num_connections == opened and not final:
                # A kept connection that the server had closed: a new one is no second try.
                may_be_stale = False
                continue
        failures += 1
        if final or failures >= lane.attempts:
            target.fail(error, request.key, head=head)
        pause(failures, error)


def _read_error(response: Any, request: _Request) -> ClientError:
    """Return an error answer as the exception that botocore would make of it."""
    status = response.status
    try:
        found = dict(_read_element.findall(response.read(_MAX_ERROR_BODY)))
    except (HTTPError, OSError, HTTPException):
        found = {}
    finally:
        response.close()
        response.release_conn()
    headers = {name.lower(): value for name, value in response.headers.items()}
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
    return ClientError(answer, _OPERATIONS[request.method])


def _send_by_client(target: Target, client: Any, request: _Request) -> Answer:
    call = getattr(client, _METHODS[request.method])
    try:
        answer = call(Bucket=target.bucket, Key=request.key, **request.params)
    except (BotoCoreError, ClientError, HTTPError) as error:
        target.fail(error, request.key, head=request.method == "HEAD")
    about = answer["ResponseMetadata"]
    headers = {name.lower(): value for name, value in about["HTTPHeaders"].items()}
    return Answer(about["HTTPStatusCode"], headers, answer.get("Body"), is_ours=False)
