"""How a dispatcher finds the storage of a call: by a recorded alias, or by asking its resolver."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from smart_storages import config
from smart_storages.common.arguments import require_flags, require_references
from smart_storages.common.names import check_name, check_path
from smart_storages.exceptions import ConfigurationError, ResolutionError
from smart_storages.resolvers.base import FALLBACK, StorageResolver, as_resolver, shortcut
from smart_storages.wrappers.forwarding import ChoosingStorage, ForwardingStorage
from smart_storages.wrappers.references import describe
from smart_storages.wrappers.routing import Choice, CircleGuard, KnownStorages
from smart_storages.wrappers.storage_api import OPERATIONS

__all__ = ["ResolvingStorage"]

_OF_PATHS = frozenset(each.name for each in OPERATIONS if each.check is check_path)
#: Methods whose argument is not a stored name, so it cannot hold a recorded alias.
_WITHOUT_FILES = frozenset(["save", "generate_filename", "get_valid_name", "get_alternative_name"])


class ResolvingStorage(ChoosingStorage):
    """A storage that forwards each call to the storage that its resolver chooses.

    A subclass calls ``_configure`` in its constructor with the options that it documents, and sets
    ``_is_from_settings`` if they are to be read from the settings instead.
    """

    _is_from_settings: bool

    def _configure(
        self,
        resolver: Any,
        storages: Optional[Mapping[str, Any]] = None,
        record_alias: Optional[bool] = None,
        unknown_alias: str = "raise",
    ) -> None:
        if unknown_alias not in ("raise", FALLBACK):
            raise ConfigurationError(
                f"StorageDispatcher: unknown_alias is 'raise' or 'fallback', not {unknown_alias!r}."
            )
        if record_alias is not None:
            require_flags(type(self), record_alias=record_alias)
        if storages is not None:
            require_references(type(self), by_label_only=True, storages=storages)
        self._given = resolver
        self._resolver: Any = None
        self._ask: Any = None
        self._accepts: Any = _accept_any
        self._accepts_by_aliases = False
        self._record_alias = record_alias
        self._records = False
        self._by_name = self._by_whole_name = False
        self._unknown_alias = unknown_alias
        self._choices: Dict[Optional[str], Choice] = {}
        self.storages = KnownStorages(storages)

    def _get_resolver(self) -> Any:
        # Not in the constructor: settings.py may create a dispatcher, and importing the resolver
        # may need the settings.
        if self._is_from_settings:
            options = config.get_storages().get("default", {}).get("OPTIONS", {})
            if options.get("resolver") is None:
                raise ConfigurationError(
                    'StorageDispatcher has no resolver: set STORAGES["default"]["OPTIONS"]'
                    '["resolver"], or pass one.'
                )
            self._configure(**options)
        resolver = as_resolver(self._given)
        records = getattr(resolver, "records", False)
        self._records = bool(records if self._record_alias is None else self._record_alias)
        self._by_name = getattr(resolver, "by_name", False) and not self._records
        self._by_whole_name = getattr(resolver, "by_whole_name", False) and not self._records
        self._accepts = getattr(resolver, "accepts", _accept_any)
        # _read_alias() does itself what StorageResolver.accepts does, to save a call on each read.
        is_plain = getattr(self._accepts, "__func__", None) is StorageResolver.accepts
        self._accepts_by_aliases = is_plain and resolver.aliases is not None
        self._resolver, self._ask = resolver, shortcut(resolver)
        return resolver

    def _forget(self) -> None:
        super()._forget()
        self._choices = {}
        self.storages.forget()
        self._resolver = self._ask = None

    # From an answer to a storage

    def _pick(self, method: str, name: Any, params: Dict[str, Any]) -> Tuple[Any, Any]:
        if self._resolver is None:
            self._get_resolver()
        recorded = None
        if self._records and method not in _WITHOUT_FILES:
            recorded = self._read_alias(method, name if type(name) is str else str(name))
        if recorded is None:
            choice = self._choose(method, name, params)
        else:
            choice, name = recorded
        storage = choice.storage
        if isinstance(storage, ForwardingStorage):
            storage = CircleGuard(self, storage, name)
        return storage, name

    def _choose(self, method: str, filename: str, params: Mapping[str, Any]) -> Choice:
        try:
            ask = self._ask or self._get_resolver()
            answer = ask(self.storages, method, filename, params)
        except ResolutionError as error:
            return self._choices.get(None) or self._choose_fallback(error)
        try:
            return self._choices[answer]
        except (KeyError, TypeError):
            return self._look_up(answer)

    def _look_up(self, answer: Any) -> Choice:
        if answer is None:
            return self._choose_fallback(None)
        if not isinstance(answer, str):
            if isinstance(answer, type) or not hasattr(answer, "exists"):
                raise ResolutionError(
                    f"{describe(self._resolver)} returned {answer!r}; a resolver returns an alias, "
                    "a module, a storage, or None for the fallback."
                )
            return self._checked(Choice(None, answer))
        if answer not in self.storages:
            if self._unknown_alias == FALLBACK:
                return self._choose_fallback(None)
            raise ResolutionError(
                f"{describe(self._resolver)} returned the alias {answer!r}, which does not exist; "
                f"there are {', '.join(self.storages) or 'none'}. Add it to STORAGES, or set "
                'unknown_alias="fallback".'
            )
        choice = self._checked(Choice(answer, self.storages[answer]))
        self._choices[answer] = choice
        return choice

    def _choose_fallback(self, error: Optional[ResolutionError]) -> Choice:
        if FALLBACK not in self.storages:
            raise ResolutionError(
                f"{describe(self._resolver)} chose no storage, and STORAGES has no 'fallback'. "
                "Add one, or make the resolver return an alias."
            ) from error
        choice = self._checked(Choice(FALLBACK, self.storages[FALLBACK], True))
        self._choices[None] = choice
        return choice

    def _checked(self, choice: Choice) -> Choice:
        if choice.storage is self:
            raise self._own_alias_error(choice.alias)
        return choice

    def _own_alias_error(self, alias: Optional[str]) -> ResolutionError:
        return ResolutionError(
            f"{describe(self._resolver)} returned {alias!r}, which refers back to the dispatcher "
            "that called it. Make it return another alias."
        )

    def _guard(self, storage: Any, name: Any) -> Any:
        if isinstance(storage, ForwardingStorage):
            return CircleGuard(self, storage, name)
        return storage

    # Aliases recorded in names

    def _locate(self, method: str, name: Any, params: Mapping[str, Any]) -> Tuple[Choice, Any]:
        if self._resolver is None:
            self._get_resolver()
        if self._records and method not in _WITHOUT_FILES:
            recorded = self._read_alias(method, name if type(name) is str else str(name))
            if recorded:
                return recorded
        return self._choose(method, name, params), name

    def _read_alias(self, method: str, name: str) -> Optional[Tuple[Choice, str]]:
        alias, _, rest = name.partition("/")
        if not rest and method not in _OF_PATHS:
            return None
        if self._accepts_by_aliases and alias not in self._resolver.aliases:
            return None
        choice = self._choices.get(alias)
        if choice is None and alias not in self.storages:
            return None
        if not (self._accepts_by_aliases or self._accepts(self.storages, alias, name)):
            return None
        check_path(rest) if method in _OF_PATHS else check_name(rest)
        return choice or self._look_up(alias), rest

    def _segment(self, choice: Choice) -> str:
        alias = choice.alias
        if alias is None:
            raise ConfigurationError(
                f"{describe(self._resolver)} returned a storage instance; with record_alias it "
                "must return an alias, which is recorded in the name."
            )
        if not alias or "/" in alias or "\\" in alias or alias.strip(".") == "":
            raise ConfigurationError(
                f"The alias {alias!r} cannot be recorded in a name; use letters, digits, '-', '_'."
            )
        return f"{alias}/"


def _accept_any(storages: Any, alias: str, name: str) -> bool:
    return True
