"""A typing error in the name of a module or a setting is told, and refused where that is wanted."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from django.core.checks.registry import registry
from django.core.files.base import ContentFile
from django.db import models
from django.test.utils import isolate_apps

from smart_storages.checks import check_buckets, check_storages, in_use, names
from smart_storages.checks.names import check_module_names, check_setting_names
from smart_storages.config.spelling import KNOWN_SETTINGS, find_misspelt_settings
from smart_storages.exceptions import ConfigurationError, UnknownModuleError
from smart_storages.storages import DocumentStorage, MediaStorage, SmartS3Storage, connecting
from smart_storages.utils import create_storage_class, get_storage, resolve_storage

BUCKETS = {"documents": {"bucket_name": "acme-docs"}, "tenant_*": {"location": "{module}/"}}
MADE = []  # storages that other tests left behind must not be seen, and those of this one must


@pytest.fixture(autouse=True)
def project(settings, monkeypatch):
    """An empty project with entries and a default bucket, seen by nobody else's storages."""
    settings.AWS_STORAGE_BUCKET_NAME = "acme-default"
    settings.SMART_STORAGE_BUCKETS = BUCKETS
    settings.STORAGES = {}
    monkeypatch.setattr(in_use.apps, "get_models", list)
    monkeypatch.setattr(names, "iter_storages", lambda: list(MADE))
    monkeypatch.setattr(names, "iter_classes", list)
    connecting._warned.clear()
    yield settings
    MADE.clear()


def use(storage):
    MADE.append(storage)
    return storage


def told(messages):
    return [message.id.split(".")[1] for message in messages]


@pytest.mark.parametrize(("strict", "expected"), [(False, "W006"), (True, "E021")])
def test_each_use_of_a_module_without_an_entry_is_told(project, monkeypatch, strict, expected):
    project.SMART_STORAGE_STRICT = strict
    with isolate_apps("tests"):

        class Article(models.Model):
            file = models.FileField(storage=SmartS3Storage("documnets"))

            class Meta:
                app_label = "tests"

    made = create_storage_class("documnets", location="a")
    users = {
        "tests.Article.file": lambda: monkeypatch.setattr(
            in_use.apps, "get_models", lambda: [Article]
        ),
        "STORAGES['docs']": lambda: setattr(
            project,
            "STORAGES",
            {
                "docs": {
                    "BACKEND": "smart_storages.storages.SmartS3Storage",
                    "OPTIONS": {"module_name": "documnets"},
                }
            },
        ),
        "create_storage_class('documnets')": lambda: monkeypatch.setattr(
            names, "iter_classes", lambda: [made]
        ),
        "SmartS3Storage('documnets')": lambda: use(get_storage("documnets")),
    }
    for label, start in users.items():
        with monkeypatch.context():
            start()
            (message,) = check_module_names()
        assert message.id == f"smart_storages.{expected}"
        assert "'documnets' has no entry in SMART_STORAGE_BUCKETS" in message.msg
        assert "'acme-default', the bucket of AWS_STORAGE_BUCKET_NAME" in message.msg
        assert label in message.msg
        assert "Did you mean 'documents'?" in message.hint
        assert check_storages() == []
        monkeypatch.setattr(in_use.apps, "get_models", list)
        monkeypatch.setattr(names, "iter_classes", list)
        project.STORAGES = {}
        MADE.clear()


@pytest.mark.parametrize(
    "make",
    [
        lambda: get_storage("documents"),
        lambda: get_storage("tenant_x"),
        SmartS3Storage,
        lambda: SmartS3Storage("new", bucket_name="acme-default"),
        create_storage_class("new", bucket_name="acme"),
        type("New", (SmartS3Storage,), {"module_name": "n", "bucket_name": "acme"}),
        type(
            "New", (SmartS3Storage,), {"module_name": "n", "bucket_name": property(lambda s: "a")}
        ),
    ],
)
def test_a_module_with_an_entry_or_a_bucket_of_its_own_is_left_alone(project, make):
    project.SMART_STORAGE_STRICT = True
    storage = use(make())
    assert check_module_names() == []
    assert storage.url("a.txt", expire=9) if storage.access_key else storage.bucket_name


