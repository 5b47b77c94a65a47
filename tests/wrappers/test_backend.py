"""A backend that does not answer is left alone for a while; one that lacks a file is not."""

from __future__ import annotations

import threading

import pytest

from smart_storages.fallback import FallbackStorage
from tests.routing_models import Broken, put


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def with_clock(*args, **options):
    storage = FallbackStorage(*args, **options)
    storage.clock = Clock()
    return storage


def test_an_unreachable_backend_is_asked_once_a_minute(two):
    put(two[0], "a.txt")
    broken = Broken()
    storage = with_clock([broken, two[0]])
    for _ in range(100):
        storage.open("a.txt").close()
    assert len(broken.calls) == 1
    storage.clock.now += 59
    storage.open("a.txt").close()
    assert len(broken.calls) == 1
    storage.clock.now += 2
    for _ in range(100):
        storage.open("a.txt").close()
    assert len(broken.calls) == 2


def test_a_backend_that_is_back_is_used_again(two):
    put(two[0], "a.txt")
    back = Broken()
    storage = with_clock([back, two[0]])
    storage.open("a.txt")
    back.error = None
    storage.clock.now += 61
    assert storage.open("a.txt").read() == b"recorded"
    assert storage.open("a.txt").read() == b"recorded"


def test_a_missing_file_does_not_close_a_backend(two):
    storage = with_clock([Broken(FileNotFoundError()), two[0]])
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            storage.open("a.txt")
    assert len(storage._backends[0].reference.storage.calls) == 3


def test_one_thread_at_a_time_looks_whether_a_backend_is_back(two):
    put(two[0], "a.txt")
    entered, leave = threading.Event(), threading.Event()

    class Slow(Broken):
        def open(self, name, mode="rb"):
            self._note_only(name)
            entered.set()
            leave.wait(10)
            raise self.error

        def _note_only(self, name):
            self.calls.append(name)

    slow = Slow()
    leave.set()
    storage = with_clock([slow, two[0]])
    storage.open("a.txt").close()
    storage.clock.now += 61
    leave.clear()
    entered.clear()
    probing = threading.Thread(target=lambda: storage.open("a.txt").close())
    probing.start()
    assert entered.wait(10)
    for _ in range(10):
        storage.open("a.txt").close()
    leave.set()
    probing.join(10)
    assert len(slow.calls) == 2
