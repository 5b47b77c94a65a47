"""What the tests of the engine share: a target behind a proxy, and objects to read from it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import Any, Iterator, List

import pytest
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from smart_storages.backends.s3.reading.reader import S3Reader
from smart_storages.backends.s3.requests.http import Answer
from smart_storages.backends.s3.target import Target
from smart_storages.common import on_loop
from smart_storages.config.providers import PROVIDERS
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
    monkeypatch.setattr(on_loop, "sleep", taken.append)
    return taken


def read(answer: Answer) -> bytes:
    pieces = iter(lambda: answer.read(1024), b"")
    content = b"".join(pieces)
    answer.close()
    return content


def is_direct(proxy: S3Proxy) -> bool:
    """Whether the last request was ours: botocore signs in a header, we in the query."""
    return "X-Amz-Signature" in proxy.requests[-1].query


@pytest.fixture(scope="session")
def tls_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate for 127.0.0.1, with its key, that is its own authority."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    address = x509.IPAddress(ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    file.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return str(file)