def test_an_empty_entry_says_that_the_default_bucket_is_meant(project):
    project.SMART_STORAGE_STRICT = True
    project.SMART_STORAGE_BUCKETS = {"media": {}}
    assert use(MediaStorage()).bucket_name == "acme-default"
    assert use(MediaStorage()).configuration_problem is None
    assert check_module_names() == []


def test_without_entries_nothing_is_told(project):
    del project.SMART_STORAGE_BUCKETS
    project.SMART_STORAGE_STRICT = True
    assert use(MediaStorage()).configuration_problem is None
    assert check_module_names() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda storage: storage.save("a.txt", ContentFile(b"x")),
        lambda storage: storage.exists("a.txt"),
        lambda storage: storage.url("a.txt"),
        lambda storage: storage.open("a.txt", "wb"),
        lambda storage: storage.delete("a.txt"),
        lambda storage: storage.client,
    ],
)
def test_a_strict_project_refuses_the_first_use(project, call):
    project.SMART_STORAGE_STRICT = True
    with pytest.raises(UnknownModuleError, match=r"'documnets' has no entry.*'documents'"):
        call(get_storage("documnets"))
    with pytest.raises(UnknownModuleError, match="'media' has no entry"):
        call(MediaStorage())


def test_without_strict_the_log_tells_once_of_each_module(project, caplog):
    project.AWS_S3_ACCESS_KEY_ID = project.AWS_S3_SECRET_ACCESS_KEY = "key"
    with caplog.at_level(logging.WARNING, logger="smart_storages.config"):
        for _ in range(2):
            SmartS3Storage("documnets").url("a.txt")
            SmartS3Storage("documents").url("a.txt")
        SmartS3Storage("picture").url("a.txt")
    first, second = [record.getMessage() for record in caplog.records]
    assert "'documnets' has no entry in SMART_STORAGE_BUCKETS" in first
    assert "Did you mean 'documents'?" in first
    assert "'picture' has no entry" in second


def test_the_log_tells_of_a_hundred_modules_at_most(project, caplog):
    with caplog.at_level(logging.WARNING, logger="smart_storages.config"):
        for number in range(150):
            connecting._warn_of_missing_entry(f"shop-{number}", "acme")
    assert len(caplog.records) == 100


def test_a_module_without_entry_and_bucket_is_told_of_once(project):
    del project.AWS_STORAGE_BUCKET_NAME
    project.STORAGES = {"docs": {"BACKEND": "smart_storages.storages.MediaStorage"}}
    assert told(check_module_names()) == ["W006"]
    assert check_storages() == []
    with pytest.raises(Exception, match=r"\['documnets'\]\['bucket_name'\].*'documents'"):
        get_storage("documnets").url("a.txt")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["mediaa"], ["W007"]),
        (["document"], ["W007"]),
        (["Media"], ["W007"]),
        (["mediaa", "media"], []),
        (["media_eu", "reports", "statistics"], []),
        (["medi*"], []),
    ],
)
def test_an_entry_that_is_close_to_a_known_name(project, keys, expected):
    project.SMART_STORAGE_BUCKETS = {key: {"bucket_name": "acme"} for key in keys}
    messages = check_module_names()
    assert told(messages) == expected
    assert all("Did you mean 'media'" in m.hint or "'documents'" in m.hint for m in messages)


def test_an_entry_and_the_class_that_it_was_for_are_told_of_once(project):
    project.SMART_STORAGE_BUCKETS = {"mediaa": {"bucket_name": "acme"}}
    use(MediaStorage())
    (message,) = check_module_names()
    assert message.id == "smart_storages.W006"
    assert "Did you mean 'mediaa'?" in message.hint


def test_an_entry_that_a_storage_uses_is_left_alone(project):
    project.SMART_STORAGE_BUCKETS = {"document": {"bucket_name": "acme"}}
    use(SmartS3Storage("document"))
    assert check_module_names() == []


def test_a_setting_that_is_no_flag(project):
    project.SMART_STORAGE_STRICT = "yes"
    assert told(check_buckets()) == ["E001"]
    assert check_module_names() == []
    assert use(DocumentStorage()).configuration_problem is None


