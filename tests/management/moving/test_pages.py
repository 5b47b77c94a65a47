"""``buckets copy --queue``: pages of names that workers share; nothing is lost on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Iterator, List, Optional

import pytest
from django.core.management import CommandError
from django.utils import timezone

from smart_storages.management.moving import pages as moving_pages
from smart_storages.management.moving.arguments import read_plan
from smart_storages.management.moving.copying import Copier
from smart_storages.management.moving.ends import End, Entry
from smart_storages.management.moving.pages import QueuedCopy
from smart_storages.queued import engines
from smart_storages.queued.actions import paging
from smart_storages.queued.actions.sweeper import sweep
from smart_storages.queued.ledger import pages as ledger_pages
from smart_storages.queued.models import QueuedPage, State
from tests.conftest import methods
from tests.management.calls import call
from tests.management.conftest import Ends
from tests.queued import broker

NAMES = [f"{number:02}.txt" for number in range(25)]
JOB = ("photos", "archive")


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    """Ten names a page, and messages that wait until the test delivers them."""
    monkeypatch.setattr(moving_pages, "_PAGE", 10)
    monkeypatch.setattr(moving_pages, "_LOOK", 0.01)
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.post"
    settings.QUEUED_STORAGE_RETRIES = 1
    broker.messages.clear()
    yield
    broker.messages.clear()


def result() -> paging.Totals:
    """What a command that follows is told, once all pages are finished."""
    arguments = {"source": "photos", "target": "archive", "prefix": ""}
    return QueuedCopy(read_plan(arguments), *JOB).follow(lambda files: None)


def queue(*arguments: str, source: str = "photos", target: str = "archive") -> Any:
    return call("copy", source, target, "--queue", "--no-wait", "--json", *arguments)


def fill(ends: Ends) -> None:
    for name in NAMES:
        ends.put(name, name.encode())


def make_old() -> None:
    """As if the messages and leases were of yesterday."""
    past = timezone.now() - timedelta(days=1)
    QueuedPage.objects.update(enqueued_at=past, not_before=past)
    QueuedPage.objects.exclude(lease_until=None).update(lease_until=past)


def states() -> List[str]:
    return list(QueuedPage.objects.order_by("pk").values_list("state", flat=True))


pytestmark = pytest.mark.django_db(transaction=True)


def test_many_workers_copy_pages_until_all_is_there(ends: Ends) -> None:
    fill(ends)
    ends.archive.put("out/07.txt", b"older")
    answer = queue()
    assert (answer.code, answer.json["pages"], answer.json["open"]) == (0, 3, 3)
    assert answer.json["files"] == len(NAMES)
    assert [pk < 0 for pk, _ in broker.messages] == [True] * 3
    assert broker.deliver() == ["done"] * 3
    assert ends.of_archive() == {name: name.encode() for name in NAMES}
    totals = result()
    assert (totals.copied, totals.open, totals.failures) == (len(NAMES), 0, {})
    assert totals.bytes == sum(map(len, NAMES))
    assert not QueuedPage.objects.exists(), "what was told is no longer kept"
    queue()
    broker.deliver()
    totals = result()
    assert (totals.copied, totals.same) == (0, len(NAMES))


def test_a_call_after_the_last_page_is_finished_begins_anew(moto_ends: Ends) -> None:
    fill(moto_ends)
    queue()
    assert broker.deliver() == ["done"] * 3
    moto_ends.put("new.txt", b"saved since")
    answer = queue()
    assert "The earlier call has come to: 3 pages, 0 of them open, 25 copied" in answer.err
    assert (answer.json["pages"], answer.json["open"]) == (3, 3)
    broker.deliver()
    assert "new.txt" in moto_ends.of_archive()
    assert (result().copied, QueuedPage.objects.count()) == (1, 0)


def test_the_command_waits_for_the_workers(moto_ends: Ends, settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    fill(moto_ends)
    answer = call("copy", "photos", "archive", "--queue")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("3 pages, 0 of them open, 25 copied (150 B), 0 the same already")


def test_a_page_costs_a_listing_of_each_side_and_a_copy_a_file(
    ends: Ends, s3_proxy: Any, count_requests: Any
) -> None:
    fill(ends)
    queue()
    with count_requests() as requests:
        broker.deliver()
    assert sorted(methods(requests)) == ["GET"] * 6 + ["PUT"] * len(NAMES)


def test_a_page_asks_for_no_name_behind_its_last(moto_ends: Ends) -> None:
    asked: List[str] = []

    class Listed(End):
        def entries(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
            for name in NAMES:
                asked.append(name)
                yield Entry(name, 1)

    end = Listed(None, "listed")
    plan = read_plan({"source": "photos", "target": "archive", "prefix": ""})
    assert [each.name for each in plan._replace(until="03.txt").entries(end)] == NAMES[:4]
    assert asked == NAMES[:4]
    asked.clear()
    assert [each.name for each in plan._replace(until="03.z").entries(end)] == NAMES[:4]
    assert asked == NAMES[:5]


def test_a_message_that_was_lost_is_sent_by_a_sweep(moto_ends: Ends) -> None:
    fill(moto_ends)
    queue()
    broker.messages.clear()
    assert sweep().requeued == 0, "it may still arrive"
    make_old()
    assert sweep().requeued == 3
    assert sweep().requeued == 0
    assert broker.deliver() == ["done"] * 3
    assert sorted(moto_ends.of_archive()) == NAMES


def test_a_sweep_may_do_the_work_itself(moto_ends: Ends) -> None:
    fill(moto_ends)
    queue()
    broker.messages.clear()
    make_old()
    assert sweep(run=True).processed == {"done": 3}
    assert sorted(moto_ends.of_archive()) == NAMES


def test_the_command_sends_what_was_lost_while_it_waits(
    moto_ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(moto_ends)
    queue()
    broker.messages.clear()
    make_old()
    monkeypatch.setattr(moving_pages, "_RESEND", 0.0)
    monkeypatch.setattr(engines, "send", lambda pk: (bool(engines.run(pk)), None))
    answer = call("copy", "photos", "archive", "--queue", "--json")
    assert (answer.code, answer.json["copied"]) == (0, len(NAMES))


def test_a_broker_that_refuses_is_asked_again_later(moto_ends: Ends, settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.refuse"
    fill(moto_ends)
    assert queue().code == 0
    make_old()
    report = sweep()
    assert (report.requeued, report.unsent) == (0, 3)


def test_a_page_whose_worker_died_is_taken_by_another(
    moto_ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(moto_ends)
    queue()
    with monkeypatch.context() as patched:

        def die(self: Copier) -> None:
            raise KeyboardInterrupt

        patched.setattr(Copier, "run", die)
        with pytest.raises(KeyboardInterrupt):
            engines.run(broker.messages[0][0])
    assert states() == [State.QUEUED] * 3, "a worker that is told to stop puts it back"
    QueuedPage.objects.update(
        state=State.TRANSFERRING, lease_token="killed", lease_until=timezone.now()
    )
    make_old()
    assert broker.deliver() == ["done"] * 3
    assert sorted(moto_ends.of_archive()) == NAMES


def test_a_page_that_another_works_on_is_left_alone(moto_ends: Ends) -> None:
    queue()
    QueuedPage.objects.update(
        state=State.TRANSFERRING,
        lease_token="other",
        lease_until=timezone.now() + timedelta(seconds=60),
    )
    assert broker.deliver() == [None]


def test_an_attempt_that_lost_its_lease_records_nothing(
    moto_ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(moto_ends)
    queue()
    run = Copier.run

    def lose(self: Copier) -> Any:
        QueuedPage.objects.update(lease_token="other")
        return run(self)

    monkeypatch.setattr(Copier, "run", lose)
    assert broker.deliver() == ["late"] * 3
    assert states() == [State.TRANSFERRING] * 3


def test_a_file_that_cannot_be_copied_is_tried_again_and_named(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ends)
    queue()
    copy = Copier._copy
    broken: List[Optional[str]] = ["13.txt"]

    def fail(self: Copier, entry: Any) -> None:
        if entry.name in broken:
            raise OSError("the disk is on fire")
        copy(self, entry)

    monkeypatch.setattr(Copier, "_copy", fail)
    assert broker.deliver() == ["done", "retry", "done"]
    ((pk, delay),) = broker.messages
    assert (pk < 0, delay > 0) == (True, True)
    assert broker.deliver() == [None], "it is not due yet"
    make_old()
    assert engines.run(pk) == "failed"
    totals = result()
    assert (totals.failed, totals.copied) == (1, 24)
    assert totals.same == 0, "what the first attempt copied counts as copied"
    (error,) = totals.failures.values()
    assert "13.txt: OSError: the disk is on fire" in error
    # The next call begins anew and does what failed.
    broken.clear()
    queue()
    assert broker.deliver() == ["done"] * 3
    totals = result()
    assert (totals.failures, totals.copied, totals.same) == ({}, 1, 24)


def test_a_page_that_failed_ends_the_command_with_1(
    moto_ends: Ends, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    settings.QUEUED_STORAGE_RETRIES = 0
    fill(moto_ends)

    def fail(self: Copier, entry: Any) -> None:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(Copier, "_copy", fail)
    answer = call("copy", "photos", "archive", "--queue")
    assert answer.code == 1
    assert "00.txt: OSError: the disk is on fire" in answer.err
    assert "25 failed" in answer.out


def test_a_listing_that_was_interrupted_goes_on_after_its_last_page(moto_ends: Ends) -> None:
    fill(moto_ends)
    copy = QueuedCopy(read_plan({"source": "photos", "target": "archive", "prefix": ""}), *JOB)

    def interrupt(files: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy.hand_over(interrupt)
    assert len(states()) == 1
    answer = queue()
    assert (answer.json["pages"], answer.json["files"]) == (3, len(NAMES))
    assert "--restart" in answer.err
    assert broker.deliver() == ["done"] * 3
    assert sorted(moto_ends.of_archive()) == NAMES
    assert queue("--restart").json["open"] == 3


def test_the_names_of_odd_files_are_in_one_page_each(moto_ends: Ends) -> None:
    odd = ["a//b", "a.txt", "a/b.txt", "a0", "folder/", "ä/ö😀.txt", "~x", "z" * 900, *NAMES]
    for name in odd:
        moto_ends.put(name, name.encode())
    queue()
    ranges = list(QueuedPage.objects.order_by("pk").values_list("after", "until"))
    assert ranges[0][0] == ranges[-1][1] == ""
    assert [until for _, until in ranges[:-1]] == [after for after, _ in ranges[1:]]
    assert set(broker.deliver()) == {"done"}
    assert sorted(moto_ends.of_archive()) == sorted(odd)


def test_a_name_that_the_database_cannot_store_ends_no_page() -> None:
    assert paging.fits("ä/ö😀.txt")
    assert not paging.fits("a\0b")
    assert not paging.fits("a\udce9b")
    assert not paging.fits("a" * 1025)


def test_a_directory_goes_to_a_bucket_in_pages(moto_ends: Ends) -> None:
    for name in NAMES:
        moto_ends.write(name, name.encode())
    assert queue(source="disk").json["pages"] == 3
    assert broker.deliver() == ["done"] * 3
    assert sorted(moto_ends.of_archive()) == NAMES


def test_a_worker_that_does_not_see_the_directory_says_so(moto_ends: Ends) -> None:
    moto_ends.write("a.txt", b"x")
    queue(source="disk")
    (moto_ends.directory / "disk" / "a.txt").unlink()
    assert broker.deliver() == ["retry"]
    error = QueuedPage.objects.get().last_error
    assert "'disk' has none of the 1 files of this page on this machine" in error


def test_an_empty_source_is_copied_at_once(moto_ends: Ends) -> None:
    assert queue().json["pages"] == 1
    assert broker.deliver() == ["done"]


@pytest.mark.parametrize(
    "argument",
    ["--delete", "--dry-run", "--manifest=m.csv", "--workers=3", "--checkpoint=c.json"],
)
def test_what_the_queue_cannot_do_is_refused(moto_ends: Ends, argument: str) -> None:
    answer = queue(argument)
    assert answer.code == 2
    assert argument.partition("=")[0] in answer.err
    assert not QueuedPage.objects.exists()


def test_not_to_wait_is_for_the_queue(moto_ends: Ends) -> None:
    answer = call("copy", "photos", "archive", "--no-wait")
    assert (answer.code, "--queue" in answer.err) == (2, True)


def test_without_the_app_it_says_what_to_add(moto_ends: Ends, settings: Any) -> None:
    settings.INSTALLED_APPS = ["smart_storages"]
    answer = queue()
    assert answer.code == 2
    assert "'smart_storages.queued' in INSTALLED_APPS" in answer.err


def test_a_copy_into_itself_is_refused_before_a_page_is_written(moto_ends: Ends) -> None:
    assert queue(target="photos").code == 2
    assert not QueuedPage.objects.exists()


def test_finished_pages_that_nobody_asked_for_are_pruned(moto_ends: Ends) -> None:
    fill(moto_ends)
    queue()
    broker.deliver()
    past = timezone.now() - timedelta(days=2)
    QueuedPage.objects.update(finished_at=past)
    first = QueuedPage.objects.order_by("pk").first()
    assert first is not None
    QueuedPage.objects.filter(pk=first.pk).update(state=State.QUEUED)
    assert paging.prune(timezone.now() - timedelta(days=1)) == 0, "the job is not finished"
    QueuedPage.objects.filter(pk=first.pk).update(state=State.DONE)
    assert paging.prune(timezone.now() - timedelta(days=3)) == 0
    assert paging.prune(timezone.now() - timedelta(days=1)) == 3


def test_the_module_of_a_page_that_is_gone_is_named(moto_ends: Ends, settings: Any) -> None:
    fill(moto_ends)
    queue()
    settings.SMART_STORAGE_BUCKETS = {}
    settings.SMART_STORAGE_STRICT = True
    assert set(broker.deliver()) == {"retry"}
    page = QueuedPage.objects.order_by("pk").first()
    assert page is not None
    assert CommandError.__name__ in page.last_error
    assert "photos" in page.last_error


def test_a_worker_whose_settings_lead_elsewhere_copies_nothing(moto_ends: Ends) -> None:
    fill(moto_ends)
    queue()
    moto_ends.module("archive", location="elsewhere")
    assert broker.deliver() == ["retry"] * 3
    assert moto_ends.archive.keys() == []
    error = QueuedPage.objects.order_by("pk")[0].last_error
    assert "'photos' or 'archive' leads to another place" in error
    moto_ends.module("archive", location="out")
    make_old()
    assert sweep(run=True).processed == {"done": 3}
    assert sorted(moto_ends.of_archive()) == NAMES


def test_a_copy_whose_pages_another_call_deleted_is_no_success(
    moto_ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(moto_ends)

    def forget(seconds: float) -> None:
        QueuedPage.objects.all().delete()

    monkeypatch.setattr(moving_pages.time, "sleep", forget)
    answer = call("copy", "photos", "archive", "--queue")
    assert answer.code == 1
    assert "The pages of this copy are gone" in answer.err


def test_an_engine_that_cannot_be_used_is_named_before_a_page_is_written(
    moto_ends: Ends, settings: Any
) -> None:
    settings.SMART_STORAGE_TASKS = "no.such.engine"
    answer = queue()
    assert answer.code == 2
    assert "SMART_STORAGE_TASKS = 'no.such.engine'" in answer.err
    assert not QueuedPage.objects.exists()


@pytest.mark.parametrize("prefix", ["../secret", "/etc", "a/../../b"])
@pytest.mark.parametrize("arguments", [("copy",), ("copy", "--queue"), ("verify",)])
def test_a_prefix_that_leads_out_of_the_storage_is_refused_in_words(
    moto_ends: Ends, prefix: str, arguments: Any
) -> None:
    name, *rest = arguments
    answer = call(name, "photos", "archive", "--prefix", prefix, *rest)
    assert answer.code == 2
    assert "--prefix: " in answer.err


def test_without_a_worker_the_command_says_once_that_none_takes_a_page(
    moto_ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(moto_ends)
    monkeypatch.setattr(moving_pages, "_IDLE", 0.0)
    naps: List[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            broker.deliver()

    monkeypatch.setattr(moving_pages.time, "sleep", nap)
    answer = call("copy", "photos", "archive", "--queue")
    assert answer.code == 0
    assert answer.err.count("No worker has taken a page for 0 s: is one running") == 1


def test_a_page_that_a_worker_has_counts_as_taken(moto_ends: Ends) -> None:
    fill(moto_ends)
    queue()
    first = QueuedPage.objects.order_by("pk").first()
    assert first is not None
    assert ledger_pages.claim(first.pk) is not None
    said: List[str] = []
    copy = QueuedCopy(read_plan({"source": "photos", "target": "archive", "prefix": ""}), *JOB)
    assert copy.count().taken == 1
    make_old()
    broker.deliver()
    assert copy.follow(lambda files: None, said.append).taken == 0
    assert said == []
