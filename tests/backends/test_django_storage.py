"""Modules whose files a storage of Django keeps: the same promises, or an error that says so."""

from __future__ import annotations

import os
import pickle
import threading
import time
import uuid
from functools import partial

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.views.debug import ExceptionReporter
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends import django_classes
from smart_storages.backends.django_storage import DjangoStore
from smart_storages.backends.memory import MemoryStore
from smart_storages.backends.plain import is_temporary, temporary_name
from smart_storages.backends.store import Attributes, StoreReader
from smart_storages.common.compat import IN_MEMORY_STORAGES
from smart_storages.exceptions import (
    ConfigurationError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from smart_storages.storages import MediaStorage, SmartS3Storage, StaticStorage
from smart_storages.testing import failing, override_buckets
from smart_storages.utils import create_storage_class, get_storage
from tests.backends import projects_storages as projects
from tests.backends.projects_storages import path_of
from tests.disks import files_limited

DIRECTORY = "django.core.files.storage.FileSystemStorage"
MEMORY = "django.core.files.storage.InMemoryStorage"
REMOTE, OVERWRITING = path_of(projects.Remote), path_of(projects.Overwriting)
#: Put together, so that the source on a debug page does not show it.
SECRET = "-".join(("hunter", "two"))
KINDS = [DIRECTORY, path_of(projects.Hashing), REMOTE, OVERWRITING]
if IN_MEMORY_STORAGES:
    KINDS.append(MEMORY)


def options_of(backend, tmp_path):
    """Options with which a class has no files yet."""
    if issubclass(django_classes.find_class(backend), projects.Remote):
        return {"backend": backend, "options": {"account": uuid.uuid4().hex}}
    folder = tmp_path / uuid.uuid4().hex
    return {"backend": backend, "options": {"location": str(folder), "base_url": "/files/"}}


@pytest.fixture(params=KINDS, ids=lambda path: path.rpartition(".")[2])
def options(request, tmp_path):
    return options_of(request.param, tmp_path)


@pytest.fixture
def storage(options):
    return SmartS3Storage("media", location="in", file_overwrite=False, **options)


@pytest.fixture
def store(options):
    return SmartS3Storage("media", **options)._store()


@pytest.fixture
def remote():
    """A module at a service that does not overwrite, and the storage that Django would use."""
    options = {"account": uuid.uuid4().hex, "token": "hunter2", "url": ""}
    storage = SmartS3Storage("media", backend=REMOTE, options=options)
    return storage, django_classes.storage_of(REMOTE, options)


def save(storage, name, content=b"x"):
    return storage.save(name, ContentFile(content))


def read(storage, name):
    with storage.open(name) as file:
        return file.read()


def put(store, key, content=b"x", *, overwrite=True):
    return store.put(key, iter([content]), Attributes(), overwrite=overwrite)


def content_of(store, key):
    with StoreReader(*store.open(key)) as reader:
        return reader.readall()


def keys(store, prefix=""):
    return [key for key, _ in store.entries(prefix)]


def in_threads(count, function):
    threads = [threading.Thread(target=function, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Where files are


def test_django_finds_the_files_where_its_own_storage_keeps_them(settings, tmp_path):
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"backend": DIRECTORY, "options": {"location": tmp_path}},
        "tenant_*": {"backend": DIRECTORY, "options": {"location": f"{tmp_path}/{{module}}"}},
    }
    assert save(MediaStorage(), "a.txt", b"hello") == "a.txt"
    assert read(FileSystemStorage(tmp_path), "media/a.txt") == b"hello"
    save(get_storage("tenant_x"), "b.txt", b"of x")
    save(create_storage_class("tenant_y")(), "b.txt", b"of y")
    assert (tmp_path / "tenant_x" / "b.txt").read_bytes() == b"of x"
    assert (tmp_path / "tenant_y" / "b.txt").read_bytes() == b"of y"


def test_a_bucket_is_a_folder_and_the_setting_for_all_modules_is_none(settings, tmp_path):
    settings.AWS_STORAGE_BUCKET_NAME = "a-bucket-of-s3"
    options = {"backend": DIRECTORY, "options": {"location": str(tmp_path)}}
    plain = SmartS3Storage("media", **options)
    inside = SmartS3Storage("media", bucket_name="acme", **options)
    assert plain.bucket_name == "FileSystemStorage"
    save(plain, "a.txt", b"plain")
    save(inside, "a.txt", b"inside")
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "acme"]
    assert read(plain, "a.txt") == b"plain"
    assert read(inside, "a.txt") == b"inside"
    assert [name for name, _ in inside.iter_files()] == ["a.txt"]
    for bucket in ("..", ".hidden"):
        storage = SmartS3Storage("media", bucket_name=bucket, **options)
        with pytest.raises(ConfigurationError, match="cannot begin with a dot"):
            storage.exists("a.txt")


