"""Importable resolvers and storages, for dotted paths, pickles and migrations."""

from __future__ import annotations

from typing import Any, List, Tuple

from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from smart_storages.resolvers import StorageResolver


class ByCountry(StorageResolver):
    def resolve(self, storages, method, filename, params):
        return "europe" if filename.startswith("eu") else None


def to_europe(storages, method, filename, params):
    return "europe"


class RecordingStorage(Storage):
    """Answers everything and keeps a list of the calls."""

    def __init__(self, label: str = "recording", native: bool = False) -> None:
        self.label = label
        self.calls: List[Tuple[Any, ...]] = []

    def _note(self, *call: Any) -> Any:
        self.calls.append(call)
        return self.label

    def open(self, name, mode="rb"):
        self._note("open", name, mode)
        return ContentFile(b"recorded")

    def save(self, name, content, max_length=None):
        self._note("save", name, content.read(), max_length)
        return name

    def delete(self, name):
        self._note("delete", name)

    def exists(self, name):
        self._note("exists", name)
        return True

    def listdir(self, path):
        self._note("listdir", path)
        return ["d"], [self.label]

    def size(self, name):
        self._note("size", name)
        return 7

    def url(self, name, parameters=None, expire=None, http_method=None):
        return self._note("url", name, parameters, expire, http_method)

    def path(self, name):
        return self._note("path", name)

    def get_accessed_time(self, name):
        return self._note("get_accessed_time", name)

    def get_created_time(self, name):
        return self._note("get_created_time", name)

    def get_modified_time(self, name):
        return self._note("get_modified_time", name)

    def accessed_time(self, name):
        return self._note("accessed_time", name)

    def created_time(self, name):
        return self._note("created_time", name)

    def modified_time(self, name):
        return self._note("modified_time", name)

    def get_available_name(self, name, max_length=None):
        self._note("get_available_name", name, max_length)
        return name

    def generate_filename(self, filename):
        self._note("generate_filename", filename)
        return filename

    def get_valid_name(self, name):
        self._note("get_valid_name", name)
        return name

    def get_alternative_name(self, file_root, file_ext):
        self._note("get_alternative_name", file_root, file_ext)
        return f"{file_root}_2{file_ext}"

    def is_name_available(self, name, max_length=None):
        self._note("is_name_available", name, max_length)
        return True


class Broken(RecordingStorage):
    """Raises the same error whatever it is asked, and counts."""

    def __init__(self, error=None):
        super().__init__()
        self.error = ConnectionError("down") if error is None else error

    def _note(self, *call):
        super()._note(*call)
        if self.error and call[0] != "get_alternative_name":
            raise self.error


class NativeStorage(RecordingStorage):
    """Has async methods of its own."""

    async def aopen(self, name, mode="rb"):
        self._note("aopen", name, mode)
        return ContentFile(b"native")

    async def asave(self, name, content, max_length=None):
        self._note("asave", name, content.read(), max_length)
        return name

    async def aexists(self, name):
        self._note("aexists", name)
        return False


def put(storage, name, content=b"x"):
    assert storage.save(name, ContentFile(content)) == name
