"""Brokers and a database for the queue's tests: Redis, RabbitMQ, PostgreSQL, one process each.

Each picks free ports and a directory of its own, and stops what it has started by its id. The id
is in the directory: a copy of the object in another process can halt and start the server, too.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import psutil

from tests.servers.base import free_port

__all__ = ["Postgres", "RabbitMQ", "Redis", "UnavailableError"]

_PATIENCE = 60.0


class UnavailableError(RuntimeError):
    """The server is not installed, or does not start here."""


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if ready():
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise UnavailableError(f"{process.args!r} did not start:\n{log.read_text()[-2000:]}")


def _wait_for_end(pid: int) -> None:
    """Wait until a process has ended, be it another process's child."""
    until = time.monotonic() + _PATIENCE
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until, f"{process} does not end"
            time.sleep(0.02)


class _Server:
    """Start with ``with``, or with ``start()`` and ``stop()``; ``start()`` again restarts it."""

    package = ""
    programs: List[str] = []

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="q-"))
        self.port = free_port()

    @property
    def _pid_file(self) -> Path:
        return self.directory / "process-id"

    @classmethod
    def missing(cls) -> str:
        """What to install, empty if it is there."""
        lacking = [each for each in cls.programs if not cls._find(each)]
        return f"apt-get install {cls.package}" if lacking else ""

    @staticmethod
    def _find(program: str) -> Optional[str]:
        return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")

    def _run(self, *command: str, **options: Any) -> None:
        log = self.directory / "log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [self._find(command[0]) or command[0], *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        self._pid_file.write_text(str(process.pid))
        _wait(self.is_ready, process, log)

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> Any:
        raise NotImplementedError

    def halt(self, sent: signal.Signals = signal.SIGKILL) -> None:
        """Stop the server and leave its data, so that it can be started again."""
        if self._pid_file.exists():
            pid = int(self._pid_file.read_text())
            self._pid_file.unlink()
            with suppress(ProcessLookupError):
                os.killpg(pid, sent)
            _wait_for_end(pid)

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


class Redis(_Server):
    """A Redis that keeps nothing; ``url`` is what Celery is told."""

    package = "redis-server"
    programs = ["redis-server", "redis-cli"]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._run(
            "redis-server",
            *("--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", str(self.directory)),
        )

    def is_ready(self) -> bool:
        command = ["redis-cli", "-p", str(self.port), "ping"]
        return b"PONG" in subprocess.run(command, capture_output=True, check=False).stdout


class RabbitMQ(_Server):
    """A RabbitMQ node of its own name, beside any other on the machine."""

    package = "rabbitmq-server"
    programs = ["rabbitmq-server", "epmd"]

    def __init__(self) -> None:
        super().__init__()
        self._names_port = free_port()

    def stop(self) -> None:
        super().stop()
        # Erlang's name server outlives the node that started it.
        command = [str(self._find("epmd")), "-port", str(self._names_port), "-kill"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        directory = str(self.directory)
        environment: Dict[str, str] = {
            **os.environ,
            "RABBITMQ_NODENAME": f"tests-{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": directory,
            "RABBITMQ_LOG_BASE": directory,
            "RABBITMQ_PID_FILE": f"{directory}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/plugins",
            "RABBITMQ_CONFIG_FILE": f"{directory}/none",
            "ERL_EPMD_PORT": str(self._names_port),
            "HOME": directory,
        }
        # The script of Debian changes to the user rabbitmq; the server itself need not.
        found = sorted(Path("/usr/lib/rabbitmq").glob("lib/rabbitmq_server-*/sbin/rabbitmq-server"))
        self._run(str(found[-1]) if found else "rabbitmq-server", env=environment)

    def is_ready(self) -> bool:
        import socket

        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                connection.settimeout(5)
                return len(connection.recv(8)) > 0
        except OSError:
            return False


class Postgres(_Server):
    """A PostgreSQL cluster of its own; ``create_database()`` gives Django's settings for one."""

    package = "postgresql"
    programs = ["psql"]

    @classmethod
    def binaries(cls) -> Optional[Path]:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        return found[-1].parent if found else None

    @classmethod
    def missing(cls) -> str:
        return "" if cls.binaries() else f"apt-get install {cls.package}"

    def _as_user(self, *command: str) -> List[str]:
        # PostgreSQL refuses to run as root.
        if os.getuid() != 0:
            return list(command)
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]

    def start(self) -> None:
        binaries = self.binaries()
        assert binaries is not None
        data = self.directory / "data"
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        if not data.exists():
            subprocess.run(
                self._as_user(
                    *(str(binaries / "initdb"), "-D", str(data), "-U", "tests", "-A", "trust"),
                    "--no-sync",
                ),
                check=True,
                stdout=subprocess.DEVNULL,
                cwd="/",
            )
        command = self._as_user(
            *(str(binaries / "postgres"), "-D", str(data), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data}"),
            *("-c", "fsync=off", "-c", "max_connections=200"),
        )
        self._run(*command, cwd="/")

    def is_ready(self) -> bool:
        binaries = self.binaries()
        command = [f"{binaries}/pg_isready", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0

    def create_database(self) -> Dict[str, Any]:
        """Create a database and return its entry for ``DATABASES``."""
        name = f"db_{uuid.uuid4().hex[:12]}"
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "tests"]
        subprocess.run([f"{self.binaries()}/createdb", *place, name], check=True)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "NAME": name,
            "USER": "tests",
        }

    def stop(self) -> None:
        self.halt(signal.SIGQUIT)
        super().stop()
