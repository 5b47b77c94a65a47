"""What deconstruct() gives makes a storage that works, in this process; and it tells no secret."""

import gc
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter
from django.utils.module_loading import import_string

from smart_storages import config
from smart_storages.config import deconstructed
from smart_storages.config.deconstructed import (
    SerializedObject,
    WithheldOptions,
    find_withheld,
    restore,
    revive,
    withhold,
)
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.queued.backends import QueuedStorage
from smart_storages.resolvers import ByExtension, ByPathPrefix, FirstMatch
from smart_storages.storages import DocumentStorage, SmartS3Storage
from smart_storages.utils import create_storage_class, storages
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage

S3 = "smart_storages.storages.SmartS3Storage"
KEYS = {"access_key": "AKIAHUSH", "secret_key": "hush-secret"}
PLAIN = {"bucket_name": "acme", "endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"}
DICT = {"BACKEND": S3, "OPTIONS": {**PLAIN, **KEYS}}
WithKeys = create_storage_class("made", base=DocumentStorage, **PLAIN, **KEYS)
Plainly = create_storage_class("plainly", **PLAIN)


class Own(SmartS3Storage):
    def __init__(self, folder, **options):
        super().__init__(location=folder, **options)


def choose(storages, method, filename, params):
    return "a"


def find_keys(storage):
    """The keys that the storage, or one that it is made of, would sign with."""
    storage = getattr(storage, "_wrapped", storage)
    if isinstance(storage, SmartS3Storage):
        connection = storage.get_connection()
        return {(str.__str__(connection.credentials.access_key), storage.location)}
    parts = [each.storage for each in storage._references]
    if isinstance(storage, FallbackStorage):
        parts = [each.reference.storage for each in storage._backends]
    if isinstance(storage, StorageDispatcher):
        parts = [storage.resolve("open", "a.txt", {})]
    return set().union(*(find_keys(each) for each in parts))


def make_all():
    """Storages with keys, by a label, and the locations of the buckets that they lead to."""
    instance = SmartS3Storage("inner", **PLAIN, **KEYS, location="inner")
    table = {"storages": {"a": DICT, "b": instance}}
    return {
        "plain": SmartS3Storage(**PLAIN, **KEYS),
        "positional": SmartS3Storage("media", **PLAIN, **KEYS, location="x"),
        "callable": SmartS3Storage(**PLAIN, credentials=lambda: KEYS),
        "own": Own("folder", **PLAIN, **KEYS),
        "class": WithKeys(location="y"),
        "class with keys of its own": Plainly(**KEYS, location="z"),
        "fallback": FallbackStorage([DICT, instance]),
        "fallback by label": FallbackStorage({"a": DICT, "b": instance}, write_to=["a"]),
        "mirror": MirrorStorage(DICT, [instance]),
        "read-only": ReadOnlyStorage(instance),
        "scoped": ScopedStorage(ReadOnlyStorage(DICT), "scope"),
        "by prefix": StorageDispatcher(ByPathPrefix({"b": "b"}, default="a"), **table),
        "by rules": StorageDispatcher(
            FirstMatch(ByExtension({"pdf": "b"}), ByPathPrefix({"c": "b"}, default="a")), **table
        ),
        "by function": StorageDispatcher(choose, **table),
        "queue": QueuedStorage("fs", S3, None, {**PLAIN, **KEYS}),
        "queue of dicts": QueuedStorage("fs", DICT),
        "queue of instances": QueuedStorage(FileSystemStorage("/a"), instance),
    }


def through_json(told):
    return json.loads(json.dumps(told))


def rebuild(told):
    path, args, kwargs = told
    return import_string(path)(*args, **kwargs)


@pytest.fixture(autouse=True)
def _aliases(settings, monkeypatch, tmp_path):
    from smart_storages.queued import registry

    monkeypatch.setattr(registry, "_storages", {})
    settings.STORAGES = {
        "default": DICT,
        "fs": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        },
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


LABELS = list(make_all())


@pytest.mark.parametrize("label", LABELS)
def test_what_a_storage_deconstructs_to_makes_one_that_has_its_keys(label):
    storage = make_all()[label]
    if label == "callable":
        expected = storage.get_connection().credentials
    for way in (lambda told: told, through_json):
        twin = rebuild(way(storage.deconstruct()))
        assert type(twin) is type(storage)
        if label == "callable":
            assert twin.get_connection().credentials == expected
        elif not label.startswith("queue"):
            assert find_keys(twin) == find_keys(storage)
            assert all(key == KEYS["access_key"] for key, _ in find_keys(twin))
        else:
            assert twin.key == storage.key
            assert find_keys(twin._remote.storage) == find_keys(storage._remote.storage)
        assert twin.deconstruct() == storage.deconstruct()
        assert rebuild(through_json(twin.deconstruct())).deconstruct() == storage.deconstruct()