def test_a_backend_for_all_modules_keeps_their_buckets_apart(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.SMART_STORAGE_BACKEND = DIRECTORY
    settings.SMART_STORAGE_BUCKETS = {"one": {"bucket_name": "one"}, "two": {"bucket_name": "two"}}
    for name in ("one", "two"):
        save(get_storage(name), "a.txt", name.encode())
    assert read(get_storage("one"), "a.txt") == b"one"
    assert read(get_storage("two"), "a.txt") == b"two"


def test_a_folder_leads_nowhere_else():
    for folder in ("..", ".x", "a/b", "a\\b", "a\0"):
        with pytest.raises(PermissionError, match="is not the name of a folder"):
            DjangoStore(FileSystemStorage(), DIRECTORY, "", folder)


def test_no_key_leads_out_of_it(store):
    put(store, "a.txt")
    for key in ("../a.txt", "/etc/passwd", "a/../../b", "..", "", "a\0", "a//b", "a/", "a\\..\\b"):
        for call in (store.find, store.open, store.delete, partial(put, store)):
            with pytest.raises(PermissionError, match="cannot be that of a file"):
                call(key)
    assert keys(store, "../") == []
    assert store.list_folder("../") == ([], [])


# Saving


def test_a_taken_name_is_never_overwritten(storage):
    names = [save(storage, "docs/a.txt", b"%d" % number) for number in range(4)]
    assert len(set(names)) == 4
    for number, name in enumerate(names):
        assert read(storage, name) == b"%d" % number


def test_of_eight_savers_at_once_each_keeps_its_file(storage):
    names = {}
    start = threading.Barrier(8)

    def write(number):
        start.wait()
        names[save(storage, "one.txt", b"%d" % number)] = number

    for _ in range(5):
        names.clear()
        in_threads(8, write)
        assert len(names) == 8
        for name, number in names.items():
            assert read(storage, name) == b"%d" % number


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

    in_threads(8, write)
    assert len(taken) == 7
    assert int(content_of(store, "one.txt")) not in taken
    assert keys(store) == ["one.txt"]


def test_only_a_class_that_refuses_taken_names_gives_files_the_plain_one(tmp_path):
    def saved_by(backend):
        options = options_of(backend, tmp_path)
        return save(SmartS3Storage("media", file_overwrite=False, **options), "a.txt")

    assert saved_by(DIRECTORY) == "a.txt"
    if IN_MEMORY_STORAGES:
        assert saved_by(MEMORY) == "a.txt"
    for backend in (path_of(projects.Hashing), REMOTE, OVERWRITING):
        assert len(saved_by(backend)) == len("a_.txt") + 16


def test_what_a_storage_saved_under_another_name_is_taken_back():
    storage = SmartS3Storage("m", backend=path_of(projects.Racing), options=fresh())
    store = storage._store()
    with pytest.raises(FileExistsError):
        put(store, "a.txt", b"second", overwrite=False)
    assert content_of(store, "a.txt") == b"first"
    assert keys(store) == ["a.txt"]


def fresh():
    return {"account": uuid.uuid4().hex}


def test_a_storage_that_chooses_the_names_is_told_and_keeps_nothing():
    options = fresh()
    for overwrite in (True, False):
        storage = SmartS3Storage(
            "media", backend=path_of(projects.Naming), options=options, file_overwrite=overwrite
        )
        with pytest.raises(S3Error, match="A storage that chooses the names itself cannot keep"):
            storage._save_exactly("a.txt", ContentFile(b"x"), replace=overwrite)
    assert projects.accounts[options["account"]] == {}


def test_a_file_is_replaced_whole(options):
    storage = SmartS3Storage("media", **options)
    for content in (b"FIRST, AND LONGER", b"SECOND", b""):
        assert save(storage, "docs/a.txt", content) == "docs/a.txt"
        assert read(storage, "docs/a.txt") == content
    assert [name for name, _ in storage.iter_files()] == ["docs/a.txt"]


def test_a_file_is_there_while_it_is_replaced_in_a_directory(tmp_path):
    storage = SmartS3Storage("media", **options_of(DIRECTORY, tmp_path))
    save(storage, "a.bin", b"0" * 200_000)
    stop, seen = threading.Event(), []

    def look(_):
        while not stop.is_set():
            content = read(storage, "a.bin")
            seen.append(len(content) == 200_000 and len(set(content)) == 1)

    looker = threading.Thread(target=look, args=(0,))
    looker.start()
    for number in range(50):
        save(storage, "a.bin", b"%d" % (number % 10) * 200_000)
    stop.set()
    looker.join()
    assert seen
    assert all(seen)
    assert storage.listdir("") == ([], ["a.bin"])


def test_the_new_file_is_whole_somewhere_whenever_replacing_fails(remote):
    storage, service = remote
    save(storage, "a.txt", b"old")
    saves = []

    def save_once(name, content, plain=service._save):
        saves.append(name)
        if len(saves) == 2:
            raise projects.RemoteError(service.token)
        return plain(name, content)

    service._save = save_once
    with pytest.raises(S3Error, match=r"the new one is whole under 'a_\w+.txt'") as caught:
        save(storage, "a.txt", b"new")
    assert list(service.files.values()) == [b"new"]
    assert "hunter2" not in str(caught.value)


def test_content_that_fails_leaves_nothing(store):
    put(store, "a.txt", b"before")

    def chunks(size):
        yield b"x" * size
        raise RuntimeError("the upload was cut off")

    for size in (4, 9 * 1024**2):
        with pytest.raises(RuntimeError):
            store.put("a.txt", chunks(size), Attributes(), overwrite=True)
        with pytest.raises(RuntimeError):
            store.put("b.txt", chunks(size), Attributes(), overwrite=False)
    assert keys(store) == ["a.txt"]


class ByItself(FileSystemStorage):
    """A storage with a way of its own to save."""

    def _save(self, name, content):
        return super()._save(name, content)


@pytest.mark.parametrize("own", [False, True])
def test_a_full_disk_keeps_nothing_of_what_did_not_fit(tmp_path, own):
    path = f"{__name__}.ByItself" if own else DIRECTORY
    for overwrite in (False,) if own else (True, False):
        storage = SmartS3Storage("m", file_overwrite=overwrite, **options_of(path, tmp_path))
        name = save(storage, "docs/a.bin", b"before")
        before = sorted(tmp_path.rglob("*"))
        with files_limited(100_000), pytest.raises(S3Error, match="File too large"):
            save(storage, "docs/a.bin", bytes(200_000))
        assert sorted(tmp_path.rglob("*")) == before
        assert read(storage, name) == b"before"


def test_large_content_passes_by_a_temporary_file(storage):
    content = os.urandom(1024).hex().upper().encode() * 10_000
    name = save(storage, "big.bin", content)
    assert storage.size(name) == len(content)
    assert read(storage, name) == content


def test_a_disk_without_links_refuses_a_taken_name_too(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store = SmartS3Storage("m", **options_of(DIRECTORY, tmp_path))._store()
    put(store, "a.txt", b"first", overwrite=False)
    with pytest.raises(FileExistsError):
        put(store, "a.txt", b"second", overwrite=False)
    assert content_of(store, "a.txt") == b"first"
    assert keys(store) == ["a.txt"]


def test_a_file_above_a_name_is_told(tmp_path):
    storage = SmartS3Storage("m", file_overwrite=False, **options_of(DIRECTORY, tmp_path))
    save(storage, "a")
    with pytest.raises(S3Error, match="kept in a FileSystemStorage: Not a directory"):
        save(storage, "a/b.txt")
    assert not storage.exists("a/b.txt")


def test_a_file_opened_for_writing_is_saved_when_it_is_closed(storage):
    with storage.open("a.txt", "wb") as file:
        file.write(b"HELLO")
    assert read(storage, "a.txt") == b"HELLO"


# Reading


def test_a_missing_file_is_the_same_error_whatever_the_storage_raises(storage):
    for call in (storage.size, storage.open, storage.stat, storage.get_modified_time):
        with pytest.raises(ObjectNotFoundError, match="module 'media'"):
            call("missing/a.txt")
    assert not storage.exists("missing/a.txt")
    assert storage.listdir("missing") == ([], [])
    storage.delete("missing/a.txt")


def test_a_folder_is_no_file(store):
    put(store, "a/b.txt")
    with pytest.raises(FileNotFoundError):
        store.find("a")
    with pytest.raises(FileNotFoundError):
        store.open("a")
    store.delete("a")
    assert keys(store) == ["a/b.txt"]


def test_a_reader_goes_to_any_place(storage):
    name = save(storage, "a.txt", b"HELLO WORLD")
    with storage.open(name) as file:
        file.seek(-5, 2)
        assert file.read() == b"WORLD"
        file.seek(0)
        assert file.read(5) == b"HELLO"
        assert file.tell() == 5
        assert file.size == 11


def test_readers_do_not_disturb_each_other(storage):
    name = save(storage, "a.txt", b"HELLO WORLD")
    with storage.open(name) as one, storage.open(name) as other:
        assert one.read(5) == b"HELLO"
        assert other.read() == b"HELLO WORLD"
        assert one.read() == b" WORLD"
    assert read(storage, name) == b"HELLO WORLD"


def test_an_open_file_stays_one_version(store):
    put(store, "a.txt", b"FIRST VERSION")
    with StoreReader(*store.open("a.txt")) as reader:
        assert reader.read(5) == b"FIRST"
        put(store, "a.txt", b"SECOND")
        assert reader.read() == b" VERSION"
        store.delete("a.txt")
        reader.seek(0)
        assert reader.read() == b"FIRST VERSION"


def test_keys_are_listed_in_the_order_of_s3(store):
    for name in ("a/b", "a.txt", "a/b.c/d", "a/ä", "a/z", "a-b", "A"):
        put(store, name)
    assert keys(store) == ["A", "a-b", "a.txt", "a/b", "a/b.c/d", "a/z", "a/ä"]
    assert keys(store, "a/") == ["a/b", "a/b.c/d", "a/z", "a/ä"]
    assert keys(store, "a/b") == ["a/b", "a/b.c/d"]
    assert keys(store, "a/b.c/") == ["a/b.c/d"]
    assert keys(store, "missing/") == []
    assert store.list_folder("a/") == (["b.c"], ["b", "z", "ä"])


_keys = st.lists(st.sampled_from(["a", "b", "c.txt", "d-e"]), min_size=1, max_size=3).map("/".join)
_steps = st.lists(
    st.tuples(st.sampled_from(["put", "new", "delete"]), _keys, st.binary(max_size=20)), max_size=20
)


@given(_steps, st.sampled_from([REMOTE, OVERWRITING]))
def test_a_storage_does_what_memory_does(steps, backend):
    store, memory = SmartS3Storage("m", backend=backend, options=fresh())._store(), MemoryStore()
    for action, key, content in steps:
        for each in (store, memory):
            if action == "delete":
                each.delete(key)
                continue
            try:
                put(each, key, content, overwrite=action == "put")
            except FileExistsError:
                assert action == "new"
                assert key in keys(memory)
    assert keys(store) == keys(memory)
    for key in keys(memory):
        assert content_of(store, key) == content_of(memory, key)
        assert store.find(key).stat.size == memory.find(key).stat.size


def test_files_that_are_not_whole_yet_are_not_listed(tmp_path):
    options = options_of(DIRECTORY, tmp_path)
    storage = SmartS3Storage("m", **options)
    save(storage, "docs/a.txt")
    root = FileSystemStorage(options["options"]["location"])
    root.save(f"docs/{temporary_name()}", ContentFile(b"half"))
    assert storage.listdir("docs") == ([], ["a.txt"])
    assert [name for name, _ in storage.iter_files()] == ["docs/a.txt"]
    assert not is_temporary(".smart-storages-notes.txt")


def test_a_storage_without_times_has_files_all_the_same():
    storage = SmartS3Storage("m", backend=path_of(projects.Timeless), options=fresh())
    save(storage, "a.txt")
    assert storage.stat("a.txt").modified_time.year == 1970


# What cannot be kept


@pytest.mark.parametrize("key", ["gzip", "brotli"])
def test_compression_is_refused(settings, key):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": DIRECTORY, key: True}}
    with pytest.raises(ConfigurationError, match=f"'{key}'.* does not keep which files are compr"):
        MediaStorage().exists("a.txt")


def test_a_setting_that_compresses_has_no_effect(settings, tmp_path):
    settings.AWS_IS_GZIPPED = True
    storage = StaticStorage(gzip=None, **options_of(DIRECTORY, tmp_path))
    save(storage, "a.css", b"body {}")
    assert read(storage, "a.css") == b"body {}"
    assert storage.size("a.css") == 7
    assert not storage.gzip


def test_metadata_is_refused(tmp_path):
    parameters = {"Metadata": {"by": "ada"}}
    with pytest.raises(ConfigurationError, match="has Metadata, and the backend"):
        SmartS3Storage("m", backend=DIRECTORY, object_parameters=parameters)

    class Described(SmartS3Storage):
        def get_object_parameters(self, name):
            return parameters

    storage = Described("m", **options_of(DIRECTORY, tmp_path))
    with pytest.raises(S3Error, match=r"has metadata \(by\), and files in a FileSystemStorage"):
        save(storage, "a.txt")
    assert not storage.exists("a.txt")


def test_compressed_content_of_another_module_is_not_copied(tmp_path):
    zipped = SmartS3Storage(
        "m", backend="memory", gzip=True, gzip_content_types=["text/css"], bucket_name="zipped"
    )
    save(zipped, "a.css", b"body {}" * 50)
    storage = SmartS3Storage("m", **options_of(DIRECTORY, tmp_path))
    with pytest.raises(S3Error, match=r"compressed \(gzip\), .* Save it uncompressed"):
        zipped.copy("a.css", "a.css", to=storage)
    assert not storage.exists("a.css")


def test_files_are_copied_and_moved_between_modules(storage, options):
    memory = SmartS3Storage("m", backend="memory", bucket_name=uuid.uuid4().hex)
    save(memory, "a.txt", b"HELLO")
    name = memory.copy("a.txt", "docs/a.txt", to=storage)
    assert read(storage, name) == b"HELLO"
    assert storage.move(name, "back.txt", to=memory) == "back.txt"
    assert read(memory, "back.txt") == b"HELLO"
    assert not storage.exists(name)


def test_a_file_moved_onto_itself_stays(tmp_path):
    location = str(tmp_path / "buckets")
    one = SmartS3Storage("m", backend=DIRECTORY, options={"location": location})
    same = SmartS3Storage("n", backend=DIRECTORY, options={"location": f"{location}/."})
    other = SmartS3Storage("m", backend="filesystem", root=tmp_path, bucket_name="buckets")
    save(one, "a.txt", b"hello")
    for to in (one, same, other):
        one.move("a.txt", "a.txt", to=to)
        assert read(one, "a.txt") == b"hello"
        to.move("a.txt", "a.txt", to=one)
        assert read(one, "a.txt") == b"hello"
    assert one.find_folder() == same.find_folder() == other.find_folder() == location


def test_a_folder_is_never_replaced_nor_deleted_as_a_whole():
    # As Dropbox: a folder has a name like a file, but no size, and is deleted with what is in it.
    options = fresh()
    store = SmartS3Storage("m", backend=path_of(projects.WithFolders), options=options)._store()
    put(store, "docs/a.txt", b"hello")
    with pytest.raises(S3Error, match="WithFolders failed"):
        store.delete("docs")
    with pytest.raises(S3Error, match="WithFolders failed"):
        put(store, "docs")
    with pytest.raises(FileExistsError):
        put(store, "docs", overwrite=False)
    assert content_of(store, "docs/a.txt") == b"hello"


# URLs


def test_a_url_is_that_of_the_storage(tmp_path):
    storage = SmartS3Storage("media", location="in", **options_of(DIRECTORY, tmp_path))
    assert storage.url("ä b.txt") == "/files/in/%C3%A4%20b.txt"


def test_a_url_cannot_expire_there(storage):
    with pytest.raises(ValueError, match="take no parameters and do not expire here"):
        storage.url("a.txt", expire=60)
    with pytest.raises(ValueError, match="take no parameters"):
        storage.url("a.txt", parameters={"ResponseContentType": "text/plain"})
    with pytest.raises(ConfigurationError, match="where no upload of a browser can be limited"):
        storage.presigned_put("a.png", size=5, content_type="image/png")


def test_a_storage_without_urls_says_so(remote):
    storage, _ = remote
    with pytest.raises(ConfigurationError, match="Remote has no URL for a file: ") as told:
        storage.url("a.txt")
    assert "hunter2" not in str(told.value)


# The class and its arguments


@pytest.mark.parametrize(
    ("backend", "options", "match"),
    [
        ("no.such.Storage", {}, "'no.such.Storage' cannot be imported: No module named 'no'"),
        ("os.path.Storage", {}, 'cannot be imported: Module "os.path" does not define a "Storage"'),
        (path_of(projects.NotAStorage), {}, "is not a storage: it is no subclass of django.core"),
        ("os.path.join", {}, "is not a storage"),
        ("smart_storages.storages.MediaStorage", {}, "is a storage of this package, which keeps"),
        ("smart_storages.StorageDispatcher", {}, "is a storage of this package"),
        (DIRECTORY, {"bucket": "hunter2"}, "unexpected keyword argument 'bucket'"),
        (path_of(projects.Demanding), {}, "missing a required argument: 'key'"),
        (path_of(projects.Demanding), {"key": "hunter2"}, "cannot be made: ValueError"),
        ("storages.backends.ftp.FTPStorage", {"loction": "hunter2"}, "there is no 'loction'"),
        ("storages.backends.ftp.FTPStorage", {"location": ""}, "cannot be made: ImproperlyConf"),
    ],
)
def test_a_class_that_cannot_be_used_is_told_with_the_module(settings, backend, options, match):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": backend, "options": options}}
    storage = MediaStorage()
    for use in (partial(save, storage, "a.txt"), partial(storage.exists, "a.txt")):
        with pytest.raises(ConfigurationError, match=match) as caught:
            use()
        assert str(caught.value).startswith("The module 'media': The backend")
        assert "hunter2" not in str(caught.value)
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({"backend": "dropbox"}, "'backend'.* not one of .*, nor the dotted path of a storage"),
        ({"backend": "a..b"}, "nor the dotted path of a storage class"),
        ({"backend": DIRECTORY, "options": []}, "'options'.* must be dict, not list"),
        ({"backend": DIRECTORY, "options": {1: "hunter2"}}, "has a key of the type int"),
        ({"backend": "memory", "options": {"a": "b"}}, "holds the arguments of a storage class"),
        ({"options": {"a": "b"}}, "'options'.* the backend is 's3'"),
        ({"backend": DIRECTORY, "root": "/srv"}, "'root'.* is an option of the backend 'filesy"),
        (
            {"backend": DIRECTORY, "OPTIONS": {}},
            "is not an option. Did you mean 'options'",
        ),
    ],
)
def test_an_entry_that_does_not_fit_is_told(settings, entry, match):
    settings.SMART_STORAGE_BUCKETS = {"media": entry}
    with pytest.raises(
        ConfigurationError, match=rf"SMART_STORAGE_BUCKETS\['media'\].*{match}"
    ) as told:
        MediaStorage().exists("a.txt")
    assert "hunter2" not in str(told.value)


