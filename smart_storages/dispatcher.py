"""A storage that forwards each call to the storage chosen by a resolver."""

from __future__ import annotations

from itertools import islice
from typing import Any, Iterator, List, Mapping, Optional, Set, Tuple

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import Storage

from smart_storages.common.content import LentContent, make_rewindable
from smart_storages.common.documentation import plain_text
from smart_storages.common.names import PreparedName, alternatives, check_name, check_path, renamed
from smart_storages.exceptions import ResolutionError, RoutingRefusedError
from smart_storages.resolvers.base import StorageResolver, explain_answer
from smart_storages.wrappers.announced import AnnouncedFile
from smart_storages.wrappers.calls import Steps, run, run_async
from smart_storages.wrappers.forwarding import put_steps, sync_mirrors_steps
from smart_storages.wrappers.references import describe
from smart_storages.wrappers.resolving import ResolvingStorage
from smart_storages.wrappers.routing import Choice, ContentNeeded, Explanation, ParamsBeforeContent
from smart_storages.wrappers.storage_api import require_uploads

__all__ = ["StorageDispatcher"]

_MAX_NAMES_TRIED = 1000
_MAX_SAVES_TRIED = 100
_PLAIN = Storage()


class StorageDispatcher(ResolvingStorage):
    """Sends each call to the storage that a resolver chooses.

    Args:
        resolver: An instance, a class, a callable of ``(storages, method, filename, params)``, or
            the dotted path of one. If it is not given, the options are read from
            ``STORAGES["default"]["OPTIONS"]``; this is for ``DEFAULT_FILE_STORAGE`` before
            Django 4.2.
        storages: References by alias, if the resolver may choose from these only; by default,
            every alias of ``STORAGES`` and every module of ``SMART_STORAGE_BUCKETS``.
        record_alias: Store the alias as the first segment of the name, so that a read finds the
            file in any context. By default, only if the resolver could not repeat its choice
            later.
        unknown_alias: ``"raise"``, or ``"fallback"`` to use the fallback for an alias that does
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

    def resolve(
        self, method: str, filename: str, params: Optional[Mapping[str, Any]] = None
    ) -> Any:
        """Return the storage that a call goes to.

        Args:
            method: Method of the Storage API.
            filename: Name of the file.
            params: The other arguments of the call.

        Raises:
            ResolutionError: no storage, an unknown alias, or an alias that refers back to this
                dispatcher.

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
        """Return which storage a call goes to, by which rule, and why; or why it is refused.

        Args:
            name: Name of the file.
            method: Method of the Storage API.
            params: The other arguments of the call, such as the ``content`` of a save.

        Raises:
            ResolutionError: no storage could be chosen; the call itself would raise it too.

        Example::

            print(default_storage.explain("reports/2026.pdf"))
        """
        try:
            choice, inner_name = self._locate(method, name, params)
        except RoutingRefusedError as error:
            return Explanation(
                name, method, None, None, repr(self._resolver), plain_text(error), name
            )
        resolver = self._resolver
        if inner_name != name:
            rule, reason = "recorded alias", f"The name begins with {choice.alias!r}."
        else:
            rule = repr(resolver)
            if isinstance(resolver, StorageResolver):
                reason = resolver.explain(self.storages, method, name, params)
            else:
                call = (self.storages, method, name, params)
                reason = explain_answer(resolver, describe(resolver), *call)
            if choice.is_fallback:
                reason += " That selects no storage, so the fallback is used."
        storage, inner = choice.storage, None
        if isinstance(storage, StorageDispatcher):
            inner = storage.explain(inner_name, method, **params)
        return Explanation(name, method, choice.alias, storage, rule, reason, inner_name, inner)

    def listdir(self, path: str) -> Tuple[List[str], List[str]]:
        """List a directory in every storage that may hold files of it.

        If names record their alias, the directories of the root are the aliases.
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
        """Return the name made by the storage chosen for the save; it carries that choice along."""
        filename = str(filename).replace("\\", "/")
        check_name(filename)
        try:
            choice = self._choose("save", filename, ParamsBeforeContent(max_length=None))
        except ContentNeeded:
            text = _PLAIN.generate_filename(filename)
            return PreparedName(text, owner=self, storage=None, inner=filename)
        inner = self._guard(choice.storage, filename).generate_filename(filename)
        if self._by_whole_name and inner != filename:
            choice = self._choose("save", inner, ParamsBeforeContent(max_length=None))
        check_name(inner)
        return PreparedName(str(inner), owner=self, storage=choice, inner=inner)

    def get_available_name(self, name: str, max_length: Optional[int] = None) -> str:
        """Return a name that is free in the chosen storage, and for which it is chosen again."""
        check_name(name)
        params = {"max_length": max_length}
        choice, inner = self._locate("get_available_name", name, params)
        alias = name[: len(name) - len(inner)]
        limit = max_length and max_length - len(alias)
        return alias + str(run(self._free_name_steps(choice, inner, limit, params)))

    def get_upload_name(
        self,
        name: str,
        *,
        content_type: str = "",
        size: Optional[int] = None,
        max_length: Optional[int] = None,
    ) -> str:
        """Return a name for an upload in parts, for which the storage of that save is chosen.

        If names record their alias, it is in front.
        """
        check_name(name)
        about: Any = {"content_type": content_type, "size": size}
        params = {"content": AnnouncedFile(str(name), **about), "max_length": max_length}
        prepared = PreparedName.made_by(self, name)
        if prepared and prepared.storage:
            choice, name = prepared.storage, prepared.inner
        else:
            name = prepared.inner if prepared else name
            choice = self._choose("save", name, params)
        alias = self._segment(choice) if self._records else ""
        limit = max_length and max_length - len(alias)
        storage = self._guard(choice.storage, name)
        require_uploads(storage)
        for _ in range(_MAX_NAMES_TRIED):
            drawn = storage.get_upload_name(name, max_length=limit, **about)
            check_name(drawn)
            if not self._by_name or self._resolves_to(choice, drawn, params):
                return f"{alias}{drawn}"
        raise ResolutionError(
            f"{describe(self._resolver)} chooses {choice.alias!r} for {name!r}, and for none of "
            "the names tried for its upload: set record_alias=True."
        )

    def _save_steps(self, name: str, content: Any, max_length: Optional[int]) -> Steps:
        params = {"content": content, "max_length": max_length}
        prepared = PreparedName.made_by(self, name)
        if prepared and prepared.storage:
            choice, name = prepared.storage, prepared.inner
        else:
            name = prepared.inner if prepared else name
            choice = self._choose("save", name, params)
            if prepared:
                name = yield self._guard(choice.storage, name), "generate_filename", (name,), {}
        alias = self._segment(choice) if self._records else ""
        limit = max_length and max_length - len(alias)
        if limit is not None and limit < 1:
            raise SuspiciousFileOperation(
                f"{name!r} does not fit after {alias!r}: give the field a larger max_length."
            )
        saved = yield from self._write_steps(choice, name, content, limit, params)
        check_name(saved)
        return f"{alias}{saved}"

    def _write_steps(
        self, choice: Choice, name: str, content: Any, limit: Optional[int], params: Any
    ) -> Steps:
        storage = self._guard(choice.storage, name)
        if not self._by_whole_name:
            saved = yield storage, "save", (name, content), {"max_length": limit}
            if saved == name or not self._by_name or self._resolves_to(choice, saved, params):
                return saved
            yield storage, "delete", (saved,), {}
            raise ResolutionError(
                f"{choice.alias!r} stored {name!r} as {saved!r}, for which "
                f"{describe(self._resolver)} chooses another storage: set record_alias=True."
            )
        content = make_rewindable(content)
        candidates = alternatives(name, limit, storage.get_alternative_name)
        for other in islice(candidates, _MAX_SAVES_TRIED):
            free = yield from self._free_name_steps(choice, other, limit, params)
            free = renamed(name, free)
            saved = yield storage, "save", (free, LentContent(content)), {"max_length": limit}
            if saved == free or self._resolves_to(choice, saved, params):
                return saved
            # Another writer took the name in the meantime, or the storage makes its own names.
            yield storage, "delete", (saved,), {}
        raise ResolutionError(
            f"{choice.alias!r} stores {name!r} only under names for which "
            f"{describe(self._resolver)} chooses another storage: set record_alias=True."
        )

    def _put_steps(self, name: str, content: Any, replace: bool) -> Steps:
        choice, inner = self._locate("open", name, {"mode": "wb"})
        return (yield from put_steps(choice.storage, inner, content, replace=replace))

    def _sync_mirrors_steps(self, name: str) -> Steps:
        choice, inner = self._locate("open", name, {"mode": "wb"})
        yield from sync_mirrors_steps(choice.storage, inner)

    def _free_name_steps(
        self, choice: Choice, name: str, limit: Optional[int], params: Any
    ) -> Steps:
        storage = self._guard(choice.storage, name)
        free = yield storage, "get_available_name", (name,), {"max_length": limit}
        if not self._by_whole_name or self._resolves_to(choice, free, params):
            return free
        candidates = alternatives(name, limit, storage.get_alternative_name)
        for other in islice(candidates, _MAX_NAMES_TRIED):
            if other != name and self._resolves_to(choice, other, params):
                free = yield storage, "get_available_name", (other,), {"max_length": limit}
                if self._resolves_to(choice, free, params):
                    return free
        raise ResolutionError(
            f"{describe(self._resolver)} chooses {choice.alias!r} for {name!r}, which is taken, "
            "and for none of the free names tried: set record_alias=True."
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
                found = yield self._guard(storage, path), "listdir", (path,), {}
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
        # An alias that does not exist raises here as it does for other calls.
        found = [self._look_up(alias).alias or alias for alias in spread or ()]
        for alias in found or getattr(self._resolver, "aliases", None) or self.storages:
            if alias in self.storages and self._accepts(self.storages, alias, alias):
                yield alias

    def _resolves_to(self, choice: Choice, name: str, params: Any) -> bool:
        return self._choose("save", name, params).storage is choice.storage

    def __repr__(self) -> str:
        return f"<StorageDispatcher by {describe(self._given)}>"
