"""What every storage owes its caller, as Django's ``Storage`` documents it: one list of tests.

A module that subclasses :class:`StorageContract` gives it a ``storage`` fixture. One with many
storages subclasses :class:`ContractOverMany` and gives it a ``storages`` fixture.
"""

from __future__ import annotations

import datetime
import functools
import inspect
import io
import itertools
import os
from typing import Any, Callable

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.utils import timezone

from smart_storages.exceptions import ConfigurationError
from smart_storages.tenancy import use_region, use_tenant
from tests.conftest import THOROUGH
from tests.parts import send_part

SIGNED = ("Signature=", "signature=", "sig=")
HOSTILE = ["../a.txt", "a/../../b.txt", "/etc/passwd", "..\\a.txt", "a\\..\\..\\b.txt", "\\etc\\x"]
TIMES = ["get_accessed_time", "get_created_time", "get_modified_time"]


def read(storage: Any, name: str) -> bytes:
    with storage.open(name) as file:
        content: bytes = file.read()
    return content


def has_method(storage: Any, method: str, *args: Any) -> bool:
    """Whether the storages below have a method that Django lets them lack."""
    try:
        getattr(storage, method)(*args)
    except (NotImplementedError, AttributeError):
        return False
    return True


class StorageContract:
    """Methods are tests; ``storage`` is a fixture of the subclass."""

    #: The times that the storages below know; a bucket knows one of them.
    times = TIMES

    @pytest.fixture(autouse=True)
    def _somebody_asks(self):
        with use_tenant("acme"), use_region("eu"):
            yield

    def test_what_was_saved_is_read_back(self, storage):
        name = storage.save("docs/a.txt", ContentFile(b"hello"))
        assert read(storage, name) == b"hello"
        assert storage.exists(name)
        assert storage.size(name) == 5

    def test_an_empty_file_is_a_file(self, storage):
        name = storage.save("docs/empty.txt", ContentFile(b""))
        assert storage.size(name) == 0
        assert read(storage, name) == b""

    def test_any_file_object_can_be_saved(self, storage):
        assert read(storage, storage.save("docs/raw.bin", io.BytesIO(b"raw"))) == b"raw"
        named = File(io.BytesIO(b"named"), name="docs/named.txt")
        assert read(storage, storage.save(None, named)) == b"named"
        upload = SimpleUploadedFile("up.txt", b"upload", content_type="text/plain")
        assert read(storage, storage.save("docs/up.txt", upload)) == b"upload"

    def test_a_temporary_upload_can_be_saved(self, storage):
        upload = TemporaryUploadedFile("big.bin", "application/octet-stream", 3, None)
        upload.write(b"big")
        upload.seek(0)
        name = storage.save("docs/big.bin", upload)
        upload.close()
        assert read(storage, name) == b"big"

    def test_text_content_can_be_saved(self, storage):
        name = storage.save("docs/ascii.txt", ContentFile("text"))
        assert read(storage, name) == b"text"

    def test_text_content_is_stored_as_utf_8(self, storage):
        name = storage.save("docs/text.txt", ContentFile("grüße"))
        assert read(storage, name) == "grüße".encode()

    def test_the_cursor_of_the_content_does_not_matter(self, storage):
        content = ContentFile(b"hello")
        content.read()
        assert read(storage, storage.save("docs/cursor.txt", content)) == b"hello"

    def test_nothing_is_overwritten(self, storage):
        first = storage.save("docs/same.txt", ContentFile(b"first"))
        second = storage.save("docs/same.txt", ContentFile(b"again"))
        assert first != second
        assert read(storage, first) == b"first"
        assert read(storage, second) == b"again"

    def test_many_names_for_one_stay_readable(self, storage):
        names = {storage.save("docs/x.txt", ContentFile(b"%d" % i)): i for i in range(6)}
        assert len(names) == 6
        for name, i in names.items():
            assert read(storage, name) == b"%d" % i

    def test_max_length_holds_for_the_name_returned(self, storage):
        for _ in range(2):
            name = storage.save("docs/long-name-of-a-file.txt", ContentFile(b"x"), max_length=48)
            assert len(name) <= 48
            assert read(storage, name) == b"x"
        with pytest.raises(SuspiciousFileOperation):
            storage.save("docs/" + "x" * 20 + ".txt", ContentFile(b"x"), max_length=6)

    def test_a_missing_file_does_not_exist(self, storage):
        assert storage.exists("docs/missing.txt") is False
        with pytest.raises(FileNotFoundError):
            read(storage, "docs/missing.txt")
        with pytest.raises(FileNotFoundError):
            storage.size("docs/missing.txt")

    def test_what_is_deleted_is_gone(self, storage):
        name = storage.save("docs/gone.txt", ContentFile(b"x"))
        storage.delete(name)
        assert not storage.exists(name)
        storage.delete(name)

    def test_a_directory_is_listed(self, storage):
        first = storage.save("docs/list/a.txt", ContentFile(b"x"))
        second = storage.save("docs/list/sub/b.txt", ContentFile(b"x"))
        directories, files = storage.listdir(os.path.dirname(first))
        assert os.path.basename(first) in files
        assert os.path.basename(os.path.dirname(second)) in directories
        assert storage.listdir(os.path.dirname(second))[1] == [os.path.basename(second)]

    def test_the_root_is_listed(self, storage):
        name = storage.save("docs/root.txt", ContentFile(b"x"))
        assert name.split("/")[0] in storage.listdir("")[0]

    def test_a_listed_name_can_be_read(self, storage):
        saved = {storage.save(f"docs/walk/{i}.txt", ContentFile(b"x" * i)) for i in range(8)}

        def walk(path):
            directories, files = storage.listdir(path)
            for file in files:
                yield os.path.join(path, file)
            for directory in directories:
                yield from walk(os.path.join(path, directory))

        assert saved <= set(walk(""))

    def test_a_url_leads_to_the_name(self, storage):
        name = storage.save("docs/url.txt", ContentFile(b"x"))
        assert os.path.basename(name) in storage.url(name)

    def test_the_times_are_now(self, storage):
        name = storage.save("docs/time.txt", ContentFile(b"x"))
        for method in TIMES:
            if method in self.times:
                age = timezone.now() - getattr(storage, method)(name)
                assert abs(age) < datetime.timedelta(minutes=2)
            else:
                with pytest.raises((NotImplementedError, AttributeError)):
                    getattr(storage, method)(name)

    def test_a_path_leads_to_the_content(self, storage):
        name = storage.save("docs/path.txt", ContentFile(b"x"))
        if not has_method(storage, "path", name):
            with pytest.raises(NotImplementedError):
                storage.path(name)
        elif os.path.exists(storage.path(name)):  # InMemoryStorage gives the path of no file
            with open(storage.path(name), "rb") as file:
                assert file.read() == b"x"

    def test_the_older_time_methods_are_those_of_the_storage_chosen(self, storage):
        name = storage.save("docs/older.txt", ContentFile(b"x"))
        with pytest.raises(AttributeError):
            storage.created_time(name)

    def test_a_name_is_generated_cleaned_and_made_free(self, storage):
        generated = storage.generate_filename("docs/Jahr 2026.txt")
        assert generated.endswith("docs/Jahr_2026.txt")
        assert storage.get_valid_name("a b.txt") == "a_b.txt"
        assert storage.get_alternative_name("a", ".txt").startswith("a_")
        name = storage.save(generated, ContentFile(b"x"))
        free = storage.get_available_name(name)
        assert free != name
        assert not storage.exists(free)

    @pytest.mark.skipif(not hasattr(Storage, "is_name_available"), reason="new in Django 5.1")
    def test_a_name_that_is_taken_is_not_available(self, storage):
        name = storage.save("docs/taken.txt", ContentFile(b"x"))
        assert storage.is_name_available(name) is False
        assert storage.is_name_available("docs/not-taken.txt") is True
        assert storage.is_name_available("docs/not-taken.txt", max_length=5) is False

    def test_a_file_is_written_through_open(self, storage):
        name = storage.save("docs/write.txt", ContentFile(b"before"))
        with storage.open(name, "wb") as file:
            file.write(b"after!")  # as long as before: InMemoryStorage does not truncate
        assert read(storage, name) == b"after!"

    #: Whether the storages below take uploads in parts.
    takes_uploads = True

    def test_an_upload_in_parts_becomes_a_file(self, storage):
        about = {"content_type": "text/plain", "size": 5}
        if not self.takes_uploads:
            with pytest.raises(ConfigurationError, match="takes no uploads in parts"):
                storage.get_upload_name("docs/film.txt", **about)
            with pytest.raises(ConfigurationError, match="takes no uploads in parts"):
                storage.create_multipart_upload("docs/film.txt", **about)
            return
        taken = storage.save("docs/film.txt", ContentFile(b"taken"))
        name = storage.get_upload_name("docs/film.txt", max_length=60, **about)
        assert name != taken
        assert len(name) <= 60
        assert storage.upload_limits(name).part_size_for(5) >= 5
        upload_id = storage.create_multipart_upload(name, **about)
        assert send_part(storage.presigned_part(name, upload_id, 1, size=5), b"hello") < 300
        parts = storage.list_parts(name, upload_id)
        assert [part[:2] for part in parts] == [(1, 5)]
        assert storage.complete_multipart_upload(name, upload_id, parts).size == 5
        assert read(storage, name) == b"hello"
        assert read(storage, taken) == b"taken"
        with pytest.raises((FileExistsError, FileNotFoundError)):
            storage.complete_multipart_upload(name, upload_id, parts)
        other = storage.create_multipart_upload(name, **about)
        storage.abort_multipart_upload(name, other)
        with pytest.raises(FileNotFoundError):
            storage.list_parts(name, other)

    def test_a_hostile_name_is_refused(self, storage):
        calls = [
            storage.open,
            lambda name: storage.save(name, ContentFile(b"x")),
            storage.delete,
            storage.exists,
            storage.listdir,
            storage.size,
            storage.get_available_name,
            storage.get_modified_time,
        ]
        for call, name in itertools.product(calls, HOSTILE):
            with pytest.raises(SuspiciousFileOperation):
                call(name)

    def test_the_async_twins_do_the_same(self, storage):
        async def use():
            name = await storage.asave("docs/async.txt", ContentFile(b"hello"))
            file = await storage.aopen(name)
            assert await sync_to_async(file.read)() == b"hello"
            await sync_to_async(file.close)()
            assert await storage.aexists(name) is True
            assert await storage.asize(name) == 5
            assert os.path.basename(name) in (await storage.alistdir(os.path.dirname(name)))[1]
            # A signed URL holds the second in which it was made.
            url, is_signed = storage.url(name), any(each in storage.url(name) for each in SIGNED)
            assert await storage.aurl(name) == url or is_signed
            assert await storage.aget_modified_time(name) == storage.get_modified_time(name)
            await storage.adelete(name)
            assert await storage.aexists(name) is False
            with pytest.raises(SuspiciousFileOperation):
                await storage.aopen("../a.txt")

        async_to_sync(use)()


