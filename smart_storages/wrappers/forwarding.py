"""Base classes of storages that forward their calls to others, sync and async.

:mod:`smart_storages.wrappers.storage_api` lists the methods, and makes those of two classes. A
:class:`ChoosingStorage` forwards each call to one storage, which the subclass chooses. A
:class:`CombiningStorage` may call several storages; the subclass says how with a generator of
calls, as described in :mod:`smart_storages.wrappers.calls`, which serves both a sync method and
its async twin.
"""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple
from weakref import WeakSet

from django.core.files import File
from django.core.files.storage import Storage
from django.core.signals import setting_changed

from smart_storages.common.names import as_prepared, check_name, path_of
from smart_storages.config.deconstructed import revive, reviving
from smart_storages.wrappers.calls import Call, Steps, call_async, call_now, run, run_async
from smart_storages.wrappers.references import Reference, without_secrets
from smart_storages.wrappers.storage_api import add_choosing_methods, add_combining_methods

__all__ = ["ChoosingStorage", "CombiningStorage", "ForwardingStorage"]


_MOST_RACES = 5

#: Beginnings of settings; when a test changes one of them, every storage is looked up again.
_WATCHED_SETTINGS = (
    "AWS_",
    "DEFAULT_FILE_STORAGE",
    "FALLBACK_STORAGES",
    "SMART_STORAGE",
    "STORAGES",
)
# One signal receiver for all: a storage may be created for each request, and connecting a
# receiver for each would be slow.
_living: WeakSet[Any] = WeakSet()


