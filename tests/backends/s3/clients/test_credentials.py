import socket
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.session import Session

from smart_storages.backends.s3.clients.credentials import (
    CredentialSource,
    assume_role,
    load_source,
    takes_argument,
)
from smart_storages.backends.s3.clients.pool import ClientPool, Connection
from smart_storages.common.secrets import Secret
from smart_storages.exceptions import (
    ConfigurationError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from smart_storages.storages import SmartS3Storage
from tests.servers import S3Proxy
from tests.servers.refusing import RefusingServer


def frozen(credentials):
    return tuple(credentials.get_frozen_credentials())[:3]


class TestKeys:
    def test_they_reach_botocore_as_plain_text(self):
        source = CredentialSource(access_key=Secret("a"), secret_key=Secret("b"))
        access_key, secret_key, token = frozen(load_source(source, Session()))
        assert (access_key, secret_key, token) == ("a", "b", None)
        assert type(secret_key) is str

    def test_a_profile_comes_from_the_configuration_files(self, tmp_path, monkeypatch):
        path = tmp_path / "credentials"
        path.write_text("[acme]\naws_access_key_id = file-key\naws_secret_access_key = file-secret")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment-key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
        source = CredentialSource(session_profile="acme")
        client = ClientPool().client(Connection(credentials=source, region_name="eu-west-1"))
        assert frozen(client._request_signer._credentials)[0] == "file-key"

    def test_a_profile_that_does_not_exist_is_our_error(self):
        source = CredentialSource(session_profile="missing")
        with pytest.raises(ConfigurationError, match="missing"):
            ClientPool().client(Connection(credentials=source))

    def test_a_source_shows_nothing_but_whether_it_is_empty(self):
        assert repr(CredentialSource(access_key="a", secret_key="hunter2")) == (
            "CredentialSource(***)"
        )
        assert repr(CredentialSource()) == "CredentialSource()"


class TestCallables:
    @pytest.mark.parametrize(
        "answer",
        [
            {"access_key": "a", "secret_key": "b", "security_token": "c"},
            {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"},
            {
                "aws_access_key_id": Secret("a"),
                "aws_secret_access_key": Secret("b"),
                "aws_session_token": Secret("c"),
            },
        ],
    )
    def test_every_usual_spelling_is_understood(self, answer):
        source = CredentialSource(supplier=lambda: answer)
        assert frozen(load_source(source, None)) == ("a", "b", "c")

    def test_keys_without_an_expiry_are_asked_for_once(self):
        calls = []

        def supply():
            calls.append(1)
            return {"access_key": "a", "secret_key": "b"}

        credentials = load_source(CredentialSource(supplier=supply), None)
        assert [frozen(credentials) for _ in range(3)] == [("a", "b", None)] * 3
        assert len(calls) == 1

    @pytest.mark.parametrize("left", [-60, 0, 10])
    def test_keys_that_are_about_to_expire_are_asked_for_again(self, left):
        expiries = iter([left, 3600, 3600])
        answers = iter("abc")

        def supply():
            expiry = datetime.now(timezone.utc) + timedelta(seconds=next(expiries))
            return {"access_key": next(answers), "secret_key": "s", "expiry": expiry}

        credentials = load_source(CredentialSource(supplier=supply), None)
        assert frozen(credentials)[0] == "b"
        assert frozen(credentials)[0] == "b"

    def test_keys_that_live_five_minutes_are_not_asked_for_at_every_request(self):
        calls = []

        def supply():
            calls.append(1)
            expiry = datetime.now(timezone.utc) + timedelta(minutes=5)
            return {"access_key": "a", "secret_key": "s", "expiry": expiry}

        credentials = load_source(CredentialSource(supplier=supply), None)
        for _ in range(5):
            frozen(credentials)
        assert len(calls) == 1

    @pytest.mark.parametrize(
        "expiry",
        [
            datetime(2099, 1, 1, tzinfo=timezone.utc),
            datetime(2099, 1, 1),
            "2099-01-01T00:00:00Z",
            4070908800,
        ],
        ids=["aware", "naive", "text", "seconds"],
    )
    def test_every_form_of_an_expiry_means_the_same_moment(self, expiry):
        answer = {"access_key": "a", "secret_key": "b", "expiry": expiry}
        credentials = load_source(CredentialSource(supplier=lambda: answer), None)
        assert credentials._expiry_time.timestamp() == 4070908800

    @pytest.mark.parametrize(
        "answer",
        [None, "keys", {}, {"access_key": "a"}, {"secret_key": "b"}, {"access_key": 1}],
    )
    def test_an_answer_that_is_no_set_of_keys_is_our_error(self, answer):
        def supply():
            return answer

        with pytest.raises(ConfigurationError, match="supply"):
            load_source(CredentialSource(supplier=supply), None)

    @pytest.mark.parametrize("expiry", ["tomorrow", [1], 1e30, object()])
    def test_an_expiry_that_is_no_time_is_our_error(self, expiry):
        answer = {"access_key": "a", "secret_key": "b", "expiry": expiry}
        with pytest.raises(ConfigurationError, match="expiry"):
            load_source(CredentialSource(supplier=lambda: answer), None)

    @pytest.mark.parametrize(
        ("raised", "expected"),
        [
            (KeyError("access"), ConfigurationError),
            (FileNotFoundError(2, "No such file", "keys.json"), ConfigurationError),
            (ObjectNotFoundError("There is no such file."), ConfigurationError),
            (EndpointConnectionError(endpoint_url="https://sts"), UnreachableError),
            (ConnectionRefusedError(111, "Connection refused"), UnreachableError),
            (socket.timeout("timed out"), UnreachableError),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_an_error_that_it_raises_is_the_cause_of_ours(self, settings, raised, expected):
        def supply():
            raise raised

        settings.SMART_STORAGE_BUCKETS = {"press": {"bucket_name": "acme", "credentials": supply}}
        storage = SmartS3Storage("press")
        for use in (lambda: storage.exists("a.txt"), lambda: storage.url("a.txt")):
            with pytest.raises(expected) as caught:
                use()
            text = str(caught.value)
            assert f"supply raised {type(raised).__name__} at line" in text
            assert "of test_credentials.py" in text
            assert "'press'" in text
            assert not isinstance(caught.value, FileNotFoundError)
            cause = caught.value.__cause__
            assert raised in (cause, cause.__cause__)
            assert raised.__traceback__ is None  # its frames hold keys

    def test_an_error_while_keys_are_renewed_is_ours_too(self):
        answers = iter([{"access_key": "a", "secret_key": "b", "expiry": "2001-01-01"}])
        credentials = load_source(CredentialSource(supplier=lambda: next(answers)), None)
        with pytest.raises(ConfigurationError, match="raised StopIteration"):
            frozen(credentials)

    def test_a_callable_may_ask_for_the_module(self):
        assert takes_argument(lambda module: None)
        assert takes_argument(lambda module=None: None)
        assert not takes_argument(lambda: None)

    def test_a_callable_that_wants_more_is_refused(self):
        with pytest.raises(ConfigurationError, match="must take no argument, or the name"):
            takes_argument(lambda one, two: None)

    def test_it_is_not_called_under_the_lock_of_the_pool(self):
        pool = ClientPool()

        def supply():
            other = CredentialSource(access_key="a", secret_key="b")
            pool.client(Connection(credentials=other, region_name="eu-west-1"))
            return {"access_key": "c", "secret_key": "d"}

        source = CredentialSource(supplier=supply)
        client = pool.client(Connection(credentials=source, region_name="eu-west-1"))
        assert frozen(client._request_signer._credentials)[0] == "c"


class TestRoles:
    """moto's security token service hands out keys; it checks neither policy nor signature."""

    ROLE = "arn:aws:iam::123456789012:role/acme"

    @pytest.fixture
    def calls(self, moto_server, monkeypatch):
        with S3Proxy(moto_server.endpoint_url) as proxy, proxy.recording() as requests:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.endpoint_url)
            yield requests

    def test_a_role_is_assumed_at_the_first_request_and_then_kept(self, calls, moto_server):
        source = CredentialSource(access_key="a", secret_key="b", role_arn=self.ROLE)
        connection = Connection(
            credentials=source, region_name="us-east-1", endpoint_url=moto_server.endpoint_url
        )
        client = ClientPool().client(connection)
        assert len(calls) == 0
        for _ in range(3):
            client.list_buckets()
        assert len(calls) == 1
        assert frozen(client._request_signer._credentials)[0] != "a"

    @pytest.mark.parametrize(
        ("named", "default", "expected"),
        [
            (None, None, "us-east-1"),
            (None, "eu-west-3", "eu-west-3"),
            ("eu-west-1", "x", "eu-west-1"),
        ],
    )
    def test_a_role_is_assumed_in_the_region_of_the_bucket(
        self, calls, monkeypatch, named, default, expected
    ):
        if default:
            monkeypatch.setenv("AWS_DEFAULT_REGION", default)
        source = CredentialSource(access_key="a", secret_key="b", role_arn=self.ROLE)
        frozen(assume_role(source, Session(), load_source(source, None), named))
        (call,) = calls
        assert f"/{expected}/sts/" in call.headers["authorization"]

    def test_a_role_that_is_not_found_says_nothing_of_a_file(self, monkeypatch):
        body = b"<ErrorResponse><Error><Code>NotFound</Code></Error></ErrorResponse>"
        head = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body)
        with RefusingServer(lambda _: head + body) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint_url)
            keys = {"access_key": "a", "secret_key": "b", "role_arn": self.ROLE}
            storage = SmartS3Storage(
                "m", bucket_name="acme", endpoint_url="http://127.0.0.1:9", **keys
            )
            with pytest.raises(S3Error, match="could not be assumed") as caught:
                storage.exists("a.txt")  # not False
        assert not isinstance(caught.value, FileNotFoundError)
        assert isinstance(caught.value, ClientError)

    def test_a_role_is_assumed_again_before_its_keys_expire(self, calls, monkeypatch):
        source = CredentialSource(
            access_key="a", secret_key="b", role_arn=self.ROLE, external_id="acme-press"
        )
        credentials = assume_role(source, Session(), load_source(source, None), "us-east-1")
        first = frozen(credentials)[0]
        soon = datetime.now(timezone.utc) + timedelta(minutes=59)
        monkeypatch.setattr("botocore.credentials._local_now", lambda: soon)
        monkeypatch.setattr(credentials, "_time_fetcher", lambda: soon)
        assert frozen(credentials)[0] != first
        assert len(calls) == 2


class TestNoCredentials:
    def error_for(self, monkeypatch, tmp_path, **source):
        config = tmp_path / "config"
        config.write_text("[profile empty]\nregion = eu-west-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        with pytest.raises(ConfigurationError) as raised:
            ClientPool().client(
                Connection(credentials=CredentialSource(**source), region_name="eu-west-1")
            )
        return raised.value

    def test_nothing_at_all_names_every_place(self, monkeypatch, tmp_path):
        error = self.error_for(monkeypatch, tmp_path)
        for place in ("access_key", "session_profile", "AWS_ACCESS_KEY_ID", "~/.aws", "a role"):
            assert place in str(error)
        assert "role_arn" not in str(error)
        assert isinstance(error, NoCredentialsError)

    def test_a_role_is_not_told_to_set_a_role(self, monkeypatch, tmp_path):
        arn = "arn:aws:iam::123456789012:role/press"
        text = str(self.error_for(monkeypatch, tmp_path, role_arn=arn))
        assert f"to assume the role '{arn}'" in text
        assert "Set role_arn" not in text
        assert "AWS_ACCESS_KEY_ID" in text

    def test_a_profile_is_named(self, monkeypatch, tmp_path):
        text = str(self.error_for(monkeypatch, tmp_path, session_profile="empty"))
        assert "The profile 'empty' has no credentials" in text

    def test_a_storage_names_its_module_and_can_still_be_caught(self, settings):
        settings.SMART_STORAGE_BUCKETS = {"press": {"bucket_name": "acme"}}
        with pytest.raises(NoCredentialsError, match=r"'press'.*AWS_ACCESS_KEY_ID"):
            SmartS3Storage("press").exists("a.txt")
