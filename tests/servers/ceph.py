"""Ceph's S3 gateway for the tests; ``ceph.sh`` beside this file does the work."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Dict, Optional

from tests.servers.base import S3Server, Startable, free_port

SCRIPT = Path(__file__).with_name("ceph.sh")
PROGRAMS = ("bash", "radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool")
INSTALL = "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd"
_ATTEMPTS = 3


class CephUnavailableError(RuntimeError):
    """Ceph is not installed, or does not start here."""


def missing_programs() -> str:
    """The programs of Ceph that are not on the path, as text; empty when all are there."""
    return ", ".join(program for program in PROGRAMS if shutil.which(program) is None)


def ceph_available() -> bool:
    """Whether everything that ``ceph.sh`` calls is installed."""
    return not missing_programs()


class CephGateway(Startable[S3Server]):
    """Start with ``with CephGateway() as server`` (an `S3Server`) or ``start()`` and ``stop()``.

    Takes two to three seconds and about 110 MB; data lives in memory. Unlike moto it enforces
    signatures, expiry, policies, ACLs and conditional PUTs.
    """

    def __init__(self) -> None:
        self._directory: Optional[str] = None
        self._server: Optional[S3Server] = None

    def start(self) -> S3Server:
        missing = missing_programs()
        if missing:
            raise CephUnavailableError(f"not installed: {missing} ({INSTALL})")
        for attempt in range(_ATTEMPTS):
            # Another process may take a free port before Ceph does; then others are tried.
            port, monitor_port = free_port(), free_port()
            # mkdtemp and not tmp_path: the path of a UNIX socket must stay short.
            self._directory = tempfile.mkdtemp(prefix="ceph-")
            result = self._call("start", str(port), str(monitor_port))
            if result.returncode == 0:
                break
            self.stop()
            if attempt == _ATTEMPTS - 1:
                raise CephUnavailableError(f"Ceph did not start:\n{result.stdout}")
        self._server = S3Server(
            name="ceph",
            endpoint_url=f"http://127.0.0.1:{port}",
            access_key="testaccesskey",
            secret_key="testsecretkey0123456789",
        )
        return self._server

    @property
    def server(self) -> S3Server:
        """Address and keys of the first user."""
        if self._server is None:
            raise RuntimeError("start the gateway first")
        return self._server

    def create_user(self, name: str = "", tenant: str = "") -> S3Server:
        """The same gateway with the keys of a new user, who may not touch others' buckets.

        Args:
            name: The user's id; made up when left out.
            tenant: The user's tenant, whose buckets may have the names of another's.
        """
        endpoint_url = self.server.endpoint_url
        name = name or f"user-{uuid.uuid4().hex[:8]}"
        access_key, secret_key = f"AK{uuid.uuid4().hex[:18]}", uuid.uuid4().hex
        result = self._call("user", name, access_key, secret_key, *filter(None, [tenant]))
        if result.returncode != 0:
            raise RuntimeError(f"radosgw-admin did not create {name!r}:\n{result.stdout}")
        return S3Server("ceph", endpoint_url, access_key, secret_key)

    def free_memory(self) -> None:
        """Give back the memory of objects that were deleted, which else takes ten seconds."""
        result = self._call("free")
        if result.returncode != 0:
            raise RuntimeError(f"radosgw-admin collected no garbage:\n{result.stdout}")

    def stop(self) -> None:
        if self._directory is not None:
            self._call("stop")
        self._directory = self._server = None

    def _call(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert self._directory is not None
        environment: Dict[str, str] = dict(
            os.environ,
            OWNER_PID=str(os.getpid()),
            S3_ACCESS_KEY="testaccesskey",
            S3_SECRET_KEY="testsecretkey0123456789",
        )
        # Daemons inherit what is open: a pipe for their output would never reach its end.
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.run(
                [str(SCRIPT), command, self._directory, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                check=False,
            )
            output.seek(0)
            text = output.read()
        return subprocess.CompletedProcess(process.args, process.returncode, text)
