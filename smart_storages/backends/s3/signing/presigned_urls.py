"""Presigned URLs: signed here where the result is proven equal, by botocore everywhere else.

How botocore reaches a bucket (host, path, region, signature version) is never guessed. botocore
makes the first URL of each operation, for a probe key and without network. Its parts become the
route of this package's signer, which is used only if it makes exactly the same URL.
"""

from __future__ import annotations

import logging
import re
from calendar import timegm
from dataclasses import dataclass, field, replace
from time import strptime, time
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple
from urllib.parse import SplitResult, parse_qs, quote, urlencode, urlsplit

from smart_storages.backends.s3.private_names import (
    credentials_of,
    emitter_of,
    handlers_of,
    handlers_version,
    redirects_of,
)
from smart_storages.backends.s3.signing.sigv4 import (
    MAX_EXPIRES,
    QuerySigner,
    Route,
    check_life,
    check_method,
    remaining_life,
    warn_of_shorter_life,
)

__all__ = ["MAX_EXPIRES", "OPERATIONS", "UrlSigner"]

#: Operations signed here, with the HTTP method of each.
OPERATIONS = {
    "get_object": "GET",
    "head_object": "HEAD",
    "put_object": "PUT",
    "delete_object": "DELETE",
}

# Parameters signed here, by where they are sent, with their names there. Each is compared with the
# service model of the installed botocore; what is not listed (customer keys, timestamps, maps) is
# left to botocore.
_QUERY_PARAMETERS = {
    "PartNumber": "partNumber",
    "ResponseCacheControl": "response-cache-control",
    "ResponseContentDisposition": "response-content-disposition",
    "ResponseContentEncoding": "response-content-encoding",
    "ResponseContentLanguage": "response-content-language",
    "ResponseContentType": "response-content-type",
    "VersionId": "versionId",
}
_HEADER_PARAMETERS = {
    "ACL": "x-amz-acl",
    "CacheControl": "Cache-Control",
    "ChecksumMode": "x-amz-checksum-mode",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ContentLength": "Content-Length",
    "ContentType": "Content-Type",
    "IfMatch": "If-Match",
    "IfNoneMatch": "If-None-Match",
    "Range": "Range",
    "StorageClass": "x-amz-storage-class",
    "Tagging": "x-amz-tagging",
}

# Events through which a handler can change a presigned URL.
_EVENTS = (
    "provide-client-params.s3.",
    "before-parameter-build.s3.",
    "before-endpoint-resolution.s3.",
    "choose-signer.s3.",
    "before-sign.s3.",
)
_NUMBERS = ("ContentLength", "PartNumber")
_PROBE_KEY = "smart-storages/probe é+~%2F'.txt"

_is_plain_header = re.compile(r"[!-~]+(?: [!-~]+)*").fullmatch
# ARNs, access point aliases, S3 Express and Outposts have other signers and hosts.
_is_special_bucket = re.compile(r".*(?:[:/].*|--[a-z0-9]+-s3|-s3alias)", re.DOTALL).fullmatch

logger = logging.getLogger("smart_storages.backends.s3")


@dataclass(frozen=True)
class _Learned:
    """What is known about one operation from botocore's URL of the probe key.

    ``signer`` is set if URLs use SigV4, ``unsigned`` (everything before the key) if they have no
    signature, and neither if only botocore can make them.
    """

    method: str
    is_v4: bool = False
    signer: Optional[QuerySigner] = None
    unsigned: Optional[str] = None
    in_query: Mapping[str, str] = field(default_factory=dict)
    in_headers: Mapping[str, str] = field(default_factory=dict)
    handlers: Any = None
    region: Optional[str] = None


