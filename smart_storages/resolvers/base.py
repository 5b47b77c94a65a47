"""The base class of resolvers, and how a dispatcher's ``resolver`` option is turned into one."""

from __future__ import annotations

from inspect import signature
from typing import Any, Collection, Dict, FrozenSet, List, Mapping, Optional, Tuple

from smart_storages.common.arguments import import_path
from smart_storages.common.documentation import plain_text
from smart_storages.common.names import path_of
from smart_storages.exceptions import ConfigurationError, ResolutionError

__all__ = [
    "FALLBACK",
    "FirstMatch",
    "StorageResolver",
    "as_resolver",
    "explain_answer",
    "known",
    "shortcut",
    "without_missing_fallback",
]

#: Alias of the storage that is used if a resolver chooses none.
FALLBACK = "fallback"


class StorageResolver:
    """A rule that says which storage a file lives in.

    Override :meth:`resolve`. The constructor's arguments are written into migrations and pickles:
    use plain values for them, and look things up in ``resolve``.

    Example::

        class ByCountry(StorageResolver):
            def resolve(self, storages, method, filename, params):
                return "europe" if filename.startswith("eu/") else None
    """

    #: Set it to ``True`` if a later read could not repeat the choice. The dispatcher then records
    #: the alias in the name.
    records = False
    #: ``True`` if the choice depends on the name. The dispatcher then makes sure that the name
    #: under which a file is finally stored resolves to the storage that it was written to.
    by_name = False
    #: ``True`` if it depends on the whole name, so that any change of it, such as a suffix, may
    #: resolve to another storage.
    by_whole_name = False
    #: ``True`` if it depends on the context of the call, such as the current tenant: in another
    #: context, the same name may be another file.
    by_context = False
    #: Every alias that the rule can return, ``None`` if that is not known.
    aliases: Optional[FrozenSet[str]] = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        resolver = super().__new__(cls)
        resolver._constructor_args = (args, kwargs)
        return resolver

    _constructor_args: Tuple[Tuple[Any, ...], Dict[str, Any]]

    def __call__(
        self, storages: Mapping[str, Any], method: str, filename: str, params: Mapping[str, Any]
    ) -> Any:
        """Called by the dispatcher; override it to run code around every resolution."""
        return self.resolve(storages, method, filename, params)

    def resolve(
        self, storages: Mapping[str, Any], method: str, filename: str, params: Mapping[str, Any]
    ) -> Any:
        """Return the alias of the storage for one call.

        Args:
            storages: The storages that can be chosen, by alias.
            method: Method of the Storage API; ``"save"`` also when the name for a save is made.
            filename: Name of the file, or of the directory for ``listdir``.
            params: The other arguments of the call: ``content`` of a save, ``mode`` of an open.

        Returns:
            An alias of ``STORAGES``, a module of ``SMART_STORAGE_BUCKETS`` or a storage;
            ``None`` for the fallback.

        Raises:
            ResolutionError: means the fallback, as ``None`` does.
        """
        raise NotImplementedError(f"{type(self).__name__} must define resolve().")

    def accepts(self, storages: Mapping[str, Any], alias: str, filename: str) -> bool:
        """Return whether ``alias``, the first segment of a name, is one that a save recorded.

        Raises:
            RoutingRefusedError: it is, but the file may not be accessed in the current context.
        """
        return alias in storages if self.aliases is None else alias in self.aliases

    def spread(self, storages: Mapping[str, Any], path: str) -> Optional[Collection[str]]:
        """Return every alias that may hold files of a directory.

        ``None`` means only the alias that ``resolve`` returns for it.
        """
        return None

    def explain(
        self, storages: Mapping[str, Any], method: str, filename: str, params: Mapping[str, Any]
    ) -> str:
        """Return a sentence that says why ``resolve`` chooses this storage."""
        return explain_answer(self, repr(self), storages, method, filename, params)

    def deconstruct(self) -> Tuple[str, Tuple[Any, ...], Dict[str, Any]]:
        """Return the dotted path of the class and its arguments, for migrations."""
        args, kwargs = self._constructor_args
        return path_of(type(self)), args, kwargs

    def __reduce__(self) -> Any:
        args, kwargs = self._constructor_args
        return _rebuild, (type(self), args, kwargs)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        same: bool = self._constructor_args == other._constructor_args
        return same

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        args, kwargs = self._constructor_args
        shown = [repr(arg) for arg in args] + [f"{key}={arg!r}" for key, arg in kwargs.items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def _rebuild(cls: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
    return cls(*args, **kwargs)


def as_resolver(resolver: Any) -> Any:
    """Return the callable that a dispatcher's ``resolver`` stands for.

    Args:
        resolver: An instance, a class, a callable, or the dotted path of one of them.

    Raises:
        ConfigurationError: it is none of them.

    Example:
        >>> as_resolver("smart_storages.resolvers.ByTenant")
        ByTenant()
    """
    given = resolver
    if isinstance(resolver, str):
        resolver = import_path("The dispatcher's resolver", resolver)
    label = given if isinstance(given, str) else _name_of(given)
    if isinstance(resolver, type):
        try:
            resolver = resolver()
        except TypeError as error:
            raise ConfigurationError(
                f"The resolver {label!r} is a class that needs arguments: {error}. Give an "
                "instance of it, or the dotted path of one."
            ) from error
    if not callable(resolver):
        raise ConfigurationError(
            f"{label!r} is not a resolver: its type is {type(resolver).__name__}. Give a "
            "StorageResolver, a callable of (storages, method, filename, params), or the dotted "
            "path of one."
        )
    _refuse_signature(resolver, label)
    return resolver


def _name_of(resolver: Any) -> str:
    if isinstance(resolver, StorageResolver):
        return repr(resolver)
    return str(getattr(resolver, "__qualname__", type(resolver).__qualname__))


def _refuse_signature(resolver: Any, label: str) -> None:
    # Done once for each dispatcher, so that it costs no time in calls.
    asked = shortcut(resolver)
    if asked is not resolver and type(resolver).__module__ == __package__:
        return
    try:
        arguments = signature(asked)
    except (TypeError, ValueError):  # some built-in callables have no signature to inspect
        return
    try:
        arguments.bind({}, "open", "a.txt", {})
    except TypeError as error:
        raise ConfigurationError(
            f"The resolver {label!r} cannot be called with (storages, method, filename, params): "
            f"{error}. Make it take these arguments."
        ) from error


def explain_answer(resolver: Any, label: str, *call: Any) -> str:
    """Return a sentence about the answer of a resolver that has no explanation of its own."""
    try:
        answer = resolver(*call)
    except ResolutionError as error:
        return f"{label} raised ResolutionError: {plain_text(error).rstrip('.')}."
    return f"{label} returned {'None' if answer is None else 'it'}."


def shortcut(resolver: Any) -> Any:
    """Return what to call for a resolver: its ``resolve``, unless it overrides ``__call__``.

    This saves one call on each resolution.
    """
    is_ours = isinstance(resolver, StorageResolver)
    if is_ours and type(resolver).__call__ is StorageResolver.__call__:
        return resolver.resolve
    return resolver


def _accept_known(storages: Mapping[str, Any], alias: str, filename: str) -> bool:
    return alias in storages


def known(*aliases: Optional[str]) -> FrozenSet[str]:
    return frozenset(alias for alias in aliases if alias is not None)


def without_missing_fallback(aliases: Collection[str], storages: Mapping[str, Any]) -> List[str]:
    """Return the aliases without a fallback that does not exist.

    Other aliases that do not exist stay: they are mistakes, and the caller raises for them.
    """
    return [alias for alias in aliases if alias != FALLBACK or alias in storages]


class FirstMatch(StorageResolver):
    """Asks several rules in order, and uses the first that returns a storage.

    Args:
        resolvers: Instances, classes, callables or dotted paths, in the order in which they are
            asked. If one returns ``None`` or raises ``ResolutionError``, the next is asked.

    Example:
        >>> rule = FirstMatch(ByExtension({"pdf": "documents"}), ByPathPrefix({"img": "media"}))
        >>> rule.resolve({}, "open", "img/a.png", {})
        'media'
    """

    def __init__(self, *resolvers: Any) -> None:
        if not resolvers:
            raise ConfigurationError("FirstMatch has no rules: give it one or more.")
        self.given = resolvers
        self._resolvers: Optional[List[Any]] = None
        self._shortcuts: Optional[List[Any]] = None
        self._acceptors: Optional[List[Any]] = None

    @property
    def resolvers(self) -> List[Any]:
        # Not in the constructor: settings.py may create this rule, and importing what it names
        # may need the settings.
        if self._resolvers is None:
            self._resolvers = [as_resolver(each) for each in self.given]
        return self._resolvers

    def _make_shortcuts(self) -> List[Any]:
        self._shortcuts = [shortcut(each) for each in self.resolvers]
        return self._shortcuts

    @property
    def records(self) -> bool:  # type: ignore[override]
        return any(getattr(each, "records", False) for each in self.resolvers)

    @property
    def by_name(self) -> bool:  # type: ignore[override]
        return any(getattr(each, "by_name", False) for each in self.resolvers)

    @property
    def by_whole_name(self) -> bool:  # type: ignore[override]
        return any(getattr(each, "by_whole_name", False) for each in self.resolvers)

    @property
    def by_context(self) -> bool:  # type: ignore[override]
        return any(getattr(each, "by_context", False) for each in self.resolvers)

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Any:
        for ask in self._shortcuts or self._make_shortcuts():
            try:
                answer = ask(storages, method, filename, params)
            except ResolutionError:
                continue
            if answer is not None:
                return answer
        return None

    def accepts(self, storages: Mapping[str, Any], alias: str, filename: str) -> bool:
        is_accepted = False
        # Every rule is asked, so that any of them can refuse by raising.
        for accepts in self._acceptors or self._make_acceptors():
            if accepts(storages, alias, filename):
                is_accepted = True
        return is_accepted

    def _make_acceptors(self) -> List[Any]:
        self._acceptors = [
            each.accepts if isinstance(each, StorageResolver) else _accept_known
            for each in self.resolvers
        ]
        return self._acceptors

    def spread(self, storages: Any, path: str) -> Optional[Collection[str]]:
        found: List[str] = []
        for each in self.resolvers:
            if isinstance(each, StorageResolver):
                found.extend(each.spread(storages, path) or ())
        return known(*found) or None

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        for each in self.resolvers:
            if FirstMatch(each).resolve(storages, method, filename, params) is None:
                continue
            if isinstance(each, StorageResolver):
                return f"{each!r}: {each.explain(storages, method, filename, params)}"
            return f"{each!r} returned it."
        return "No rule matches."
