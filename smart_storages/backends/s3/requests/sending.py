"""The requests that write: sent directly where the result is the same, else by botocore's client.

botocore's own serializer and parser turn parameters into a request and an answer into a dict, so
both are the same as with the client; only the layers between them are left out. Where the client
has handlers of other packages, a proxy or a customer key, it sends the request: see
:mod:`smart_storages.backends.s3.clients.direct`.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Dict, Optional, Tuple
from urllib.parse import quote
from xml.parsers.expat import ExpatError, ParserCreate

from botocore import xform_name
from botocore.awsrequest import HeadersDict
from botocore.compat import MD5_AVAILABLE, get_md5
from botocore.exceptions import ClientError, SSLError
from botocore.parsers import ResponseParserFactory
from botocore.serialize import create_serializer

from smart_storages.backends.s3.clients.direct import (
    WRITES,
    BucketRoute,
    DirectClient,
    direct_client_of,
)
from smart_storages.backends.s3.errors.results import lacks_result, missing_result_error
from smart_storages.backends.s3.requests.bodies import Body, pieces_of, size_of
from smart_storages.backends.s3.requests.exchange import (
    EXCHANGE_ERRORS,
    NotCarriedError,
    Response,
    exchange,
    is_one_line,
)
from smart_storages.backends.s3.requests.retries import RETRIED, attempts_of, pause
from smart_storages.backends.s3.requests.serialization import operation_of
from smart_storages.backends.s3.requests.timestamps import read_timestamp
from smart_storages.backends.s3.signing.header_sigv4 import EMPTY_PAYLOAD, UNSIGNED_PAYLOAD
from smart_storages.common import on_loop, recording

__all__ = ["send"]

_serializer = create_serializer("rest-xml", include_validation=False)
_parsers = ResponseParserFactory()
# botocore's own parser of times takes three quarters of the time of a listing.
_parsers.set_parser_defaults(timestamp_parser=read_timestamp)
_parser = _parsers.create_parser("rest-xml")

_OK, _FIRST_REDIRECT, _FIRST_ERROR, _BAD_REQUEST = 200, 300, 400, 400
# The whole answer to a copy, as every server writes it. There are as many answers as objects, and
# botocore's parser takes a third of what a copy takes here. Any other goes to that parser.
_read_copied = re.compile(
    rb"(?:<\?xml[^<>]*\?>)?\s*<CopyObjectResult[^<>]*>\s*"
    rb"(?:<LastModified>[^<>]*</LastModified>\s*)?"
    rb"<ETag>(?:&quot;|\")?([\w-]+)(?:&quot;|\")?</ETag>\s*"
    rb"(?:<LastModified>[^<>]*</LastModified>\s*)?"
    rb"</CopyObjectResult>\s*"
).fullmatch
_MAX_ANSWER = 8 * 1024**2

# botocore computes headers of these, or gives them a form of its own.
_UNSUPPORTED = ("Checksum", "ContentLength", "CopySource", "SSECustomer")
_PLAIN = {
    ("CopyObject", "CopySource"),
    ("CopyObject", "CopySourceIfMatch"),
    ("CreateMultipartUpload", "ChecksumAlgorithm"),
}


@dataclass(frozen=True)
class _SerializedRequest:
    """One request as botocore's serializer writes it, with the body kept apart."""

    operation: str
    method: str
    path: str
    query: str
    headers: Dict[str, str]
    body: Optional[Body]


def send(
    client: Any,
    operation: str,
    *,
    Bucket: str,  # noqa: N803 - boto3's name
    Body: Optional[Body] = None,  # noqa: N803
    checksum: Optional[str] = None,
    **params: Any,
) -> Dict[str, Any]:
    """Send one request that writes or lists, and return its answer as boto3 would.

    Args:
        client: boto3's client for the bucket.
        operation: AWS's name of the operation, ``"PutObject"``.
        Bucket: Name of the bucket.
        Body: What is stored: bytes, or a file that is sent from its beginning.
        checksum: How the server verifies the body: ``"md5"``, or an algorithm of S3 (``"CRC32"``).
            MD5 is left out where the signature covers the body: it would add nothing.
        params: All other parameters by boto3's names.

    Returns:
        The answer; of a copy the ETag alone.

    Raises:
        ClientError, BotoCoreError: what the client would have raised.

    Example::

        send(client, "PutObject", Bucket="acme", Key="a.txt", Body=b"text", checksum="md5")
    """
    direct = direct_client_of(client)
    route = direct.route(Bucket) if _is_supported(operation, params, checksum) else None
    answer = None
    if route is not None:
        request = _serialize(client, operation, route, {**params, "Bucket": Bucket}, Body)
        if request is not None:
            arguments = (client, direct, route, request, checksum)
            if recording.observers:
                watched = recording.observed(operation, Bucket, params)
                answer = watched(_send_directly, *arguments)
            else:
                answer = _send_directly(*arguments)
            if answer is None:
                direct.forget(Bucket)
    if answer is None:
        by_name = {**params, "Bucket": Bucket}
        answer = _send_by_client(client, operation, by_name, Body, checksum)
    if Body is not None and recording.current() is not None:
        recording.count_bytes(size_of(Body))
    return answer


