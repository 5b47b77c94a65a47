"""Audits of modules that are not in S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Tuple

import pytest
from django.core.files.base import ContentFile
from django.test import override_settings

from smart_storages.backends.memory import isolated
from smart_storages.storages.lookup import get_storage
from tests.management.calls import Terminal, call
from tests.management.conftest import make_model
from tests.management.elsewhere import BACKENDS, settings_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sampled(2)]


@pytest.fixture(params=BACKENDS)
def docs(request: Any, tmp_path: Path, use_models: Any) -> Iterator[Tuple[Any, Any]]:
    """The module ``docs`` on each backend, and a model whose files are in it."""
    settings = settings_for(request.param, request, tmp_path, location="reports")
    with isolated(), override_settings(**settings):
        assert call("create").code == 0
        storage = get_storage("docs")
        model = make_model(storage)
        use_models(model)
        yield storage, model


def fill(storage: Any, model: Any) -> None:
    kept = storage.save("2026/kept.txt", ContentFile(b"kept"))
    model(file=kept).save()
    model(file="2026/missing.txt").save()
    storage.save("2026/orphan.txt", ContentFile(b"orphan"))
    storage.save("older.txt", ContentFile(b"x"))


def test_missing_files_and_orphans_are_found(docs: Any) -> None:
    storage, model = docs
    fill(storage, model)
    answer = call("audit", "--age", "0", "--json")
    assert answer.code == 1
    found = answer.json
    assert (found["rows"], found["objects"]) == (2, 3)
    assert [each["name"] for each in found["missing_shown"]] == ["2026/missing.txt"]
    assert [(each["key"], each["size"]) for each in found["orphans_shown"]] == [
        ("reports/2026/orphan.txt", 6),
        ("reports/older.txt", 1),
    ]


def test_a_young_file_is_no_orphan(docs: Any) -> None:
    storage, _ = docs
    storage.save("orphan.txt", ContentFile(b"orphan"))
    answer = call("audit", "--json")
    assert (answer.code, answer.json["orphans"]) == (0, 0)


def test_orphans_go_to_the_trash_come_back_and_are_purged(docs: Any) -> None:
    storage, model = docs
    fill(storage, model)
    storage.save(".trash/20260101T000000Z/thrown.txt", ContentFile(b"months ago"))
    answer = call("audit", "--age", "0", "--json", "--delete")
    assert (answer.json["moved_to_trash"], answer.json["failed"]) == (2, 0)
    assert answer.json["purged"] == 1
    assert not storage.exists(".trash/20260101T000000Z/thrown.txt")
    assert storage.exists("2026/kept.txt")
    assert not storage.exists("2026/orphan.txt")
    restored = call("audit", "--restore", "2026/", "--json")
    assert (restored.code, restored.json) == (0, {"restored": 1, "failed": 0})
    with storage.open("2026/orphan.txt") as file:
        assert file.read() == b"orphan"
    model.objects.filter(file="2026/missing.txt").delete()
    model(file="2026/orphan.txt").save()
    answer = call("audit", "--age", "0", "--json")
    assert (answer.code, answer.json["missing"], answer.json["orphans"]) == (0, 0, 0)


def test_it_shows_how_far_it_is(docs: Any) -> None:
    storage, model = docs
    fill(storage, model)
    watched = Terminal()
    call("audit", "--age", "0", err=watched)
    assert "Auditing" in watched.getvalue()
