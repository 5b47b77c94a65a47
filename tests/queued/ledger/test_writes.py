"""What each write of a worker changes in a row, to the column, and when it changes nothing."""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.db.models import F

from smart_storages.queued.ledger import writes
from smart_storages.queued.models import QueuedFile, State
from tests.queued.ledger.conftest import LEASE, NOW, Ledger, at, values_of

NO_LEASE = {"lease_token": "", "lease_until": None}
#: What somebody else may have done to a row since it was claimed.
LOST: Dict[str, Dict[str, Any]] = {
    "another attempt has the lease": {"lease_token": "another"},
    "a save came in": {"generation": F("generation") + 1},
    "a delete came in": {"state": State.DELETING},
}


def change(row: QueuedFile, **values: Any) -> None:
    QueuedFile.objects.filter(pk=row.pk).update(**values)


class TestClaim:
    def test_it_takes_the_lease(self, ledger: Ledger) -> None:
        row = ledger.make(attempts=4)
        changed = ledger.changes(row, lambda: writes.claim(row.pk))
        claimed = changed.pop("answer")
        assert values_of(row) == {
            field.attname: getattr(claimed, field.attname) for field in QueuedFile._meta.fields
        }
        assert len(changed.pop("lease_token")) == 32
        assert changed == {"state": State.TRANSFERRING, "attempts": 5, "lease_until": at(LEASE)}

    @pytest.mark.parametrize("state", [State.SETTLING, State.DELETING])
    def test_other_work_keeps_its_state(self, ledger: Ledger, state: str) -> None:
        row = ledger.make(state=state)
        assert "state" not in ledger.changes(row, lambda: writes.claim(row.pk))
        assert values_of(row)["attempts"] == 1

    @pytest.mark.parametrize("state", [State.HELD, State.DONE, State.FAILED])
    def test_where_is_no_work_nothing_is_claimed(self, ledger: Ledger, state: str) -> None:
        row = ledger.make(state=state)
        assert ledger.changes(row, lambda: writes.claim(row.pk)) == {"answer": None}

    def test_what_is_not_due_is_not_claimed(self, ledger: Ledger) -> None:
        row = ledger.make(not_before=at(0.001))
        assert ledger.changes(row, lambda: writes.claim(row.pk)) == {"answer": None}
        assert writes.claim(row.pk + 1) is None

    @pytest.mark.parametrize("left", [0, 1])
    def test_a_lease_that_runs_is_not_taken(self, ledger: Ledger, left: float) -> None:
        row = ledger.leased(lease_until=at(left))
        assert ledger.changes(row, lambda: writes.claim(row.pk)) == {"answer": None}

    def test_a_lease_that_expired_leaves_doubt(self, ledger: Ledger) -> None:
        row = ledger.leased(lease_until=at(-1), dirty_generation=7)
        changed = ledger.changes(row, lambda: writes.claim(row.pk))
        assert changed["answer"].lease_token not in ("", "mine")
        assert (changed["dirty_until"], changed["dirty_generation"]) == (at(LEASE), 0)

    def test_a_lease_that_was_released_leaves_the_doubt_as_it_was(self, ledger: Ledger) -> None:
        row = ledger.make(dirty_until=at(5), dirty_generation=3)
        changed = ledger.changes(row, lambda: writes.claim(row.pk))
        assert not changed.keys() & {"dirty_until", "dirty_generation"}

    def test_a_save_between_its_two_statements_makes_it_claim_again(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row, other = ledger.make(), ledger.make("b.txt")
        real, calls = writes.rows, []

        def rows() -> Any:
            calls.append("rows")
            if len(calls) == 2:
                change(row, state=State.QUEUED)
            return real()

        monkeypatch.setattr(writes, "rows", rows)
        claimed = writes.claim(row.pk)
        assert claimed is not None
        assert (claimed.state, claimed.attempts) == (State.TRANSFERRING, 2)
        assert values_of(other)["attempts"] == 0

    def test_an_attempt_that_was_overtaken_at_once_has_claimed_nothing(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = ledger.make()
        real, calls = writes.rows, []

        def rows() -> Any:
            calls.append("rows")
            if len(calls) == 2:
                change(row, lease_token="another")
            return real()

        monkeypatch.setattr(writes, "rows", rows)
        assert writes.claim(row.pk) is None


class TestLease:
    def test_it_is_extended(self, ledger: Ledger) -> None:
        row = ledger.leased()
        changed = ledger.changes(row, lambda: writes.renew(row))
        assert changed == {"answer": True, "lease_until": at(LEASE)}
        assert row.lease_until == at(LEASE)

    def test_it_is_released(self, ledger: Ledger) -> None:
        row = ledger.leased()
        assert ledger.changes(row, lambda: writes.release(row)) == {"answer": True, **NO_LEASE}

    def test_the_name_in_the_remote_is_noted(self, ledger: Ledger) -> None:
        row = ledger.leased()
        changed = ledger.changes(row, lambda: writes.name_remote(row, "b.txt"))
        assert changed == {"answer": True, "remote_name": "b.txt"}
        assert row.remote_name == "b.txt"
        with pytest.raises(SuspiciousFileOperation, match="remote name"):
            writes.name_remote(row, "x" * 1025)

    def test_one_that_was_lost_is_neither_extended_nor_released(self, ledger: Ledger) -> None:
        row = ledger.leased()
        change(row, lease_token="another")
        calls: Dict[str, Callable[[], Any]] = {
            "renew": lambda: writes.renew(row),
            "release": lambda: writes.release(row),
            "name_remote": lambda: writes.name_remote(row, "b.txt"),
        }
        assert {name: ledger.changes(row, call) for name, call in calls.items()} == {
            name: {"answer": False} for name in calls
        }
        assert (row.lease_until, row.remote_name) == (at(30), "")


class TestFinish:
    DONE = {"state": State.DONE, "finished_at": NOW, **NO_LEASE}

    def test_a_file_is_done(self, ledger: Ledger) -> None:
        row = ledger.leased(last_error="old", not_before=at(-9), remote_name="b.txt")
        changed = ledger.changes(row, lambda: writes.finish(row))
        assert changed == {"answer": "done", "last_error": "", "not_before": NOW, **self.DONE}
        assert row.state == State.DONE

    def test_a_task_that_named_nothing_wrote_to_the_name_itself(self, ledger: Ledger) -> None:
        row = ledger.leased()
        changed = ledger.changes(row, lambda: writes.finish(row))
        assert changed == {"answer": "done", "remote_name": "a.txt", **self.DONE}

    @pytest.mark.parametrize(("until", "generation"), [(0, 7), (-1, 7), (5, 1)])
    def test_doubt_that_is_over_or_about_the_same_bytes_is_none(
        self, ledger: Ledger, until: float, generation: int
    ) -> None:
        row = ledger.leased(dirty_until=at(until), dirty_generation=generation)
        assert writes.finish(row) == "done"

    def test_in_doubt_it_settles_first(self, ledger: Ledger) -> None:
        row = ledger.leased(dirty_until=at(5), dirty_generation=7, last_error="old")
        assert ledger.changes(row, lambda: writes.finish(row)) == {
            "answer": "settling",
            "state": State.SETTLING,
            "not_before": at(5),
            "last_error": "",
            "remote_name": "a.txt",
            **NO_LEASE,
        }
        assert row.state == State.SETTLING

    @pytest.mark.parametrize("lost", LOST)
    @pytest.mark.parametrize("until", [None, at(5)])
    def test_what_has_changed_is_not_finished(self, ledger: Ledger, lost: str, until: Any) -> None:
        row = ledger.leased(dirty_until=until, dirty_generation=7)
        change(row, **LOST[lost])
        assert ledger.changes(row, lambda: writes.finish(row)) == {"answer": None}
        assert row.state == State.TRANSFERRING


def fail(row: QueuedFile, error: str = "no", **given: Any) -> Callable[[], bool]:
    return lambda: writes.fail(row, error, **{"retry_in": 5, "sent": False, **given})


class TestFail:
    def test_it_is_tried_again(self, ledger: Ledger) -> None:
        row = ledger.leased()
        expected = {"state": State.QUEUED, "not_before": at(5), "last_error": "no", **NO_LEASE}
        assert ledger.changes(row, fail(row)) == {"answer": True, **expected}

    def test_it_has_failed(self, ledger: Ledger) -> None:
        row = ledger.leased(not_before=at(-9))
        expected = {"state": State.FAILED, "not_before": NOW, "last_error": "no", **NO_LEASE}
        assert ledger.changes(row, fail(row, retry_in=None)) == {"answer": True, **expected}

    @pytest.mark.parametrize("retry_in", [None, 5])
    def test_a_tombstone_stays_one(self, ledger: Ledger, retry_in: Any) -> None:
        row = ledger.leased(state=State.DELETING)
        assert "state" not in ledger.changes(row, fail(row, retry_in=retry_in))

    def test_a_long_error_is_cut_after_its_odd_characters_are_escaped(self, ledger: Ledger) -> None:
        row = ledger.leased()
        changed = ledger.changes(row, fail(row, "\0" * 2000))
        assert changed["last_error"] == "\\x00" * 1000

    @pytest.mark.parametrize(
        ("until", "generation", "noted"),
        [(None, 0, 2), (0, 7, 2), (5, 2, 2), (5, 1, 0), (5, 7, 0)],
    )
    def test_what_was_sent_leaves_doubt(
        self, ledger: Ledger, until: Any, generation: int, noted: int
    ) -> None:
        row = ledger.leased(
            generation=2,
            dirty_until=None if until is None else at(until),
            dirty_generation=generation,
        )
        assert fail(row, sent=True)()
        after = values_of(row)
        assert (after["dirty_until"], after["dirty_generation"]) == (at(LEASE), noted)

    @pytest.mark.parametrize("lost", LOST)
    def test_what_has_changed_does_not_fail(self, ledger: Ledger, lost: str) -> None:
        row = ledger.leased()
        change(row, **LOST[lost])
        assert ledger.changes(row, fail(row)) == {"answer": False}


class TestRequeue:
    def test_it_is_queued_at_once(self, ledger: Ledger) -> None:
        row = ledger.make(state=State.FAILED, attempts=3, last_error="no", not_before=at(9))
        changed = ledger.changes(row, lambda: writes.requeue(row))
        assert changed == {"answer": True, "state": State.QUEUED, "not_before": NOW}
        row.refresh_from_db()
        changed = ledger.changes(row, lambda: writes.requeue(row, reset=True))
        assert changed == {"answer": True, "attempts": 0, "last_error": ""}

    def test_the_state_may_be_chosen_where_there_is_a_local_copy(self, ledger: Ledger) -> None:
        row = ledger.make(state=State.FAILED)
        changed = ledger.changes(row, lambda: writes.requeue(row, state=State.HELD))
        assert changed == {"answer": True, "state": State.HELD}
        bare = ledger.make("b.txt", state=State.FAILED, local_name="")
        changed = ledger.changes(bare, lambda: writes.requeue(bare, state=State.HELD))
        assert changed == {"answer": True, "state": State.SETTLING}

    @pytest.mark.parametrize("lost", [*LOST, "its local copy is gone"])
    def test_what_has_changed_is_not_queued(self, ledger: Ledger, lost: str) -> None:
        row = ledger.make(state=State.FAILED)
        other = ledger.make("b.txt", state=State.FAILED)
        change(row, **LOST.get(lost, {"local_name": ""}))
        assert ledger.changes(row, lambda: writes.requeue(row)) == {"answer": False}
        assert values_of(other)["state"] == State.FAILED


class TestRemove:
    @pytest.mark.parametrize("until", [None, at(0), at(-1)])
    def test_a_tombstone_goes(self, ledger: Ledger, until: Any) -> None:
        row, other = (ledger.leased(each, state=State.DELETING) for each in ("a.txt", "b.txt"))
        change(row, dirty_until=until)
        assert writes.remove(row) is True
        assert list(QueuedFile.objects.all()) == [other]

    def test_in_doubt_it_stays_for_another_delete(self, ledger: Ledger) -> None:
        row = ledger.leased(state=State.DELETING, dirty_until=at(5), attempts=3)
        expected = {"not_before": at(5), "attempts": 0, **NO_LEASE}
        changed = ledger.changes(row, lambda: writes.remove(row))
        assert changed == {"answer": False, **expected}

    @pytest.mark.parametrize("lost", ["another attempt has the lease", "a save came in"])
    def test_what_has_changed_stays(self, ledger: Ledger, lost: str) -> None:
        row = ledger.leased(state=State.DELETING)
        change(row, **LOST[lost])
        assert ledger.changes(row, lambda: writes.remove(row)) == {"answer": False}


class TestForgetLocal:
    def test_the_local_copy_of_a_finished_row_is_forgotten(self, ledger: Ledger) -> None:
        row, other = (ledger.make(each, state=State.DONE) for each in ("a.txt", "b.txt"))
        changed = ledger.changes(row, lambda: writes.forget_local(row))
        assert changed == {"answer": True, "local_name": ""}
        assert values_of(other)["local_name"] == "local"
        row.local_name = ""
        assert writes.forget_local(row) is False

    @pytest.mark.parametrize(
        "change_of", [{"generation": 2}, {"state": State.QUEUED}, {"local_name": "other"}], ids=str
    )
    def test_one_that_has_changed_keeps_it(self, ledger: Ledger, change_of: Dict[str, Any]) -> None:
        row = ledger.make(state=State.DONE)
        change(row, **change_of)
        assert ledger.changes(row, lambda: writes.forget_local(row)) == {"answer": False}


class TestMarkInDoubt:
    def test_a_finished_file_is_checked_once_more(self, ledger: Ledger) -> None:
        row = ledger.make(state=State.DONE, dirty_generation=7)
        other = ledger.make("b.txt", state=State.DONE)
        before = values_of(other)
        assert ledger.changes(row, lambda: writes.mark_in_doubt(row)) == {
            "answer": [row.pk],
            "state": State.SETTLING,
            "not_before": at(LEASE),
            "dirty_until": at(LEASE),
            "dirty_generation": 0,
        }
        assert values_of(other) == before

    def test_one_that_is_still_to_be_done_is_only_marked(self, ledger: Ledger) -> None:
        row = ledger.make()
        changed = ledger.changes(row, lambda: writes.mark_in_doubt(row))
        assert changed == {"answer": [row.pk], "dirty_until": at(LEASE)}

    def test_one_that_was_deleted_is_deleted_again(self, ledger: Ledger) -> None:
        row = ledger.leased(remote_name="b.txt")
        QueuedFile.objects.all().delete()
        (pk,) = writes.mark_in_doubt(row)
        made = QueuedFile.objects.get()
        assert (made.pk, made.key, made.state) == (pk, row.key, State.DELETING)
        assert (made.storage, made.name, made.task, made.remote_name) == (
            "s",
            "a.txt",
            "t",
            "b.txt",
        )

    @pytest.mark.parametrize(
        "values",
        [
            {"state": State.DELETING},
            {"lease_until": None},
            {"lease_until": at(-10 * LEASE)},
        ],
        ids=str,
    )
    def test_one_that_is_gone_for_another_reason_stays_gone(
        self, ledger: Ledger, values: Dict[str, Any]
    ) -> None:
        row = ledger.leased(**values)
        QueuedFile.objects.all().delete()
        assert writes.mark_in_doubt(row) == []
        assert not QueuedFile.objects.exists()

    def test_a_row_may_be_missing_for_ten_leases(self, ledger: Ledger) -> None:
        row = ledger.leased(lease_until=at(-10 * LEASE + 1))
        QueuedFile.objects.all().delete()
        assert len(writes.mark_in_doubt(row)) == 1


def test_rows_that_finished_long_ago_can_be_pruned(ledger: Ledger) -> None:
    done = {"state": State.DONE, "local_name": "", "finished_at": at(-12 * LEASE - 1)}
    for name, differs in {
        "old": {},
        "too young": {"finished_at": at(-12 * LEASE)},
        "to be done": {"state": State.QUEUED},
        "on the disk": {"local_name": "local"},
        "renamed": {"remote_name": "other"},
    }.items():
        ledger.make(name, **{"remote_name": name, **done, **differs})
    for before, found in ((0, ["old"]), (-12 * LEASE, ["old"]), (-12 * LEASE - 1, [])):
        assert [row.name for row in writes.prunable(at(before))] == found, before