def _send_by_client(
    client: Any,
    operation: str,
    params: Dict[str, Any],
    body: Optional[Body],
    checksum: Optional[str],
) -> Dict[str, Any]:
    if body is not None:
        params["Body"] = body
        params.update(checksum_parameters(body, checksum))
        if not isinstance(body, (bytes, bytearray, memoryview)):
            body.seek(0)  # it was read for the checksum, and botocore sends what is left of it
    call = partial(getattr(client, xform_name(operation)), **params)
    answer: Dict[str, Any] = on_loop.run_blocking(call)
    return answer


def checksum_parameters(body: Body, checksum: Optional[str]) -> Dict[str, str]:
    """Return the parameters that make botocore let the server verify a body."""
    if checksum is None:
        return {}
    if checksum != "md5":
        return {"ChecksumAlgorithm": checksum}
    if not MD5_AVAILABLE:  # a FIPS build of Python
        return {}
    return {"ContentMD5": b64encode(_digest(get_md5(), body).digest()).decode("ascii")}


def _is_supported(operation: str, params: Dict[str, Any], checksum: Optional[str]) -> bool:
    if operation not in WRITES or checksum not in (None, "md5", "CRC32"):
        return False
    if (checksum == "md5" or operation == "DeleteObjects") and not MD5_AVAILABLE:
        return False
    if not _names_a_key(params.get("CopySource", {"Bucket": "", "Key": ""})):
        return False
    return not any(
        name.startswith(_UNSUPPORTED) and (operation, name) not in _PLAIN for name in params
    )


def _names_a_key(source: Any) -> bool:
    # An access point has a path of its own, which botocore makes.
    is_plain = isinstance(source, dict) and source.keys() == {"Bucket", "Key"}
    return is_plain and not source["Bucket"].startswith("arn:")


def _serialize(
    client: Any, operation: str, route: BucketRoute, params: Dict[str, Any], body: Optional[Body]
) -> Optional[_SerializedRequest]:
    """Return the request, ``None`` if it must go to the client, whose errors explain mistakes."""
    known = operation_of(client, operation)
    if not params.keys() <= known.members or not params.get("Key", True):
        return None
    if "CopySource" in params:
        source = params["CopySource"]
        path = quote(f"{source['Bucket']}/{source['Key']}", safe="/-_.~")
        params = {**params, "CopySource": path}
    content: Any = b""
    made = known.serialize(params)
    if made is None:
        try:
            by_botocore = _serializer.serialize_to_request(params, known.model)
            made = by_botocore["headers"], by_botocore["query_string"]
            content = by_botocore["body"]
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
    try:
        headers = {name: value.strip() for name, value in made[0].items()}
    except AttributeError:
        return None
    if not all(text.isascii() and is_one_line(text) for pair in headers.items() for text in pair):
        return None
    # The path is not taken from the serializer: botocore removes the bucket from its URI templates.
    key = quote(params.get("Key", ""), safe="/~")
    name, _, value = known.subresource.partition("=")
    query = {**({name: value} if name else {}), **made[1]}
    pairs = sorted((_quote(name), _quote(str(value))) for name, value in query.items())
    return _SerializedRequest(
        operation=operation,
        method=known.method,
        path=f"{route.before_key}{key}" if key else route.before_key.rstrip("/") or "/",
        query="&".join(f"{name}={value}" for name, value in pairs),
        headers=headers,
        # A POST needs a Content-Length even when it is empty.
        body=body if body is not None else content or (b"" if known.method == "POST" else None),
    )


def _quote(text: str) -> str:
    return quote(text, safe="-_.~")


def _send_directly(
    client: Any,
    direct: DirectClient,
    route: BucketRoute,
    request: _SerializedRequest,
    checksum: Optional[str],
) -> Optional[Dict[str, Any]]:
    """Send a request, with retries; return ``None`` if the client has to send it instead."""
    headers = {**request.headers}
    payload = _protect(client, route, request, checksum, headers)
    plain = {"Host": route.host, "User-Agent": direct.user_agent}
    failures = 0
    while True:
        try:
            response = _sign_and_exchange(route, request, headers, payload, plain)
            text = response.read_all(_MAX_ANSWER)
        except EXCHANGE_ERRORS as broken:
            error: BaseException = broken
            is_final = isinstance(broken, SSLError)
        except NotCarriedError:
            return None  # botocore says what is wrong with it
        else:
            status = response.status
            if _FIRST_REDIRECT <= status < _FIRST_ERROR or status == _BAD_REQUEST:
                recording.count_retry()
                return None  # another region, or a signature that S3 wants otherwise
            answer, is_error = _parse(client, request.operation, response, text, failures)
            if not is_error:
                return answer
            error = ClientError(answer, request.operation)  # type: ignore[arg-type]
            is_final = answer["ResponseMetadata"]["HTTPStatusCode"] not in RETRIED
        failures += 1
        if is_final or failures >= attempts_of(client):
            raise error
        pause(failures, error)


