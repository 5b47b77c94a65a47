"""Every store keeps objects whole or not at all, whatever keeps them."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smart_storages.backends.directory import PRIVATE, DirectoryStore
from smart_storages.backends.memory import (
    MemoryStore,
    has_memory_store,
    isolated,
    memory_store,
)
from smart_storages.backends.store import Attributes, StoreReader, split_folder
from tests.disks import files_limited

CSS = Attributes({"content-type": "text/css", "cache-control": "max-age=60"}, {"by": "ada"}, True)


@pytest.fixture(params=["directory", "memory"])
def store(request, tmp_path):
    return DirectoryStore(str(tmp_path), "acme") if request.param == "directory" else MemoryStore()


def put(store, key, content=b"x", attributes=None, *, overwrite=True):
    return store.put(key, iter([content]), attributes or Attributes(), overwrite=overwrite)


def read(store, key):
    with StoreReader(*store.open(key)) as reader:
        return reader.readall()


def keys(store, prefix=""):
    return [key for key, _ in store.entries(prefix)]


def files_below(root):
    return sorted(str(p.relative_to(root)) for p in Path(root).rglob("*") if p.is_file())


def test_what_was_put_is_found_with_its_attributes(store):
    stat = store.put("css/a.css", iter([b"body", b"{}"]), CSS, overwrite=True)
    found = store.find("css/a.css")
    assert found.attributes == CSS
    assert found.stat == stat
    assert (stat.size, stat.content_type, stat.metadata) == (6, "text/css", {"by": "ada"})
    assert stat.etag == "aa676972bbd2b68e94ef8e91e81d20be"
    assert read(store, "css/a.css") == b"body{}"


def test_a_type_is_guessed_where_none_was_given(store):
    assert put(store, "a.png").content_type == "image/png"
    assert put(store, "a.unknown").content_type is None


def test_a_missing_object_is_not_found(store):
    put(store, "a/b.txt")
    for key in ("missing", "a", "a/b.txt/c", "a/missing", "n" * 300):
        with pytest.raises(FileNotFoundError):
            store.find(key)
        with pytest.raises(FileNotFoundError):
            store.open(key)
        store.delete(key)
    assert keys(store) == ["a/b.txt"]


def test_a_taken_key_is_refused_before_the_content_is_read(store):
    put(store, "a.txt", b"first")

    def chunks():
        raise AssertionError("it was read")
        yield b""

    with pytest.raises(FileExistsError):
        store.put("a.txt", chunks(), Attributes(), overwrite=False)
    assert read(store, "a.txt") == b"first"


def test_of_many_writers_of_one_key_exactly_one_succeeds(store):
    start = threading.Barrier(8)
    taken = []

    def chunks(number):
        start.wait()  # all of them have found the key free
        yield b"%d" % number

    def write(number):
        try:
            store.put("one.txt", chunks(number), Attributes(), overwrite=False)
        except FileExistsError:
            taken.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 7
    assert int(read(store, "one.txt")) not in taken


def test_a_content_that_fails_leaves_nothing(store, tmp_path):
    put(store, "a.txt", b"before", CSS)
    before = files_below(tmp_path)

    def chunks():
        yield b"half"
        raise RuntimeError("the upload was cut off")

    with pytest.raises(RuntimeError):
        store.put("a.txt", chunks(), Attributes(), overwrite=True)
    assert read(store, "a.txt") == b"before"
    assert store.find("a.txt").attributes == CSS
    assert files_below(tmp_path) == before


def test_an_open_file_stays_one_version(store):
    put(store, "a.txt", b"first version", CSS)
    with StoreReader(*store.open("a.txt")) as reader:
        assert reader.read(5) == b"first"
        put(store, "a.txt", b"second")
        assert reader.read() == b" version"
        reader.seek(-7, os.SEEK_END)
        assert reader.tell() == 6
        store.delete("a.txt")
        assert reader.read() == b"version"
        assert reader.headers["content-type"] == "text/css"
        assert reader.size == 13
        assert reader.seekable()


def test_attributes_belong_to_their_version_while_others_write(store):
    # Each version says in its metadata how long it is.
    stop = threading.Event()
    wrong = []

    def write():
        number = 0
        while not stop.is_set():
            number = number % 50 + 1
            put(store, "a.txt", b"x" * number, Attributes({}, {"size": str(number)}))

    put(store, "a.txt", b"x", Attributes({}, {"size": "1"}))
    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(200):
        with StoreReader(*store.open("a.txt")) as reader:
            said = reader.stat.metadata.get("size")
            if said not in (None, str(len(reader.readall()))):
                wrong.append(said)
    stop.set()
    for writer in writers:
        writer.join()
    assert wrong == []


def test_keys_are_listed_in_the_order_of_s3(store):
    names = ["b", "a/b", "a.txt", "a/b.c/d", "a/ä", "a/z", "a-b", "A"]
    for name in names:
        if name != "b":
            put(store, name)
    put(store, "b/c")
    assert keys(store) == ["A", "a-b", "a.txt", "a/b", "a/b.c/d", "a/z", "a/ä", "b/c"]
    assert keys(store, "a/") == ["a/b", "a/b.c/d", "a/z", "a/ä"]
    assert keys(store, "a/b") == ["a/b", "a/b.c/d"]
    assert keys(store, "missing/") == []
    assert split_folder(store.entries("a/"), "a/") == (["b.c"], ["b", "z", "ä"])


def test_a_folder_without_files_does_not_exist(store):
    put(store, "a/b/c.txt")
    put(store, "a/d.txt")
    store.delete("a/b/c.txt")
    assert split_folder(store.entries("a/"), "a/") == ([], ["d.txt"])
    put(store, "a/b", b"now a file")
    assert read(store, "a/b") == b"now a file"


_keys = st.lists(st.sampled_from(["a", "b", "c.txt", "d-e"]), min_size=1, max_size=3).map("/".join)
_steps = st.lists(
    st.tuples(st.sampled_from(["put", "delete"]), _keys, st.binary(max_size=20)), max_size=20
)


@given(_steps)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_directory_does_what_memory_does(tmp_path, steps):
    root = tmp_path / uuid4().hex
    directory, memory = DirectoryStore(str(root), "acme"), MemoryStore()
    for action, key, content in steps:
        if action == "delete":
            directory.delete(key)
            memory.delete(key)
            continue
        # The one thing that a disk cannot do: have a file and a folder of one name.
        taken = any(
            other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in keys(memory)
        )
        if taken:
            with pytest.raises(OSError, match="directory"):
                put(directory, key, content)
        else:
            put(directory, key, content)
            put(memory, key, content)
    assert keys(directory) == keys(memory)
    for key in keys(memory):
        assert read(directory, key) == read(memory, key)
        assert directory.find(key).stat.etag == memory.find(key).stat.etag
    # Nothing is kept of what is gone.
    beside = [path for path in files_below(root) if path.startswith(PRIVATE)]
    beside = [path for path in beside if path.endswith(".json")]
    assert len(beside) == len(keys(memory))


# A directory


def test_files_of_a_directory_can_be_used_by_any_program(tmp_path):
    store = DirectoryStore(str(tmp_path), "acme")
    put(store, "docs/a.txt", b"hello")
    assert (tmp_path / "acme" / "docs" / "a.txt").read_bytes() == b"hello"
    (tmp_path / "acme" / "by-hand.txt").write_bytes(b"by hand")
    found = store.find("by-hand.txt")
    assert (found.stat.size, found.stat.content_type) == (7, "text/plain")
    assert found.attributes == Attributes()
    first = found.stat.etag
    (tmp_path / "acme" / "by-hand.txt").write_bytes(b"changed by hand")
    assert store.find("by-hand.txt").stat.etag != first


def test_a_file_changed_by_hand_loses_the_attributes_of_the_older_content(tmp_path):
    store = DirectoryStore(str(tmp_path), "acme")
    put(store, "a.txt", b"hello", CSS)
    path = tmp_path / "acme" / "a.txt"
    path.write_bytes(b"other")
    os.utime(path, (1, 1))
    assert store.find("a.txt").attributes == Attributes()


def test_no_key_leads_out_of_the_bucket(tmp_path):
    store = DirectoryStore(str(tmp_path / "root"), "acme")
    (tmp_path / "root" / "other").mkdir(parents=True)
    (tmp_path / "root" / "other" / "a.txt").write_bytes(b"secret")
    for key in (
        "../other/a.txt",
        "/etc/passwd",
        "a/../../other/a.txt",
        "..",
        "",
        "a\0",
        "a//b",
        "a/",
    ):
        for call in (store.find, store.open, store.delete, partial_put(store)):
            with pytest.raises(PermissionError, match="cannot be that of a file"):
                call(key)
    assert (tmp_path / "root" / "other" / "a.txt").read_bytes() == b"secret"


def partial_put(store):
    return lambda key: put(store, key)


def test_a_full_disk_leaves_nothing(tmp_path):
    store = DirectoryStore(str(tmp_path), "acme")
    put(store, "a.txt", b"before")
    before = files_below(tmp_path)
    with files_limited(1024), pytest.raises(OSError, match="too large"):
        put(store, "a.txt", b"x" * 4096)
    assert files_below(tmp_path) == before
    assert read(store, "a.txt") == b"before"


def test_a_disk_without_links_refuses_a_taken_key_too(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store = DirectoryStore(str(tmp_path), "acme")
    put(store, "a.txt", b"first", overwrite=False)
    assert read(store, "a.txt") == b"first"
    with pytest.raises(FileExistsError):
        put(store, "a.txt", b"second", overwrite=False)

    def taken_meanwhile():
        put(store, "b.txt", b"another writer")
        yield b"second"

    with pytest.raises(FileExistsError):
        store.put("b.txt", taken_meanwhile(), Attributes(), overwrite=False)
    assert read(store, "b.txt") == b"another writer"


def test_a_folder_that_is_removed_meanwhile_is_made_again(tmp_path, monkeypatch):
    store = DirectoryStore(str(tmp_path), "acme")
    link, calls = os.link, []

    def remove_first(source, target, **kwargs):
        calls.append(target)
        if len(calls) < 3:
            os.rmdir(os.path.dirname(target))
        return link(source, target, **kwargs)

    monkeypatch.setattr(os, "link", remove_first)
    put(store, "a/b.txt", b"x", overwrite=False)
    assert read(store, "a/b.txt") == b"x"
    assert len(calls) == 3


def test_files_get_the_permissions_that_were_asked_for(tmp_path):
    store = DirectoryStore(str(tmp_path), "acme", 0o640)
    put(store, "a.txt")
    assert (tmp_path / "acme" / "a.txt").stat().st_mode & 0o777 == 0o640


# Memory


def test_a_bucket_in_memory_is_the_same_for_all_callers():
    with isolated():
        assert not has_memory_store("acme")
        put(memory_store("acme"), "a.txt")
        assert has_memory_store("acme")
        assert keys(memory_store("acme")) == ["a.txt"]
        assert keys(memory_store("other")) == []
        assert memory_store("acme").identity() == memory_store("other").identity()


def test_an_isolated_block_is_empty_and_leaves_nothing():
    with isolated():
        put(memory_store("acme"), "outer.txt")
        outer = memory_store("acme").identity()
        with isolated():
            assert keys(memory_store("acme")) == []
            assert memory_store("acme").identity() != outer
            put(memory_store("acme"), "inner.txt")
        assert keys(memory_store("acme")) == ["outer.txt"]
        assert memory_store("acme").identity() == outer


# What is kept beside the content


def test_only_what_has_a_header_is_kept_of_the_parameters():
    params = {
        "ContentType": "text/css",
        "CacheControl": "max-age=60",
        "ACL": "public-read",
        "StorageClass": "GLACIER",
        "Metadata": {"by": "ada"},
        "ContentEncoding": "",
    }
    assert Attributes.from_parameters(params) == CSS
    assert not Attributes.from_parameters({"ACL": "authenticated-read"}).is_public
    assert Attributes.from_parameters({}) == Attributes()


# What a disk does that S3 does not


def many(*functions):
    """Call functions again and again, each in a thread, for a moment; raises what they raised."""
    failed = []
    end = time.monotonic() + 1.5

    def repeat(function):
        try:
            while time.monotonic() < end and not failed:
                function()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=repeat, args=(each,)) for each in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def test_whoever_reads_an_older_version_has_its_attributes(tmp_path):
    store = DirectoryStore(str(tmp_path), "acme")
    put(store, "a.txt", b"x", CSS)

    def look():
        assert store.find("a.txt").attributes == CSS
        with StoreReader(*store.open("a.txt")) as reader:
            assert reader.attributes == CSS

    many(lambda: put(store, "a.txt", b"x", CSS), look, look)


def test_old_attributes_go_after_a_minute(tmp_path, monkeypatch):
    store = DirectoryStore(str(tmp_path), "acme")
    for number in range(5):
        put(store, "a.txt", b"%d" % number)
    put(store, "b.txt")
    store.delete("b.txt")
    later = time.time() + 61
    monkeypatch.setattr("smart_storages.backends.disk.time.time", lambda: later)
    put(store, "a.txt")
    put(store, "b.txt")
    put(store, "b.txt")
    kept = [path for path in files_below(tmp_path) if path.startswith(f"{PRIVATE}/attributes")]
    assert len(kept) == 2


def test_what_a_killed_writer_has_left_goes_after_a_day(tmp_path):
    store = DirectoryStore(str(tmp_path), "acme")
    put(store, "a.txt")
    beside = next((tmp_path / PRIVATE / "attributes").rglob("*.json"))
    ages = {"unfinished/dead": 25, "unfinished/alive": 23, "unfinished/lock": 25}
    for name, hours in ages.items():
        (tmp_path / PRIVATE / name).write_bytes(b"begun")
        os.utime(tmp_path / PRIVATE / name, (time.time() - hours * 3600,) * 2)
    for name, seconds in (("dead.part", 61), ("alive.part", 50)):
        (beside.parent / name).write_bytes(b"begun")
        os.utime(beside.parent / name, (time.time() - seconds,) * 2)
    put(store, "a.txt")
    left = {Path(path).name for path in files_below(tmp_path / PRIVATE)}
    assert {"alive", "lock", "alive.part"} <= left
    assert not {"dead", "dead.part"} & left


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for root in ("/proc/nowhere", str(tmp_path / "file")):
        with pytest.raises(NotADirectoryError):
            put(DirectoryStore(root, "acme"), "a.txt")
    (tmp_path / PRIVATE).mkdir()
    (tmp_path / PRIVATE / "unfinished").write_bytes(b"x")
    with pytest.raises(NotADirectoryError):
        put(DirectoryStore(str(tmp_path), "acme"), "a.txt", overwrite=False)


def test_only_files_are_listed(tmp_path):
    store = DirectoryStore(str(tmp_path), "acme")
    put(store, "a.txt")
    os.symlink(str(tmp_path / "nowhere"), str(tmp_path / "acme" / "broken"))
    os.mkfifo(str(tmp_path / "acme" / "pipe"))
    assert store.list_folder("") == ([], ["a.txt"])
    assert keys(store) == ["a.txt"]


def test_a_copied_or_touched_file_keeps_its_attributes(tmp_path):
    store = DirectoryStore(str(tmp_path / "root"), "acme")
    put(store, "a.txt", b"hello", CSS)
    put(store, "b.txt", b"first", CSS)
    shutil.copytree(str(tmp_path / "root"), str(tmp_path / "copy"))
    copied = DirectoryStore(str(tmp_path / "copy"), "acme")
    assert copied.find("a.txt").attributes == CSS
    os.utime(tmp_path / "root" / "acme" / "a.txt", (5, 5))
    assert store.find("a.txt").attributes == CSS
    assert store.find("a.txt").stat.etag == copied.find("a.txt").stat.etag
    # Other bytes of the same length are another file.
    (tmp_path / "root" / "acme" / "b.txt").write_bytes(b"other")
    os.utime(tmp_path / "root" / "acme" / "b.txt", (5, 5))
    assert store.find("b.txt").attributes == Attributes()


def test_writers_do_not_fail_because_others_remove_empty_folders(tmp_path):
    store = DirectoryStore(str(tmp_path), "acme")

    def write(number):
        put(store, f"a/b/c/{number}", b"x", overwrite=number % 2 == 0)
        store.delete(f"a/b/c/{number}")

    many(*(partial(write, number) for number in range(6)))


def test_a_disk_without_links_shows_no_empty_file(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store = DirectoryStore(str(tmp_path), "acme")

    def write():
        put(store, "a.txt", b"whole", overwrite=False)
        store.delete("a.txt")

    def look():
        with suppress(FileNotFoundError):
            assert read(store, "a.txt") == b"whole"

    many(write, look, look)


def test_links_that_lead_in_a_circle_are_not_followed(tmp_path):
    store = DirectoryStore(str(tmp_path), "acme")
    put(store, "a/b.txt")
    (tmp_path / "acme" / "a" / "circle").symlink_to(tmp_path / "acme")
    assert keys(store) == ["a/b.txt"]


def test_a_bucket_that_is_no_folder_of_its_own_is_refused(tmp_path):
    for bucket in ("", "..", ".smart-storages", "a/b", "a\\b", "a\0"):
        with pytest.raises(PermissionError, match="is not the name of a folder"):
            DirectoryStore(str(tmp_path), bucket)


def test_a_child_forked_while_a_store_is_locked_is_not_stuck():
    with isolated():
        store = memory_store("acme")
        with store._lock:
            pid = os.fork()
            if pid == 0:
                put(store, "a.txt")
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        assert status == 0
