"""Which requests are sent directly, and what direct clients keep and share."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest
from botocore.exceptions import ClientError

from smart_storages.backends.s3.clients import direct
from smart_storages.backends.s3.requests.http import fetch
from smart_storages.backends.s3.target import Target
from smart_storages.exceptions import (
    ObjectNotFoundError,
)
from tests.backends.s3.conftest import is_direct, make_client, read
from tests.conftest import Bucket
from tests.servers import S3Proxy, S3Server
from tests.threads import run_in_threads

ROOT = Path(__file__).resolve().parents[4]


class TestWhatTheClientCarries:
    def test_a_customer_key(self, s3_bucket: Bucket, client: Any, proxy: S3Proxy) -> None:
        secret = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
        s3_bucket.put("k", b"content", **secret)
        target = Target(s3_bucket.name, lambda: client, read_parameters=secret)
        assert read(fetch(target, "k")) == b"content"
        assert not is_direct(proxy)

    def test_a_requester_who_pays(self, s3_bucket: Bucket, client: Any, proxy: S3Proxy) -> None:
        s3_bucket.put("k", b"content")
        payer = {"RequestPayer": "requester"}
        target = Target(s3_bucket.name, lambda: client, read_parameters=payer)
        assert read(fetch(target, "k")) == b"content"
        assert proxy.requests[-1].headers["x-amz-request-payer"] == "requester"
        assert not is_direct(proxy)

    @pytest.mark.parametrize(
        "event", ["before-send.s3.GetObject", "request-created.s3", "before-call", "after-call.*.*"]
    )
    def test_a_handler_of_somebody_else(
        self, target: Target, s3_bucket: Bucket, client: Any, proxy: S3Proxy, event: str
    ) -> None:
        s3_bucket.put("k", b"content")
        seen = []

        def handle(**kwargs: Any) -> None:
            seen.append(kwargs)

        assert read(fetch(target, "k")) == b"content"
        assert is_direct(proxy)
        client.meta.events.register(event, handle)
        assert read(fetch(target, "k")) == b"content"
        assert not is_direct(proxy)
        assert seen
        client.meta.events.unregister(event, handle)
        assert read(fetch(target, "k")) == b"content"
        assert is_direct(proxy)

    @pytest.mark.parametrize(
        "config",
        [
            {"signature_version": "s3"},
            {"retries": {"mode": "adaptive"}},
            {"tcp_keepalive": True},
        ],
    )
    def test_an_unusual_configuration(self, s3_bucket: Bucket, proxy: S3Proxy, config: Any) -> None:
        s3_bucket.put("k", b"content")
        client = make_client(s3_bucket.server, endpoint_url=proxy.endpoint_url, config=config)
        assert read(fetch(Target(s3_bucket.name, lambda: client), "k")) == b"content"
        assert not is_direct(proxy)

    def test_a_proxy(self, s3_bucket: Bucket, proxy: S3Proxy) -> None:
        s3_bucket.put("k", b"content")
        client = make_client(s3_bucket.server, config={"proxies": {"http": proxy.endpoint_url}})
        assert read(fetch(Target(s3_bucket.name, lambda: client), "k")) == b"content"
        assert len(proxy.requests) == 1
        assert not is_direct(proxy)

    def test_its_errors_are_told_the_same_way(self, s3_bucket: Bucket, client: Any) -> None:
        payer = {"RequestPayer": "requester"}
        target = Target(s3_bucket.name, lambda: client, read_parameters=payer)
        with pytest.raises(ObjectNotFoundError) as caught:
            fetch(target, "k")
        assert isinstance(caught.value.__cause__, ClientError)

    def test_motos_mock_is_not_gone_round(self, tmp_path: Path) -> None:
        # In a process of its own: moto stays hooked into every client made after its import.
        code = """
            import os
            os.environ.update(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
            import boto3
            from moto import mock_aws
            from smart_storages.backends.s3.requests.http import fetch
            from smart_storages.backends.s3.target import Target
            with mock_aws():
                client = boto3.client("s3", region_name="us-east-1")
                client.create_bucket(Bucket="acme")
                client.put_object(Bucket="acme", Key="k", Body=b"mocked")
                target = Target("acme", lambda: client)
                print(fetch(target, "k").read(100), fetch(target, "k", method="HEAD").status)
        """
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        assert result.stdout.split() == ["b'mocked'", "200"]


class TestWhatIsKnown:
    def test_clients_that_differ_in_keys_share_a_pool(self, s3_bucket: Bucket) -> None:
        clients = [make_client(s3_bucket.server) for _ in range(2)]
        s3_bucket.put("k", b"content")
        for client in clients:
            read(fetch(Target(s3_bucket.name, lambda client=client: client), "k"))
        pools = {
            id(direct.direct_client_of(client).route(s3_bucket.name).pool) for client in clients
        }
        assert len(pools) == 1

    def test_what_is_known_of_a_client_goes_with_it(self, s3_bucket: Bucket) -> None:
        gc.collect()
        before = len(direct._direct_clients)
        clients = [make_client(s3_bucket.server)]
        s3_bucket.put("k", b"content")
        read(fetch(Target(s3_bucket.name, lambda: clients[0]), "k"))
        assert len(direct._direct_clients) == before + 1
        clients.clear()
        gc.collect()
        assert len(direct._direct_clients) == before

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_a_forked_child_opens_connections_of_its_own(
        self, target: Target, s3_bucket: Bucket
    ) -> None:
        s3_bucket.put("k", b"content")
        assert read(fetch(target, "k")) == b"content"
        pid = os.fork()
        if pid == 0:
            os._exit(
                0 if not direct._direct_clients and read(fetch(target, "k")) == b"content" else 1
            )
        assert os.waitpid(pid, 0)[1] == 0
        assert read(fetch(target, "k")) == b"content"

    def test_many_threads_share_a_lane(self, target: Target, s3_bucket: Bucket) -> None:
        for number in range(16):
            s3_bucket.put(f"k{number}", f"content {number}".encode())
        wrong: List[Any] = []

        def work(number: int) -> None:
            for _ in range(5):
                content = read(fetch(target, f"k{number}"))
                if content != f"content {number}".encode():
                    wrong.append(content)

        run_in_threads(work, range(16))
        assert wrong == []


class TestManyThreads:
    def test_each_bucket_is_found_by_itself(self, moto_server: S3Server) -> None:
        # Whoever asks while another does must not be given the other's bucket: with one client
        # for all tenants, a file of one would go to another's.
        buckets = [f"bucket-{number}" for number in range(24)]
        for _ in range(3):
            client = make_client(moto_server)
            known = direct.direct_client_of(client)
            start = threading.Barrier(len(buckets))
            found: Dict[str, str] = {}

            def ask(
                bucket: str, known: Any = known, start: Any = start, found: Any = found
            ) -> None:
                start.wait()
                found[bucket] = known.route(bucket).before_key

            run_in_threads(ask, buckets)
            assert found == {bucket: f"/{bucket}/" for bucket in buckets}

    def test_a_bucket_that_is_found_later_makes_no_other_be_found_again(
        self, moto_server: S3Server
    ) -> None:
        client = make_client(moto_server)
        known = direct.direct_client_of(client)
        first = known.route("first")
        assert known.route("second") is not None
        assert known.route("first") is first
