"""Uploads to Google Cloud Storage: one request, or a session that takes parts one after another.

An object appears when its last byte is there, and only if the condition holds then.
https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

from __future__ import annotations

import json
import re
import uuid
from base64 import b64encode
from contextlib import suppress
from typing import Any, Dict, Iterator, Mapping, Optional
from urllib.parse import quote

from botocore.compat import MD5_AVAILABLE, get_md5

from smart_storages.backends.gcs_errors import raise_for, strange_answer
from smart_storages.backends.gcs_requests import TRIES, Answer, GoogleConnection, path_of
from smart_storages.backends.pieces import JoinedContent, take_beginning
from smart_storages.backends.s3.requests.retries import pause
from smart_storages.exceptions import ContentMismatchError, S3Error

__all__ = ["PART", "upload"]

#: Content up to this size is one request; larger content is sent in parts of it.
PART = 8 * 1024**2

_kept_range = re.compile(r"bytes=0-(\d+)\Z").match
_DONE = (200, 201)
_INCOMPLETE = 308
#: What Google answers where there is no such session any more.
_GONE = (404, 410)
_WITHOUT_TYPE = "application/octet-stream"


def upload(
    connection: GoogleConnection,
    bucket: str,
    described: Dict[str, Any],
    chunks: Iterator[bytes],
    *,
    query: Mapping[str, Any],
    part: int = PART,
) -> Dict[str, Any]:
    """Write an object, whole or not at all, and return what Google says about it.

    Args:
        connection: Where to send it.
        bucket: Name of the bucket.
        described: The object's name, type, headers and metadata, as the JSON API names them.
        chunks: Its content.
        query: Parameters of the request, such as the condition.
        part: Size of the parts in bytes, a multiple of 262,144.

    Raises:
        FileExistsError: the condition does not hold.
        S3Error: the service refuses it, or does not answer.
    """
    beginning, is_whole = take_beginning(chunks, part)
    if is_whole:
        return _send_whole(connection, bucket, described, beginning, query)
    return _send_parts(connection, bucket, described, JoinedContent(beginning, chunks), query, part)


def _path(bucket: str) -> str:
    return f"/upload{path_of(bucket)}"


def _send_whole(
    connection: GoogleConnection,
    bucket: str,
    described: Dict[str, Any],
    content: bytes,
    query: Mapping[str, Any],
) -> Dict[str, Any]:
    digest = _digest_of(content)
    # Google compares it with the content, and keeps nothing if they differ.
    said = {**described, "md5Hash": digest} if digest else described
    boundary = uuid.uuid4().hex
    body = b"".join(
        (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
            json.dumps(said).encode(),
            f"\r\n--{boundary}\r\nContent-Type: {_type_of(described)}\r\n\r\n".encode(),
            content,
            f"\r\n--{boundary}--".encode(),
        )
    )
    try:
        answer = connection.send(
            "POST",
            _path(bucket),
            {"uploadType": "multipart", **query},
            headers={"Content-Type": f"multipart/related; boundary={boundary}"},
            body=body,
        )
    except FileNotFoundError:
        raise_for(404, b"", is_of_bucket=True)
    return answer.json()


def _send_parts(  # noqa: PLR0917
    connection: GoogleConnection,
    bucket: str,
    described: Dict[str, Any],
    content: JoinedContent,
    query: Mapping[str, Any],
    part: int,
) -> Dict[str, Any]:
    session = _Session(connection, _begin(connection, bucket, described, query))
    digest = get_md5() if MD5_AVAILABLE else None
    try:
        piece = content.read(part)
        while True:
            # Only the last part says how many bytes there are.
            following = content.read(part)
            if digest is not None:
                digest.update(piece)
            answer = session.put(piece, is_last=not following)
            if answer is not None:
                break
            piece = following
    except FileExistsError:
        raise  # which ended the session too
    except BaseException:
        session.cancel()
        raise
    found = answer.json()
    if digest is not None and "md5Hash" in found:
        _compare(connection, bucket, found, b64encode(digest.digest()).decode())
    return found


def _begin(
    connection: GoogleConnection,
    bucket: str,
    described: Dict[str, Any],
    query: Mapping[str, Any],
) -> str:
    try:
        answer = connection.send(
            "POST",
            _path(bucket),
            {"uploadType": "resumable", "name": described["name"], **query},
            headers={
                "Content-Type": "application/json; charset=UTF-8",
                "X-Upload-Content-Type": _type_of(described),
            },
            body=json.dumps(described).encode(),
        )
    except FileNotFoundError:
        raise_for(404, b"", is_of_bucket=True)
    if not answer.headers.get("Location"):
        raise strange_answer()
    return answer.headers["Location"]


def _type_of(described: Mapping[str, Any]) -> str:
    # In ASCII: it becomes a header, and the type itself is in the description.
    return quote(str(described.get("contentType", _WITHOUT_TYPE)), safe="!#$&'*+-./:;=? \"^_`|~()")


def _digest_of(content: bytes) -> Optional[str]:
    return b64encode(get_md5(content).digest()).decode() if MD5_AVAILABLE else None


def _compare(
    connection: GoogleConnection, bucket: str, found: Mapping[str, Any], digest: str
) -> None:
    if found["md5Hash"] == digest:
        return
    with suppress(OSError):
        # No other version: another writer may have replaced it since.
        query = {"generation": found["generation"]}
        connection.send("DELETE", path_of(bucket, found["name"]), query, accepts=(200, 204))
    raise ContentMismatchError("Google has kept other bytes than were sent. Save the file again.")


class _Session:
    """One resumable upload: what Google has kept of it, and the rest sent until it has all."""

    def __init__(self, connection: GoogleConnection, url: str) -> None:
        self._connection = connection
        self._url = url
        self._kept = 0
        self._is_doubtful = False

    def put(self, piece: bytes, *, is_last: bool) -> Optional[Answer]:
        """Send a part until Google has kept it; return the answer that ends the upload."""
        start = self._kept
        end = start + len(piece)
        total = str(end) if is_last else "*"
        failures = 0
        # After an answer that is lost: it may have kept a part of what was sent, or all of it.
        asks = False
        while True:
            answer = self._send(piece[self._kept - start :], total, asks=asks)
            if answer.is_temporary:
                asks = self._is_doubtful = True
                failures += 1
                if failures == TRIES:
                    raise_for(answer.status, answer.content)
                pause(failures)
                continue
            if answer.status in _DONE and is_last:
                return answer
            if answer.status != _INCOMPLETE:
                self._refuse(answer)
            kept = self._read_kept(answer, end)
            failures = 0 if kept > self._kept else failures + (not asks)
            if failures == TRIES:
                raise S3Error("Google takes no more of the upload. Try again.", code="Stalled")
            self._kept = kept
            asks = False
            if kept == end and not is_last:
                return None

    def _send(self, rest: bytes, total: str, *, asks: bool) -> Answer:
        body = b"" if asks else rest
        span = f"{self._kept}-{self._kept + len(body) - 1}" if body else "*"
        headers = {"Content-Range": f"bytes {span}/{total}"}
        return self._connection.attempt("PUT", self._url, headers=headers, body=body)

    def _read_kept(self, answer: Answer, end: int) -> int:
        match = _kept_range(answer.headers.get("Range", ""))
        kept = int(match.group(1)) + 1 if match else 0
        if not self._kept <= kept <= end:
            raise S3Error("Google lost a part of the upload. Save the file again.", code="Lost")
        return kept

    def _refuse(self, answer: Answer) -> None:
        if answer.status in _GONE:
            raise S3Error(
                "Google ended the upload before its end. Save the file again.",
                status=answer.status,
                code="UploadGone",
            )
        raise_for(answer.status, answer.content, is_doubtful=self._is_doubtful)

    def cancel(self) -> None:
        """Let Google forget what it has kept; it does so after a week in any case."""
        with suppress(OSError):
            self._connection.attempt("DELETE", self._url)
