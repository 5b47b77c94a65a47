"""MirrorStorage: all alike or said aloud; ReadOnlyStorage and ScopedStorage."""

from __future__ import annotations

import os
import threading

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.backends.memory import isolated
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import BackendsFailedError, ConfigurationError
from smart_storages.mirror import Divergence, MirrorStorage
from smart_storages.resolvers import BySize, RendezvousHash
from smart_storages.signals import mirror_diverged
from smart_storages.storages import SmartS3Storage
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage
from smart_storages.wrappers.calls import run
from smart_storages.wrappers.forwarding import put_steps
from tests.conftest import lead_to
from tests.routing_models import RecordingStorage


class Flaky(FileSystemStorage):
    """Fails while it is told to."""

    error = None

    def _check(self):
        if self.error:
            raise self.error

    def exists(self, name):
        self._check()
        return super().exists(name)

    def _open(self, name, mode="rb"):
        self._check()
        return super()._open(name, mode)

    def _save(self, name, content):
        self._check()
        return super()._save(name, content)

    def delete(self, name):
        self._check()
        return super().delete(name)


@pytest.fixture
def disk(tmp_path):
    def make(label):
        (tmp_path / label).mkdir()
        return Flaky(str(tmp_path / label), base_url=f"/{label}/")

    return make


@pytest.fixture
def stores(disk):
    return [disk("one"), disk("two"), disk("three")]


@pytest.fixture
def diverged():
    heard = []

    def hear(sender, **told):
        heard.append((told["name"], type(told["error"]).__name__))

    mirror_diverged.connect(hear)
    yield heard
    mirror_diverged.disconnect(hear)


def read(storage, name):
    with storage.open(name) as file:
        return file.read()


def mirrored(stores, **options):
    return MirrorStorage(stores[0], stores[1:], **options)


def test_a_save_is_in_all_under_one_name(stores):
    storage = mirrored(stores)
    names = [storage.save("a.txt", ContentFile(b"%d" % i)) for i in range(3)]
    for each in stores:
        assert [read(each, name) for name in names] == [b"0", b"1", b"2"]
    assert list(storage.find_divergences()) == []


def test_a_name_that_a_mirror_has_is_taken(stores):
    # While two storages change places, it is the primary of some processes.
    stores[2].save("a.txt", ContentFile(b"of another process"))
    storage = mirrored(stores)
    name = storage.save("a.txt", ContentFile(b"mine"), max_length=20)
    assert name != "a.txt"
    assert len(name) <= 20
    assert [read(each, name) for each in stores] == [b"mine"] * 3
    assert read(stores[2], "a.txt") == b"of another process"
    found = [(each.name, each.kind) for each in storage.find_divergences()]
    assert found == [("a.txt", "extra")]


def test_a_save_that_fails_does_not_delete_the_file_of_another(stores):
    stores[1].save("a.txt", ContentFile(b"of another process"))
    stores[2].error = ConnectionError("down")
    with pytest.raises(BackendsFailedError):
        mirrored(stores).save("a.txt", ContentFile(b"mine"))
    assert read(stores[1], "a.txt") == b"of another process"
    assert stores[1].listdir("")[1] == ["a.txt"]
    assert stores[0].listdir("")[1] == []


