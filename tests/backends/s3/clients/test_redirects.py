"""A redirect that names no region ends after one question, with an error that says what to set."""

from __future__ import annotations

from typing import Any, List

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from smart_storages.backends.s3.clients.credentials import CredentialSource
from smart_storages.backends.s3.clients.pool import ClientPool, Connection, freeze_client_config
from smart_storages.backends.s3.requests.http import fetch
from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.parameters import head
from smart_storages.exceptions import S3Error, UnreachableError
from tests.servers.refusing import RefusingServer

_OPTIONS: Any = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}}


@pytest.mark.parametrize("ask", [fetch, head], ids=["a GET", "a HEAD"])
@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_without_a_region_is_an_error_that_names_the_option(
    ask: Any, status: int
) -> None:
    asked: List[str] = []

    def refuse(request: str) -> bytes:
        asked.append(request.partition(" HTTP/")[0].partition("?")[0])
        return f"HTTP/1.1 {status} Moved\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()

    with RefusingServer(refuse) as server:
        target = Target("acme", _client_of(server), module="media")
        for _ in range(2):
            asked.clear()
            with pytest.raises(S3Error, match=r"Set region_name.*module 'media'") as caught:
                ask(target, "a.txt")
            assert asked.count("HEAD /acme") == 1, asked
        assert not isinstance(caught.value, UnreachableError)
        assert isinstance(caught.value, ClientError)


def test_a_bucket_that_is_asked_for_by_the_project_is_asked_for_once() -> None:
    asked: List[str] = []

    def refuse(request: str) -> bytes:
        asked.append(request)
        return b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    with RefusingServer(refuse) as server:
        with pytest.raises(ClientError, match="301"):
            _client_of(server)().head_bucket(Bucket="acme")
        assert len(asked) == 1


def _client_of(server: RefusingServer) -> Any:
    connection = Connection(
        credentials=CredentialSource(access_key="a", secret_key="b"),
        region_name="us-east-1",
        endpoint_url=server.endpoint_url,
        client_config=freeze_client_config(Config(**_OPTIONS)),
    )
    pool = ClientPool()
    return lambda: pool.client(connection)
