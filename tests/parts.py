"""Sends parts of uploads to where their URLs lead, as a browser does."""

from __future__ import annotations

import base64
import http.client
from hashlib import sha256
from typing import Any, Dict, Optional
from urllib.parse import unquote, urlsplit

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import RequestFactory

from smart_storages.local.views import serve

__all__ = ["digest_of", "send_part", "upload_parts"]

#: Where the view is expected if the URLconf does not have it.
_PREFIX = "/buckets/"


def digest_of(body: bytes) -> str:
    """The SHA-256 of some bytes as a browser's script has it: in base64."""
    return base64.b64encode(sha256(body).digest()).decode()


def send_part(
    signed: Dict[str, Any], body: bytes, url: Optional[str] = None, **headers: str
) -> int:
    """Send a part, neither followed, retried nor tidied; return the status of the answer."""
    sent = {**signed["headers"], **{k.replace("_", "-"): v for k, v in headers.items()}}
    address = url or signed["url"]
    if address.startswith(_PREFIX):
        return _send_to_view(address, body, sent)
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request(signed["method"], f"{parts.path}?{parts.query}", body, sent)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _send_to_view(address: str, body: bytes, headers: Dict[str, str]) -> int:
    named = {f"HTTP_{name.upper().replace('-', '_')}": each for name, each in headers.items()}
    named["CONTENT_LENGTH"] = str(len(body))  # left out by Django of an empty body, by no browser
    request = RequestFactory().put(address, body, "application/octet-stream", **named)  # type: ignore[arg-type]
    bucket, _, key = unquote(urlsplit(address).path)[len(_PREFIX) :].partition("/")
    try:
        return int(serve(request, bucket, key).status_code)
    except PermissionDenied:
        return 403
    except Http404:
        return 404


def upload_parts(storage: Any, name: str, *bodies: bytes, content_type: str = "text/plain") -> str:
    """Begin an upload and send its parts; return its identifier."""
    upload_id = storage.create_multipart_upload(name, content_type=content_type)
    for number, body in enumerate(bodies, start=1):
        signed = storage.presigned_part(name, upload_id, number, size=len(body))
        assert send_part(signed, body) in (200, 201)
    return str(upload_id)
