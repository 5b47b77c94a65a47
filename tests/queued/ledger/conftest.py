"""A ledger whose clock stands still, and what a call changed in it."""

from __future__ import annotations

import datetime
from typing import Any, Callable, Dict

import pytest
from django.utils import timezone

from smart_storages.queued.models import QueuedFile, State, row_key

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.timezone.utc)
LEASE = 60


def at(seconds: float) -> datetime.datetime:
    """The time so many seconds from now."""
    return NOW + datetime.timedelta(seconds=seconds)


def values_of(row: QueuedFile) -> Dict[str, Any]:
    return QueuedFile.objects.filter(pk=row.pk).values().get()


class Ledger:
    """Makes rows, and says what differs from them later."""

    def make(self, name: str = "a.txt", **values: Any) -> QueuedFile:
        given = {"state": State.QUEUED, "task": "t", "local_name": "local", **values}
        given = {"not_before": NOW, "saved_at": NOW, **given}
        return QueuedFile.objects.create(key=row_key("s", name), storage="s", name=name, **given)

    def leased(self, name: str = "a.txt", **values: Any) -> QueuedFile:
        """A row that an attempt works on."""
        lease = {"lease_token": "mine", "lease_until": at(30)}
        return self.make(name, **{"state": State.TRANSFERRING, **lease, **values})

    def changes(self, row: QueuedFile, call: Callable[[], Any]) -> Dict[str, Any]:
        """Make a call; return the columns of a row that it changed, and its ``answer``."""
        before = values_of(row)
        answer = call()
        after = values_of(row)
        changed = {name: after[name] for name in after if after[name] != before[name]}
        return {"answer": answer, **changed}


@pytest.fixture
def ledger(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Ledger:
    settings.QUEUED_STORAGE_LEASE = LEASE
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    return Ledger()
