"""A view's answer with a file: of every kind of storage, to every kind of request."""

from __future__ import annotations

import gzip
from datetime import datetime, timezone
from typing import Any, Callable, List
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import urllib3
from asgiref.sync import async_to_sync
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.db import models
from django.db.models.fields.files import FieldFile
from django.http import Http404
from django.utils.http import http_date

from smart_storages.backends.memory import isolated
from smart_storages.fallback import FallbackStorage
from smart_storages.queued import registry
from smart_storages.queued.backends import QueuedStorage
from smart_storages.serve import aserve_file, serve_file
from smart_storages.storages import SmartS3Storage
from tests.conftest import Bucket, methods
from tests.old_releases import needs_newer_moto
from tests.queued import broker
from tests.serve.storages import KINDS, body_of, make_request

BODY = bytes(range(256)) * 3_000  # three chunks
NAME = "films/a b é.mp4"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _alone(monkeypatch: Any) -> Any:
    monkeypatch.setattr(registry, "_storages", {})
    with isolated():
        yield


@pytest.fixture(params=KINDS)
def storage(request: Any, s3_settings: Any, tmp_path: Any) -> Any:
    return KINDS[request.param](tmp_path)


@pytest.fixture(params=[False, True], ids=["wsgi", "asgi"])
def send(request: Any) -> Callable[..., Any]:
    """Serves a file to a request of one kind, and reads the body as a server does."""

    def serve(verb: str = "GET", *, file: Any, headers: Any = None, **options: Any) -> Any:
        made = make_request(verb, is_async=request.param, **(headers or {}))
        if request.param:
            response = async_to_sync(aserve_file)(made, file, **options)
        else:
            response = serve_file(made, file, **options)
        response.body = body_of(response)
        response.close()
        return response

    return serve


# Streams


def test_a_stream_is_the_file_with_its_headers(storage: Any, send: Any) -> None:
    name = storage.save(NAME, ContentFile(BODY))
    response = send(file=name, storage=storage, method="stream")
    assert (response.status_code, response.body) == (200, BODY)
    assert response["Content-Type"] == "video/mp4"
    assert response["Content-Length"] == str(len(BODY))
    assert response["Content-Disposition"] == "inline; filename*=UTF-8''a%20b%20%C3%A9.mp4"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-cache"
    assert response["Accept-Ranges"] == "bytes"
    head = send("HEAD", file=name, storage=storage, method="stream")
    assert (head.status_code, head.body) == (200, b"")
    for header in ("Content-Length", "Content-Type", "ETag", "Last-Modified"):
        assert head[header] == response[header]
    post = send("POST", file=name, storage=storage, method="stream")
    assert (post.status_code, post["Allow"]) == (405, "GET, HEAD")


