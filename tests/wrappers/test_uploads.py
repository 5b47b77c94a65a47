"""Uploads in parts through storages made of storages: one storage is chosen, and stays chosen."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.backends.memory import isolated
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError, ObjectExistsError, ResolutionError
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.resolvers import ByContentType, BySize, ByTenant, RendezvousHash
from smart_storages.storages import SmartS3Storage
from smart_storages.tenancy import use_tenant
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage
from smart_storages.wrappers.announced import AnnouncedFile
from tests.parts import send_part

TEXT = "text/plain"


@pytest.fixture(autouse=True)
def _in_memory():
    with isolated():
        yield


def memory(label):
    return SmartS3Storage(label, backend="memory", file_overwrite=False)


def upload(storage, name, body=b"hello", content_type=TEXT):
    about = {"content_type": content_type, "size": len(body)}
    name = storage.get_upload_name(name, **about)
    upload_id = storage.create_multipart_upload(name, **about)
    assert send_part(storage.presigned_part(name, upload_id, 1, size=len(body)), body) == 200
    parts = storage.list_parts(name, upload_id)
    storage.complete_multipart_upload(name, upload_id, parts)
    return name


def content_of(storage, name):
    with storage.open(name) as file:
        return file.read()


@pytest.mark.parametrize(
    ("resolver", "alias"),
    [
        (BySize(limit=4, small="a", large="b"), "b"),
        (BySize(limit=5, small="a", large="b"), "a"),
        (ByContentType({"text/*": "b"}, default="a"), "b"),
    ],
    ids=repr,
)
def test_what_is_announced_chooses_the_storage_and_is_recorded(resolver, alias):
    storages = {"a": memory("a"), "b": memory("b")}
    storage = StorageDispatcher(resolver, storages=storages)
    name = upload(storage, "film.bin")
    assert name.startswith(f"{alias}/film_")
    assert content_of(storages[alias], name.partition("/")[2]) == b"hello"
    assert content_of(storage, name) == b"hello"


def test_a_name_is_drawn_for_which_the_same_storage_is_chosen():
    storages = {label: memory(label) for label in "abcd"}
    storage = StorageDispatcher(RendezvousHash([*storages]), storages=storages)
    for number in range(10):
        name = upload(storage, f"{number}.txt")
        chosen = storage.resolve("save", f"{number}.txt", {})
        assert storage.resolve("open", name, {}) is chosen
        assert content_of(chosen, name) == b"hello"


def test_an_alias_counts_for_the_length_of_a_name():
    storage = StorageDispatcher(
        BySize(limit=4, small="a", large="long_alias"),
        storages={"a": memory("a"), "long_alias": memory("b")},
    )
    name = storage.get_upload_name("x" * 50 + ".txt", content_type=TEXT, size=5, max_length=40)
    assert len(name) <= 40
    assert name.startswith("long_alias/xxx")
    with pytest.raises(SuspiciousFileOperation):
        storage.get_upload_name("x.txt", content_type=TEXT, size=5, max_length=20)


def test_a_rule_that_reads_the_content_says_why_it_cannot():
    def by_first_byte(storages, method, filename, params):
        content = params.get("content")
        return "a" if content is None or content.read(1) == b"a" else "b"

    storage = StorageDispatcher(by_first_byte, storages={"a": memory("a"), "b": memory("b")})
    with pytest.raises((ResolutionError, ValueError), match="has not arrived yet"):
        storage.get_upload_name("a.txt", content_type=TEXT, size=5)


def test_each_tenant_uploads_to_its_own_storage():
    storages = {"a": memory("a"), "b": memory("b")}
    storage = StorageDispatcher(ByTenant({"acme": "a", "globex": "b"}), storages=storages)
    with use_tenant("acme"):
        name = storage.get_upload_name("a.txt", content_type=TEXT)
        upload_id = storage.create_multipart_upload(name, content_type=TEXT)
    with use_tenant("globex"), pytest.raises(FileNotFoundError):
        storage.list_parts(name, upload_id)
    with use_tenant("acme"):
        assert storage.list_parts(name, upload_id) == []


def test_a_scope_is_not_left():
    inner = memory("a")
    storage = ScopedStorage(inner, "tenants/acme")
    name = upload(storage, "a.txt")
    assert content_of(inner, f"tenants/acme/{name}") == b"hello"
    assert len(storage.get_upload_name("a" * 50, max_length=30)) <= 30
    for ask in (storage.get_upload_name, storage.upload_limits):
        with pytest.raises(SuspiciousFileOperation):
            ask("../globex/a.txt")


def test_a_read_only_storage_takes_no_upload():
    inner = memory("a")
    storage = ReadOnlyStorage(inner)
    upload_id = inner.create_multipart_upload("a.txt", content_type=TEXT)
    for ask in (
        lambda: storage.create_multipart_upload("a.txt", content_type=TEXT),
        lambda: storage.presigned_part("a.txt", upload_id, 1, size=5),
        lambda: storage.complete_multipart_upload("a.txt", upload_id, []),
        lambda: storage.abort_multipart_upload("a.txt", upload_id),
    ):
        with pytest.raises(PermissionError, match="read-only"):
            ask()
    assert storage.list_parts("a.txt", upload_id) == []


@pytest.mark.parametrize("background", [False, True])
def test_a_mirror_copies_what_was_completed(background):
    primary, mirror = memory("a"), memory("b")
    storage = MirrorStorage(primary, [mirror], background=background)
    name = upload(storage, "a.txt")
    assert storage.flush(timeout=10)
    assert content_of(primary, name) == content_of(mirror, name) == b"hello"


def test_a_fallback_uploads_to_its_first_writer():
    first, second = memory("a"), memory("b")
    storage = FallbackStorage({"one": first, "two": second}, write_to=["two"])
    name = upload(storage, "a.txt")
    assert not first.exists(name)
    assert content_of(second, name) == b"hello"


@pytest.mark.parametrize(
    "compose",
    [
        ReadOnlyStorage,
        lambda inner: ScopedStorage(inner, "a"),
        lambda inner: FallbackStorage([inner]),
        lambda inner: MirrorStorage(inner, [memory("b")]),
        lambda inner: StorageDispatcher(lambda *_: "a", storages={"a": inner}),
    ],
)
def test_a_storage_that_takes_no_uploads_is_named(tmp_path, compose):
    storage = compose(FileSystemStorage(str(tmp_path)))
    with pytest.raises(ConfigurationError, match="FileSystemStorage takes no uploads in parts"):
        storage.get_upload_name("a.txt", content_type=TEXT)
    with pytest.raises(ConfigurationError, match="FileSystemStorage takes no uploads in parts"):
        storage.list_parts("a.txt", "0" * 32)
    with pytest.raises(ConfigurationError, match="FileSystemStorage takes no uploads in parts"):
        async_to_sync(storage.alist_parts)("a.txt", "0" * 32)


def test_the_async_twins_do_the_same():
    primary, mirror = memory("a"), memory("b")

    async def use(storage):
        name = storage.get_upload_name("a.txt", content_type=TEXT)
        upload_id = await storage.acreate_multipart_upload(name, content_type=TEXT)
        signed = await storage.apresigned_part(name, upload_id, 1, size=1)
        assert send_part(signed, b"x") == 200
        parts = await storage.alist_parts(name, upload_id)
        return name, await storage.acomplete_multipart_upload(name, upload_id, parts)

    name, stat = async_to_sync(use)(MirrorStorage(primary, [mirror]))
    assert stat.size == 1
    assert content_of(mirror, name) == b"x"


@pytest.mark.parametrize(
    "compose",
    [
        lambda inner: FallbackStorage([inner]),
        lambda inner: MirrorStorage(inner, [memory("c")]),
        lambda inner: StorageDispatcher(lambda *_: "x", storages={"x": inner}),
        lambda inner: ScopedStorage(inner, "x"),
    ],
)
def test_a_name_that_was_generated_before_is_taken(compose):
    inner = StorageDispatcher(
        ByTenant({"acme": "a", "globex": "b"}), storages={"a": memory("a"), "b": memory("b")}
    )
    storage = compose(inner)
    with use_tenant("acme"):
        generated = storage.generate_filename("docs/film.txt")
        name = upload(storage, generated)
        assert name.startswith("docs/film_")
        assert content_of(storage, name) == b"hello"
        with pytest.raises(SuspiciousFileOperation):
            storage.get_upload_name("../a.txt", content_type=TEXT)


def test_an_announced_file_has_no_bytes():
    announced = AnnouncedFile("a.txt", content_type=TEXT, size=5)
    assert (announced.name, announced.content_type, announced.size) == ("a.txt", TEXT, 5)
    with pytest.raises(ValueError, match="has not arrived yet"):
        announced.read()


def test_two_uploads_of_one_name_have_two_names():
    storage = memory("a")
    storage.save("a.txt", ContentFile(b"x"))
    drawn = {storage.get_upload_name("a.txt") for _ in range(100)}
    assert len(drawn) == 100
    assert "a.txt" not in drawn
    upload_id = storage.create_multipart_upload("a.txt", content_type=TEXT)
    assert send_part(storage.presigned_part("a.txt", upload_id, 1, size=1), b"y") == 200
    with pytest.raises(ObjectExistsError):
        storage.complete_multipart_upload(
            "a.txt", upload_id, storage.list_parts("a.txt", upload_id)
        )
