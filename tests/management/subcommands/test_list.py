from __future__ import annotations

import re
from typing import Any, Dict, List

import pytest

from smart_storages.storages import SmartS3Storage
from tests.management.calls import call

ENTRIES = {
    "media": {"bucket_name": "acme-media", "default_acl": "public-read"},
    "documents": {"bucket_name": "acme-docs", "region_name": "eu-central-1"},
    "cdn": {"bucket_name": "acme-cdn", "location": "a/", "custom_domain": "cdn.example.com"},
    "tenant_*": {"bucket_name": "acme-{module}", "location": "{module}/"},
}
STORAGES = {
    "default": {"BACKEND": "smart_storages.MediaStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "elsewhere": {
        "BACKEND": "smart_storages.SmartS3Storage",
        "OPTIONS": {"module_name": "documents", "bucket_name": "acme-elsewhere"},
    },
    "chosen": {
        "BACKEND": "smart_storages.FallbackStorage",
        "OPTIONS": {"backends": ["documents", "media"]},
    },
    "circle": {"BACKEND": "smart_storages.FallbackStorage", "OPTIONS": {"backends": ["circle"]}},
    "scans": {
        "BACKEND": "smart_storages.queued.backends.QueuedStorage",
        "OPTIONS": {"local": "disk", "remote": "tenant_x"},
    },
    "disk": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "broken": {"BACKEND": "no.such.Storage"},
}


@pytest.fixture(autouse=True)
def project(settings: Any) -> Any:
    settings.SMART_STORAGE_BUCKETS = ENTRIES
    settings.STORAGES = STORAGES
    settings.AWS_S3_REGION_NAME = "eu-west-1"
    return settings


def listed() -> Dict[str, Any]:
    answer = call("list", "--json")
    assert answer.code == 0, answer
    return {each["bucket"]: each for each in answer.json}


def test_each_module_is_shown_with_its_bucket_and_who_uses_it() -> None:
    shown = listed()
    assert shown["acme-media"] == {
        "module": "media",
        "bucket": "acme-media",
        "location": "media/",
        "server": "eu-west-1",
        "access": "public",
        "used_by": ["STORAGES['default']", "STORAGES['chosen']"],
        "problem": None,
    }
    assert shown["acme-docs"]["used_by"] == ["STORAGES['chosen']"]
    assert shown["acme-docs"]["server"] == "eu-central-1"
    assert shown["acme-docs"]["access"] == "private"
    assert shown["acme-cdn"]["access"] == "cdn"


def test_a_pattern_and_a_module_that_fits_it_are_two_places() -> None:
    shown = listed()
    assert shown["acme-tenant_*"]["module"] == "tenant_*"
    assert shown["acme-tenant_*"]["location"] == "tenant_*/"
    assert shown["acme-tenant_x"]["used_by"] == ["STORAGES['scans']"]


def test_an_alias_with_a_bucket_of_its_own_is_a_place_of_its_own() -> None:
    assert listed()["acme-elsewhere"]["used_by"] == ["STORAGES['elsewhere']"]


def test_the_table_has_a_line_for_each() -> None:
    answer = call("list")
    headings, *lines = [re.split("  +", line) for line in answer.out.splitlines()]
    assert headings == ["MODULE", "BUCKET", "LOCATION", "SERVER", "ACCESS", "USED BY"]
    rows: List[Any] = [dict(zip(headings, line)) for line in lines]
    assert {row["BUCKET"] for row in rows} == {*listed()}
    assert rows[0]["USED BY"] == "STORAGES['default'], STORAGES['chosen']"


def test_a_module_that_cannot_work_is_told_of(settings: Any) -> None:
    settings.STORAGES = {}
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"bucket_name": "acme"},
        "half": {"bucket_name": "acme", "access_key": "AKIDEXAMPLE"},
        "none": {},
    }
    answer = call("list")
    assert answer.code == 1
    assert "half: SMART_STORAGE_BUCKETS['half']" in answer.err
    assert "none: It has no bucket" in answer.err
    assert "AKIDEXAMPLE" not in answer.out + answer.err


def test_without_modules_it_says_so(settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = {}
    settings.STORAGES = {}
    assert "There are no modules" in call("list").out


def test_settings_that_cannot_be_read_are_an_error(settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = ["media"]
    answer = call("list")
    assert (answer.code, answer.out) == (1, "")
    assert "SMART_STORAGE_BUCKETS must be a dict" in answer.err


def test_nothing_is_asked_over_the_network(settings: Any) -> None:
    settings.AWS_S3_ENDPOINT_URL = "http://127.0.0.1:9"
    storage = SmartS3Storage("media")
    assert listed()["acme-media"]["server"] == "http://127.0.0.1:9"
    assert storage._connection is None
