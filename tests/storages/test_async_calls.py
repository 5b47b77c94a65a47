"""Async calls of a storage: on the event loop where they can wait there, else in threads."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any, List, Set

import pytest
from django.core.files.base import ContentFile

from smart_storages.common import aio, on_loop
from smart_storages.exceptions import ObjectNotFoundError
from smart_storages.storages import SmartS3Storage
from smart_storages.storages.async_calls import LARGEST

pytest.importorskip("greenlet")


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    """The names of the calls that went to a thread."""
    names: List[str] = []
    original = aio.run

    async def run(method: Any, *args: Any, **kwargs: Any) -> Any:
        names.append(getattr(method, "__name__", str(method)))
        return await original(method, *args, **kwargs)

    monkeypatch.setattr(aio, "run", run)
    return names


async def use_all(storage: Any) -> None:
    name = await storage.asave("a.txt", ContentFile(b"hello"))
    assert name == "a.txt"
    assert await storage.aexists("a.txt")
    assert await storage.asize("a.txt") == 5
    assert (await storage.astat("a.txt")).etag
    assert await storage.aget_modified_time("a.txt")
    async with await storage.aopen("a.txt") as file:
        assert await file.aread(2) == b"he"
        assert await file.aread() == b"llo"
    async with await storage.aopen("a.txt") as file:
        assert [chunk async for chunk in file] == [b"hello"]
    await storage.adelete("a.txt")
    assert not await storage.aexists("a.txt")
    with pytest.raises(ObjectNotFoundError):
        await storage.aopen("a.txt")


def test_small_files_need_no_thread(make_storage: Any, in_threads: List[str]) -> None:
    asyncio.run(use_all(make_storage()))
    assert in_threads == []


def test_a_small_open_file_holds_no_connection(
    make_storage: Any, s3_proxy: Any, s3_bucket: Any
) -> None:
    if s3_bucket.server.name == "moto":
        pytest.skip("moto closes every connection")
    storage = make_storage()
    storage.save("a.txt", ContentFile(b"x" * 65536))

    async def use() -> None:
        files = [await storage.aopen("a.txt") for _ in range(20)]
        for file in files:
            assert len(await file.aread()) == 65536
            await file.aclose()

    s3_proxy.reset()
    asyncio.run(use())
    assert s3_proxy.connections <= 2


def test_bigger_files_are_read_on_the_loop_and_the_biggest_in_threads(
    make_storage: Any, in_threads: List[str]
) -> None:
    storage = make_storage()
    contents = {"a": b"a" * LARGEST, "b": b"b" * (LARGEST + 1)}

    async def use(name: str) -> None:
        await storage.asave(name, ContentFile(contents[name]))
        async with await storage.aopen(name) as file:
            assert await file.aread() == contents[name]

    asyncio.run(use("a"))
    assert in_threads == []
    asyncio.run(use("b"))
    assert in_threads == ["save", "read", "close"]


def test_a_file_that_was_opened_on_a_loop_is_read_by_sync_code(make_storage: Any) -> None:
    storage = make_storage()
    storage.save("a", ContentFile(b"a" * 500_000))

    async def use() -> Any:
        return await storage.aopen("a")

    with asyncio.run(use()) as file:
        assert file.read() == b"a" * 500_000


def test_two_tasks_may_read_one_file(make_storage: Any) -> None:
    storage = make_storage()
    storage.save("a", ContentFile(b"a" * 300_000))

    async def use() -> None:
        async with await storage.aopen("a") as file:
            pieces = await asyncio.gather(file.aread(100_000), file.aread(200_000))
            assert sum(map(len, pieces)) == 300_000

    asyncio.run(use())


def test_many_that_save_one_name_at_once_lose_nothing(make_storage: Any) -> None:
    storage = make_storage(file_overwrite=False)

    async def use() -> Set[str]:
        contents = [b"%d" % number for number in range(32)]
        names = await asyncio.gather(
            *(storage.asave("a.txt", ContentFile(content)) for content in contents)
        )
        assert [storage.open(name).read() for name in names] == contents
        return set(names)

    assert len(asyncio.run(use())) == 32


class Watched(SmartS3Storage):
    def get_object_parameters(self, name: str) -> Any:
        self.threads: Any = {*getattr(self, "threads", ()), threading.current_thread()}
        return super().get_object_parameters(name)


def test_code_of_the_project_and_a_cache_never_block_the_loop(
    make_storage: Any, s3_bucket: Any, in_threads: List[str]
) -> None:
    watched = Watched("media", provider=s3_bucket.server.name)
    asyncio.run(use_all(watched))
    assert threading.current_thread() not in watched.threads
    in_threads.clear()
    asyncio.run(use_all(make_storage(metadata_cache_seconds=60)))
    assert {"exists", "open", "save", "delete"} <= set(in_threads)


def test_credentials_that_may_be_fetched_again_need_a_thread(
    make_storage: Any, s3_bucket: Any, in_threads: List[str]
) -> None:
    server = s3_bucket.server

    def keys() -> Any:
        return {
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "expiry": "2999-01-01T00:00:00Z",
        }

    storage = make_storage(access_key=None, secret_key=None, credentials=keys)
    asyncio.run(use_all(storage))
    assert {"exists", "open", "save", "delete"} <= set(in_threads)


FAULTS = [
    {"status": 503},
    {"status": 503, "times": None},
    {"status": 403, "times": None},
    {"lose_answer": True},
    {"lose_answer": True, "times": None},
    {"cut_after": 2},
    {"cut_after": 0, "times": None},
    {"truncate_to": 2, "times": None},
    {"corrupt_at": 1, "times": None},
    {"answer": b"HTTP/1.1 200 OK\r\nContent-Le", "times": None},
]

OPERATIONS = {
    "GET": lambda storage: storage.open("a.txt").read(),
    "HEAD": lambda storage: storage.exists("a.txt"),
    "PUT": lambda storage: storage.save("b.txt", ContentFile(b"hello")),
    "DELETE": lambda storage: storage.delete("c.txt"),
}


def outcome(run: Any) -> Any:
    try:
        return run()
    except Exception as error:
        return type(error), str(error)


def test_faults_end_as_they_do_in_threads(
    make_storage: Any, s3_proxy: Any, s3_bucket: Any, monkeypatch: Any, in_threads: List[str]
) -> None:
    from botocore.config import Config

    monkeypatch.setattr("smart_storages.backends.s3.requests.retries.random.random", lambda: 0.0)
    monkeypatch.setattr("smart_storages.backends.s3.requests.retries._MAX_PAUSE", 0.0)
    config = Config(retries={"total_max_attempts": 2})
    storage = make_storage(client_config=config)
    s3_bucket.client.put_object(Bucket=s3_bucket.name, Key="a.txt", Body=b"hello")

    def on_a_loop(operation: Any) -> Any:
        return asyncio.run(on_loop.call(operation, storage))

    def both(method: str, operation: Any, fault: Any) -> List[Any]:
        found = []
        for run in (partial(operation, storage), partial(on_a_loop, operation)):
            s3_proxy.reset()
            storage.exists("a.txt")  # so that both begin with a kept connection
            planned = s3_proxy.inject(method=method, **fault)
            found.append((outcome(run), planned.fired))
        return found

    for method, operation in OPERATIONS.items():
        for fault in FAULTS:
            # The kept connection may have been closed in one of them; not three times in a row.
            tried = [both(method, operation, fault)]
            while len(tried) < 3 and tried[-1][0] != tried[-1][1]:
                tried.append(both(method, operation, fault))
            assert tried[-1][0] == tried[-1][1], (method, fault)


def test_a_cancelled_request_gives_its_connection_to_nobody(
    make_storage: Any, s3_proxy: Any
) -> None:
    storage = make_storage()
    storage.save("a.txt", ContentFile(b"right"))
    storage.save("b.txt", ContentFile(b"wrong"))

    async def use() -> None:
        assert await storage.aexists("a.txt")
        held = s3_proxy.inject(path="b.txt", hold_answer=True)
        task = asyncio.ensure_future(storage.aopen("b.txt"))
        while not held.fired:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        held.resume.set()
        for _ in range(3):
            async with await storage.aopen("a.txt") as file:
                assert await file.aread() == b"right"

    asyncio.run(use())
