"""The view behind the URL of a local copy."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.serving import urls_of_copies
from smart_storages.storages import SmartS3Storage
from tests.conftest import Bucket
from tests.queued import broker
from tests.queued.conftest import row_of

BODY = bytes(range(256)) * 40


@pytest.fixture
def signed(tmp_path: Any, transactional_db: None, messages: list) -> QueuedStorage:
    """A queue whose local copies have signed URLs, between two disks."""
    local, remote = (FileSystemStorage(str(tmp_path / each), "/x/") for each in ("l", "r"))
    return QueuedStorage(local, remote, signed_urls=True, durable=False, key="q")


def test_the_answer_is_the_file_and_can_be_kept(signed: QueuedStorage, client: Any) -> None:
    signed.save("a/b é.png", ContentFile(BODY))
    url = signed.url("a/b é.png")
    answer = client.get(url)
    assert answer.content_of() == BODY
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Length"] == str(len(BODY))
    assert answer["Content-Disposition"] == "inline; filename*=UTF-8''b%20%C3%A9.png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-cache"
    assert answer["ETag"] == f'"{row_of(signed, "a/b é.png").md5}"'
    assert "Content-Security-Policy" not in answer
    head = client.head(url)
    assert (head.status_code, head.content_of()) == (200, b"")
    assert head["Content-Length"] == str(len(BODY))
    assert client.post(url).status_code == 405


def test_a_token_that_is_forged_altered_or_over_is_refused(
    signed: QueuedStorage, client: Any, monkeypatch: Any
) -> None:
    signed.save("a.txt", ContentFile(b"mine"))
    signed.save("b.txt", ContentFile(b"theirs"))
    url = signed.url("a.txt", expire=100)
    _, _, token, name = url.split("/")
    body, signature = token.rsplit(":", 1)
    flipped = ("A" if body[5] != "A" else "B").join([body[:5], body[6:]])
    for forged in (
        f"{flipped}:{signature}", f"{body}:{signature[:-2]}", f"{body}:", body, ":", "x",
        f"{body}:{signature}:", f"{body}:{signature}x", f".{body}:{signature}", "%00:%00",
    ):  # fmt: skip
        assert client.get(f"/queued/{forged}/{name}").status_code == 403, forged
    assert client.get(f"/queued/{token}/b.txt").status_code == 403
    # What was signed for another purpose with the same secret is no token.
    other = urls_of_copies.signing.Signer(salt="other").sign_object(["q", "l", "a.txt", 9e9])
    own = urls_of_copies._signer().sign_object({"name": "a.txt"})
    for forged in (other, own):
        assert client.get(f"/queued/{forged}/{name}").status_code == 403
    assert client.get(url).content_of() == b"mine"
    now = urls_of_copies.time()
    monkeypatch.setattr(urls_of_copies, "time", lambda: now + 101)
    assert client.get(url).status_code == 403


def test_a_url_for_head_gives_no_content(signed: QueuedStorage, client: Any) -> None:
    signed.save("a.txt", ContentFile(b"mine"))
    url = signed.url("a.txt", http_method="HEAD")
    assert client.head(url).status_code == 200
    assert client.get(url).status_code == 403


def test_an_uploaded_page_is_downloaded_and_sandboxed(signed: QueuedStorage, client: Any) -> None:
    signed.save("a.html", ContentFile(b"<script>alert(document.cookie)</script>"))
    answer = client.get(signed.url("a.html", parameters={"ResponseContentType": "text/html"}))
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="a.html"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_ranges_and_conditions_are_honoured(signed: QueuedStorage, client: Any) -> None:
    signed.save("a.bin", ContentFile(BODY))
    signed.save("empty.bin", ContentFile(b""))
    url, size = signed.url("a.bin"), len(BODY)
    whole = client.get(url)
    etag, saved = whole["ETag"], whole["Last-Modified"]
    early = "Mon, 01 Jan 2001 00:00:00 GMT"
    table = [
        ({"Range": "bytes=0-9"}, 206, BODY[:10]),
        ({"Range": "bytes=5000-"}, 206, BODY[5000:]),
        ({"Range": "bytes=-7"}, 206, BODY[-7:]),
        ({"Range": f"bytes=0-{size * 2}"}, 206, BODY),
        ({"Range": "bytes=9-2"}, 200, BODY),
        ({"Range": "bytes=-"}, 200, BODY),
        ({"Range": "bytes=0-1,5-6"}, 200, BODY),
        ({"Range": "lines=0-1"}, 200, BODY),
        ({"Range": f"bytes={size}-"}, 416, b""),
        ({"Range": "bytes=-0"}, 416, b""),
        ({"Range": "bytes=0-9", "If-Range": etag}, 206, BODY[:10]),
        ({"Range": "bytes=0-9", "If-Range": saved}, 206, BODY[:10]),
        ({"Range": "bytes=0-9", "If-Range": '"other"'}, 200, BODY),
        ({"If-None-Match": etag}, 304, b""),
        ({"If-None-Match": '"other"'}, 200, BODY),
        ({"If-Modified-Since": saved}, 304, b""),
        ({"If-Match": '"other"'}, 412, b""),
        ({"If-Unmodified-Since": early}, 412, b""),
    ]
    wrong = []
    for headers, status, body in table:
        named = {"HTTP_" + name.upper().replace("-", "_"): each for name, each in headers.items()}
        answer = client.get(url, **named)
        if (answer.status_code, answer.content_of()) != (status, body):
            wrong.append((headers, answer.status_code))
        if status == 206:
            start = BODY.rindex(body) if "-7" in headers["Range"] else int(headers["Range"][6])
            start = 5000 if "5000" in headers["Range"] else start
            expected = f"bytes {start}-{start + len(body) - 1}/{size}"
            assert answer["Content-Range"] == expected
            assert answer["Content-Length"] == str(len(body))
    assert wrong == []
    assert client.get(signed.url("empty.bin")).content_of() == b""
    assert client.get(signed.url("empty.bin"), HTTP_RANGE="bytes=0-").status_code == 416


def test_a_copy_that_is_carried_away_in_between_is_followed(
    signed: QueuedStorage, client: Any, monkeypatch: Any
) -> None:
    signed.task = "smart_storages.queued.tasks.TransferAndDelete"
    signed.save("a.txt", ContentFile(b"hello"))
    real, carried = signed.local.open, []

    def open_late(name: str, mode: str = "rb") -> Any:
        carried.extend(broker.deliver())
        return real(name, mode)

    monkeypatch.setattr(signed.local, "open", open_late)
    answer = client.get(signed.url("a.txt"))
    assert carried == ["done"]
    assert (answer.status_code, answer["Location"]) == (302, "/x/a.txt")


def test_a_copy_on_another_host_is_not_found(signed: QueuedStorage, client: Any) -> None:
    signed.save("a.txt", ContentFile(b"hello"))
    url = signed.url("a.txt")
    signed.local.delete(row_of(signed, "a.txt").local_name)
    assert client.get(url).status_code == 404


def test_after_the_transfer_the_bucket_is_named_for_the_rest_of_the_life(
    s3_bucket: Bucket, tmp_path: Any, transactional_db: None, messages: list, client: Any
) -> None:
    remote = SmartS3Storage(
        bucket_name=s3_bucket.name, endpoint_url=s3_bucket.endpoint_url, addressing_style="path",
        access_key=s3_bucket.access_key, secret_key=s3_bucket.secret_key,
        region_name=s3_bucket.region_name, location="final",
    )  # fmt: skip
    queue = QueuedStorage(FileSystemStorage(str(tmp_path)), remote, durable=False, key="q")
    queue.save("a.txt", ContentFile(b"hello"))
    attached = {"ResponseContentDisposition": "attachment"}
    url = queue.url("a.txt", expire=500, parameters=attached)
    assert client.get(url)["Content-Disposition"] == "attachment"
    assert broker.deliver() == ["done"]
    for method in ("GET", "HEAD"):
        answer = client.generic(method, url)
        assert answer.status_code == 302
        assert answer["Cache-Control"] == "private, no-store"
        query = parse_qs(urlsplit(answer["Location"]).query)
        assert 400 < int(query["X-Amz-Expires"][0]) <= 500
        got = urllib3.PoolManager().request(method, answer["Location"])
        assert got.status == 200
        assert got.data == (b"hello" if method == "GET" else b"")
        if s3_bucket.server.name == "ceph":  # moto forgets it of a HEAD, and moto 5.0 of a GET
            assert got.headers["Content-Disposition"] == "attachment"
    bare = answer["Location"].split("?")[0]
    if s3_bucket.server.name == "ceph":  # moto checks no signature
        assert urllib3.PoolManager().request("GET", bare).status == 403
    queue.delete("a.txt")
    assert client.get(url).status_code == 404
