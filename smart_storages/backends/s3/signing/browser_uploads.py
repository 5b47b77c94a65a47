"""Uploads straight from a browser to the bucket, limited to one key, one type and a size.

What S3 checks differs by method. A POST has a policy, and S3 checks the size against a range. A PUT
has signed headers, and S3 has no range of sizes there: its size must be exact.

- POST: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
- PUT: https://docs.aws.amazon.com/AmazonS3/latest/userguide/PresignedUrlUploadObject.html
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional
from urllib.parse import parse_qs, urlsplit

from botocore import xform_name

from smart_storages.backends.s3.signing.presigned_urls import UrlSigner
from smart_storages.backends.s3.signing.sigv4 import check_life
from smart_storages.common.parts import as_hex_digest
from smart_storages.exceptions import ConfigurationError

__all__ = ["check_size", "check_text", "presigned_part", "presigned_post", "presigned_put"]

# S3 replaces it with the name of the user's file, so the key would not be fixed.
_FILE_NAME = "${filename}"

_RESERVED_FIELDS = {
    "awsaccesskeyid",
    "bucket",
    "content-type",
    "file",
    "key",
    "policy",
    "signature",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signature",
}

_is_header_value = re.compile(r"[!-~]+(?: [!-~]+)*").fullmatch


def presigned_post(
    signer: UrlSigner,
    key: str,
    *,
    max_size: int,
    content_type: str,
    expires: int = 3600,
    min_size: int = 0,
    fields: Optional[Mapping[str, str]] = None,
) -> Dict[str, Any]:
    """Allow one form upload to one key.

    Args:
        signer: The signer of the bucket; its client signs.
        key: Complete key of the new object.
        max_size: Largest size of the file in bytes; S3 refuses a larger one.
        content_type: The only type that the form may send. S3 compares the text; it does not look
            into the file.
        expires: Seconds for which the form can be used, at most 604,800; fewer if temporary
            credentials expire earlier.
        min_size: Smallest size of the file in bytes.
        fields: More form fields, each fixed to its value (``{"Cache-Control": "no-store"}``,
            ``{"success_action_status": "201"}``).

    Returns:
        ``{"url": ..., "method": "POST", "fields": {...}}``, ready for JSON. The browser sends
        the fields as ``multipart/form-data``, and the file as the last one, named ``file``.

    Raises:
        ValueError: a size, ``expires``, the type, a field or the key cannot be signed.

    Example:
        >>> import boto3
        >>> client = boto3.client(
        ...     "s3", region_name="eu-central-1",
        ...     aws_access_key_id="key", aws_secret_access_key="secret",
        ... )
        >>> form = presigned_post(UrlSigner(client, "acme"), "avatars/7.png",
        ...                       max_size=1_000_000, content_type="image/png")
        >>> form["fields"]["key"], form["fields"]["Content-Type"]
        ('avatars/7.png', 'image/png')
    """
    check_size("max_size", max_size)
    check_size("min_size", min_size)
    if min_size > max_size:
        raise ValueError(f"min_size={min_size} is more than max_size={max_size}.")
    if not key or _FILE_NAME in key:
        raise ValueError(f"Key {key!r} cannot be signed: it is empty or contains {_FILE_NAME}.")
    check_life(expires, 0)
    bound = {"Content-Type": check_text("content_type", content_type)}
    for name, value in (fields or {}).items():
        if name.lower() in _RESERVED_FIELDS:
            raise ValueError(f"Form field {name!r} is set by presigned_post itself; leave it out.")
        bound[name] = value
    conditions: List[Any] = [{name: value} for name, value in bound.items()]
    conditions.append(["content-length-range", min_size, max_size])
    form = signer.client.generate_presigned_post(
        Bucket=signer.bucket,
        Key=key,
        Fields=bound,
        Conditions=conditions,
        ExpiresIn=signer.fit_life(expires),
    )
    return {"url": form["url"], "method": "POST", "fields": form["fields"]}


def presigned_put(
    signer: UrlSigner,
    key: str,
    *,
    size: int,
    content_type: str,
    expires: int = 3600,
    overwrite: bool = True,
    params: Optional[Mapping[str, Any]] = None,
    now: Optional[float] = None,
) -> Dict[str, Any]:
    """Allow one PUT of exactly ``size`` bytes to one key.

    A PUT has no upper limit of size, only the exact size that is signed. Ask the browser for
    ``file.size`` first, compare it with your limit, and sign that number. Use
    :func:`presigned_post` for a range.

    Args:
        signer: The signer of the bucket; it must sign with SigV4.
        key: Complete key of the new object.
        size: Exact size of the body in bytes.
        content_type: Type that the request must send, letter by letter.
        expires: Seconds for which the URL can be used, at most 604,800; fewer if temporary
            credentials expire earlier.
        overwrite: ``False`` makes S3 refuse a key that exists, if the server honours
            ``If-None-Match``.
        params: More parameters of boto3's ``put_object`` that become headers
            (``{"CacheControl": "no-store", "Metadata": {"owner": "7"}}``); these are signed too.
        now: Seconds since the epoch, the clock if ``None``.

    Returns:
        ``{"url": ..., "method": "PUT", "headers": {...}}``, ready for JSON. ``Content-Length``
        is not among the headers: every HTTP client sets it, and browsers let no script set it.

    Raises:
        ValueError: the size, ``expires``, the type or a parameter cannot be signed.
        ConfigurationError: the client signs with something older than SigV4, or not at all;
            such a URL would allow any size and type.

    Example:
        >>> import boto3
        >>> client = boto3.client(
        ...     "s3", region_name="eu-central-1",
        ...     aws_access_key_id="key", aws_secret_access_key="secret",
        ... )
        >>> put = presigned_put(UrlSigner(client, "acme"), "avatars/7.png",
        ...                     size=51_200, content_type="image/png")
        >>> put["method"], put["headers"]
        ('PUT', {'Content-Type': 'image/png'})
    """
    check_size("size", size)
    asked: Dict[str, Any] = {"ContentType": content_type, "ContentLength": size}
    if not overwrite:
        asked["IfNoneMatch"] = "*"
    for name, value in (params or {}).items():
        if name in ("Body", "Bucket", "ContentLength", "ContentType", "Key"):
            raise ValueError(f"Parameter {name!r} is set by presigned_put itself; leave it out.")
        asked[name] = value
    headers = _headers_of(signer, "PutObject", asked)
    url = signer.url("put_object", key, asked, expires=expires, now=now)
    _require_signed(signer, url, headers)
    del headers["Content-Length"]
    return {"url": url, "method": "PUT", "headers": headers}


def presigned_part(
    signer: UrlSigner,
    key: str,
    upload_id: str,
    number: int,
    *,
    size: int,
    sha256: Optional[str] = None,
    expires: int = 3600,
    params: Optional[Mapping[str, Any]] = None,
    now: Optional[float] = None,
) -> Dict[str, Any]:
    """Allow one PUT of one part of an upload.

    Args:
        signer: The signer of the bucket; it must sign with SigV4.
        key: Complete key of the new object.
        upload_id: The identifier of the upload.
        number: Number of the part, from 1.
        size: Exact size of the part in bytes.
        sha256: The SHA-256 of the part, in base64 or hexadecimal digits; S3 refuses another part.
        expires: As for :func:`presigned_put`.
        params: More parameters of boto3's ``upload_part`` that become headers.
        now: As for :func:`presigned_put`.

    Returns:
        As :func:`presigned_put`.

    Raises:
        ValueError: the size, the digest, ``expires`` or a parameter cannot be signed.
        ConfigurationError: the client signs with something older than SigV4, or not at all; or
            only botocore can sign for the bucket, which signs no digest.

    Example:
        >>> import boto3
        >>> client = boto3.client(
        ...     "s3", region_name="eu-central-1",
        ...     aws_access_key_id="key", aws_secret_access_key="secret",
        ... )
        >>> part = presigned_part(UrlSigner(client, "acme"), "film.mp4", "2~abc", 1, size=5,
        ...                       sha256="LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")
        >>> part["headers"]["x-amz-content-sha256"][:8]
        '2cf24dba'

    Source: the digest is signed as botocore signs that of any body,
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
    """
    check_size("size", size)
    headers = _headers_of(signer, "UploadPart", {**(params or {}), "ContentLength": size})
    bare = signer.query_signer()
    if bare is not None:
        if sha256 is not None:
            headers["x-amz-content-sha256"] = as_hex_digest(sha256)
        query = {"partNumber": str(number), "uploadId": upload_id}
        url = bare.sign_query("PUT", key, params=query, headers=headers, expires=expires, now=now)
    elif sha256 is not None:
        raise ConfigurationError(
            f"URLs of bucket {signer.bucket!r} are signed by botocore, which cannot sign the "
            "digest of a part. Leave sha256 out."
        )
    else:
        check_life(expires, 0)
        url = signer.client.generate_presigned_url(
            "upload_part",
            Params={
                **(params or {}),
                "Bucket": signer.bucket,
                "Key": key,
                "UploadId": upload_id,
                "PartNumber": number,
                "ContentLength": size,
            },
            ExpiresIn=signer.fit_life(expires),
        )
    _require_signed(signer, url, headers)
    del headers["Content-Length"]
    return {"url": url, "method": "PUT", "headers": headers}


def _require_signed(signer: UrlSigner, url: str, headers: Mapping[str, str]) -> None:
    signed = parse_qs(urlsplit(url).query).get("X-Amz-SignedHeaders", [""])[0].split(";")
    unbound = {name.lower() for name in headers} - set(signed)
    if unbound:
        raise ConfigurationError(
            f"The signature of a PUT URL of bucket {signer.bucket!r} would not cover "
            f"{', '.join(sorted(unbound))}. Set signature_version to 's3v4'."
        )


def _headers_of(signer: UrlSigner, operation: str, params: Mapping[str, Any]) -> Dict[str, str]:
    """Return the headers that botocore would send for these parameters of an operation."""
    shape = signer.client.meta.service_model.operation_model(operation).input_shape
    headers: Dict[str, str] = {}
    for name, value in params.items():
        member = shape.members.get(name)
        # botocore encodes a customer key when it sends it, and a browser should not have one.
        place = {} if member is None or "SSECustomer" in name else member.serialization
        if place.get("location") == "headers" and isinstance(value, Mapping):
            for each, text in value.items():
                headers[f"{place['name']}{each}".lower()] = check_text(name, text)
        elif place.get("location") == "header" and type(value) is int:
            headers[place["name"]] = str(value)
        elif place.get("location") == "header":
            headers[place["name"]] = check_text(name, value)
        else:
            raise ValueError(
                f"Parameter {name!r} of {xform_name(operation)} is not a header and cannot be "
                "signed."
            )
    return headers


def check_size(name: str, size: Any) -> None:
    """Raise a ``ValueError`` unless a size is one that can be signed."""
    if type(size) is not int or size < 0:
        raise ValueError(f"{name} must be a whole number of bytes, 0 or more, not {size!r}.")


def check_text(name: str, value: Any) -> str:
    """Return a text that is the same in a form, a header and a signature, or raise."""
    # Forms, headers and signatures treat quotes, spaces and line breaks differently.
    if not isinstance(value, str) or not _is_header_value(value):
        raise ValueError(f"{name} must be text of printable ASCII without double spaces.")
    return value
