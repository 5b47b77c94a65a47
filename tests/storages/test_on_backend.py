"""Modules whose files are in a directory or in memory: the same promises as in S3."""

from __future__ import annotations

import copy
import io
import pickle
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.test import override_settings
from django.utils import timezone
from django.utils.deconstruct import deconstructible
from storages.backends.s3boto3 import S3Boto3Storage

from smart_storages.backends.memory import isolated
from smart_storages.exceptions import (
    ConfigurationError,
    InvalidModuleNameError,
    ObjectNotFoundError,
    PreconditionFailedError,
    S3Error,
    UnknownModuleError,
)
from smart_storages.signals import storage_operation
from smart_storages.storages import MediaStorage, PublicStorage, SmartS3Storage, StaticStorage
from smart_storages.utils import create_storage_class, get_storage

BACKENDS = ["azure", "filesystem", "gcs", "memory"]


class Shouting(MediaStorage):
    """A storage of a project, with methods of its own."""

    def generate_filename(self, filename):
        return super().generate_filename(filename).upper()

    def url(self, name, **options):
        return super().url(name, **options) + "#shouted"


@pytest.fixture(params=BACKENDS)
def options(request, tmp_path):
    """The options that put a module's files elsewhere than in S3."""
    more = {"root": tmp_path / "buckets"} if request.param == "filesystem" else {}
    if request.param == "azure":
        azurite = request.getfixturevalue("azurite")
        container = azurite.create_container()
        more = {"connection_string": azurite.connection_string, "bucket_name": container}
    if request.param == "gcs":
        server = request.getfixturevalue("gcs")
        more = {**server.options, "bucket_name": server.create_bucket()}
    with isolated():
        yield {"backend": request.param, **more}


@pytest.fixture
def storage(options):
    return SmartS3Storage("media", location="in", file_overwrite=False, **options)


def read(storage, name, mode="rb"):
    with storage.open(name, mode) as file:
        return file.read()


def test_a_file_is_saved_read_and_deleted(storage):
    name = storage.save("docs/a.txt", ContentFile(b"hello"))
    assert name == "docs/a.txt"
    assert read(storage, name) == b"hello"
    assert read(storage, name, "r") == "hello"
    assert storage.exists(name)
    assert storage.size(name) == 5
    assert timezone.now() - storage.get_modified_time(name) < timedelta(minutes=1)
    assert storage.listdir("") == (["docs"], [])
    assert storage.listdir("docs") == ([], ["a.txt"])
    storage.delete(name)
    storage.delete(name)
    assert not storage.exists(name)
    with pytest.raises(ObjectNotFoundError, match=r"module 'media', bucket '\w+', key 'in/docs"):
        storage.open(name)
    with pytest.raises(FileNotFoundError):
        storage.size(name)


def test_a_taken_name_is_never_overwritten(storage):
    first = storage.save("a.txt", ContentFile(b"first"))
    second = storage.save("a.txt", ContentFile(b"second"))
    assert (first, read(storage, first), read(storage, second)) == ("a.txt", b"first", b"second")
    assert storage.get_available_name("a.txt") not in {first, second}


def test_the_server_of_s3_does_not_decide_how_a_file_is_named(options, settings):
    # Nothing is known of that server, so that in S3 every name would get a random suffix.
    settings.AWS_S3_ENDPOINT_URL = "http://127.0.0.1:9"
    storage = SmartS3Storage("media", file_overwrite=False, **options)
    assert storage.save("a.txt", ContentFile(b"first")) == "a.txt"
    assert storage.save("a.txt", ContentFile(b"second")) != "a.txt"
    assert read(storage, "a.txt") == b"first"


def test_a_file_is_overwritten_where_the_module_says_so(options):
    storage = SmartS3Storage("media", **options)
    assert storage.save("a.txt", ContentFile(b"first")) == "a.txt"
    assert storage.save("a.txt", ContentFile(b"second")) == "a.txt"
    assert read(storage, "a.txt") == b"second"