def test_two_mirrors_that_have_each_others_primary_keep_the_files_of_both(tmp_path):
    both_have_saved = threading.Barrier(2)

    class Meeting(FileSystemStorage):
        is_first = True

        def _save(self, name, content):
            saved = super()._save(name, content)
            if self.is_first:
                self.is_first = False
                both_have_saved.wait(30)
            return saved

    ends = [Meeting(str(tmp_path / label)) for label in ("one", "other")]
    contents = {}

    def save(primary, mirror):
        content = b"by the mirror whose primary is %d" % ends.index(primary)
        name = MirrorStorage(primary, [mirror]).save("a.txt", ContentFile(content))
        contents[name] = content

    threads = [threading.Thread(target=save, args=each) for each in (ends, ends[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(contents) == 2
    for each in ends:
        assert {name: read(each, name) for name in each.listdir("")[1]} == contents


def test_a_primary_that_overwrites_keeps_the_name_that_a_mirror_has(stores):
    primary = SmartS3Storage("overwriting", backend="memory", file_overwrite=True)
    stores[1].save("a.txt", ContentFile(b"stale"))
    with isolated():
        storage = MirrorStorage(primary, [stores[1]])
        assert storage.save("a.txt", ContentFile(b"new")) == "a.txt"
        assert read(primary, "a.txt") == read(stores[1], "a.txt") == b"new"


def test_the_primary_is_told(stores):
    assert mirrored(stores).primary is stores[0]


def test_a_delete_is_in_all(stores):
    storage = mirrored(stores)
    name = storage.save("a.txt", ContentFile(b"x"))
    storage.delete(name)
    assert not any(each.exists(name) for each in stores)


def test_reads_come_from_the_first_that_answers(stores):
    storage = mirrored(stores)
    name = storage.save("a.txt", ContentFile(b"x"))
    stores[0].error = ConnectionError("down")
    assert read(storage, name) == b"x"
    assert storage.exists(name)
    assert storage.url(name) == "/two/a.txt"
    stores[1].error = stores[2].error = TimeoutError("down")
    with pytest.raises(ConnectionError):
        storage.exists(name)


@pytest.mark.parametrize("background", [True, False])
def test_a_late_mirror_is_no_proof_that_a_file_is_missing(stores, background):
    storage = mirrored(stores, background=background)
    stores[0].save("late.txt", ContentFile(b"x"))
    stores[2].save("only.txt", ContentFile(b"y"))
    stores[0].error = ConnectionError("down")
    for method in ("exists", "open", "size", "is_name_available"):
        if hasattr(stores[0], method):
            with pytest.raises(ConnectionError) as caught:
                getattr(storage, method)("late.txt")
            assert "down" in str(caught.value) or "unreachable" in str(caught.value)
    assert storage.exists("only.txt") is True
    assert read(storage, "only.txt") == b"y"
    stores[0].error = None
    later = mirrored(stores, background=background)
    assert later.exists("never.txt") is False
    with pytest.raises(FileNotFoundError):
        later.open("only.txt")


def test_an_exists_that_says_nothing_says_no(disk):
    class Silent(FileSystemStorage):
        def exists(self, name):
            return super().exists(name) or None

    silent = Silent(disk("silent").location)
    assert MirrorStorage(silent, [disk("other")]).exists("a.txt") is False


def test_a_primary_that_is_back_is_read_again(stores):
    storage = mirrored(stores)
    now = [0.0]
    storage.clock = lambda: now[0]
    name = storage.save("a.txt", ContentFile(b"x"))
    stores[0].error = ConnectionError("down")
    storage.exists(name)
    stores[0].error = None
    assert storage.url(name) == "/two/a.txt"
    now[0] += 61
    assert storage.url(name) == "/one/a.txt"


def test_a_missing_file_is_not_looked_for_in_the_mirrors(stores):
    stores[1].save("a.txt", ContentFile(b"stale"))
    with pytest.raises(FileNotFoundError):
        mirrored(stores).open("a.txt")


def test_a_save_that_a_mirror_refuses_leaves_nothing(stores, diverged):
    stores[2].error = ConnectionError("down")
    with pytest.raises(BackendsFailedError, match="Not every mirror could save"):
        mirrored(stores).save("a.txt", ContentFile(b"x"))
    stores[2].error = None
    assert not any(each.exists("a.txt") for each in stores)
    assert diverged[0] == ("a.txt", "ConnectionError")


def test_a_failed_save_does_not_take_back_what_it_replaced(stores):
    class Overwriting(Flaky):
        def get_available_name(self, name, max_length=None):
            return name

        def _save(self, name, content):
            if os.path.exists(self.path(name)):
                os.remove(self.path(name))
            return super()._save(name, content)

    primary = Overwriting(stores[0].location)
    primary.save("a.txt", ContentFile(b"before"))
    stores[1].error = ConnectionError("down")
    with pytest.raises(BackendsFailedError):
        MirrorStorage(primary, stores[1:]).save("a.txt", ContentFile(b"after"))
    assert read(primary, "a.txt") == b"after"


def test_a_delete_that_a_mirror_refuses_is_an_error_and_can_be_repeated(stores, diverged):
    storage = mirrored(stores)
    name = storage.save("a.txt", ContentFile(b"x"))
    stores[1].error = ConnectionError("down")
    with pytest.raises(BackendsFailedError):
        storage.delete(name)
    assert diverged == [(name, "ConnectionError")]
    stores[1].error = None
    storage.delete(name)
    assert not any(each.exists(name) for each in stores)


def test_divergences_are_found_and_repaired(stores):
    storage = mirrored(stores)
    for name in ("d/same.txt", "d/missing.txt", "d/size.txt", "d/e/deep.txt"):
        storage.save(name, ContentFile(b"x"))
    stores[1].delete("d/missing.txt")
    stores[1].delete("d/size.txt")
    stores[1].save("d/size.txt", ContentFile(b"longer"))
    stores[2].delete("d/e/deep.txt")
    stores[2].save("extra/file.txt", ContentFile(b"x"))
    found = sorted(storage.find_divergences(), key=lambda each: each.name)
    label = "Flaky"
    assert found == [
        Divergence("d/e/deep.txt", label, "missing"),
        Divergence("d/missing.txt", label, "missing"),
        Divergence("d/size.txt", label, "size"),
        Divergence("extra/file.txt", label, "extra"),
    ]
    assert all(storage.repair(each.name) for each in found)
    assert list(storage.find_divergences()) == []


def test_a_file_deleted_while_mirrors_are_compared_is_no_divergence(stores):
    class Deleting(Flaky):
        def size(self, name):
            stores[0].delete(name)
            raise FileNotFoundError(name)

    storage = MirrorStorage(stores[0], [Deleting(stores[1].location)])
    storage.save("a.txt", ContentFile(b"x"))
    assert list(storage.find_divergences()) == []


# In the background


def test_the_background_follows_saves_and_deletes(stores):
    storage = mirrored(stores, background=True)
    names = [storage.save(f"d/{i}.txt", ContentFile(b"%d" % i)) for i in range(20)]
    for name in names[::2]:
        storage.delete(name)
    assert storage.flush(30)
    assert list(storage.find_divergences()) == []
    assert len(stores[1].listdir("d")[1]) == 10


def test_the_background_reports_what_it_could_not_do(stores, diverged):
    storage = mirrored(stores, background=True)
    stores[1].error = ConnectionError("down")
    name = storage.save("a.txt", ContentFile(b"x"))
    assert storage.flush(30)
    assert diverged == [(name, "ConnectionError")]
    stores[1].error = None
    assert storage.repair(name)
    assert list(storage.find_divergences()) == []


def test_flush_says_when_it_was_not_done_in_time(stores):
    let_go = threading.Event()

    class Slow(Flaky):
        def _save(self, name, content):
            let_go.wait(30)
            return super()._save(name, content)

    storage = MirrorStorage(stores[0], [Slow(stores[1].location)], background=True)
    storage.save("a.txt", ContentFile(b"x"))
    assert storage.flush(0.01) is False
    let_go.set()
    assert storage.flush(30) is True


def test_a_file_written_through_open_is_followed(stores):
    for storage in (mirrored(stores), mirrored(stores, background=True)):
        with storage.open("a.txt", "wb") as file:
            file.write(b"written")
        assert storage.flush(30)
        assert [read(each, "a.txt") for each in stores] == [b"written"] * 3
        storage.delete("a.txt")
        assert storage.flush(30)


def test_a_write_that_a_mirror_refuses_is_an_error_when_the_file_is_closed(stores):
    storage = mirrored(stores)
    file = storage.open("a.txt", "wb")
    file.write(b"x")
    stores[1].error = ConnectionError("down")
    with pytest.raises(BackendsFailedError):
        file.close()


def test_mirrors_are_a_list():
    for mirrors in ("media", [], {}):
        with pytest.raises(ConfigurationError, match="mirrors"):
            MirrorStorage("default", mirrors)


# ReadOnlyStorage


def test_a_read_only_storage_changes_nothing():
    inner = RecordingStorage()
    storage = ReadOnlyStorage(inner)
    calls = [
        lambda: storage.save("a.txt", ContentFile(b"x")),
        lambda: storage.delete("a.txt"),
        *(lambda mode=mode: storage.open("a.txt", mode) for mode in ("w", "wb", "a", "r+b", "xb")),
    ]
    for call in calls:
        with pytest.raises(PermissionError, match="read-only"):
            call()
    assert inner.calls == []
    assert storage.open("a.txt").read() == b"recorded"


# ScopedStorage


def test_a_scope_does_not_show_its_prefix(disk):
    inner = disk("inner")
    storage = ScopedStorage(inner, "tenants/acme")
    names = [storage.save("d/a.txt", ContentFile(b"x")) for _ in range(2)]
    assert names[0] == "d/a.txt"
    assert all(inner.exists(f"tenants/acme/{name}") for name in names)
    assert storage.listdir("")[0] == ["d"]
    assert sorted(storage.listdir("d")[1]) == sorted(name[2:] for name in names)
    assert storage.url("d/a.txt") == "/inner/tenants/acme/d/a.txt"
    assert storage.get_available_name("d/a.txt") != "d/a.txt"
    assert not storage.get_available_name("d/a.txt").startswith("tenants")
    assert storage.generate_filename("d/x y.txt") == "d/x_y.txt"


def test_max_length_is_that_of_the_name_without_the_prefix(disk):
    storage = ScopedStorage(disk("inner"), "a-long-prefix/of-a-tenant")
    assert storage.save("abcdefgh.txt", ContentFile(b"x"), max_length=12) == "abcdefgh.txt"
    assert len(storage.save("abcdefghijk.txt", ContentFile(b"x"), max_length=14)) <= 14


@pytest.mark.parametrize("prefix", ["", "/", "..", "a/../..", "/etc", ".", "a\0b", "..\\x"])
def test_a_prefix_that_leads_elsewhere_is_refused(prefix):
    with pytest.raises(SuspiciousFileOperation):
        ScopedStorage("default", prefix)


def test_a_storage_that_stores_outside_of_the_scope_is_refused_and_cleaned(disk):
    inner = disk("inner")
    rule = BySize(limit=1, small="a", large="a")
    storage = ScopedStorage(StorageDispatcher(rule, storages={"a": inner}), "scope")
    with pytest.raises(SuspiciousFileOperation, match="outside of 'scope/'"):
        storage.save("x.txt", ContentFile(b"x"))
    assert inner.listdir("scope") == ([], [])


class TestNamesThatTheStorageDraws:
    """A bucket on a server that cannot refuse a taken name draws one for each save."""

    @pytest.fixture
    def make(self, moto_bucket, settings):
        lead_to(settings, moto_bucket.server, moto_bucket.name)

        def make(place, provider):
            return SmartS3Storage(location=place, provider=provider, file_overwrite=False)

        return make

    def test_as_a_mirror_it_takes_the_name_of_the_first(self, make, moto_bucket):
        storage = MirrorStorage(make("one", "moto"), [make("two", "b2")])
        names = [storage.save("a.txt", ContentFile(text)) for text in (b"1", b"2")]
        assert names[0] == "a.txt"
        assert sorted(moto_bucket.keys()) == sorted(
            f"{p}/{n}" for p in ("one", "two") for n in names
        )
        assert [storage.open(name).read() for name in names] == [b"1", b"2"]

    def test_as_the_first_it_chooses_the_name_of_all(self, make, moto_bucket):
        storage = MirrorStorage(make("one", "b2"), [make("two", "b2"), make("three", "moto")])
        name = storage.save("a.txt", ContentFile(b"1"))
        assert name != "a.txt"
        assert sorted(moto_bucket.keys()) == [f"{p}/{name}" for p in ("one", "three", "two")]

    def test_a_name_is_not_put_where_a_file_has_it(self, make, moto_bucket):
        storage = make("one", "b2")
        assert run(put_steps(storage, "a.txt", ContentFile(b"1"), replace=False)) is True
        assert run(put_steps(storage, "a.txt", ContentFile(b"2"), replace=False)) is False
        assert moto_bucket.get("one/a.txt") == b"1"
        assert run(put_steps(storage, "a.txt", ContentFile(b"3"))) is True
        assert moto_bucket.get("one/a.txt") == b"3"

    def test_a_dispatcher_by_the_whole_name_finds_what_it_saved(self, make):
        resolver = RendezvousHash(["one", "two", "three"])
        storages = {place: make(place, "b2") for place in ("one", "two", "three")}
        storage = StorageDispatcher(resolver, storages=storages)
        for number in range(6):
            name = storage.save(f"{number}.txt", ContentFile(b"x"))
            assert storage.open(name).read() == b"x"