def test_a_subclass_of_ours_is_refused_too():
    with pytest.raises(ConfigurationError, match="is a storage of this package"):
        django_classes.find_class("tests.storages.test_on_backend.Shouting")


def test_one_instance_is_made_for_one_class_and_its_arguments():
    options = {"account": uuid.uuid4().hex, "token": "hunter2"}
    one, same = (
        SmartS3Storage(name, backend=REMOTE, options=dict(options))._store() for name in "ab"
    )
    other = SmartS3Storage("a", backend=REMOTE, options={**options, "token": "hunter3"})._store()
    assert one._storage is same._storage
    assert one.identity() == same.identity() != other.identity()
    assert "hunter" not in one.identity()


def test_an_instance_is_made_anew_after_a_change_of_settings(settings):
    options = fresh()
    first = django_classes.storage_of(REMOTE, options)
    settings.MEDIA_ROOT = "/elsewhere"
    assert django_classes.storage_of(REMOTE, options) is not first


@pytest.mark.skipif(not IN_MEMORY_STORAGES, reason="new in Django 4.2")
def test_memory_keeps_its_files_when_settings_change(settings):
    storage = SmartS3Storage("m", backend=MEMORY, options={"base_url": f"/{uuid.uuid4()}/"})
    save(storage, "a.txt", b"hello")
    settings.SMART_STORAGE_STRICT = False
    assert read(storage, "a.txt") == b"hello"


