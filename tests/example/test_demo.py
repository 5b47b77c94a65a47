"""``make demo`` from the outside: what it prints, and that it fails when it should."""

from __future__ import annotations

import re
import signal
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import urllib3
from botocore.exceptions import ClientError

from tests.example.conftest import DEMO_SECONDS, start_site
from tests.servers import CephGateway, S3Proxy, S3Server, free_port


def read_table(output: str) -> List[Dict[str, str]]:
    """The rows of the demo's table, by heading."""
    lines = output.splitlines()
    ruler = next(number for number, line in enumerate(lines) if line.startswith("----"))
    columns = [match.span() for match in re.finditer("-+", lines[ruler])]
    heads = [lines[ruler - 1][start:end].strip() for start, end in columns]
    rows = []
    for line in lines[ruler + 1 :]:
        if not line:
            break
        rows.append(dict(zip(heads, (line[start:end].strip() for start, end in columns))))
    return rows


def environment_of(server: S3Server, endpoint_url: str = "") -> Dict[str, str]:
    return {
        "S3_ENDPOINT_URL": endpoint_url or server.endpoint_url,
        "S3_PROVIDER": server.name,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "PRESS_BUCKET_PREFIX": f"demo-{uuid.uuid4().hex[:8]}",
    }


@pytest.mark.slow
def test_the_demo_needs_nothing_and_gets_every_file_back(run_demo: Callable[..., Any]) -> None:
    demo = run_demo()
    assert demo.returncode == 0, demo.stdout + demo.stderr
    rows = read_table(demo.stdout)
    assert all("bytes match" in row["Result"] for row in rows)
    assert {row["File"] for row in rows} >= {"lighthouse.jpg", "keeper-letter.pdf", "press.css"}
    assert len({row["Bucket"] for row in rows}) >= 4
    assert {row["Access"] for row in rows} == {"public", "signed", "site"}
    assert "proves nothing about access" in demo.stderr


@pytest.mark.slow
def test_the_demo_runs_without_any_s3(run_demo: Callable[..., Any], tmp_path: Path) -> None:
    demo = run_demo(PRESS_BACKEND="local")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    rows = read_table(demo.stdout)
    assert len({row["Bucket"] for row in rows}) >= 12
    signed = [row["Result"] for row in rows if row["Access"] == "signed"]
    assert len(signed) >= 10
    assert all(result.endswith("bytes match, 403 when unsigned") for result in signed)
    assert (tmp_path / "buckets" / "harbour-dev-wire-eu" / "gale-warning.txt").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["azure", "gcs", "memory"])
def test_the_demo_runs_on_another_backend(
    run_demo: Callable[..., Any], backend: str, request: Any
) -> None:
    if backend == "azure":
        request.getfixturevalue("azurite")  # skips where it is not installed
    if backend == "gcs":
        request.getfixturevalue("gcs")
    demo = run_demo(PRESS_BACKEND=backend)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    signed = [row["Result"] for row in read_table(demo.stdout) if row["Access"] == "signed"]
    assert len(signed) >= 10
    assert all("when unsigned" in result for result in signed)


def test_an_unknown_backend_is_told_of(run_demo: Callable[..., Any]) -> None:
    demo = run_demo(PRESS_BACKEND="disk")
    assert demo.returncode == 1
    assert "BACKEND must be one of azure, gcs, local, memory, s3, not 'disk'" in demo.stderr


@pytest.mark.slow
@pytest.mark.real_s3
def test_the_same_site_runs_on_another_server_by_environment_alone(
    run_demo: Callable[..., Any], ceph: S3Server, ceph_gateway: CephGateway
) -> None:
    # Personal data belongs to an identity of its own.
    other = ceph_gateway.create_user()
    env = environment_of(ceph)
    env.update(PII_ACCESS_KEY_ID=other.access_key, PII_SECRET_ACCESS_KEY=other.secret_key)
    for attempt in ("into new buckets", "into the same buckets again"):
        demo = run_demo(**env)
        assert demo.returncode == 0, attempt + demo.stdout + demo.stderr
        rows = read_table(demo.stdout)
        assert {row["Bucket"].rpartition("-media")[0] for row in rows} >= {
            env["PRESS_BUCKET_PREFIX"]
        }
        # Ceph checks who asks: every private file is refused to a link without its signature.
        signed = [row["Result"] for row in rows if row["Access"] == "signed"]
        assert signed
        assert all(result.endswith("403 when unsigned") for result in signed)
        assert "proves nothing" not in demo.stderr
        card = next(row for row in rows if row["Module"] == "pii")
        assert other.client().get_object(Bucket=card["Bucket"], Key=card["Key"])["ContentLength"]
        with pytest.raises(ClientError, match="AccessDenied"):
            ceph.client().get_object(Bucket=card["Bucket"], Key=card["Key"])


