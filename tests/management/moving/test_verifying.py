"""Comparing two places while a site saves and deletes files in both."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import pytest
from django.core.files.base import ContentFile
from django.test import override_settings

from smart_storages.backends.memory import MemoryStore, isolated
from smart_storages.management.moving import verifying
from smart_storages.management.moving.copying import Copier, Plan
from smart_storages.management.moving.ends import end_of
from smart_storages.management.moving.verifying import Comparison, verify
from smart_storages.utils import get_storage


@pytest.fixture
def plan() -> Iterator[Plan]:
    """From the module ``old`` to ``new``, both in memory, with three files in both."""
    buckets = {"old": {"backend": "memory"}, "new": {"backend": "memory"}}
    with isolated(), override_settings(SMART_STORAGE_BUCKETS=buckets):
        old, new = get_storage("old"), get_storage("new")
        for number in range(3):
            for storage in (old, new):
                storage.save(f"{number}.txt", ContentFile(b"%d" % number))
        yield Plan(end_of(old, "old"), end_of(new, "new"))


@pytest.fixture
def once_listed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Does something when both places were listed, and before the files are looked at."""
    listed, actions = [], []
    entries = MemoryStore.entries

    def listing(store: Any, prefix: str) -> Any:
        found = list(entries(store, prefix))
        listed.append(store)
        if len(listed) == 2 and actions:
            actions.pop()()
        return iter(found)

    monkeypatch.setattr(MemoryStore, "entries", listing)
    return actions.append


def both(plan: Plan) -> Any:
    return plan.source.storage, plan.target.storage


def test_a_file_that_is_saved_meanwhile_is_no_difference(plan: Plan, once_listed: Any) -> None:
    old, new = both(plan)
    old.save("late.txt", ContentFile(b"late"))
    once_listed(lambda: new.save("late.txt", ContentFile(b"late")))
    assert verify(plan) == Comparison(same=4)


def test_a_file_that_is_deleted_meanwhile_is_no_difference(plan: Plan, once_listed: Any) -> None:
    old, new = both(plan)
    old.save("going.txt", ContentFile(b"1"))
    new.save("going.txt", ContentFile(b"22"))
    new.save("stale.txt", ContentFile(b"x"))
    once_listed(lambda: [each.delete_many(["going.txt", "stale.txt"]) for each in both(plan)])
    told: list = []
    found = verify(plan, lambda *each: told.append(each))
    assert found == Comparison(same=3, gone=2)
    assert found.is_equal
    assert told == []


def test_a_file_that_is_deleted_while_it_is_compared_is_not_a_failure(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = both(plan)
    old.save("going.txt", ContentFile(b"1"))
    new.save("going.txt", ContentFile(b"2"))

    def deleted_meanwhile(*_: Any) -> bool:
        for each in both(plan):
            each.delete("going.txt")
        raise FileNotFoundError("going.txt")

    monkeypatch.setattr(verifying, "is_same", deleted_meanwhile)
    assert verify(plan) == Comparison(same=3, gone=1)


def test_what_differs_still_is_told_of(plan: Plan) -> None:
    old, new = both(plan)
    old.save("missing.txt", ContentFile(b"x"))
    new.save("extra.txt", ContentFile(b"x"))
    new.delete("1.txt")
    new.save("1.txt", ContentFile(b"other"))
    told: list = []
    found = verify(plan, lambda what, name, _: told.append((what, name)))
    assert found == Comparison(same=2, different=1, missing=1, extra=1)
    assert sorted(told) == [
        ("different", "1.txt"),
        ("extra", "extra.txt"),
        ("missing", "missing.txt"),
    ]


def test_no_more_than_a_thousand_files_are_looked_at_twice(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "_MOST_LOOKS", 2)
    looked: list = []
    find = type(plan.source).find
    monkeypatch.setattr(
        type(plan.source), "find", lambda end, name: looked.append(name) or find(end, name)
    )
    old, _ = both(plan)
    for number in range(9):
        old.save(f"missing/{number}.txt", ContentFile(b"x"))
    assert verify(plan._replace(workers=1)).missing == 9
    assert len(looked) == 4


def test_a_copy_deletes_what_was_deleted_from_the_source_while_it_was_copied(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = both(plan)
    old.save("going.txt", ContentFile(b"x"))
    replicate = type(old).replicate

    def deleted_meanwhile(storage: Any, *arguments: Any, **named: Any) -> bool:
        done = replicate(storage, *arguments, **named)
        for each in both(plan):
            each.delete("going.txt")
        put = new._store().put
        # As a copy that has read the file before the site deletes it, and writes it after that.
        from smart_storages.backends.store import Attributes

        put("going.txt", iter([b"x"]), Attributes(), overwrite=True)
        return bool(done)

    monkeypatch.setattr(type(old), "replicate", deleted_meanwhile)
    report = Copier(plan._replace(delete=True)).run()
    assert (report.copied, report.deleted) == (1, 1)
    assert not new.exists("going.txt")
