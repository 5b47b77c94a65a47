"""The installed botocore and urllib3 still have each private name that the package uses."""

from __future__ import annotations

import datetime
import http.server
import inspect
import threading
from typing import Any, Iterator

import boto3
import pytest
from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import (
    Credentials,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
)
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from smart_storages.backends.s3 import private_names
from smart_storages.backends.s3.clients.credentials import CredentialSource
from smart_storages.backends.s3.clients.pool import ClientPool, Connection

KEYS = CredentialSource(access_key="key", secret_key="secret")
URL = "http://localhost:1/acme"
EVENT = "before-endpoint-resolution.s3.GetObject"


def make_client(**options: Any) -> Any:
    return boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(**options),
    )


@pytest.fixture(scope="module")
def client() -> Any:
    return make_client()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_client_shows_its_credentials(client: Any) -> None:
    assert private_names.credentials_of(client).access_key == "key"


def test_a_client_shows_what_it_sends_requests_with(client: Any) -> None:
    assert type(private_names.session_of(client)) is URLLib3Session


def test_every_call_of_a_client_can_be_intercepted(client: Any) -> None:
    seen = []

    class Mine(private_names.InterceptsCalls):
        def call_api(self, send: Any, operation_name: str, params: Any) -> Any:
            seen.append((operation_name, params))
            return {"Buckets": []}

    def add(**about: Any) -> None:
        about["base_classes"].insert(0, Mine)

    session = boto3.session.Session(aws_access_key_id="key", aws_secret_access_key="secret")
    session.events.register("creating-client-class.s3", add)
    session.client("s3", region_name="eu-west-1").list_buckets(Prefix="a")
    assert seen == [("ListBuckets", {"Prefix": "a"})]
    parameters = inspect.signature(BaseClient._make_api_call).parameters
    assert list(parameters) == ["self", "operation_name", "api_params"]


def test_a_handler_that_comes_or_goes_is_seen() -> None:
    client = make_client()
    emitter = private_names.emitter_of(client)

    def handler(**_: Any) -> None:
        pass

    before = private_names.handlers_version(emitter)
    private_names.handlers_of(emitter, [EVENT])
    assert private_names.handlers_version(emitter) is before
    client.meta.events.register(EVENT, handler)
    registered = private_names.handlers_version(emitter)
    assert before is not None
    assert registered is not before
    found = private_names.handlers_of(emitter, [EVENT])
    assert found is not None
    assert handler in found
    assert len(found) > 1
    client.meta.events.unregister(EVENT, handler)
    assert private_names.handlers_version(emitter) is not registered
    assert handler not in (private_names.handlers_of(emitter, [EVENT]) or [handler])


def test_a_client_shows_the_regions_it_was_redirected_to(client: Any) -> None:
    emitter = private_names.emitter_of(client)
    redirects = private_names.redirects_of(private_names.handlers_of(emitter, [EVENT]) or [])
    assert redirects == {}
    assert isinstance(redirects, dict)


def test_a_session_shows_its_proxies_and_certificates() -> None:
    through = private_names.session_of(make_client(proxies={"http": "http://proxy:1"}))
    direct = private_names.session_of(make_client(proxies={}))
    assert private_names.may_connect_directly(direct, URL)
    assert not private_names.may_connect_directly(through, URL)
    unverified = boto3.client("s3", region_name="eu-west-1", verify=False)
    assert private_names.verify_of(private_names.session_of(unverified)) is False


def test_a_session_makes_its_pools_of_the_classes_it_shows() -> None:
    session = private_names.session_of(make_client())
    classes = private_names.pool_classes_of(session)
    assert classes == {"http": AWSHTTPConnectionPool, "https": AWSHTTPSConnectionPool}
    # They are replaced in place, so the pool managers must hold this very dict.
    assert session._manager.pool_classes_by_scheme is classes


def test_a_config_shows_what_was_set() -> None:
    assert private_names.given_options(Config(read_timeout=5)) == {"read_timeout": 5}


def test_credentials_show_when_they_end() -> None:
    end = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
    keys = {
        "access_key": "a",
        "secret_key": "b",
        "token": "c",
        "expiry_time": end.isoformat(),
    }
    ending = RefreshableCredentials.create_from_metadata(keys, lambda: keys, "test")
    deferred = DeferredRefreshableCredentials(lambda: keys, "test")
    deferred.get_frozen_credentials()
    assert private_names.expiry_of(ending) == private_names.expiry_of(deferred) == end
    assert private_names.expiry_of(Credentials("a", "b")) is None


@pytest.mark.parametrize("kind", [HTTPConnectionPool, HTTPSConnectionPool])
def test_the_pools_of_urllib3_lend_connections(kind: Any) -> None:
    assert private_names.lends_connections(kind)


def test_a_connection_is_borrowed_and_returned(url: str) -> None:
    returned = []

    class Pool(private_names.InterceptsReturns, HTTPConnectionPool):
        def connection_returns(self, put: Any, connection: Any) -> None:
            returned.append(connection)
            put(connection)

    host, _, port = url.rpartition("/")[2].partition(":")
    pool = Pool(host, int(port), maxsize=1)
    connection = private_names.borrow_connection(pool)
    private_names.prepare_connection(pool, connection)
    if connection.sock is None:
        connection.connect()
    private_names.return_connection(pool, connection)
    assert private_names.borrow_connection(pool) is connection
    connection.close()
    private_names.return_connection(pool, None)
    assert returned == [connection, None]
    # What looks for idle sockets reads this list from its end.
    assert list(pool.pool.queue) == [None]
    # urllib3's own requests put connections back in the same way.
    pool.request("GET", "/", retries=False)
    assert len(returned) == 3
    pool.close()


def test_where_names_are_gone_the_client_is_left_to_do_it() -> None:
    nothing = object()
    assert private_names.credentials_of(nothing) is None
    assert private_names.session_of(nothing) is None
    assert private_names.handlers_of(nothing, [EVENT]) is None
    assert private_names.redirects_of([nothing]) is None
    assert private_names.may_connect_directly(nothing, URL) is False
    assert private_names.pool_classes_of(nothing) is None
    assert private_names.lends_connections(nothing) is False


def test_a_client_of_ours_uses_them() -> None:
    client = ClientPool().client(Connection(credentials=KEYS))
    assert isinstance(client, private_names.InterceptsCalls)
    classes = private_names.pool_classes_of(private_names.session_of(client))
    assert classes is not None
    assert all(issubclass(each, private_names.InterceptsReturns) for each in classes.values())
