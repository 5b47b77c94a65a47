"""What is read from the ledger."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from smart_storages.queued.ledger import queries
from smart_storages.queued.models import QueuedFile, State
from tests.queued.ledger.conftest import NOW, Ledger, at


def names(found: object) -> list:
    return sorted(row.name for row in found)  # type: ignore[attr-defined]


def test_a_file_is_found_by_storage_and_name(ledger: Ledger) -> None:
    row = ledger.make("a.txt")
    ledger.make("b.txt")
    assert queries.find("s", "a.txt") == row
    assert queries.find("s", "A.TXT") is None
    assert queries.find("other", "a.txt") is None


def test_the_database_is_the_one_that_the_router_names_for_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        queries, "router", SimpleNamespace(db_for_write={QueuedFile: "other"}.__getitem__)
    )
    assert queries.database() == "other"
    assert queries.rows().db == "other"


def test_a_time_lies_so_many_seconds_ahead(ledger: Ledger) -> None:
    assert queries.in_seconds(1.5) == at(1.5)
    assert queries.in_seconds(-60) == at(-60)


def test_a_lease_counts_until_its_last_moment(ledger: Ledger) -> None:
    for name, until in {"none": None, "over": at(-0.001), "last": NOW, "runs": at(1)}.items():
        ledger.make(name, lease_until=until)
    assert names(queries.rows().filter(queries.no_lease(NOW))) == ["none", "over"]


def test_a_message_of_the_moment_itself_counts_as_sent_before(ledger: Ledger) -> None:
    for name, sent in {"none": None, "before": at(-1), "now": NOW, "after": at(1)}.items():
        ledger.make(name, enqueued_at=sent)
    found = queries.rows().filter(queries.enqueued_before(NOW))
    assert names(found) == ["before", "none", "now"]


def test_local_bytes_are_those_of_copies_of_one_storage(ledger: Ledger) -> None:
    assert queries.local_bytes("s") == 0
    ledger.make("a", size=3)
    ledger.make("b", size=4)
    ledger.make("sent", size=50, local_name="")
    other = ledger.make("other", size=600)
    QueuedFile.objects.filter(pk=other.pk).update(storage="other")
    assert queries.local_bytes("s") == 7
    assert queries.storage_keys() in (["s", "other"], ["other", "s"])


def test_a_listing_differs_where_a_file_waits_or_has_another_name(ledger: Ledger) -> None:
    done = {"state": State.DONE, "local_name": ""}
    ledger.make("d/same", **done, remote_name="d/same")
    ledger.make("d/unnamed", **done)
    ledger.make("d/renamed", **done, remote_name="d/renamed_1")
    ledger.make("d/waits")
    ledger.make("d/deleted", state=State.DELETING, remote_name="d/deleted")
    ledger.make("moved away", **done, remote_name="d/moved")
    ledger.make("e/waits")
    other = ledger.make("d/other")
    QueuedFile.objects.filter(pk=other.pk).update(storage="other")
    assert names(queries.differing("s", "d/")) == [
        "d/deleted",
        "d/renamed",
        "d/waits",
        "moved away",
    ]


def test_local_names_that_a_row_has_are_known(ledger: Ledger) -> None:
    ledger.make("a", local_name="one")
    ledger.make("b", local_name="two")
    assert list(queries.known_local(["two", "three"])) == ["two"]
