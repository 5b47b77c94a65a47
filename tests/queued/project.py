"""A small project with real parts, each of its processes a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any, List

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: Seconds that a process has before it counts as hanging.
_PATIENCE = 300


class Project:
    """A project in a directory of its own, with processes of its own."""

    def __init__(self, root: Any, database: Any, **given: Any) -> None:
        self.root = root
        for directory in ("local", "remote"):
            (root / directory).mkdir(parents=True)
        given = {"root": str(root), "database": database, **given}
        self.environment = {**os.environ, "PROJECT": json.dumps(given), "PYTHONPATH": ROOT}
        self.environment["DJANGO_SETTINGS_MODULE"] = "tests.queued.project_settings"
        self.workers: List[subprocess.Popen] = []
        self.client("migrate")

    def client(self, *arguments: Any) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "tests.queued.project_client", *map(str, arguments)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            check=True,
            timeout=_PATIENCE,
        )
        return json.loads(done.stdout)

    def manage(self, *arguments: str) -> str:
        done = self.run(*arguments)
        done.check_returncode()
        return done.stdout.decode()

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run a command that may fail, and return how it ended."""
        return subprocess.run(
            [sys.executable, "-m", "django", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )

    def start_worker(self, *command: str) -> subprocess.Popen:
        with open(self.root / "worker.log", "ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def start_celery(self, *options: str, processes: int = 2) -> subprocess.Popen:
        return self.start_worker(
            *("celery", "-A", "tests.queued.project_celery", "worker", "-c", str(processes)),
            *("-l", "INFO", "--without-gossip", "--without-mingle", *options),
        )

    def start_django_worker(self) -> subprocess.Popen:
        return self.start_worker(
            "django", "db_worker", "--interval", "0.1", "--no-startup-delay", "--no-reload"
        )

    def log(self) -> str:
        path = self.root / "worker.log"
        return path.read_text() if path.exists() else ""

    @staticmethod
    def kill(worker: subprocess.Popen, sent: signal.Signals = signal.SIGKILL) -> None:
        if worker.poll() is None:
            os.killpg(worker.pid, sent)
            worker.wait(30)

    def stop(self) -> None:
        for worker in self.workers:
            self.kill(worker)
