"""The worker of the background: what is queued, who waits, and what a job sees."""

from __future__ import annotations

import os
import threading
from contextvars import ContextVar
from typing import Iterator, List

import pytest

from smart_storages.common.background import Worker

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def test_flush_says_whether_all_was_done_in_time(gate: threading.Event) -> None:
    worker = Worker("test")
    assert worker.flush(0) is True
    worker.submit(lambda: gate.wait(30))
    assert worker.flush(0.01) is False
    gate.set()
    assert worker.flush(30) is True


def test_a_full_queue_makes_the_caller_work(gate: threading.Event) -> None:
    worker = Worker("test")
    worker.most_waiting = 1
    worker.submit(lambda: gate.wait(30))
    done: List[int] = []
    worker.submit(lambda: done.append(threading.get_ident()))
    assert done == [threading.get_ident()]


def test_a_job_sees_the_context_of_who_gave_it() -> None:
    worker = Worker("test")
    seen: List[str] = []
    token = tenant.set("acme")
    worker.submit(lambda: seen.append(tenant.get()))
    tenant.reset(token)
    assert worker.flush(30)
    assert seen == ["acme"]


def test_a_job_that_fails_takes_no_other_with_it() -> None:
    worker = Worker("test")
    done: List[str] = []
    for name in ("a.txt", "b.txt"):
        worker.submit(lambda name=name: done.append(name) if name == "b.txt" else 1 / 0)
    assert worker.flush(30)
    assert done == ["b.txt"]


def test_one_name_is_worked_on_by_one_thread_at_a_time(gate: threading.Event) -> None:
    worker = Worker("test")
    held = threading.Event()
    order: List[str] = []

    def hold() -> None:
        with worker.lock("a.txt"):
            held.set()
            gate.wait(30)
            order.append("first")

    def follow() -> None:
        with worker.lock("a.txt"):
            order.append("second")

    worker.submit(hold)
    assert held.wait(30)
    worker.submit(follow)
    gate.set()
    assert worker.flush(30)
    assert order == ["first", "second"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_threads_of_its_own() -> None:
    worker = Worker("test")
    worker.submit(lambda: None)
    assert worker.flush(30)
    pid = os.fork()
    if pid == 0:
        done: List[int] = []
        worker.submit(lambda: done.append(1))
        os._exit(0 if worker.flush(30) and done else 1)
    assert os.waitpid(pid, 0)[1] == 0