def test_names_stay_inside_of_the_location(storage):
    for name in ("../a.txt", "a/../../b.txt", "a\0.txt"):
        with pytest.raises(SuspiciousFileOperation):
            storage.save(name, ContentFile(b"x"))
        with pytest.raises(SuspiciousFileOperation):
            storage.exists(name)


def test_what_s3_keeps_beside_a_file_is_kept(options):
    parameters = {"CacheControl": "max-age=60", "Metadata": {"by": "ada"}}
    storage = SmartS3Storage("media", object_parameters=parameters, **options)
    upload = ContentFile(b"%PDF", name="a.bin")
    upload.content_type = "application/pdf"
    storage.save("a.bin", upload)
    stat = storage.stat("a.bin")
    assert (stat.content_type, stat.metadata) == ("application/pdf", {"by": "ada"})
    with storage.open("a.bin") as file:
        assert (file.content_type, file.size, file.etag) == ("application/pdf", 4, stat.etag)


def test_compressed_files_are_read_as_they_were(options):
    storage = SmartS3Storage("media", gzip=True, **options)
    storage.save("a.css", ContentFile(b"body{}" * 1000))
    assert storage.size("a.css") < 1000
    assert storage.stat("a.css").content_encoding == "gzip"
    assert read(storage, "a.css") == b"body{}" * 1000


def test_a_file_is_written_through_open_whole_or_not_at_all(storage):
    with storage.open("a.txt", "w") as file:
        file.write("hello")
        assert not storage.exists("a.txt")
    assert read(storage, "a.txt") == b"hello"
    with pytest.raises(ZeroDivisionError), storage.open("a.txt", "wb") as file:
        file.write(b"%d" % (1 / 0))
    assert read(storage, "a.txt") == b"hello"
    with pytest.raises(ValueError, match="Can't combine"):
        storage.open("a.txt", "rw")
    with pytest.raises(ValueError, match="cannot be opened in mode 'r\\+'"):
        storage.open("a.txt", "r+")


def test_a_large_file_is_read_in_ranges(storage):
    content = bytes(range(256)) * 40_000
    storage.save("big.bin", ContentFile(content))
    with storage.open("big.bin") as file:
        file.seek(5_000_000)
        assert file.read(7) == content[5_000_000:5_000_007]
        file.seek(-3, 2)
        assert file.read() == content[-3:]


def test_a_stream_of_unknown_length_is_saved_under_a_free_name(storage):
    class Stream(io.RawIOBase):
        left = 20 * 1024**2

        def readable(self):
            return True

        def readinto(self, buffer):
            size = min(self.left, len(buffer), 100_001)
            self.left -= size
            buffer[:size] = b"s" * size
            return size

    storage.save("s.bin", ContentFile(b"taken"))
    name = storage.save("s.bin", File(Stream(), "s.bin"))
    assert name != "s.bin"
    assert storage.size(name) == 20 * 1024**2
    assert read(storage, "s.bin") == b"taken"


def test_many_files_at_once(storage):
    names = storage.save_many((f"{n}.txt", ContentFile(b"%d" % n)) for n in range(20))
    assert [read(storage, name) for name in names[:3]] == [b"0", b"1", b"2"]
    assert storage.exists_many(["0.txt", "missing"]) == {"0.txt": True, "missing": False}
    assert storage.stat_many(["5.txt"])["5.txt"].size == 1
    assert sorted(name for name, _ in storage.iter_files()) == sorted(names)
    assert [name for name, _ in storage.iter_files("1")] == [
        "1.txt",
        *[f"1{n}.txt" for n in range(10)],
    ]
    assert storage.delete_many(names[:19]) == {}
    assert [name for name, _ in storage.iter_files()] == [names[19]]


