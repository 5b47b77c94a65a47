from __future__ import annotations

import datetime
import io
import json
import re
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import transaction

from smart_storages.common.progress import Progress
from smart_storages.queued import engines, ledger
from smart_storages.queued.actions import operations
from smart_storages.queued.models import QueuedFile
from tests.queued import broker
from tests.queued.conftest import pass_time, rolled_back, row_of


def call(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("transfers", *arguments, stdout=out, **options)
    return out.getvalue()


def test_list_shows_rows_and_counts(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(state="failed", last_error="no route to host")
    queue.save("b.txt", ContentFile(b"hello"))
    rows, counts = call("list").split("\n\n")
    headings, *lines = [re.split("  +", line.strip()) for line in rows.splitlines()]
    assert headings == ["ID", "STATE", "AGE", "SIZE", "ATTEMPTS", "STORAGE", "NAME", "ERROR"]
    told = {line[6]: dict(zip(headings, line)) for line in lines}
    assert told["a.txt"]["ERROR"] == "no route to host"
    assert told["a.txt"]["ID"] == str(row_of(queue, "a.txt").pk)
    assert told["b.txt"]["STATE"] == "queued"
    headings, *lines = [line.split() for line in counts.splitlines()]
    assert headings == ["ROWS", "STATE"]
    assert ["1", "failed"] in lines
    assert ["0", "done"] in lines
    assert "No rows.\n" in call("list", "--name", "nothing like it")
    (line,) = call("list", "--json", "--state", "failed").splitlines()
    assert json.loads(line)["name"] == "a.txt"


def test_options_of_django_stand_before_or_after_the_subcommand(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    assert call("sweep") != ""
    for arguments in (
        ["sweep", "--verbosity", "0"],
        ["sweep", "-v0"],
        ["--verbosity", "0", "sweep"],
        ["sweep", "-v0", "--no-color", "--traceback", "--skip-checks", "--settings", "x"],
    ):
        assert call(*arguments) == "", arguments
    assert call("sweep", verbosity=0) == ""
    with pytest.raises(CommandError, match="verbosity"):
        call("sweep", "--verbosity", "9")


def test_retry_queues_failed_transfers_again(queue: Any, messages: list) -> None:
    for name in ("a.txt", "b.txt"):
        queue.save(name, ContentFile(b"hello"))
    QueuedFile.objects.update(state="failed", attempts=6)
    messages.clear()
    assert call("retry", str(row_of(queue, "a.txt").pk)) == "1 queued again.\n"
    assert call("retry") == "1 queued again.\n"
    assert broker.deliver() == ["done", "done"]


@pytest.mark.parametrize("act", ["retry", "verify"])
def test_nothing_is_sent_before_the_transaction_is_committed(
    make_queue: Any, messages: list, act: str
) -> None:
    queue = make_queue(task="smart_storages.queued.tasks.Transfer")
    queue.save("a.txt", ContentFile(b"hello"))
    if act == "verify":
        broker.deliver()
        queue.remote.delete("a.txt")
    else:
        QueuedFile.objects.update(state="failed")
        messages.clear()

    def operate() -> Any:
        if act == "retry":
            return operations.retry(QueuedFile.objects.all())
        return operations.verify(QueuedFile.objects.all(), lambda problem: None, repair=True)

    with rolled_back():
        operate()
    assert messages == []
    with transaction.atomic():
        assert operate() in {(1, 0), 1}
        assert messages == [], "a worker would find nothing to do yet"
    assert broker.deliver() == ["done"]


def test_sweep_reports_what_it_did(queue: Any, messages: list) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    pass_time(1000)
    assert "1 queued again." in call("sweep")
    pass_time(1000)
    assert "1 processed here: done." in call("sweep", "--run")


def test_sweep_forgets_old_rows_that_say_nothing(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    broker.deliver()
    assert "0 rows deleted" in call("sweep", "--prune-days", "1")
    assert "0 rows deleted" in call("sweep", "--prune-days", "0"), "an attempt may be late"
    pass_time(13 * 300)
    assert "0 rows deleted" in call("sweep", "--prune-days", "1")
    assert "1 rows deleted" in call("sweep", "--prune-days", "0")
    assert queue.open("a.txt").read() == b"hello"


@pytest.mark.parametrize("leases", [3, 13])
def test_a_late_attempt_does_not_delete_a_file_whose_row_was_forgotten(
    queue: Any, leases: float
) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    late = ledger.claim(row_of(queue, "a.txt").pk)
    ledger.name_remote(late, "a.txt")
    pass_time(1000)  # it is stopped, and taken for dead
    assert engines.run(late.pk) == "settling"
    pass_time(1000)
    assert engines.run(late.pk) == "done"
    pass_time(300 * leases)
    late.lease_until -= datetime.timedelta(seconds=2000 + 300 * leases)
    forgotten = call("sweep", "--prune-days", "0")
    assert f"{int(leases == 13)} rows deleted" in forgotten
    ledger.mark_in_doubt(late)  # it has woken up, and says so
    pass_time(1000)
    call("sweep", "--run")
    assert not QueuedFile.objects.exclude(state="done").exists()
    assert queue.open("a.txt").read() == b"hello"


def test_sweep_fails_when_rows_belong_to_no_storage(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(storage="gone")
    err = io.StringIO()
    with pytest.raises(CommandError):
        call("sweep", stderr=err)
    assert "key='gone'" in err.getvalue()


def test_verify_finds_what_was_changed_and_what_is_missing(queue: Any) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        queue.save(name, ContentFile(b"hello"))
    broker.deliver()
    assert call("verify").startswith("3 checked, 0 wrong")
    queue.remote.delete("a.txt")
    with open(queue.remote.path("b.txt"), "wb") as changed:
        changed.write(b"HELLO")
    err = io.StringIO()
    with pytest.raises(CommandError):
        call("verify", stderr=err)
    assert "a.txt" in err.getvalue()
    assert "b.txt" in err.getvalue()
    assert "c.txt" not in err.getvalue()


def test_verify_can_send_again_what_is_still_here(make_queue: Any) -> None:
    queue = make_queue(task="smart_storages.queued.tasks.Transfer")
    queue.save("a.txt", ContentFile(b"hello"))
    broker.deliver()
    queue.remote.delete("a.txt")
    with pytest.raises(CommandError):
        call("verify", "--repair", stderr=io.StringIO())
    assert broker.deliver() == ["done"]
    assert queue.remote.open("a.txt").read() == b"hello"


def test_a_progress_bar_is_drawn_on_a_terminal_only() -> None:
    from django.core.management.base import OutputWrapper

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, drawn in ((Terminal(), True), (io.StringIO(), False)):
        with Progress(OutputWrapper(stream)) as progress:
            progress("retry", 1, 2)
            progress("retry", 2, 2)
        assert ("100% retry 2/2" in stream.getvalue()) == drawn
        assert "\n" not in stream.getvalue()


def call_failing(*arguments: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("transfers", *arguments, stdout=out, stderr=err)
    return f"{out.getvalue()}{err.getvalue()}{caught.value}"


def test_what_the_engine_did_not_take_is_not_counted_as_queued(queue: Any, settings: Any) -> None:
    for name in ("a.txt", "b.txt"):
        queue.save(name, ContentFile(b"hello"))
    pass_time(1000)
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.refuse"
    told = call_failing("sweep")
    assert "0 queued again." in told
    assert "2 could not be queued" in told
    QueuedFile.objects.update(state="failed")
    told = call_failing("retry")
    assert "0 queued again." in told
    assert "2 could not be queued" in told


def test_retry_says_which_rows_there_are_not(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(state="failed")
    there = row_of(queue, "a.txt").pk
    told = call_failing("retry", str(there), "99999")
    assert "1 queued again." in told
    assert "no row 99999" in told


@pytest.mark.parametrize("task", ["Transfer", "TransferAndDelete"])
def test_verify_says_that_nothing_is_left_to_repair_with(make_queue: Any, task: str) -> None:
    queue = make_queue(task=f"smart_storages.queued.tasks.{task}")
    queue.save("a.txt", ContentFile(b"hello"))
    broker.deliver()
    queue.remote.delete("a.txt")
    row = row_of(queue, "a.txt")
    if row.local_name:
        queue.local.delete(row.local_name)
    assert "No local copy is left" not in call_failing("verify")
    assert "It cannot be repaired, because no local copy is left." in call_failing(
        "verify", "--repair"
    )
    assert row_of(queue, "a.txt").state == "done"


_HUGE = "9" * 40
_HALF = "a\udcff"
_BAD_ARGUMENTS = [
    "",
    "lst",
    "list --limit -1",
    "list --limit 1.5",
    f"list --limit {_HUGE}",
    f"list --limit {_HALF}",
    f"list --name {_HALF}",
    f"list --storage {_HALF}",
    "list --name a\0b",
    "list --state gone",
    f"list --state {_HALF}",
    "retry -1",
    "retry 0",
    "retry 1.5",
    f"retry 1 {_HUGE}",
    f"retry {_HALF}",
    f"retry --name {_HALF}",
    "retry --storage a\0b",
    "sweep --orphan-age nan",
    "sweep --orphan-age inf",
    "sweep --orphan-age -1",
    "sweep --orphan-age 1e300",
    "sweep --requeue-age nan",
    "sweep --requeue-age=-inf",
    "sweep --requeue-age -0.5",
    "sweep --requeue-age 1e12",
    f"sweep --requeue-age {_HALF}",
    "sweep --prune-days nan",
    "sweep --prune-days inf",
    "sweep --prune-days -1",
    "sweep --prune-days 1e9",
    f"sweep --prune-days {_HUGE}",
    f"verify --name {_HALF}",
    f"verify --storage {_HALF}",
    "verify --name a\0b",
    "verify --state gone",
]


def test_arguments_that_make_no_sense_are_refused_in_words(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    QueuedFile.objects.update(state="failed")
    wrong = []
    for line in _BAD_ARGUMENTS:
        try:
            call(*line.split(" ") if line else [])
        except CommandError as error:
            value = re.split("[ =]", line)[-1]
            spellings = (value, ascii(value)[1:-1])
            if not (str(error).startswith("Error: ") and any(s in str(error) for s in spellings)):
                wrong.append((line, error))
        except Exception as error:
            wrong.append((line, error))
        else:
            wrong.append((line, "taken"))
    assert wrong == []
    assert row_of(queue, "a.txt").state == "failed", "nothing was done"


def test_arguments_at_the_edge_of_sense_are_taken(queue: Any) -> None:
    queue.save("a.txt", ContentFile(b"hello"))
    for line in (
        "list --limit 0",
        "list --name é",
        "sweep --orphan-age 0 --requeue-age 3e9 --prune-days 36500",
    ):
        call(*line.split())


def test_on_the_command_line_it_is_a_usage_error(capsys: Any) -> None:
    from django.core.management import execute_from_command_line

    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(["manage.py", "transfers", "list", "--limit", "-1"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "usage: manage.py transfers list" in told
    assert "argument --limit: -1 is not between 0 and" in told
