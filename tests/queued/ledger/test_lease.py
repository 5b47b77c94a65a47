"""A lease is renewed while it is held, and lost by either clock or by another attempt."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import Any, List

import pytest

from smart_storages.queued import ledger
from smart_storages.queued.ledger.lease import Lease, LeaseLostError

ROW: Any = SimpleNamespace(name="a.txt")
PATIENCE = 60


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, settings: Any) -> List[str]:
    """The connections that were closed; leases here are short."""
    settings.QUEUED_STORAGE_LEASE = 0.03
    found: List[str] = []
    connection = SimpleNamespace(close=lambda: found.append("closed"))
    monkeypatch.setattr(ledger, "connection", lambda: connection)
    return found


@pytest.mark.parametrize(
    ("monotonic", "wall", "is_lost"),
    [(160, 1060, True), (159.9, 1059.9, False), (160, 1000, True), (100, 1060, True)],
)
def test_it_ends_by_the_clock_that_is_ahead(
    monkeypatch: pytest.MonkeyPatch, settings: Any, monotonic: float, wall: float, is_lost: bool
) -> None:
    settings.QUEUED_STORAGE_LEASE = 60
    clocks = [(100.0, 1000.0)]
    monkeypatch.setattr(Lease, "_clocks", staticmethod(lambda: clocks[-1]))
    lease = Lease(ROW)
    assert lease.sent is False
    clocks.append((monotonic, wall))
    if is_lost:
        with pytest.raises(LeaseLostError, match=r"^a\.txt$"):
            lease.check()
    else:
        lease.check()


def test_it_is_renewed_from_the_moment_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, closed: List[str]
) -> None:
    twice = threading.Event()
    moments = iter(range(10, 10_000_000, 10))
    monkeypatch.setattr(Lease, "_clocks", staticmethod(lambda: (next(moments),) * 2))
    rows = []

    def renew(row: Any) -> bool:
        rows.append((row, next(moments)))
        if len(rows) == 2:
            twice.set()
        return True

    monkeypatch.setattr(ledger, "renew", renew)
    with Lease(ROW) as lease:
        assert twice.wait(PATIENCE)
    assert {id(row) for row, _ in rows} == {id(ROW)}
    # What passed while the database answered is not counted.
    assert lease._until == (rows[-1][1] - 10 + 0.03,) * 2
    assert closed == ["closed"], "the thread had a connection of its own"
    assert lease._thread is not None
    assert not lease._thread.is_alive()


def test_one_that_another_attempt_has_taken_is_lost(
    monkeypatch: pytest.MonkeyPatch, closed: List[str]
) -> None:
    asked = []
    monkeypatch.setattr(ledger, "renew", asked.append)
    with Lease(ROW) as lease:
        assert lease._thread is not None
        lease._thread.join(PATIENCE)
        with pytest.raises(LeaseLostError):
            lease.check()
    assert asked == [ROW]
    assert closed == ["closed"]


def test_a_database_that_is_away_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, closed: List[str], caplog: Any
) -> None:
    again = threading.Event()
    answers = iter([ConnectionError("away")])

    def renew(row: Any) -> bool:
        for error in answers:
            raise error
        again.set()
        return True

    monkeypatch.setattr(ledger, "renew", renew)
    with caplog.at_level(logging.WARNING, logger="smart_storages.queued"), Lease(ROW):
        assert again.wait(PATIENCE)
    (record,) = caplog.records
    assert record.getMessage() == "could not renew the lease on a.txt"
    assert record.exc_info


def test_a_short_attempt_opens_no_connection(
    monkeypatch: pytest.MonkeyPatch, settings: Any, closed: List[str]
) -> None:
    settings.QUEUED_STORAGE_LEASE = 3600
    with Lease(ROW) as lease:
        assert lease._thread is not None
        assert (lease._thread.name, lease._thread.daemon) == ("lease", True)
    assert closed == []


def test_it_is_renewed_three_times_before_it_would_end(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.QUEUED_STORAGE_LEASE = 60
    lease = Lease(ROW)
    waits: List[float] = []
    stop = SimpleNamespace(wait=lambda seconds: waits.append(seconds) or True, set=lambda: None)
    monkeypatch.setattr(lease, "_stop", stop)
    with lease:
        pass
    assert waits == [20]