def test_files_are_copied_and_moved_within_the_module_and_out_of_it(storage, options):
    parameters = {"Metadata": {"by": "ada"}, "CacheControl": "max-age=60"}
    other = SmartS3Storage("other", object_parameters=parameters, **options)
    other.save("a.txt", ContentFile(b"hello"))
    assert other.copy("a.txt", "b.txt") == "b.txt"
    assert other.copy("b.txt", "c.txt", to=storage) == "c.txt"
    assert storage.stat("c.txt").metadata["by"] == "ada"
    assert storage.stat("c.txt").content_type == "text/plain"
    assert storage.copy("c.txt", "c.txt") != "c.txt"
    assert other.move("b.txt", "d.txt", to=storage) == "d.txt"
    assert not other.exists("b.txt")
    assert read(storage, "d.txt") == b"hello"
    assert other.move("a.txt", "a.txt") == "a.txt"
    assert read(other, "a.txt") == b"hello"
    with pytest.raises(ObjectNotFoundError):
        other.copy("missing", "x", to=storage)
    assert not storage.exists("x")


def test_a_copy_of_another_version_is_refused(storage, options):
    storage.save("a.txt", ContentFile(b"hello"))
    other = SmartS3Storage("other", **options)
    etag = storage.stat("a.txt").etag
    assert storage.replicate("in/a.txt", other, "b.txt", etag=etag) is False
    assert read(other, "b.txt") == b"hello"
    with pytest.raises(PreconditionFailedError):
        storage.replicate("in/a.txt", other, "c.txt", etag="another")
    assert not other.exists("c.txt")


def test_a_local_copy_is_edited_and_saved_back(storage):
    storage.save("a.txt", ContentFile(b"before"))
    with storage.local_copy("a.txt", write_back=True) as path:
        path.write_bytes(b"after")
    assert read(storage, "a.txt") == b"after"
    with storage.workspace("out") as folder:
        (folder / "b.txt").write_bytes(b"b")
    assert read(storage, "out/b.txt") == b"b"


def test_the_async_twins_do_the_same(storage):
    async def use():
        name = await storage.asave("a.txt", ContentFile(b"hello"))
        assert await storage.aexists(name)
        async with await storage.aopen(name) as file:
            content = await file.aread()
        await storage.adelete(name)
        return content, await storage.aexists(name)

    assert async_to_sync(use)() == (b"hello", False)


def test_operations_are_reported(storage):
    heard = []

    def hear(operation, bytes, error, **kwargs):  # noqa: A002
        heard.append((operation, bytes, type(error).__name__))

    storage_operation.connect(hear)
    try:
        storage.save("a.txt", ContentFile(b"hello"))
        read(storage, "a.txt")
        storage.exists("missing")
        with pytest.raises(FileNotFoundError):
            storage.open("missing")
    finally:
        storage_operation.disconnect(hear)
    assert heard == [
        ("save", 0, "NoneType"),
        ("open", 5, "NoneType"),
        ("exists", 0, "NoneType"),
        ("open", 0, "ObjectNotFoundError"),
    ]


def test_an_error_of_the_disk_is_an_error_of_this_package(tmp_path):
    storage = SmartS3Storage("media", backend="filesystem", root=tmp_path)
    storage.save("a", ContentFile(b"a file"))
    with pytest.raises(S3Error, match=r"kept in the directory .*Not a directory.*key 'a/b'"):
        storage.save("a/b", ContentFile(b"below it"))
    assert storage.delete_many(["a/b"]) == {}
    assert read(storage, "a") == b"a file"


# Where files are is a setting


def test_an_instance_shows_the_class_of_the_project(options, settings):
    class Own(SmartS3Storage):
        pass

    for declared in (SmartS3Storage, Own):
        storage = declared("media", **options)
        assert storage.__class__ is declared
        assert isinstance(storage, declared)
        assert type(storage) is not declared  # its methods are those of the backend
        storage.save("a.txt", ContentFile(b"x"))
        settings.SMART_STORAGE_BUCKETS = {}  # the class is taken back, and changed again
        assert storage.__class__ is declared
        assert storage.exists("a.txt")


