from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.urls import reverse

from smart_storages.queued.models import QueuedFile
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
    assert "2 queued, 1 failed" in text
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
    assert "0 transfers queued again." in answer.content.decode()
    assert "The engine did not take 1" in answer.content.decode()


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
