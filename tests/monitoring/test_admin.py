"""The page "Buckets" of the admin."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.urls import reverse

from smart_storages.exceptions import UnreachableError
from smart_storages.monitoring import noting
from smart_storages.monitoring.models import BucketCheck, BucketUsage
from smart_storages.queued.models import QueuedFile, row_key

pytestmark = pytest.mark.django_db

URL = "admin:smart_storages_monitoring_bucketcheck_changelist"


@pytest.fixture
def buckets(settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"bucket_name": "acme-media", "location": "in", "default_acl": "public-read"},
        "documents": {
            "bucket_name": "acme-documents",
            "access_key": "AKIA",
            "secret_key": "very-secret",
        },
        "wrong": {"bucket_name": "acme", "no_such_option": 1},
    }


def page(client: Any, *permissions: str, staff: bool = True, name: str = "ada") -> Any:
    user = User.objects.create_user(name, is_staff=staff)
    create_permissions(apps.get_app_config("smart_storages_monitoring"), verbosity=0)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client.get(reverse(URL))


def test_each_module_has_its_health_and_its_usage(client: Any, buckets: None) -> None:
    day = timedelta(days=1)
    now = datetime.now(timezone.utc)
    BucketCheck.objects.create(module="media", bucket="acme-media", is_fine=True)
    finding = {"step": "put", "status": "failed", "what": "S3 refused <it>.", "why": "", "fix": ""}
    broken = BucketCheck.objects.create(
        module="media", is_fine=False, findings=[finding], checked_at=now - 2 * day
    )
    for number in range(3):
        BucketUsage.objects.create(
            module="media",
            files=number + 1,
            bytes=1024 * number,
            measured_at=now - (3 - number) * day,
        )
    text = page(client, "view_bucketcheck").content.decode()
    assert "<title>Buckets" in text
    for shown in ("acme-media", "acme-documents", "public", "private", "misconfigured"):
        assert shown in text
    assert "S3 refused &lt;it&gt;." in text  # the last check is the one that was noted last
    assert "2\xa0days ago" in text
    assert reverse("admin:smart_storages_monitoring_bucketcheck_change", args=[broken.pk]) in text
    assert "3 files, 2.0\xa0KB" in text
    assert re.search(r'<polyline points="1\.0,31\.0 80\.0,16\.0 159\.0,1\.0"', text)
    assert "never checked" in text
    assert "never counted" in text
    assert "very-secret" not in text
    # Nothing that a Content-Security-Policy without 'unsafe-inline' would refuse.
    own = text[text.index('id="content-main"') :]
    assert not re.search(
        r"<script|<style| style=| on\w+=",
        own[: own.rindex("</table>")],
    )


def test_the_page_of_a_check_can_be_read_and_not_written(client: Any, buckets: None) -> None:
    check = BucketCheck.objects.create(module="media", is_fine=True)
    page(client, "view_bucketcheck", "change_bucketcheck", "delete_bucketcheck", "add_bucketcheck")
    url = reverse("admin:smart_storages_monitoring_bucketcheck_change", args=[check.pk])
    text = client.get(url).content.decode()
    assert "media" in text
    assert 'name="_save"' not in text
    assert client.post(url, {"module": "other"}).status_code == 403
    add = reverse("admin:smart_storages_monitoring_bucketcheck_add")
    assert client.get(add).status_code == 403


def test_only_staff_with_the_permission_see_it(client: Any, buckets: None) -> None:
    assert client.get(reverse(URL)).status_code == 302  # to the login
    assert page(client, "view_bucketcheck", staff=False).status_code == 302
    assert page(client, name="bob").status_code == 403
    assert page(client, "view_bucketcheck", name="eve").status_code == 200


def test_transfers_are_for_those_who_may_see_them(client: Any, buckets: None) -> None:
    for state, error in (("queued", ""), ("failed", "no route to host")):
        QueuedFile.objects.create(
            key=row_key("scans", state), storage="scans", name=state, state=state, last_error=error
        )
    text = page(client, "view_bucketcheck").content.decode()
    assert "no route to host" not in text
    assert "Transfers" not in text
    text = page(client, "view_bucketcheck", "view_queuedfile", name="eve").content.decode()
    assert "1 queued" in text
    assert "1 failed" in text
    assert "no route to host" in text


def test_the_last_errors_are_shown(client: Any, buckets: None) -> None:
    cache.clear()
    noting.note_error("media", "save", "<a>.jpg", UnreachableError("S3 did not answer."))
    text = page(client, "view_bucketcheck").content.decode()
    cache.clear()
    assert "UnreachableError: S3 did not answer." in text
    assert "&lt;a&gt;.jpg" in text


def test_without_the_cache_the_rest_is_shown(
    client: Any, buckets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("redis://:password@cache")

    monkeypatch.setattr("django.core.cache.backends.locmem.LocMemCache.get", refuse)
    text = page(client, "view_bucketcheck").content.decode()
    assert "could not be read from the cache: ConnectionError." in text
    assert "password" not in text
    assert "acme-media" in text


def test_settings_that_cannot_be_read_at_all_are_told(client: Any, settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = ["media"]
    answer = page(client, "view_bucketcheck")
    assert answer.status_code == 200
    assert "SMART_STORAGE_BUCKETS must be" in answer.content.decode()


def test_the_path_above_the_page_has_a_style_with_every_django(client: Any, buckets: None) -> None:
    shown = page(client, "view_bucketcheck").content.decode()
    (element,) = re.findall(r'<(\w+) class="breadcrumbs">', shown)
    ours = Path(apps.get_app_config("smart_storages_monitoring").path) / "static/smart_storages"
    styles = [
        (Path(admin.__file__).parent / "static/admin/css/base.css").read_text("utf-8"),
        (ours / "buckets.css").read_text("utf-8"),
    ]
    assert re.search(rf"^{element}\.breadcrumbs {{", "\n".join(styles), re.MULTILINE)
