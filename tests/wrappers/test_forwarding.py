"""The Storage API, written down once: complete, and passed on with all its arguments."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.db.migrations.writer import MigrationWriter

from smart_storages.common.aio import TWINS
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.resolvers import ByExtension
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage
from smart_storages.wrappers.forwarding import ForwardingStorage
from smart_storages.wrappers.storage_api import OPERATIONS
from tests.routing_models import ByCountry, NativeStorage, RecordingStorage

CALLS = {
    "open": (("a.txt", "rt"), {}),
    "delete": (("a.txt",), {}),
    "exists": (("a.txt",), {}),
    "listdir": (("dir",), {}),
    "size": (("a.txt",), {}),
    "url": (("a.txt",), {"parameters": {"x": "1"}, "expire": 5, "http_method": "HEAD"}),
    "path": (("a.txt",), {}),
    "get_accessed_time": (("a.txt",), {}),
    "get_created_time": (("a.txt",), {}),
    "get_modified_time": (("a.txt",), {}),
    "accessed_time": (("a.txt",), {}),
    "created_time": (("a.txt",), {}),
    "modified_time": (("a.txt",), {}),
    "generate_filename": (("a.txt",), {}),
    "get_available_name": (("a.txt",), {"max_length": 50}),
    "get_valid_name": (("a.txt",), {}),
    "get_alternative_name": (("a", ".txt"), {}),
    "is_name_available": (("a.txt",), {"max_length": 50}),
}

# save() is written by hand: the name and the content are prepared first.
NAMES = {each.name for each in OPERATIONS} | {"save"}


def composed(inner):
    return {
        "dispatcher": StorageDispatcher(lambda *args: inner),
        "fallback": FallbackStorage([inner]),
        "mirror": MirrorStorage(inner, [RecordingStorage()]),
        "scoped": ScopedStorage(inner, "scope"),
        "readonly": ReadOnlyStorage(inner),
    }


def test_the_list_has_every_public_method_of_django():
    public = {
        name
        for name, value in vars(Storage).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    assert public <= NAMES


def test_the_list_has_the_arguments_of_django():
    for name in NAMES:
        original = getattr(Storage, name, None)
        if original is None or name == "url":
            continue
        for kind in (StorageDispatcher, FallbackStorage):
            made = inspect.signature(getattr(kind, name)).parameters
            wanted = inspect.signature(original).parameters
            assert [(each.name, each.default) for each in made.values()] == [
                (each.name, each.default) for each in wanted.values()
            ]


def test_every_method_that_asks_the_storage_has_an_async_twin():
    twins = {each.name for each in OPERATIONS if each.twin} | {"save"}
    assert {"open", "save", "delete", "exists", "listdir", "size", "url"} <= twins
    assert {*TWINS} - twins == {"stat"}  # of buckets alone, not of Django's Storage
    for kind in (StorageDispatcher, FallbackStorage, MirrorStorage, ReadOnlyStorage):
        for name in twins:
            assert inspect.iscoroutinefunction(getattr(kind, f"a{name}"))


@pytest.mark.parametrize("kind", ["dispatcher", "readonly"])
@pytest.mark.parametrize("method", CALLS)
def test_every_method_arrives_with_all_its_arguments(kind, method):
    inner, judge = RecordingStorage(), RecordingStorage()
    storage = composed(inner)[kind]
    args, kwargs = CALLS[method]
    if kind == "readonly" and method == "delete":
        return
    answer = getattr(storage, method)(*args, **kwargs)
    expected = getattr(judge, method)(*args, **kwargs)
    assert answer == expected or method == "open"
    assert inner.calls == judge.calls


@pytest.mark.parametrize("kind", ["dispatcher", "fallback", "mirror", "scoped"])
def test_an_argument_may_be_given_by_name(kind):
    for method, (args, kwargs) in CALLS.items():
        if (kind, method) == ("fallback", "get_available_name"):
            continue  # looks for a name that these storages, which have every file, do not have
        names = list(inspect.signature(getattr(StorageDispatcher, method)).parameters)[1:]
        given = {**dict(zip(names, args)), **kwargs}
        storages = [composed(RecordingStorage())[kind] for _ in range(2)]
        answers = [getattr(storages[0], method)(**given)]
        answers.append(getattr(storages[1], method)(*args, **kwargs))
        assert answers[0] == answers[1] or method == "open", method
        with pytest.raises(TypeError):
            getattr(storages[0], method)()
        with pytest.raises(TypeError):
            getattr(storages[0], method)(*args, *args, "more", **{names[0]: "twice"})


def test_a_mode_given_by_name_decides_where_a_file_is_opened():
    first, second = RecordingStorage(), RecordingStorage()
    FallbackStorage({"a": first, "b": second}, write_to=["b"]).open("a.txt", mode="wb")
    assert (first.calls, len(second.calls)) == ([], 1)


@pytest.mark.parametrize("kind", ["fallback", "mirror", "scoped"])
def test_a_url_keeps_its_arguments(kind):
    inner = RecordingStorage()
    composed(inner)[kind].url("a.txt", {"x": "1"}, 5, http_method="HEAD")
    assert inner.calls[-1][2:] == ({"x": "1"}, 5, "HEAD")


@pytest.mark.parametrize("kind", ["fallback", "mirror", "scoped"])
def test_the_older_times_are_passed_on(kind):
    storage = composed(RecordingStorage("x"))[kind]
    assert storage.accessed_time("a") == storage.created_time("a") == "x"
    assert storage.modified_time("a") == "x"


def test_an_async_method_of_the_storage_itself_is_used():
    async def use(storage):
        await storage.asave("a.txt", ContentFile(b"x"))
        await storage.aopen("a.txt")
        await storage.aexists("a.txt")
        await storage.asize("a.txt")

    for kind in ("dispatcher", "fallback", "scoped"):
        inner = NativeStorage()
        async_to_sync(use)(composed(inner)[kind])
        called = {call[0] for call in inner.calls}
        assert {"asave", "aopen", "aexists", "size"} <= called
        assert not {"save", "open"} & called


def all_kinds():
    alias = "default"
    return [
        StorageDispatcher(ByCountry()),
        StorageDispatcher("tests.routing_models.ByCountry", record_alias=True),
        StorageDispatcher(ByExtension({"pdf": "a"}, default="b"), unknown_alias="fallback"),
        StorageDispatcher(ByCountry(), storages={"europe": alias}),
        FallbackStorage([alias, "django.core.files.storage.FileSystemStorage"], write_to=[0]),
        FallbackStorage(),
        MirrorStorage(alias, [{"BACKEND": "django.core.files.storage.FileSystemStorage"}]),
        ReadOnlyStorage(FileSystemStorage("/srv/a")),
        ScopedStorage(ReadOnlyStorage(alias), "scope"),
    ]


@pytest.mark.parametrize("storage", all_kinds(), ids=repr)
def test_a_migration_makes_the_storage_again(storage):
    text, imports = MigrationWriter.serialize(storage)
    made: dict = {}
    exec("\n".join([*imports, f"made = {text}"]), made)  # noqa: S102 - what a migration does
    assert type(made["made"]) is type(storage)
    assert MigrationWriter.serialize(made["made"]) == (text, imports)


@pytest.mark.parametrize("storage", all_kinds(), ids=repr)
def test_pickles_and_copies_are_made_from_the_same_arguments(storage):
    text = MigrationWriter.serialize(storage)
    pickled = pickle.loads(pickle.dumps(storage))  # noqa: S301 - our own
    for twin in (pickled, copy.deepcopy(storage), copy.copy(storage)):
        assert type(twin) is type(storage)
        assert MigrationWriter.serialize(twin) == text


S3 = {
    "BACKEND": "smart_storages.storages.SmartS3Storage",
    "OPTIONS": {"bucket_name": "acme", "access_key": "AKIASECRET", "secret_key": "hunter2"},
}
FOREIGN = {**S3, "BACKEND": "storages.backends.s3.S3Storage"}


def test_credentials_stay_out_of_migrations_pickles_and_reprs():
    for storage in (
        FallbackStorage([S3]),
        FallbackStorage({"a": S3}),
        MirrorStorage(S3, [S3]),
        StorageDispatcher(ByCountry(), storages={"europe": S3}),
        ScopedStorage(S3, "a"),
    ):
        shown = [repr(storage), str(pickle.dumps(storage)), *MigrationWriter.serialize(storage)]
        for text in shown:
            assert "AKIASECRET" not in str(text)
            assert "hunter2" not in str(text)
        assert "bucket_name" in MigrationWriter.serialize(storage)[0]


def test_a_storage_that_lost_its_credentials_says_so_when_used():
    twin = pickle.loads(pickle.dumps(ScopedStorage(S3, "a")))  # noqa: S301 - our own
    with pytest.raises(ConfigurationError, match="access_key, secret_key"):
        twin.exists("a.txt")


def test_a_copy_in_this_process_keeps_its_credentials():
    assert copy.deepcopy(ScopedStorage(S3, "a"))._constructor_args[0][0] == S3


def test_credentials_of_a_foreign_backend_are_refused():
    with pytest.raises(ConfigurationError, match=r"S3Storage was given access_key, secret_key"):
        pickle.dumps(FallbackStorage([FOREIGN]))


def test_a_class_in_a_function_cannot_go_into_a_migration():
    class Inner(ReadOnlyStorage):
        pass

    with pytest.raises(ValueError, match="body of a module"):
        Inner("default").deconstruct()


BUILT = []


def build():
    BUILT.append(1)
    return RecordingStorage()


def test_a_reference_is_built_once_and_not_before_it_is_used():
    BUILT.clear()
    path = "tests.wrappers.test_forwarding.build"
    storages = [
        StorageDispatcher(lambda *args: "a", storages={"a": path}),
        FallbackStorage([path]),
        MirrorStorage(path, [RecordingStorage()]),
        ReadOnlyStorage(path),
        ScopedStorage(path, "a"),
    ]
    assert BUILT == []
    for storage in storages:
        for _ in range(3):
            storage.exists("a.txt")
            storage.listdir("")
    assert len(BUILT) == len(storages)


def test_a_changed_setting_is_noticed(settings, tmp_path):
    storage = ReadOnlyStorage("docs")
    settings.STORAGES = {
        "docs": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "one")},
        }
    }
    assert "one" in storage.path("a.txt")
    settings.STORAGES = {
        "docs": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "two")},
        }
    }
    assert "two" in storage.path("a.txt")


def test_a_forwarding_storage_says_what_it_is_missing():
    assert issubclass(ForwardingStorage, Storage)
    with pytest.raises(NotImplementedError):
        ForwardingStorage().save("a.txt", ContentFile(b"x"))
