"""The settings part of Django's debug page hides a proxy's password, and Azure's key."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.views.debug import SafeExceptionReporterFilter

from smart_storages.monitoring.debug_page import (
    StorageExceptionReporterFilter,
    check_reporter_filter,
)
from tests import leaks

URL = f"http://{leaks.PROXY_LOGIN}@proxy.example:3128"
CONNECTION = f"AccountName=acme;AccountKey={leaks.SECRET_KEY}"
OURS = "smart_storages.monitoring.debug_page.StorageExceptionReporterFilter"
DJANGOS = "django.views.debug.SafeExceptionReporterFilter"


def configure(settings):
    settings.AWS_S3_PROXIES = {"https": URL}
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme", "proxies": {"https": URL}}}
    settings.STORAGES = {
        **getattr(settings, "STORAGES", {}),
        "reports": {
            "BACKEND": "smart_storages.storages.SmartS3Storage",
            "OPTIONS": {"module_name": "reports", "proxies": {"https": URL}},
        },
    }
    settings.AZURE_CONNECTION_STRING = CONNECTION
    settings.SMART_STORAGE_BUCKETS["archive"] = {
        "backend": "azure",
        "bucket_name": "acme",
        "connection_string": CONNECTION,
        "client_options": {"proxies": {"https": URL}},
    }
    settings.FALLBACK_STORAGES = [{"BACKEND": "x", "OPTIONS": {"proxies": {"https": URL}}}]


def test_the_page_shows_the_settings_without_the_password(settings):
    configure(settings)
    settings.DEBUG = True
    page = leaks.page_of(ValueError("something else"))
    assert "SMART_STORAGE_BUCKETS" in page
    assert "acme" in page
    assert not leaks.find_in(page)


def test_a_proxy_of_the_environment_is_hidden_among_what_a_request_brings(rf):
    cleanse = StorageExceptionReporterFilter().cleanse_setting
    assert cleanse("HTTPS_PROXY", URL) == cleanse("https_proxy", URL) == "********************"
    assert cleanse("SECURE_PROXY_SSL_HEADER", "x") == cleanse("PROXY", "x") == "x"


def test_the_arguments_of_a_storage_class_are_hidden_and_the_options_of_django_are_not():
    cleanse = StorageExceptionReporterFilter().cleanse_setting
    entry = {"backend": "a.Storage", "options": {"dsn": "ada:hunter2"}}
    assert "hunter2" not in str(cleanse("SMART_STORAGE_BUCKETS", {"media": entry}))
    template = {"BACKEND": "x", "OPTIONS": {"context_processors": ["y"]}}
    assert cleanse("TEMPLATES", template) == template


def test_whatever_django_hides_stays_hidden():
    theirs = re.findall(r"\w+", SafeExceptionReporterFilter.hidden_settings.pattern)
    hides = StorageExceptionReporterFilter.hidden_settings.search
    assert all(hides(f"my_{word}") for word in theirs)


def test_it_is_used_without_being_asked_for():
    assert django_settings.DEFAULT_EXCEPTION_REPORTER_FILTER == OURS


def test_a_filter_of_the_project_stays():
    code = (
        "import django; from django.conf import settings\n"
        "settings.configure(INSTALLED_APPS=['smart_storages'],"
        " DEFAULT_EXCEPTION_REPORTER_FILTER='acme.Filter')\n"
        "django.setup(); print(settings.DEFAULT_EXCEPTION_REPORTER_FILTER)"
    )
    root = Path(__file__).resolve().parents[2]
    run = [sys.executable, "-c", code]
    said = subprocess.run(run, cwd=root, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "acme.Filter"


def test_a_check_tells_where_a_filter_of_the_project_shows_a_password(settings):
    configure(settings)
    assert check_reporter_filter() == []
    settings.DEFAULT_EXCEPTION_REPORTER_FILTER = DJANGOS
    messages = check_reporter_filter()
    assert [each.id for each in messages] == ["smart_storages.W020"] * 6
    assert [each.msg.partition(" contains")[0] for each in messages] == [
        "AWS_S3_PROXIES",
        "AZURE_CONNECTION_STRING",
        "SMART_STORAGE_BUCKETS['archive']['client_options']['proxies']",
        "SMART_STORAGE_BUCKETS['archive']['connection_string']",
        "SMART_STORAGE_BUCKETS['media']['proxies']",
        "STORAGES['reports']['OPTIONS']['proxies']",
    ]
    assert not any(leaks.find_in(f"{each.msg}{each.hint}") for each in messages)


@pytest.mark.parametrize("proxies", [{"https": "http://proxy.example:3128"}, None, {}])
def test_a_proxy_without_a_password_is_nothing_to_tell_of(settings, proxies):
    settings.DEFAULT_EXCEPTION_REPORTER_FILTER = DJANGOS
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme", "proxies": proxies}}
    assert check_reporter_filter() == []
