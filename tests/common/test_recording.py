"""Records of operations: what counts to which of them, in which thread."""

from __future__ import annotations

import threading
from typing import Any, Dict, Iterator, List

import pytest

from smart_storages.common import recording, reporting
from smart_storages.common.recording import Record, carry, count_request, current, within
from smart_storages.common.reporting import Place
from smart_storages.signals import storage_operation

PLACE = Place(object, "media", "acme")


@pytest.fixture
def reports() -> Iterator[List[Dict[str, Any]]]:
    found: List[Dict[str, Any]] = []

    def note(**fields: Any) -> None:
        found.append(fields)

    storage_operation.connect(note)
    yield found
    storage_operation.disconnect(note)


def test_what_is_counted_counts_to_the_current_record() -> None:
    record = Record(PLACE, "save", "a.txt")
    count_request()
    with record.active():
        assert current() is record
        count_request()
        recording.count_retry()
        recording.count_bytes(7)
        with within(None):
            count_request()
    assert current() is None
    assert (record.requests, record.retries, record.bytes) == (1, 1, 7)


def test_a_thread_works_for_the_operation_only_if_it_is_carried() -> None:
    record = Record(PLACE, "save", "a.txt")
    with record.active():
        threads = [
            threading.Thread(target=work) for work in (count_request, carry(count_request)) * 20
        ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert record.requests == 20
    assert carry(count_request) is count_request


def test_time_is_counted_once_where_a_record_is_active_within_itself(monkeypatch: Any) -> None:
    clock = iter([0, 1, 2, 10])
    monkeypatch.setattr(recording, "perf_counter", lambda: next(clock))
    record = Record(PLACE, "open", "a.txt")
    with record.active(), record.active():
        pass
    assert record.seconds == 10


def test_a_record_is_reported_once_with_its_first_error(reports: List[Dict[str, Any]]) -> None:
    record = Record(PLACE, "open", "a.txt")
    first = OSError("first")
    record.fail(first)
    record.fail(OSError("second"))
    record.finish()
    record.finish(OSError("third"))
    record.finish_later()
    reporting.flush()
    assert [each["error"] for each in reports] == [first]
    assert record.error is None


def test_a_record_that_ends_within_another_is_a_part_of_it(reports: List[Dict[str, Any]]) -> None:
    outer = Record(PLACE, "copy", "a.txt")
    parts = [Record(PLACE, "open", "a.txt", parent=outer, is_lasting=True) for _ in range(2)]
    for part in parts:
        part.add(requests=2, retries=1, size=3)
    parts[0].finish()
    outer.finish()
    parts[1].finish()
    assert [(each["operation"], each["requests"], each["bytes"]) for each in reports] == [
        ("copy", 2, 3),
        ("open", 2, 3),
    ]


def test_an_operation_that_is_dropped_is_not_reported(reports: List[Dict[str, Any]]) -> None:
    record = Record(PLACE, "save", "a.txt")
    record.drop()
    record.finish()
    assert reports == []


def test_a_record_that_ended_is_nobodys_current_one() -> None:
    record = Record(PLACE, "save", "a.txt")
    with record.active():
        record.finish()
        assert current() is None


def test_what_ends_in_a_finalizer_is_reported_by_a_thread_in_its_own_context(
    reports: List[Dict[str, Any]],
) -> None:
    from contextvars import ContextVar

    request = ContextVar("request", default="none")
    seen: List[Any] = []

    def note(**fields: Any) -> None:
        seen.append((request.get(), threading.current_thread() is threading.main_thread()))

    storage_operation.connect(note)
    token = request.set("mine")
    record = Record(PLACE, "open", "a.txt", is_lasting=True)
    request.reset(token)
    record.finish_later()
    reporting.flush()
    storage_operation.disconnect(note)
    assert seen == [("mine", False)]
    assert len(reports) == 1


def test_an_end_that_fails_does_not_end_the_thread(
    reports: List[Dict[str, Any]], caplog: Any
) -> None:
    reporting.start_thread()

    def fail() -> None:
        raise RuntimeError("of an observer")

    reporting.ended.put(fail)
    Record(PLACE, "open", "a.txt", is_lasting=True).finish_later()
    reporting.flush()
    assert len(reports) == 1
    assert "An operation could not be reported" in caplog.text
