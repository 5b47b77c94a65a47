"""An endpoint with a path, a profile that is nowhere, and credentials that nobody has are told."""

from __future__ import annotations

import pytest
from botocore import UNSIGNED

from smart_storages.checks import connections, in_use, names
from smart_storages.checks.connections import check_credentials, check_endpoints, check_provider

KEYS = {"access_key": "key-id", "secret_key": "hunter2"}
GOOD = {"bucket_name": "acme", **KEYS}


@pytest.fixture(autouse=True)
def project(settings, monkeypatch, tmp_path):
    """An empty project on a machine where boto3 finds nothing."""
    settings.STORAGES = {}
    monkeypatch.setattr(in_use.apps, "get_models", list)
    monkeypatch.setattr(names, "iter_storages", list)
    monkeypatch.setattr(names, "iter_classes", list)
    monkeypatch.setattr(connections, "_OLDER_FILES", ())
    monkeypatch.setattr(connections, "_VENDOR_FILE", tmp_path / "sys_vendor")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return settings


def told(messages):
    return [message.id.split(".")[1] for message in messages]


def alias(**options):
    return {"docs": {"BACKEND": "smart_storages.storages.DocumentStorage", "OPTIONS": options}}


@pytest.mark.parametrize("key", ["endpoint_url", "public_endpoint_url"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [("", []), ("/", []), ("/acme", ["W009"]), (":9000/a/b/", ["W009"])],
)
def test_an_endpoint_with_a_path(project, key, path, expected):
    project.SMART_STORAGE_BUCKETS = {"m": {**GOOD, key: f"https://s3.example.com{path}"}}
    project.STORAGES = alias(module_name="m")
    messages = check_endpoints()
    assert told(messages) == expected
    assert all(f"SMART_STORAGE_BUCKETS['m']: {key} has the path" in m.msg for m in messages)


def test_an_endpoint_of_a_setting_or_an_alias(project):
    project.AWS_S3_ENDPOINT_URL = "https://s3.example.com/acme"
    project.SMART_STORAGE_BUCKETS = {"m": GOOD}
    project.STORAGES = alias(endpoint_url="https://other.example.com/acme")
    one, other = check_endpoints()
    assert one.msg.startswith("AWS_S3_ENDPOINT_URL has the path 'acme'")
    assert other.msg.startswith("STORAGES['docs']: endpoint_url has the path 'acme'")


def test_one_provider_for_several_servers(project):
    project.SMART_STORAGE_PROVIDER = "minio"
    project.AWS_S3_ENDPOINT_URL = "https://minio.example.com"
    own = {"endpoint_url": "https://s3.example.com"}
    for entry, expected in (
        ({}, []),
        ({"endpoint_url": "https://minio.example.com/"}, []),
        ({**own, "provider": "ceph"}, []),
        ({**own, "provider": None}, []),
        (own, ["W015"]),
        ({"endpoint_url": None}, ["W015"]),
    ):
        project.SMART_STORAGE_BUCKETS = {"m": GOOD, "n": {**GOOD, **entry}}
        assert told(check_provider()) == expected, entry
    assert "['n'] on AWS" in check_provider()[0].msg
    project.SMART_STORAGE_PROVIDER = None
    assert check_provider() == []


def test_a_profile_that_no_file_has(project, tmp_path):
    project.SMART_STORAGE_BUCKETS = {
        "m": {"bucket_name": "acme", "session_profile": "press"},
        "n": {"bucket_name": "acme", "session_profile": "law"},
        "o": {"bucket_name": "acme", "session_profile": "art"},
    }
    (tmp_path / "AWS_CONFIG_FILE").write_text("[profile law]\nregion = eu-west-1\n")
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text("[art]\naws_access_key_id = a\n")
    (message,) = check_credentials()
    assert message.id == "smart_storages.W010"
    assert message.msg.startswith("SMART_STORAGE_BUCKETS['m']: session_profile names")
    assert "'press'" in message.msg
    assert "AWS_CONFIG_FILE" in message.msg


def test_a_profile_of_the_setting(project):
    project.AWS_S3_SESSION_PROFILE = "press"
    (message,) = check_credentials()
    assert message.msg.startswith("AWS_S3_SESSION_PROFILE names the profile 'press'")


def test_a_file_that_cannot_be_read(project, tmp_path):
    project.AWS_S3_SESSION_PROFILE = "press"
    (tmp_path / "AWS_CONFIG_FILE").write_text("this is not a file of AWS\n")
    assert told(check_credentials()) == ["W010"]


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"role_arn": "arn:aws:iam::123456789012:role/press"},
        {"access_key": None},
        {"endpoint_url": "https://s3.example.com"},
    ],
)
def test_nobody_has_credentials(project, entry):
    project.SMART_STORAGE_BUCKETS = {"m": {"bucket_name": "acme", **entry}}
    project.STORAGES = {**alias(bucket_name="acme"), **alias(module_name="m")}
    (message,) = check_credentials()
    assert message.id == "smart_storages.W012"
    assert "SMART_STORAGE_BUCKETS['m']" in message.msg
    assert "Create the buckets as well" in message.hint
    assert "SMART_STORAGE_LOCAL" in message.hint


@pytest.mark.parametrize(
    "entry",
    [
        KEYS,
        {"credentials": lambda: KEYS},
        {"signature_version": UNSIGNED},
        {"bucket_name": None},
    ],
)
def test_a_module_that_needs_none_or_has_them(project, entry):
    project.SMART_STORAGE_BUCKETS = {"m": {"bucket_name": "acme", **entry}}
    assert check_credentials() == []


def test_the_settings_have_them(project):
    project.SMART_STORAGE_BUCKETS = {"m": {"bucket_name": "acme"}}
    project.AWS_ACCESS_KEY_ID, project.AWS_SECRET_ACCESS_KEY = "key-id", "hunter2"
    assert check_credentials() == []


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ],
)
def test_the_environment_has_them(project, monkeypatch, name):
    project.SMART_STORAGE_BUCKETS = {"m": {"bucket_name": "acme", "access_key": None}}
    assert told(check_credentials()) == ["W012"]
    monkeypatch.setenv(name, "something")
    assert check_credentials() == []


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_file_may_have_them_and_is_not_opened(project, tmp_path, name):
    project.SMART_STORAGE_BUCKETS = {"m": {"bucket_name": "acme"}}
    (tmp_path / name).write_text("what no parser reads")
    assert check_credentials() == []


def test_an_instance_may_have_a_role(project, monkeypatch, tmp_path):
    project.SMART_STORAGE_BUCKETS = {"m": {"bucket_name": "acme"}}
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    assert told(check_credentials()) == ["W012"]
    (tmp_path / "sys_vendor").write_text("Amazon EC2\n")
    assert check_credentials() == []
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert told(check_credentials()) == ["W012"]


def test_no_key_is_shown(project):
    project.SMART_STORAGE_BUCKETS = {
        "m": {**GOOD, "endpoint_url": "https://s3.example.com/a"},
        "n": {"bucket_name": "acme", "session_profile": "press"},
    }
    assert "hunter2" not in str([*check_endpoints(), *check_credentials()])
