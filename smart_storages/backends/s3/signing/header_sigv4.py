"""Signature Version 4 in the ``Authorization`` header, for requests that write.

The algorithm is AWS's; a property test holds every header equal to botocore's, byte for byte:
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

from hashlib import sha256
from time import gmtime, strftime, time
from typing import Any, Dict, Mapping, NamedTuple, Optional

from smart_storages.backends.s3.signing.sigv4 import (
    Route,
    derive_key,
    finish_hmac,
    read_credentials,
    start_hmac,
)
from smart_storages.common.secrets import conceal

__all__ = ["EMPTY_PAYLOAD", "UNSIGNED_PAYLOAD", "UNSIGNED_TRAILER", "HeaderSigner"]

#: SHA-256 of no bytes: the payload of a request without a body.
EMPTY_PAYLOAD = sha256(b"").hexdigest()
#: The body is not part of the signature; a checksum in a signed header protects it.
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
#: As above, but the checksum follows the body.
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class _Prepared(NamedTuple):
    """What is computed once for all requests of the same second."""

    clock: int
    date: str
    token: Optional[str]
    before_names: str
    inner: Any
    outer: Any

    def __repr__(self) -> str:
        return f"_Prepared(clock={self.clock})"


class HeaderSigner:
    """Signs requests to one bucket. Cheap to call, safe to share between threads.

    Args:
        route: Where the bucket is.
        credentials: Anything with botocore's ``get_frozen_credentials()``; refreshable
            credentials are asked once a second.

    Example:
        >>> from botocore.credentials import Credentials
        >>> route = Route("http://localhost:9000", "/acme/", "localhost:9000", "us-east-1")
        >>> signer = HeaderSigner(route, Credentials("key", "secret"))
        >>> sorted(signer.sign("DELETE", "/acme/a.txt", {}, payload=EMPTY_PAYLOAD, now=0))
        ['Authorization', 'X-Amz-Content-SHA256', 'X-Amz-Date']
    """

    __slots__ = ("_credentials", "_prepared", "route")

    def __init__(self, route: Route, credentials: Any) -> None:
        self.route = route
        self._credentials = credentials
        self._prepared: Optional[_Prepared] = None

    def __repr__(self) -> str:
        return f"HeaderSigner({self.route!r})"

    def sign(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: str = "",
        payload: str = UNSIGNED_PAYLOAD,
        now: Optional[float] = None,
    ) -> Dict[str, str]:
        """Return the headers that sign a request; send them together with ``headers``.

        Args:
            method: HTTP method in capitals.
            path: Quoted path, with the bucket if the URL has it in its path.
            headers: All other headers that the signature covers. ``Host`` is added.
            query: Quoted query, sorted by name, with ``=`` after each name.
            payload: SHA-256 of the body in hexadecimal digits, or one of the constants here.
            now: Seconds since the epoch; the clock if ``None``.
        """
        clock = int(time() if now is None else now)
        prepared = self._prepared
        if prepared is None or prepared.clock != clock:
            prepared = self._prepared = self._prepare(clock)
        added = {"X-Amz-Date": prepared.date, "X-Amz-Content-SHA256": payload}
        if prepared.token is not None:
            added["X-Amz-Security-Token"] = prepared.token
        signed = {"host": self.route.host}
        for name, value in headers.items():
            signed[name.lower()] = " ".join(value.split())
        for name, value in added.items():
            signed[name.lower()] = value
        names = sorted(signed)
        listed = ";".join(names)
        lines = "\n".join([f"{name}:{signed[name]}" for name in names])
        request = f"{method}\n{path}\n{query}\n{lines}\n\n{listed}\n{payload}"
        signature = finish_hmac(
            prepared.inner, prepared.outer, sha256(request.encode()).hexdigest()
        )
        added["Authorization"] = f"{prepared.before_names}{listed}, Signature={signature}"
        # Django's debug page shows the variables of every frame that holds them.
        secret = ("Authorization", "X-Amz-Security-Token")
        return {name: conceal(added[name]) if name in secret else added[name] for name in added}

    def _prepare(self, clock: int) -> _Prepared:
        frozen, _ = read_credentials(self._credentials)
        date = strftime("%Y%m%dT%H%M%SZ", gmtime(clock))
        scope = f"{date[:8]}/{self.route.region}/s3/aws4_request"
        key = derive_key(frozen.secret_key, date[:8], self.route.region)
        inner, outer = start_hmac(key, f"AWS4-HMAC-SHA256\n{date}\n{scope}\n")
        return _Prepared(
            clock=clock,
            date=date,
            token=frozen.token,
            before_names=(
                f"AWS4-HMAC-SHA256 Credential={frozen.access_key}/{scope}, SignedHeaders="
            ),
            inner=inner,
            outer=outer,
        )
