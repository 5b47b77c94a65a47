"""Which requests are sent directly, past botocore's client, and how they reach a bucket.

How botocore would make a request is never guessed. Once per bucket, the client prepares a probe
request that is not sent, and the direct route is taken from it. Requests stay with the client where
there are handlers of other packages (moto's mock, a tracer), proxies, customer keys, or signatures
other than SigV4.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from io import BytesIO
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import quote, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from smart_storages.backends.s3.clients.sockets import SocketPools
from smart_storages.backends.s3.private_names import (
    credentials_of,
    emitter_of,
    handlers_of,
    handlers_version,
)
from smart_storages.backends.s3.signing.header_sigv4 import HeaderSigner
from smart_storages.backends.s3.signing.sigv4 import QuerySigner, Route
from smart_storages.common import on_loop, recording

__all__ = ["OPERATIONS", "WRITES", "BucketRoute", "DirectClient", "Request", "direct_client_of"]

#: botocore's operations that read, by HTTP method.
OPERATIONS = {"GET": "GetObject", "HEAD": "HeadObject"}

#: The operations that write, and the listing, which
#: :mod:`smart_storages.backends.s3.requests.sending` sends.
WRITES = frozenset(
    {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "DeleteObject",
        "DeleteObjects",
        "ListObjectsV2",
        "PutObject",
        "UploadPart",
    }
)

#: Seconds a signature is valid: as long as S3 lets clocks differ for a signed header.
_EXPIRES = 900

#: Parameters that a direct GET or HEAD supports; a request with any other goes to the client.
_SUPPORTED = frozenset({"ChecksumMode", "IfMatch", "Range", "VersionId"})

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

# Headers that botocore's probe request may have. With any other header, a direct request would
# lack something.
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


class Request(NamedTuple):
    """One GET or HEAD, its parameters by boto3's names."""

    method: str
    key: str
    params: Dict[str, Any]

    def headers(self) -> Tuple[Dict[str, str], Dict[str, str]]:
        """Headers that need no signature, and those that S3 wants signed."""
        names = {"Range": "Range", "IfMatch": "If-Match"}
        plain = {names[name]: self.params[name] for name in names if name in self.params}
        signed = {"x-amz-checksum-mode": "ENABLED"} if "ChecksumMode" in self.params else {}
        return plain, signed


class BucketRoute(NamedTuple):
    """How requests reach one bucket without botocore's client."""

    pool: Any
    before_key: str
    host: str
    is_secure: bool
    signer: Optional[QuerySigner]
    header_signer: Optional[HeaderSigner]

    def target_of(self, request: Request, signed: Mapping[str, str]) -> str:
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


class DirectClient:
    """What sends requests in place of one botocore client: routes to buckets, and sockets."""

    def __init__(self, client: Any) -> None:
        # A weak reference: this object must not keep the client alive.
        self._client = weakref.ref(client)
        self._emitter = emitter_of(client)
        client.meta.events.register(_PROBED_EVENT, _catch_probe, unique_id="smart-storages-probe")
        # What was learned, and the handlers that stood when it was: one object, so that no thread
        # keeps what it learned under others.
        self._known: Tuple[Any, Dict[str, Optional[BucketRoute]]] = (None, {})
        self.user_agent = client.meta.config.user_agent
        self._pools = SocketPools(client)
        # Other kinds of credentials may send a request of their own when they sign.
        self._may_refresh = type(credentials_of(client)) not in (Credentials, type(None))

    def route_for(self, bucket: str, request: Request) -> Optional[BucketRoute]:
        """Return the direct route for a request, ``None`` if it must go to the client."""
        if not request.params.keys() <= _SUPPORTED or not request.key:
            return None
        return self.route(bucket)

    def route(self, bucket: str) -> Optional[BucketRoute]:
        """Return the direct route to a bucket, ``None`` if its requests must go to the client."""
        if self._may_refresh:
            on_loop.require_thread()
        # botocore replaces this object when a handler comes or goes.
        version = handlers_version(self._emitter)
        known = self._known
        if known[0] is not version:
            known = self._known = (version, {})
        try:
            return known[1][bucket]
        except KeyError:
            route = known[1][bucket] = self._find_route(bucket)
            return route

    def forget(self, bucket: str) -> None:
        """Find the route again at the next request: the client may have learned another region."""
        self._known[1].pop(bucket, None)

    def _find_route(self, bucket: str) -> Optional[BucketRoute]:
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
        host, is_secure = _host_header(parts), parts.scheme == "https"
        authorization = sent.headers.get("Authorization")
        if authorization is None:
            return BucketRoute(pool, before_key, host, is_secure, None, None)
        scope = _read_scope(_as_bytes(authorization))
        credentials = credentials_of(client)
        if scope is None or credentials is None:
            return None
        route = Route(
            origin=f"{parts.scheme}://{parts.netloc}",
            path=before_key,
            host=host,
            region=scope.group(1).decode(),
        )
        signers = QuerySigner(route, credentials), HeaderSigner(route, credentials)
        return BucketRoute(pool, before_key, host, is_secure, *signers)

    def _has_only_botocores_handlers(self) -> bool:
        operations = (*OPERATIONS.values(), *WRITES)
        events = (event + operation for event in _EVENTS for operation in operations)
        handlers = handlers_of(self._emitter, events)
        return handlers is not None and all(map(_is_botocores, handlers))


def _ask_client(client: Any, bucket: str) -> Any:
    """Return the request that a client would send for the probe key, unsent."""
    # The client is shared by all threads, and so are its handlers: what one thread asks for must
    # never be taken for the answer to another, which would lead to another bucket.
    caught: List[Any] = []
    _probing.caught = caught
    try:
        with recording.unsent():
            client.get_object(Bucket=bucket, Key=_PROBE_KEY)
    except (BotoCoreError, ClientError):
        return None
    finally:
        del _probing.caught
    return caught[0] if caught else None


_probing = threading.local()
_PROBED_EVENT = "before-send.s3.GetObject"


def _catch_probe(request: Any, **kwargs: Any) -> Any:
    """Keep a request from being sent, if this thread only asks what it would be."""
    caught = getattr(_probing, "caught", None)
    if caught is None:
        return None
    caught.append(request)
    headers: Any = {"content-length": "0"}
    return AWSResponse(request.url, 200, headers, _NoBody())


class _NoBody(BytesIO):
    def stream(self, *args: Any, **kwargs: Any) -> Any:
        return iter(())


def _is_botocores(handler: Any) -> bool:
    module = getattr(handler, "__module__", None) or type(handler).__module__
    return module.partition(".")[0] in ("boto3", "botocore", "s3transfer", "smart_storages")


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _host_header(parts: Any) -> str:
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return host if parts.port in (None, default) else f"{host}:{parts.port}"


_direct_clients: weakref.WeakKeyDictionary[Any, DirectClient] = weakref.WeakKeyDictionary()


def direct_client_of(client: Any) -> DirectClient:
    """Return the direct client for a botocore client; it lives as long as the client."""
    try:
        return _direct_clients[client]
    except KeyError:
        direct = _direct_clients[client] = DirectClient(client)
        return direct


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_direct_clients.clear)
