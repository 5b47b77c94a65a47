"""Two hosts that share a database, a broker and a bucket, but no disk: as docs/hosts.md says.

They are processes of one machine, each with a host name, a directory and a queue of its own.
"""

from __future__ import annotations

import os
from typing import Any, Iterator, List

import pytest

from tests.queued.conftest import need
from tests.queued.project import Project

pytestmark = pytest.mark.slow

HERE, THERE = "web-1", "web-2"
NOT_HERE = "its local copy is not on this host: it was saved on 'web-1'"


@pytest.fixture
def buckets(s3_bucket: Any) -> Any:
    place = {
        "bucket_name": s3_bucket.name,
        "endpoint_url": s3_bucket.endpoint_url,
        "access_key": s3_bucket.access_key,
        "secret_key": s3_bucket.secret_key,
        "region_name": s3_bucket.region_name,
        "provider": s3_bucket.server.name,
    }
    return {name: {**place, "location": f"{name}/"} for name in ("media", "staging")}


@pytest.fixture
def make_hosts(tmp_path: Any, redis: Any, postgres: Any, buckets: Any) -> Iterator[Any]:
    need("celery")
    made: List[Project] = []

    def make(**given: Any) -> List[Project]:
        common = {
            "database": postgres.create_database(),
            "broker": redis.url,
            "buckets": buckets,
            "remote": "media",
            **given,
        }
        made.extend(Project(tmp_path / name, host=name, **common) for name in (HERE, THERE))
        return made

    yield make
    for host in made:
        host.stop()


def left_on(host: Project) -> List[str]:
    return [name for _, _, names in os.walk(host.root / "local") for name in names]


def start_worker(host: Project, name: str) -> None:
    host.start_celery("-Q", f"transfers-{name}", "-n", f"worker@{name}", processes=1)


def sweep(host: Project) -> None:
    host.manage("transfers", "sweep", "--requeue-age", "0")


def test_each_host_transfers_what_it_has_saved_and_loses_nothing(make_hosts: Any) -> None:
    here, there = make_hosts(engine="tests.queued.project_engines.CeleryOnThisHost")
    here.client("save", 0, 5)
    there.client("save", 5, 5)
    start_worker(there, THERE)
    assert there.client("wait", 5) == {"states": {"done": 5, "queued": 5}, "wrong": []}
    assert here.client("read", 7) == {"right": True}
    assert here.client("read", 1) == {"right": True}
    assert NOT_HERE in there.client("read", 1)["error"]
    # A sweep there leaves them alone, and so does its worker.
    for _ in range(3):
        sweep(there)
    assert there.client("wait", 5, "0")["states"] == {"done": 5, "queued": 5}
    assert "is not on this host" not in there.log()
    there.client("delete", 4)
    assert "error" in here.client("read", 4)
    start_worker(here, HERE)
    sweep(here)
    assert here.client("wait", 9) == {"states": {"done": 9}, "wrong": []}, here.log()[-3000:]
    assert there.client("read", 1) == {"right": True}
    here.manage("transfers", "sweep", "--orphan-age", "0")
    assert (left_on(here), left_on(there)) == ([], [])


def test_with_a_staging_bucket_any_host_reads_and_transfers_at_once(make_hosts: Any) -> None:
    here, there = make_hosts(engine="celery", local="staging")
    here.client("save", 0, 5)
    assert there.client("read", 1) == {"right": True}
    # Only the other host has a worker, and only its sweep runs.
    start_worker(there, THERE)
    sweep(there)
    assert there.client("wait", 5) == {"states": {"done": 5}, "wrong": []}, there.log()[-3000:]
    assert here.client("read", 1) == {"right": True}
    assert (left_on(here), left_on(there)) == ([], [])
