"""What docs/async.md says of the event loop: which calls it goes on in, and how many threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from benchmarks import event_loop
from benchmarks.event_loop import CASES
from smart_storages.common import aio, on_loop

pytestmark = pytest.mark.one_server

BLOCKS = "`storage.open(name)` in the async view, 4 at once"
WAITS_FOR_NOTHING = {"`storage.url(name)`, 20 at once"}
LATENCY = 0.1


@pytest.fixture
def storage(make_storage: Any, s3_proxy: Any) -> Any:
    made = make_storage(file_overwrite=True)
    event_loop.prepare(made)
    s3_proxy.inject(times=None, latency=LATENCY)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("with_greenlet", [True, False])
def test_the_loop_goes_on_in_all_calls_but_the_sync_one(
    storage: Any, with_greenlet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_loop, "AVAILABLE", on_loop.AVAILABLE and with_greenlet)
    outcomes = {case.title: asyncio.run(event_loop.measure(storage, case)) for case in CASES}
    # A blocked loop has a turn before the calls and one after them; one that goes on has hundreds.
    blocked = {title for title, outcome in outcomes.items() if outcome.turns <= 3}
    assert blocked - WAITS_FOR_NOTHING == {BLOCKS}
    assert {title for title, outcome in outcomes.items() if outcome.threads > aio.THREADS} == set()


def test_with_greenlet_small_files_take_none_of_our_threads(storage: Any) -> None:
    if not on_loop.AVAILABLE:
        pytest.skip("greenlet is not installed")
    before = set(threading.enumerate())
    for title in ("aexists", "aopen", "asave"):
        case = next(each for each in CASES if each.title.startswith(f"`{title}`"))
        asyncio.run(event_loop.measure(storage, case))
    ours = [each.name for each in set(threading.enumerate()) - before]
    assert [name for name in ours if name.startswith("smart-storages-async")] == []
