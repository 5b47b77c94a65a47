"""Several storages, tried one after another: the first that succeeds answers."""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from smart_storages import config
from smart_storages.common.arguments import (
    require_choices,
    require_flags,
    require_numbers,
    require_references,
)
from smart_storages.common.content import LentContent, make_rewindable
from smart_storages.common.names import PreparedName, alternatives, check_name, check_path, renamed
from smart_storages.exceptions import ConfigurationError
from smart_storages.signals import backend_answered
from smart_storages.storages.lookup import resolve_storage
from smart_storages.wrappers.backend import NOTHING, Backend, flag_backends
from smart_storages.wrappers.calls import (
    Call,
    Steps,
    call_now,
    call_within,
    call_within_async,
    run,
    with_known_result,
)
from smart_storages.wrappers.copy_on_read import copy_up_steps, delete_all_steps
from smart_storages.wrappers.failures import (
    Failures,
    all_lack_method,
    inconclusive,
    kind_of_failure,
    make_error,
    split_errors,
)
from smart_storages.wrappers.forwarding import (
    CombiningStorage,
    put_steps,
    sync_mirrors_steps,
)
from smart_storages.wrappers.health import FULL, NOT_FOUND, UNREACHABLE, Breaker
from smart_storages.wrappers.references import describe, refuse_duplicates
from smart_storages.wrappers.storage_api import is_changing, is_in_parts, upload_steps

__all__ = ["FallbackStorage"]

logger = logging.getLogger(__name__)


