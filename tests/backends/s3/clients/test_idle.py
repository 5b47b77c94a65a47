"""Real sockets of this process, counted: few stay open after a burst, and none for long."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from botocore.config import Config

from smart_storages.backends.s3.clients import idle
from smart_storages.backends.s3.clients.credentials import CredentialSource
from smart_storages.backends.s3.clients.pool import ClientPool, Connection, freeze_client_config
from smart_storages.backends.s3.requests.http import fetch
from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.writer import put_body
from smart_storages.config.providers import PROVIDERS
from tests.conftest import Bucket
from tests.servers import S3Proxy, S3Server

# moto's server closes every connection by itself.
pytestmark = [
    pytest.mark.real_s3,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sockets are counted in /proc"),
]

THREADS = 40


def count_open(proxy: S3Proxy) -> int:
    """Return how many connections to a proxy this process holds."""
    mine = set()
    for fd in Path("/proc/self/fd").iterdir():
        try:
            mine.add(os.readlink(str(fd)))
        except OSError:  # the one that lists them
            continue
    port = proxy.endpoint_url.rpartition(":")[2]
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(
        f"socket:[{line[9]}]" in mine and int(line[2].rpartition(":")[2], 16) == int(port)
        for line in lines
    )


@pytest.fixture
def bucket(ceph: S3Server) -> Bucket:
    return Bucket(ceph.create_bucket(), ceph, ceph.client())


@pytest.fixture
def proxies(bucket: Bucket) -> Iterator[Any]:
    with S3Proxy(bucket.endpoint_url) as one, S3Proxy(bucket.endpoint_url) as other:
        yield one, other


@pytest.fixture
def targets(bucket: Bucket, proxies: Any) -> Any:
    """Two targets, of one client pool, each behind a proxy of its own."""
    pool = ClientPool()
    source = CredentialSource(bucket.access_key, bucket.secret_key)
    styles = freeze_client_config(Config(s3={"addressing_style": "path"}))

    def make(proxy: S3Proxy) -> Target:
        connection = Connection(
            source, bucket.region_name, proxy.endpoint_url, client_config=styles
        )
        client = pool.client(connection)
        return Target(bucket.name, lambda: client, provider=PROVIDERS["ceph"])

    bucket.put("k", b"content")
    return tuple(map(make, proxies))


def head(target: Target) -> None:
    fetch(target, "k", method="HEAD")


def write(target: Target) -> None:
    put_body(target, "k", b"content", {}, overwrite=True)


def burst(proxy: S3Proxy, target: Target, act: Callable[[Target], None]) -> None:
    """Make requests that are all under way at the same time."""
    act(target)  # what is asked once for each bucket is asked here
    proxy.reset()
    fault = proxy.inject(times=None, hold_answer=True)
    threads = [threading.Thread(target=act, args=(target,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while fault.fired < THREADS and time.monotonic() < deadline:
        time.sleep(0.01)
    assert count_open(proxy) == THREADS
    fault.resume.set()
    for thread in threads:
        thread.join()
    proxy.reset()


@pytest.mark.parametrize("act", [head, write])
def test_after_a_burst_few_sockets_stay_open_and_later_none(
    act: Any, proxies: Any, targets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    burst(proxies[0], targets[0], act)
    assert 1 <= count_open(proxies[0]) <= 16
    act(targets[0])
    assert proxies[0].connections == 0  # one of those that stayed was used
    # An earlier test may have looked from its own future.
    monkeypatch.setattr(idle._register, "_checked_at", 0.0)
    later = time.monotonic() + idle.IDLE_SECONDS + 1
    monkeypatch.setattr(idle, "monotonic", lambda: later)
    proxies[1].reset()
    act(targets[1])  # to another host
    assert count_open(proxies[0]) == 0
    assert count_open(proxies[1]) == 1, proxies[1].requests
    act(targets[0])
    assert count_open(proxies[0]) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_leaves_its_parents_sockets_alone(proxies: Any, targets: Any) -> None:
    head(targets[0])
    pid = os.fork()
    if pid == 0:  # pragma: no cover - in the child
        status = 1
        try:
            later = time.monotonic() + idle.IDLE_SECONDS + 1
            idle.monotonic = lambda: later
            head(targets[1])
            status = 0 if count_open(proxies[1]) else 2
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert count_open(proxies[0]) == 1
    proxies[0].reset()
    head(targets[0])
    assert proxies[0].connections == 0


@pytest.mark.parametrize(
    "act",
    [head, write, lambda target: target.client.head_object(Bucket=target.bucket, Key="k")],
    ids=["read", "write", "botocore"],
)
def test_a_connection_whose_socket_garbage_collection_has_closed_is_not_used(
    act: Any, proxies: Any, targets: Any
) -> None:
    act(targets[0])
    port = int(proxies[0].endpoint_url.rpartition(":")[2])
    kept = [
        connection
        for pool in list(idle._register._pools.values())
        for connection in getattr(pool.pool, "queue", ())  # it is None in a closed one
        if connection is not None and connection.port == port and connection.sock is not None
    ]
    assert kept
    for connection in kept:
        connection.sock.close()
    for _ in range(len(kept) + 1):
        act(targets[0])
    assert count_open(proxies[0]) == 1
