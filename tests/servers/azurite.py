"""Azurite, a server of Azure's blobs for tests; it checks signatures and conditions."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Dict, Optional

import urllib3

from tests.servers.base import Startable, free_port

__all__ = ["INSTALL", "Azurite", "azurite_program"]

INSTALL = "npm install --global azurite"
_ACCOUNT = "smartstorages"
_KEY = base64.b64encode(b"a key that Azurite is started with").decode()
_PATIENCE = 60.0


def azurite_program() -> Optional[str]:
    """The path of its program, ``None`` if it is not installed."""
    return shutil.which("azurite-blob")


class Azurite(Startable["Azurite"]):
    """Start with ``with Azurite() as azurite`` or ``start()`` and ``stop()``."""

    def __init__(self) -> None:
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._directory: Optional[str] = None
        self.endpoint_url = ""
        self.account_name = _ACCOUNT
        self.account_key = _KEY

    def __getstate__(self) -> Dict[str, Any]:
        # A copy in another process leads to the same server.
        return {**vars(self), "_process": None, "_directory": None}

    @property
    def connection_string(self) -> str:
        """What leads to it."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account_name};"
            f"AccountKey={self.account_key};BlobEndpoint={self.endpoint_url};"
        )

    def create_container(self) -> str:
        """Make a container of a test's own, and return its name."""
        from azure.storage.blob import BlobServiceClient

        name = f"c{uuid.uuid4().hex}"
        with BlobServiceClient.from_connection_string(self.connection_string) as service:
            service.create_container(name)
        return name

    def start(self) -> Azurite:
        program = azurite_program()
        if program is None:
            raise RuntimeError(f"Azurite is not installed: {INSTALL}")
        self._directory = tempfile.mkdtemp(prefix="azurite-")
        port = free_port()
        log = Path(self._directory, "log").open("wb")  # noqa: SIM115 - closed below
        self._process = subprocess.Popen(
            [
                program,
                "--blobPort",
                str(port),
                "--inMemoryPersistence",
                # A test server tells nobody about it; and it takes the newest version of the SDK.
                "--disableTelemetry",
                "--skipApiVersionCheck",
            ],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "AZURITE_ACCOUNTS": f"{_ACCOUNT}:{_KEY}"},
        )
        log.close()
        self.endpoint_url = f"http://127.0.0.1:{port}/{_ACCOUNT}"
        self._wait()
        return self

    def _wait(self) -> None:
        give_up = time.monotonic() + _PATIENCE
        http = urllib3.PoolManager(retries=False)
        while True:
            try:
                http.request("GET", self.endpoint_url)
                return
            except urllib3.exceptions.HTTPError:
                ended = self._process is not None and self._process.poll() is not None
                if ended or time.monotonic() > give_up:
                    said = Path(str(self._directory), "log").read_text("utf-8", "replace")
                    self.stop()
                    raise RuntimeError(f"Azurite did not start:\n{said}") from None
            time.sleep(0.1)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