def test_nothing_is_imported_or_made_before_the_first_use(settings):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "no.such.Storage"}}
    storage = MediaStorage()
    assert storage.configuration_problem is None
    assert "no.such.Storage" not in repr(storage)
    assert storage.identify_server()[0].startswith("storage no.such.Storage ")


# Taken over


def test_a_setting_or_a_test_takes_such_a_module_over(settings, tmp_path):
    files, buckets = tmp_path / "files", tmp_path / "buckets"
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"backend": DIRECTORY, "options": {"location": str(files)}},
        "s3": {"bucket_name": "acme"},
    }
    media = MediaStorage()
    with override_buckets():
        save(media, "a.txt")
        assert media.backend == "memory"
    settings.SMART_STORAGE_LOCAL = buckets
    save(media, "b.txt")
    assert os.listdir(buckets / "media" / "media") == ["b.txt"]
    settings.SMART_STORAGE_LOCAL = None
    with override_buckets(DIRECTORY, options={"location": str(files)}):
        save(get_storage("s3"), "c.txt")
    save(media, "d.txt")
    assert sorted(os.listdir(files)) == ["acme", "media"]
    assert os.listdir(files / "media") == ["d.txt"]


def test_failures_on_order_reach_such_a_module(options):
    options = dict(options)
    with override_buckets(options.pop("backend"), **options):
        media = MediaStorage()
        name = save(media, "a.txt", b"HELLO")
        with failing("media", "open"), pytest.raises(OSError, match="on order"):
            media.open(name)
        assert read(media, name) == b"HELLO"
        assert media.find_folder() == MediaStorage().find_folder()