def test_a_class_of_a_project_keeps_its_own_methods(options):
    storage = Shouting(**options)
    name = storage.save(storage.generate_filename("a.txt"), ContentFile(b"x"))
    assert name == "A.TXT"
    assert storage.url(name).endswith("#shouted")
    assert isinstance(storage, Shouting)
    assert isinstance(storage, S3Boto3Storage)
    bucket = storage.bucket_name
    assert repr(storage) == f"<Shouting module='media' bucket='{bucket}' location='media'>"


def test_every_way_to_a_storage_leads_to_the_backend(options, settings):
    settings.SMART_STORAGE_BUCKETS = {"*": dict(options)}
    made = create_storage_class("tenant_x")
    for storage in (get_storage("media"), made(), PublicStorage(), StaticStorage()):
        assert not storage.is_in_s3
        storage.save("a.txt", ContentFile(b"x"))
        assert storage.exists("a.txt")
    assert not made().lacks_entry
    assert type(made()).__name__ == "Tenant_xStorage"


def test_a_storage_follows_the_settings_to_another_backend_and_back(options, settings):
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme"}}
    storage = MediaStorage()
    assert storage.is_in_s3
    assert type(storage) is MediaStorage
    with override_settings(SMART_STORAGE_BUCKETS={"media": dict(options)}):
        assert not storage.is_in_s3
        storage.save("a.txt", ContentFile(b"x"))
        assert storage.exists("a.txt")
    assert storage.is_in_s3
    assert type(storage) is MediaStorage
    assert storage.bucket_name == "acme"


def test_a_backend_for_all_modules_is_one_setting(settings):
    settings.SMART_STORAGE_BACKEND = "memory"
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"bucket_name": "acme"},
        "s3": {"backend": "s3", "bucket_name": "acme"},
    }
    assert not MediaStorage().is_in_s3
    assert MediaStorage().bucket_name == "acme"
    assert get_storage("s3").is_in_s3


def _pickled(storage):
    return pickle.loads(pickle.dumps(storage))  # noqa: S301 - our own


def test_migrations_and_pickles_name_the_class_of_the_project(options, settings):
    settings.SMART_STORAGE_BUCKETS = {"*": dict(options)}
    for storage in (Shouting(), create_storage_class("tenant_x")(), get_storage("media")):
        storage.save("a.txt", ContentFile(b"x"))
        path, args, kwargs = storage.deconstruct()
        assert "BackendStorage" not in path
        assert "memory" not in repr((path, args, kwargs))
        for twin in (_pickled(storage), copy.copy(storage), copy.deepcopy(storage)):
            assert repr(twin) == repr(storage)
            assert twin.exists("a.txt")
            assert twin == storage or twin.deconstruct() == storage.deconstruct()
    field = models.FileField(storage=Shouting())
    text, _ = MigrationWriter.serialize(field)
    assert "test_on_backend.Shouting()" in text


def test_what_only_s3_has_says_so(storage):
    storage.save("a.txt", ContentFile(b"x"))
    for use in (
        lambda: storage.bucket,
        lambda: storage.client,
        lambda: storage.connection,
        lambda: storage.unsigned_connection,
        lambda: storage.open("a.txt").obj,
    ):
        with pytest.raises(ConfigurationError, match=r"'media' are kept in .* no client"):
            use()
    with pytest.raises(ValueError, match="no URL for DELETE"):
        storage.url("a.txt", http_method="DELETE")
    with pytest.raises(ValueError, match="VersionId"):
        storage.url("a.txt", parameters={"VersionId": "1"})


