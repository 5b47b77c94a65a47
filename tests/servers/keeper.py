"""One server of each kind for a whole test run, however many processes the run has.

The first process of a run starts a keeper, a process of its own. Whichever process needs a server
first has the keeper start it; the others are given the same one. The keeper ends when the run
does, also when that is killed, and then leaves nothing behind: it stops what it has started, and
kills every process that inherited the run's mark in its environment, such as a site, a browser or
workers of a test that did not get to its end.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import psutil

from tests.servers.azurite import Azurite
from tests.servers.base import Startable
from tests.servers.ceph import CephGateway
from tests.servers.gcs import GoogleStorage
from tests.servers.moto import MotoServer
from tests.servers.queues import Postgres, RabbitMQ, Redis
from tests.servers.sshd import Sshd

__all__ = ["Keeper", "ask_for", "exclusive", "run_directory"]

#: Names the run in the environment of its processes, and is the directory of its keeper.
MARK = "SMART_STORAGES_TEST_RUN"

#: Set where a test run uses the servers of the run that started it, see ``__main__.py``.
JOIN = "SMART_STORAGES_JOIN_TEST_RUN"

KINDS: Dict[str, Callable[[], Any]] = {
    "moto": MotoServer,
    "ceph": CephGateway,
    "redis": Redis,
    "rabbitmq": RabbitMQ,
    "postgres": Postgres,
    "azurite": Azurite,
    "sshd": Sshd,
    "gcs": GoogleStorage,
}

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 120.0


class Keeper(Startable[None]):
    """The keeper as the first process of a run sees it."""

    def __init__(self) -> None:
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._before = os.environ.get(MARK)

    def start(self) -> None:
        """Start it. It is ready before long: `ask_for` waits."""
        # In /tmp and not in tmp_path: the path of a UNIX socket must stay short.
        directory = tempfile.mkdtemp(prefix="run-")
        # PostgreSQL, which does not run as root, must get to its directory below.
        os.chmod(directory, 0o711)  # noqa: S103 - to pass through, not to list
        os.environ[MARK] = directory
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.keeper", directory],
            cwd=str(_ROOT),
            # Its end of this pipe is how it learns that the run is over, whatever ended it.
            stdin=subprocess.PIPE,
            # Ctrl-C is for the tests; servers must outlive their last requests.
            start_new_session=True,
        )

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if self._before is None:
            del os.environ[MARK]
        else:
            os.environ[MARK] = self._before
        process.communicate()


def run_directory() -> Path:
    """A directory for what the processes of a run share; it goes when the run ends."""
    return Path(os.environ[MARK])


def ask_for(kind: str) -> Any:
    """The run's server of a kind (see `KINDS`), started if it was not; raises what that raised."""
    address = str(run_directory() / "socket")
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            connection = Client(address, family="AF_UNIX")
            break
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)
    with connection:
        connection.send(kind)
        answer = connection.recv()
    if isinstance(answer, Exception):
        raise answer
    return answer


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Wait until no other process of the run is within a block of this name."""
    with (run_directory() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed, or the process ends
        yield


# The keeper's own process


class _Servers:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks = {kind: threading.Lock() for kind in KINDS}
        self._answers: Dict[str, Any] = {}
        self._to_stop: List[Any] = []

    def give(self, kind: str) -> Any:
        """The server, or the exception that its start ended in; also to whoever asks later."""
        with self._locks[kind]:
            if kind not in self._answers:
                server = KINDS[kind]()
                with self._lock:
                    self._to_stop.append(server)
                try:
                    server.start()
                except Exception as error:
                    traceback.print_exc()
                    self._answers[kind] = error
                else:
                    self._answers[kind] = server
            return self._answers[kind]

    def stop(self) -> None:
        with self._lock:
            for server in self._to_stop:
                try:
                    server.stop()
                except Exception:
                    traceback.print_exc()


def _serve(listener: Listener, servers: _Servers) -> None:
    def answer(connection: Connection) -> None:
        with connection, suppress(EOFError, OSError):  # who asked may be gone
            connection.send(servers.give(connection.recv()))

    while True:
        with suppress(OSError, EOFError):
            threading.Thread(target=answer, args=(listener.accept(),), daemon=True).start()


def kill_marked(mark: str) -> None:
    """Kill every process but this one that was started with the mark in its environment."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        found = [
            process
            for process in psutil.process_iter(["environ", "status"])
            if process.pid != os.getpid()
            and process.info["status"] != psutil.STATUS_ZOMBIE
            and (process.info["environ"] or {}).get(MARK) == mark
        ]
        if not found:
            return
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.05)


def main(directory: str) -> None:
    """Give servers until standard input ends."""
    # What the servers write goes with the directory.
    tempfile.tempdir = directory
    servers = _Servers()
    listener = Listener(str(Path(directory) / "socket"), family="AF_UNIX", backlog=64)
    threading.Thread(target=_serve, args=(listener, servers), daemon=True).start()
    sys.stdin.buffer.read()
    servers.stop()
    kill_marked(directory)
    listener.close()
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