def test_a_narrow_window_gets_each_address_on_a_line_of_its_own() -> None:
    from demo import Row, lay_out

    url = "http://127.0.0.1:9000/acme-docs/2026/a.pdf?signed"
    row = Row("a.pdf", "documents", "acme-docs", "2026/a.pdf", "signed", url, "3 bytes match", True)
    wide = list(lay_out([row, row], None))
    assert len(wide) == 4
    assert wide == list(lay_out([row, row], max(map(len, wide)) + 2))
    narrow = list(lay_out([row, row], 80))
    assert [line.strip() for line in narrow].count(url.partition("?")[0] + "?...") == 2
    assert max(map(len, narrow)) <= 80


@pytest.mark.slow
def test_one_wrong_byte_fails_the_demo(run_demo: Callable[..., Any], moto_server: S3Server) -> None:
    with S3Proxy(moto_server.endpoint_url) as proxy:
        fault = proxy.inject(method="GET", path="berth-nine-interview", corrupt_at=100)
        demo = run_demo(**environment_of(moto_server, proxy.endpoint_url))
    assert fault.fired == 1
    assert demo.returncode == 1
    wrong = [row for row in read_table(demo.stdout) if "bytes match" not in row["Result"]]
    assert len(wrong) == 1
    assert wrong[0]["File"].startswith("berth-nine-interview")
    assert "1 of 25 files failed" in demo.stdout


@pytest.mark.slow
def test_a_server_that_is_not_there_is_named_without_a_traceback(
    run_demo: Callable[..., Any],
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    demo = run_demo(
        S3_ENDPOINT_URL=nowhere, AWS_ACCESS_KEY_ID="demo", AWS_SECRET_ACCESS_KEY="kept-to-itself"
    )
    assert demo.returncode == 1
    assert nowhere in demo.stderr
    assert "Traceback" not in demo.stderr
    assert "kept-to-itself" not in demo.stdout + demo.stderr


@pytest.mark.slow
@pytest.mark.real_s3
def test_wrong_keys_are_said_to_be_wrong_and_not_printed(
    run_demo: Callable[..., Any], ceph: S3Server
) -> None:
    env = environment_of(ceph)
    env.update(AWS_ACCESS_KEY_ID="nobody", AWS_SECRET_ACCESS_KEY="kept-to-itself")
    demo = run_demo(**env)
    assert demo.returncode == 1
    assert "Check the keys" in demo.stderr
    assert "Traceback" not in demo.stderr
    assert "kept-to-itself" not in demo.stdout + demo.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "end",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        signal.SIGKILL,
    ],
)
def test_a_demo_that_ends_takes_its_servers_with_it(tmp_path: Path, end: int) -> None:
    site = start_site(tmp_path)
    http = urllib3.PoolManager(retries=False, timeout=5)
    page = http.request("GET", site.address).data.decode()
    s3 = re.search(r"http://127\.0\.0\.1:\d+(?=/harbour-dev-static/)", page)
    assert s3 is not None
    site.process.send_signal(end)
    site.process.wait(timeout=DEMO_SECONDS)
    site.process.stdout.close()
    for address in (site.address, s3.group()):
        assert is_gone(http, address), address


def is_gone(http: urllib3.PoolManager, address: str) -> bool:
    """Whether the server at ``address`` stops answering before long."""
    end = time.monotonic() + DEMO_SECONDS
    while time.monotonic() < end:
        try:
            http.request("GET", address, headers={"Connection": "close"})
        except urllib3.exceptions.HTTPError:
            return True
    return False
