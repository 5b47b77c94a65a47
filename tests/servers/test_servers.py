"""The servers start, keep users apart, and end with the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, ContextManager, List

import boto3
import botocore.exceptions
import pytest
from storages.backends.s3boto3 import S3Boto3Storage

from tests import conftest
from tests.conftest import Bucket
from tests.servers import CephGateway, CephUnavailableError, Exchange, MotoServer, S3Server
from tests.servers.ceph import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.05)


def test_a_bucket_holds_what_is_put_into_it(s3_bucket: Bucket) -> None:
    s3_bucket.put("a/b", b"1")
    assert s3_bucket.keys() == ["a/b"]
    assert s3_bucket.keys("c") == []
    assert s3_bucket.get("a/b") == b"1"


def test_each_test_has_a_bucket_of_its_own(s3_bucket: Bucket) -> None:
    assert s3_bucket.keys() == []


def test_settings_lead_to_the_bucket(s3_settings: Any, s3_bucket: Bucket) -> None:
    storage = S3Boto3Storage()
    storage.connection.Object(storage.bucket_name, "k").put(Body=b"1")
    assert s3_bucket.get("k") == b"1"


def test_requests_of_a_storage_are_counted(
    count_requests: Callable[[], ContextManager[List[Exchange]]], s3_bucket: Bucket
) -> None:
    s3_bucket.put("k", b"1")
    storage = S3Boto3Storage(file_overwrite=False)  # or 1.14.4 would not ask
    with count_requests() as requests:
        assert storage.exists("k")
    assert [(request.method, request.path) for request in requests] == [
        ("HEAD", f"/{s3_bucket.name}/k")
    ]


def test_no_credentials_of_the_machine_are_found(moto_server: S3Server) -> None:
    assert boto3.session.Session().get_credentials() is None
    with pytest.raises(botocore.exceptions.NoCredentialsError):
        boto3.session.Session().client(
            "s3", endpoint_url=moto_server.endpoint_url, region_name="us-east-1"
        ).list_buckets()


@pytest.mark.real_s3
def test_users_of_the_gateway_do_not_see_each_other(
    ceph: S3Server, ceph_gateway: CephGateway
) -> None:
    bucket = ceph.create_bucket()
    other = ceph_gateway.create_user()
    assert other.endpoint_url == ceph.endpoint_url
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        other.client().list_objects_v2(Bucket=bucket)
    other.create_bucket()


@pytest.mark.slow
@pytest.mark.real_s3
def test_a_gateway_ends_with_a_run_that_is_killed(ceph: S3Server) -> None:
    code = (
        "import sys; from tests.servers import CephGateway; gateway = CephGateway();"
        "gateway.start(); print(gateway._directory, flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=str(ROOT), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    directory = Path(child.stdout.readline().decode().strip())
    pids = [int(file.read_text()) for file in directory.glob("run/*.pid")]
    assert len(pids) == 3
    child.kill()
    child.communicate()
    wait_until(lambda: not directory.exists())
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_moto_ends_with_a_run_that_is_killed() -> None:
    code = (
        "import sys; from tests.servers import MotoServer; server = MotoServer();"
        "server.start(); print(server._process.pid, flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=str(ROOT), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    assert is_running(pid)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    wait_until(lambda: not is_running(pid))


def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="did not start"):
        MotoServer().start()


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CephUnavailableError, match=", ".join(PROGRAMS)):
        CephGateway().start()


def is_running(pid: int) -> bool:
    """Whether it runs; a zombie, which nobody has waited for, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Item:
    """A test that runs against a server, as pytest has collected it."""

    def __init__(self, server: str, *, marked: bool) -> None:
        self.nodeid = f"test_{'one' if marked else 'each'}[{server}-1]"
        self.callspec = SimpleNamespace(params={"s3_server": server})
        self.get_closest_marker = lambda name: marked or None


@pytest.mark.parametrize(
    ("marks", "missing", "required", "kept"),
    [
        ("not slow", "", False, "ceph"),
        ("not slow", "radosgw", False, "moto"),
        ("not slow", "radosgw", True, "ceph"),  # and fails there, because it is required
        ("not slow and not real_s3", "", False, "moto"),
    ],
)
def test_what_needs_one_server_runs_against_ceph_unless_it_is_not_used(
    monkeypatch: pytest.MonkeyPatch, marks: str, missing: str, required: bool, kept: str
) -> None:
    monkeypatch.setattr(conftest, "missing_programs", lambda: missing)
    monkeypatch.setattr(conftest, "REQUIRE_REAL_S3", required)
    monkeypatch.setattr(conftest, "THOROUGH", True)
    items: Any = [
        Item(each, marked=marked) for each in ("moto", "ceph") for marked in (True, False)
    ]
    plain = [item for item in items if not item.get_closest_marker("one_server")]
    gone: List[Any] = []
    hook = SimpleNamespace(pytest_deselected=lambda *, items: gone.extend(items))
    config: Any = SimpleNamespace(getoption=lambda name: marks, hook=hook)
    conftest.pytest_collection_modifyitems(config, items)
    left = [item.callspec.params["s3_server"] for item in items if item not in plain]
    assert left == [kept]
    assert set(plain) < set(items)
    assert len(gone) == 1


def test_what_takes_each_server_runs_against_ceph_alone_unless_the_run_is_thorough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conftest, "missing_programs", lambda: "")
    monkeypatch.setattr(conftest, "THOROUGH", False)
    items: Any = [Item("moto", marked=False), Item("ceph", marked=False)]
    only_moto: Any = Item("moto", marked=False)
    only_moto.nodeid = "test_other[moto-1]"
    items.append(only_moto)
    hook = SimpleNamespace(pytest_deselected=lambda *, items: None)
    config: Any = SimpleNamespace(getoption=lambda name: "not slow", hook=hook)
    conftest.pytest_collection_modifyitems(config, items)
    assert [item.nodeid for item in items] == ["test_each[ceph-1]", "test_other[moto-1]"]


def test_where_ceph_is_missing_its_tests_are_skipped_and_not_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conftest, "missing_programs", lambda: "radosgw")
    monkeypatch.setattr(conftest, "REQUIRE_REAL_S3", False)
    monkeypatch.setattr(conftest, "THOROUGH", False)
    items: Any = [Item("moto", marked=False), Item("ceph", marked=False)]
    hook = SimpleNamespace(pytest_deselected=lambda *, items: None)
    config: Any = SimpleNamespace(getoption=lambda name: "not slow", hook=hook)
    conftest.pytest_collection_modifyitems(config, items)
    assert [item.nodeid for item in items] == ["test_each[moto-1]", "test_each[ceph-1]"]
