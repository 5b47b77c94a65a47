"""System checks of modules whose files are not in S3."""

from __future__ import annotations

from django.urls import include, path

from smart_storages.checks import (
    check_buckets,
    check_credentials,
    check_local,
    check_s3_names,
    check_view,
)


class WithView:
    urlpatterns = (path("files/", include("smart_storages.local.urls")),)


class WithoutView:
    urlpatterns = ()


def ids(messages):
    return [message.id for message in messages]


def test_a_directory_for_all_modules_is_for_development(settings, tmp_path):
    assert check_local() == []
    settings.SMART_STORAGE_LOCAL = tmp_path
    settings.DEBUG = True
    assert check_local() == []
    settings.DEBUG = False
    (message,) = check_local()
    assert message.id == "smart_storages.W021"
    assert str(tmp_path) in message.msg
    assert "'filesystem'" in message.hint


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
    assert "smart_storages.W012" in ids(check_credentials())
    assert any("Not_For_AWS" in message.msg for message in check_s3_names())
    settings.SMART_STORAGE_BACKEND = "memory"
    assert "smart_storages.W012" not in ids(check_credentials())
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
