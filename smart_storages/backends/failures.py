"""Failures on order, for tests of what a project does when its storage fails."""

from __future__ import annotations

import io
from contextlib import suppress
from threading import Lock
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from smart_storages.backends.store import Attributes, Found, Need, Store

if TYPE_CHECKING:
    from smart_storages.backends.s3.stat import Stat
    from smart_storages.backends.uploads import Uploads

__all__ = ["ACTIONS", "FailingStore", "Order", "orders"]

#: What can be made to fail, and which methods of a storage it makes fail.
ACTIONS = {
    "save": "save(), save_many(), uploads in parts, and closing a file opened for writing",
    "open": "open() for reading",
    "stat": "exists(), size(), stat(), get_modified_time()",
    "delete": "delete(), delete_many()",
    "list": "listdir(), iter_files()",
}


class Order:
    """An order that something fails.

    Args:
        module: Name of the module.
        action: One of :data:`ACTIONS`.
        error: What is raised: an exception, or what makes one.
        times: How often it fails before it works again, ``None`` for always.
    """

    def __init__(
        self,
        module: str,
        action: str,
        error: Union[BaseException, Callable[[], BaseException]],
        times: Optional[int] = None,
    ) -> None:
        self._module = module
        self._action = action
        self._error = error
        self._left = times
        self._lock = Lock()
        #: How often it has failed.
        self.failed = 0

    def execute(self, module: str, action: str) -> None:
        """Raise the error, if this is what was ordered."""
        if (module, action) != (self._module, self._action):
            return
        with self._lock:
            if self._left == 0:
                return
            self._left = None if self._left is None else self._left - 1
            self.failed += 1
        error = self._error() if callable(self._error) else self._error
        with suppress(AttributeError):
            error.is_on_order = True  # type: ignore[attr-defined]
        raise error


#: The orders of the tests that run now.
orders: List[Order] = []


class FailingStore(Store):
    """A store that fails where it was ordered to, and has done nothing then.

    Args:
        store: The store that it stands before.
        module: Name of the module whose store it is.
    """

    def __init__(self, store: Store, module: str) -> None:
        self._store = store
        self._module = module
        self.place = store.place
        self.takes_uploads = store.takes_uploads
        self.takes_forms = store.takes_forms
        self.signs_urls = store.signs_urls

    @property
    def refuses_taken_keys(self) -> bool:  # type: ignore[override]
        return self._store.refuses_taken_keys

    def _obey(self, action: str) -> None:
        for order in tuple(orders):
            order.execute(self._module, action)

    def put(
        self, key: str, chunks: Iterator[bytes], attributes: Attributes, *, overwrite: bool
    ) -> Stat:
        self._obey("save")
        return self._store.put(key, chunks, attributes, overwrite=overwrite)

    def open(self, key: str) -> Tuple[io.RawIOBase, Found]:
        self._obey("open")
        return self._store.open(key)

    def find(self, key: str) -> Found:
        self._obey("stat")
        return self._store.find(key)

    def delete(self, key: str) -> None:
        self._obey("delete")
        self._store.delete(key)

    def entries(self, prefix: str) -> Iterator[Tuple[str, Stat]]:
        self._obey("list")
        yield from self._store.entries(prefix)

    def list_folder(self, prefix: str) -> Tuple[List[str], List[str]]:
        self._obey("list")
        return self._store.list_folder(prefix)

    def is_same(self, key: str, other: Store, other_key: str) -> bool:
        other = other._store if isinstance(other, FailingStore) else other
        return self._store.is_same(key, other, other_key)

    def needs(self, *, is_public: bool, by_acl: bool = False) -> Sequence[Need]:
        return self._store.needs(is_public=is_public, by_acl=by_acl)

    def local_path(self, key: str) -> Optional[str]:
        return self._store.local_path(key)

    def uploads(self) -> Optional[Uploads]:
        self._obey("save")
        return self._store.uploads()

    def identity(self) -> str:
        return self._store.identity()

    def url(
        self,
        key: str,
        *,
        expires: Optional[int] = None,
        parameters: Optional[Mapping[str, str]] = None,
    ) -> Optional[str]:
        return self._store.url(key, expires=expires, parameters=parameters)

    def sign_url(self, key: str, **options: Any) -> Optional[str]:
        return self._store.sign_url(key, **options)

    def sign_form(self, key: str, **options: Any) -> Optional[Dict[str, Any]]:
        return self._store.sign_form(key, **options)
