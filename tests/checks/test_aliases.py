"""A wrong shape of STORAGES is told of, and is never what the check command fails at."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import models
from django.test.utils import isolate_apps

from smart_storages.checks import aliases
from smart_storages.checks.aliases import check_aliases
from smart_storages.common.compat import FILES_TAG, HAS_STORAGES
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import SmartS3Storage
from smart_storages.utils import resolve_storage

S3 = "smart_storages.storages.SmartS3Storage"
FILES = "django.core.files.storage.FileSystemStorage"
DISPATCHER = "smart_storages.dispatcher.StorageDispatcher"
QUEUED = "smart_storages.queued.backends.QueuedStorage"


def ids(messages):
    return sorted(message.id.split(".")[1] for message in messages)


def check_alias(settings, **params):
    settings.STORAGES = {"reports": params}
    return check_aliases()


# Not a dict


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([], marks=pytest.mark.skipif(not HAS_STORAGES, reason="as if not set")),
        pytest.param(None, marks=pytest.mark.skipif(not HAS_STORAGES, reason="as if not set")),
        ["default"],
        "x",
        3,
        object,
    ],
)
def test_a_setting_that_is_no_dict_is_told_of_once(settings, value):
    settings.STORAGES = value
    messages = [
        each for each in run_checks(tags=[FILES_TAG]) if "STORAGES" in f"{each.msg}{each.id}"
    ]
    (message,) = [each for each in messages if each.id.startswith("smart_storages")]
    assert message.id == "smart_storages.E001"
    assert message.msg.startswith("STORAGES must be a dict")
    assert '{"default": {"BACKEND"' in message.hint
    with pytest.raises(ConfigurationError, match="STORAGES must be a dict"):
        resolve_storage("default")


@pytest.mark.parametrize("params", [None, 3, "x", FILES, ["BACKEND"], SmartS3Storage])
def test_an_alias_that_is_no_dict_is_told_of_once(settings, params):
    settings.STORAGES = {"default": {"BACKEND": FILES}, "reports": params}
    messages = [
        each for each in run_checks(tags=[FILES_TAG]) if each.id.startswith("smart_storages.E")
    ]
    (message,) = messages
    assert message.id == "smart_storages.E001"
    assert message.msg.startswith("STORAGES['reports'] must be a dict with BACKEND and OPTIONS")
    with pytest.raises(ConfigurationError, match=r"'reports'.* must be a dict"):
        resolve_storage("reports")


@pytest.mark.parametrize("value", [3, "x", ["default"], {"default": None}])
@isolate_apps("tests")
def test_a_field_of_ours_does_not_make_the_checks_fail(settings, monkeypatch, value):
    class Report(models.Model):
        file = models.FileField(storage=SmartS3Storage("reports", bucket_name="acme"))

        class Meta:
            app_label = "tests"

    monkeypatch.setattr("smart_storages.checks.in_use.apps.get_models", lambda: [Report])
    settings.STORAGES = value
    assert "E001" in ids(run_checks(tags=[FILES_TAG]))


# The backend


@pytest.mark.parametrize(
    ("backend", "says"),
    [
        (None, "must be a dotted path, not NoneType"),
        (3, "must be a dotted path, not int"),
        (SmartS3Storage, "must be a dotted path, not the class SmartS3Storage"),
    ],
)
def test_a_backend_that_is_no_dotted_path(settings, backend, says):
    (message,) = check_alias(settings, BACKEND=backend)
    assert message.id == "smart_storages.E001"
    assert f"STORAGES['reports']['BACKEND'] {says}" in message.msg


def test_a_backend_that_is_missing(settings):
    (message,) = check_alias(settings, OPTIONS={})
    assert message.id == "smart_storages.E001"
    assert "STORAGES['reports']['BACKEND'] is missing" in message.msg


@pytest.mark.parametrize("path", ["no.such.Storage", ".such", "..no.such", "", "x", "os.sep"])
def test_a_backend_that_cannot_be_imported_is_djangos_to_tell(settings, path):
    assert check_alias(settings, BACKEND=path, location="a") == []
    assert [
        each for each in run_checks(tags=[FILES_TAG]) if each.id.startswith("smart_storages.E")
    ] == []


# Nesting


@pytest.mark.parametrize(
    ("backend", "key", "hint"),
    [
        (S3, "module_name", "Put it into OPTIONS: {'OPTIONS': {'module_name': ...}}."),
        (S3, "bucket_name", "Put it into OPTIONS: {'OPTIONS': {'bucket_name': ...}}."),
        (S3, "OPTION", "Did you mean 'OPTIONS'?"),
        (S3, "options", "Did you mean 'OPTIONS'?"),
        (S3, "Backend", "Did you mean 'BACKEND'?"),
        (S3, "modul_name", "Did you mean 'module_name', in OPTIONS?"),
        (S3, "zzz", "Put options into OPTIONS, and remove what is none."),
        (S3, 3, "Put options into OPTIONS, and remove what is none."),
        ("smart_storages.storages.MediaStorage", "location", "Put it into OPTIONS"),
        (DISPATCHER, "resolver", "Put it into OPTIONS"),
        (DISPATCHER, "record_alais", "Did you mean 'record_alias', in OPTIONS?"),
        (QUEUED, "remote", "Put it into OPTIONS"),
    ],
)
def test_a_key_beside_options_is_told_of_with_the_place_it_belongs_to(settings, backend, key, hint):
    settings.STORAGES = {"reports": {"BACKEND": backend, key: "hunter2"}}
    (message,) = check_aliases()
    assert message.id == "smart_storages.E020"
    assert message.msg.startswith(f"STORAGES['reports'][{key!r}] is ignored by Django")
    assert hint in message.hint
    assert "hunter2" not in message.msg + message.hint


def test_each_such_key_is_told_of(settings):
    messages = check_alias(settings, BACKEND=S3, module_name="a", OPTION={}, OPTIONS={})
    assert ids(messages) == ["E020", "E020"]


@pytest.mark.parametrize("backend", [S3, DISPATCHER, QUEUED, FILES])
def test_an_alias_that_is_right_raises_nothing(settings, backend):
    assert check_alias(settings, BACKEND=backend, OPTIONS={"location": "a"}) == []
    assert check_alias(settings, BACKEND=backend) == []


def test_the_keys_of_somebody_elses_alias_are_left_alone(settings):
    assert check_alias(settings, BACKEND=FILES, location="a") == []


def test_django_runs_the_check(settings):
    check_alias(settings, BACKEND=S3, module_name="a")
    assert "smart_storages.E020" in [message.id for message in run_checks(tags=[FILES_TAG])]


@pytest.mark.documentation
def test_every_id_is_documented():
    page = Path(__file__).parents[2].joinpath("docs", "checks.md").read_text("utf-8")
    for number in aliases._IDS.values():
        assert f"## smart_storages.{number}" in page
