"""What django-storage-dispatcher's README and configuration page say, done with ours.

It is in no package index, so that nothing can be compared: it was read at
https://github.com/cloudy-oasis/django-storage-dispatcher.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

import django
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.utils.module_loading import import_string

from smart_storages.common.compat import HAS_STORAGES
from smart_storages.exceptions import ResolutionError
from smart_storages.resolvers import StorageResolver
from smart_storages.utils import storages as django_storages
from tests.moving_in.documented import shows

DOCUMENTED = (
    "storage_dispatcher.StorageDispatcher", "storage_dispatcher.StorageResolver",
    "ResolutionError", "ExtensionResolver", "STORAGES", "DEFAULT_FILE_STORAGE", "BACKEND",
    "OPTIONS", "resolver", "fallback", "default", "resolve", "__init__", "__call__", "storages",
    "method", "filename", "params", "None",
)  # fmt: skip

DISPATCHER = "smart_storages.StorageDispatcher"
DISK = "django.core.files.storage.FileSystemStorage"


class NothingMatches(StorageResolver):
    """The simplest one: every file goes to the fallback."""

    def resolve(
        self,
        storages: Any,
        method: Optional[str],
        filename: Optional[str],
        params: Dict[str, Any],
    ) -> Optional[str]:
        return None


class ByFirstLetter(StorageResolver):
    """With a constructor of its own, as the page recommends for state."""

    def __init__(self, *letters: str) -> None:
        self.letters = letters

    def resolve(self, storages, method, filename, params):  # type: ignore[no-untyped-def]
        if filename and filename[0] in self.letters:
            return filename[0]
        return None


class Undecided(StorageResolver):
    def resolve(self, storages, method, filename, params):  # type: ignore[no-untyped-def]
        raise ResolutionError("not today")


class Broken(StorageResolver):
    def resolve(self, storages, method, filename, params):  # type: ignore[no-untyped-def]
        raise KeyError("a mistake")


class Called(StorageResolver):
    """The logic is in __call__(), which the page allows."""

    def __call__(self, storages, method, filename, params):  # type: ignore[no-untyped-def]
        return "a"


class ToItself(StorageResolver):
    def resolve(self, storages, method, filename, params):  # type: ignore[no-untyped-def]
        return "default"


class Attentive(StorageResolver):
    """Notes what it is asked with."""

    seen: List[Any] = []

    def resolve(self, storages, method, filename, params):  # type: ignore[no-untyped-def]
        self.seen.append((sorted(storages), method, filename, sorted(params)))


@pytest.fixture
def configure(settings: Any, tmp_path: Path) -> Any:
    """Puts a resolver into STORAGES, as the page shows it."""

    def configure(resolver: Any, alias: str = "default", **more: Any) -> Any:
        settings.STORAGES = {
            "default": {"BACKEND": DISK, "OPTIONS": {"location": str(tmp_path / "default")}},
            "staticfiles": {"BACKEND": DISK},
            **{
                name: {"BACKEND": DISK, "OPTIONS": {"location": str(tmp_path / name)}}
                for name in ("a", "b", "fallback")
            },
            alias: {"BACKEND": DISPATCHER, "OPTIONS": {"resolver": resolver, **more}},
        }
        return django_storages[alias]

    return configure


def where(storage: Any, name: str) -> str:
    """The directory of the storage that a name leads to."""
    return Path(storage.resolve("open", name, {}).location).name


@shows("storage_dispatcher.StorageDispatcher", "storage_dispatcher.StorageResolver", "STORAGES",
       "BACKEND", "OPTIONS", "resolver", "fallback", "None", "resolve")  # fmt: skip
def test_none_means_the_fallback(configure: Any, tmp_path: Path) -> None:
    storage = configure(NothingMatches())
    name = storage.save("a.txt", ContentFile(b"x"))
    assert (tmp_path / "fallback" / name).read_bytes() == b"x"
    assert storage.open(name).read() == b"x"


@shows("__init__")
def test_a_file_goes_to_the_storage_whose_alias_is_returned(configure: Any) -> None:
    storage = configure(ByFirstLetter("a", "b"))
    names = ("a", "abcdef", "b.txt", "c.txt", " b")
    assert [where(storage, name) for name in names] == ["a", "a", "b", "fallback", "fallback"]


def test_the_resolver_may_be_an_object_or_a_path(configure: Any) -> None:
    path = f"{__name__}.{NothingMatches.__qualname__}"
    for resolver in (NothingMatches(), NothingMatches, path):
        assert where(configure(resolver), "a.txt") == "fallback"


@shows("ResolutionError")
def test_a_resolution_error_means_the_fallback_and_another_error_is_raised(configure: Any) -> None:
    assert where(configure(Undecided()), "a.txt") == "fallback"
    with pytest.raises(KeyError, match="a mistake"):
        configure(Broken()).open("a.txt")


@shows("__call__")
def test_a_resolver_may_have_its_logic_in_call(configure: Any) -> None:
    assert where(configure(Called()), "z.txt") == "a"


@shows("storages", "method", "filename", "params")
def test_a_resolver_is_asked_for_every_call(configure: Any) -> None:
    storage = configure(Attentive())
    storage.save("a.txt", ContentFile(b"x"))
    Attentive.seen.clear()
    storage.open("a.txt", "rb").close()
    storage.size("a.txt")
    storage.exists("a.txt")
    storage.delete("a.txt")
    assert {tuple(aliases) for aliases, *_ in Attentive.seen} >= {
        ("a", "b", "default", "fallback", "staticfiles")
    }
    calls = [(method, name, params) for _, method, name, params in Attentive.seen]
    assert calls == [
        ("open", "a.txt", ["mode"]),
        ("size", "a.txt", []),
        ("exists", "a.txt", []),
        ("delete", "a.txt", []),
    ]


@shows("default")
def test_a_resolver_that_returns_the_dispatcher_itself_is_an_error(configure: Any) -> None:
    with pytest.raises(ResolutionError):
        configure(ToItself()).open("a.txt")


def test_the_dispatcher_may_have_another_alias_than_default(configure: Any) -> None:
    storage = configure(ByFirstLetter("a"), alias="files")
    assert where(storage, "a.txt") == "a"


def test_an_alias_that_is_not_there_is_an_error_unless_told_otherwise(configure: Any) -> None:
    with pytest.raises(ResolutionError, match="'z'"):
        configure(ByFirstLetter("z")).open("z.txt")
    storage = configure(ByFirstLetter("z"), unknown_alias="fallback")
    assert where(storage, "z.txt") == "fallback"


@shows("DEFAULT_FILE_STORAGE")
@pytest.mark.skipif(django.VERSION >= (5, 1), reason="Django 5.1 removed DEFAULT_FILE_STORAGE")
def test_before_django_4_2_the_default_storage_reads_storages_too(
    configure: Any, settings: Any
) -> None:
    configure(ByFirstLetter("a"))
    if not HAS_STORAGES:
        settings.DEFAULT_FILE_STORAGE = DISPATCHER
    assert where(import_string(DISPATCHER)(), "a.txt") == "a"


class MovedInDocument(models.Model):
    file = models.FileField(upload_to="a", storage=FileSystemStorage("/nowhere"))

    class Meta:
        app_label = "tests"


def test_one_field_of_a_model_has_its_files_in_many_storages(
    configure: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    field: Any = MovedInDocument._meta.get_field("file")
    monkeypatch.setattr(field, "storage", configure(ByFirstLetter("a", "b")))
    for upload_to, name in (("a", "1.txt"), ("b", "2.txt"), ("c", "3.txt")):
        monkeypatch.setattr(field, "upload_to", upload_to)
        document = MovedInDocument()
        document.file.save(name, ContentFile(b"x"), save=False)
        folder = upload_to if upload_to in "ab" else "fallback"
        assert (tmp_path / folder / upload_to / name).exists()
        assert document.file.read() == b"x"