# Secrets


def secret_storage(**more):
    options = {"account": "ada", "token": "hunter2", "url": "https://ada:hunter2@example.com/"}
    return SmartS3Storage("media", backend=REMOTE, options=options, **more)


def test_no_argument_is_shown_deconstructed_or_pickled():
    storage = secret_storage()
    field = models.FileField(storage=storage)
    shown = [
        repr(storage),
        str(vars(storage)),
        repr(storage.options),
        repr(storage.deconstruct()),
        MigrationWriter.serialize(field)[0],
        repr(pickle.dumps(storage)),
        repr(storage._store()),
        storage._store().identity(),
    ]
    for text in shown:
        assert "hunter2" not in text
    assert str(storage.options) == "{'account': ***, 'token': ***, 'url': ***}"


def test_a_copy_in_this_process_has_the_arguments_again():
    storage = secret_storage()
    path, args, kwargs = storage.deconstruct()
    assert path == "smart_storages.storages.SmartS3Storage"
    twin = SmartS3Storage(*args, **kwargs)
    assert twin.options == storage.options
    assert twin._store()._storage is storage._store()._storage


def test_a_pickle_says_what_it_lacks():
    storage = pickle.loads(pickle.dumps(secret_storage()))  # noqa: S301
    made_elsewhere = SmartS3Storage("media", backend=REMOTE, withheld_options=("options",))
    for each in (storage, made_elsewhere):
        if not each._withheld:
            continue  # this process finds them again
        with pytest.raises(ConfigurationError, match="made with options, which migrations"):
            each.exists("a.txt")