def test_a_module_without_a_bucket_has_a_folder_of_its_own_name(tmp_path):
    storage = SmartS3Storage("tenant_x", backend="filesystem", root=str(tmp_path))
    storage.save("a.txt", ContentFile(b"x"))
    assert (tmp_path / "tenant_x" / "a.txt").is_file()
    for name in ("../other", "a/b", ".."):
        broken = SmartS3Storage(name, backend="filesystem", root=str(tmp_path))
        with pytest.raises(InvalidModuleNameError):
            broken.save("a.txt", ContentFile(b"x"))
    assert not (tmp_path.parent / "other").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"backend": "filesystem"}, "'root'.* is missing"),
        ({"backend": "filesystem", "root": "buckets"}, "'root'.* is not an absolute path"),
        ({"backend": "filesystem", "root": "/b", "bucket_name": ".."}, "begin with a dot"),
        ({"backend": "filesystem", "root": "/b", "bucket_name": ".smart-storages"}, "with a dot"),
        ({"backend": "memory", "root": "/b"}, "'root'.* is an option of the backend 'filesystem'"),
        ({"base_url": "/files/"}, "'base_url'.* of the backend 'filesystem', and this one is 's3'"),
        ({"backend": "disk"}, "is 'disk', which is not one of azure, filesystem, gcs, memory, s3"),
        ({"backend": "filesytem"}, "Did you mean 'filesystem'"),
    ],
)
def test_options_that_do_not_fit_are_refused(settings, options, match):
    settings.SMART_STORAGE_BUCKETS = {"media": options}
    with pytest.raises(ConfigurationError, match=rf"SMART_STORAGE_BUCKETS\['media'\].*{match}"):
        MediaStorage().save("a.txt", ContentFile(b"x"))


def test_strict_mode_holds_for_every_backend(settings):
    settings.SMART_STORAGE_BACKEND = "memory"
    settings.SMART_STORAGE_STRICT = True
    settings.SMART_STORAGE_BUCKETS = {"media": {}}
    MediaStorage().exists("a.txt")
    with pytest.raises(UnknownModuleError):
        get_storage("meida").exists("a.txt")


# SMART_STORAGE_LOCAL


def test_one_line_moves_every_module_to_a_directory(settings, tmp_path):
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"bucket_name": "acme-media"},
        "tenant_*": {"bucket_name": "acme-tenants", "location": "{module}/"},
    }
    in_s3 = MediaStorage()
    with override_settings(SMART_STORAGE_LOCAL=tmp_path):
        for storage in (in_s3, get_storage("tenant_x"), get_storage("unknown")):
            storage.save("a.txt", ContentFile(b"x"))
    assert (tmp_path / "acme-media" / "media" / "a.txt").is_file()
    assert (tmp_path / "acme-tenants" / "tenant_x" / "a.txt").is_file()
    assert (tmp_path / "unknown" / "a.txt").is_file()
    assert in_s3.is_in_s3


@pytest.mark.parametrize("wrong", ["buckets", 5, b"/buckets"])
def test_a_directory_for_all_modules_has_an_absolute_path(settings, wrong):
    settings.SMART_STORAGE_LOCAL = wrong
    with pytest.raises(ConfigurationError, match="SMART_STORAGE_LOCAL must be the absolute path"):
        MediaStorage().exists("a.txt")


# What a project's own class does


class Thumbnails(MediaStorage):
    """Writes another file while it saves one."""

    def _save(self, name, content):
        if not name.startswith("thumbs/"):
            with self.open(f"thumbs/{name}", "wb") as file:
                file.write(b"small")
        return super()._save(name, content)


class Encrypted(MediaStorage):
    def _save(self, name, content):
        return super()._save(f"{name}.enc", content)


@deconstructible(path="tests.storages.test_on_backend.Nice")
class Nice(MediaStorage):
    pass


def test_a_file_written_within_a_save_is_another_file(options):
    storage = Thumbnails(**options)
    first = storage.save("a.txt", ContentFile(b"first"))
    second = storage.save("a.txt", ContentFile(b"second"))
    assert first != second
    assert read(storage, first) == b"first"
    assert read(storage, second) == b"second"
    assert read(storage, f"thumbs/{first}") == b"small"


