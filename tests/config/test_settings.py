"""Each setting that is read: its default, its type, and what a wrong one is told."""

from __future__ import annotations

import hmac
from typing import Any, Callable

import pytest
from django.test import override_settings

from smart_storages.config import settings as read
from smart_storages.exceptions import ConfigurationError

CACHES = {
    alias: {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    for alias in ("default", "locks")
}
ALIASES = r"must be one of \['default', 'locks'\], the aliases in CACHES, not "


@pytest.mark.parametrize(
    ("setting", "value", "get", "expected"),
    [
        ("SMART_STORAGE_BUCKETS", None, read.get_buckets, {}),
        ("SMART_STORAGE_BUCKETS", {"a": {}}, read.get_buckets, {"a": {}}),
        ("SMART_STORAGE_STRICT", True, read.is_strict, True),
        ("SMART_STORAGE_STRICT", False, read.is_strict, False),
        ("SMART_STORAGE_MAX_CLIENTS", 1, read.get_max_clients, 1),
        ("SMART_STORAGE_SLOW_SECONDS", None, read.get_slow_seconds, None),
        ("SMART_STORAGE_SLOW_SECONDS", 0, read.get_slow_seconds, 0.0),
        ("SMART_STORAGE_SLOW_SECONDS", 1.5, read.get_slow_seconds, 1.5),
        ("SMART_STORAGE_METADATA_CACHE", "locks", read.get_metadata_cache_alias, "locks"),
        ("SMART_STORAGE_LOCK_CACHE", "locks", read.get_lock_cache_alias, "locks"),
        ("SMART_STORAGE_LOCK_CACHE", None, read.get_lock_cache_alias, None),
        ("FILE_UPLOAD_TEMP_DIR", None, read.get_upload_folder, None),
        ("FILE_UPLOAD_TEMP_DIR", "/a", read.get_upload_folder, "/a"),
        ("USE_TZ", True, read.uses_time_zones, True),
        ("USE_TZ", False, read.uses_time_zones, False),
        ("FALLBACK_STORAGES", ["a", "b"], read.get_fallback_backends, ("a", "b")),
        ("SMART_STORAGE_TENANT", "a.b", read.get_tenant_function, "a.b"),
        ("MIDDLEWARE", ("a", "b"), read.get_middleware, ["a", "b"]),
        ("MIDDLEWARE", None, read.get_middleware, []),
        ("DEFAULT_EXCEPTION_REPORTER_FILTER", "a.B", read.get_reporter_filter, "a.B"),
    ],
)
def test_a_setting_is_read(setting: str, value: Any, get: Callable[[], Any], expected: Any) -> None:
    with override_settings(CACHES=CACHES, **{setting: value}):
        assert get() == expected


@pytest.mark.parametrize(
    ("setting", "get", "default"),
    [
        ("SMART_STORAGE_BUCKETS", read.get_buckets, {}),
        ("SMART_STORAGE_STRICT", read.is_strict, False),
        ("SMART_STORAGE_MAX_CLIENTS", read.get_max_clients, 256),
        ("SMART_STORAGE_METADATA_CACHE", read.get_metadata_cache_alias, "default"),
        ("SMART_STORAGE_LOCK_CACHE", read.get_lock_cache_alias, "default"),
        ("SMART_STORAGE_SLOW_SECONDS", read.get_slow_seconds, None),
        ("SMART_STORAGE_TENANT", read.get_tenant_function, None),
    ],
)
def test_a_setting_that_is_missing_has_a_default(
    settings: Any, setting: str, get: Callable[[], Any], default: Any
) -> None:
    setattr(settings, setting, None)
    delattr(settings, setting)
    assert get() == default


@pytest.mark.parametrize(
    ("setting", "value", "get", "told"),
    [
        (
            "SMART_STORAGE_BUCKETS",
            [],
            read.get_buckets,
            "a dict of modules and their options, not ",
        ),
        ("SMART_STORAGE_STRICT", 1, read.is_strict, "must be True or False, not int"),
        ("SMART_STORAGE_STRICT", None, read.is_strict, "must be True or False, not NoneType"),
        ("SMART_STORAGE_MAX_CLIENTS", 0, read.get_max_clients, "a whole number above 0, not 0"),
        ("SMART_STORAGE_MAX_CLIENTS", True, read.get_max_clients, "above 0, not True"),
        ("SMART_STORAGE_MAX_CLIENTS", 2.0, read.get_max_clients, "above 0, not 2.0"),
        ("SMART_STORAGE_SLOW_SECONDS", "1", read.get_slow_seconds, "a number of seconds, or None"),
        ("SMART_STORAGE_SLOW_SECONDS", -0.5, read.get_slow_seconds, "or None, not -0.5"),
        ("SMART_STORAGE_SLOW_SECONDS", True, read.get_slow_seconds, "or None, not True"),
        ("SMART_STORAGE_SLOW_SECONDS", float("nan"), read.get_slow_seconds, "or None, not nan"),
        ("SMART_STORAGE_SLOW_SECONDS", float("inf"), read.get_slow_seconds, "or None, not inf"),
        ("SMART_STORAGE_METADATA_CACHE", "x", read.get_metadata_cache_alias, f"{ALIASES}'x'"),
        ("SMART_STORAGE_METADATA_CACHE", None, read.get_metadata_cache_alias, f"{ALIASES}None"),
        ("SMART_STORAGE_LOCK_CACHE", [], read.get_lock_cache_alias, rf"{ALIASES}\[\]"),
        ("FALLBACK_STORAGES", None, read.get_fallback_backends, "to a tuple of aliases"),
        ("FALLBACK_STORAGES", (), read.get_fallback_backends, "to a tuple of aliases"),
        ("FALLBACK_STORAGES", "ab", read.get_fallback_backends, "to a tuple of aliases"),
        ("FALLBACK_STORAGES", {"a": 1}, read.get_fallback_backends, "to a tuple of aliases"),
    ],
)
def test_a_wrong_value_is_told_with_its_setting(
    setting: str, value: Any, get: Callable[[], Any], told: str
) -> None:
    with override_settings(CACHES=CACHES, **{setting: value}):
        with pytest.raises(ConfigurationError, match=told) as caught:
            get()
    assert setting in str(caught.value)


BUCKETS = {"media": {"location": "{module}/a"}, "tenant_*": {"location": "{module}"}, "bad": 3}


@override_settings(SMART_STORAGE_BUCKETS=BUCKETS)
def test_the_entry_of_a_module_is_that_of_its_name_or_of_a_pattern() -> None:
    found = {name: read.find_key(name) for name in ("media", "tenant_x", "other", "tenant_*")}
    assert found == {
        "media": "media",
        "tenant_x": "tenant_*",
        "other": None,
        "tenant_*": "tenant_*",
    }
    assert read.get_module_entry("media") == {"location": "media/a"}
    assert read.get_module_entry("tenant_x") == {"location": "tenant_x"}
    assert read.get_module_entry("other") == {}
    assert list(read.iter_module_keys()) == [*BUCKETS]
    with pytest.raises(ConfigurationError, match=r"\['bad'\] must be a dict of options, not int"):
        read.get_module_entry("bad")
    with pytest.raises(TypeError, match="not int"):
        read.find_key(3)  # type: ignore[arg-type]


def test_who_has_an_entry() -> None:
    with override_settings(SMART_STORAGE_BUCKETS=None):
        assert read.has_entry("anything")
    with override_settings(SMART_STORAGE_BUCKETS={"media": {}, "tenant_*": {}}):
        names = ("default", "media", "tenant_x", "other")
        assert [read.has_entry(name) for name in names] == [True, True, True, False]


def test_a_digest_needs_the_same_key_and_the_same_parts() -> None:
    with override_settings(SECRET_KEY="one"):
        first = read.keyed_digest("a", "b")
        assert (len(first), read.keyed_digest("a", "b")) == (64, first)
        assert first not in (read.keyed_digest("ab"), read.keyed_digest("b", "a"))
        assert read.keyed_digest("\udce9")
    with override_settings(SECRET_KEY="two"):
        assert read.keyed_digest("a", "b") != first
    with override_settings(SECRET_KEY=""):
        assert len(read.keyed_digest("a", "b")) == 64


def test_the_filter_of_the_debug_page_is_ours_unless_the_project_has_one(settings: Any) -> None:
    settings.DEFAULT_EXCEPTION_REPORTER_FILTER = "django.Filter"
    read.adopt_reporter_filter("other.Filter", "our.Filter")
    assert read.get_reporter_filter() == "django.Filter"
    read.adopt_reporter_filter("django.Filter", "our.Filter")
    assert read.get_reporter_filter() == "our.Filter"


def test_settings_have_names_in_capitals() -> None:
    names = read.get_setting_names()
    assert {"INSTALLED_APPS", "USE_TZ"}.issubset(names)
    assert [name for name in names if not name.isupper()] == []


@pytest.mark.parametrize(
    ("named", "default", "staticfiles"),
    [
        ({"default": {}, "staticfiles": {}}, "our.default", "our.static"),
        ({"default": {}}, "our.default", "their.static"),
        ({"staticfiles": {}}, "their.default", "our.static"),
        ({"media": {}}, "their.default", "their.static"),
        (None, "their.default", "their.static"),
    ],
)
def test_a_django_without_storages_takes_them_from_there(
    monkeypatch: pytest.MonkeyPatch, named: Any, default: str, staticfiles: str
) -> None:
    class Settings:
        STORAGES = named
        DEFAULT_FILE_STORAGE = "their.default"
        STATICFILES_STORAGE = "their.static"

    forgotten = []
    monkeypatch.setattr(read, "settings", Settings)
    monkeypatch.setattr(read, "forget_default_storages", lambda: forgotten.append(1))
    monkeypatch.setattr(read, "HAS_STORAGES", True)
    read.adopt_storages_setting("our.default", "our.static")
    assert (Settings.DEFAULT_FILE_STORAGE, forgotten) == ("their.default", [])
    assert read.get_storages() == (named or {})
    monkeypatch.setattr(read, "HAS_STORAGES", False)
    older = {"default": "their.default", "staticfiles": "their.static"}
    filled = {alias: {"BACKEND": path} for alias, path in older.items()}
    assert read.get_storages() == {**filled, **(named or {})}
    read.adopt_storages_setting("our.default", "our.static")
    assert (default, staticfiles) == (Settings.DEFAULT_FILE_STORAGE, Settings.STATICFILES_STORAGE)
    assert len(forgotten) == bool(named)


def test_static_files_are_local_where_runserver_serves_them(settings):
    for debug, url, expected in [
        (True, "/static/", "/static/"),
        (True, "static/", "/static/"),
        (False, "/static/", None),
        (True, "https://cdn.example.com/static/", None),
        (True, "//cdn.example.com/", None),
        (True, None, None),
    ]:
        settings.DEBUG, settings.STATIC_URL = debug, url
        assert read.get_local_static_url() == expected, (debug, url)


def test_settings_are_another_object_in_each_override():
    before = read.settings_in_force()
    assert before is not None
    with override_settings(DEBUG=True):
        assert read.settings_in_force() is not before
    assert read.settings_in_force() is before


def test_a_digest_is_that_of_the_key_the_purpose_and_the_parts(settings):
    settings.SECRET_KEY = "one"
    message = b"smart-storages\0purpose\0a\xed\xb3\xbf"
    expected = hmac.new(b"one", message, "sha256").hexdigest()
    assert read.keyed_digest("purpose", "a\udcff") == expected
    assert read.keyed_digest("purposea", "\udcff") != expected
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "two", ["one", "none"]
    assert read.keyed_digest("purpose", "a\udcff") != expected
    assert read.keyed_digests("purpose", "a\udcff")[:2] == [
        read.keyed_digest("purpose", "a\udcff"), expected,
    ]  # fmt: skip
    settings.SECRET_KEY = ""
    without = hmac.new(b"", b"smart-storages\0x", "sha256").hexdigest()
    assert read.keyed_digest("x") == without
