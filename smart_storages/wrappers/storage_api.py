"""The Storage API in one list, and the methods that forward its calls to other storages.

:func:`add_choosing_methods` adds the methods to a class that forwards each call to one other
storage, :func:`add_combining_methods` to a class that may call several. Each method has the name
and arguments that it has in Django, and an async twin if it has one there.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from typing import Any, Callable, Dict, Iterable, Tuple, Type

from smart_storages.common.aio import TWINS
from smart_storages.common.names import check_name, check_path
from smart_storages.exceptions import ConfigurationError
from smart_storages.wrappers.calls import Steps, call_async, run, run_async, with_known_result
from smart_storages.wrappers.references import describe

__all__ = [
    "OPERATIONS",
    "UPLOADS",
    "Operation",
    "add_choosing_methods",
    "add_combining_methods",
    "is_changing",
    "is_in_parts",
    "require_uploads",
    "upload_steps",
    "url_params",
]

_NOT_GIVEN: Any = object()
_NAMES_IN_URL = ("parameters", "expire", "http_method")  # the names in S3Storage.url


def check_nothing(word: Any) -> None:
    """Accept any text, because it is not used to look up a file."""


def url_params(*args: Any, **kwargs: Any) -> Dict[str, Any]:
    """Return the arguments of ``url`` by the names that they have in ``S3Storage.url``."""
    return {**dict(zip(_NAMES_IN_URL, args)), **kwargs} if args else kwargs


def no_arguments() -> Dict[str, Any]:
    """The ``params`` of a method that has no argument after the first."""
    return {}


@dataclass(frozen=True)
class Operation:
    """One method of the Storage API.

    Args:
        name: Name of the method.
        params: A function that takes the arguments after the first, as Django declares them, and
            returns them as the dict that a resolver gets.
        first: Name of the first argument.
        check: Validates the first argument.
        changes: Whether the method changes what is stored; ``open`` does in some modes.
        first_suffices: Whether a combining storage may return the answer of its first storage
            without calling the others, unless it is an error, or ``exists`` was false.
        in_parts: Whether it is a method for uploads in parts, which other packages' storages lack.

    Example:
        >>> Operation("open", lambda mode="rb": {"mode": mode}).signature
        <Signature (self, name, mode='rb')>
    """

    name: str
    params: Callable[..., Dict[str, Any]] = no_arguments
    first: str = "name"
    check: Callable[[Any], None] = check_name
    changes: bool = False
    first_suffices: bool = False
    in_parts: bool = False

    @property
    def twin(self) -> bool:
        """Whether it has an async twin."""
        return self.name in TWINS

    @property
    def signature(self) -> Signature:
        own = (Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", self.first))
        return Signature([*own, *signature(self.params).parameters.values()])

    def take_first(self, kwargs: Dict[str, Any]) -> Any:
        """Remove the first argument from the keyword arguments, and return it."""
        if self.first not in kwargs:
            raise TypeError(f"{self.name}() needs the argument {self.first!r}.")
        return kwargs.pop(self.first)

    def as_positional(self, args: Any, kwargs: Any) -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
        """Return the arguments after the first as positional ones; those of ``url`` unchanged."""
        if not kwargs or self.in_parts or self.params is url_params:
            return args, kwargs
        return tuple(self.params(*args, **kwargs).values()), {}


def _with_max_length(max_length: Any = None) -> Dict[str, Any]:
    return {"max_length": max_length}


#: The methods for uploads in parts, as :mod:`smart_storages.storages.multipart_uploads` has them.
UPLOADS: Tuple[Operation, ...] = (
    Operation(
        "get_upload_name",
        lambda *, content_type="", size=None, max_length=None: {
            "content_type": content_type,
            "size": size,
            "max_length": max_length,
        },
        in_parts=True,
    ),
    Operation("upload_limits", in_parts=True),
    Operation("locate_upload", in_parts=True),
    Operation(
        "create_multipart_upload",
        lambda *, content_type, size=None: {"content_type": content_type, "size": size},
        changes=True,
        in_parts=True,
    ),
    Operation(
        "presigned_part",
        lambda upload_id, number, *, size, sha256=None, expire=None: {
            "upload_id": upload_id,
            "number": number,
            "size": size,
        },
        changes=True,
        in_parts=True,
    ),
    Operation("list_parts", lambda upload_id: {"upload_id": upload_id}, in_parts=True),
    Operation(
        "complete_multipart_upload",
        lambda upload_id, parts, *, overwrite=False: {
            "upload_id": upload_id,
            "overwrite": overwrite,
        },
        changes=True,
        in_parts=True,
    ),
    Operation(
        "abort_multipart_upload",
        lambda upload_id: {"upload_id": upload_id},
        changes=True,
        in_parts=True,
    ),
)

OPERATIONS: Tuple[Operation, ...] = (
    Operation("open", lambda mode="rb": {"mode": mode}, first_suffices=True),
    Operation("delete", changes=True),
    Operation("exists", first_suffices=True),
    Operation("listdir", first="path", check=check_path),
    Operation("size", first_suffices=True),
    Operation("url", url_params, check=check_path, first_suffices=True),
    Operation("path", check=check_path),
    Operation("get_accessed_time", first_suffices=True),
    Operation("get_created_time", first_suffices=True),
    Operation("get_modified_time", first_suffices=True),
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
    *UPLOADS,
)

_CHANGING = frozenset(("save", *(each.name for each in OPERATIONS if each.changes)))


_IN_PARTS = frozenset(each.name for each in UPLOADS)


def is_in_parts(method: str) -> bool:
    """Tell whether a method is one for uploads in parts."""
    return method in _IN_PARTS


def require_uploads(storage: Any) -> None:
    """Raise a ``ConfigurationError`` unless a storage takes uploads in parts."""
    if not hasattr(storage, "create_multipart_upload"):
        raise ConfigurationError(
            f"{describe(storage)} takes no uploads in parts. Use a storage of this package there, "
            "or let the file go through a view of the project, which saves it."
        )


def upload_steps(storage: Any, method: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Steps:
    """Call a method for uploads in parts of one storage."""
    require_uploads(storage)
    return (yield storage, method, args, kwargs)


def is_changing(method: str, args: Tuple[Any, ...]) -> bool:
    """Tell whether a call changes what is stored; ``open`` does when its mode can write."""
    if method == "open":
        return bool(set(args[0] if args else "rb") & set("wax+"))
    return method in _CHANGING


def add_choosing_methods(cls: Type[Any]) -> None:
    """Add every method to a class; each call goes to the storage that its ``_pick`` chooses."""
    for operation in OPERATIONS:
        _add(cls, operation, _choosing_methods(operation))


def add_combining_methods(cls: Type[Any]) -> None:
    """Add every method to a class; each call runs the generator that its ``_steps`` returns."""
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


# On top of the time of the storage, closures take 1.5 us for a dispatched size() and 0.6 us for a
# fallback's; methods generated by ``exec`` took 1.2 and 0.45 us (Python 3.11). Closures are easier
# to read and debug, which is worth the difference.


def _choosing_methods(operation: Operation) -> Tuple[Any, Any]:
    method, check, params = operation.name, operation.check, operation.params
    in_parts = operation.in_parts

    def forward(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        if name is _NOT_GIVEN:
            name = operation.take_first(kwargs)
        check(name)
        storage, name = self._pick(method, name, params(*args, **kwargs))
        if in_parts:
            require_uploads(storage)
        return getattr(storage, method)(name, *args, **kwargs)

    async def forward_async(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        if name is _NOT_GIVEN:
            name = operation.take_first(kwargs)
        check(name)
        storage, name = self._pick(method, name, params(*args, **kwargs))
        if in_parts:
            require_uploads(storage)
        return await call_async((storage, method, (name, *args), kwargs))

    return forward, forward_async


def _combining_methods(operation: Operation) -> Tuple[Any, Any]:
    def make_steps(self: Any, name: Any, args: Any, kwargs: Any) -> Any:
        if name is _NOT_GIVEN:
            name = operation.take_first(kwargs)
        operation.check(name)
        return self._steps(operation.name, name, *operation.as_positional(args, kwargs))

    def combine(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        return run(make_steps(self, name, args, kwargs), self._perform)

    async def combine_async(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        return await run_async(make_steps(self, name, args, kwargs), self._perform_async)

    return (
        _first_storage_method(operation) if operation.first_suffices else combine
    ), combine_async


def _first_storage_method(operation: Operation) -> Any:
    """Return a method that calls the first storage directly, and runs a generator only if needed.

    A generator costs a microsecond or two, and most calls need only the first storage.
    """
    method, check, has_mode = operation.name, operation.check, operation.name == "open"
    # Any answer counts, including a size of 0; only a false exists() leads to the next storage.
    may_say_no = method == "exists"

    def call_first(self: Any, name: Any = _NOT_GIVEN, *args: Any, **kwargs: Any) -> Any:
        if name is _NOT_GIVEN:
            name = operation.take_first(kwargs)
        if kwargs:
            args, kwargs = operation.as_positional(args, kwargs)
        check(name)
        storage = self._first_storage(*args) if has_mode else self._first_storage()
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

    return call_first