def test_open_writes_what_it_is_given_past_save_as_in_s3(options):
    storage = Encrypted(**options)
    with storage.open("a.txt", "wb") as file:
        file.write(b"x")
    assert storage.exists("a.txt")
    assert not storage.exists("a.txt.enc")


def test_a_file_opened_for_writing_and_closed_stays_as_it_was(storage):
    storage.save("a.txt", ContentFile(b"precious"))
    storage.open("a.txt", "wb").close()
    assert read(storage, "a.txt") == b"precious"
    storage.open("new.txt", "wb").close()
    assert read(storage, "new.txt") == b""
    with storage.open("a.txt", "wb") as file:
        file.write(b"")
    assert read(storage, "a.txt") == b""


def test_a_file_moved_onto_itself_by_another_way_stays(tmp_path):
    outer = SmartS3Storage(
        "one", backend="filesystem", root=tmp_path, bucket_name="media", location="photos"
    )
    inner = SmartS3Storage(
        "two", backend="filesystem", root=tmp_path / "media", bucket_name="photos"
    )
    outer.save("a.jpg", ContentFile(b"precious"))
    assert outer.move("a.jpg", "a.jpg", to=inner) == "a.jpg"
    assert read(outer, "a.jpg") == b"precious"
    outer.move("a.jpg", "b.jpg", to=inner)
    assert not outer.exists("a.jpg")
    assert read(inner, "b.jpg") == b"precious"
    (tmp_path / "alias").symlink_to(tmp_path / "media")
    alias = SmartS3Storage(
        "three", backend="filesystem", root=tmp_path, bucket_name="alias", location="photos"
    )
    outer.move("b.jpg", "b.jpg", to=alias)
    assert read(outer, "b.jpg") == b"precious"


def test_a_path_given_to_deconstructible_is_kept(options, settings):
    settings.SMART_STORAGE_BUCKETS = {"*": dict(options)}
    assert Nice().deconstruct()[0] == "tests.storages.test_on_backend.Nice"


def test_a_class_in_s3_may_have_attributes_with_names_of_other_backends(settings):
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme"}}

    class Busy(MediaStorage):
        base_url = "/media/"
        account_name = property(lambda self: "ada")

        def root(self):
            return "the root"

    storage = Busy()
    assert storage.configuration_problem is None
    assert storage.base_url == "/media/"
    assert storage.account_name == "ada"
    assert storage.root() == "the root"


def test_files_have_the_permissions_of_the_setting(settings, tmp_path):
    settings.FILE_UPLOAD_PERMISSIONS = 0o600
    storage = SmartS3Storage("media", backend="filesystem", root=tmp_path)
    storage.save("a.txt", ContentFile(b"x"))
    assert (tmp_path / "media" / "a.txt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("expire", [0, -5, 8 * 86_400])
def test_a_url_lives_as_long_as_in_s3(storage, expire):
    with pytest.raises(ValueError, match="7 days"):
        storage.url("a.txt", expire=expire)


def test_a_class_that_has_no_subclasses_says_so(options):
    class Closed(MediaStorage):
        def __init_subclass__(cls, *, kind):
            super().__init_subclass__()

    storage = Closed(**options)
    with pytest.raises(ConfigurationError, match="Closed cannot keep its files outside of S3"):
        storage.exists("a.txt")


def test_a_name_is_kept_whatever_the_server_of_s3_can_do(settings):
    settings.AWS_S3_ENDPOINT_URL = "https://s3.unknown.example"
    settings.SMART_STORAGE_BUCKETS = {"docs": {"backend": "memory", "file_overwrite": False}}
    with isolated():
        storage = get_storage("docs")
        assert storage.save("a.txt", ContentFile(b"1")) == "a.txt"
        assert storage.save("a.txt", ContentFile(b"2")) != "a.txt"