class FallbackStorage(CombiningStorage):
    """Tries its backends in order, and returns the first successful answer.

    Args:
        backends: References to storages, or a dict of them by label; by default, those of the
            setting ``FALLBACK_STORAGES``.
        write_to: Labels or positions of the backends that may be changed; all by default. The
            others get no call that changes anything.
        delete_from: Labels or positions of the backends that a file may be deleted from; those of
            ``write_to`` by default.
        fall_through: Errors after which the next backend is tried: ``"not_found"``,
            ``"unreachable"``, ``"denied"``, ``"full"``, ``"other"``, exception classes or their
            dotted paths. Any other error is raised unchanged.
        timeout: Seconds that a backend may take for a call; ``None`` for no limit beyond its own.
        retry_after: Seconds for which a backend that was unreachable is not called again.
        copy_on_read: Copy a file that was found in a later backend to the first backend of
            ``write_to``. A delete then removes it from every backend of ``delete_from``.
        signals: Whether to send :data:`smart_storages.signals.backend_answered`.

    Raises:
        BackendsFailedError: from any method: all backends failed; ``errors`` holds the error of
            each. It is also a ``FileNotFoundError`` if none has the file, a ``ConnectionError`` if
            a backend that might have it did not answer, and an ``AttributeError`` if none has the
            method.

    Example::

        FALLBACK_STORAGES = ("local", "production")

        FallbackStorage(["local", "production"], write_to=["local"])    # while developing
    """

    #: Returns monotonic seconds; tests replace it.
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(
        self,
        backends: Union[Sequence[Any], Mapping[str, Any], None] = None,
        *,
        write_to: Optional[Iterable[Any]] = None,
        delete_from: Optional[Iterable[Any]] = None,
        fall_through: Iterable[Any] = (NOT_FOUND, UNREACHABLE, FULL),
        timeout: Optional[float] = None,
        retry_after: float = 60.0,
        copy_on_read: bool = False,
        signals: bool = True,
    ) -> None:
        require_flags(type(self), copy_on_read=copy_on_read, signals=signals)
        seconds = {} if timeout is None else {"timeout": timeout}
        require_numbers(type(self), "seconds", retry_after=retry_after, **seconds)
        if backends is not None:
            require_references(type(self), backends=backends)
        refuse_duplicates(type(self), backends)
        chosen = {"write_to": write_to, "delete_from": delete_from}
        require_choices(type(self), **{k: each for k, each in chosen.items() if each is not None})
        if write_to in ([], (), set(), frozenset()):
            raise ConfigurationError(
                "FallbackStorage: write_to names no backend. Name at least one; for a fallback "
                "that is only read from, wrap it in a ReadOnlyStorage."
            )
        self._given = backends
        self._write_to = write_to
        self._delete_from = write_to if delete_from is None else delete_from
        self._fall_through = fall_through
        self._timeout = timeout
        self._retry_after = retry_after
        self._copy_on_read = copy_on_read
        self._signals = signals
        self._ready: Optional[List[Backend]] = None

    @property
    def _backends(self) -> List[Backend]:
        return self._ready if self._ready is not None else self._set_up()

    def _set_up(self) -> List[Backend]:
        given = self._given or config.get_fallback_backends()
        pairs = (
            list(given.items())
            if isinstance(given, Mapping)
            else [(describe(each), each) for each in given]
        )
        errors = split_errors(self._fall_through)
        backends = [
            Backend(
                self._refer(reference, resolve_storage, label),
                Breaker(self._retry_after, self._now),
                *errors,
            )
            for label, reference in pairs
        ]
        for option, chosen, flag in (
            ("write_to", self._write_to, "writes"),
            ("delete_from", self._delete_from, "deletes"),
        ):
            if chosen is not None:
                flag_backends(backends, option, chosen, flag)
        self._ready = backends
        return backends

    def _now(self) -> float:
        return self.clock()

    def _forget(self) -> None:
        super()._forget()
        if self._given is None:
            self._ready = None

    # How each method calls the backends

    def _first_storage(self, mode: str = "rb") -> Any:
        first = (self._ready or self._backends)[0]
        is_plain = first.breaker.refuses_until is None and self._timeout is None and mode == "rb"
        if not is_plain or backend_answered.receivers or logger.isEnabledFor(logging.DEBUG):
            return None
        return first.reference.storage

    def _steps(
        self, method: str, name: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        if is_in_parts(method):
            # All calls for an upload have to reach the one backend that knows it.
            prepared = PreparedName.made_by(self, name)
            name = prepared.inner if prepared else name
            return upload_steps(self._first_writer(), method, (name, *args), kwargs)
        own: Optional[Callable[..., Steps]] = getattr(self, f"_{method}_steps", None)
        if own is not None:
            return own(name, *args, **kwargs)
        if method.startswith("get_") and method.endswith("_name"):
            return self._named_by_writer(method, (name, *args))
        return self._first_steps(self._backends, method, (name, *args), kwargs)

    def _first_steps(
        self, backends: List[Backend], method: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        failures: Failures = []
        for backend in backends:
            answer = yield from backend.ask(method, args, failures, kwargs)
            if answer is not NOTHING:
                self._announce(backend, method, args[0], failures)
                return answer
        raise make_error(method, args[0], failures)

    def _open_steps(self, name: str, mode: str = "rb") -> Steps:
        if is_changing("open", (mode,)):
            return (yield from self._first_steps(self._writers, "open", (name, mode), {}))
        failures: Failures = []
        for backend in self._backends:
            file = yield from backend.ask("open", (name, mode), failures)
            if file is not NOTHING:
                self._announce(backend, "open", name, failures)
                if self._copy_on_read and failures:
                    yield from copy_up_steps(self, self._backends, backend, name)
                return file
        raise make_error("open", name, failures)

    def _exists_steps(self, name: str) -> Steps:
        return (yield from self._holder_steps(self._backends, "exists", name)) is not None

    def _holder_steps(self, backends: List[Backend], method: str, name: str) -> Steps:
        """Return the first backend that has the file, ``None`` if all say that they do not."""
        failures: Failures = []
        for backend in backends:
            has_it = yield from backend.ask("exists", (name,), failures)
            if has_it is not NOTHING and has_it:
                self._announce(backend, method, name, failures)
                return backend
        unsure = inconclusive(failures)
        if unsure or (failures and len(failures) == len(backends) and all_lack_method(failures)):
            raise make_error(method, name, unsure or failures)
        return None

    def _listdir_steps(self, path: str) -> Steps:
        failures: Failures = []
        directories: set[str] = set()
        files: set[str] = set()
        for backend in self._backends:
            answer = yield from backend.ask("listdir", (path,), failures)
            if answer is not NOTHING:
                directories.update(answer[0])
                files.update(answer[1])
        # A listing without the files of an unreachable backend would say that they do not exist.
        unsure = inconclusive(failures)
        if unsure or len(failures) == len(self._backends):
            raise make_error("listdir", path, unsure or failures)
        return sorted(directories), sorted(files)

    def url(self, name: Any, *args: Any, **kwargs: Any) -> str:
        """Forward ``url``; see Django's ``Storage.url``."""
        check_path(name)
        first, exists, error = self._first_storage(), None, None
        if first is None or len(self._backends) == 1 or not hasattr(first, "url"):
            return str(run(self._url_steps(name, *args, **kwargs), self._perform))
        try:
            exists = first.exists(name)
        except Exception as raised:
            error = raised
        if exists:
            try:
                return first.url(name, *args, **kwargs)  # type: ignore[no-any-return]
            except Exception:  # noqa: S110 - the steps repeat the call and handle its error
                pass
        steps = self._url_steps(name, *args, **kwargs)
        return str(run(steps, with_known_result(first, "exists", exists, error, self._perform)))

    def _url_steps(self, name: str, *args: Any, **kwargs: Any) -> Steps:
        failures: Failures = []
        *others, last = self._backends
        for backend in others:
            if not hasattr(backend.reference.storage, "url"):
                continue
            has_it = yield from backend.ask("exists", (name,), failures)
            if has_it is NOTHING or not has_it:
                continue
            url = yield from backend.ask("url", (name, *args), failures, kwargs)
            if url is not NOTHING:
                self._announce(backend, "url", name, failures)
                return url
        # Making a URL needs no server, so the last backend gives one even if it is unreachable.
        return (yield last.reference.storage, "url", (name, *args), kwargs)

    def _path_steps(self, name: str) -> Steps:
        failures: Failures = []
        found: List[str] = []
        for backend in self._backends:
            path = yield from backend.ask("path", (name,), failures)
            if path is NOTHING:
                continue
            has_it = yield from backend.ask("exists", (name,), failures)
            if has_it is not NOTHING and has_it:
                return path
            found.append(path)
        if not found:
            raise make_error("path", name, failures)
        return found[0]

    def _delete_steps(self, name: str) -> Steps:
        deleters = [backend for backend in self._backends if backend.deletes]
        if not self._copy_on_read:
            holder = yield from self._holder_steps(deleters, "delete", name)
            if holder is not None:
                failures: Failures = []
                if (yield from holder.ask("delete", (name,), failures)) is NOTHING:
                    raise make_error("delete", name, failures)
            return None
        return (yield from delete_all_steps(deleters, name))

    # Names and writing

    @property
    def _writers(self) -> List[Backend]:
        return [backend for backend in self._backends if backend.writes]

    def _first_writer(self) -> Any:
        return (self._writers or self._backends)[0].reference.storage

    def _named_by_writer(self, method: str, args: Tuple[Any, ...]) -> Steps:
        return (yield self._first_writer(), method, args, {})

    def _generate_filename_steps(self, filename: str) -> Steps:
        inner = yield self._first_writer(), "generate_filename", (filename,), {}
        check_name(inner)
        return PreparedName(str(inner), owner=self, storage=self, inner=inner)

    def _is_name_available_steps(self, name: str, max_length: Optional[int] = None) -> Steps:
        taken = yield from self._exists_steps(name)
        return not taken and not (max_length and len(name) > max_length)

    def _get_available_name_steps(self, name: str, max_length: Optional[int] = None) -> Steps:
        name = str(name).replace("\\", "/")
        is_random = False
        for candidate in alternatives(name, max_length, self._first_writer().get_alternative_name):
            failures: Failures = []
            for backend in self._backends:
                taken = yield from backend.ask("exists", (candidate,), failures)
                if taken is not NOTHING and taken:
                    break
            else:
                if len(failures) == len(self._backends):
                    raise make_error("get_available_name", name, failures)
                # A backend that does not answer may have this name, but hardly a random one.
                kinds = {kind_of_failure(error) for _, error in failures}
                if is_random or UNREACHABLE not in kinds:
                    return candidate
            is_random = True
        raise AssertionError("alternatives() ends by raising")  # pragma: no cover

    def _save_steps(self, name: str, content: Any, max_length: Optional[int]) -> Steps:
        prepared = PreparedName.made_by(self, name)
        free = yield from self._get_available_name_steps(str(name), max_length)
        if prepared is not None:  # the new name keeps the choice that the first name carried
            free = renamed(prepared.inner, free)
        writers = self._writers
        failures: Failures = []
        content = make_rewindable(content) if len(writers) > 1 else content
        for backend in writers:
            is_only = len(writers) == 1 and self._timeout is None
            lent = content if is_only else LentContent(content)
            saved = yield from backend.ask(
                "save", (free, lent), failures, {"max_length": max_length}
            )
            if saved is not NOTHING:
                check_name(saved)
                self._announce(backend, "save", saved, failures)
                return saved
            if lent is not content:
                lent.revoke()
                content.seek(0)
            if kind_of_failure(failures[-1][1]) == FULL:
                # The part that fitted on a full disk is left behind, and would be read.
                yield from backend.ask("delete", (str(free),), [])
            free = str(free)
        raise make_error("save", name, failures)

    def _put_steps(self, name: str, content: Any, replace: bool) -> Steps:
        return (yield from put_steps(self._first_writer(), name, content, replace=replace))

    def _sync_mirrors_steps(self, name: str) -> Steps:
        yield from sync_mirrors_steps(self._first_writer(), name)

    # Logs and signals

    def _announce(self, backend: Backend, method: str, name: Any, failures: Failures) -> None:
        if failures or logger.isEnabledFor(logging.DEBUG):
            level = logging.INFO if failures else logging.DEBUG
            logger.log(
                level, "%s(%r) answered by %s after %r", method, name, backend.label, failures
            )
        if self._signals and backend_answered.receivers:
            backend_answered.send(
                sender=type(self), storage=self, method=method, name=name, backend=backend.label,
                failures=tuple(failures),
            )  # fmt: skip

    def _perform(self, call: Call) -> Any:
        return call_now(call) if self._timeout is None else call_within(self._timeout, call)

    async def _perform_async(self, call: Call) -> Any:
        if self._timeout is None:
            return await super()._perform_async(call)
        return await call_within_async(self._timeout, call)

    def __repr__(self) -> str:
        given = self._given
        labels = [describe(each) for each in given or ()] if given else ["FALLBACK_STORAGES"]
        return f"<FallbackStorage {', '.join(labels)}>"
