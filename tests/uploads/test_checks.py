"""The system checks of direct uploads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import pytest

from smart_storages.checks.installation import check_uploads_app
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.resolvers import ByExtension
from smart_storages.storages import SmartS3Storage
from smart_storages.uploads import checks, targets
from smart_storages.uploads.targets import register_uploader

MIDDLEWARE = "smart_storages.uploads.middleware.DirectUploadMiddleware"


def ids(found: Any) -> List[str]:
    return [each.id.partition(".")[2] for each in found]


@pytest.fixture(autouse=True)
def in_memory(use: Any) -> None:
    use(SmartS3Storage("media", backend="memory"))


def test_a_complete_project_has_nothing_to_mend(settings: Any) -> None:
    settings.DEBUG = True
    for check in (
        checks.check_urls,
        checks.check_middleware,
        checks.check_fields,
        checks.check_settings,
        check_uploads_app,
    ):
        assert check() == []


def test_views_that_are_missing(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.queued.no_urls"
    (found,) = checks.check_urls()
    assert found.id == "smart_storages.U001"
    assert "uploads_tests.Film.video" in found.msg
    settings.ROOT_URLCONF = None
    assert checks.check_urls() == []


def test_an_app_that_is_missing(settings: Any) -> None:
    settings.INSTALLED_APPS = [
        each for each in settings.INSTALLED_APPS if each != "smart_storages.uploads"
    ]
    found = check_uploads_app()
    assert set(ids(found)) == {"U002"}
    assert len(found) == 4  # one for each field


def test_a_middleware_that_is_missing_or_too_early(settings: Any) -> None:
    complete = list(settings.MIDDLEWARE)
    settings.MIDDLEWARE = [each for each in complete if each != MIDDLEWARE]
    assert ids(checks.check_middleware()) == ["U003"]
    settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]
    (found,) = checks.check_middleware()
    assert "stands before" in found.msg


@pytest.mark.parametrize("missing", ["Session", "Csrf"])
def test_sessions_or_csrf_that_are_missing(missing: str, settings: Any) -> None:
    settings.MIDDLEWARE = [
        each for each in settings.MIDDLEWARE if missing not in each and "Authen" not in each
    ]
    (found,) = checks.check_middleware()
    assert found.id == "smart_storages.U004"
    assert missing in found.msg


def test_a_storage_that_cannot(use: Any, disk: Any, tmp_path: Path) -> None:
    use(disk("plain"))
    found = checks.check_fields()
    assert set(ids(found)) == {"U005"}
    assert "FileSystemStorage" in found[0].msg
    for options in (
        {"backend": "gcs"},
        {"backend": "filesystem", "root": tmp_path, "base_url": "/media/"},
    ):
        use(SmartS3Storage("media", bucket_name="acme", **options))
        assert set(ids(checks.check_fields())) == {"U005"}
    use(StorageDispatcher(ByExtension({"mp4": "a"}), storages={"a": disk("plain")}))
    assert checks.check_fields() == []  # what it chooses, nobody knows before


def test_a_project_with_registered_names_alone(
    settings: Any, monkeypatch: Any, use: Any, disk: Any
) -> None:
    monkeypatch.setattr(checks, "iter_fields", lambda: iter(()))
    assert ids(checks.check_settings()) == ["U007"]
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != MIDDLEWARE]
    assert ids(checks.check_middleware()) == ["U003"]
    settings.ROOT_URLCONF = "tests.queued.no_urls"
    (found,) = checks.check_urls()
    assert found.msg.startswith("attachments takes direct uploads")
    use(disk("plain"))
    (found,) = checks.check_fields()
    assert found.msg.startswith("attachments takes direct uploads, and its storage, FileSystem")
    monkeypatch.setattr(targets, "_uploaders", {})
    assert checks.check_urls() == checks.check_fields() == checks.check_middleware() == []


def test_a_registered_storage_that_there_is_not(monkeypatch: Any) -> None:
    monkeypatch.setattr(checks, "iter_fields", lambda: iter(()))
    monkeypatch.setattr(targets, "_uploaders", {})
    register_uploader("typo", storage="mdeia-typo")
    (found,) = checks.check_fields()
    assert found.id == "smart_storages.U008"
    assert found.msg.startswith("typo is registered")
    assert "There is no storage 'mdeia-typo'" in found.msg


def test_a_cache_that_keeps_nothing(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    (found,) = checks.check_settings()
    assert found.id == "smart_storages.U007"
    assert "'default' keeps nothing" in found.msg


def test_a_setting_that_is_wrong(settings: Any) -> None:
    settings.SMART_STORAGE_UPLOADS = {"max_size": "5 MB"}
    (found,) = checks.check_settings()
    assert found.id == "smart_storages.U006"


def test_a_cache_of_each_process(settings: Any) -> None:
    assert ids(checks.check_settings()) == ["U007"]
    settings.SMART_STORAGE_UPLOADS = {"uploads_per_hour": None}
    assert checks.check_settings() == []
    settings.SMART_STORAGE_UPLOADS = {}
    settings.DEBUG = True
    assert checks.check_settings() == []
