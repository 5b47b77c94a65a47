import gc
import os
import pickle
import subprocess
import sys
import threading
import weakref
from unittest import mock

import boto3.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from smart_storages.backends.s3.clients.credentials import CredentialSource
from smart_storages.backends.s3.clients.pool import ClientPool, Connection, freeze_client_config
from smart_storages.backends.s3.writing import parameters
from smart_storages.exceptions import ConfigurationError
from tests.threads import run_in_threads


def keys(name):
    return CredentialSource(access_key=name, secret_key=f"secret-{name}")


def connect(name="a", **options):
    options.setdefault("region_name", "eu-west-1")
    return Connection(credentials=keys(name), **options)


@pytest.fixture(scope="module")
def pool():
    return ClientPool()


def access_key(client):
    return client._request_signer._credentials.access_key


class TestSharing:
    def test_equal_connections_share_a_client(self, pool):
        assert pool.client(connect()) is pool.client(connect())

    @pytest.mark.parametrize(
        "other",
        [
            connect("b"),
            connect(region_name="eu-central-1"),
            connect(endpoint_url="http://localhost:1"),
            connect(use_ssl=False),
            connect(verify=False),
            connect(client_config=(("read_timeout", 3),)),
            connect(signed=False),
        ],
        ids=["keys", "region", "endpoint", "tls", "verify", "config", "unsigned"],
    )
    def test_connections_that_differ_do_not(self, pool, other):
        assert pool.client(connect()) is not pool.client(other)

    def test_each_client_has_its_own_credentials(self, pool):
        assert access_key(pool.client(connect("a"))) == "a"
        assert access_key(pool.client(connect("b"))) == "b"
        assert access_key(pool.client(connect("a"))) == "a"

    def test_clients_share_the_parsed_service_model(self, pool):
        loaders = {id(pool.client(connect(name))._loader) for name in "ab"}
        assert len(loaders) == 1

    def test_many_threads_at_once_get_one_client(self):
        pool, found, start = ClientPool(), [], threading.Barrier(16)

        def take(number):
            start.wait()
            found.append(pool.client(connect()))

        run_in_threads(take, range(16))
        assert len(found) == 16
        assert len(set(map(id, found))) == 1
        assert len(pool) == 1

    def test_threads_with_their_own_credentials_never_get_anothers(self):
        pool, wrong = ClientPool(limit=lambda: 3), []

        def take(name):
            for _ in range(20):
                if access_key(pool.client(connect(name))) != name:
                    wrong.append(name)

        run_in_threads(take, [f"t{n}" for n in range(6)])
        assert not wrong


class TestBound:
    def test_the_least_recently_used_goes_first(self):
        pool = ClientPool(limit=lambda: 2)
        first = pool.client(connect("a"))
        pool.client(connect("b"))
        assert pool.client(connect("a")) is first
        pool.client(connect("c"))
        assert len(pool) == 2
        assert pool.client(connect("a")) is first

    def test_who_holds_a_dropped_client_keeps_it(self):
        pool = ClientPool(limit=lambda: 1)
        held = pool.client(connect("a"))
        pool.client(connect("b"))
        gc.collect()
        assert held.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})


class TestSigners:
    def test_storages_of_one_bucket_share_a_signer(self, pool):
        assert pool.signer(connect(), "acme") is pool.signer(connect(), "acme")
        assert pool.signer(connect(), "acme") is not pool.signer(connect(), "other")
        assert pool.signer(connect(), "acme").client is pool.client(connect())

    def test_a_signer_goes_with_its_client(self):
        pool = ClientPool(limit=lambda: 1)
        signer = weakref.ref(pool.signer(connect("a"), "acme"))
        pool.signer(connect("b"), "acme")
        gc.collect()
        assert signer() is None
        assert access_key(pool.signer(connect("a"), "acme").client) == "a"


class TestResources:
    def test_a_resource_is_made_anew_around_the_shared_client(self, pool):
        one, other = pool.resource(connect()), pool.resource(connect())
        assert one is not other
        assert one.meta.client is other.meta.client is pool.client(connect())

    def test_a_bucket_is_made_anew_around_the_shared_client(self, pool):
        one, other = pool.bucket(connect(), "acme"), pool.bucket(connect(), "acme")
        assert one is not other
        assert one.name == "acme"
        assert one.Object("key").meta.client is pool.client(connect())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
class TestFork:
    def in_child(self, answer):
        readable, writable = os.pipe()
        pid = os.fork()
        if pid == 0:  # pragma: no cover - in the child
            try:
                os.write(writable, pickle.dumps(answer()))
            finally:
                os._exit(0)
        os.close(writable)
        with os.fdopen(readable, "rb") as pipe:
            said = pickle.loads(pipe.read())  # noqa: S301 - our own child wrote it
        os.waitpid(pid, 0)
        return said

    def test_a_child_gets_a_client_of_its_own(self):
        pool = ClientPool()
        parents = pool.client(connect())
        assert self.in_child(lambda: pool.client(connect()) is not parents)
        assert pool.client(connect()) is parents

    def test_a_child_forked_while_the_pool_was_locked_is_not_stuck(self):
        pool = ClientPool()
        pool.client(connect())
        with pool._lock:
            assert self.in_child(lambda: access_key(pool.client(connect("c")))) == "c"