def test_ranges_and_conditions_hold_for_every_storage(storage: Any, send: Any) -> None:
    name, size = storage.save(NAME, ContentFile(BODY)), len(BODY)
    whole = send("HEAD", file=name, storage=storage, method="stream")
    etag, saved = whole["ETag"], whole["Last-Modified"]
    early = http_date(datetime(2001, 1, 1, tzinfo=timezone.utc).timestamp())
    table: List[Any] = [
        ({"Range": "bytes=0-9"}, 206, BODY[:10]),
        ({"Range": "bytes=0-"}, 206, BODY),
        ({"Range": "bytes=500000-"}, 206, BODY[500_000:]),
        ({"Range": "bytes=100-600000"}, 206, BODY[100:600_001]),
        ({"Range": "bytes=-7"}, 206, BODY[-7:]),
        ({"Range": f"bytes=0-{size * 2}"}, 206, BODY),
        ({"Range": f"bytes=-{size * 2}"}, 206, BODY),
        ({"Range": "bytes=9-2"}, 200, BODY),
        ({"Range": "bytes=-"}, 200, BODY),
        ({"Range": "bytes=0-1,5-6"}, 200, BODY),
        ({"Range": "lines=0-1"}, 200, BODY),
        ({"Range": f"bytes={size}-"}, 416, b""),
        ({"Range": "bytes=-0"}, 416, b""),
        ({"Range": "bytes=0-9", "If_Range": etag}, 206, BODY[:10]),
        ({"Range": "bytes=0-9", "If_Range": saved}, 206, BODY[:10]),
        ({"Range": "bytes=0-9", "If_Range": '"other"'}, 200, BODY),
        ({"Range": "bytes=0-9", "If_Range": f"W/{etag}"}, 200, BODY),
        ({"Range": "bytes=0-9", "If_Range": early}, 200, BODY),
        ({"If_None_Match": etag}, 304, b""),
        ({"If_None_Match": f'"x", W/{etag}'}, 304, b""),
        ({"If_None_Match": "*"}, 304, b""),
        ({"If_None_Match": '"other"'}, 200, BODY),
        ({"If_None_Match": '"other"', "If_Modified_Since": saved}, 200, BODY),
        ({"If_Modified_Since": saved}, 304, b""),
        ({"If_Modified_Since": early}, 200, BODY),
        ({"If_Match": etag}, 200, BODY),
        ({"If_Match": '"other"'}, 412, b""),
        ({"If_Unmodified_Since": early}, 412, b""),
        ({"If_Unmodified_Since": saved}, 200, BODY),
        ({"Range": "bytes=0-9", "If_None_Match": etag}, 304, b""),
    ]
    wrong = []
    for headers, status, body in table:
        response = send(file=name, storage=storage, method="stream", headers=headers)
        if (response.status_code, response.body) != (status, body):
            wrong.append((headers, response.status_code, len(response.body)))
        if status == 206:
            start = BODY.index(body) if headers["Range"][6] != "-" else size - len(body)
            expected = f"bytes {start}-{start + len(body) - 1}/{size}"
            if response["Content-Range"] != expected:
                start = int(headers["Range"][6:].partition("-")[0])
                expected = f"bytes {start}-{start + len(body) - 1}/{size}"
            assert response["Content-Range"] == expected
            assert response["Content-Length"] == str(len(body))
        if status == 416:
            assert response["Content-Range"] == f"bytes */{size}"
        if status in (200, 206, 304):
            assert response["ETag"] == etag
    assert wrong == []
    # HEAD has no ranges.
    head = send("HEAD", file=name, storage=storage, method="stream", headers={"Range": "bytes=0-9"})
    assert (head.status_code, head["Content-Length"]) == (200, str(size))


def test_an_empty_file_is_served(storage: Any, send: Any) -> None:
    name = storage.save("films/empty.bin", ContentFile(b""))
    response = send(file=name, storage=storage, method="stream")
    assert (response.status_code, response.body, response["Content-Length"]) == (200, b"", "0")
    ranged = send(file=name, storage=storage, method="stream", headers={"Range": "bytes=0-"})
    assert ranged.status_code == 416


def test_a_missing_file_is_404(storage: Any, send: Any) -> None:
    for headers in ({}, {"Range": "bytes=0-9"}, {"If_None_Match": '"x"'}):
        for verb in ("GET", "HEAD"):
            with pytest.raises(Http404):
                send(verb, file="films/no.mp4", storage=storage, method="stream", headers=headers)


def test_a_row_without_a_file_is_404(send: Any) -> None:
    for file, storage in (
        (None, None),
        ("", FileSystemStorage()),
        (FieldFile(None, models.FileField(), ""), None),  # type: ignore[arg-type]
    ):
        with pytest.raises(Http404):
            send(file=file, storage=storage)


def test_the_value_of_a_field_brings_its_storage(s3_settings: Any, send: Any) -> None:
    storage = SmartS3Storage("media")
    storage.save("a.pdf", ContentFile(b"%PDF"))
    file = FieldFile(None, models.FileField(storage=storage), "a.pdf")  # type: ignore[arg-type]
    assert send(file=file, method="stream").body == b"%PDF"
    # A file of that name in the storage would be another one.
    file._committed = False
    with pytest.raises(ValueError, match="is not saved yet"):
        send(file=file)
    with pytest.raises(ValueError, match="pass its storage"):
        send(file="a.pdf")


def test_an_argument_that_cannot_be_is_refused(s3_settings: Any, send: Any) -> None:
    storage = SmartS3Storage("media")
    for options, message in (
        ({"method": "proxy"}, "method must be one of redirect, stream"),
        ({"expire": 0}, "expire must be a number of seconds"),
        ({"expire": True}, "expire must be a number of seconds"),
        ({"expire": 604_801}, "expire must be a number of seconds"),
        ({"location": "protected/"}, "must begin and end with a slash"),
    ):
        with pytest.raises(ValueError, match=message):
            send(file="a.pdf", storage=storage, **options)


