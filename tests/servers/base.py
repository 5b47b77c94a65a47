"""What an S3 server of the tests is: an address, keys, and a few things one does with it."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Dict, Generic, Optional, Tuple, Type, TypeVar

import boto3
from botocore.config import Config


def free_port() -> int:
    """A TCP port that was free a moment ago on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


#: Reading boto3's description of S3 takes a tenth of a second, for each session once.
_session = boto3.session.Session()
#: Sessions make one client at a time.
_session_lock = threading.Lock()
#: Plain clients, made once by each process for each server and user: it takes as long as a test.
_plain_clients: Dict[Tuple[int, S3Server], Any] = {}

Given = TypeVar("Given")


class Startable(Generic[Given]):
    """What runs inside a ``with`` block, or between ``start()`` and ``stop()``."""

    def start(self) -> Given:
        """Start it and return what one works with."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop it; a second time does nothing."""
        raise NotImplementedError

    def __enter__(self) -> Given:
        return self.start()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()


@dataclass(frozen=True)
class S3Server:
    """Where an S3 server is and how to sign for it."""

    name: str
    endpoint_url: str
    access_key: str
    secret_key: str
    region_name: str = "us-east-1"

    @property
    def port(self) -> int:
        return int(self.endpoint_url.rpartition(":")[2])

    def client(self, **options: Any) -> Any:
        """A plain boto3 client, for preparing and judging. ``options`` go to ``boto3.client``.

        Without options it is shared by the tests of this process: change nothing about it.
        """
        if options:
            return self._make_client(options)
        key = (os.getpid(), self)  # a child that was forked must not use its parent's connections
        if key not in _plain_clients:
            _plain_clients[key] = self._make_client({})
        return _plain_clients[key]

    def _make_client(self, options: Dict[str, Any]) -> Any:
        arguments: Dict[str, Any] = {
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": self.region_name,
            "config": Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                retries={"max_attempts": 0},
            ),
        }
        arguments.update(options)
        with _session_lock:
            return _session.client("s3", **arguments)

    def create_bucket(self, prefix: str = "bucket") -> str:
        """Create a bucket with a name of its own and return that name."""
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def django_settings(self) -> Dict[str, Any]:
        """The ``AWS_*`` settings of django-storages that lead to this server."""
        return {
            "AWS_S3_ENDPOINT_URL": self.endpoint_url,
            "AWS_S3_ACCESS_KEY_ID": self.access_key,
            "AWS_S3_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_S3_REGION_NAME": self.region_name,
            "AWS_S3_ADDRESSING_STYLE": "path",
            "AWS_S3_SIGNATURE_VERSION": "s3v4",
        }
