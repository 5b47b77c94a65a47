"""Processes are killed while they work; afterwards nothing is lost and nothing comes back.

`make test` has a short run, `.ci/run` one of each kind, `make soak` the long ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from smart_storages.queued.ledger.crash_points import STEPS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def crash(root: Any, *arguments: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.queued.crash", "--root", str(root), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["violations"] == [], done.stdout.decode()
    return report


def s3(server: Any) -> str:
    bucket = server.create_bucket()
    return json.dumps(
        {
            "bucket_name": bucket,
            "endpoint_url": server.endpoint_url,
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "region_name": server.region_name,
        }
    )


@pytest.mark.slow
def test_killed_a_few_times_everything_committed_arrives(tmp_path: Any) -> None:
    report = crash(tmp_path, "--kills", "30")
    assert report["kills"] >= 30
    assert report["files_at_the_end"] > 0


@pytest.mark.slow
def test_killed_on_sqlite_everything_committed_arrives(tmp_path: Any) -> None:
    report = crash(tmp_path, "--kills", "110")
    assert report["kills"] >= 110


@pytest.mark.slow
def test_killed_on_postgresql_everything_committed_arrives(tmp_path: Any, postgres: Any) -> None:
    database = json.dumps(postgres.create_database())
    report = crash(tmp_path, "--kills", "150", "--database", database)
    assert report["kills"] >= 150


@pytest.mark.slow
def test_killed_with_s3_as_the_remote_everything_committed_arrives(
    tmp_path: Any, postgres: Any, s3_server: Any
) -> None:
    database = json.dumps(postgres.create_database())
    # A request that a server has already may outlive the process that sent it.
    environment = {"CRASH_S3": s3(s3_server), "CRASH_LEASE": "1.5"}
    crash(tmp_path, "--kills", "60", "--database", database, **environment)


@pytest.mark.slow
def test_killed_at_every_named_step_everything_committed_arrives(
    tmp_path: Any, postgres: Any
) -> None:
    database = json.dumps(postgres.create_database())
    report = crash(tmp_path, "--each-step", "1", "--database", database)
    assert set(report["kills_by_step"]) >= set(STEPS)


@pytest.mark.slow
def test_stopped_past_their_lease_and_killed_everything_committed_arrives(
    tmp_path: Any, postgres: Any
) -> None:
    database = json.dumps(postgres.create_database())
    # Longer than the others': a stall of two leases is more than is promised.
    environment = {"CRASH_STOPPED": "0.35", "CRASH_LEASE": "1.2"}
    report = crash(tmp_path, "--kills", "60", "--database", database, **environment)
    assert report["stops"] > 0


@pytest.mark.soak
def test_two_thousand_kills(tmp_path: Any, postgres: Any) -> None:
    for part in range(4):
        root = tmp_path / str(part)
        root.mkdir()
        database = json.dumps(postgres.create_database())
        where = [] if part == 3 else ["--database", database]
        report = crash(root, "--kills", "500", *where)
        assert report["kills"] >= 500


@pytest.mark.soak
def test_five_hundred_kills_of_workers_stopped_past_their_lease(
    tmp_path: Any, postgres: Any
) -> None:
    database = json.dumps(postgres.create_database())
    crash(tmp_path, "--kills", "500", "--database", database, CRASH_STOPPED="0.35")
