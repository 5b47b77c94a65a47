"""Two hundred visitors upload at once to a site with one worker, which still shows its pages."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Dict, Iterator, List

import psutil
import pytest
import urllib3

from tests.example.conftest import EXAMPLE, site_environment
from tests.example.test_darkroom import picture
from tests.example.test_demo import environment_of
from tests.servers import S3Server, free_port

pytestmark = [pytest.mark.soak, pytest.mark.real_s3]

VISITORS = 200
THREADS = 8
SIZE = 1 << 20
PATIENCE = 120
#: The longest that a page may take while two hundred visitors stand in line for one worker.
LONGEST_PAGE = 30


@pytest.fixture
def worker(tmp_path: Path, ceph: S3Server, manage: Any) -> Iterator[Any]:
    """The only worker of the site, a process with a few threads, over Ceph; and its address."""
    address = f"127.0.0.1:{free_port()}"
    variables = {**environment_of(ceph), "PRESS_DEBUG": "0"}
    for command in ("create_buckets", "migrate"):
        done = manage(command, **variables)
        assert done.returncode == 0, done.stdout
    command = ["gunicorn", "pressoffice.wsgi", "--bind", address, "--workers", "1"]
    log = tmp_path / "gunicorn.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", *command, "--threads", str(THREADS), "--timeout", str(PATIENCE)],
            cwd=EXAMPLE,
            env=site_environment(tmp_path, **variables),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )
    try:
        http, give_up = urllib3.PoolManager(retries=False), time.monotonic() + PATIENCE
        while True:
            try:
                assert http.request("GET", f"http://{address}/").status == 200
                break
            except urllib3.exceptions.HTTPError:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < give_up
                time.sleep(0.2)
        (process,) = psutil.Process(server.pid).children()
        yield process, f"http://{address}/"
        assert process.is_running(), log.read_text()  # it was never replaced
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE)


def upload(visitor: Any, story: str, name: str, content: bytes) -> None:
    """What a browser does with one file: begin, sign, PUT to the bucket, finish, submit."""
    form = visitor.read(story)

    def ask(action: str, data: Dict[str, Any]) -> Any:
        cookies = "; ".join(f"{key}={value}" for key, value in visitor.cookies.items())
        headers = {
            "Content-Type": "application/json",
            "Cookie": cookies,
            "X-CSRFToken": form.token,
        }
        url = f"{visitor.site}uploads/{action}"
        answer = visitor.http.request("POST", url, body=json.dumps(data), headers=headers)
        assert answer.status in (200, 201), answer.data
        for line in answer.headers.getlist("Set-Cookie"):
            key, _, value = line.partition(";")[0].partition("=")
            visitor.cookies[key] = value
        return json.loads(answer.data)

    begun = ask("begin", {"field": "newsroom.Video.file", "name": name, "size": len(content)})
    assert begun["parts"] == 1
    digest = base64.b64encode(sha256(content).digest()).decode()
    token = begun["token"]
    signed = ask("sign", {"token": token, "parts": [{"number": 1, "sha256": digest}]})
    (part,) = signed["parts"]
    put = visitor.http.request("PUT", part["url"], body=content, headers=part["headers"])
    assert put.status == 200, put.data
    assert ask("finish", {"token": token}) == {"name": name, "size": len(content)}
    fields = {"video-upload": token, "csrfmiddlewaretoken": form.token}
    assert visitor._ask("POST", form.url, fields=fields).status == 302


def test_two_hundred_uploads_at_once_arrive_and_pages_still_answer(worker: Any) -> None:
    from samples import FILMS
    from visitor import Visitor

    process, address = worker
    reader = Visitor(address)
    fields = {"headline": "Two hundred", "standfirst": "All at once."}
    reader.upload("/", fields, {"image": ("crowd.jpg", picture())})
    head = (FILMS / "gull-point-light.webm").read_bytes()
    contents = [head + os.urandom(SIZE - len(head)) for _ in range(VISITORS)]
    memory = process.memory_info().rss
    gate = threading.Barrier(VISITORS + 1)

    def visit(number: int) -> float:
        visitor = Visitor(address)
        gate.wait(PATIENCE)
        started = time.monotonic()
        upload(visitor, "/stories/1/", f"crowd-{number}.webm", contents[number])
        return time.monotonic() - started

    pages: List[float] = []
    with ThreadPoolExecutor(VISITORS) as pool:
        visits = [pool.submit(visit, number) for number in range(VISITORS)]
        gate.wait(PATIENCE)
        begun = time.monotonic()
        while not all(each.done() for each in visits):
            asked = time.monotonic()
            reader.read("/")  # raises for any answer but 200
            pages.append(time.monotonic() - asked)
        seconds = time.monotonic() - begun
        took = sorted(each.result() for each in visits)
    grown = (process.memory_info().rss - memory) / 1e6

    shown = [each for each in reader.read("/stories/1/").files.values() if each.module == "videos"]
    assert len(shown) == VISITORS
    received = {sha256(reader.fetch(each.url)[1]).digest() for each in shown}
    assert received == {sha256(each).digest() for each in contents}
    assert pages
    assert max(pages) < LONGEST_PAGE
    print(  # noqa: T201 - the figures, with pytest -s
        f"{VISITORS} uploads of {SIZE >> 20} MiB in {seconds:.1f} s, "
        f"each in {took[0]:.1f} to {took[-1]:.1f} s; {len(pages)} pages meanwhile, the slowest in "
        f"{max(pages):.1f} s; the worker grew by {grown:.1f} MB"
    )
