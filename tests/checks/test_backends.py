"""System checks of modules whose files are not in S3."""

from __future__ import annotations

import pytest
from django.core import mail
from django.core.files.base import ContentFile
from django.urls import include, path

from smart_storages.checks import (
    check_accounts,
    check_buckets,
    check_credentials,
    check_local,
    check_s3_names,
    check_view,
)
from smart_storages.exceptions import ConfigurationError
from smart_storages.utils import get_storage


class WithView:
    urlpatterns = (path("files/", include("smart_storages.local.urls")),)


class WithoutView:
    urlpatterns = ()


def ids(messages):
    return [message.id for message in messages]


def test_a_directory_for_all_modules_is_for_development(settings, tmp_path, monkeypatch):
    monkeypatch.delattr(mail, "outbox")  # or it is a test run, where DEBUG is always off
    assert check_local() == []
    settings.SMART_STORAGE_LOCAL = tmp_path
    settings.DEBUG = True
    assert check_local() == []
    settings.DEBUG = False
    (message,) = check_local()
    assert message.id == "smart_storages.W021"
    assert str(tmp_path) in message.msg
    assert "'filesystem'" in message.hint


def test_a_test_run_of_a_project_whose_laptop_keeps_files_in_a_directory_warns_of_nothing(
    settings, tmp_path
):
    settings.SMART_STORAGE_LOCAL = tmp_path
    assert check_local() == []


def test_a_directory_for_all_modules_needs_an_absolute_path(settings):
    settings.SMART_STORAGE_LOCAL = "buckets"
    (message,) = check_local()
    assert message.id == "smart_storages.E001"
    assert "BASE_DIR / 'buckets'" in message.hint


def test_the_urlconf_needs_the_view(settings, tmp_path):
    settings.ROOT_URLCONF = WithoutView
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"backend": "memory"},
        "served": {"backend": "filesystem", "root": tmp_path, "base_url": "/files/"},
        "s3": {"bucket_name": "acme"},
    }
    (message,) = check_view()
    assert message.id == "smart_storages.W022"
    assert "the URLs of SMART_STORAGE_BUCKETS['media'] lead nowhere" in message.msg
    assert 'include("smart_storages.local.urls")' in message.hint
    assert "include is in django.urls" in message.hint
    settings.ROOT_URLCONF = WithView
    assert check_view() == []


def test_modules_in_s3_need_no_view(settings):
    settings.ROOT_URLCONF = WithoutView
    settings.SMART_STORAGE_BUCKETS = {"s3": {"bucket_name": "acme"}}
    assert check_view() == []


def test_a_module_that_is_not_in_s3_needs_no_bucket(settings, tmp_path):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "memory"}, "s3": {}}
    assert ids(check_buckets()) == ["smart_storages.W003"]
    settings.SMART_STORAGE_LOCAL = tmp_path
    assert check_buckets() == []


def test_what_is_asked_of_s3_is_not_asked_of_others(settings, monkeypatch):
    monkeypatch.setattr("smart_storages.checks.connections._may_have_credentials", lambda: False)
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "Not_For_AWS"}}
    # Storages of other tests may be told of as well, as long as they live.
    assert any("'media'" in message.msg for message in check_credentials())
    assert any("Not_For_AWS" in message.msg for message in check_s3_names())
    settings.SMART_STORAGE_BACKEND = "memory"
    assert not any("'media'" in message.msg for message in check_credentials())
    assert not any("Not_For_AWS" in message.msg for message in check_s3_names())


def test_two_roots_do_not_share_a_location(settings, tmp_path):
    entry = {"backend": "filesystem", "bucket_name": "acme", "root": tmp_path}
    public = {**entry, "default_acl": "public-read"}
    settings.SMART_STORAGE_BUCKETS = {"a": entry, "b": public}
    assert ids(check_buckets()) == ["smart_storages.W001"]
    settings.SMART_STORAGE_BUCKETS = {"a": entry, "b": {**public, "root": tmp_path / "b"}}
    assert check_buckets() == []


