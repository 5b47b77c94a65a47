"""``storage_operation`` says of each operation what a proxy before the server sees of it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import importlib
import io
import logging
import threading
from contextlib import suppress
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from hypothesis import given
from hypothesis.strategies import booleans, sampled_from, tuples

from smart_storages.checks.buckets import check_buckets
from smart_storages.common import recording, reporting
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import (
    ConfigurationError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.resolvers import ByExtension
from smart_storages.signals import storage_operation
from smart_storages.storages import ManifestStaticStorage, SmartS3Storage
from smart_storages.wrappers import ScopedStorage
from tests.conftest import examples

MIB = 1024 * 1024
#: More than one part, and read over more than one connection.
BIG = b"0123456789abcdef" * (11 * MIB // 16)
PARTS = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB)

Report = Dict[str, Any]


@pytest.fixture
def reports() -> Iterator[List[Report]]:
    """What the signal said, in order."""
    found: List[Report] = []

    def note(sender: Any, signal: Any, **fields: Any) -> None:
        found.append({**fields, "sender": sender})

    storage_operation.connect(note)
    yield found
    storage_operation.disconnect(note)


@pytest.fixture
def make(s3_proxy: Any, make_storage: Callable[..., Any]) -> Callable[..., Any]:
    """Makes storages behind the proxy, with parts of 5 MiB."""

    def make(**options: Any) -> Any:
        return make_storage(**{"transfer_config": PARTS, **options})

    return make


@pytest.fixture
def said(reports: List[Report], s3_proxy: Any) -> Callable[[], List[Tuple[Any, ...]]]:
    """Returns what was said since the last call, having held the sum against the proxy."""

    def look() -> List[Tuple[Any, ...]]:
        reporting.flush()
        mine, reports[:] = list(reports), []
        seen, s3_proxy.requests = s3_proxy.requests, []
        assert sum(each["requests"] for each in mine) == len(seen), (mine, seen)
        return [(each["operation"], each["name"], each["requests"]) for each in mine]

    return look


def text(content: bytes = b"hello") -> Any:
    return ContentFile(content)


# Every operation, with its requests


def test_each_operation_is_reported_once_with_its_requests(make: Any, said: Any) -> None:
    storage = make(location="x")
    storage.save("a.txt", text())
    assert said() == [("save", "a.txt", 1)]
    for method, requests in [
        ("exists", 1),
        ("size", 1),
        ("stat", 1),
        ("get_modified_time", 1),
        ("listdir", 1),
        ("delete", 1),
    ]:
        name = "" if method == "listdir" else "a.txt"
        getattr(storage, method)(name)
        assert said() == [(method, name, requests)], method
    assert not storage.exists(name="a.txt")
    assert said() == [("exists", "a.txt", 1)]


def test_operations_on_many_are_one_each(make: Any, said: Any) -> None:
    storage = make(location="x")
    names = [f"{number:02}.txt" for number in range(12)]
    assert storage.save_many([(name, text()) for name in names]) == names
    assert said() == [("save_many", None, 12)]
    assert all(storage.exists_many(names).values())
    assert said() == [("exists_many", None, 1)]
    assert None not in storage.stat_many(names[:3]).values()
    assert said() == [("stat_many", None, 3)]
    assert len(list(storage.iter_files())) == 12
    assert said() == [("iter_files", "", 1)]
    assert storage.delete_many(names[:8]) == {}
    assert said() == [("delete_many", None, 1)]
    assert storage.delete_keys(["x/08.txt"]) == {}
    assert said() == [("delete_many", None, 1)]
    with storage.workspace("made") as folder:
        for name in names[:4]:
            (folder / name).write_text("x")
        assert storage.exists("08.txt") is False
    assert said() == [("exists", "08.txt", 1), ("workspace", "made", 4)]


def test_a_local_copy_is_one_operation_without_what_its_block_does(make: Any, said: Any) -> None:
    storage = make()
    storage.save("a.txt", text())
    said()
    with storage.local_copy("a.txt", write_back=True) as path:
        path.write_bytes(b"changed")
        assert storage.size("a.txt") == 5
    assert said() == [("size", "a.txt", 1), ("local_copy", "a.txt", 3)]
    with storage.local_copy("a.txt") as path:
        assert path.read_bytes() == b"changed"
    assert said() == [("local_copy", "a.txt", 1)]


def test_an_error_in_the_block_is_not_one_of_the_operation(
    make: Any, said: Any, reports: List[Report]
) -> None:
    storage = make()
    with pytest.raises(KeyError), storage.workspace("made"):
        raise KeyError("of the caller")
    assert [(each["operation"], each["error"]) for each in reports] == [("workspace", None)]
    assert said() == [("workspace", "made", 0)]


def test_a_copy_is_one_operation_of_the_storage_that_is_asked(
    make: Any, said: Any, disk: Any
) -> None:
    storage, other = make(location="x"), make(location="y", file_overwrite=False)
    storage.save("a.txt", text())
    said()
    assert storage.copy("a.txt", "b.txt") == "b.txt"
    assert [each[:2] for each in said()] == [("copy", "a.txt")]
    assert storage.copy("a.txt", "a.txt", to=other) == "a.txt"
    assert storage.copy("a.txt", "a.txt", to=disk("out")) == "a.txt"
    assert storage.move("b.txt", "c.txt", to=other)
    assert [each[:2] for each in said()] == [("copy", "a.txt")] * 2 + [("move", "b.txt")]
    storage.replicate("x/a.txt", other, "y/exactly.txt", on_server=False)
    assert [each[:2] for each in said()] == [("copy", "x/a.txt")]
    assert other.exists("exactly.txt")


def test_urls_are_no_operations(make: Any, said: Any) -> None:
    storage = make()
    storage.url("a.txt")
    storage.presigned_post("a.txt", max_size=10, content_type="text/plain")
    storage.presigned_put("a.txt", size=10, content_type="text/plain")
    storage.get_key("a.txt")
    assert said() == []


def test_the_fields_say_whose_it_was_and_how_much(
    make: Any, reports: List[Report], s3_bucket: Any
) -> None:
    storage = make()
    storage.save("a.txt", text())
    report = reports.pop()
    seconds = report.pop("seconds")
    assert report == {
        "sender": SmartS3Storage,
        "module": "media",
        "bucket": s3_bucket.name,
        "operation": "save",
        "name": "a.txt",
        "bytes": 5,
        "requests": 1,
        "retries": 0,
        "error": None,
    }
    assert seconds > 0


# Static files


def test_collectstatic_is_a_listing_and_a_save_of_each_file_that_changed(
    make: Any, said: Any, tmp_path: Any, settings: Any, s3_bucket: Any
) -> None:
    make()
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.staticfiles"]
    settings.STATICFILES_DIRS = [str(tmp_path)]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text(f"{number}")
    command = importlib.import_module(
        "django.contrib.staticfiles.management.commands.collectstatic"
    ).Command()

    def collect() -> Any:
        command.storage = ManifestStaticStorage(provider=s3_bucket.server.name)
        call_command(command, interactive=False, verbosity=0)
        return said()

    listing, *saves = collect()
    assert listing == ("iter_files", "", 1)
    assert {each[0] for each in saves} == {"save"}
    assert len({each[1] for each in saves}) == len(saves) == 11  # each twice, and the manifest
    assert collect() == [listing]
    command.storage.save("by-hand.txt", text())
    assert said() == [("save", "by-hand.txt", 1)]


# Saving


def test_a_save_that_must_not_overwrite_reports_the_name_it_found(make: Any, said: Any) -> None:
    storage = make(file_overwrite=False)
    assert storage.save("a.txt", text()) == "a.txt"
    saved = storage.save("a.txt", text(b"other"))
    assert [each[:2] for each in said()] == [("save", "a.txt"), ("save", saved)]
    storage.save(None, ContentFile(b"x", "of the content.txt"))
    assert [each[1] for each in said()] == ["of the content.txt"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_the_parts_of_a_big_save_count_to_it(
    overwrite: bool, make: Any, said: Any, reports: List[Report]
) -> None:
    storage = make(file_overwrite=overwrite)
    storage.save("big", ContentFile(BIG))
    assert [each["bytes"] for each in reports] == [len(BIG)]
    (found,) = said()
    assert found[:2] == ("save", "big")
    assert found[2] >= 5  # create, three parts, complete


def test_a_file_that_is_written_is_reported_when_it_is_closed(
    make: Any, said: Any, reports: List[Report]
) -> None:
    storage = make()
    with storage.open("w.txt", "wb") as file:
        file.write(b"some")
        assert said() == []
        assert storage.exists("w.txt") is False
        file.write(b"thing")
    assert [each["bytes"] for each in reports] == [0, 9]
    assert said() == [("exists", "w.txt", 1), ("open", "w.txt", 1)]
    file.open()
    file.write(b"again")
    file.close()
    assert said() == [("open", "w.txt", 1)]
    with storage.open("big", "wb") as file:
        file.write(BIG)
    (found,) = said()
    assert found[:2] == ("open", "big")
    assert found[2] >= 5


def test_a_file_whose_write_is_given_up_is_reported_too(make: Any, said: Any) -> None:
    storage = make()
    file = storage.open("big", "wb")
    file.write(BIG)
    file.discard()
    assert [each[:2] for each in said()] == [("open", "big")]
    file = storage.open("small", "wb")
    file.write(b"x")
    del file
    gc.collect()
    assert said() == [("open", "small", 0)]


def test_a_big_file_that_nobody_closed_is_reported_with_its_abort(
    make: Any, said: Any, s3_proxy: Any, reports: List[Report]
) -> None:
    storage = make()
    file = storage.open("big", "wb")
    file.write(BIG)
    del file
    gc.collect()
    wait_until(lambda: len(reports) == 1)
    assert s3_proxy.requests[-1].method == "DELETE"
    assert [each[:2] for each in said()] == [("open", "big")]


def wait_until(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(500):
        if condition():
            return
        tick.wait(0.02)
    raise AssertionError("it never came true")


# Reading


def test_a_file_is_one_operation_from_open_to_close(
    make: Any, said: Any, reports: List[Report]
) -> None:
    storage = make(location="x")
    storage.save("big", ContentFile(BIG))
    said()
    with storage.open("big") as file:
        assert file.read(10) == BIG[:10]
        file.seek(9 * MIB)
        assert file.read(10) == BIG[9 * MIB : 9 * MIB + 10]
        file.seek(-5, io.SEEK_END)
        assert file.read() == BIG[-5:]
        assert reports == []
    assert said() == [("open", "big", 3)]


def test_ranges_that_threads_fetch_count_to_the_file(
    make: Any, said: Any, reports: List[Report]
) -> None:
    storage = make()
    storage.save("big", ContentFile(BIG))
    said()
    with storage.open("big") as file:
        assert file.read() == BIG
    assert reports[-1]["bytes"] >= len(BIG)
    (found,) = said()
    assert found[:2] == ("open", "big")
    assert found[2] > 1


def test_bytes_are_those_that_came_from_s3(make: Any, reports: List[Report]) -> None:
    storage = make()
    storage.save("a.txt", text())
    with storage.open("a.txt", "r") as file:
        assert file.read() == "hello"
        file.seek(0)
        assert file.read() == "hello"
    with storage.open("a.txt"):
        pass
    assert [each["bytes"] for each in reports] == [5, 5, 0]


def test_a_file_that_is_not_closed_is_reported_when_it_is_collected(make: Any, said: Any) -> None:
    storage = make()
    storage.save("a.txt", text())
    said()
    assert storage.open("a.txt").read() == b"hello"
    gc.collect()
    assert said() == [("open", "a.txt", 1)]


def test_a_file_that_is_opened_again_is_another_operation(make: Any, said: Any) -> None:
    storage = make()
    storage.save("a.txt", text())
    said()
    file = storage.open("a.txt")
    file.close()
    file.close()
    with file.open() as again:
        assert again.read() == b"hello"
    assert said() == [("open", "a.txt", 1)] * 2


def test_content_that_is_read_from_another_storage_counts_to_its_own_file(
    make: Any, said: Any
) -> None:
    storage, other = make(location="x"), make(location="y")
    storage.save("a.txt", text())
    said()
    with storage.open("a.txt") as file:
        other.save("b.txt", file)
    assert said() == [("save", "b.txt", 1), ("open", "a.txt", 1)]


class Lazy(ContentFile):  # type: ignore[type-arg]
    """As a FieldFile, it opens its file when it is first read, and leaves it open."""

    def __init__(self, storage: Any) -> None:
        super().__init__(b"", "lazy.txt")
        self.storage = storage
        self.opened: Any = None

    def chunks(self, chunk_size: Optional[int] = None) -> Any:
        return iter([self.read()])

    def seek(self, *args: Any) -> int:
        return 0

    def read(self, *args: Any) -> bytes:
        self.opened = self.opened or self.storage.open("big")
        data: bytes = self.opened.read(*args)
        return data


def test_a_file_that_outlives_the_operation_it_was_opened_in_is_another(
    make: Any, said: Any
) -> None:
    storage, other = make(location="x"), make(location="y")
    storage.save("big", ContentFile(BIG))
    said()
    lazy = Lazy(storage)
    other.save("b.txt", lazy)
    assert [each[:2] for each in said_so_far(said, lazy)] == [("save", "b.txt"), ("open", "big")]


def said_so_far(said: Any, lazy: Lazy) -> Any:
    lazy.opened.seek(0)
    lazy.opened.seek(3 * MIB)
    lazy.opened.read(10)
    lazy.opened.close()
    return said()


# Generators


def test_a_listing_is_reported_when_it_ends_or_is_closed(make: Any, said: Any) -> None:
    storage = make()
    for name in ("a", "b"):
        storage.save(name, text())
    said()
    listing = storage.iter_files()
    assert said() == []
    assert next(listing)[0] == "a"
    assert storage.exists("a")
    assert said_with(said, listing.close) == [("exists", "a", 1), ("iter_files", "", 1)]
    for name, _ in storage.iter_files("a"):
        assert name == "a"
        break
    gc.collect()
    assert said() == [("iter_files", "a", 1)]
    storage.iter_files().close()
    assert said() == []


def said_with(said: Any, function: Callable[[], Any]) -> Any:
    function()
    return said()


# Errors and retries


def test_an_operation_that_fails_says_why(make: Any, said: Any, reports: List[Report]) -> None:
    storage = make()
    for method in ("size", "open"):
        with pytest.raises(ObjectNotFoundError) as caught:
            getattr(storage, method)("missing")
        assert reports[-1]["error"] is caught.value
    with pytest.raises(SuspiciousFileOperation) as refused:
        storage.exists("../a")
    assert reports[-1]["error"] is refused.value
    assert said() == [("size", "missing", 1), ("open", "missing", 1), ("exists", "../a", 0)]


@pytest.mark.parametrize("harm", [{"status": 503}, {"lose_answer": True}], ids=["503", "lost"])
@pytest.mark.parametrize(
    "sent",
    [("save", "PUT"), ("size", "HEAD"), ("open", "GET"), ("listdir", "GET"), ("delete", "DELETE")],
)
def test_retries_are_counted_wherever_the_request_is_sent_from(
    sent: Tuple[str, str], harm: Dict[str, Any], make: Any, said: Any, s3_proxy: Any
) -> None:
    operation, method = sent
    retries: List[int] = []

    def note(**fields: Any) -> None:
        retries.append(fields["retries"])

    storage = make()
    storage.save("a.txt", text())
    said()
    s3_proxy.inject(method=method, **harm)
    storage_operation.connect(note)
    if operation == "open":
        with storage.open("a.txt") as file:
            file.read()
    else:
        getattr(storage, operation)(
            *{"save": ("a.txt", text()), "listdir": ("",)}.get(operation, ("a.txt",))
        )
    storage_operation.disconnect(note)
    assert retries == [1]
    assert said() == [(operation, "" if operation == "listdir" else "a.txt", 2)]


def test_a_body_that_breaks_off_is_asked_for_again(
    make: Any, said: Any, s3_proxy: Any, reports: List[Report]
) -> None:
    storage = make()
    storage.save("a.txt", text(b"x" * 300_000))
    said()
    s3_proxy.inject(method="GET", cut_after=100_000)
    with storage.open("a.txt") as file:
        assert len(file.read()) == 300_000
    assert [each["retries"] for each in reports] == [1]
    assert said() == [("open", "a.txt", 2)]


def test_a_part_that_is_sent_again_counts_to_the_save(
    make: Any, said: Any, s3_proxy: Any, reports: List[Report]
) -> None:
    storage = make()
    s3_proxy.inject(method="PUT", query="partNumber", status=503, times=2)
    storage.save("big", ContentFile(BIG))
    assert [(each["retries"], each["bytes"]) for each in reports] == [(2, len(BIG))]
    assert [each[:2] for each in said()] == [("save", "big")]


def test_a_request_that_never_left_is_not_counted(
    make: Any, said: Any, s3_proxy: Any, reports: List[Report]
) -> None:
    storage = make(client_config=Config(retries={"total_max_attempts": 2}))
    with s3_proxy.refusing():
        for call in (storage.size, storage.listdir):
            with pytest.raises(UnreachableError) as caught:
                call("a.txt")
            assert reports[-1]["error"] is caught.value
            assert reports[-1]["requests"] == 0
            assert reports[-1]["retries"] == 1
    assert [each[2] for each in said()] == [0, 0]


NAMES = ("a.txt", "b.txt", "folder/c.txt")
CALLS = {
    "delete": lambda storage, name: storage.delete(name),
    "delete_many": lambda storage, name: storage.delete_many([*NAMES, "odd\n"]),
    "copy": lambda storage, name: storage.copy(name, "b.txt"),
    "exists_many": lambda storage, name: storage.exists_many([*NAMES, "d", "e"]),
    "iter_files": lambda storage, name: list(storage.iter_files()),
    "listdir": lambda storage, name: storage.listdir(""),
    "move": lambda storage, name: storage.move(name, "a.txt"),
    "open": lambda storage, name: read_twice(storage.open(name)),
    "save": lambda storage, name: storage.save(name, text(b"x" * 200_000)),
    "save_many": lambda storage, name: storage.save_many([(each, text()) for each in NAMES]),
    "size": lambda storage, name: storage.size(name),
}
FAULTS = (
    None,
    None,
    {"lose_answer": True},
    {"method": "GET", "cut_after": 1000},
    {"method": "PUT", "cut_request_after": 1000},
    {"status": 500},
    {"status": 404},
    # Without "close", the next request may go over a connection that is ending: nobody can tell
    # whether it arrives.
    {"answer": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
)


def read_twice(file: Any) -> None:
    with file:
        file.read(10)
        file.seek(150_000)
        file.read()


@pytest.mark.one_server
def test_whatever_happens_the_requests_are_those_that_the_proxy_saw(
    make: Any, said: Any, s3_proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smart_storages.backends.s3.requests.retries.random", Hurried)
    twice = Config(retries={"total_max_attempts": 2})
    storages = {kept: make(file_overwrite=not kept, client_config=twice) for kept in (True, False)}

    @given(
        tuples(sampled_from(sorted(CALLS)), sampled_from(NAMES), sampled_from(FAULTS), booleans())
    )
    @examples(60)
    def hold(step: Any) -> None:
        call, name, fault, keeps = step
        s3_proxy.reset()
        if fault is not None:
            s3_proxy.inject(**fault)
        with suppress(S3Error):
            CALLS[call](storages[keeps], name)
        assert {each[0] for each in said()} == {call}

    hold()


class Hurried:
    """Random numbers with which nothing waits before another try."""

    @staticmethod
    def random() -> float:
        return 0.0


# The cache of metadata


def test_an_answer_from_the_cache_is_an_operation_without_a_request(make: Any, said: Any) -> None:
    storage = make(metadata_cache_seconds=60)
    storage.save("a.txt", text())
    said()
    for _ in range(2):
        assert storage.exists("a.txt")
    storage.stat("a.txt")
    storage.stat("a.txt")
    assert [each[2] for each in said()] == [0, 0, 1, 0]


# Async


def test_async_calls_are_the_same_operations(make: Any, said: Any) -> None:
    async def use(storage: Any) -> None:
        await storage.asave("a.txt", text())
        await asyncio.gather(*(storage.aexists("a.txt") for _ in range(5)))
        async with await storage.aopen("a.txt") as file:
            assert await file.aread() == b"hello"
        await storage.alistdir("")
        await storage.asave("big", ContentFile(BIG))
        async with await storage.aopen("big") as file:
            assert await file.aread() == BIG
        await storage.adelete("a.txt")

    asyncio.run(use(make()))
    found = said()
    assert [each[0] for each in found] == [
        "save", *["exists"] * 5, "open", "listdir", "save", "open", "delete",
    ]  # fmt: skip
    assert [each[2] for each in found][:8] == [1] * 8
    asyncio.run(use(make(metadata_cache_seconds=60)))  # in threads
    assert [each[0] for each in said()] == [each[0] for each in found]


# Composed storages


def test_a_composed_storage_is_seen_by_what_its_leaves_do(make: Any, said: Any, disk: Any) -> None:
    first, second = make(location="x"), make(location="y")

    def use(storage: Any) -> List[str]:
        name = storage.save("a.txt", text())
        assert storage.exists(name)
        with storage.open(name) as file:
            assert file.read() == b"hello"
        assert storage.size(name) == 5
        storage.listdir("")
        storage.delete(name)
        with pytest.raises(FileNotFoundError):
            storage.size(name)
        asyncio.run(storage.asave("b.txt", text()))
        asyncio.run(storage.adelete("b.txt"))
        return [each[0] for each in said()]

    plain = use(first)
    chosen = {"a": first, "fallback": disk("d")}
    assert use(StorageDispatcher(ByExtension({"txt": "a"}), storages=chosen)) == plain
    assert use(ScopedStorage(first, "scope")) == plain
    assert use(FallbackStorage([first, second], timeout=60)).count("save") == 2
    assert use(MirrorStorage(first, [second])).count("save") == 4
    mirror = MirrorStorage(first, [second], background=True)
    mirror.save("c.txt", text())
    assert mirror.flush(timeout=10)
    assert [each[0] for each in said()].count("save") == 2


def test_a_fallback_reads_on_from_the_second(make: Any, said: Any) -> None:
    first, second = make(location="x"), make(location="y")
    second.save("a.txt", text())
    said()
    both = FallbackStorage([first, second], copy_on_read=True)
    with both.open("a.txt") as file:
        assert file.read() == b"hello"
    assert [each[0] for each in said()].count("open") >= 2


def test_a_storage_on_a_disk_says_nothing(said: Any, tmp_path: Any) -> None:
    FileSystemStorage(str(tmp_path)).save("a.txt", text())
    assert said() == []


# Who listens


def test_a_receiver_that_raises_is_logged_and_breaks_nothing(
    make: Any, said: Any, caplog: Any
) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError("of the receiver")

    storage_operation.connect(fail)
    try:
        make().save("a.txt", text())
    finally:
        storage_operation.disconnect(fail)
    assert said() == [("save", "a.txt", 1)]
    assert "A receiver of storage_operation failed" in caplog.text


def test_an_async_receiver_breaks_no_call_on_the_event_loop(make: Any, said: Any) -> None:
    async def note(**kwargs: Any) -> None:
        pass

    storage = make()
    storage_operation.connect(note)
    try:
        assert asyncio.run(storage.aexists("a.txt")) is False
    finally:
        storage_operation.disconnect(note)
    assert said() == [("exists", "a.txt", 1)]


def test_what_a_receiver_does_in_a_storage_is_not_reported(make: Any, reports: Any) -> None:
    storage = make()

    def write(name: Any, **kwargs: Any) -> None:
        storage.save("journal.txt", text(str(name).encode()))
        storage.open("journal.txt").read()

    storage_operation.connect(write)
    try:
        storage.save("a.txt", text())
    finally:
        storage_operation.disconnect(write)
    gc.collect()
    reporting.flush()
    assert [each["name"] for each in reports] == ["a.txt"]
    assert storage.exists("journal.txt")


def test_nobody_listening_makes_no_record(make: Any, monkeypatch: Any) -> None:
    made: List[Any] = []
    monkeypatch.setattr(recording.Record, "__init__", lambda *args, **kwargs: made.append(args))
    storage = make()
    storage.save("a.txt", text())
    with storage.open("a.txt") as file:
        file.read()
    assert list(storage.iter_files())
    with storage.open("b.txt", "wb") as file:
        file.write(b"x")
    assert made == []


def test_a_thread_that_was_started_in_an_operation_works_for_itself_after_its_end(
    make: Any, said: Any
) -> None:
    storage = make()
    contexts: List[contextvars.Context] = []

    class Content(ContentFile):  # type: ignore[type-arg]
        def seek(self, *args: Any) -> int:
            contexts.append(contextvars.copy_context())
            return super().seek(*args)

    storage.save("a.txt", Content(b"hello"))
    contexts[0].run(storage.exists, "a.txt")
    assert said() == [("save", "a.txt", 1), ("exists", "a.txt", 1)]


# The log


def lines(caplog: Any) -> List[Any]:
    reporting.flush()
    return [each for each in caplog.records if each.name == "smart_storages.operations"]


def test_each_operation_is_a_line_at_debug(make: Any, caplog: Any, s3_bucket: Any) -> None:
    storage = make()
    with caplog.at_level(logging.DEBUG, "smart_storages.operations"):
        storage.save("a.txt", text())
        with pytest.raises(ObjectNotFoundError):
            storage.size("missing")
    saved, failed = lines(caplog)
    assert saved.levelname == failed.levelname == "DEBUG"
    assert saved.getMessage().startswith(
        f"save module='media' bucket='{s3_bucket.name}' name='a.txt' bytes=5 requests=1 retries=0 "
    )
    assert saved.storage_name == "a.txt"
    assert saved.storage_module == "media"
    assert saved.storage_bytes == 5
    assert saved.storage_seconds > 0
    assert saved.storage_error is None
    assert failed.storage_error.startswith("ObjectNotFoundError: ")
    assert 'error="ObjectNotFoundError' in failed.getMessage()
    caplog.clear()
    storage.exists("a.txt")
    assert lines(caplog) == []


def test_a_name_cannot_make_a_line_of_its_own(make: Any, caplog: Any) -> None:
    storage = make()
    with caplog.at_level(logging.DEBUG, "smart_storages.operations"):
        storage.exists("a\nERROR root\u2028x\x1b[31m")
    (found,) = lines(caplog)
    assert found.getMessage().isprintable()
    assert found.storage_name == "a\nERROR root\u2028x\x1b[31m"


def test_a_slow_operation_is_a_warning(make: Any, caplog: Any, settings: Any) -> None:
    storage = make()
    settings.SMART_STORAGE_SLOW_SECONDS = 0
    storage.save("a.txt", text())
    (found,) = lines(caplog)
    assert found.levelname == "WARNING"
    assert found.getMessage().startswith("slow: save module='media'")
    caplog.clear()
    settings.SMART_STORAGE_SLOW_SECONDS = 3600.5
    storage.save("a.txt", text())
    settings.SMART_STORAGE_SLOW_SECONDS = None
    storage.save("a.txt", text())
    assert lines(caplog) == []


def test_time_that_the_caller_takes_is_not_time_of_the_operation(
    make: Any, reports: Any, monkeypatch: Any
) -> None:
    clock = iter(range(0, 10_000, 1))
    monkeypatch.setattr(recording, "perf_counter", lambda: next(clock))
    storage = make()
    storage.save("a.txt", text())
    assert reports[-1]["seconds"] == 1
    with storage.open("a.txt") as file:
        for _ in range(100):
            recording.perf_counter()
        file.read()
    assert reports[-1]["seconds"] < 10


def test_a_limit_that_is_no_number_of_seconds_is_refused_at_the_first_use_and_by_the_check(
    make: Any, settings: Any
) -> None:
    storage = make()
    settings.SMART_STORAGE_SLOW_SECONDS = "2"
    with pytest.raises(ConfigurationError, match="SMART_STORAGE_SLOW_SECONDS must be a number"):
        storage.exists("a.txt")
    (told,) = check_buckets()
    assert told.id == "smart_storages.E001"
    assert "SMART_STORAGE_SLOW_SECONDS" in told.msg


def test_no_report_holds_a_secret(make: Any, reports: Any, caplog: Any, s3_bucket: Any) -> None:
    with caplog.at_level(logging.DEBUG, "smart_storages.operations"):
        storage = make()
        storage.save("a.txt", text())
        with pytest.raises(ObjectNotFoundError):
            storage.open("missing")
    everything = f"{reports}{[vars(each) for each in lines(caplog)]}"
    assert s3_bucket.secret_key not in everything
    assert "Signature" not in everything
