"""The drawing of the ledger's states is what the ledger does, and what the page shows."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Set, Tuple

from docs._pictures import ledger as drawing
from smart_storages.queued.ledger import recording, writes
from smart_storages.queued.ledger.recording import LocalCopy
from smart_storages.queued.models import LOCAL_STATES, QueuedFile, State
from tests.queued.ledger.conftest import NOW, Ledger, at

COPY = LocalCopy(name="new", size=5, checksum="c", md5="m", host="h")
CLAIMED = (State.TRANSFERRING, State.SETTLING, State.DELETING)
#: What the application, an operator or a sweep puts back into the queue, and what from.
REQUEUED = (State.HELD, State.FAILED, State.DONE)

Act = Callable[[QueuedFile], Any]


def save(row: QueuedFile, state: str) -> Any:
    return recording.record_save(
        row.storage, row.name, COPY, task="t", state=state, overwrite=True, undo=lambda: None
    )


def writes_to(state: State) -> Iterator[Tuple[Dict[str, Any], Act]]:
    """Every write that the package makes to a row in a state, and how the row is before it."""
    here: Dict[str, Any] = {"state": state}
    leased = {**here, "lease_token": "mine", "lease_until": at(30)}
    doubted = {**leased, "dirty_until": at(30)}
    yield here, lambda row: save(row, State.QUEUED)
    yield here, lambda row: save(row, State.HELD)
    yield here, lambda row: recording.record_delete(row.storage, row.name, "t", row.name)
    yield here, lambda row: writes.claim(row.pk)
    yield here, writes.mark_in_doubt
    yield {**here, "finished_at": at(-1e9), "remote_name": "a.txt", "local_name": ""}, prune
    if state in REQUEUED:
        yield here, writes.requeue
    if state == State.FAILED:
        yield {**here, "local_name": ""}, writes.requeue
    if state in CLAIMED:
        yield leased, lambda row: writes.fail(row, "no", retry_in=1, sent=True)
        yield leased, lambda row: writes.fail(row, "no", retry_in=None, sent=True)
        yield leased, writes.release
        yield leased, writes.renew
    if state in (State.TRANSFERRING, State.SETTLING):
        yield leased, writes.finish
        yield doubted, writes.finish
    if state == State.DELETING:
        yield leased, writes.remove
        yield doubted, writes.remove
    if state == State.DONE:
        yield here, writes.forget_local


def prune(row: QueuedFile) -> None:
    writes.prunable(NOW).filter(pk=row.pk).delete()


def test_every_write_leads_where_the_drawing_says_and_nothing_else_is_drawn(ledger: Ledger) -> None:
    found: Set[Tuple[str, str]] = set()
    for state in State:
        for values, act in writes_to(state):
            row = ledger.make(**values)
            act(row)
            left = QueuedFile.objects.filter(pk=row.pk).values_list("state", flat=True).first()
            found.add((str(state), left or drawing.GONE))
            QueuedFile.objects.all().delete()
    moves = {pair for pair in found if pair[0] != pair[1]}
    # A save and a delete lead from every state to the same ones, and are drawn from nowhere.
    by_save = {(str(state), to) for state in State for to in ("queued", "held", "deleting")}
    drawn = {pair for pair in drawing.TRANSITIONS if pair[0] != drawing.GONE}
    assert moves - by_save == drawn - by_save
    assert drawn & by_save <= moves
    assert moves >= {pair for pair in by_save if pair[0] != pair[1]}


def test_what_begins_a_row_is_drawn(ledger: Ledger) -> None:
    new = QueuedFile(storage="s", name="a.txt")
    begun: Set[str] = set()
    for act in (
        lambda: save(new, State.QUEUED),
        lambda: save(new, State.HELD),
        lambda: recording.record_delete("s", "a.txt", "t", "a.txt"),
        lambda: recording.record_remote(
            "s", "a.txt", COPY, task="t", remote_name="a.txt", undo=lambda: None
        ),
    ):
        act()
        begun.update(QueuedFile.objects.values_list("state", flat=True))
        QueuedFile.objects.all().delete()
    assert begun == {to for from_, to in drawing.TRANSITIONS if from_ == drawing.GONE}


def test_each_state_is_drawn_with_where_its_readers_go() -> None:
    said = {state: who for state, (_, _, who) in drawing._BOXES.items()}
    assert set(said) == set(State.values)
    assert {state for state, who in said.items() if "local" in who} == set(map(str, LOCAL_STATES))
    assert set(drawing._ARROWS) == set(drawing.TRANSITIONS)