def test_options_that_do_not_fit_the_backend_are_found(settings):
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"backend": "filesystem"},
        "docs": {"bucket_name": "acme", "root": "/buckets"},
    }
    assert ids(check_buckets()) == ["smart_storages.E022", "smart_storages.E022"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "['account_name'] is missing: the backend 'azure' needs an account."),
        ({"account_key": "aHVudGVyMg=="}, "['account_name'] is missing"),
        (
            {"account_name": "https://acme.blob.core.windows.net", "account_key": "aHVudGVyMg=="},
            "['account_name'] is 'https://acme.blob.core.windows.net', and an account of Azure has",
        ),
        (
            {"account_name": "acme", "account_key": "hunter2!"},
            "['account_key'] is not a key of Azure: it must be base64.",
        ),
        ({"connection_string": "hunter2"}, "['connection_string'] cannot be read."),
        ({"connection_string": "AccountName=acme;AccountKey=hunter2!"}, "cannot be read."),
        ({"connection_string": "AccountKey=aHVudGVyMg=="}, "cannot be read."),
        (
            {"account_name": "acme", "token_credential": "azure.identity.DefaultAzureCredential"},
            "['token_credential'] must be an object with a method get_token(), not str.",
        ),
        *(
            ({"account_name": "acme", "endpoint_suffix": suffix}, "['endpoint_suffix'] is")
            for suffix in ("https://core.windows.net", "blob.core.windows.net", "a b", "")
        ),
        *(
            ({"account_name": "acme", "sas_token": token}, "['sas_token'] is not a shared access")
            for token in ("hunter2", "https://acme.blob.core.windows.net/?sv=1&sig=hunter2")
        ),
        (
            {"account_name": "acme", "client_options": {"retry_totl": 3}},
            "['client_options'] has 'retry_totl', which means nothing there.",
        ),
        (
            {"account_name": "acme", "client_options": {"read_timeout": "hunter2"}},
            "['client_options'] has a 'read_timeout' that is no number, but a str.",
        ),
        (
            {"account_name": "acme", "bucket_name": None},
            "['bucket_name'] is missing: the backend 'azure' needs a container.",
        ),
    ],
)
def test_an_account_of_azure_that_cannot_be_used_is_told(settings, options, match):
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"backend": "azure", "bucket_name": "acme", **options}
    }
    (message,) = check_accounts()
    assert message.id == "smart_storages.E022"
    assert message.msg.startswith("SMART_STORAGE_BUCKETS['media']")
    assert match in message.msg
    assert message.hint
    assert "hunter2" not in f"{message.msg}{message.hint}"
    with pytest.raises(ConfigurationError, match="'media'") as caught:
        get_storage("media").save("a.txt", ContentFile(b"x"))
    assert "hunter2" not in str(caught.value)


def test_a_setting_of_azure_that_cannot_be_used_is_told_once(settings):
    settings.SMART_STORAGE_BUCKETS = {
        name: {"backend": "azure", "bucket_name": "acme", "location": name} for name in "ab"
    }
    settings.AZURE_ACCOUNT_NAME = "acme"
    settings.AZURE_ACCOUNT_KEY = "hunter2!"
    (message,) = check_accounts()
    assert message.msg.startswith("AZURE_ACCOUNT_KEY is not a key of Azure")
    settings.AZURE_ACCOUNT_KEY = "aHVudGVyMg=="
    assert check_accounts() == []
    settings.AZURE_SSL = "no"
    (message,) = check_accounts()
    assert (message.id, message.msg) == ("smart_storages.E001", "AZURE_SSL must be bool, not str.")


@pytest.mark.parametrize(
    ("backend", "key", "own"),
    [
        ("azure", "access_key", "account_name"),
        ("azure", "endpoint_url", "connection_string"),
        ("gcs", "custom_domain", "custom_endpoint"),
        ("gcs", "secret_key", "credentials"),
        ("sftp", "custom_domain", "base_url"),
    ],
)
def test_an_option_of_s3_that_has_no_effect_is_told_with_the_one_that_has(
    settings, backend, key, own
):
    value = "https://example.com" if key == "endpoint_url" else "example.com"
    settings.AWS_S3_CUSTOM_DOMAIN = "cdn.example.com"  # which is for all modules
    entry = {"backend": backend, "bucket_name": "acme"}
    settings.SMART_STORAGE_BUCKETS = {"media": entry}
    assert check_buckets() == []
    settings.SMART_STORAGE_BUCKETS = {"media": {**entry, key: value}}
    assert [(each.msg, each.hint) for each in check_buckets() if own in str(each.hint)] == [
        (
            f"SMART_STORAGE_BUCKETS['media'][{key!r}] has no effect: the backend is {backend!r}.",
            f"Write {own!r} in its place.",
        )
    ]


@pytest.mark.parametrize("name", ["password", "port", "username"])
def test_what_belongs_in_params_is_told(settings, name):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "sftp", "host": "x.org", name: "a"}}
    (message,) = check_buckets()
    assert message.hint == f"Of the backend 'sftp', it belongs in 'params': {{{name!r}: ...}}."


@pytest.mark.parametrize(
    "options",
    [
        {"account_name": "acme", "account_key": "aHVudGVyMg=="},
        {"account_name": "acme", "sas_token": "sv=1&sig=x"},
        {"account_name": "acme", "client_options": {"read_timeout": 5, "later": "x"}},
        {"account_name": "acme", "endpoint_suffix": "localhost:10000"},
        {"connection_string": "BlobEndpoint=http://127.0.0.1:1/a;SharedAccessSignature=sv=1&sig=x"},
        {"connection_string": "AccountName=acme;AccountKey=aHVudGVyMg==;"},
    ],
)
def test_an_account_that_can_be_one_is_nothing_to_tell_of(settings, options):
    settings.AZURE_CONTAINER = "acme"
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "azure", **options}}
    assert check_accounts() == []


