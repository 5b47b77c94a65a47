"""A real browser sends files straight to a real S3 server, as the documentation shows it."""

from __future__ import annotations

import http.server
import json
import queue
import shutil
import subprocess
import threading
import uuid
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import boto3
import pytest
from botocore.config import Config

from smart_storages.backends.s3.signing.browser_uploads import presigned_post, presigned_put
from smart_storages.backends.s3.signing.presigned_urls import UrlSigner
from tests import documentation

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.documentation,
    pytest.mark.real_s3,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt install chromium"),
]

# The two blocks of the page, as they are printed.
_POST, _PUT = [
    block.text for block in documentation.blocks("docs/urls.md") if block.language == "js"
]
PAGE = """<!doctype html><script type="module">
const post = async (form, file) => {
// POST
return answer;
};
const put = async (put, file) => {
// PUT
return answer;
};
const {uploads} = await (await fetch("/uploads")).json();
const results = {};
for (const {label, target, content, type} of uploads) {
  const file = new File([content], "local name.png", {type});
  try {
    const answer = await (target.method === "POST" ? post : put)(target, file);
    results[label] = answer.status;
  } catch (error) {
    results[label] = String(error);
  }
}
await fetch("/results", {method: "POST", body: JSON.stringify(results)});
</script>"""
PAGE = PAGE.replace("// POST", _POST).replace("// PUT", _PUT)


@pytest.fixture(scope="module")
def signer(ceph: Any) -> UrlSigner:
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=ceph.endpoint_url,
        region_name=ceph.region_name,
        aws_access_key_id=ceph.access_key,
        aws_secret_access_key=ceph.secret_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
        ),
    )
    bucket = f"browser-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    rule = {"AllowedMethods": ["POST", "PUT"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"]}
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    return UrlSigner(client, bucket)


@pytest.fixture
def site() -> Iterator[Tuple[str, Dict[str, Any], queue.Queue[Dict[str, Any]]]]:
    """Serves the page; what it is to upload, and what it reports."""
    state: Dict[str, Any] = {"uploads": []}
    reported: queue.Queue[Dict[str, Any]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(state) if self.path == "/uploads" else PAGE
            self.answer(body.encode())

        def do_POST(self) -> None:
            reported.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(b"")

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", state, reported
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_a_browser_uploads_what_was_allowed_and_nothing_else(
    signer: UrlSigner, site: Any, tmp_path: Path
) -> None:
    address, state, reported = site
    image = "image/png"
    form = presigned_post(signer, "post é.png", max_size=5, content_type=image)
    put = presigned_put(
        signer, "put é.png", size=5, content_type=image, overwrite=False,
        params={"CacheControl": "no-store"},
    )  # fmt: skip
    state["uploads"] = [
        {"label": label, "target": target, "content": content, "type": image}
        for label, target, content in (
            ("post too large", form, "123456"),
            ("post", form, "12345"),
            ("put too large", put, "123456"),
            ("put too small", put, "1234"),
            ("put of another type", {**put, "headers": {"Content-Type": "text/html"}}, "12345"),
            ("put", put, "12345"),
            ("put again", put, "54321"),
        )
    ]
    browser = subprocess.Popen(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--remote-debugging-port=0",
            f"--user-data-dir={tmp_path}", address,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        results = reported.get(timeout=90)
    finally:
        browser.kill()
        browser.wait()
    assert {label: status for label, status in results.items() if status in (200, 204)} == {
        "post": 204,
        "put": 200,
    }
    assert results["put again"] == 412
    stored = signer.client.get_object(Bucket=signer.bucket, Key="put é.png")
    assert stored["Body"].read() == b"12345"
    assert (stored["ContentType"], stored["CacheControl"]) == (image, "no-store")
    posted = signer.client.get_object(Bucket=signer.bucket, Key="post é.png")
    assert (posted["Body"].read(), posted["ContentType"]) == (b"12345", image)