def _sign_and_exchange(
    route: BucketRoute,
    request: _SerializedRequest,
    headers: Dict[str, str],
    payload: str,
    plain: Dict[str, str],
) -> Response:
    # Apart from what raises errors, whose frame Django's debug page shows: a token is in here.
    signed: Dict[str, str] = {}
    if route.header_signer is not None:
        signed = route.header_signer.sign(
            request.method, request.path, headers, query=request.query, payload=payload
        )
    target = f"{request.path}?{request.query}" if request.query else request.path
    return exchange(
        route.pool, request.method, target, {**plain, **headers, **signed}, request.body
    )


def _protect(
    client: Any,
    route: BucketRoute,
    request: _SerializedRequest,
    checksum: Optional[str],
    headers: Dict[str, str],
) -> str:
    """Add headers with which the server verifies the body; return the payload hash to sign."""
    if request.body is None:
        return EMPTY_PAYLOAD
    chosen = (client.meta.config.s3 or {}).get("payload_signing_enabled")
    # Over plain HTTP the signature covers the body: an attacker in between could change a CRC too.
    is_signed = chosen if chosen is not None else not route.is_secure
    if checksum == "CRC32":
        total = 0
        for piece in pieces_of(request.body):
            total = zlib.crc32(piece, total)
        headers["x-amz-checksum-crc32"] = b64encode(total.to_bytes(4, "big")).decode("ascii")
        headers["x-amz-sdk-checksum-algorithm"] = "CRC32"
    elif checksum == "md5" and not is_signed:
        digest = _digest(get_md5(), request.body).digest()
        headers["Content-MD5"] = b64encode(digest).decode("ascii")
    if request.operation == "DeleteObjects":  # S3 requires it, even where the body is signed
        digest = _digest(get_md5(), request.body).digest()
        headers["Content-MD5"] = b64encode(digest).decode("ascii")
    if not is_signed and ("Content-MD5" in headers or "x-amz-checksum-crc32" in headers):
        return UNSIGNED_PAYLOAD
    return str(_digest(sha256(), request.body).hexdigest())


def _digest(digest: Any, body: Body) -> Any:
    for piece in pieces_of(body):
        digest.update(piece)
    return digest


def _parse(
    client: Any, operation: str, response: Any, text: bytes, retries: int
) -> Tuple[Dict[str, Any], bool]:
    """Return an answer as boto3's dict, and whether it is an error."""
    known = operation_of(client, operation)
    status = response.status
    copied = _read_copied(text) if operation == "CopyObject" and status == _OK else None
    if copied is not None:
        etag = f'"{copied[1].decode("ascii")}"'
        about = {
            "HTTPStatusCode": status,
            "HTTPHeaders": response.headers,
            "RetryAttempts": retries,
        }
        return {"CopyObjectResult": {"ETag": etag}, "ResponseMetadata": about}, False
    if status < _FIRST_REDIRECT and _is_error_document(text):
        # S3 may fail after it has sent a status of 200; botocore treats this as a 500 as well.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        status = 500
    is_plain = status < _FIRST_REDIRECT and not text
    answer = known.parse(status, response.headers) if is_plain else None
    try:
        if answer is None:
            headers = HeadersDict(response.headers)
            received = {"status_code": status, "headers": headers, "body": text}
            answer = dict(_parser.parse(received, known.model.output_shape))
    except ValueError:  # a header that is no number or date: nothing in it can be relied on
        answer = {"ResponseMetadata": {"HTTPHeaders": response.headers}}
        answer["Error"] = missing_result_error(operation)
        answer["ResponseMetadata"]["HTTPStatusCode"] = status = 500
    about = answer["ResponseMetadata"]
    about["RetryAttempts"] = retries
    if status < _FIRST_REDIRECT and lacks_result(operation, answer, text):
        answer["Error"] = missing_result_error(operation)
        about["HTTPStatusCode"] = status = 500
    return answer, status >= _FIRST_REDIRECT


def _is_error_document(text: bytes) -> bool:
    """Return whether the body of a successful answer is an error document, or was cut off."""
    if not text:
        return False
    roots = []
    parser = ParserCreate()
    parser.StartElementHandler = lambda name, _: roots.append(name) if not roots else None
    try:
        parser.Parse(text, True)
    except ExpatError:
        return True
    return roots[:1] == ["Error"]
