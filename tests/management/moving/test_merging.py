"""Two listings held against each other, and the order of names on a disk."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any, Iterator, List

import pytest
from django.core.files.storage import FileSystemStorage
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.management.moving.copying import Copier, Plan
from smart_storages.management.moving.ends import BucketEnd, End, Entry, StorageEnd, end_of
from smart_storages.management.moving.merging import merge, read_ahead
from smart_storages.management.moving.workers import StoppedError, Workers
from tests.management.conftest import Ends

NAMES = ["a b", "a!", "a-b/c", "a.txt", "a/b.txt", "a/b/c", "a/ä", "a0", "b/", "B", "ä", "😀/x"]


@given(st.sets(st.text(max_size=3)), st.sets(st.text(max_size=3)))
def test_each_name_of_either_side_comes_once_and_in_order(one: Any, other: Any) -> None:
    sides = [[Entry(name, 1) for name in sorted(names)] for names in (one, other)]
    pairs = list(merge(*sides))
    assert [pair.name for pair in pairs] == sorted(one | other)
    for pair in pairs:
        assert (pair.source is not None, pair.target is not None) == (
            pair.name in one,
            pair.name in other,
        )


@pytest.mark.parametrize("kind", [end_of, StorageEnd])
def test_files_come_in_the_order_of_s3(tmp_path: Path, kind: Any) -> None:
    end: End = kind(FileSystemStorage(str(tmp_path)), "disk")
    names = sorted(name for name in NAMES if not name.endswith("/"))
    for name in names:
        path = tmp_path / name
        if name == "a/b/c":
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    names.remove("a/b/c")
    assert [entry.name for entry in end.entries()] == names
    assert [entry.size for entry in end.entries()] == [len(name.encode()) for name in names]
    for prefix in ("a", "a/", "a/b", "none", ""):
        expected = [name for name in names if name.startswith(prefix)]
        assert [entry.name for entry in end.entries(prefix)] == expected
        for after in names:
            found = [entry.name for entry in end.entries(prefix, after)]
            assert found == [name for name in expected if name > after]


def test_a_link_into_a_directory_above_is_no_endless_listing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.symlink(str(tmp_path), str(tmp_path / "a" / "up"))
    with pytest.raises(OSError, match="link"):
        list(end_of(FileSystemStorage(str(tmp_path)), "disk").entries())


def test_a_listing_out_of_order_is_refused(
    moto_ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smart_storages.backends.s3.stat import Stat
    from smart_storages.storages import SmartS3Storage
    from smart_storages.storages.lookup import get_storage

    stat = Stat.from_headers({})
    entries = [("in/b", stat), ("in/a", stat)]
    monkeypatch.setattr(SmartS3Storage, "iter_keys", lambda *_: iter(entries))
    with pytest.raises(OSError, match="not in order"):
        list(end_of(get_storage("photos"), "photos").entries())


class TestReadAhead:
    def test_items_and_errors_come_in_order(self) -> None:
        def items() -> Iterator[int]:
            yield from range(2_500)
            raise ValueError("the listing failed")

        found: List[int] = []
        with pytest.raises(ValueError, match="the listing failed"):
            found.extend(read_ahead(items()))
        assert found == list(range(2_000))
        assert list(read_ahead(iter(range(3_000)))) == list(range(3_000))

    def test_it_reads_no_further_than_a_few_pages(self) -> None:
        taken = []
        ahead = read_ahead(taken.append(n) or n for n in range(100_000))
        assert next(ahead) == 0
        ahead.close()  # waits for the thread
        assert len(taken) <= 5_000


class TestWorkers:
    def test_what_is_reached_has_no_failure_and_nothing_open_before_it(self) -> None:
        def work(number: int) -> int:
            if number == 50:
                raise ValueError
            return number

        workers = Workers(work, range(100), threads=4)
        outcomes = list(workers)
        assert sorted(each.job for each in outcomes) == list(range(100))
        assert workers.reached == 49

    def test_who_leaves_stops_the_others(self) -> None:
        started = []

        def work(number: int) -> None:
            started.append(number)
            while number:
                workers.check()

        workers: Any = Workers(work, range(1_000), threads=3)
        for outcome in workers:
            assert outcome.job == 0
            break
        with pytest.raises(StoppedError):
            workers.check()
        assert len(started) <= 4

    def test_jobs_that_cannot_be_listed_are_an_error(self) -> None:
        def jobs() -> Iterator[int]:
            yield 1
            raise ValueError("the listing failed")

        with pytest.raises(ValueError, match="the listing failed"):
            list(Workers(str, jobs(), threads=2))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_bucket(
    moto_ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smart_storages.storages.lookup import get_storage

    ends = [end_of(get_storage(name), name) for name in ("photos", "archive")]
    counts = [0]

    def entries(self: BucketEnd, prefix: str = "", after: str = "") -> Iterator[Entry]:
        # Every third is to be copied, every fifth only in the target.
        for number in range(counts[0]):
            if (self is ends[0] and number % 5) or (self is ends[1] and number % 3):
                yield Entry(f"{number:09}/{'x' * 80}", 1, "e")

    monkeypatch.setattr(BucketEnd, "entries", entries)
    monkeypatch.setattr(Copier, "_copy", lambda self, entry: None)

    def peak(count: int) -> int:
        counts[0] = count
        tracemalloc.start()
        try:
            report = Copier(Plan(*ends, workers=2)).run()
            assert report.copied == sum(1 for n in range(count) if n % 5 and not n % 3)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(6_000)
    # How far the threads read ahead depends on how busy the machine is; growth would be threefold.
    assert peak(18_000) < 2 * peak(6_000)