@pytest.mark.parametrize("label", LABELS)
def test_nothing_that_is_written_holds_a_secret_or_a_mark(label):
    storage = make_all()[label]
    told = storage.deconstruct()
    text = "".join(map(str, MigrationWriter.serialize(storage)))
    once = [repr(told), json.dumps(told), str(pickle.dumps(storage))]
    if label != "callable":
        once.append(str(pickle.dumps(told)))
    for each in (text, *once):
        assert "hush" not in each.lower()
    assert "@" not in text
    assert "smart_storages object" not in text
    # Of another storage made alike, as the next makemigrations has it.
    assert "".join(map(str, MigrationWriter.serialize(make_all()[label]))) == text


def test_a_field_of_it_changes_no_migration():
    def state_of(storage, label):
        class Meta:
            app_label = "deconstructed"

        fields = {"file": models.FileField(storage=storage), "Meta": Meta, "__module__": __name__}
        from django.apps.registry import Apps
        from django.db.migrations.state import ModelState

        Meta.apps = Apps()
        state = ProjectState()
        state.add_model(ModelState.from_model(type("Thing", (models.Model,), fields)))
        return state

    for label, storage in make_all().items():
        if label == "callable":
            continue
        text, imports = MigrationWriter.serialize(storage)
        scope: dict = {}
        exec("\n".join([*imports, f"made = {text}"]), scope)  # noqa: S102 - what a migration does
        states = [state_of(each, label) for each in (scope["made"], make_all()[label])]
        assert MigrationAutodetector(*states)._detect_changes() == {}, label


def test_a_storage_that_nobody_has_any_more_is_found_while_its_text_lives():
    told = SmartS3Storage("gone", **PLAIN, **KEYS).deconstruct()
    gc.collect()
    assert find_keys(rebuild(told)) == {("AKIAHUSH", "")}
    kept = through_json(told)
    del told
    gc.collect()
    with pytest.raises(ConfigurationError, match="access_key, secret_key"):
        rebuild(kept).exists("a.txt")


def test_two_that_differ_in_their_keys_alone_do_not_get_each_others():
    made = [SmartS3Storage(**PLAIN, access_key=f"K{n}", secret_key="s") for n in range(3)]
    told = [through_json(each.deconstruct()) for each in made]
    assert [find_keys(rebuild(each)) for each in told] == [{(f"K{n}", "")} for n in range(3)]


ELSEWHERE = """
import json, sys, django
from django.conf import settings
order = json.load(sys.stdin)
settings.configure(STORAGES=order["storages"], SECRET_KEY=order["key"])
django.setup()
from django.utils.module_loading import import_string
answers = []
for path, args, kwargs in order["told"]:
    try:
        made = import_string(path)(*args, **kwargs)
        found = made.resolve("open", "a/b.txt", {}) if hasattr(made, "resolve") else made
        found = getattr(found, "_inner", None) and found._inner.storage or found
        found.client
        answers.append("works")
    except Exception as error:
        answers.append(f"{type(error).__name__}: {error}")
json.dump(answers, sys.stdout)
"""


def test_another_process_finds_what_its_settings_and_plain_values_tell_it(settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "routed": {
            "BACKEND": "smart_storages.dispatcher.StorageDispatcher",
            "OPTIONS": {"resolver": ByPathPrefix({"a": "default"}, default="fs")},
        },
    }
    read_only = ReadOnlyStorage(storages["default"])
    told = [
        default_storage.deconstruct(),
        storages["routed"].deconstruct(),
        read_only.deconstruct(),
        # Given keys in code: only the process that made them has them.
        SmartS3Storage("other", **PLAIN, **KEYS).deconstruct(),
        ReadOnlyStorage(InMemory()).deconstruct(),
    ]
    order = {
        "told": told,
        "storages": {"default": DICT, "fs": settings.STORAGES["fs"]},
        "key": settings.SECRET_KEY,
    }
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=json.dumps(order),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=str(Path(__file__).parents[2]),
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
    )
    answers = json.loads(done.stdout)
    assert answers[:3] == ["works"] * 3
    assert "access_key, secret_key" in answers[3]
    assert "cannot be made again in this process" in answers[4]


def test_a_text_that_nobody_of_this_project_wrote_makes_nothing():
    written = json.dumps(["tests.config.test_deconstructed.Own", ["a"], {}])
    for digest in ("", "0" * 64, "\udcff"):
        with pytest.raises(ConfigurationError, match="SECRET_KEY differs"):
            ScopedStorage("fs", f"smart_storages object mark {digest} {written}")


class InMemory(FileSystemStorage):
    """Cannot be made again: it says so."""

    def deconstruct(self):
        raise ValueError("no")


def test_nothing_is_built_by_being_referred_to_or_deconstructed():
    built = []

    class Lazy(type(default_storage)):
        def _setup(self):
            built.append(1)
            super()._setup()

    FallbackStorage([Lazy(), "fs"])
    assert built == []


