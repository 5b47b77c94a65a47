"""What the tests of the engine share: a target behind a proxy, and objects to read from it."""

from __future__ import annotations

import random
from typing import Any, Iterator, List

import pytest
from botocore.config import Config

from smart_storages.config.providers import PROVIDERS
from smart_storages.s3.reading.reader import S3Reader
from smart_storages.s3.requests import retries
from smart_storages.s3.requests.http import Answer
from smart_storages.s3.target import Target
from tests.conftest import Bucket
from tests.servers import S3Proxy, S3Server

MIB = 1024 * 1024


def make_bytes(size: int) -> bytes:
    chance = random.Random(size)  # noqa: S311 - only to differ
    return chance.getrandbits(8 * size).to_bytes(size, "big") if size else b""


def iter_pieces(target: Target, size: int) -> Iterator[bytes]:
    with S3Reader(target, "k") as reader:
        while True:
            piece = reader.read(size)
            if not piece:
                return
            yield piece


def make_client(server: S3Server, **options: Any) -> Any:
    config = {
        "s3": {"addressing_style": "path"},
        "retries": {"total_max_attempts": 4, "mode": "standard"},
        **options.pop("config", {}),
    }
    return server.client(config=Config(**config), **options)


@pytest.fixture
def proxy(s3_bucket: Bucket) -> Iterator[S3Proxy]:
    """A recording proxy before the server of `s3_bucket`; `target` leads through it."""
    with S3Proxy(s3_bucket.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def client(s3_bucket: Bucket, proxy: S3Proxy) -> Any:
    return make_client(s3_bucket.server, endpoint_url=proxy.endpoint_url)


@pytest.fixture
def target(s3_bucket: Bucket, client: Any) -> Target:
    provider = PROVIDERS[s3_bucket.server.name]
    return Target(s3_bucket.name, lambda: client, module="media", provider=provider)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """How long each pause between two tries would have been."""
    taken: List[float] = []
    monkeypatch.setattr(retries, "sleep", taken.append)
    return taken


def read(answer: Answer) -> bytes:
    pieces = iter(lambda: answer.read(1024), b"")
    content = b"".join(pieces)
    answer.close()
    return content


def is_direct(proxy: S3Proxy) -> bool:
    """Whether the last request was ours: botocore signs in a header, we in the query."""
    return "X-Amz-Signature" in proxy.requests[-1].query
