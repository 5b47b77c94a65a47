"""What docs/async.md says of the event loop: which calls it goes on in, and how many threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from benchmarks import event_loop
from benchmarks.event_loop import CASES, Case
from smart_storages.common import aio, on_loop

pytestmark = pytest.mark.one_server

BLOCKS = "`storage.open(name)` in the async view, 4 at once"


@pytest.fixture
def storage(make_storage: Any, s3_proxy: Any) -> Any:
    made = make_storage(file_overwrite=True)
    event_loop.prepare(made)
    s3_proxy.inject(times=None, latency=event_loop.LATENCY)
    return made


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
@pytest.mark.parametrize("with_greenlet", [True, False])
def test_the_loop_goes_on_in_all_calls_but_the_sync_one(
    storage: Any, case: Case, with_greenlet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_loop, "AVAILABLE", on_loop.AVAILABLE and with_greenlet)
    outcome = asyncio.run(event_loop.measure(storage, case))
    # A blocked loop has a turn before the calls and one after them; one that goes on has hundreds.
    if case.title == BLOCKS:
        assert outcome.turns <= 3
    elif "url" not in case.title:  # which waits for nothing
        assert outcome.turns > 3
    assert outcome.threads <= aio.THREADS


def test_with_greenlet_small_files_take_none_of_our_threads(storage: Any) -> None:
    if not on_loop.AVAILABLE:
        pytest.skip("greenlet is not installed")
    before = set(threading.enumerate())
    for title in ("aexists", "aopen", "asave"):
        case = next(each for each in CASES if each.title.startswith(f"`{title}`"))
        asyncio.run(event_loop.measure(storage, case))
    ours = [each.name for each in set(threading.enumerate()) - before]
    assert [name for name in ours if name.startswith("smart-storages-async")] == []