@pytest.mark.parametrize("method", [None, "redirect", "stream", "x-accel-redirect", "x-sendfile"])
@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "..", "."])
def test_a_name_that_leads_elsewhere_is_refused(
    tmp_path: Any, send: Any, method: Any, name: str
) -> None:
    disk = FileSystemStorage(tmp_path / "media", base_url="/media/")
    with pytest.raises(SuspiciousFileOperation):
        send(file=name, storage=disk, method=method)


def test_what_a_browser_would_run_is_saved(storage: Any, send: Any) -> None:
    html = b"<script>alert(document.cookie)</script>"
    for name, kind in (
        ("films/a.html", "application/octet-stream"),
        ("films/a.xml", "application/octet-stream"),
        ("films/a.svg", "image/svg+xml"),
    ):
        upload = ContentFile(html, name=name)
        saved = storage.save(name, upload)
        response = send(file=saved, storage=storage, method="stream")
        assert response["Content-Type"] == kind
        assert response["Content-Disposition"].startswith("attachment; filename=")
        assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert response["X-Content-Type-Options"] == "nosniff"


def test_a_type_that_lies_about_its_name_is_not_run(s3_settings: Any, send: Any) -> None:
    storage = SmartS3Storage("media")
    upload = ContentFile(b"<script>alert(1)</script>", name="a.png")
    upload.content_type = "text/html"  # type: ignore[attr-defined]
    storage.save("a.png", upload)
    response = send(file="a.png", storage=storage, method="stream")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="a.png"'
    for asked in ({"content_type": "text/html"}, {"filename": "a.html"}):
        response = send(file="a.png", storage=storage, method="stream", **asked)
        assert response["Content-Type"] == "application/octet-stream"
        assert response["Content-Disposition"].startswith("attachment")


def test_a_file_name_of_ones_own(s3_settings: Any, send: Any) -> None:
    storage = SmartS3Storage("media")
    storage.save("7f3a.pdf", ContentFile(b"%PDF"))
    table: List[Any] = [
        ({"download": True}, 'attachment; filename="7f3a.pdf"'),
        ({"filename": "July.pdf"}, 'inline; filename="July.pdf"'),
        ({"filename": "July.pdf", "download": True}, 'attachment; filename="July.pdf"'),
        ({"filename": "Überblick.pdf"}, "inline; filename*=UTF-8''%C3%9Cberblick.pdf"),
        ({"filename": 'a";\r\nX: y.pdf'}, "inline; filename*=UTF-8''a%22%3B%0D%0AX%3A%20y.pdf"),
        ({"filename": "../../x.pdf"}, 'inline; filename="x.pdf"'),
        ({"filename": "\ud800.pdf"}, "inline; filename*=UTF-8''%3F.pdf"),
    ]
    for options, disposition in table:
        response = send(file="7f3a.pdf", storage=storage, method="stream", **options)
        assert response["Content-Disposition"] == disposition, options
        assert response["Content-Type"] == "application/pdf"


def test_a_stored_disposition_and_language_are_sent(s3_settings: Any, send: Any) -> None:
    parameters = {
        "ContentDisposition": 'attachment; filename="July.pdf"',
        "ContentLanguage": "de",
        "CacheControl": "public, max-age=86400",
    }
    storage = SmartS3Storage("media", object_parameters=parameters)
    storage.save("a.pdf", ContentFile(b"%PDF"))
    response = send(file="a.pdf", storage=storage, method="stream")
    assert response["Content-Disposition"] == 'attachment; filename="July.pdf"'
    assert response["Content-Language"] == "de"
    # It would let a proxy give the file to others.
    assert response["Cache-Control"] == "private, no-cache"
    kept = send(file="a.pdf", storage=storage, method="stream", cache_control="private, max-age=60")
    assert kept["Cache-Control"] == "private, max-age=60"


# Requests


