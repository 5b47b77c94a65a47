"""What the queue keeps, logs and raises of a remote that fails holds no secret."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config
from django.core.files.base import ContentFile

from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.tasks import TransferAndDelete
from tests import leaks
from tests.queued import broker
from tests.queued.conftest import DISK, row_of
from tests.servers.refusing import RefusingServer

PLAIN = "storages.backends.s3boto3.S3Boto3Storage"
OURS = "smart_storages.storages.SmartS3Storage"


def answer(head: str) -> bytes:
    """Refuse a request as AWS does, with all that was signed."""
    text = f"The request was {head}"
    body = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{text}</Message></Error>"
    body = body.replace("&", "&amp;")
    start = f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return (start + body).encode("latin-1")


@pytest.mark.parametrize("remote", [OURS, PLAIN])
def test_the_ledger_and_the_logs_hold_no_secret(
    remote: str, tmp_path: Any, transactional_db: None, messages: list
) -> None:
    with RefusingServer(answer) as server, leaks.LeakFinder() as logs:
        options = {
            **leaks.secrets_of_entry(),
            "bucket_name": "acme",
            "endpoint_url": server.endpoint_url,
            "region_name": "eu-west-1",
            "client_config": Config(retries={"total_max_attempts": 1}),
        }
        queue = QueuedStorage(
            DISK, remote, {"location": str(tmp_path)}, options, task=TransferAndDelete, key="q"
        )
        queue.save("a.txt", ContentFile(b"x"))
        broker.deliver()
        row = row_of(queue, "a.txt")
    assert row.last_error
    assert not leaks.find_in(row.last_error)
    assert not leaks.find_in(str(QueuedFile.objects.values()))
    if remote == OURS:  # what another package has its library log is not ours
        assert not logs.leaks