def test_a_task_queue_that_speaks_json_deletes_by_what_it_was_told(tmp_path):
    storage = StorageDispatcher(
        ByPathPrefix({"a": "one"}, default="one"),
        storages={"one": FileSystemStorage(tmp_path, base_url="/files/")},
    )
    name = storage.save("a/b.txt", ContentFile(b"x"))
    rebuild(through_json(storage.deconstruct())).delete(name)
    assert not storage.exists(name)


# The names of secrets


def test_a_name_that_was_left_out_is_written_as_the_name_alone():
    (name,) = withhold(["access_key"], WithheldOptions({"access_key": "a"}))
    (other,) = withhold(["access_key"], WithheldOptions({"access_key": "b"}))
    assert (str(name), repr(name), f"{name:>12}") == ("access_key", "'access_key'", "  access_key")
    assert name == other == "access_key"
    assert name != "secret_key"
    assert {name, other, "access_key"} == {"access_key"}
    assert json.dumps(name) != json.dumps(other), "JSON has the mark"


def test_an_alias_is_found_past_others_that_are_wrong(settings):
    options = {"access_key": "a", "bucket_name": "acme"}
    settings.STORAGES = {
        "no dict": "x",
        "other options": {"BACKEND": S3, "OPTIONS": {"bucket_name": "other"}},
        "no such module": {"BACKEND": "no.such.Backend", "OPTIONS": options},
        "other class": {"BACKEND": FileSystemStorage, "OPTIONS": options},
        "a@b": {"BACKEND": SmartS3Storage, "OPTIONS": options},
    }
    (name,) = withhold(["access_key"], WithheldOptions(options), SmartS3Storage, options)
    assert json.dumps(name) == '"access_key@alias:a@b"'
    assert name.kept is None, "the settings have it"
    assert find_withheld([name]).values == {"access_key": "a"}
    assert find_withheld([str.__str__(name)]).values == {"access_key": "a"}


def test_an_alias_without_a_backend_is_nobodys(settings):
    settings.STORAGES = {"half": {"OPTIONS": {"access_key": "a"}}}
    kept = WithheldOptions({"access_key": "a"})
    (name,) = withhold(["access_key"], kept, None, {"access_key": "a"})
    assert find_withheld([name]) is kept


def test_names_whose_alias_is_no_dict_any_more_stay_names(settings):
    settings.STORAGES = {"changed": "x"}
    options = {"withheld_options": ["access_key@alias:changed"], "location": "a"}
    assert restore(options) == {"withheld_options": ("access_key",), "location": "a"}


# Objects in place of strings


def test_what_needs_no_string_in_its_place_stays_or_is_written_as_a_path():
    assert SerializedObject.of(Path("a/b")) == "a/b"
    assert SerializedObject.of(choose) == f"{__name__}.choose"
    assert SerializedObject.of(5) == 5

    def inner():
        """Cannot be imported."""

    assert SerializedObject.of(inner) is inner
    twin = type("Own", (), {"__module__": __name__})
    assert SerializedObject.of(twin) is twin, "that path leads to another class"


def test_a_string_in_place_of_an_object_is_that_object():
    inner = FileSystemStorage("/a")
    stand_in = SerializedObject.of(inner)
    assert repr(stand_in) == repr(inner)
    rule = pickle.dumps(SerializedObject.of(ByExtension({})))
    assert type(pickle.loads(rule)) is ByExtension  # noqa: S301 - made in the line above
    assert revive(stand_in) is inner


def test_arguments_without_such_a_string_stay_the_same_objects():
    for value in ([1, ["a"]], (1, ("a",)), {"a": {"b": [1]}}):
        assert revive(value) is value
    stand_in = SerializedObject.of(FileSystemStorage("/a"))
    assert revive([stand_in]) == [stand_in.original]
    assert revive((stand_in,)) == (stand_in.original,)
    assert revive({"a": {"b": stand_in}, "c": 1}) == {"a": {"b": stand_in.original}, "c": 1}


def test_an_object_that_is_gone_is_made_again_from_what_was_written(monkeypatch):
    rule = FirstMatch(ByExtension({"pdf": "a b"}), ByPathPrefix({"c d": "b"}, default="a"))
    text = str(SerializedObject.of(rule))
    assert revive(text) is rule
    monkeypatch.setattr(deconstructed, "_found", {})
    twin = revive(text)
    assert twin is not rule
    assert twin.deconstruct() == rule.deconstruct()


def test_none_is_written_down_and_a_set_is_not():
    assert deconstructed._plain({"a": [None, True, 1.5, "x"]}) == {"a": [None, True, 1.5, "x"]}
    with pytest.raises(TypeError, match="set is not a plain value"):
        deconstructed._plain({"a": {1}})


def test_what_is_written_is_signed_for_this_purpose_alone():
    assert deconstructed._sign("x") == config.keyed_digest("stand-in", "x")
    assert deconstructed._sign("x") != deconstructed._sign("y")