def test_a_stream_costs_as_few_requests_as_it_can(
    s3_bucket: Bucket, s3_settings: Any, send: Any, count_requests: Any
) -> None:
    s3_bucket.put("a.bin", BODY)
    storage = SmartS3Storage("media")
    etag = f'"{storage.stat("a.bin").etag}"'
    storage = SmartS3Storage("media")
    table: List[Any] = [
        ("GET", {}, ["GET"], len(BODY)),
        ("HEAD", {}, ["HEAD"], 0),
        ("GET", {"If_None_Match": etag}, ["HEAD"], 0),
        ("GET", {"If_None_Match": '"x"'}, ["HEAD", "GET"], len(BODY)),
        ("GET", {"Range": "bytes=300000-300009"}, ["HEAD", "GET"], 10),
        ("GET", {"Range": "bytes=100-600000"}, ["HEAD", "GET"], 599_901),
        ("GET", {"Range": "bytes=9999999-"}, ["HEAD"], 0),
    ]
    for verb, headers, expected, moved in table:
        with count_requests() as requests:
            send(verb, file="a.bin", storage=storage, method="stream", headers=headers)
        assert methods(requests) == expected, (verb, headers)
        assert sum(each.body_down for each in requests) == moved, (verb, headers)


# Redirects


def test_where_urls_are_signed_the_answer_is_a_redirect(
    s3_bucket: Bucket, s3_settings: Any, send: Any, count_requests: Any
) -> None:
    s3_bucket.put("a b é.pdf", b"%PDF")
    storage = SmartS3Storage("media")
    with count_requests() as requests:
        response = send(file="a b é.pdf", storage=storage, expire=300)
    assert requests == []
    assert response.status_code == 302
    assert response["Cache-Control"] == "private, max-age=150"
    # A browser keeps it for one user, whose requests have the same cookie, or the same token.
    assert response["Vary"] == "Cookie, Authorization"
    answer = urllib3.PoolManager().request("GET", response["Location"])
    assert (answer.status, answer.data) == (200, b"%PDF")
    # S3 refuses the URL of a GET to a HEAD.
    head = send("HEAD", file="a b é.pdf", storage=storage)
    assert urllib3.PoolManager().request("HEAD", head["Location"]).status == 200
    assert head["Cache-Control"] == "private, max-age=1800"