class ForwardingStorage(Storage):
    """Base class of the storages that hold no files of their own.

    It keeps the constructor's arguments as they were given, for migrations, pickles and copies;
    all its other state is a cache. References are looked up when first used, not in constructors.
    """

    _constructor_args: Tuple[Tuple[Any, ...], Dict[str, Any]]
    _deconstructed: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = reviving(cls.__init__)  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        storage = super().__new__(cls)
        storage._constructor_args = revive((args, kwargs))
        storage._references = []
        _living.add(storage)
        return storage

    _references: List[Reference]

    def _refer(
        self, reference: Any, build: Callable[[Any], Any], label: Optional[str] = None
    ) -> Reference:
        made = Reference(reference, build, label, owner=self)
        self._references.append(made)
        return made

    def _forget(self) -> None:
        for reference in self._references:
            reference.forget()

    def save(self, name: Any, content: Any, max_length: Optional[int] = None) -> str:
        """Save a file and return its name, as Django's ``Storage.save``."""
        name, content = prepare(name, content)
        with as_prepared(self, name):
            return str(run(self._save_steps(name, content, max_length), self._perform))

    async def asave(self, name: Any, content: Any, max_length: Optional[int] = None) -> str:
        """Save a file and return its name, as Django's ``Storage.save``."""
        name, content = prepare(name, content)
        with as_prepared(self, name):
            steps = self._save_steps(name, content, max_length)
            return str(await run_async(steps, self._perform_async))

    def _save_steps(self, name: str, content: Any, max_length: Optional[int]) -> Steps:
        raise NotImplementedError

    def _put_steps(self, name: str, content: Any, replace: bool) -> Steps:
        raise NotImplementedError

    def _sync_mirrors_steps(self, name: str) -> Steps:
        yield from ()

    def _perform(self, call: Call) -> Any:
        return call_now(call)

    async def _perform_async(self, call: Call) -> Any:
        return await call_async(call)

    def deconstruct(self) -> Tuple[str, Tuple[Any, ...], Dict[str, Any]]:
        """Return the path of the class and the arguments as given, for migrations.

        Strings stand in for credentials and objects. This process finds these again, and so do
        others where that is possible: see :mod:`smart_storages.config.deconstructed`.

        Raises:
            ConfigurationError: an argument holds credentials that could not be left out.
            ValueError: the class is not in the body of a module.
        """
        return (path_of(type(self)), *self._portable_arguments())

    def _portable_arguments(self) -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
        if self._deconstructed is None:  # the strings of one storage stay the same
            self._deconstructed = without_secrets(self._constructor_args)
        args, kwargs = self._deconstructed
        return args, dict(kwargs)

    def __reduce__(self) -> Any:
        args, kwargs = self._portable_arguments()
        return partial(
            type(self), *args, **kwargs
        ), ()  # of our paths, only that of the class is in it

    def __copy__(self) -> Any:
        args, kwargs = self._constructor_args
        return type(self)(*args, **kwargs)

    def __deepcopy__(self, memo: Any) -> Any:
        args, kwargs = deepcopy(self._constructor_args, memo)
        return type(self)(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def put_steps(storage: Any, name: str, content: Any, *, replace: bool = True) -> Steps:
    """Write content under exactly this name, and return whether that was possible.

    Args:
        storage: Any storage; a composed one forwards this to the storage of that name.
        name: Name of the file, as a save returned it.
        content: What to write.
        replace: Whether to replace a file of that name. If ``False``, a mirrored storage writes to
            its primary alone; call :func:`sync_mirrors_steps` to copy the file to its mirrors.
    """
    if isinstance(storage, ForwardingStorage):
        return (yield from storage._put_steps(name, content, replace))
    if getattr(storage, "_adds_random_suffixes", None) is True:  # its save() never keeps a name
        return (yield storage, "_save_exactly", (name, content), {"replace": replace})
    for _ in range(_MOST_RACES if replace else 1):
        if replace:
            free = yield storage, "get_available_name", (name,), {}
            if free != name:
                yield storage, "delete", (name,), {}
        saved = yield storage, "save", (name, content), {}
        if saved == name:
            return True
        yield storage, "delete", (saved,), {}  # another writer took the name first
    return False


def sync_mirrors_steps(storage: Any, name: str) -> Steps:
    """Copy a file that :func:`put_steps` wrote with ``replace=False`` to the storage's mirrors."""
    if isinstance(storage, ForwardingStorage):
        yield from storage._sync_mirrors_steps(name)


def _forget_storages(*, setting: str, **kwargs: Any) -> None:
    if setting.startswith(_WATCHED_SETTINGS):
        for storage in list(_living):
            storage._forget()


setting_changed.connect(
    _forget_storages, dispatch_uid="smart_storages.wrappers.forwarding.forget_storages"
)


def prepare(name: Any, content: Any) -> Tuple[str, Any]:
    """Prepare the name and content of a save, as Django's ``Storage.save`` does."""
    if name is None:
        name = content.name
    check_name(name)
    if not hasattr(content, "chunks"):
        content = File(content, name)
    return name, content


class ChoosingStorage(ForwardingStorage):
    """A storage that forwards each call to one other storage.

    A subclass chooses it in ``_pick(method, name, params)``, which returns the storage and the
    name of the file there.
    """

    def _pick(self, method: str, name: Any, params: Dict[str, Any]) -> Tuple[Any, Any]:
        raise NotImplementedError

    def _save_steps(self, name: str, content: Any, max_length: Optional[int]) -> Steps:
        params = {"content": content, "max_length": max_length}
        storage, name = self._pick("save", name, params)
        return (yield storage, "save", (name, content), {"max_length": max_length})

    def _put_steps(self, name: str, content: Any, replace: bool) -> Steps:
        storage, name = self._pick("open", name, {"mode": "wb"})
        return (yield from put_steps(storage, name, content, replace=replace))

    def _sync_mirrors_steps(self, name: str) -> Steps:
        storage, name = self._pick("open", name, {"mode": "wb"})
        yield from sync_mirrors_steps(storage, name)


class CombiningStorage(ForwardingStorage):
    """A storage that may call several others for one call.

    A subclass says how in ``_steps(method, name, args, kwargs)``, which returns a generator of
    calls as described in :mod:`smart_storages.wrappers.calls`.
    """

    def _steps(
        self, method: str, name: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        raise NotImplementedError

    def _first_storage(self, mode: str = "rb") -> Any:
        """Return the storage that ``_steps`` would call first, so that it is called directly.

        ``None`` if the call has to run through ``_steps``.
        """
        return None


add_choosing_methods(ChoosingStorage)
add_combining_methods(CombiningStorage)
