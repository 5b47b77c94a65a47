"""fake-gcs-server, a server of Google Cloud Storage for tests, and before it what it lacks.

Of what Google documents, four things that these tests need are missing in its release of February
2026: the condition of a resumable upload is forgotten before its end, two writers at once may both
find a name free, a bucket that is missing looks like an object that is missing, and a form is not
taken at the address that Google gives. So a front takes every request, passes it on, and does these
four. Signatures, tokens and sizes of signed
uploads are checked by neither.

- https://github.com/fsouza/fake-gcs-server/pull/2260
- https://cloud.google.com/storage/docs/request-preconditions
- https://cloud.google.com/storage/docs/json_api/v1/status-codes
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, Optional, Tuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

import urllib3

from tests.servers.base import Startable, free_port

__all__ = ["INSTALL", "GoogleStorage", "gcs_program", "service_account"]

INSTALL = "tests/servers/install.sh"
_EMAIL = "tests@smart-storages.iam.gserviceaccount.com"
_PATIENCE = 60.0
_NOT_PASSED_ON = {"connection", "content-length", "keep-alive", "transfer-encoding"}


def gcs_program() -> Optional[str]:
    """The path of its program, ``None`` if it is not installed."""
    return shutil.which("fake-gcs-server")


@lru_cache(maxsize=None)
def _private_key() -> str:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@lru_cache(maxsize=None)
def service_account() -> Any:
    """Credentials with a key of their own, which ask nobody for a token."""
    from google.oauth2.service_account import Credentials

    made = Credentials.from_service_account_info(
        {
            "type": "service_account",
            "client_email": _EMAIL,
            "private_key": _private_key(),
            "token_uri": "http://127.0.0.1:9/token",
        }
    )
    return made.with_always_use_jwt_access(True)


class GoogleStorage(Startable["GoogleStorage"]):
    """Start with ``with GoogleStorage() as server`` or ``start()`` and ``stop()``."""

    def __init__(self) -> None:
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._front: Optional[ThreadingHTTPServer] = None
        self._directory: Optional[str] = None
        self.endpoint_url = ""

    def __getstate__(self) -> Dict[str, Any]:
        # A copy in another process leads to the same server.
        return {**vars(self), "_process": None, "_front": None, "_directory": None}

    @property
    def options(self) -> Dict[str, Any]:
        """The options of a module that lead to it."""
        return {
            "backend": "gcs",
            "endpoint_url": self.endpoint_url,
            "credentials": "tests.servers.gcs.service_account",
            "project_id": "tests",
        }

    def create_bucket(self) -> str:
        """Make a bucket of a test's own, and return its name."""
        name = f"b{uuid.uuid4().hex}"
        with urllib3.PoolManager() as http:
            answer = http.request(
                "POST",
                f"{self.endpoint_url}/storage/v1/b?project=tests",
                body=json.dumps({"name": name}),
                headers={"Content-Type": "application/json"},
            )
        if answer.status != 200:
            raise RuntimeError(f"No bucket: {answer.data!r}")
        return name

    def start(self) -> GoogleStorage:
        program = gcs_program()
        if program is None:
            raise RuntimeError(f"fake-gcs-server is not installed: {INSTALL}")
        self._directory = tempfile.mkdtemp(prefix="gcs-")
        upstream = f"http://127.0.0.1:{free_port()}"
        self._front = _make_front(upstream)
        self.endpoint_url = f"http://127.0.0.1:{self._front.server_address[1]}"
        log = Path(self._directory, "log").open("wb")  # noqa: SIM115 - closed below
        self._process = subprocess.Popen(
            [
                program,
                *("-backend", "memory", "-scheme", "http", "-log-level", "warn"),
                *("-host", "127.0.0.1", "-port", upstream.rpartition(":")[2]),
                *("-public-host", urlsplit(self.endpoint_url).netloc),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # It takes the time of the zone for that of Greenwich.
            env={**os.environ, "TZ": "UTC"},
        )
        log.close()
        self._wait(upstream)
        threading.Thread(target=self._front.serve_forever, daemon=True).start()
        return self

    def _wait(self, upstream: str) -> None:
        give_up = time.monotonic() + _PATIENCE
        http = urllib3.PoolManager(retries=False)
        while True:
            try:
                http.request("GET", f"{upstream}/storage/v1/b?project=tests")
                return
            except urllib3.exceptions.HTTPError:
                ended = self._process is not None and self._process.poll() is not None
                if ended or time.monotonic() > give_up:
                    said = Path(str(self._directory), "log").read_text("utf-8", "replace")
                    self.stop()
                    raise RuntimeError(f"fake-gcs-server did not start:\n{said}") from None
            time.sleep(0.05)

    def stop(self) -> None:
        front, self._front = self._front, None
        process, self._process = self._process, None
        if front is not None:
            # It waits for its loop, which has not begun if the server did not start.
            if process is not None and process.poll() is None:
                front.shutdown()
            front.server_close()
        if process is not None:
            process.kill()
            process.wait()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None


def _make_front(upstream: str) -> ThreadingHTTPServer:
    class Handler(_Front):
        pass

    Handler.upstream = upstream
    Handler.http = urllib3.PoolManager(maxsize=64, retries=False)
    Handler.conditions = {}
    Handler.deciding = threading.Lock()
    return _FrontServer(("127.0.0.1", 0), Handler)


class _FrontServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        """Say nothing of clients that go before the answer is over."""


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else small answers wait for an acknowledgement of their headers.
    disable_nagle_algorithm = True
    wbufsize = -1

    upstream: str
    http: urllib3.PoolManager
    #: The bucket, the name and the generation that each session of an upload was begun with.
    conditions: Dict[str, Tuple[str, str, str]]
    #: Held from a look at what is there until the write that depends on it.
    deciding: threading.Lock

    def do_GET(self) -> None:
        self._pass_on()

    do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = do_GET  # noqa: N815 - names of the base class

    def do_POST(self) -> None:
        if self.path.endswith("/"):
            self.path = self.path[:-1]  # it takes a form without the slash alone, Google with it
        with self.deciding:
            self._pass_on()

    def do_PUT(self) -> None:
        with self.deciding:
            session = self._query().get("upload_id", "")
            is_end = not self.headers.get("Content-Range", "").endswith("/*")
            if is_end and session in self.conditions:
                bucket, name, expected = self.conditions[session]
                if self._generation_of(bucket, name) != expected:
                    self._read_body()
                    self._refuse(
                        412,
                        "conditionNotMet",
                        "At least one of the pre-conditions you specified did not hold.",
                    )
                    return
            self._pass_on()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - of the base class
        """Say nothing."""

    def _query(self) -> Dict[str, str]:
        return {name: each[0] for name, each in parse_qs(urlsplit(self.path).query).items()}

    def _read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _generation_of(self, bucket: str, name: str) -> str:
        url = f"{self.upstream}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        answer = self.http.request("GET", url)
        return "0" if answer.status == 404 else str(json.loads(answer.data)["generation"])

    def _pass_on(self) -> None:
        body = self._read_body()
        answer = self.http.request(
            self.command,
            self.upstream + self.path,
            body=body,
            # With the name of the host, which becomes that of the sessions of uploads.
            headers={
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _NOT_PASSED_ON
            },
            preload_content=False,
            redirect=False,
        )
        content = answer.read(decode_content=False)
        answer.release_conn()
        bucket = self._bucket()
        if answer.status == 404 and bucket and not self._exists(bucket):
            self._refuse(404, "notFound", "The specified bucket does not exist.")
            return
        self._note_condition(bucket, answer.headers)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self._end(content)

    def _bucket(self) -> str:
        parts = urlsplit(self.path).path.split("/")
        return unquote(parts[parts.index("b") + 1]) if "b" in parts[:-1] else ""

    def _exists(self, bucket: str) -> bool:
        return self.http.request("GET", f"{self.upstream}/storage/v1/b/{bucket}").status == 200

    def _note_condition(self, bucket: str, answered: Any) -> None:
        query = self._query()
        expected = query.get("ifGenerationMatch")
        if query.get("uploadType") == "resumable" and expected and "Location" in answered:
            began = parse_qs(urlsplit(answered["Location"]).query)
            self.conditions[began["upload_id"][0]] = (bucket, query["name"], expected)

    def _refuse(self, status: int, reason: str, message: str) -> None:
        each = {"domain": "global", "reason": reason, "message": message}
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        said = {"error": {"code": status, "message": message, "errors": [each]}}
        self._end(json.dumps(said).encode())

    def _end(self, content: bytes) -> None:
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
