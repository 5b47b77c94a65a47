"""Storages as projects and other packages write them, each with a habit of its own."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import Any, Dict

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage

#: The files of every :class:`Remote`, by the account that they belong to.
accounts: Dict[str, Dict[str, bytes]] = {}


class RemoteError(Exception):
    """What the client of a service raises for everything, a missing file too."""

    def __init__(self, text: str, status: int = 404) -> None:
        super().__init__(text)
        self.response = Answer(status)


class Answer:
    def __init__(self, status: int) -> None:
        self.status_code = status


class Remote(Storage):
    """Files of a service, through a client with errors of its own; it does not overwrite."""

    def __init__(self, account: str = "ada", token: str = "", url: str = "") -> None:
        self.account = account
        self.token = token
        self._url = url
        self.fails_at = ""

    @property
    def files(self) -> Dict[str, bytes]:
        return accounts.setdefault(self.account, {})

    def get_modified_time(self, name: str) -> datetime:
        self.get(name)
        return datetime.now(timezone.utc).replace(microsecond=0)

    def _ask(self, what: str) -> None:
        header = f"Authorization: Bearer {self.token}"
        if self.fails_at == what:
            raise RemoteError(header, 503)

    def _open(self, name: str, mode: str = "rb") -> Any:
        self._ask("open")
        return OnlyForwards(self, name)

    def _save(self, name: str, content: Any) -> str:
        self._ask("save")
        self.files[name] = content.read()
        return name

    def exists(self, name: str) -> bool:
        self._ask("exists")
        return name in self.files

    def size(self, name: str) -> int:
        return len(self.get(name))

    def get(self, name: str) -> bytes:
        if name not in self.files:
            raise RemoteError(f"There is nothing for {self.token}.")
        return self.files[name]

    def delete(self, name: str) -> None:
        self._ask("delete")
        if self.files.pop(name, None) is None:
            raise RemoteError(f"There is nothing for {self.token}.")

    def listdir(self, path: str) -> Any:
        start = f"{path}/" if path else ""
        below = [name[len(start) :] for name in self.files if name.startswith(start)]
        if not below:
            raise RemoteError(f"There is nothing for {self.token}.")
        folders = {name.partition("/")[0] for name in below if "/" in name}
        return sorted(folders), [name for name in below if "/" not in name]

    def url(self, name: str) -> str:
        if not self._url:
            raise RemoteError(self.token)
        return self._url + name


class OnlyForwards(File):
    """A file that is fetched when it is first read, and cannot be read from another place."""

    def __init__(self, storage: Remote, name: str) -> None:
        super().__init__(io.BytesIO(), name)
        self._storage = storage
        self._rest: Any = None

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        if self._rest is None:
            self._rest = io.BytesIO(self._storage.get(self.name))
        return self._rest.read(size)


class Overwriting(Remote):
    """One that replaces what is there, as object stores do."""

    def get_available_name(self, name: str, max_length: Any = None) -> str:
        return name


class Naming(Remote):
    """One that chooses the names itself."""

    def _save(self, name: str, content: Any) -> str:
        return super()._save(f"{name}-1", content)


class WithFolders(Remote):
    """One whose folders are there like files, and go with all that is in them."""

    def exists(self, name: str) -> bool:
        return super().exists(name) or any(each.startswith(f"{name}/") for each in self.files)

    def delete(self, name: str) -> None:
        for each in [each for each in self.files if each.startswith(f"{name}/")]:
            del self.files[each]
        self.files.pop(name, None)


class Racing(Remote):
    """One before which another writer always comes, just after the name was found free."""

    def _save(self, name: str, content: Any) -> str:
        if not self.files:
            self.files[name] = b"first"
            name = self.get_available_name(name)
        return super()._save(name, content)


class Hashing(FileSystemStorage):
    """A directory with a rule of its own about what is written."""

    def _save(self, name: str, content: Any) -> str:
        return super()._save(name, ContentFile(content.read().upper()))


class Timeless(Remote):
    """One that does not know when a file was written."""

    get_modified_time = Storage.get_modified_time


class Demanding(Storage):
    """One whose constructor fails, and tells its key."""

    def __init__(self, key: str) -> None:
        raise ValueError(f"no answer for {key}")


class NotAStorage:
    """It has no methods at all."""


def path_of(storage_class: type) -> str:
    return f"{__name__}.{storage_class.__name__}"
