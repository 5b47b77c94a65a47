"""The directory of local copies tells ledgers apart, and stays what it is."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

import pytest
from django.db import connection

from smart_storages.queued.ledger.identity import orphan_prefix
from smart_storages.queued.models import LedgerIdentity

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets where the database is, as far as its settings say."""

    def put(**parts: Any) -> None:
        for part, value in parts.items():
            monkeypatch.setitem(connection.settings_dict, part, value)

    put(HOST="h", PORT=5432, NAME="n")
    LedgerIdentity.objects.update_or_create(pk=1, defaults={"value": "i"})
    return put


@pytest.mark.usefixtures("place")
def test_it_is_made_of_storage_place_and_identity() -> None:
    # Another release must find the local copies of this one.
    assert orphan_prefix("s") == "queued-" + sha256(b"s|h|5432|n|i").hexdigest()[:12]


def test_it_differs_where_anything_differs(place: Any) -> None:
    seen = {orphan_prefix("s"), orphan_prefix("t")}
    for parts in ({"HOST": "g"}, {"PORT": 1}, {"NAME": "m"}):
        place(**parts)
        seen.add(orphan_prefix("s"))
    LedgerIdentity.objects.filter(pk=1).update(value="j")
    seen.add(orphan_prefix("s"))
    assert len(seen) == 6


def test_a_setting_that_is_missing_counts_as_empty(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(HOST="", PORT="", NAME="")
    empty = orphan_prefix("s")
    for part in ("HOST", "PORT", "NAME"):
        monkeypatch.delitem(connection.settings_dict, part)
    assert orphan_prefix("s") == empty


def test_after_a_flush_the_ledger_has_a_new_identity(place: Any) -> None:
    before = orphan_prefix("s")
    LedgerIdentity.objects.all().delete()
    LedgerIdentity.objects.create(pk=2, value="of nobody")
    after = orphan_prefix("s")
    assert after == orphan_prefix("s") != before
    assert re.fullmatch(r"[0-9a-f]{32}", LedgerIdentity.objects.get(pk=1).value)


@pytest.mark.usefixtures("place")
def test_it_takes_one_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        orphan_prefix("s")
