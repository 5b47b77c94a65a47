"""The lock of a name: one holder at a time, and nobody who waits for good."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches

from smart_storages.exceptions import ConfigurationError
from smart_storages.wrappers import locks
from smart_storages.wrappers.calls import call_async, call_now, run, run_async
from smart_storages.wrappers.locks import NameLock, locked_steps
from tests.threads import run_in_threads

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"


@pytest.fixture(autouse=True)
def _empty_cache():
    caches["default"].clear()
    yield
    caches["default"].clear()


class Work:
    """Something to do under a lock: says whether another could have had it meanwhile."""

    def __init__(self, name="a.txt", act=None):
        self.name, self.act, self.done = name, act, 0

    def do(self):
        self.done += 1
        if self.act:
            self.act()
        return NameLock(self.name).acquire()

    def steps(self):
        return (yield self, "do", (), {})


def test_a_lock_has_one_holder_until_it_is_given_back():
    first, second = NameLock("a.txt"), NameLock("a.txt")
    assert first.acquire()
    assert not second.acquire()
    assert NameLock("b.txt").acquire()
    second.release()  # it never had it
    assert not second.acquire()
    first.release()
    assert second.acquire()


def test_two_spellings_of_a_name_have_one_lock():
    assert NameLock("d/a.txt").acquire()
    assert not NameLock("d//./a.txt").acquire()


def test_steps_run_under_the_lock_and_free_it():
    assert run(locked_steps("a.txt", Work().steps(), wait=False)) is False
    assert NameLock("a.txt").acquire()


def test_an_error_frees_the_lock():
    def fail():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        run(locked_steps("a.txt", Work(act=fail).steps(), wait=True))
    assert NameLock("a.txt").acquire()


def test_who_does_not_wait_does_nothing_while_another_has_the_lock():
    assert NameLock("a.txt").acquire()
    work = Work()
    assert run(locked_steps("a.txt", work.steps(), wait=False)) is None
    assert work.done == 0


def test_who_waits_goes_on_when_the_other_has_finished(monkeypatch):
    other = NameLock("a.txt")
    assert other.acquire()
    pauses = []

    def pause(self, seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            other.release()

    monkeypatch.setattr(NameLock, "pause", pause)
    work = Work()
    run(locked_steps("a.txt", work.steps(), wait=True))
    assert (work.done, len(pauses)) == (1, 3)


def test_nobody_waits_for_good(monkeypatch, caplog):
    assert NameLock("a.txt").acquire()
    monkeypatch.setattr(locks, "_WAIT", 0.02)
    work = Work()
    run(locked_steps("a.txt", work.steps(), wait=True))
    assert work.done == 1
    assert "a.txt" in caplog.text
    assert not NameLock("a.txt").acquire(), "the other one's lock was freed"


def test_storages_within_storages_lock_a_name_once(monkeypatch):
    monkeypatch.setattr(NameLock, "pause", lambda self, seconds: pytest.fail("it waits for itself"))
    work = Work()
    inner = locked_steps("a.txt", work.steps(), wait=True)
    assert run(locked_steps("a.txt", inner, wait=True)) is False
    assert work.done == 1
    assert NameLock("a.txt").acquire()


def test_threads_take_turns():
    inside, most = [], []
    guard = threading.Lock()

    class Turn:
        def acquire(self):
            with guard:
                inside.append(1)
                most.append(len(inside))
            for _ in range(1000):
                pass
            with guard:
                inside.pop()

    def go(number):
        for _ in range(20):
            run(locked_steps("a.txt", iter_call(Turn(), "acquire"), wait=True))

    run_in_threads(go, range(4))
    assert len(most) == 80
    assert max(most) == 1


def iter_call(storage, method):
    return (yield storage, method, (), {})


def test_tasks_of_one_loop_take_turns_without_stopping_it():
    order = []

    class Slow:
        async def adelete(self, label):
            order.append(f"{label} begins")
            await asyncio.sleep(0.02)
            order.append(f"{label} ends")

        def delete(self, label):
            raise AssertionError("the async method is there")

    def steps(label):
        return (yield Slow(), "delete", (label,), {})

    async def both():
        await asyncio.gather(
            *(run_async(locked_steps("a.txt", steps(each), wait=True)) for each in ("one", "two"))
        )

    async_to_sync(both)()
    assert [each.split()[1] for each in order] == ["begins", "ends", "begins", "ends"]


@pytest.mark.parametrize("cache", ["none", "dummy", "broken"])
def test_without_a_cache_that_works_there_is_no_lock_and_no_error(settings, cache):
    settings.CACHES = {
        "default": {"BACKEND": LOCMEM},
        "dummy": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
        "broken": {"BACKEND": "tests.wrappers.test_locks.BrokenCache"},
    }
    settings.SMART_STORAGE_LOCK_CACHE = None if cache == "none" else cache
    for perform in (call_now, call_async):
        work = Work()
        steps = locked_steps("a.txt", work.steps(), wait=True)
        assert (run if perform is call_now else async_to_sync(run_async))(steps) is True
        assert work.done == 1


def test_a_cache_that_does_not_work_is_named_in_one_line(settings, caplog):
    settings.CACHES = {
        "default": {"BACKEND": LOCMEM},
        "broken": {"BACKEND": "tests.wrappers.test_locks.BrokenCache"},
    }
    settings.SMART_STORAGE_LOCK_CACHE = "broken"
    run(locked_steps("a.txt", Work().steps(), wait=True))
    (told,) = caplog.records[:1]
    assert told.getMessage() == (
        "The cache 'broken', which SMART_STORAGE_LOCK_CACHE names, does not work, so nothing "
        "is locked: ConnectionError('down')"
    )
    assert told.exc_info is None


def test_one_read_or_delete_warns_once_of_a_cache_that_does_not_work(settings, caplog):
    settings.CACHES = {"default": {"BACKEND": "tests.wrappers.test_locks.BrokenCache"}}
    assert run(locked_steps("a.txt", iter_call("a", "upper"), wait=True)) == "A"
    assert len(caplog.records) == 1


class BrokenCache:
    def __init__(self, *args):
        pass

    def add(self, *args):
        raise ConnectionError("down")

    get = add

    def close(self):
        pass


def test_a_cache_that_is_not_there_is_named(settings):
    settings.SMART_STORAGE_LOCK_CACHE = "nowhere"
    with pytest.raises(ConfigurationError, match=r"SMART_STORAGE_LOCK_CACHE.*'nowhere'"):
        run(locked_steps("a.txt", Work().steps(), wait=True))


def test_a_task_that_is_cancelled_leaves_a_lock_that_runs_out(settings):
    class Endless:
        async def adelete(self):
            started.set()
            await asyncio.sleep(60)

        def delete(self):
            raise AssertionError("the async method is there")

    started = None

    async def cancel():
        nonlocal started
        started = asyncio.Event()
        steps = iter_call(Endless(), "delete")
        task = asyncio.ensure_future(run_async(locked_steps("a.txt", steps, wait=True)))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(cancel)()
    assert caches["default"].touch(NameLock("a.txt")._key, 0)  # it was there, with an end
    assert NameLock("a.txt").acquire()
