"""What the README of django-fallback-storage 1.1.1 says, done with ours.

Where that package imports, which Django 5.1 ended, every test without ``ours`` runs with it too.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Callable, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.module_loading import import_string

from smart_storages.utils import storages as django_storages
from tests.moving_in.documented import shows, with_the_old

DOCUMENTED = (
    "fallback_storage.storage.FallbackStorage", "DEFAULT_FILE_STORAGE", "FALLBACK_STORAGES",
    "_open", "_save", "delete", "exists", "listdir", "size", "url", "accessed_time",
    "created_time", "modified_time", "get_valid_name", "get_available_name", "path",
    "AttributeError",
)  # fmt: skip

OURS = "smart_storages.FallbackStorage"


class _Folder(FileSystemStorage):
    """A directory of the test that runs."""

    root: ClassVar[Path]
    label = ""

    def __init__(self) -> None:
        (self.root / self.label).mkdir(exist_ok=True)
        super().__init__(str(self.root / self.label), base_url=f"/{self.label}/")


class Mine(_Folder):
    label = "mine"


class Production(_Folder):
    label = "production"


class Bare(Storage):
    """Has what Django asks of a storage at least, and holds nothing."""

    def _open(self, name: str, mode: str = "rb") -> File:
        raise FileNotFoundError(name)

    def exists(self, name: str) -> bool:
        return False


class Thin:
    """Lacks most methods."""

    def open(self, name: str, mode: str = "rb") -> File:
        raise FileNotFoundError(name)

    def save(self, name: str, content: Any, max_length: Any = None) -> str:
        raise FileNotFoundError(name)

    def url(self, name: str) -> str:
        raise FileNotFoundError(name)


def path_of(cls: type) -> str:
    return f"{__name__}.{cls.__name__}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_Folder, "root", tmp_path, raising=False)
    return tmp_path


@pytest.fixture(params=with_the_old(OURS, "fallback_storage.storage.FallbackStorage"))
def make(request: Any) -> Callable[..., Any]:
    """Makes the storage of the package: with the path of ours, or with that of the old one."""
    cls = import_string(request.param)
    return lambda *backends: cls(tuple(map(path_of, backends)))


@pytest.fixture
def ours() -> Callable[..., Any]:
    """The same, for what the page says to differ."""
    cls = import_string(OURS)
    return lambda *backends: cls(tuple(map(path_of, backends)))


@pytest.fixture
def storage(make: Any) -> Any:
    """One's own directory first, then that of production, which has a file."""
    Production().save("bike.jpg", ContentFile(b"a photo"))
    return make(Mine, Production)


@shows("FALLBACK_STORAGES", "fallback_storage.storage.FallbackStorage")
@pytest.mark.parametrize("path", with_the_old(OURS, "fallback_storage.storage.FallbackStorage"))
def test_the_backends_are_those_of_the_setting(path: str, settings: Any, folder: Path) -> None:
    settings.FALLBACK_STORAGES = (path_of(Mine), path_of(Production))
    storage = django_storages.create_storage({"BACKEND": path})
    Production().save("bike.jpg", ContentFile(b"a photo"))
    assert storage.open("bike.jpg").read() == b"a photo"


def test_without_the_setting_it_is_an_error_of_the_configuration(ours: Any, settings: Any) -> None:
    settings.FALLBACK_STORAGES = ()
    with pytest.raises(ImproperlyConfigured, match="FALLBACK_STORAGES"):
        import_string(OURS)().exists("a.txt")


@shows("delete")
def test_files_of_production_are_read_and_what_is_written_is_ones_own(storage: Any) -> None:
    assert storage.open("bike.jpg").read() == b"a photo"
    name = storage.save("mine.txt", ContentFile(b"mine"))
    assert Mine().open(name).read() == b"mine"
    assert not Production().exists(name)
    storage.delete(name)
    assert not Mine().exists(name)


def test_a_delete_of_a_file_of_production_stays_away_with_delete_from(ours: Any) -> None:
    Production().save("bike.jpg", ContentFile(b"a photo"))
    backends = (path_of(Mine), path_of(Production))
    import_string(OURS)(backends, delete_from=[0]).delete("bike.jpg")
    assert Production().exists("bike.jpg")
    import_string(OURS)(backends).delete("bike.jpg")  # this differs: the page says so
    assert not Production().exists("bike.jpg")


@shows("exists")
def test_a_file_exists_if_any_backend_has_it(storage: Any) -> None:
    Mine().save("mine.txt", ContentFile(b""))
    names = ("bike.jpg", "mine.txt", "other.txt")
    assert [storage.exists(name) for name in names] == [True, True, False]


@shows("listdir")
def test_a_listing_has_the_files_and_directories_of_all(storage: Any) -> None:
    Mine().save("mine/a.txt", ContentFile(b""))
    Production().save("theirs/b.txt", ContentFile(b""))
    Mine().save("c.txt", ContentFile(b""))
    directories, files = storage.listdir("")
    assert (sorted(directories), sorted(files)) == (["mine", "theirs"], ["bike.jpg", "c.txt"])


@shows("url")
def test_a_url_is_that_of_the_first_with_the_file_else_of_the_last(storage: Any) -> None:
    Mine().save("mine.txt", ContentFile(b""))
    names = ("mine.txt", "bike.jpg", "nowhere.txt")
    assert [storage.url(name) for name in names] == [
        "/mine/mine.txt",
        "/production/bike.jpg",
        "/production/nowhere.txt",
    ]


@shows("get_available_name", "get_valid_name")
def test_a_free_name_is_free_in_all_backends(storage: Any) -> None:
    Mine().save("mine.txt", ContentFile(b""))
    for taken in ("bike.jpg", "mine.txt"):
        name = storage.get_available_name(taken)
        assert name != taken
        assert not Mine().exists(name)
        assert not Production().exists(name)
    assert storage.get_available_name("new.txt") == "new.txt"
    assert storage.get_valid_name("a b.txt") == "a_b.txt"


@shows("size")
def test_size_is_that_of_the_first_backend_which_can_tell(storage: Any) -> None:
    assert storage.size("bike.jpg") == 7
    Mine().save("bike.jpg", ContentFile(b"mine"))
    assert storage.size("bike.jpg") == 4


@shows("accessed_time", "created_time", "modified_time")
def test_times_are_those_of_django_under_its_names_of_today(ours: Any) -> None:
    Production().save("bike.jpg", ContentFile(b"a photo"))
    storage = ours(Mine, Production)
    for method in ("accessed_time", "created_time", "modified_time"):
        time = getattr(storage, f"get_{method}")("bike.jpg")
        assert time == getattr(Production(), f"get_{method}")("bike.jpg")
        assert isinstance(time, datetime)


@shows("path")
def test_a_path_is_that_of_the_first_backend_that_has_paths(make: Any) -> None:
    Production().save("bike.jpg", ContentFile(b"a photo"))
    assert make(Bare, Production).path("bike.jpg") == Production().path("bike.jpg")


@shows("AttributeError")
def test_a_backend_without_a_method_is_skipped(make: Any) -> None:
    Production().save("bike.jpg", ContentFile(b"a photo"))
    storage = make(Thin, Production)
    assert storage.size("bike.jpg") == 7
    assert storage.exists("bike.jpg")
    with pytest.raises(AttributeError, match="size"):
        make(Thin).size("bike.jpg")


def test_if_no_backend_succeeds_their_errors_are_raised(ours: Any) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        ours(Mine, Production).open("nowhere.txt")
    assert len(caught.value.errors) == 2  # type: ignore[attr-defined]
