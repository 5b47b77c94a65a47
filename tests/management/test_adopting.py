"""What the settings of a project on another storage package are here."""

from __future__ import annotations

from typing import Any

import pytest
from storages.backends.s3boto3 import S3Boto3Storage

from smart_storages.management import adopting
from smart_storages.management.adopting import make_plan
from smart_storages.utils import get_storage, resolve_storage
from tests.management.calls import call

pytestmark = pytest.mark.usefixtures("django_s3_storage")


class PrivateMediaStorage(S3Boto3Storage):
    """As people write them."""

    bucket_name = "acme-private"
    location = "private"
    file_overwrite = False
    secret_key = "hunter2"


class TimedStorage(PrivateMediaStorage):
    querystring_expire = 60

    def url(self, name: str, **kwargs: Any) -> str:
        return ""


@pytest.fixture(autouse=True)
def no_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adopting, "iter_fields", lambda: iter(()))


def use(settings: Any, **aliases: Any) -> None:
    settings.STORAGES = {**aliases}


def of_field(monkeypatch: pytest.MonkeyPatch, storage: Any) -> None:
    monkeypatch.setattr(adopting, "iter_fields", lambda: iter([("shop.Order.file", storage)]))


def test_an_alias_of_django_storages_becomes_a_module(settings: Any) -> None:
    use(
        settings,
        default={
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {"bucket_name": "acme-media", "file_overwrite": False},
        },
        staticfiles={"BACKEND": "storages.backends.s3.S3StaticStorage"},
        local={"BACKEND": "django.core.files.storage.FileSystemStorage"},
        other={
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {"bucket_name": "acme-other"},
        },
    )
    plan = make_plan()
    assert plan.buckets == {
        "media": {"bucket_name": "acme-media", "location": "", "file_overwrite": False},
        "static": {"location": "", "querystring_auth": False},
        "other": {"bucket_name": "acme-other"},
    }
    assert {alias: plan.storages[alias] for alias in ("default", "staticfiles", "other")} == {
        "default": {"BACKEND": "smart_storages.MediaStorage"},
        "staticfiles": {"BACKEND": "smart_storages.StaticStorage"},
        "other": {
            "BACKEND": "smart_storages.SmartS3Storage",
            "OPTIONS": {"module_name": "other"},
        },
    }


def test_an_alias_that_is_no_bucket_stays(settings: Any) -> None:
    settings.STORAGES = {
        "default": {"BACKEND": "storages.backends.s3.S3Storage"},
        "local": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    }
    settings.AWS_STORAGE_BUCKET_NAME = "acme"
    names: dict = {}
    exec(make_plan().as_settings(), names)  # noqa: S102 - as a settings file would
    assert names["STORAGES"]["local"] == settings.STORAGES["local"]
    assert names["STORAGES"]["default"] == {"BACKEND": "smart_storages.MediaStorage"}
    assert names["SMART_STORAGE_BUCKETS"]["media"]["bucket_name"] == "acme"


def test_a_manifest_stays_where_it_is(settings: Any) -> None:
    settings.AWS_LOCATION = "assets"
    use(settings, staticfiles={"BACKEND": "storages.backends.s3boto3.S3ManifestStaticStorage"})
    plan = make_plan()
    assert plan.storages["staticfiles"] == {"BACKEND": "smart_storages.ManifestStaticStorage"}
    assert plan.buckets == {"static": {"querystring_auth": False, "location": "assets"}}


def test_what_is_printed_has_the_same_options_as_before(settings: Any) -> None:
    options = {"bucket_name": "acme", "location": "a/b", "querystring_expire": 5, "gzip": True}
    before = S3Boto3Storage(**options)
    use(
        settings,
        default={"BACKEND": "storages.backends.s3boto3.S3Boto3Storage", "OPTIONS": options},
    )
    names: dict = {}
    exec(make_plan().as_settings(), names)  # noqa: S102 - as a settings file would
    settings.SMART_STORAGE_BUCKETS = names["SMART_STORAGE_BUCKETS"]
    after = resolve_storage(names["STORAGES"]["default"])
    assert repr(get_storage("media")) == repr(after)  # whoever asks for the module gets the same
    for name in before.get_default_settings():
        if not name.endswith(("_config", "_key", "_token")) and name != "max_memory_size":
            assert getattr(after, name) == getattr(before, name), name