#: Without ``THOROUGH=1``, each test takes one of so many storages, and the next test the next ones.
_ONE_OF = 3


def over_many(check: Callable[..., None], first: int = 0, one_of: int = 1) -> Callable[..., None]:
    """A test of the contract as one that takes every storage in turn, and names those that fail.

    Args:
        check: The test of one storage.
        first: The place of the storage that it begins with.
        one_of: How many places further the next one is.
    """

    @functools.wraps(check)
    def test(self: Any, storages: Any) -> None:
        failed = {}
        taken = list(storages.items())[first::one_of]
        for label, make in taken:
            try:
                check(self, make())
            # What pytest fails with is no Exception.
            except (Exception, pytest.fail.Exception) as error:
                failed[label] = error
        if failed:
            told = "\n".join(f"{label}: {error!r}" for label, error in failed.items())
            cause = next(iter(failed.values()))
            raise AssertionError(f"{len(failed)} of {len(taken)} failed:\n{told}") from cause

    # pytest reads the signature of what was wrapped otherwise.
    del test.__wrapped__
    return test


class ContractOverMany(StorageContract):
    """For a fixture ``storages``: by label, what makes a storage. Each test takes many of them."""


_checks = inspect.getmembers(StorageContract, inspect.isfunction)
for _place, (_name, _check) in enumerate(_checks):
    if _name.startswith("test_"):
        _one_of = 1 if THOROUGH else _ONE_OF
        setattr(ContractOverMany, _name, over_many(_check, _place % _one_of, _one_of))
