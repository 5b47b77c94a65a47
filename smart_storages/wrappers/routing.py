"""Parts of a dispatcher: its storages, its choices, explanations, and protection from circles."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple

from asgiref.sync import iscoroutinefunction

from smart_storages import config
from smart_storages.common.compat import InvalidStorageError
from smart_storages.exceptions import ResolutionError
from smart_storages.storages.lookup import resolve_storage
from smart_storages.wrappers.references import Reference, describe

__all__ = [
    "Choice",
    "CircleGuard",
    "ContentNeeded",
    "Explanation",
    "KnownStorages",
    "ParamsBeforeContent",
]

_MOST_LAYERS = 30
_MOST_ANSWERS = 10_000

#: The dispatchers that the current call has passed through, to detect a circle.
_trail: ContextVar[Tuple[Any, ...]] = ContextVar("smart_storages_trail", default=())


class Choice(NamedTuple):
    """The storage that a resolver's answer stands for."""

    alias: Optional[str]
    storage: Any
    is_fallback: bool = False


@dataclass(frozen=True)
class Explanation:
    """Which storage a call goes to, by which rule, and why; ``str()`` returns it as sentences.

    For a call that is refused, ``storage`` is ``None`` and ``reason`` says why it is refused.

    Args:
        name: Name of the file.
        method: Method of the Storage API.
        alias: Alias of the storage, ``None`` if the rule returned an instance.
        storage: The storage, ``None`` if the rule refuses the file.
        rule: The resolver, or ``"recorded alias"``.
        reason: The reason, as a sentence.
        inner_name: Name of the file in that storage.
        inner: The explanation given by that storage, if it is a dispatcher too.
    """

    name: str
    method: str
    alias: Optional[str]
    storage: Any
    rule: str
    reason: str
    inner_name: str
    inner: Optional[Explanation] = None

    def __str__(self) -> str:
        if self.storage is None:
            return f"{self.method}({self.name!r}) is refused by {self.rule}. {self.reason}"
        where = repr(self.alias) if self.alias else describe(self.storage)
        text = f"{self.method}({self.name!r}) goes to {where} by {self.rule}. {self.reason}"
        return f"{text} There, {self.inner}" if self.inner else text


class _UnknownAliasError(InvalidStorageError, KeyError):
    # Not a ResolutionError: raised inside a resolver, that would silently mean the fallback.
    __str__ = Exception.__str__


class KnownStorages(Mapping[str, Any]):
    """The storages that a resolver can choose from: indexed, iterated, and tested with ``in``.

    Iterating yields the aliases of ``STORAGES`` and then the modules of ``SMART_STORAGE_BUCKETS``
    that are not patterns; ``in`` and indexing also accept modules that match a pattern.

    Args:
        own: References by alias; if given, they replace all of these.
    """

    def __init__(self, own: Optional[Mapping[str, Any]] = None) -> None:
        # A cache: each read of a recorded name needs this, and the settings take microseconds.
        self._answers: Dict[str, bool] = {}
        self._own = own and {key: Reference(value, resolve_storage) for key, value in own.items()}

    def __getitem__(self, alias: str) -> Any:
        if alias not in self:
            known = ", ".join(self) or "none"
            raise _UnknownAliasError(
                f"There is no storage {alias!r}; a resolver can choose from {known}."
            )
        return self._own[alias].storage if self._own else resolve_storage(alias)

    def __contains__(self, alias: object) -> bool:
        if not isinstance(alias, str):
            return False
        if self._own:
            return alias in self._own
        is_known = self._answers.get(alias)
        if is_known is None:
            is_known = alias in config.get_storages() or config.find_key(alias) is not None
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            self._answers[alias] = is_known
        return is_known

    def __iter__(self) -> Iterator[str]:
        if self._own:
            return iter(self._own)
        modules = [key for key in config.iter_module_keys() if "*" not in key]
        return iter(dict.fromkeys([*config.get_storages(), *modules]))

    @property
    def own_references(self) -> Dict[str, Any]:
        """The references that were given, by alias; empty if those of the settings are used."""
        return {alias: each.reference for alias, each in (self._own or {}).items()}

    def __len__(self) -> int:
        return len(list(iter(self)))

    def forget(self) -> None:
        self._answers.clear()
        for reference in (self._own or {}).values():
            reference.forget()


class ContentNeeded(BaseException):
    """A resolver needs the content of a save, but only the name is known so far.

    A BaseException, so that a resolver's own ``except Exception`` neither catches nor logs it. With
    the content merely left out, a resolver that uses ``params.get("content")`` would choose another
    storage than at the save. Without asking it before the save at all, the chosen storage's own
    ``generate_filename`` would have no say in the names that the queue and other packages take
    from ``generate_filename`` and save under.
    """


class ParamsBeforeContent(Dict[str, Any]):
    """The ``params`` that a resolver gets before a save, while only the name is known.

    Django calls ``generate_filename`` before ``save``, without the content. A resolver that reads
    ``params["content"]`` at that point gets :class:`ContentNeeded` raised, and the dispatcher asks
    it again at the save. ``"content" in params`` and iteration raise it as well, because they would
    give a different result at the save.
    """

    def __repr__(self) -> str:
        # pprint iterates over a dict that has dict's own __repr__, which would raise here and
        # break Django's debug page.
        return dict.__repr__(self)


def _forbid_content(method: str, *, of_any_key: bool) -> None:
    inherited = getattr(dict, method, None)  # __or__ and __ror__ came with Python 3.9

    def look(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not of_any_key or not args or args[0] == "content":
            raise ContentNeeded
        return inherited(self, *args, **kwargs)  # type: ignore[misc]

    look.__name__ = method
    setattr(ParamsBeforeContent, method, look)


for _method in ("__contains__", "__getitem__", "get", "pop", "setdefault"):
    _forbid_content(_method, of_any_key=True)
for _method in (
    "__eq__", "__iter__", "__len__", "__ne__", "__or__", "__reversed__", "__ror__",
    "copy", "items", "keys", "popitem", "values",
):  # fmt: skip
    _forbid_content(_method, of_any_key=False)


class CircleGuard:
    """Wraps a composed storage for a dispatcher; raises if a call comes back to the dispatcher."""

    __slots__ = ("_dispatcher", "_name", "_storage")

    def __init__(self, dispatcher: Any, storage: Any, name: Any) -> None:
        self._dispatcher, self._storage, self._name = dispatcher, storage, name

    def __getattr__(self, method: str) -> Any:
        bound = getattr(self._storage, method)
        step = (id(self._dispatcher), method, str(self._name))

        def call(*args: Any, **kwargs: Any) -> Any:
            token = _trail.set(self._extended(step))
            try:
                return bound(*args, **kwargs)
            finally:
                _trail.reset(token)

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            token = _trail.set(self._extended(step))
            try:
                return await bound(*args, **kwargs)
            finally:
                _trail.reset(token)

        return call_async if iscoroutinefunction(bound) else call

    def _extended(self, step: Tuple[int, str, str]) -> Tuple[Any, ...]:
        trail = _trail.get()
        if step in trail or len(trail) >= _MOST_LAYERS:
            raise ResolutionError(
                f"{step[1]}({step[2]!r}) went in a circle: {self._dispatcher!r} refers to itself "
                f"through {describe(self._storage)}. Make one resolver return another alias."
            )
        return (*trail, step)