class TestErrors:
    def test_no_credentials_anywhere_says_what_to_set(self, pool):
        with pytest.raises(ConfigurationError, match="access_key"):
            pool.client(Connection(region_name="eu-west-1"))

    def test_an_unsigned_client_needs_no_credentials(self, pool):
        client = pool.client(Connection(region_name="eu-west-1", signed=False))
        assert client.meta.config.signature_version is UNSIGNED

    @pytest.mark.parametrize(
        "options",
        [{"endpoint_url": "s3.example.com"}, {"region_name": "no such region!"}],
    )
    def test_options_that_botocore_refuses_are_our_error(self, pool, options):
        with pytest.raises(ConfigurationError):
            pool.client(connect(**options))

    def test_a_failed_build_leaves_nothing_behind(self):
        pool = ClientPool()
        with pytest.raises(ConfigurationError):
            pool.client(connect("a", endpoint_url="nonsense"))
        assert len(pool) == 0
        assert access_key(pool.client(connect("b"))) == "b"


class TestFrozenConfig:
    def test_equal_configs_freeze_to_equal_values(self):
        one, other = (
            Config(proxies={"https": "p", "http": "q"}, s3={"addressing_style": "path"})
            for _ in range(2)
        )
        assert freeze_client_config(one) == freeze_client_config(other)
        assert hash(freeze_client_config(one)) == hash(freeze_client_config(other))

    def test_a_plain_config_freezes_to_nothing(self):
        plain = Config(s3={"addressing_style": None}, signature_version=None)
        assert freeze_client_config(plain, None) == ()

    def test_s3_options_of_several_configs_are_merged(self):
        one = Config(s3={"addressing_style": "path"})
        other = Config(s3={"use_accelerate_endpoint": True})
        pool = ClientPool()
        client = pool.client(connect(client_config=freeze_client_config(one, other)))
        assert client.meta.config.s3["addressing_style"] == "path"
        assert client.meta.config.s3["use_accelerate_endpoint"] is True

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("read_timeout", 7),
            ("proxies", {"https": "http://proxy:3128"}),
            ("retries", {"max_attempts": 2, "mode": "standard"}),
            ("signature_version", "s3v4"),
            ("max_pool_connections", 3),
            ("user_agent_extra", "acme"),
            ("client_cert", ("cert.pem", "key.pem")),
        ],
    )
    def test_what_is_frozen_reaches_the_client(self, name, value):
        frozen = freeze_client_config(Config(**{name: value}))
        client = ClientPool().client(connect(client_config=frozen))
        reached = getattr(client.meta.config, name)
        if name == "retries":
            assert reached["mode"] == "standard"
        elif name == "user_agent_extra":
            assert "acme" in reached
        else:
            assert reached == value


def test_a_connection_shows_no_secret():
    assert "secret" not in repr(connect("a"))


class TestReplacedByATest:
    """``mock.patch`` on boto3: what it gives is used, also if a client is known, and not kept."""

    def test_a_client_is_the_mocks_while_it_is_there(self):
        pool = ClientPool()
        pool.client(connect("a"))
        with mock.patch("boto3.session.Session.client") as replaced:
            assert pool.client(connect("a")) is replaced.return_value
            assert pool.client(connect("b")) is replaced.return_value
            assert pool.signer(connect("b"), "acme").client is replaced.return_value
        assert access_key(pool.client(connect("a"))) == "a"
        assert access_key(pool.client(connect("b"))) == "b"
        assert pool.signer(connect("b"), "acme").client is pool.client(connect("b"))

    def test_what_a_mock_says_of_parameters_is_not_kept(self, pool, monkeypatch):
        monkeypatch.setattr(parameters, "_members", {})
        params = {"RequestPayer": "requester"}
        parameters.accepted(mock.MagicMock(), "HeadObject", params)
        assert parameters.accepted(pool.client(connect()), "HeadObject", params) == params
        assert "HeadObject" in parameters._members

    def test_a_function_that_stays_there_makes_each_client_once(self):
        pool, made = ClientPool(), []
        real = boto3.session.Session.client

        def client(session, *args, **options):
            made.append(real(session, *args, **options))
            return made[-1]

        with mock.patch("boto3.session.Session.client", client):
            assert pool.client(connect("a")) is pool.client(connect("a")) is made[0]
        assert len(made) == 1

    @pytest.mark.parametrize("is_known", [True, False])
    def test_a_resource_is_the_mocks_while_it_is_there(self, is_known):
        pool = ClientPool()
        if is_known:
            pool.bucket(connect(), "acme")
        with mock.patch("boto3.Session.resource") as replaced:
            assert pool.resource(connect()) is replaced.return_value
            assert pool.bucket(connect(), "acme") is replaced.return_value.Bucket.return_value
        assert pool.resource(connect()).meta.client is pool.client(connect())
        assert pool.bucket(connect(), "acme").name == "acme"


def test_a_pool_imported_while_boto3_is_patched_knows_boto3_afterwards():
    program = """
from unittest import mock
import boto3.session
from django.conf import settings
settings.configure()
with mock.patch("boto3.session.Session.client"), mock.patch("boto3.session.Session.resource"):
    from smart_storages.backends.s3.clients.pool import ClientPool, Connection
pool, connection = ClientPool(), Connection(region_name="eu-west-1", signed=False)
one, other = pool.bucket(connection, "acme"), pool.bucket(connection, "acme")
assert type(one) is type(other), "their class was made for each"
assert one.meta.client is pool.client(connection)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
