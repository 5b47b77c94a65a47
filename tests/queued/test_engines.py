"""Real workers: Celery on Redis and on RabbitMQ, and the database worker of django-tasks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any, Iterator, List

import pytest

from tests.conftest import REQUIRE_REAL_S3

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES = 20


class Project:
    """A project in a directory of its own, with processes of its own."""

    def __init__(self, root: Any, database: Any, **given: Any) -> None:
        self.root = root
        for directory in ("local", "remote"):
            (root / directory).mkdir()
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
        )
        return json.loads(done.stdout)

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "django", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout.decode()

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

    def start_celery(self, *options: str) -> subprocess.Popen:
        return self.start_worker(
            *("celery", "-A", "tests.queued.project_celery", "worker", "-c", "2", "-l", "INFO"),
            *("--without-gossip", "--without-mingle", *options),
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


def sqlite(root: Any) -> Any:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(root / "db.sqlite3"),
        "OPTIONS": {"timeout": 60},
    }


def need(module: str) -> Any:
    if REQUIRE_REAL_S3 and module == "celery":
        return __import__(module)
    return pytest.importorskip(module)


@pytest.fixture
def make_project(tmp_path: Any) -> Iterator[Any]:
    made = []

    def make(**given: Any) -> Project:
        made.append(Project(tmp_path, given.pop("database"), **given))
        return made[-1]

    yield make
    for project in made:
        project.stop()


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: Any) -> Any:
    need("celery")
    return request.getfixturevalue(request.param)


def assert_delivered(project: Project, count: int = FILES) -> None:
    answer = project.client("wait", count)
    assert answer == {"states": {"done": count}, "wrong": []}, project.log()[-3000:]
    left = [name for _, _, names in os.walk(project.root / "local") for name in names]
    assert left == []


def test_celery_carries_files(make_project: Any, broker: Any, postgres: Any) -> None:
    project = make_project(database=postgres.create_database(), engine="celery", broker=broker.url)
    project.start_celery()
    project.client("save", 0, FILES)
    assert_delivered(project)
    assert project.log().count("smart_storages.queued.carry") >= FILES


def test_celery_workers_may_be_killed(make_project: Any, redis: Any, postgres: Any) -> None:
    need("celery")
    project = make_project(
        database=postgres.create_database(), engine="celery", broker=redis.url, lease=1.0
    )
    for number in range(4):
        worker = project.start_celery()
        project.client("save", number * 5, 5)
        until = time.monotonic() + 30
        while f"{number * 5}.bin" not in os.listdir(project.root / "remote"):
            assert time.monotonic() < until, project.log()[-3000:]
            time.sleep(0.01)
        project.kill(worker)
    project.start_celery()
    time.sleep(1.1)
    project.manage("transfers", "sweep", "--requeue-age", "0", "--orphan-age", "0")
    assert_delivered(project)


def test_a_save_does_not_wait_for_a_broker_that_is_down(
    make_project: Any, broker: Any, postgres: Any
) -> None:
    project = make_project(database=postgres.create_database(), engine="celery", broker=broker.url)
    broker.halt()
    try:
        assert project.client("save", 0, 3)["seconds"] < 3 * 4, "it waited for each"
    finally:
        broker.start()
    assert project.client("wait", 3, "0")["states"] == {"queued": 3}
    project.start_celery()
    assert "3 queued again" in project.manage("transfers", "sweep", "--requeue-age", "0")
    assert_delivered(project, 3)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: Any, tmp_path: Any) -> Any:
    if request.param == "sqlite":
        return sqlite(tmp_path)
    return request.getfixturevalue("postgres").create_database()


def tasks_project(make_project: Any, database: Any, **given: Any) -> Project:
    need("django_tasks_db")
    return make_project(
        database=database,
        engine="django",
        apps=["django_tasks_db"],
        tasks={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
        **given,
    )


def test_the_database_worker_carries_files(make_project: Any, database: Any) -> None:
    project = tasks_project(make_project, database)
    project.start_django_worker()
    project.client("save", 0, FILES)
    assert_delivered(project)


def test_a_message_holds_the_id_of_a_row_and_nothing_else(make_project: Any, tmp_path: Any) -> None:
    import sqlite3

    project = tasks_project(make_project, sqlite(tmp_path))
    project.client("save", 0, 1)
    with sqlite3.connect(str(tmp_path / "db.sqlite3")) as connection:
        ((table,),) = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%dbtaskresult'"
        )
        (row,) = connection.execute(f"SELECT args_kwargs, task_path FROM {table}")  # noqa: S608
    assert json.loads(row[0]) == {"args": [1], "kwargs": {}}
    assert row[1] == "smart_storages.queued.engines.carry_queued_file"


def test_a_message_of_celery_holds_the_id_and_nothing_else(
    make_project: Any, redis: Any, postgres: Any
) -> None:
    import base64

    need("celery")
    client = need("redis").Redis(port=redis.port)
    client.flushall()
    project = make_project(database=postgres.create_database(), engine="celery", broker=redis.url)
    project.client("save", 0, 1)
    (raw,) = client.lrange("celery", 0, -1)
    message = json.loads(raw)
    arguments, keywords, _ = json.loads(base64.b64decode(message["body"]))
    assert (arguments, keywords) == ([1], {})
    assert "scans" not in raw.decode()


def test_inline_carries_files_at_once(make_project: Any, tmp_path: Any) -> None:
    project = make_project(database=sqlite(tmp_path), engine="inline")
    project.client("save", 0, 3)
    assert project.client("wait", 3, "0") == {"states": {"done": 3}, "wrong": []}