MISSPELT = {
    "SMART_STORAGE_BUCKET": "SMART_STORAGE_BUCKETS",
    "SMART_STORAGES_BUCKETS": "SMART_STORAGE_BUCKETS",
    "SMART_STORAGE_STRCT": "SMART_STORAGE_STRICT",
    "SMART_STORAGE_PROVIDR": "SMART_STORAGE_PROVIDER",
    "SMART_STORAGES_PROVIDER": "SMART_STORAGE_PROVIDER",
    "QUEUED_STORAGE_RETRYS": "QUEUED_STORAGE_RETRIES",
    "AWS_S3_REGION": "AWS_S3_REGION_NAME",
    "AWS_REGION_NAME": "AWS_S3_REGION_NAME",
    "AWS_BUCKET_NAME": "AWS_STORAGE_BUCKET_NAME",
    "AWS_S3_BUCKET_NAME": "AWS_STORAGE_BUCKET_NAME",
    "AWS_SECRET_KEY": "AWS_SECRET_ACCESS_KEY",
    "AWS_S3_ENDPOINT": "AWS_S3_ENDPOINT_URL",
    "AWS_QUERYSTRING_EXPIRES": "AWS_QUERYSTRING_EXPIRE",
    "AWS_IS_GZIP": "AWS_IS_GZIPPED",
}
OF_OTHERS = [
    "AWS_SES_REGION_NAME",
    "AWS_SES_REGION_ENDPOINT",
    "AWS_SES_ACCESS_KEY_ID",
    "AWS_SES_SECRET_ACCESS_KEY",
    "AWS_SNS_REGION_NAME",
    "AWS_SQS_ENDPOINT_URL",
    "AWS_COGNITO_REGION_NAME",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_MEDIA_LOCATION",
    "AWS_STATIC_LOCATION",
    "AWS_STORAGE_BUCKET_NAME_STATIC",
    "AWS_MEDIA_BUCKET_NAME",
    "AWS_S3_MEDIA_CUSTOM_DOMAIN",
    "AWS_CLOUDFRONT_DOMAIN",
    "AWS_HEADERS",
    "SMART_STORAGE_OF_MY_OWN",
    "AWS_LAMBDA_FUNCTION",
]


def test_a_misspelt_setting_is_told_with_the_one_that_was_meant():
    assert {name: dict(find_misspelt_settings([name])).get(name) for name in MISSPELT} == MISSPELT


def test_settings_of_other_packages_are_left_alone():
    assert list(find_misspelt_settings(OF_OTHERS)) == []
    assert list(find_misspelt_settings(KNOWN_SETTINGS)) == []


def test_a_name_beside_the_setting_that_it_is_close_to_is_the_projects_own(project):
    project.AWS_S3_REGION = "eu-west-1"
    (message,) = check_setting_names()
    assert message.id == "smart_storages.W008"
    assert "AWS_S3_REGION " in message.msg
    assert message.hint == "Did you mean AWS_S3_REGION_NAME?"
    project.AWS_S3_REGION_NAME = project.AWS_S3_REGION
    assert check_setting_names() == []


def test_every_setting_that_the_source_reads_is_known():
    package = Path(names.__file__).parents[1]
    read = {
        name
        for path in package.rglob("*.py")
        for name in re.findall(
            r"[\"`]((?:SMART_STORAGE|QUEUED_STORAGE)_[A-Z_]+[A-Z])\b", path.read_text("utf-8")
        )
    }
    assert read >= {"SMART_STORAGE_BUCKETS", "QUEUED_STORAGE_LEASE"}
    assert read <= KNOWN_SETTINGS


def test_a_module_that_a_composed_storage_names_is_in_use(project):
    project.STORAGES = {
        "default": {
            "BACKEND": "smart_storages.fallback.FallbackStorage",
            "OPTIONS": {"backends": ["documents", "media"]},
        }
    }
    (message,) = check_module_names()
    assert message.id == "smart_storages.W006"
    assert "'media' has no entry" in message.msg
    assert "STORAGES['default']" in message.msg


def test_a_reference_that_is_close_to_a_module_says_which():
    with pytest.raises(ConfigurationError, match=r"no storage 'documnets'.*mean 'documents'\?"):
        resolve_storage("documnets")


def test_the_checks_are_those_that_django_runs():
    # One of another package may be an object of any kind.
    registered = {getattr(check, "__name__", "") for check in registry.registered_checks}
    names = ("module_names", "setting_names", "endpoints", "credentials", "installation")
    assert {f"check_{name}" for name in names} <= registered
