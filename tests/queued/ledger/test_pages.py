"""What becomes of a page of a large copy: only who holds its lease may say."""

from __future__ import annotations

import datetime
from typing import Any, Dict

import pytest
from django.utils import timezone

from smart_storages.queued.ledger import pages
from smart_storages.queued.models import QueuedPage, State

pytestmark = pytest.mark.django_db

MINUTE = datetime.timedelta(seconds=60)


@pytest.fixture(autouse=True)
def _lease(settings: Any) -> None:
    settings.QUEUED_STORAGE_LEASE = 60


def page(**values: Any) -> QueuedPage:
    return QueuedPage.objects.create(job="j", task="t", source="a", target="b", **values)


def again(row: QueuedPage) -> QueuedPage:
    return QueuedPage.objects.get(pk=row.pk)


def seconds_until(moment: Any) -> float:
    return float((moment - timezone.now()).total_seconds())


def values_of(row: QueuedPage) -> Dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in row._meta.fields}


@pytest.mark.parametrize(
    ("values", "is_due"),
    [
        ({}, True),
        ({"state": State.TRANSFERRING}, True),
        ({"state": State.DONE}, False),
        ({"state": State.FAILED}, False),
        ({"not_before": MINUTE}, False),
        ({"lease_until": MINUTE, "lease_token": "x"}, False),
        ({"lease_until": -MINUTE, "lease_token": "x"}, True),
        ({"enqueued_at": -MINUTE / 6}, False),
        ({"enqueued_at": -MINUTE}, True),
        ({"enqueued_at": MINUTE}, False),
    ],
)
def test_what_is_due_has_work_to_do_and_nobody_who_does_it(
    values: Dict[str, Any], is_due: bool
) -> None:
    now = timezone.now()
    moments = {
        name: now + value if isinstance(value, datetime.timedelta) else value
        for name, value in values.items()
    }
    row = page(**moments)
    assert list(pages.due(30)) == ([row] if is_due else [])


def test_of_two_processes_one_sends_the_message() -> None:
    row, other = page(), page()
    assert pages.take(row, 30) is True
    assert pages.take(row, 30) is False
    assert -5 < seconds_until(again(row).enqueued_at) <= 0
    assert again(other).enqueued_at is None
    # A message that is older than that may be lost.
    assert pages.take(row, -1) is True


def test_of_two_workers_one_takes_the_lease() -> None:
    row, other = page(attempts=2), page()
    claimed = pages.claim(row.pk)
    assert claimed is not None
    assert claimed == row
    assert (claimed.state, claimed.attempts) == (State.TRANSFERRING, 3)
    assert len(claimed.lease_token) == 32
    assert 55 < seconds_until(claimed.lease_until) <= 60
    assert pages.claim(row.pk) is None
    assert values_of(again(row)) == values_of(claimed)
    assert again(other).lease_token == ""
    second = pages.claim(other.pk)
    assert second is not None
    assert second.lease_token != claimed.lease_token


@pytest.mark.parametrize(
    "values",
    [{"state": State.DONE}, {"state": State.FAILED}, {"not_before": timezone.now() + 60 * MINUTE}],
)
def test_a_page_without_work_is_not_claimed(values: Dict[str, Any]) -> None:
    assert pages.claim(page(**values).pk) is None


def test_a_lease_that_has_ended_is_taken_over() -> None:
    row = page(state=State.TRANSFERRING, lease_token="old", lease_until=timezone.now() - MINUTE)
    claimed = pages.claim(row.pk)
    assert claimed is not None
    assert claimed.lease_token != "old"


def claim(**values: Any) -> QueuedPage:
    page()  # which is another
    claimed = pages.claim(page(**values).pk)
    assert claimed is not None
    return claimed


def test_a_lease_is_renewed() -> None:
    row = claim()
    QueuedPage.objects.filter(pk=row.pk).update(lease_until=timezone.now())
    assert pages.renew(row) is True
    assert 55 < seconds_until(again(row).lease_until) <= 60


def test_a_page_is_finished() -> None:
    row = claim(last_error="once")
    assert pages.finish(row, copied=3, size=7) is True
    done = again(row)
    assert (done.state, done.copied, done.size, done.last_error) == (State.DONE, 3, 7, "")
    assert (done.lease_token, done.lease_until) == ("", None)
    assert -5 < seconds_until(done.finished_at) <= 0


def test_a_failed_attempt_is_followed_by_another() -> None:
    row = claim()
    assert pages.fail(row, "no answer", 600.0, copied=2) is True
    failed = again(row)
    assert (failed.state, failed.copied, failed.last_error) == (State.QUEUED, 2, "no answer")
    assert (failed.lease_token, failed.lease_until, failed.finished_at) == ("", None, None)
    assert 595 < seconds_until(failed.not_before) <= 600
    assert pages.claim(row.pk) is None


def test_the_last_attempt_gives_the_page_up() -> None:
    row = claim()
    assert pages.fail(row, "\0" + "x" * 5_000, None, failed=2) is True
    failed = again(row)
    assert (failed.state, failed.failed) == (State.FAILED, 2)
    assert failed.last_error == ("\\x00" + "x" * 5_000)[:4_000]
    assert -5 < seconds_until(failed.finished_at) <= 0
    assert -5 < seconds_until(failed.not_before) <= 0
    assert failed.lease_token == ""


def test_a_page_is_put_back_for_the_next_worker() -> None:
    row = claim(enqueued_at=timezone.now() - MINUTE)
    assert pages.requeue(row) is True
    back = again(row)
    assert (back.state, back.enqueued_at) == (State.QUEUED, None)
    assert (back.lease_token, back.lease_until) == ("", None)
    assert pages.claim(row.pk) is not None


def test_who_has_lost_the_lease_changes_nothing() -> None:
    row = claim()
    QueuedPage.objects.filter(pk=row.pk).update(lease_token="of another")
    before = [values_of(each) for each in QueuedPage.objects.order_by("pk")]
    assert pages.renew(row) is False
    assert pages.finish(row, copied=3) is False
    assert pages.fail(row, "no", 1.0) is False
    assert pages.fail(row, "no", None) is False
    assert pages.requeue(row) is False
    assert [values_of(each) for each in QueuedPage.objects.order_by("pk")] == before