def test_a_class_of_the_project_becomes_a_module_of_its_name(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_field(monkeypatch, TimedStorage(default_acl="private"))
    use(settings)
    plan = make_plan()
    assert list(plan.buckets) == ["timed"]
    assert plan.buckets["timed"]["location"] == "private"
    assert plan.buckets["timed"]["querystring_expire"] == 60
    assert plan.buckets["timed"]["default_acl"] == "private"
    assert any("shop.Order.file" in note and "module_name = 'timed'" in note for note in plan.notes)


def test_a_field_with_the_plain_class_becomes_a_module_of_its_model(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_field(monkeypatch, S3Boto3Storage(bucket_name="acme-orders"))
    use(settings)
    plan = make_plan()
    assert plan.buckets == {"order": {"bucket_name": "acme-orders"}}
    assert "SmartS3Storage(module_name='order')" in plan.notes[0]


def test_two_storages_of_one_name_become_two_modules(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(
        settings,
        default={"BACKEND": "storages.backends.s3.S3Storage"},
        media={"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {"bucket_name": "b"}},
    )
    fields = [
        ("shop.Order.photo", S3Boto3Storage(bucket_name="acme-photos")),
        ("shop.Order.scan", S3Boto3Storage(bucket_name="acme-scans")),
        ("shop.Order.copy", S3Boto3Storage(bucket_name="acme-photos")),
        ("archive.Order.scan", S3Boto3Storage(bucket_name="acme-old")),
        ("news.Order.scan", S3Boto3Storage(bucket_name="acme-news")),
    ]
    monkeypatch.setattr(adopting, "iter_fields", lambda: iter(fields))
    plan = make_plan()
    assert {name: entry["bucket_name"] for name, entry in plan.buckets.items() if "o" in name} == {
        "order": "acme-photos",
        "order_scan": "acme-scans",
        "archive_order_scan": "acme-old",
        "news_order_scan": "acme-news",
    }
    assert plan.buckets["media_2"]["bucket_name"] == "b"
    assert plan.storages["media"]["OPTIONS"] == {"module_name": "media_2"}
    modules = [note.split("module_name='")[1].split("'")[0] for note in plan.notes]
    expected = ["order", "order_scan", "order", "archive_order_scan", "news_order_scan"]
    assert modules == expected


def test_two_classes_of_one_name_become_two_modules(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings)

    def made(bucket: str, module: str) -> Any:
        attributes = {"bucket_name": bucket, "__module__": module}
        return type("ScanStorage", (S3Boto3Storage,), attributes)()

    shop, news = made("acme-shop", "shop.storages"), made("acme-news", "news.storages")
    fields = [("shop.A.a", shop), ("shop.B.b", shop), ("news.C.c", news)]
    monkeypatch.setattr(adopting, "iter_fields", lambda: iter(fields))
    plan = make_plan()
    assert plan.buckets["scan"]["bucket_name"] == "acme-shop"
    assert plan.buckets["news_scan"]["bucket_name"] == "acme-news"
    assert [note.split()[0] for note in plan.notes] == [
        "shop.storages.ScanStorage",
        "news.storages.ScanStorage",
    ]
    assert "'news_scan'" in plan.notes[1]


def test_a_second_run_keeps_the_entries_of_the_first_and_prints_what_is_left(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings)
    of_field(monkeypatch, PrivateMediaStorage())
    first = make_plan()
    written = {**first.buckets["private_media"], "secret_key": "hunter2"}
    settings.SMART_STORAGE_BUCKETS = {"private_media": written}
    second = make_plan()
    assert second.as_settings() == ""
    assert second.notes == [note for note in first.notes if "derive it" in note]
    settings.SMART_STORAGE_BUCKETS = {"private_media": {"bucket_name": "another"}}
    third = make_plan()
    assert [*third.buckets] == ["tests_private_media"]
    lines = third.as_settings().splitlines()
    assert lines[2:4] == ["SMART_STORAGE_BUCKETS = {", "    **SMART_STORAGE_BUCKETS,"]
    settings.SMART_STORAGE_BUCKETS = "no dict"  # a check reports it
    assert [*make_plan().buckets] == ["private_media"]


def test_a_setting_that_django_no_longer_reads_is_named(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings)
    old = {"DEFAULT_FILE_STORAGE": "storages.backends.s3.S3Storage"}
    monkeypatch.setattr(adopting, "_setting", old.get)
    for is_read, expected in ((True, []), (False, ["DEFAULT_FILE_STORAGE"])):
        monkeypatch.setattr(adopting, "READS_OLD_STORAGE_SETTINGS", is_read)
        assert [note.split()[0] for note in make_plan().notes] == expected
    assert "STORAGES['default']" in make_plan().notes[0]


def test_no_secret_is_shown(settings: Any) -> None:
    path = f"{__name__}.PrivateMediaStorage"
    use(settings, default={"BACKEND": path, "OPTIONS": {"access_key": "hunter2"}})
    for answer in (call("adopt"), call("adopt", "--json")):
        assert answer.code == 0
        assert "hunter2" not in answer.out
    source = make_plan().as_settings()
    assert source.startswith("import os\n")
    assert '"secret_key": os.environ["PRIVATE_MEDIA_SECRET_KEY"]' in source
    assert any("PRIVATE_MEDIA_ACCESS_KEY" in note for note in make_plan().notes)


def test_a_value_that_is_no_literal_is_named_and_not_printed(settings: Any) -> None:
    use(
        settings,
        default={
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {"transfer_config": object(), "location": 'a"b\\c'},
        },
    )
    plan = make_plan()
    assert '"location": "a\\"b\\\\c"' in plan.as_settings()
    assert "transfer_config" not in plan.as_settings()
    assert any("transfer_config" in note for note in plan.notes)


def test_settings_of_django_s3_storage_become_options(settings: Any) -> None:
    settings.AWS_S3_BUCKET_NAME = "acme-media"
    settings.AWS_S3_BUCKET_NAME_STATIC = "acme-static"
    settings.AWS_S3_KEY_PREFIX = "m/"
    settings.AWS_REGION = "eu-west-1"
    settings.AWS_S3_ENDPOINT_URL = "https://s3.example.com"
    settings.AWS_S3_CONTENT_DISPOSITION = lambda name: name
    use(
        settings,
        default={"BACKEND": "django_s3_storage.storage.S3Storage"},
        staticfiles={"BACKEND": "django_s3_storage.storage.ManifestStaticS3Storage"},
    )
    plan = make_plan()
    assert plan.buckets["media"] == {
        "region_name": "eu-west-1",
        "bucket_name": "acme-media",
        "endpoint_url": "https://s3.example.com",
        "file_overwrite": False,
        "gzip": True,
        "location": "m",
        "object_parameters": {"CacheControl": "private,max-age=3600"},
    }
    assert plan.buckets["static"] == {
        "region_name": "eu-west-1",
        "bucket_name": "acme-static",
        "endpoint_url": None,
        "file_overwrite": False,
        "gzip": True,
        "location": "",
        "querystring_auth": False,
        "default_acl": "public-read",
        "object_parameters": {"CacheControl": "public,max-age=3600"},
    }
    assert plan.storages["staticfiles"] == {"BACKEND": "smart_storages.ManifestStaticStorage"}
    assert [note[:35] for note in plan.notes] == ["'media': AWS_S3_CONTENT_DISPOSITION"]


def test_a_field_on_django_s3_storage_becomes_a_module_of_its_model(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("django_s3_storage")
    from django_s3_storage.storage import S3Storage

    use(settings)
    secret = {"aws_access_key_id": "id", "aws_secret_access_key": "hunter2"}
    of_field(monkeypatch, S3Storage(aws_s3_bucket_name="acme-orders", **secret))
    plan = make_plan()
    assert plan.buckets["order"]["bucket_name"] == "acme-orders"
    assert plan.buckets["order"]["file_overwrite"] is False
    assert "module_name='order'" in plan.notes[-1]
    assert "hunter2" not in plan.as_settings()
    assert 'os.environ["ORDER_SECRET_KEY"]' in plan.as_settings()


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("storage_dispatcher.StorageDispatcher", "smart_storages.StorageDispatcher"),
        ("queued_storage.backends.QueuedStorage", "smart_storages.queued.backends.QueuedStorage"),
        (
            "queued_storage.backends.QueuedFileSystemStorage",
            "smart_storages.queued.backends.QueuedStorage",
        ),
    ],
)
def test_a_storage_of_storages_keeps_its_options(settings: Any, path: str, ours: str) -> None:
    use(settings, default={"BACKEND": path, "OPTIONS": {"backends": ["a", "b"]}})
    expected = {"BACKEND": ours, "OPTIONS": {"backends": ["a", "b"]}}
    assert make_plan().storages["default"] == expected


def test_a_fallback_storage_goes_on_deleting_from_its_first_backend_alone(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = adopting._FALLBACK
    use(settings, default={"BACKEND": path}, other={"BACKEND": path, "OPTIONS": {"backends": "a"}})
    plan = make_plan()
    ours = "smart_storages.FallbackStorage"
    assert plan.storages["default"] == {"BACKEND": ours, "OPTIONS": {"delete_from": [0]}}
    assert plan.storages["other"]["OPTIONS"] == {"backends": "a", "delete_from": [0]}
    made = type("FallbackStorage", (), {"__module__": "fallback_storage.storage"})
    of_field(monkeypatch, made())
    assert "delete_from=[0]" in make_plan().notes[-1]


def test_what_a_queued_storage_has_no_use_for_is_said(settings: Any) -> None:
    options = {"local": "scratch", "cache_prefix": "q", "task": "a.b"}
    use(settings, q={"BACKEND": "queued_storage.backends.QueuedStorage", "OPTIONS": options})
    plan = make_plan()
    assert plan.storages["q"]["OPTIONS"] == {"local": "scratch"}
    assert len([note for note in plan.notes if "left out" in note]) == 2


def test_a_project_of_ours_has_nothing_to_change(settings: Any) -> None:
    use(settings, default={"BACKEND": "smart_storages.storages.MediaStorage"})
    assert "nothing to change" in call("adopt").out
    assert call("adopt", "--json").json == {
        "SMART_STORAGE_BUCKETS": {},
        "STORAGES": {},
        "notes": [],
    }
