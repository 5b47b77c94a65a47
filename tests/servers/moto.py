"""moto's S3 mock as a real HTTP server in a process of its own.

A process, not a thread: the code under test may fork, and shares no interpreter lock with the
server. The child ends when its standard input closes, so it cannot outlive the tests.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import Any, Dict, Optional

from tests.servers.base import S3Server, Startable

# moto first looks whether a key is free and then writes: two writers at once may both find it free.
# A server that honours conditions decides about them one by one.
_CHILD = """
import functools, logging, sys, threading
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

def one_at_a_time(call, lock=threading.RLock()):
    @functools.wraps(call)
    def locked(*arguments, **named):
        with lock:
            return call(*arguments, **named)
    return locked

for name in ("put_object", "_key_response_post"):
    if hasattr(S3Response, name):
        setattr(S3Response, name, one_at_a_time(getattr(S3Response, name)))
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


class MotoServer(Startable[S3Server]):
    """Start with ``with MotoServer() as server`` (an `S3Server`) or ``start()`` and ``stop()``.

    moto checks neither signatures nor expiry nor policies: tests of security need Ceph.
    """

    def __init__(self) -> None:
        self._process: Optional[subprocess.Popen[str]] = None
        self._errors: Any = None
        self._server: Optional[S3Server] = None

    def __getstate__(self) -> Dict[str, Any]:
        # A copy in another process leads to the same server.
        return {**vars(self), "_process": None, "_errors": None}

    @property
    def server(self) -> S3Server:
        """Address and keys."""
        if self._server is None:
            raise RuntimeError("start the server first")
        return self._server

    def start(self) -> S3Server:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in stop)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            universal_newlines=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line.isdigit():
            self._errors.seek(0)
            message = self._errors.read()
            self.stop()
            raise RuntimeError(f"moto's server did not start:\n{message}")
        self._server = S3Server(
            name="moto",
            endpoint_url=f"http://127.0.0.1:{line}",
            access_key="testaccesskey",
            secret_key="testsecretkey0123456789",
        )
        return self._server

    def stop(self) -> None:
        process, self._process, self._server = self._process, None, None
        if process is not None:
            process.kill()
            process.communicate()
        if self._errors is not None:
            self._errors.close()
