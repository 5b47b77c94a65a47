"""One storage chosen by a resolver, call by call."""

from __future__ import annotations

from itertools import islice
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import Storage

from smart_storages import config
from smart_storages.calls import Steps, run, run_async
from smart_storages.content import LentContent, make_rewindable
from smart_storages.exceptions import ConfigurationError, ResolutionError
from smart_storages.forwarding import (
    OPERATIONS,
    ChoosingStorage,
    ForwardingStorage,
    follow_steps,
    put_steps,
)
from smart_storages.names import PreparedName, alternatives, check_name, check_path
from smart_storages.references import describe
from smart_storages.resolvers.base import FALLBACK, StorageResolver, as_resolver, shortcut
from smart_storages.routing import (
    BeforeContent,
    Choice,
    ContentNeeded,
    Explanation,
    KnownStorages,
    Watched,
)

__all__ = ["StorageDispatcher"]

_MOST_DRAWS = 1000
_MOST_SAVES = 100
_PLAIN = Storage()

_OF_PATHS = frozenset(each.name for each in OPERATIONS if each.check == "path")
#: Methods whose argument is no stored name, so that nothing is recorded in it.
_WITHOUT_FILES = frozenset(["save", "generate_filename", "get_valid_name", "get_alternative_name"])


class StorageDispatcher(ChoosingStorage):
    """Sends each call to the storage that a resolver chooses.

    Args:
        resolver: An instance, a class, a callable of ``(storages, method, filename, params)``, or
            the dotted path of one. Without it, as ``DEFAULT_FILE_STORAGE`` before Django 4.2, the
            options are read from ``STORAGES["default"]["OPTIONS"]``.
        storages: References by alias, to choose from these alone; by default every alias of
            ``STORAGES`` and every module of ``SMART_STORAGE_BUCKETS``.
        record_alias: Store the alias as the first segment of the name, so that a read finds the
            file whoever is asking. By default, where the resolver's choice cannot be repeated.
        unknown_alias: ``"raise"``, or ``"fallback"`` to take the fallback for an alias that does
            not exist.

    Raises:
        ResolutionError: from any method: no storage could be chosen.

    Example::

        STORAGES = {
            "default": {"BACKEND": "smart_storages.dispatcher.StorageDispatcher",
                        "OPTIONS": {"resolver": "myproject.routing.ByCountry"}},
            "fallback": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        }
    """

    def __init__(
        self,
        resolver: Any = None,
        *,
        storages: Optional[Mapping[str, Any]] = None,
        record_alias: Optional[bool] = None,
        unknown_alias: str = "raise",
    ) -> None:
        self._configure(resolver, storages, record_alias, unknown_alias)
        self._is_from_settings = resolver is None

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
        self._given = resolver
        self._resolver: Any = None
        self._ask: Any = None
        self._record_alias = record_alias
        self._records = False
        self._by_name = self._by_whole_name = False
        self._unknown_alias = unknown_alias
        self._choices: Dict[Optional[str], Choice] = {}
        self.storages = KnownStorages(storages)

    def _get_resolver(self) -> Any:
        # Late: settings.py may build a dispatcher, and what it names may need settings.
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
        self._resolver, self._ask = resolver, shortcut(resolver)
        return resolver

    def _forget(self) -> None:
        super()._forget()
        self._choices = {}
        self.storages.forget()
        self._resolver = self._ask = None

    def resolve(
        self, method: str, filename: str, params: Optional[Mapping[str, Any]] = None
    ) -> Any:
        """Return the storage that a call goes to.

        Args:
            method: Method of the Storage API.
            filename: Name of the file.
            params: The other arguments of the call.

        Raises:
            ResolutionError: no storage; an unknown alias; this dispatcher itself, or a circle.

        Example::

            default_storage.resolve("open", "reports/2026.pdf", {})
        """
        params = {} if params is None else params
        choice, name = self._locate(method, filename, params)
        seen: List[Any] = [self]
        storage, inner = choice.storage, name
        while isinstance(storage, StorageDispatcher):
            if any(storage is each for each in seen):
                raise self._own_alias_error(choice.alias)
            seen.append(storage)
            following, inner = storage._locate(method, inner, params)
            storage = following.storage
        return choice.storage

    def explain(self, name: str, method: str = "open", **params: Any) -> Explanation:
        """Tell which storage a call goes to, by which rule, and why.

        Args:
            name: Name of the file.
            method: Method of the Storage API.
            params: The other arguments of the call, such as the ``content`` of a save.

        Raises:
            ResolutionError: as the call itself would.

        Example::

            print(default_storage.explain("reports/2026.pdf"))
        """
        choice, inner_name = self._locate(method, name, params)
        resolver = self._resolver
        if inner_name != name:
            rule, reason = "recorded alias", f"The name begins with {choice.alias!r}."
        else:
            rule, reason = repr(resolver), f"{describe(resolver)} gave it."
            if isinstance(resolver, StorageResolver):
                reason = resolver.explain(self.storages, method, name, params)
            if choice.is_fallback:
                reason += " That leads to no storage, so it is the fallback."
        storage, inner = choice.storage, None
        if isinstance(storage, StorageDispatcher):
            inner = storage.explain(inner_name, method, **params)
        return Explanation(name, method, choice.alias, storage, rule, reason, inner_name, inner)

    def listdir(self, path: str) -> Tuple[List[str], List[str]]:
        """List a directory in every storage that may hold files of it.

        Where names record their alias, the root holds the aliases.
        """
        check_path(path)
        found: Tuple[List[str], List[str]] = run(self._list_steps(path))
        return found

    async def alistdir(self, path: str) -> Tuple[List[str], List[str]]:
        """List a directory, as :meth:`listdir`."""
        check_path(path)
        found: Tuple[List[str], List[str]] = await run_async(self._list_steps(path))
        return found

    def generate_filename(self, filename: Any) -> str:
        """Let the storage chosen for the save make the name; the choice travels inside it."""
        filename = str(filename).replace("\\", "/")
        check_name(filename)
        try:
            choice = self._choose("save", filename, BeforeContent(max_length=None))
        except ContentNeeded:
            text = _PLAIN.generate_filename(filename)
            return PreparedName(text, owner=self, storage=None, inner=filename)
        inner = self._watch(choice.storage, filename).generate_filename(filename)
        if self._by_whole_name and inner != filename:
            choice = self._choose("save", inner, BeforeContent(max_length=None))
        check_name(inner)
        return PreparedName(str(inner), owner=self, storage=choice, inner=inner)

    def get_available_name(self, name: str, max_length: Optional[int] = None) -> str:
        """Return a name that is free in the storage chosen, and by which it is chosen again."""
        check_name(name)
        params = {"max_length": max_length}
        choice, inner = self._locate("get_available_name", name, params)
        alias = name[: len(name) - len(inner)]
        limit = max_length and max_length - len(alias)
        return alias + str(run(self._free_name_steps(choice, inner, limit, params)))

    def _save_steps(self, name: str, content: Any, max_length: Optional[int]) -> Steps:
        params = {"content": content, "max_length": max_length}
        prepared = PreparedName.made_by(self, name)
        if prepared and prepared.storage:
            choice, name = prepared.storage, prepared.inner
        else:
            name = prepared.inner if prepared else name
            choice = self._choose("save", name, params)
            if prepared:
                name = yield self._watch(choice.storage, name), "generate_filename", (name,), {}
        alias = self._segment(choice) if self._records else ""
        limit = max_length and max_length - len(alias)
        if limit is not None and limit < 1:
            raise SuspiciousFileOperation(
                f"No room for {name!r} behind {alias!r}: allow the field a larger max_length."
            )
        saved = yield from self._write_steps(choice, name, content, limit, params)
        check_name(saved)
        return f"{alias}{saved}"

    def _write_steps(
        self, choice: Choice, name: str, content: Any, limit: Optional[int], params: Any
    ) -> Steps:
        storage = self._watch(choice.storage, name)
        if not self._by_whole_name:
            saved = yield storage, "save", (name, content), {"max_length": limit}
            if saved == name or not self._by_name or self._leads(choice, saved, params):
                return saved
            yield storage, "delete", (saved,), {}
            raise ResolutionError(
                f"{choice.alias!r} stored {name!r} as {saved!r}, which leads elsewhere by "
                f"{describe(self._resolver)}: set record_alias."
            )
        content = make_rewindable(content)
        draws = alternatives(name, limit, storage.get_alternative_name)
        for other in islice(draws, _MOST_SAVES):
            free = yield from self._free_name_steps(choice, other, limit, params)
            saved = yield storage, "save", (free, LentContent(content)), {"max_length": limit}
            if saved == free or self._leads(choice, saved, params):
                return saved
            # Another writer took the name in between, or the storage gives names of its own.
            yield storage, "delete", (saved,), {}
        raise ResolutionError(
            f"{choice.alias!r} stores {name!r} only under names that lead elsewhere by "
            f"{describe(self._resolver)}: set record_alias."
        )

    def _put_steps(self, name: str, content: Any, replace: bool) -> Steps:
        choice, inner = self._locate("open", name, {"mode": "wb"})
        return (yield from put_steps(choice.storage, inner, content, replace=replace))

    def _follow_steps(self, name: str) -> Steps:
        choice, inner = self._locate("open", name, {"mode": "wb"})
        yield from follow_steps(choice.storage, inner)

    def _free_name_steps(
        self, choice: Choice, name: str, limit: Optional[int], params: Any
    ) -> Steps:
        storage = self._watch(choice.storage, name)
        free = yield storage, "get_available_name", (name,), {"max_length": limit}
        if not self._by_whole_name or self._leads(choice, free, params):
            return free
        draws = alternatives(name, limit, storage.get_alternative_name)
        for other in islice(draws, _MOST_DRAWS):
            if other != name and self._leads(choice, other, params):
                free = yield storage, "get_available_name", (other,), {"max_length": limit}
                if self._leads(choice, free, params):
                    return free
        raise ResolutionError(
            f"No free name for {name!r} leads to {choice.alias!r}, the storage of the name itself."
        )

    def _list_steps(self, path: str) -> Steps:
        choice: Optional[Choice] = None
        if self._resolver is None:
            self._get_resolver()
        if self._records:
            if path in ("", "."):
                return sorted(self._visible_aliases()), []
            choice, path = self._locate("listdir", path, {})
        spread = getattr(self._resolver, "spread", None) if choice is None else None
        aliases = spread(self.storages, path) if spread else None
        choices = [choice] if choice else [self._look_up(each) for each in aliases or ()]
        choices = choices or [self._choose("listdir", path, {})]
        storages = {id(each.storage): each.storage for each in choices}.values()
        directories: Set[str] = set()
        files: Set[str] = set()
        missing: List[FileNotFoundError] = []
        for storage in storages:
            try:
                found = yield self._watch(storage, path), "listdir", (path,), {}
            except FileNotFoundError as error:
                missing.append(error)
            else:
                directories.update(found[0])
                files.update(found[1])
        is_listed_alias = choice is not None and path == ""
        if len(missing) == len(storages) and not is_listed_alias:
            raise missing[0]
        return sorted(directories), sorted(files)

    def _visible_aliases(self) -> Iterator[str]:
        spread = getattr(self._resolver, "spread", lambda *_: None)(self.storages, "")
        for alias in spread or getattr(self._resolver, "aliases", None) or self.storages:
            if alias in self.storages and self._accepts(alias, alias):
                yield alias

    def _leads(self, choice: Choice, name: str, params: Any) -> bool:
        return self._choose("save", name, params).storage is choice.storage

    def _segment(self, choice: Choice) -> str:
        alias = choice.alias
        if alias is None:
            raise ConfigurationError(
                f"{describe(self._resolver)} gave a storage; to be recorded in the name it must "
                "give an alias."
            )
        if not alias or "/" in alias or "\\" in alias or alias.strip(".") == "":
            raise ConfigurationError(
                f"The alias {alias!r} cannot be recorded in a name; use letters, digits, '-', '_'."
            )
        return f"{alias}/"

    def _watch(self, storage: Any, name: Any) -> Any:
        return Watched(self, storage, name) if isinstance(storage, ForwardingStorage) else storage

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
                    f"{describe(self._resolver)} gave {answer!r}; a resolver gives an alias, a "
                    "module, a storage, or None for the fallback."
                )
            return self._checked(Choice(None, answer))
        if answer not in self.storages:
            if self._unknown_alias == FALLBACK:
                return self._choose_fallback(None)
            raise ResolutionError(
                f"{describe(self._resolver)} gave the alias {answer!r}, which does not exist; "
                f"there are {', '.join(self.storages) or 'none'}. Add it to STORAGES, or set "
                'unknown_alias="fallback".'
            )
        choice = self._checked(Choice(answer, self.storages[answer]))
        self._choices[answer] = choice
        return choice

    def _choose_fallback(self, error: Optional[ResolutionError]) -> Choice:
        if FALLBACK not in self.storages:
            raise ResolutionError(
                f"{describe(self._resolver)} gave no storage, and STORAGES has no 'fallback'."
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
            f"{describe(self._resolver)} gave {alias!r}, which leads back to the dispatcher that "
            "asked. Make it give another alias."
        )

    def _locate(self, method: str, name: Any, params: Mapping[str, Any]) -> Tuple[Choice, Any]:
        if self._resolver is None:
            self._get_resolver()
        if self._records and method not in _WITHOUT_FILES:
            recorded = self._read_alias(method, str(name))
            if recorded:
                return recorded
        return self._choose(method, name, params), name

    def _read_alias(self, method: str, name: str) -> Optional[Tuple[Choice, str]]:
        alias, _, rest = name.partition("/")
        if not rest and method not in _OF_PATHS:
            return None
        choice = self._choices.get(alias)
        if choice is None and alias not in self.storages:
            return None
        if not self._accepts(alias, name):
            return None
        check_path(rest) if method in _OF_PATHS else check_name(rest)
        return choice or self._look_up(alias), rest

    def _accepts(self, alias: str, name: str) -> bool:
        accepts = getattr(self._resolver, "accepts", None)
        return True if accepts is None else bool(accepts(self.storages, alias, name))

    def _pick(self, method: str, name: Any, params: Dict[str, Any]) -> Tuple[Any, Any]:
        if self._records or self._resolver is None:
            choice, name = self._locate(method, name, params)
        else:
            choice = self._choose(method, name, params)
        storage = choice.storage
        if isinstance(storage, ForwardingStorage):
            storage = Watched(self, storage, name)
        return storage, name

    def __repr__(self) -> str:
        return f"<StorageDispatcher by {describe(self._given)}>"
