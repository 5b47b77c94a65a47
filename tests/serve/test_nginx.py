"""nginx sends what a view names: the block of ``docs/serving.md``, in front of Ceph and a disk."""

from __future__ import annotations

import threading
from typing import Any, Iterator
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import urllib3
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.wsgi import get_wsgi_application
from django.urls import path

from smart_storages.serve import serve_file
from smart_storages.storages import SmartS3Storage
from tests.conftest import REQUIRE_REAL_S3
from tests.old_releases import needs_newer_moto
from tests.servers.nginx import INSTALL, Nginx, nginx_program

pytestmark = [pytest.mark.one_server, pytest.mark.documentation]

BODY = bytes(range(256)) * 3_000
STORAGES = {}


def view(request: Any, kind: str, name: str) -> Any:
    if request.headers.get("Cookie") != "session=of-the-owner":
        return serve_file(request, None)
    options = {key: value for key, value in request.GET.items() if key == "filename"}
    return serve_file(
        request, name, storage=STORAGES[kind], method="x-accel-redirect", expire=60, **options
    )


urlpatterns = [path("<str:kind>/<path:name>", view)]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def nginx(s3_settings: Any, tmp_path: Any) -> Iterator[Any]:
    if nginx_program() is None and not REQUIRE_REAL_S3:
        pytest.skip(f"nginx is not installed: {INSTALL}")
    s3_settings.ROOT_URLCONF = __name__
    s3_settings.MIDDLEWARE = []
    s3_settings.ALLOWED_HOSTS = ["*"]
    STORAGES["s3"] = SmartS3Storage("media", location="in")
    STORAGES["disk"] = FileSystemStorage(str(tmp_path / "files"))
    STORAGES["folder"] = SmartS3Storage(
        "folder", backend="filesystem", root=tmp_path / "files", bucket_name="acme"
    )
    STORAGES["memory"] = SmartS3Storage("memory", backend="memory", bucket_name="acme")
    site = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=_Quiet)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        with Nginx(f"http://127.0.0.1:{site.server_port}", str(tmp_path / "files")) as server:
            yield server
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


def ask(nginx: Any, path: str, method: str = "GET", **headers: str) -> Any:
    given = {"Cookie": "session=of-the-owner"}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    return urllib3.PoolManager(retries=False).request(
        method, f"{nginx.url}{path}", headers=given, redirect=False
    )


@pytest.mark.parametrize("kind", ["s3", "disk", "folder", "memory"])
@needs_newer_moto
def test_nginx_sends_the_file(nginx: Any, kind: str) -> None:
    for name in ("films/a.mp4", "films/a b é+%2F#?.mp4"):
        STORAGES[kind].save(name, ContentFile(BODY))
        url = f"/{kind}/{quote(name)}"
        answer = ask(nginx, url)
        assert (answer.status, answer.data) == (200, BODY), name
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.headers["Content-Length"] == str(len(BODY))
        assert answer.headers.getlist("Cache-Control") == ["private, no-cache"]
        [disposition] = answer.headers.getlist("Content-Disposition")
        assert disposition.startswith("inline; filename")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Security-Policy" not in answer.headers
        for header in ("X-Object-URL", "X-Accel-Redirect", "x-amz-request-id"):
            assert header not in answer.headers
        head = ask(nginx, url, "HEAD")
        assert (head.status, head.data) == (200, b"")
        assert head.headers["Content-Length"] == str(len(BODY))
        part = ask(nginx, url, Range="bytes=100-600000")
        assert (part.status, part.data) == (206, BODY[100:600_001])
        assert part.headers["Content-Range"] == f"bytes 100-600000/{len(BODY)}"
        etag = answer.headers["ETag"]
        assert ask(nginx, url, If_None_Match=etag).status == 304
        stale = ask(nginx, url, Range="bytes=0-9", If_Range='"other"')
        assert (stale.status, len(stale.data)) == (200, len(BODY))
        resumed = ask(nginx, url, Range="bytes=700000-", If_Range=etag)
        assert (resumed.status, resumed.data) == (206, BODY[700_000:])
        assert ask(nginx, url, If_Match='"other"').status == 412
        assert ask(nginx, url, Range="bytes=99999999-").status == 416


@pytest.mark.parametrize("kind", ["s3", "disk"])
def test_nobody_else_gets_it(nginx: Any, kind: str) -> None:
    STORAGES[kind].save("a.pdf", ContentFile(b"%PDF"))
    assert ask(nginx, f"/{kind}/a.pdf").status == 200
    assert ask(nginx, f"/{kind}/a.pdf", Cookie="").status == 404
    for address in ("/smart-storages/object", "/smart-storages/files/a.pdf"):
        assert ask(nginx, address).status == 404
    # What a client sends is no word of the view.
    forged = {"X_Object_URL": "http://127.0.0.1:1/", "X_Accel_Redirect": "/smart-storages/object"}
    assert ask(nginx, "/smart-storages/object", **forged).status == 404
    missing = ask(nginx, f"/{kind}/missing.pdf")
    assert missing.status == 404
    assert b"<Code>" not in missing.data  # S3's own words, with the names of bucket and key


@pytest.mark.parametrize("kind", ["s3", "disk"])
@needs_newer_moto
def test_what_a_browser_would_run_is_not_run(nginx: Any, kind: str) -> None:
    for name, expected in (
        ("a.html", "application/octet-stream"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),  # which it is not
    ):
        upload = ContentFile(b"<script>alert(1)</script>", name=name)
        upload.content_type = "text/html"  # type: ignore[attr-defined]
        STORAGES[kind].save(name, upload)
        answer = ask(nginx, f"/{kind}/{name}")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == expected
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        [disposition] = answer.headers.getlist("Content-Disposition")
        is_shown = name == "a.png"
        assert disposition.startswith("inline" if is_shown else "attachment")
        policy = answer.headers.get("Content-Security-Policy")
        assert policy == (None if is_shown else "default-src 'none'; sandbox")


@needs_newer_moto
def test_a_name_of_ones_own_reaches_the_browser(nginx: Any) -> None:
    for kind in ("s3", "disk"):
        STORAGES[kind].save("7f3a.pdf", ContentFile(b"%PDF"))
        answer = ask(nginx, f"/{kind}/7f3a.pdf?filename=%C3%9Cberblick.pdf")
        [disposition] = answer.headers.getlist("Content-Disposition")
        assert disposition == "inline; filename*=UTF-8''%C3%9Cberblick.pdf"