def test_a_redirect_is_kept_no_longer_than_its_url_is_valid(
    s3_settings: Any, send: Any, monkeypatch: Any
) -> None:
    storage = SmartS3Storage("media", url_stable_for=3600)
    url = send(file="a.pdf", storage=storage, expire=60)["Location"]
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Expires"] == ["3660"]
    began = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    monkeypatch.setattr("smart_storages.common.signed_urls.time", lambda: began.timestamp() + 3598)
    assert send(file="a.pdf", storage=storage, expire=60)["Cache-Control"] == "private, max-age=31"
    monkeypatch.setattr("smart_storages.common.signed_urls.time", lambda: began.timestamp() + 3659)
    assert send(file="a.pdf", storage=storage, expire=60)["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("name", ["a.html.gz", "a.svgz"])
@needs_newer_moto
def test_a_compressed_page_is_saved_and_not_shown(
    s3_bucket: Bucket, s3_settings: Any, send: Any, name: str
) -> None:
    # As collectstatic, nginx or awscli would store it: a browser decompresses it, and runs it.
    kind = "text/html" if name == "a.html.gz" else "image/svg+xml"
    page = gzip.compress(b"<script>alert(1)</script>")
    s3_bucket.put(name, page, ContentType=kind, ContentEncoding="gzip")
    url = send(file=name, storage=SmartS3Storage("media"))["Location"]
    answer = urllib3.PoolManager().request("GET", url)
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'


@needs_newer_moto
def test_a_redirect_says_what_the_bucket_is_to_send(
    s3_bucket: Bucket, s3_settings: Any, send: Any
) -> None:
    storage = SmartS3Storage("media")
    http = urllib3.PoolManager()
    for name in ("a.pdf", "a.html", "a.svg"):
        s3_bucket.put(name, b"x", ContentType="text/html")
    table: List[Any] = [
        ("a.pdf", {}, None),
        ("a.pdf", {"download": True}, 'attachment; filename="a.pdf"'),
        ("a.pdf", {"filename": "é.pdf"}, "inline; filename*=UTF-8''%C3%A9.pdf"),
        ("a.html", {}, 'attachment; filename="a.html"'),
        ("a.svg", {}, 'attachment; filename="a.svg"'),
    ]
    for name, options, disposition in table:
        answer = http.request("GET", send(file=name, storage=storage, **options)["Location"])
        assert answer.status == 200
        assert answer.headers.get("Content-Disposition") == disposition
    url = send(file="a.pdf", storage=storage, content_type="application/pdf")["Location"]
    assert http.request("GET", url).headers["Content-Type"] == "application/pdf"


def test_where_urls_are_not_signed_the_answer_is_a_stream(
    s3_settings: Any, tmp_path: Any, send: Any
) -> None:
    class Nowhere(FileSystemStorage):
        def url(self, name: Any) -> str:
            raise NotImplementedError

    for storage in (
        FileSystemStorage(str(tmp_path), base_url="/media/"),
        Nowhere(str(tmp_path)),
        SmartS3Storage("media", querystring_auth=False),
    ):
        name = storage.save("a.pdf", ContentFile(b"%PDF"))
        assert send(file=name, storage=storage).body == b"%PDF"
    public = FileSystemStorage(str(tmp_path), base_url="/media/")
    asked = send(file="a.pdf", storage=public, method="redirect")
    assert (asked.status_code, asked["Location"]) == (302, "/media/a.pdf")
    assert asked["Cache-Control"] == "private, no-store"
    with pytest.raises(NotImplementedError):
        send(file="a.pdf", storage=Nowhere(str(tmp_path)), method="redirect")


def test_a_bucket_in_a_folder_redirects_to_its_view(s3_settings: Any, tmp_path: Any, send: Any):
    storage = SmartS3Storage("media", backend="filesystem", root=tmp_path, bucket_name="acme")
    storage.save("a.pdf", ContentFile(b"%PDF"))
    response = send(file="a.pdf", storage=storage, expire=100, download=True)
    assert response["Location"].startswith("/buckets/acme/a.pdf?")
    assert "response-content-disposition" in response["Location"]
    assert response["Cache-Control"] in {"private, max-age=50", "private, max-age=49"}


# Queues


@pytest.fixture
def queue(transactional_db: None, s3_settings: Any, tmp_path: Any) -> Any:
    """A queue from a disk to a bucket, whose messages ``broker.deliver()`` delivers."""
    s3_settings.SMART_STORAGE_TASKS = "tests.queued.broker.post"
    broker.messages.clear()
    local = FileSystemStorage(str(tmp_path))
    task = "smart_storages.queued.tasks.TransferAndDelete"
    return QueuedStorage(local, SmartS3Storage("media"), durable=False, key="q", task=task)


def test_a_file_is_served_before_and_after_its_transfer(queue: Any, send: Any) -> None:
    queue.save("a.pdf", ContentFile(b"%PDF waits"))
    assert queue.using_local("a.pdf")
    assert send(file="a.pdf", storage=queue, method="stream").body == b"%PDF waits"
    # Its URL would lead here again, through one more redirect.
    assert send(file="a.pdf", storage=queue).body == b"%PDF waits"
    assert broker.deliver() == ["done"]
    assert not queue.using_local("a.pdf")
    assert send(file="a.pdf", storage=queue, method="stream").body == b"%PDF waits"
    assert send(file="a.pdf", storage=queue).status_code == 302
    queue.delete("a.pdf")
    with pytest.raises(Http404):
        send(file="a.pdf", storage=queue, method="stream")


def test_a_copy_that_is_carried_away_meanwhile_is_followed(
    queue: Any, send: Any, monkeypatch: Any
) -> None:
    queue.save("a.pdf", ContentFile(b"%PDF"))
    opened, carried = queue.local.open, []

    def open_late(name: str, mode: str = "rb") -> Any:
        carried.extend(broker.deliver())
        return opened(name, mode)

    monkeypatch.setattr(queue.local, "open", open_late)
    assert send(file="a.pdf", storage=queue, method="stream").body == b"%PDF"
    assert carried == ["done"]


# Compressed objects


@pytest.mark.parametrize("decompress", [False, True])
def test_a_compressed_object_is_sent_as_it_is_or_decompressed(
    s3_bucket: Bucket, s3_settings: Any, send: Any, decompress: bool
) -> None:
    text = b"Lorem ipsum. " * 50_000
    packed = gzip.compress(text)
    s3_bucket.put("a.txt", packed, ContentType="text/plain", ContentEncoding="gzip")
    # Ours decompresses what it opens with gzip=True, but not what it passes on.
    storage = SmartS3Storage("media", gzip=decompress)
    for accepted in ("gzip", "br, gzip;q=0.5", "*", "GZIP"):
        headers = {"Accept_Encoding": accepted}
        response = send(file="a.txt", storage=storage, method="stream", headers=headers)
        assert response.body == packed
        assert response["Content-Encoding"] == "gzip"
        assert response["Content-Length"] == str(len(packed))
        assert response["Vary"] == "Accept-Encoding"
        assert response["ETag"].startswith('"')
        ranged = {**headers, "Range": "bytes=0-9"}
        part = send(file="a.txt", storage=storage, method="stream", headers=ranged)
        assert (part.status_code, part.body) == (206, packed[:10])
        assert part["Content-Encoding"] == "gzip"
    for accepted in ("", "br", "identity", "gzip;q=0", "*;q=0", "gzip;q=0.0, *"):
        for more in ({}, {"Range": "bytes=0-9"}, {"If_None_Match": '"x"'}):
            headers = {"Accept_Encoding": accepted, **more}
            response = send(file="a.txt", storage=storage, method="stream", headers=headers)
            assert (response.status_code, response.body) == (200, text), (accepted, more)
            assert "Content-Encoding" not in response
            assert "Content-Length" not in response
            assert response["Vary"] == "Accept-Encoding"
            assert response["ETag"].startswith('W/"')
            assert response["Accept-Ranges"] == "none"
    etag = response["ETag"]
    headers = {"If_None_Match": etag}
    assert send(file="a.txt", storage=storage, method="stream", headers=headers).status_code == 304


def test_brotli_is_decompressed_for_whoever_does_not_read_it(
    s3_bucket: Bucket, s3_settings: Any, send: Any
) -> None:
    brotli = pytest.importorskip("brotli")
    text = b"Lorem ipsum. " * 50_000
    packed = brotli.compress(text)
    s3_bucket.put("a.txt", packed, ContentType="text/plain", ContentEncoding="br")
    storage = SmartS3Storage("media")
    plain = send(
        file="a.txt", storage=storage, method="stream", headers={"Accept_Encoding": "gzip"}
    )
    assert (plain.body, plain.has_header("Content-Encoding")) == (text, False)
    sent = send(file="a.txt", storage=storage, method="stream", headers={"Accept_Encoding": "br"})
    assert (sent.body, sent["Content-Encoding"]) == (packed, "br")


def test_an_encoding_that_nobody_here_reads_is_passed_on(
    s3_bucket: Bucket, s3_settings: Any, send: Any
) -> None:
    s3_bucket.put("a.txt", b"packed", ContentType="text/plain", ContentEncoding="zstd")
    response = send(file="a.txt", storage=SmartS3Storage("media"), method="stream")
    assert (response.body, response["Content-Encoding"]) == (b"packed", "zstd")


def test_a_fallback_sends_what_it_decompresses(
    s3_bucket: Bucket, s3_settings: Any, tmp_path: Any, send: Any
) -> None:
    text = b"Lorem ipsum. " * 5_000
    s3_bucket.put("a.txt", gzip.compress(text), ContentEncoding="gzip")
    storage = FallbackStorage([FileSystemStorage(str(tmp_path)), SmartS3Storage("m", gzip=True)])
    for accepted in ("gzip", "identity"):
        headers = {"Accept_Encoding": accepted}
        response = send(file="a.txt", storage=storage, method="stream", headers=headers)
        assert (response.body, response.has_header("Content-Encoding")) == (text, False)


# Storages of other packages


class _Forward:
    """The content of a file that can only be read forwards."""

    def __init__(self, body: bytes, said: int) -> None:
        self._rest = body
        self.size = said
        self.is_closed = False

    def read(self, size: int) -> bytes:
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        self.is_closed = True


class _Foreign(Storage):
    """A storage that says little: no times, no path, and files that cannot seek."""

    def __init__(self, body: bytes, said: int) -> None:
        self.opened: List[_Forward] = []
        self._content = body, said

    def open(self, name: str, mode: str = "rb") -> Any:
        self.opened.append(_Forward(*self._content))
        return self.opened[-1]


def test_a_storage_that_says_little_is_served_as_far_as_it_goes(send: Any) -> None:
    storage = _Foreign(BODY, len(BODY))
    response = send(file="a.bin", storage=storage, method="stream")
    assert response.body == BODY
    assert not response.has_header("ETag")
    assert not response.has_header("Last-Modified")
    headers = {"Range": "bytes=600000-600009"}
    part = send(file="a.bin", storage=storage, method="stream", headers=headers)
    assert (part.status_code, part.body) == (206, BODY[600_000:600_010])
    send("HEAD", file="a.bin", storage=storage, method="stream")
    assert all(each.is_closed for each in storage.opened)


@pytest.mark.parametrize("said", [len(BODY) - 1, len(BODY) + 1])
def test_a_size_that_is_wrong_breaks_the_answer(send: Any, said: int) -> None:
    # Of a storage that decompresses what it reads: half a file must not be taken for the whole.
    storage = _Foreign(BODY, said)
    with pytest.raises(OSError, match=r"more bytes|before its end"):
        send(file="a.bin", storage=storage, method="stream")


def test_a_blob_of_azure_is_served(azurite: Any, send: Any) -> None:
    storage = SmartS3Storage(
        "media",
        backend="azure",
        connection_string=azurite.connection_string,
        bucket_name=azurite.create_container(),
    )
    storage.save("a b é.pdf", ContentFile(BODY))
    whole = send(file="a b é.pdf", storage=storage, method="stream")
    assert (whole.status_code, whole.body, whole["Content-Type"]) == (200, BODY, "application/pdf")
    headers = {"Range": "bytes=300000-300009", "If_Range": whole["ETag"]}
    part = send(file="a b é.pdf", storage=storage, method="stream", headers=headers)
    assert (part.status_code, part.body) == (206, BODY[300_000:300_010])
    again = send(
        file="a b é.pdf", storage=storage, method="stream", headers={"If_None_Match": whole["ETag"]}
    )
    assert again.status_code == 304
    redirect = send(file="a b é.pdf", storage=storage, expire=100, filename="July.pdf")
    assert redirect["Cache-Control"] in {"private, max-age=50", "private, max-age=49"}
    answer = urllib3.PoolManager().request("GET", redirect["Location"])
    assert (answer.status, answer.data) == (200, BODY)
    assert answer.headers["Content-Disposition"] == 'inline; filename="July.pdf"'
    with pytest.raises(Http404):
        send(file="missing.pdf", storage=storage, method="stream")


# By a web server


def test_a_file_on_a_disk_is_named_to_the_web_server(
    s3_settings: Any, tmp_path: Any, send: Any
) -> None:
    disk = FileSystemStorage(str(tmp_path / "media"))
    folder = SmartS3Storage("media", backend="filesystem", root=tmp_path, bucket_name="acme")
    name = "a b é%.pdf"
    for storage, inside in (
        (disk, "a%20b%20%C3%A9%25.pdf"),
        (folder, "acme/a%20b%20%C3%A9%25.pdf"),
    ):
        storage.save(name, ContentFile(b"%PDF"))
        response = send(file=name, storage=storage, method="x-accel-redirect")
        assert response["X-Accel-Redirect"] == f"/smart-storages/files/{inside}"
        assert response["Content-Type"] == "application/pdf"
        assert response.body == b""
        response = send(file=name, storage=storage, method="x-accel-redirect", location="/x/")
        assert response["X-Accel-Redirect"] == f"/x/files/{inside}"
        response = send(file=name, storage=storage, method="x-sendfile")
        root = tmp_path / "media" if storage is disk else tmp_path
        sent = response["X-Sendfile"].encode("latin-1").decode()
        assert sent == f"{root}/{unquote(inside)}"
        for method in ("x-accel-redirect", "x-sendfile"):
            with pytest.raises(Http404):
                send(file="missing.pdf", storage=storage, method=method)


def test_what_a_web_server_cannot_reach_is_streamed(
    s3_bucket: Bucket, s3_settings: Any, send: Any
) -> None:
    s3_bucket.put("a.pdf", b"%PDF")
    memory = SmartS3Storage("memory", backend="memory", bucket_name="acme")
    memory.save("a.pdf", ContentFile(b"%PDF"))
    unsigned = SmartS3Storage("media", querystring_auth=False)
    for storage, method in (
        (memory, "x-accel-redirect"),
        (memory, "x-sendfile"),
        (SmartS3Storage("media"), "x-sendfile"),
        (unsigned, "x-accel-redirect"),
    ):
        response = send(file="a.pdf", storage=storage, method=method)
        assert (response.status_code, response.body) == (200, b"%PDF")
        assert not response.has_header("X-Accel-Redirect")
        assert not response.has_header("X-Sendfile")