def test_a_backend_for_all_modules_has_the_options_of_each(settings, tmp_path):
    settings.SMART_STORAGE_BACKEND = "filesystem"
    settings.SMART_STORAGE_BUCKETS = {"media": {"root": tmp_path}}
    assert check_buckets() == []
    settings.SMART_STORAGE_BUCKETS = {"media": {}}
    assert [message.msg[:36] for message in check_buckets()] == [
        "SMART_STORAGE_BUCKETS['media']['root"
    ]


@pytest.mark.parametrize("nothing", [None, False, ""])
def test_a_directory_for_all_modules_is_switched_off(settings, nothing):
    settings.SMART_STORAGE_LOCAL = nothing
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "memory"}}
    assert check_local() == []
    assert get_storage("media").backend == "memory"


def test_a_base_url_is_a_url_or_an_absolute_path(settings, tmp_path):
    entry = {"backend": "filesystem", "root": tmp_path, "base_url": "files/"}
    settings.SMART_STORAGE_BUCKETS = {"media": entry}
    (message,) = check_buckets()
    assert "['base_url'] is 'files/', which browsers would take for a path below" in message.msg
    for fine in ("/files/", "https://files.example.com/", "//files.example.com"):
        settings.SMART_STORAGE_BUCKETS = {"media": {**entry, "base_url": fine}}
        assert check_buckets() == []


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("azure_container", "bucket_name"), ("overwrite_files", "file_overwrite")],
)
def test_a_name_of_django_storages_is_told_in_ours(settings, theirs, ours):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "azure", theirs: "acme"}}
    (message,) = check_buckets()
    assert message.hint == f"It is called {ours!r} here."


def test_a_class_that_cannot_keep_files_is_found(settings, tmp_path):
    directory = "django.core.files.storage.FileSystemStorage"
    settings.SMART_STORAGE_BUCKETS = {
        "fine": {"backend": directory, "options": {"location": tmp_path}},
        "missing": {"backend": "no.such.Storage"},
        "ours": {"backend": "smart_storages.storages.MediaStorage"},
        "misspelt": {"backend": directory, "options": {"loction": "hunter2"}},
        "compressed": {"backend": directory, "gzip": True},
    }
    messages = check_buckets()
    assert ids(messages) == ["smart_storages.E022"] * 4
    for message, name in zip(messages, ("compressed", "missing", "ours", "misspelt")):
        assert f"SMART_STORAGE_BUCKETS['{name}']" in message.msg
        assert "hunter2" not in f"{message.msg} {message.hint}"
    assert "unexpected keyword argument 'loction'" in messages[3].msg


def test_a_class_is_not_made_by_a_check(settings):
    # Its constructor fails.
    demanding = "tests.backends.projects_storages.Demanding"
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": demanding, "options": {"key": "x"}}}
    assert check_buckets() == []


def test_modules_that_match_a_pattern_have_places_of_their_own(settings, tmp_path):
    directory = "django.core.files.storage.FileSystemStorage"
    options = {"location": f"{tmp_path}/{{module}}"}
    settings.SMART_STORAGE_BUCKETS = {"tenant_*": {"backend": directory, "options": options}}
    assert check_buckets() == []
    options["location"] = str(tmp_path)
    assert ids(check_buckets()) == ["smart_storages.W004"]
    sftp = {"backend": "sftp", "host": "sftp.example.com"}
    settings.SMART_STORAGE_BUCKETS = {"tenant_*": {**sftp, "root_path": "/srv/{module}"}}
    assert check_buckets() == []


def test_no_acl_differs_where_none_is_kept(settings, tmp_path):
    entry = {
        "backend": "django.core.files.storage.FileSystemStorage",
        "bucket_name": "acme",
        "options": {"location": str(tmp_path)},
    }
    public = {**entry, "default_acl": "public-read"}
    settings.SMART_STORAGE_BUCKETS = {"a": entry, "b": public}
    assert check_buckets() == []


def test_a_module_on_a_server_of_sftp_needs_paramiko(settings, monkeypatch):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "sftp", "host": "sftp.example.com"}}
    assert check_buckets() == []
    monkeypatch.setattr("smart_storages.config.plain_backends.find_spec", lambda name: None)
    (message,) = check_buckets()
    assert message.id == "smart_storages.E022"
    assert "pip install 'django-smart-storages[sftp]'" in message.hint
