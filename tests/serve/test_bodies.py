"""Bodies as servers read them: nothing is collected, and nothing stays open when a client goes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import django
import pytest
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.urls import path

from smart_storages.common.compat import STREAMS_ASYNC
from smart_storages.serve import aserve_file, serve_file
from smart_storages.storages import SmartS3Storage
from tests.conftest import Bucket
from tests.servers import S3Proxy

MIB = 1024 * 1024
STORAGES: Dict[str, Any] = {}

# A response that is closed ends the request, and Django looks at its connections.
pytestmark = pytest.mark.django_db

needs_async_bodies = pytest.mark.skipif(
    not STREAMS_ASYNC, reason="Django streams nothing async before 4.2."
)


def sync_view(request: Any, name: str) -> Any:
    return serve_file(request, name, storage=STORAGES["media"], method="stream")


async def async_view(request: Any, name: str) -> Any:
    return await aserve_file(request, name, storage=STORAGES["media"], method="stream")


urlpatterns = [path("sync/<path:name>", sync_view), path("async/<path:name>", async_view)]


@pytest.fixture
def site(s3_settings: Any, s3_bucket: Bucket, s3_proxy: S3Proxy) -> S3Proxy:
    """A site with a file of 20 MiB in a bucket; the proxy sees what is read of it."""
    s3_settings.ROOT_URLCONF = __name__
    s3_settings.MIDDLEWARE = []
    s3_bucket.put("a.bin", bytes(20 * MIB))
    STORAGES["media"] = SmartS3Storage("media")
    return s3_proxy


def _wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


async def _visit(url: str, on_body: Callable[[int], Any], method: str = "GET") -> List[Any]:
    """Ask the site as a server of ASGI does; the client goes when ``on_body`` says so."""
    gone = asyncio.Event()
    messages: List[Any] = []
    received = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if received:
            return received.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append({**message, "body": len(message.get("body", b""))})
        if message.get("body") and on_body(sum(each["body"] for each in messages)):
            gone.set()
            await asyncio.sleep(3600)  # as a server that waits for a client to take more

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": url,
        "raw_path": url.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    await get_asgi_application()(scope, receive, send)
    return messages


@needs_async_bodies
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_under_asgi_the_first_bytes_go_out_before_the_last_are_read(
    site: S3Proxy, kind: str
) -> None:
    read_at_first: List[int] = []

    def note(sent: int) -> None:
        if not read_at_first:
            read_at_first.append(sum(each.body_down for each in site.requests))

    messages = asyncio.run(_visit(f"/{kind}/a.bin", note))
    assert sum(each["body"] for each in messages) == 20 * MIB
    assert max(each["body"] for each in messages) <= 256 * 1024
    assert read_at_first[0] < 15 * MIB  # the rest of it is in the buffers of the connections


@needs_async_bodies
@pytest.mark.skipif(django.VERSION < (5, 0), reason="Django learns of it from 5.0 on.")
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_under_asgi_a_client_that_goes_ends_the_request_to_s3(site: S3Proxy, kind: str) -> None:
    messages = asyncio.run(_visit(f"/{kind}/a.bin", lambda sent: sent > MIB))
    assert sum(each["body"] for each in messages) < 2 * MIB
    _wait_for(lambda: site.in_flight == 0)
    assert sum(each.body_down for each in site.requests) < 20 * MIB


def _start(url: str) -> Any:
    started: List[Any] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": url,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.input": sys.stdin.buffer,
        "wsgi.url_scheme": "http",
    }
    body = get_wsgi_application()(environ, lambda *given: started.append(given))
    assert started[0][0] == "200 OK"
    return body


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_under_wsgi_it_is_read_as_it_is_sent_and_closed_when_a_client_goes(
    site: S3Proxy, kind: str
) -> None:
    body = _start(f"/{kind}/a.bin")
    assert len(next(iter(body))) == 256 * 1024
    assert sum(each.body_down for each in site.requests) < 15 * MIB
    body.close()  # what a server does when the client has gone
    _wait_for(lambda: site.in_flight == 0)
    assert sum(each.body_down for each in site.requests) < 20 * MIB
    # A body that nobody reads at all.
    _start(f"/{kind}/a.bin").close()
    _wait_for(lambda: site.in_flight == 0)


_CHILD = """
import asyncio, json, sys
import django
from django.conf import settings
order = json.loads(sys.argv[1])
settings.configure(INSTALLED_APPS=["smart_storages"], SECRET_KEY="tests", ALLOWED_HOSTS=["*"],
                   ROOT_URLCONF="tests.serve.test_bodies", MIDDLEWARE=[],
                   LOGGING_CONFIG=None, **order["settings"])
django.setup()
from benchmarks.memory import peak_memory
from django.core.files.storage import FileSystemStorage
from smart_storages.storages import SmartS3Storage
from tests.serve import test_bodies as site

site.STORAGES["media"] = (
    FileSystemStorage(order["folder"]) if order["folder"] else SmartS3Storage("media")
)

def serve(name):
    url = f"/{order['view']}/{name}"
    if order["server"] == "asgi":
        return sum(each["body"] for each in asyncio.run(site._visit(url, lambda sent: None)))
    body = site._start(url)
    size = sum(map(len, body))
    body.close()
    return size

serve("warm.bin")
before = peak_memory()
size = serve("large.bin")
print(json.dumps({"grown": peak_memory() - before, "size": size}))
"""


@pytest.mark.slow
@pytest.mark.one_server
@pytest.mark.parametrize("where", ["s3", "disk"])
@pytest.mark.parametrize(
    "how",
    [
        "wsgi sync",
        "wsgi async",
        pytest.param("asgi sync", marks=needs_async_bodies),
        pytest.param("asgi async", marks=needs_async_bodies),
    ],
)
def test_a_file_of_any_size_takes_little_memory(
    s3_settings: Any, s3_bucket: Bucket, tmp_path: Any, where: str, how: str
) -> None:
    server, view = how.split()
    size = 64 * MIB if where == "s3" else 512 * MIB
    if where == "s3":
        s3_bucket.put("warm.bin", bytes(MIB))
        s3_bucket.put("large.bin", bytes(size))
    else:
        for name, length in (("warm.bin", MIB), ("large.bin", size)):
            with (tmp_path / name).open("wb") as file:
                file.truncate(length)
    values = {**s3_bucket.server.django_settings(), "AWS_STORAGE_BUCKET_NAME": s3_bucket.name}
    order = {
        "folder": str(tmp_path) if where == "disk" else "",
        "server": server,
        "settings": values,
        "view": view,
    }
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CHILD, json.dumps(order)],
        stdout=subprocess.PIPE,
        check=True,
        cwd=str(Path(__file__).parents[2]),
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
    )
    outcome = json.loads(child.stdout)
    assert outcome["size"] == size
    assert outcome["grown"] <= 8 * MIB
