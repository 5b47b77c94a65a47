from __future__ import annotations

from pathlib import Path
from typing import Any

import django
import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.urls import reverse

from smart_storages.queued.models import QueuedFile
from tests.example.test_browser import browser  # noqa: F401 - a fixture
from tests.queued import broker
from tests.queued.conftest import row_of


@pytest.fixture
def page(client: Any, transactional_db: None) -> Any:
    client.force_login(User.objects.create_superuser("root", "root@example.com", "x"))
    return client


def test_the_list_shows_state_age_error_and_a_count(page: Any, queue: Any) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        queue.save(name, ContentFile(b"hello"))
    QueuedFile.objects.filter(name="a.txt").update(state="failed", last_error="no route to host")
    text = page.get(reverse("admin:smart_storages_queued_queuedfile_changelist")).content.decode()
    assert "Queued files: 2 queued, 1 failed" in text
    assert "no route to host" in text
    assert "minutes" in text


def test_failed_transfers_can_be_retried(page: Any, queue: Any, messages: list) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(state="failed")
    messages.clear()
    url = reverse("admin:smart_storages_queued_queuedfile_changelist")
    pk = row_of(queue, "a.txt").pk
    answer = page.post(url, {"action": "retry_transfers", "_selected_action": [pk]}, follow=True)
    assert "1 transfer queued again." in answer.content.decode()
    assert broker.deliver() == ["done"]


def test_a_retry_that_the_engine_does_not_take_is_told_of(
    page: Any, queue: Any, settings: Any
) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(state="failed")
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.refuse"
    url = reverse("admin:smart_storages_queued_queuedfile_changelist")
    pk = row_of(queue, "a.txt").pk
    answer = page.post(url, {"action": "retry_transfers", "_selected_action": [pk]}, follow=True)
    assert told_by(answer) == [("warning", "The engine did not take 1; a sweep will send them.")]


def told_by(answer: Any) -> list:
    return [(each.level_tag, str(each)) for each in answer.context["messages"]]


def test_a_retry_of_what_has_not_failed_is_no_success(page: Any, queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    url = reverse("admin:smart_storages_queued_queuedfile_changelist")
    pk = row_of(queue, "a.txt").pk
    answer = page.post(url, {"action": "retry_transfers", "_selected_action": [pk]}, follow=True)
    text = "None of the chosen transfers has failed: nothing was queued again."
    assert told_by(answer) == [("warning", text)]
    assert "Queued files: 1 queued" in answer.content.decode()
    QueuedFile.objects.all().delete()
    assert "Queued files: none" in page.get(url).content.decode()


def test_who_may_change_rows_may_retry_and_nobody_may_save(page: Any, queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    row = row_of(queue, "a.txt")
    url = reverse("admin:smart_storages_queued_queuedfile_changelist")
    change = reverse("admin:smart_storages_queued_queuedfile_change", args=[row.pk])
    create_permissions(apps.get_app_config("smart_storages_queued"), verbosity=0)  # see conftest
    for codenames, may_retry in (("view",), False), (("view", "change"), True), (("change",), True):
        user = User.objects.create_user("-".join(codenames), is_staff=True)
        names = [f"{codename}_queuedfile" for codename in codenames]
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        page.force_login(user)
        assert ("retry_transfers" in page.get(url).content.decode()) == may_retry, codenames
        text = page.get(change).content.decode()
        assert row.checksum in text
        assert 'name="_save"' not in text
        assert page.post(change, {"name": "b.txt"}).status_code == 403
    assert row_of(queue, "a.txt").generation == row.generation


@pytest.mark.slow
@pytest.mark.skipif(
    django.VERSION < (4, 2), reason="the admin of Django 3.2 leaves the list 219 pixels of 1280"
)
def test_the_list_fits_a_window_of_1280(
    page: Any,
    queue: Any,
    browser: Any,  # noqa: F811
    tmp_path: Any,
) -> None:
    error = "UnreachableError: " + "S3didnotanswer" * 9
    for name in ("2026/11/contact-sheet.tiff", "x" * 180 + ".png"):
        queue.save(name, ContentFile(b"hello" * 9999))
    QueuedFile.objects.update(state="failed", attempts=6, last_error=error)
    answer = page.get(reverse("admin:smart_storages_queued_queuedfile_changelist"))
    styles = Path(admin.__file__).parent / "static"
    (tmp_path / "list.html").write_text(answer.content.decode().replace('"/static', f'"{styles}'))
    browser.get(f"file://{tmp_path}/list.html")
    table, room = browser.execute_script(
        "const table = document.getElementById('result_list');"
        "return [table.scrollWidth, table.closest('.results').clientWidth]"
    )
    assert 400 < table <= room


def test_rows_can_be_looked_at_but_not_written(page: Any, queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    row = row_of(queue, "a.txt")
    url = reverse("admin:smart_storages_queued_queuedfile_change", args=[row.pk])
    text = page.get(url).content.decode()
    assert row.checksum in text
    assert row.key not in text
    for action in ("add", "delete"):
        arguments = [row.pk] if action == "delete" else []
        name = f"admin:smart_storages_queued_queuedfile_{action}"
        assert page.get(reverse(name, args=arguments)).status_code == 403
