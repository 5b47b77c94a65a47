"""OpenSSH's server on loopback, with keys of its own, for tests of the backend sftp."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Dict, Optional

from tests.servers.base import Startable, free_port

__all__ = ["INSTALL", "Sshd", "sshd_program"]

INSTALL = "tests/servers/install.sh openssh-server"
_PATIENCE = 30.0
#: sshd wants its absolute path, and /usr/sbin is not in everybody's PATH.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"

_CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {directory}/host_key
PidFile none
AuthorizedKeysFile {directory}/user_key.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding no
X11Forwarding no
MaxStartups 100
Subsystem sftp internal-sftp {options}
"""


def sshd_program() -> Optional[str]:
    """The path of its program, ``None`` if it is not installed."""
    return shutil.which("sshd", path=_PATH)


class Sshd(Startable["Sshd"]):
    """Start with ``with Sshd() as sshd`` or ``start()`` and ``stop()``; runs as whoever starts it.

    Args:
        options: Options of its SFTP server, such as ``-P posix-rename`` to lack that extension.
    """

    def __init__(self, options: str = "") -> None:
        self._options = options
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.directory = ""
        self.port = 0
        self.username = getpass.getuser()

    def __getstate__(self) -> Dict[str, Any]:
        # A copy in another process leads to the same server.
        return {**vars(self), "_process": None}

    @property
    def known_hosts(self) -> str:
        """The file of known hosts that has its key."""
        return f"{self.directory}/known_hosts"

    @property
    def params(self) -> Dict[str, Any]:
        """What paramiko connects with."""
        return {
            "port": self.port,
            "username": self.username,
            "key_filename": f"{self.directory}/user_key",
            "allow_agent": False,
            "look_for_keys": False,
        }

    def options(self, **more: Any) -> Dict[str, Any]:
        """The options of a module with an empty directory of its own, below `directory`."""
        return {
            "backend": "sftp",
            "host": "127.0.0.1",
            "params": self.params,
            "known_host_file": self.known_hosts,
            "root_path": f"{self.directory}/files/{uuid.uuid4().hex}",
            **more,
        }

    def start(self) -> Sshd:
        program = sshd_program()
        if program is None:
            raise RuntimeError(f"OpenSSH's server is not installed: {INSTALL}")
        self.directory = tempfile.mkdtemp(prefix="sshd-")
        self.port = free_port()
        for name in ("host_key", "user_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.directory}/{name}"],
                check=True,
                stdin=subprocess.DEVNULL,
            )
        key = Path(self.directory, "host_key.pub").read_text("ascii")
        self.write_known_hosts(self.known_hosts, key)
        if os.geteuid() == 0:
            # Where it gives up its rights; without an init system nobody has made it.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._run(program)
        return self

    def write_known_hosts(self, path: str, key: str) -> None:
        """Write a file that knows a key as that of this server."""
        Path(path).write_text(f"[127.0.0.1]:{self.port} {key}", "ascii")

    def _run(self, program: str) -> None:
        config = Path(self.directory, "sshd_config")
        text = _CONFIG.format(port=self.port, directory=self.directory, options=self._options)
        config.write_text(text, "ascii")
        log = Path(self.directory, "log").open("wb")  # noqa: SIM115 - closed below
        self._process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        self._wait()

    def _wait(self) -> None:
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                ended = self._process is not None and self._process.poll() is not None
                if ended or time.monotonic() > give_up:
                    said = Path(self.directory, "log").read_text("utf-8", "replace")
                    self.stop()
                    raise RuntimeError(f"OpenSSH's server did not start:\n{said}") from None
            time.sleep(0.05)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait()
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