class UrlSigner:
    """Makes presigned URLs of one bucket, equal to those of ``client.generate_presigned_url``.

    One object per storage connection; safe to share between threads. Making one costs nothing and
    sends no request. A second one, for a client with another ``endpoint_url``, signs for the host
    that browsers see.

    Args:
        client: A boto3 S3 client.
        bucket: Name of the bucket.

    Example:
        >>> import boto3
        >>> client = boto3.client(
        ...     "s3", endpoint_url="http://localhost:9000", region_name="us-east-1",
        ...     aws_access_key_id="key", aws_secret_access_key="secret",
        ...     config=boto3.session.Config(signature_version="s3v4"),
        ... )
        >>> signer = UrlSigner(client, "acme")
        >>> signer.url("get_object", "a.txt", expires=60).partition("?")[0]
        'http://localhost:9000/acme/a.txt'
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self.client = client
        self.bucket = bucket
        self._emitter = emitter_of(client)
        self._redirects: Mapping[str, str] = {}
        self._learned: Dict[str, _Learned] = {}
        self._signers: Dict[Route, QuerySigner] = {}
        self._warned: Set[str] = set()

    def __repr__(self) -> str:
        return f"UrlSigner({self.client.meta.endpoint_url!r}, {self.bucket!r})"

    def url(
        self,
        operation: str,
        key: str,
        params: Optional[Mapping[str, Any]] = None,
        *,
        expires: int = 3600,
        http_method: Optional[str] = None,
        stable_for: int = 0,
        now: Optional[float] = None,
    ) -> str:
        """Return a presigned URL.

        Args:
            operation: boto3's name of the operation (``get_object``).
            key: Key of the object, complete and unquoted.
            params: More parameters of the operation by boto3's names (``VersionId``). A request
                with the URL must send those that are headers, with the same values.
            expires: Seconds the URL is valid. Shortened to the remaining life of temporary
                credentials, with one warning in the log.
            http_method: Method to sign instead of the operation's own.
            stable_for: Seconds of a window in which the same URL is returned, so that browsers
                can cache. It is valid for ``expires`` seconds even at the window's end.
            now: Seconds since the epoch, the clock if ``None``. botocore always uses the clock.

        Raises:
            ValueError: a SigV4 URL would be valid for more than 7 days, or not at all, or S3 has
                no signed requests with that method.
        """
        if http_method is not None:
            http_method = check_method(http_method)
        learned = self._learn(operation)
        signer = learned.signer
        if type(expires) is not int:
            expires = int(expires)
        query: Optional[Dict[str, str]] = None
        headers: Optional[Dict[str, str]] = None
        if params or signer is None or not key:
            placed = _place(learned, key, params or {})
            if placed is None:
                return self._ask_botocore(
                    learned,
                    operation,
                    {**(params or {}), "Bucket": self.bucket, "Key": key},
                    expires=expires,
                    http_method=http_method,
                    stable_for=stable_for,
                )
            query, headers = placed
            if signer is None:
                tail = f"?{urlencode(query, quote_via=quote, safe='-_.~')}" if query else ""
                return f"{learned.unsigned}{quote(key, safe='/~')}{tail}"
        return signer.sign_query(
            http_method or learned.method,
            key,
            params=query,
            headers=headers,
            expires=expires,
            stable_for=stable_for,
            now=now,
        )

    def can_sign(
        self, operation: str, key: str, params: Optional[Mapping[str, Any]] = None
    ) -> bool:
        """Return whether :meth:`url` makes this URL itself; if not, botocore makes it.

        Example:
            >>> import boto3
            >>> client = boto3.client(
            ...     "s3", region_name="eu-central-1",
            ...     aws_access_key_id="key", aws_secret_access_key="secret",
            ... )
            >>> UrlSigner(client, "acme").can_sign("get_object", "a", {"SSECustomerKey": "k"})
            False
        """
        return _place(self._learn(operation), key, params or {}) is not None

    def query_signer(self) -> Optional[QuerySigner]:
        """Return the signer of this bucket for direct requests, ``None`` if botocore must sign.

        Do not keep it: it changes when S3 tells the client the true region of the bucket.
        """
        return self._learn("get_object").signer

    def fit_life(self, expires: int) -> int:
        """Return ``expires``, or the seconds until temporary credentials expire, if fewer.

        The first time it is shortened, a warning is logged.
        """
        credentials = credentials_of(self.client)
        rest = None if credentials is None else remaining_life(credentials, int(time()))
        if rest is None or expires <= rest:
            return expires
        if "life" not in self._warned:
            self._warned.add("life")
            warn_of_shorter_life(repr(self), expires, rest)
        return max(rest, 1)

    def _learn(self, operation: str) -> _Learned:
        learned = self._learned.get(operation)
        if (
            learned is not None
            # botocore replaces this object when a handler comes or goes,
            and handlers_version(self._emitter) is learned.handlers
            # and notes here to which region S3 redirected requests for a bucket.
            and self._redirects.get(self.bucket) == learned.region
        ):
            return learned
        method = OPERATIONS.get(operation, "")
        # Noted before we look, so that a change while we do makes us look again.
        handlers = handlers_version(self._emitter)
        plain = bool(method) and not _is_special_bucket(self.bucket)
        plain = plain and self._has_only_own_handlers(operation)
        region = self._redirects.get(self.bucket)
        learned = _Learned(method)
        if plain:
            for _attempt in range(2):  # credentials may be refreshed between two signatures
                learned = self._probe(operation, method)
                if learned.signer is not None or not learned.is_v4:
                    break
        learned = replace(learned, handlers=handlers, region=region)
        self._learned[operation] = learned
        return learned

    def _probe(self, operation: str, method: str) -> _Learned:
        probe = self.client.generate_presigned_url(
            operation, Params={"Bucket": self.bucket, "Key": _PROBE_KEY}, ExpiresIn=1
        )
        address, _, query = probe.partition("?")
        quoted = quote(_PROBE_KEY, safe="/~")
        if not address.endswith(quoted):
            return _Learned(method)
        before_key = address[: -len(quoted)]
        in_query, in_headers = self._known_parameters(operation)
        if not query:
            return _Learned(method, unsigned=before_key, in_query=in_query)
        fields = parse_qs(query)
        algorithm, scope, date = (
            fields.get(f"X-Amz-{name}", [""])[0] for name in ("Algorithm", "Credential", "Date")
        )
        credentials = credentials_of(self.client)
        if algorithm != "AWS4-HMAC-SHA256" or credentials is None:
            return _Learned(method, is_v4=algorithm.startswith("AWS4"))
        parts = urlsplit(before_key)
        route = Route(
            origin=f"{parts.scheme}://{parts.netloc}",
            path=parts.path,
            host=_host_header(parts),
            region=scope.split("/")[-3],
        )
        signer = self._signers.setdefault(route, QuerySigner(route, credentials))
        started = timegm(strptime(date, "%Y%m%dT%H%M%SZ"))
        if signer.sign_query(method, _PROBE_KEY, expires=1, now=started) != probe:
            return _Learned(method, is_v4=True)
        return _Learned(method, is_v4=True, signer=signer, in_query=in_query, in_headers=in_headers)

    def _has_only_own_handlers(self, operation: str) -> bool:
        camel = operation.title().replace("_", "")
        handlers = handlers_of(self._emitter, [event + camel for event in _EVENTS])
        if handlers is None:
            logger.debug("This botocore does not show its handlers; it signs all URLs itself.")
            return False
        redirects = redirects_of(handlers)
        if redirects is not None:
            self._redirects = redirects
        return all(map(_is_botocores, handlers))

    def _known_parameters(self, operation: str) -> Tuple[Dict[str, str], Dict[str, str]]:
        camel = operation.title().replace("_", "")
        shape = self.client.meta.service_model.operation_model(camel).input_shape
        places: List[Dict[str, str]] = []
        for location, names in (("querystring", _QUERY_PARAMETERS), ("header", _HEADER_PARAMETERS)):
            wanted = {name: {"location": location, "name": names[name]} for name in names}
            places.append(
                {
                    name: names[name]
                    for name, place in wanted.items()
                    if name in shape.members
                    and place.items() <= shape.members[name].serialization.items()
                }
            )
        return places[0], places[1]

    def _ask_botocore(
        self,
        learned: _Learned,
        operation: str,
        params: Dict[str, Any],
        *,
        expires: int,
        http_method: Optional[str],
        stable_for: int,
    ) -> str:
        if learned.is_v4:
            check_life(expires, stable_for)
        if learned.unsigned is None:
            if stable_for and "stable" not in self._warned:
                self._warned.add("stable")
                logger.warning(
                    "%r has some URLs signed by botocore, which cannot keep them the same: "
                    "url_stable_for has no effect on those. It needs signature_version='s3v4' "
                    "and ordinary parameters.",
                    self,
                )
            expires = self.fit_life(expires)
        url: str = self.client.generate_presigned_url(
            operation,
            Params=params,
            ExpiresIn=expires,
            HttpMethod=http_method,
        )
        return url


def _place(
    learned: _Learned, key: str, params: Mapping[str, Any]
) -> Optional[Tuple[Dict[str, str], Dict[str, str]]]:
    """Return query and headers by the names sent to S3, or ``None`` if botocore must sign."""
    if (learned.signer is None and learned.unsigned is None) or not (key and isinstance(key, str)):
        return None
    query, headers = {}, {}
    for name, value in params.items():
        if type(value) is int and name in _NUMBERS:
            text = str(value)
        elif isinstance(value, str) and name not in _NUMBERS:
            text = value
        else:
            return None
        if name in learned.in_query:
            query[learned.in_query[name]] = text
        elif name in learned.in_headers and _is_plain_header(text):
            headers[learned.in_headers[name]] = text
        else:
            return None
    return query, headers


def _is_botocores(handler: Any) -> bool:
    module = getattr(handler, "__module__", None) or ""
    return module.partition(".")[0] in ("boto3", "botocore", "s3transfer")


def _host_header(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is None or (parts.scheme, parts.port) in (("http", 80), ("https", 443)):
        return host
    return f"{host}:{parts.port}"
