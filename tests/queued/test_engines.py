"""Real workers: Celery on Redis and on RabbitMQ, and the database worker of django-tasks."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, Iterator

import pytest

from smart_storages.backends.s3.bulk import run_many
from tests.conftest import Bucket
from tests.queued import conftest
from tests.queued.conftest import need
from tests.queued.project import Project

FILES = 20


def sqlite(root: Any) -> Any:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(root / "db.sqlite3"),
        "OPTIONS": {"timeout": 60},
    }


@pytest.mark.parametrize("module", ["celery", "redis", "django_tasks_db"])
def test_a_package_that_is_missing_is_a_failure_where_everything_is_required(
    module: str, monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(conftest, "REQUIRE_REAL_S3", True)
    monkeypatch.setattr(conftest, "_NOT_MADE_FOR_IT", ())
    with pytest.raises(ImportError):
        need(module)
    monkeypatch.setattr(conftest, "REQUIRE_REAL_S3", False)
    with pytest.raises(pytest.skip.Exception):
        need(module)


@pytest.fixture
def make_project(tmp_path: Any) -> Iterator[Any]:
    made = []

    def make(**given: Any) -> Project:
        made.append(Project(tmp_path, given.pop("database"), **given))
        return made[-1]

    yield make
    for project in made:
        project.stop()


# Each starts many processes: one of a kind is enough for `make test`, `make slow` has the others.


@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.slow)])
def broker(request: Any) -> Any:
    need("celery")
    return request.getfixturevalue(request.param)


def assert_delivered(project: Project, count: int = FILES) -> None:
    answer = project.client("wait", count)
    assert answer == {"states": {"done": count}, "wrong": []}, project.log()[-3000:]
    left = [name for _, _, names in os.walk(project.root / "local") for name in names]
    assert left == []


@pytest.mark.slow
def test_celery_carries_files_and_a_save_does_not_wait_for_a_broker_that_is_down(
    make_project: Any, broker: Any, postgres: Any
) -> None:
    project = make_project(database=postgres.create_database(), engine="celery", broker=broker.url)
    broker.halt()
    try:
        assert project.client("save", 0, 3) == {"pauses": []}
    finally:
        broker.start()
    assert project.client("wait", 3, "0")["states"] == {"queued": 3}
    project.start_celery()
    assert "3 queued again" in project.manage("transfers", "sweep", "--requeue-age", "0")
    project.client("save", 3, FILES - 3)
    assert_delivered(project)
    assert project.log().count("smart_storages.queued.carry") >= FILES


@pytest.mark.slow
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


@pytest.mark.slow
def test_celery_workers_share_the_pages_of_a_copy_and_may_be_killed(
    make_project: Any, redis: Any, postgres: Any, moto_bucket: Any
) -> None:
    need("celery")
    server, other = moto_bucket.server, moto_bucket.server.create_bucket()
    entry = {
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "endpoint_url": server.endpoint_url,
        "provider": server.name,
    }
    project = make_project(
        database=postgres.create_database(),
        engine="celery",
        broker=redis.url,
        lease=1.0,
        buckets={
            "photos": {**entry, "bucket_name": moto_bucket.name},
            "archive": {**entry, "bucket_name": other},
        },
    )
    count = 3_300
    pairs = [(f"{number:05}.txt", b"%d" % number) for number in range(count)]
    list(run_many(lambda pair: moto_bucket.put(*pair), pairs, threads=8))
    copy = ("buckets", "copy", "photos", "archive", "--queue", "--json")
    assert json.loads(project.manage(*copy, "--no-wait"))["open"] == 4
    copied = Bucket(other, server, moto_bucket.client)
    worker = project.start_celery()
    until = time.monotonic() + 60
    while not copied.keys():
        assert time.monotonic() < until, project.log()[-3000:]
        time.sleep(0.05)
    project.kill(worker)
    assert len(copied.keys()) < count, "it was killed too late to show anything"
    time.sleep(1.1)
    project.start_celery()
    project.manage("transfers", "sweep", "--requeue-age", "0")
    answer = json.loads(project.manage(*copy))
    assert (answer["open"], answer["failed"], answer["failures"]) == (0, 0, {})
    assert answer["copied"] + answer["same"] == count
    found = copied.keys()
    assert {key: copied.get(key) for key in found} == dict(pairs)


@pytest.fixture
def silent() -> Iterator[Any]:
    """A port that takes connections and never says a word; ``taken`` is the list of them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list = []

        def take() -> None:
            with suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield SimpleNamespace(port=server.getsockname()[1], taken=taken)
        server.shutdown(socket.SHUT_RDWR)
        thread.join(30)
        for connection in taken:
            connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["amqp", pytest.param("redis", marks=pytest.mark.slow)])
def test_a_broker_that_never_answers_holds_up_neither_saves_nor_sweeps(
    make_project: Any, tmp_path: Any, silent: Any, protocol: str
) -> None:
    need("celery")
    need("redis")
    url = f"{protocol}://127.0.0.1:{silent.port}//"
    project = make_project(database=sqlite(tmp_path), engine="celery", broker=url)
    project.client("save", 0, 5)
    assert project.client("wait", 5, "0") == {"states": {"queued": 5}, "wrong": []}
    assert len(silent.taken) == 1, "a broker that was silent is left alone for a while"
    swept = project.run("transfers", "sweep", "--requeue-age", "0")
    assert b"0 queued again." in swept.stdout
    assert b"5 could not be queued" in swept.stderr
    assert swept.returncode != 0
    assert len(silent.taken) == 2


@pytest.fixture(params=["postgres", pytest.param("sqlite", marks=pytest.mark.slow)])
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


@pytest.mark.slow
def test_the_database_worker_carries_files(make_project: Any, database: Any) -> None:
    project = tasks_project(make_project, database)
    project.start_django_worker()
    project.client("save", 0, FILES)
    assert_delivered(project)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_inline_carries_files_at_once(make_project: Any, tmp_path: Any) -> None:
    project = make_project(database=sqlite(tmp_path), engine="inline")
    project.client("save", 0, 3)
    assert project.client("wait", 3, "0") == {"states": {"done": 3}, "wrong": []}
