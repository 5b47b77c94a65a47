"""nginx in front of a site of a test, with the locations that ``docs/serving.md`` shows."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Optional

import urllib3

from tests.servers.base import Startable, free_port

__all__ = ["INSTALL", "Nginx", "nginx_program"]

INSTALL = "apt-get install nginx-light"
_PATIENCE = 30.0
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "serving.md"

_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/1;
    proxy_temp_path {directory}/2;
    fastcgi_temp_path {directory}/3;
    uwsgi_temp_path {directory}/4;
    scgi_temp_path {directory}/5;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {site};
            proxy_set_header Host $http_host;
        }}
{locations}
    }}
}}
"""


def nginx_program() -> Optional[str]:
    """The path of its program, ``None`` if it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def documented_locations(files: str) -> str:
    """The block of the page, with the directory of a test in the place of the example's."""
    [block] = re.findall(r"^```nginx\n(.*?)^```", _PAGE.read_text("utf-8"), re.M | re.S)
    assert "/srv/media/" in block
    return str(block).replace("/srv/media/", f"{files}/")


class Nginx(Startable["Nginx"]):
    """Start with ``with Nginx(site, files) as nginx`` or ``start()`` and ``stop()``.

    Args:
        site: Address of the site that it passes requests to.
        files: The directory of local files.
    """

    def __init__(self, site: str, files: str) -> None:
        self._site = site
        self._files = files
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._directory: Optional[str] = None
        self.url = ""

    def start(self) -> Nginx:
        program = nginx_program()
        if program is None:
            raise RuntimeError(f"nginx is not installed: {INSTALL}")
        self._directory = tempfile.mkdtemp(prefix="nginx-")
        port = free_port()
        configuration = Path(self._directory, "nginx.conf")
        configuration.write_text(
            _CONFIGURATION.format(
                directory=self._directory,
                port=port,
                site=self._site.rstrip("/"),
                locations=documented_locations(self._files),
            )
        )
        # Started by root, its workers would be another user's, who does not see a test's files.
        more = ["-g", "user root;"] if os.getuid() == 0 else []
        self._process = subprocess.Popen(
            [program, "-c", str(configuration), *more],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.url = f"http://127.0.0.1:{port}"
        self._wait()
        return self

    def _wait(self) -> None:
        give_up = time.monotonic() + _PATIENCE
        http = urllib3.PoolManager(retries=False)
        while True:
            try:
                http.request("GET", f"{self.url}/smart-storages/object")
                return
            except urllib3.exceptions.HTTPError:
                ended = self._process is not None and self._process.poll() is not None
                if ended or time.monotonic() > give_up:
                    said = Path(str(self._directory), "error.log")
                    text = said.read_text("utf-8", "replace") if said.exists() else ""
                    self.stop()
                    raise RuntimeError(f"nginx did not start:\n{text}") from None
            time.sleep(0.05)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
