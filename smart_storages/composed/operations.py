"""The Storage API in one list, and the methods that forward its calls to other storages.

A storage that forwards each call to one other takes its methods from :func:`add_choosing_methods`;
one that may call several takes them from :func:`add_combining_methods`. Each method has the name
and the arguments that Django gives it, and an async twin where Django's has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from typing import Any, Callable, Dict, Iterable, Tuple, Type

from smart_storages.common.aio import TWINS
from smart_storages.common.names import check_name, check_path
from smart_storages.composed.calls import call_async, run, run_async, with_known_result

__all__ = [
    "OPERATIONS",
    "Operation",
    "add_choosing_methods",
    "add_combining_methods",
    "is_changing",
    "url_params",
]

_NOT_GIVEN: Any = object()
_NAMES_IN_URL = ("parameters", "expire", "http_method")  # what S3Storage.url calls them


def check_nothing(word: Any) -> None:
    """Let any text pass: no file is looked up by it."""


def url_params(*args: Any, **kwargs: Any) -> Dict[str, Any]:
    """Return the arguments of ``url`` by the names that they have in ``S3Storage.url``."""
    return {**dict(zip(_NAMES_IN_URL, args)), **kwargs} if args else kwargs


def no_more() -> Dict[str, Any]:
    """Take no arguments: the method has one only."""
    return {}


@dataclass(frozen=True)
class Operation:
    """One method of the Storage API.

    Args:
        name: Name of the method.
        params: A function of the arguments after the first, as Django declares them. It returns
            the dict of them, as a resolver gets it.
        first: Name of the first argument.
        check: Validates the first argument.
        changes: Whether the method changes what is stored; ``open`` does in some modes.
        leads: Whether the first storage's answer is that of several, unless it is an error, or
            a no to ``exists``.

    Example:
        >>> Operation("open", lambda mode="rb": {"mode": mode}).signature
        <Signature (self, name, mode='rb')>
    """

    name: str
    params: Callable[..., Dict[str, Any]] = no_more
    first: str = "name"
    check: Callable[[Any], None] = check_name
    changes: bool = False
    leads: bool = False

    @property
    def twin(self) -> bool:
        """Whether it has an async twin."""
        return self.name in TWINS

    @property
    def signature(self) -> Signature:
        own = (Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", self.first))
        return Signature([*own, *signature(self.params).parameters.values()])

    def take_first(self, kwargs: Dict[str, Any]) -> Any:
        """Take the first argument out of keyword arguments."""
        if self.first not in kwargs:
            raise TypeError(f"{self.name}() needs the argument {self.first!r}.")
        return kwargs.pop(self.first)

    def as_positional(self, args: Any, kwargs: Any) -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
        """Return the arguments after the first without keywords, unless it takes any keywords."""
        if not kwargs or self.params is url_params:
            return args, kwargs
        return tuple(self.params(*args, **kwargs).values()), {}


def _with_max_length(max_length: Any = None) -> Dict[str, Any]:
    return {"max_length": max_length}


OPERATIONS: Tuple[Operation, ...] = (
    Operation("open", lambda mode="rb": {"mode": mode}, leads=True),
    Operation("delete", changes=True),
    Operation("exists", leads=True),
    Operation("listdir", first="path", check=check_path),
    Operation("size", leads=True),
    Operation("url", url_params, check=check_path, leads=True),
    Operation("path", check=check_path),
    Operation("get_accessed_time", leads=True),
    Operation("get_created_time", leads=True),
    Operation("get_modified_time", leads=True),
    # The names that these methods had before Django 2.0; older storages still have them.
    Operation("accessed_time"),
    Operation("created_time"),
    Operation("modified_time"),
    Operation("generate_filename", first="filename"),
    Operation("get_available_name", _with_max_length),
    Operation("get_valid_name", check=check_nothing),
    Operation(
        "get_alternative_name",
        lambda file_ext: {"file_ext": file_ext},
        first="file_root",
        check=check_nothing,
    ),
    Operation("is_name_available", _with_max_length),
)

_CHANGING = frozenset(("save", *(each.name for each in OPERATIONS if each.changes)))


def is_changing(method: str, args: Tuple[Any, ...]) -> bool:
    """Tell whether a call changes what is stored; ``open`` does when its mode can write."""
    if method == "open":
        return bool(set(args[0] if args else "rb") & set("wax+"))
    return method in _CHANGING


def add_choosing_methods(cls: Type[Any]) -> None:
    """Give a class every method, each forwarded to the storage that its ``_pick`` chooses."""
    for operation in OPERATIONS:
        _add(cls, operation, _choosing_methods(operation))


def add_combining_methods(cls: Type[Any]) -> None:
    """Give a class every method, each done by the generator that its ``_steps`` returns."""
    for operation in OPERATIONS:
        _add(cls, operation, _combining_methods(operation))


def _add(cls: Type[Any], operation: Operation, methods: Iterable[Any]) -> None:
    for prefix, method in zip(("", "a"), methods):
        if prefix and not operation.twin:
            continue
        name = method.__name__ = f"{prefix}{operation.name}"
        method.__module__, method.__qualname__ = cls.__module__, f"{cls.__name__}.{name}"
        method.__doc__ = f"Forward ``{name}``; see Django's ``Storage.{operation.name}``."
        method.__signature__ = operation.signature
        setattr(cls, name, method)


# Closures take 1.5 us for a dispatched size() and 0.6 us for a fallback's, above what the storage
# takes; methods written out by ``exec`` took 1.2 and 0.45 us (Python 3.11). They are worth it.


def _choosing_methods(operation: Operation) -> Tuple[Any, Any]:
    method, check, params = operation.name, operation.check, operation.params

    def forward(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        if name is _NOT_GIVEN:
            name = operation.take_first(kwargs)
        check(name)
        storage, name = self._pick(method, name, params(*args, **kwargs))
        return getattr(storage, method)(name, *args, **kwargs)

    async def forward_async(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        if name is _NOT_GIVEN:
            name = operation.take_first(kwargs)
        check(name)
        storage, name = self._pick(method, name, params(*args, **kwargs))
        return await call_async((storage, method, (name, *args), kwargs))

    return forward, forward_async


def _combining_methods(operation: Operation) -> Tuple[Any, Any]:
    def begin(self: Any, name: Any, args: Any, kwargs: Any) -> Any:
        if name is _NOT_GIVEN:
            name = operation.take_first(kwargs)
        operation.check(name)
        return self._steps(operation.name, name, *operation.as_positional(args, kwargs))

    def combine(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        return run(begin(self, name, args, kwargs), self._perform)

    async def combine_async(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        return await run_async(begin(self, name, args, kwargs), self._perform_async)

    return (_leading_method(operation) if operation.leads else combine), combine_async


def _leading_method(operation: Operation) -> Any:
    """Return a method that asks the first storage before it makes a generator of calls.

    The generators cost a microsecond or two, and most calls end with the first storage.
    """
    method, check, has_mode = operation.name, operation.check, operation.name == "open"
    # A storage may say no by None; any other answer counts, a size of 0 too.
    may_say_no = method == "exists"

    def lead(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        if name is _NOT_GIVEN:
            name = operation.take_first(kwargs)
        if kwargs:
            args, kwargs = operation.as_positional(args, kwargs)
        check(name)
        storage = self._leader(*args) if has_mode else self._leader()
        if storage is None:
            return run(self._steps(method, name, args, kwargs), self._perform)
        answer, error = None, None
        try:
            answer = getattr(storage, method)(name, *args, **kwargs)
            if answer or not may_say_no:
                return answer
        except Exception as raised:
            error = raised
        steps = self._steps(method, name, args, kwargs)
        return run(steps, with_known_result(storage, method, answer, error, self._perform))

    return lead
