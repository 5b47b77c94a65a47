"""Names of buckets that AWS refuses, and names of regions that no server has, are told."""

from __future__ import annotations

import pytest
from botocore.config import Config
from django.core.checks.registry import registry

import smart_storages.checks
from smart_storages.checks import in_use, names
from smart_storages.checks.s3_names import check_s3_names

KEYS = {"access_key": "key-id", "secret_key": "hunter2"}
VIRTUAL = Config(s3={"addressing_style": "virtual"})


@pytest.fixture(autouse=True)
def project(settings, monkeypatch):
    """An empty project."""
    settings.STORAGES = {}
    monkeypatch.setattr(in_use.apps, "get_models", list)
    monkeypatch.setattr(names, "iter_storages", list)
    monkeypatch.setattr(names, "iter_classes", list)
    return settings


def told(project, **entry):
    project.SMART_STORAGE_BUCKETS = {"m": {"bucket_name": "acme", **KEYS, **entry}}
    messages = check_s3_names()
    for message in messages:
        assert message.msg.startswith("SMART_STORAGE_BUCKETS['m']: ")
        assert message.hint
    return [message.id.split(".")[1] for message in messages]


@pytest.mark.parametrize(
    "name",
    [
        "Acme", "acme_files", "ab", "a" * 64, "-acme", "acme-", "acme.", "a..b", "192.168.5.4",
        "xn--acme", "sthree-acme", "amzn-s3-demo-acme",
    ],
)  # fmt: skip
def test_a_bucket_that_aws_refuses(project, name):
    assert told(project, bucket_name=name) == ["W013"]
    assert told(project, bucket_name=name, provider="aws") == ["W013"]
    assert told(project, bucket_name=name, endpoint_url="https://s3.eu-west-1.amazonaws.com") == [
        "W013"
    ]
    # Other servers have rules of their own.
    assert told(project, bucket_name=name, provider="ceph") == []
    assert told(project, bucket_name=name, endpoint_url="https://s3.example.com") == []


@pytest.mark.parametrize(
    "name",
    [
        "acme", "a1c", "a" * 63, "acme.files", "1-2", "1.2.3", "acme--usw2-az1--x-s3",
        "acme-metrixhifj3n-s3alias", "arn:aws:s3:us-west-2:123456789012:accesspoint/Acme_A",
    ],
)  # fmt: skip
def test_a_bucket_that_aws_may_have(project, name):
    assert told(project, bucket_name=name) == []


def test_a_dot_does_not_fit_a_certificate_for_one_label(project):
    assert told(project, bucket_name="acme.files", addressing_style="virtual") == ["W013"]
    assert told(project, bucket_name="acme.files", client_config=VIRTUAL) == ["W013"]
    for more in (
        {"use_ssl": False},
        {"verify": False},
        {"endpoint_url": "http://s3.amazonaws.com"},
        {"endpoint_url": "https://s3.example.com"},
        {"bucket_name": "acme"},
    ):
        entry = {"bucket_name": "acme.files", "addressing_style": "virtual", **more}
        assert told(project, **entry) == []


@pytest.mark.parametrize("name", ["us-east-1a", "EU", "us-east", "us-east1", "US East (Ohio)"])
def test_a_name_that_is_no_region_of_aws(project, name):
    assert told(project, region_name=name) == ["W014"]


@pytest.mark.parametrize(
    "name",
    ["eu-west-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1", "aws-global",
     "s3-external-1", "fips-us-gov-west-1"],
)  # fmt: skip
def test_a_region_of_aws(project, name):
    assert told(project, region_name=name) == []


def test_other_servers_have_regions_of_other_forms(project):
    for name, expected in (("auto", []), ("nyc3", []), ("garage", []), ("eu_west", ["W014"])):
        for other in ({"provider": "r2"}, {"endpoint_url": "https://s3.example.com"}):
            assert told(project, region_name=name, **other) == expected


def test_an_availability_zone_is_told_its_region(project):
    assert told(project, region_name="us-east-1a") == ["W014"]
    assert "its region is us-east-1." in check_s3_names()[0].msg


def test_a_setting_is_told_once_however_many_modules_use_it(project):
    project.AWS_STORAGE_BUCKET_NAME, project.AWS_S3_REGION_NAME = "Acme_Files", "eu"
    project.SMART_STORAGE_BUCKETS = {"m": KEYS, "n": KEYS, "o": {**KEYS, "provider": "ceph"}}
    backend = "smart_storages.storages.DocumentStorage"
    project.STORAGES = {"docs": {"BACKEND": backend, "OPTIONS": {"bucket_name": "x"}}}
    assert sorted(message.msg.partition(" is ")[0] for message in check_s3_names()) == [
        "AWS_S3_REGION_NAME",
        "AWS_STORAGE_BUCKET_NAME",
        "STORAGES['docs']: bucket_name",
    ]


def test_a_pattern_whose_buckets_are_named_after_tenants(project):
    project.SMART_STORAGE_BUCKETS = {"tenant_*": {"bucket_name": "{module}", **KEYS}}
    (message,) = check_s3_names()
    assert "SMART_STORAGE_BUCKETS['tenant_*']: bucket_name is 'tenant_*'" in message.msg
    project.SMART_STORAGE_BUCKETS = {"*": {"bucket_name": "{module}", **KEYS}}
    assert check_s3_names() == []


def test_manage_py_check_runs_every_check_of_this_room():
    registered = {check.__name__ for check in registry.registered_checks}
    named = {name for name in smart_storages.checks.__all__ if name.startswith("check_")}
    assert named <= registered
    assert {"check_s3_names", "check_provider"} <= named