@pytest.mark.parametrize("step", ["open", "save", "exists", "delete"])
def test_no_debug_page_shows_an_argument(step):
    options = {"account": uuid.uuid4().hex, "token": SECRET}
    storage = SmartS3Storage("media", backend=REMOTE, options=options)
    save(storage, "a.txt")
    service = django_classes.storage_of(REMOTE, options)
    service.fails_at = step
    uses = {
        "open": lambda: storage.open("a.txt"),
        "save": lambda: save(storage, "b.txt"),
        "exists": lambda: storage.size("missing"),
        "delete": lambda: storage.delete("a.txt"),
    }
    with pytest.raises(S3Error, match="RemoteError") as caught:
        uses[step]()
    assert caught.value.status == 503
    assert SECRET not in page_of(caught.value)


def test_no_debug_page_shows_an_argument_of_a_constructor():
    path = path_of(projects.Demanding)
    storage = SmartS3Storage("media", backend=path, options={"key": SECRET})
    with pytest.raises(ConfigurationError) as caught:
        storage.exists("a.txt")
    assert SECRET not in page_of(caught.value)


def page_of(error):
    trace = error.__traceback__.tb_next  # without the frame of the test
    return ExceptionReporter(None, type(error), error, trace).get_traceback_html()


def test_a_lost_connection_is_told_as_one(remote, monkeypatch):
    storage, service = remote

    def lose(name):
        raise ConnectionResetError(f"Bearer {service.token}")

    monkeypatch.setattr(service, "exists", lose)
    monkeypatch.setattr(service, "size", lose)
    with pytest.raises(UnreachableError, match="Remote got no answer: Connection") as told:
        storage.size("a.txt")
    assert "hunter2" not in str(told.value)


def test_times_are_in_utc(tmp_path, settings):
    settings.USE_TZ = False
    storage = SmartS3Storage("m", **options_of(DIRECTORY, tmp_path))
    save(storage, "a.txt")
    assert abs(storage.stat("a.txt").modified_time.timestamp() - time.time()) < 60
