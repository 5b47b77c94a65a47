"""A storage that keeps copies of its files in others; also exports the two wrappers."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from smart_storages.common.arguments import require_flags, require_numbers
from smart_storages.common.background import Worker
from smart_storages.common.content import LentContent, make_rewindable
from smart_storages.common.names import PreparedName, check_name, check_path
from smart_storages.exceptions import BackendsUnreachableError, ConfigurationError
from smart_storages.signals import mirror_diverged
from smart_storages.storages import SmartS3Storage
from smart_storages.storages.lookup import resolve_storage
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage
from smart_storages.wrappers.calls import Steps, run
from smart_storages.wrappers.forwarding import CombiningStorage, put_steps, sync_mirrors_steps
from smart_storages.wrappers.health import NOT_FOUND, UNREACHABLE, Breaker, kind_of
from smart_storages.wrappers.locks import locked_steps
from smart_storages.wrappers.mirror_copies import (
    Copies,
    Failure,
    MirroredFile,
    copy_to_mirror_steps,
    differ_in_size,
    list_names,
    mirror_error,
)
from smart_storages.wrappers.references import refuse_duplicates
from smart_storages.wrappers.storage_api import is_changing, is_in_parts, upload_steps

__all__ = ["Divergence", "MirrorStorage", "ReadOnlyStorage", "ScopedStorage"]

logger = logging.getLogger(__name__)

#: How many names a save tries, if mirrors have other files of the names that the primary chose.
_MOST_NAMES = 10


@dataclass(frozen=True)
class Divergence:
    """One file in which a mirror differs from the primary.

    Args:
        name: Name of the file.
        backend: Label of the mirror.
        kind: ``"missing"`` (from the mirror), ``"extra"`` (the primary lacks it), or ``"size"``.
    """

    name: str
    backend: str
    kind: str


class MirrorStorage(CombiningStorage):
    """Writes to a primary and to mirrors; reads from the first of them that answers.

    The primary is authoritative: it decides the name of a file, and the mirrors should hold what it
    holds. While it does not answer, a file that the mirrors lack is an error, because the primary
    may have it.

    Args:
        primary: Reference to the authoritative storage.
        mirrors: References to the storages that hold copies.
        background: Write to the primary directly, and to the mirrors in threads of this process.
            :meth:`find_divergences` finds what a killed process did not finish. If ``False``, a
            save or a delete returns when all storages have done it.
        retry_after: Seconds for which a storage that was unreachable is not read from.

    A name is taken if the primary or a mirror has a file of that name; the save chooses another.

    Raises:
        BackendsFailedError: from ``save`` and ``delete``: a mirror failed. A save deletes what it
            wrote, unless it replaced a file.

    Example::

        MirrorStorage("old_bucket", ["new_bucket"])
    """

    #: Returns monotonic seconds; tests replace it.
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(
        self,
        primary: Any,
        mirrors: Sequence[Any],
        *,
        background: bool = False,
        retry_after: float = 60.0,
    ) -> None:
        if isinstance(mirrors, (str, dict)) or not mirrors:
            raise ConfigurationError(
                "MirrorStorage: mirrors must be a list of at least one storage."
            )
        require_flags(type(self), background=background)
        require_numbers(type(self), "seconds", retry_after=retry_after)
        refuse_duplicates(type(self), [primary, *mirrors])
        self._primary = self._refer(primary, resolve_storage)
        self._mirrors = [self._refer(mirror, resolve_storage) for mirror in mirrors]
        self._breakers = {
            id(each): Breaker(retry_after, self._now) for each in (self._primary, *self._mirrors)
        }
        self._background = background
        self._worker = Worker("smart-storages-mirror")

    def _now(self) -> float:
        return self.clock()

    @property
    def primary(self) -> Any:
        """The authoritative storage.

        Example::

            MirrorStorage("old_bucket", ["new_bucket"]).primary.bucket_name
        """
        return self._primary.storage

    # Reading

    def _steps(
        self, method: str, name: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        if is_in_parts(method):
            return self._upload_steps(method, name, args, kwargs)
        if method == "delete":
            return locked_steps(name, self._delete_steps(name), wait=True)
        if method == "open" and is_changing(method, args):
            return self._open_to_write_steps(name, *args)
        if method == "generate_filename":
            return self._generate_filename_steps(name)
        if method == "is_name_available" or (
            method.startswith("get_") and method.endswith("_name")
        ):
            return self._primary_steps(method, (name, *args))
        return self._first_healthy_steps(method, (name, *args), kwargs)

    def _first_storage(self, mode: str = "rb") -> Any:
        is_reachable = self._breakers[id(self._primary)].refuses_until is None
        return self._primary.storage if is_reachable and mode == "rb" else None

    def _first_healthy_steps(
        self, method: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        failures: List[Failure] = []
        for reference in (self._primary, *self._mirrors):
            breaker = self._breakers[id(reference)]
            if not breaker.allows():
                failures.append(
                    (reference.label, ConnectionError("not called: it was unreachable"))
                )
                continue
            try:
                answer = yield reference.storage, method, args, kwargs
            except Exception as error:
                kind = kind_of(error)
                if kind == UNREACHABLE:
                    breaker.failed()
                    logger.warning("%s does not answer: %r", reference.label, error)
                else:
                    breaker.succeeded()
                    # If a storage before it did not answer, this mirror may only lag behind.
                    if kind != NOT_FOUND or not failures:
                        raise
                failures.append((reference.label, error))
                continue
            breaker.succeeded()
            if method != "exists":
                return answer
            if answer or not failures:
                return bool(answer)
            failures.append((reference.label, FileNotFoundError(f"it has no {args[0]!r}")))
        raise BackendsUnreachableError(f"No mirror could {method}({args[0]!r}).", failures)

    # Writing

    def _primary_steps(self, method: str, args: Tuple[Any, ...]) -> Steps:
        return (yield self._primary.storage, method, args, {})

    def _generate_filename_steps(self, filename: str) -> Steps:
        inner = yield self._primary.storage, "generate_filename", (filename,), {}
        check_name(inner)
        return PreparedName(str(inner), owner=self, storage=self, inner=inner)

    def _save_steps(self, name: str, content: Any, max_length: Optional[int]) -> Steps:
        prepared = PreparedName.made_by(self, name)
        name = prepared.inner if prepared else name
        primary = self._primary.storage
        if self._background:
            saved = yield primary, "save", (name, content), {"max_length": max_length}
            check_name(saved)
            self._copy_later(saved)
            return saved
        content = make_rewindable(content)
        for _ in range(_MOST_NAMES):
            existed = yield primary, "exists", (str(name),), {}
            content.seek(0)
            lent = LentContent(content)
            saved = yield primary, "save", (name, lent), {"max_length": max_length}
            check_name(saved)
            # A failed save deletes what it wrote, but not if that replaced a file.
            replace = existed and saved == str(name)
            copies = yield from self._save_copies_steps(saved, content, replace=replace)
            if copies.taken and not replace:
                name = yield primary, "get_available_name", (saved,), {"max_length": max_length}
                if name == saved:  # the primary overwrites
                    copies = yield from self._save_copies_steps(saved, content, replace=True)
            if not copies.failures and not copies.taken:
                return saved
            if not replace:
                yield from self._roll_back_steps(saved, copies)
            if copies.failures:
                break
        failures = copies.failures or copies.taken
        self._report(saved, failures)
        raise mirror_error("save", saved, failures)

    def _save_copies_steps(self, name: str, content: Any, *, replace: bool) -> Steps:
        """Write a file to the mirrors; return what became of it, as :class:`Copies`.

        It stops at a mirror that has another file of that name. While two storages change places,
        some processes have this mirror as their primary, and the file may be one of theirs.
        """
        copies = Copies([], [], [])
        for mirror in self._mirrors:
            content.seek(0)
            lent = LentContent(content)
            try:
                if not (yield from put_steps(mirror.storage, name, lent, replace=replace)):
                    error = FileExistsError(f"{name!r} was taken by another writer")
                    copies.taken.append((mirror.label, error))
                    break
                if not replace:
                    yield from sync_mirrors_steps(mirror.storage, name)
            except Exception as error:
                copies.failures.append((mirror.label, error))
                if isinstance(mirror.storage, SmartS3Storage):
                    continue  # it writes whole or not at all: what is there may be another's
            copies.written.append(mirror)
        return copies

    def _roll_back_steps(self, name: str, copies: Copies) -> Steps:
        for reference in (*copies.written, self._primary):
            try:
                yield reference.storage, "delete", (name,), {}
            except Exception as error:
                copies.failures.append((reference.label, error))

    def _delete_steps(self, name: str) -> Steps:
        yield self._primary.storage, "delete", (name,), {}
        if self._background:
            self._copy_later(name)
            return None
        failures: List[Failure] = []
        for mirror in self._mirrors:
            try:
                yield mirror.storage, "delete", (name,), {}
            except FileNotFoundError:
                pass
            except Exception as error:
                failures.append((mirror.label, error))
        if failures:
            self._report(name, failures)
            raise mirror_error("delete", name, failures)
        return None

    def _put_steps(self, name: str, content: Any, replace: bool) -> Steps:
        content = make_rewindable(content)
        lent = LentContent(content)
        if not (yield from put_steps(self._primary.storage, name, lent, replace=replace)):
            return False
        for mirror in self._mirrors if replace else ():
            content.seek(0)
            yield from put_steps(mirror.storage, name, LentContent(content))
        return True

    def _sync_mirrors_steps(self, name: str) -> Steps:
        primary = self._primary.storage
        yield from sync_mirrors_steps(primary, name)
        size = yield primary, "size", (name,), {}
        for mirror in self._mirrors:
            # The file may have been copied from this very mirror; then it stays as it is.
            with suppress(FileNotFoundError):
                if (yield mirror.storage, "size", (name,), {}) == size:
                    continue
            yield from copy_to_mirror_steps(primary, mirror.storage, name)

    def _open_to_write_steps(self, name: str, mode: str) -> Steps:
        file = yield self._primary.storage, "open", (name, mode), {}
        copy = self._copy_later if self._background else self._copy_now
        return MirroredFile(file, lambda: copy(name))

    def _upload_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        prepared = PreparedName.made_by(self, name)
        name = prepared.inner if prepared else name
        answer = yield from upload_steps(self._primary.storage, method, (name, *args), kwargs)
        if method == "complete_multipart_upload":
            yield self, "_copy_later" if self._background else "_copy_now", (name,), {}
        return answer

    # Copying to the mirrors

    def _copy_later(self, name: str) -> None:
        self._worker.submit(lambda: self.repair(name))

    def _copy_now(self, name: str) -> None:
        failures = self._repair(name)
        if failures:
            raise mirror_error("write", name, failures)

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Wait until all background writes are done.

        Args:
            timeout: Seconds to wait; ``None`` for no limit.

        Returns:
            Whether all of them were done in time.

        Example::

            assert storage.flush(timeout=10)
        """
        return self._worker.flush(timeout)

    def repair(self, name: str) -> bool:
        """Copy a file from the primary to every mirror, or delete it there if the primary lacks it.

        Args:
            name: Name of the file.

        Returns:
            Whether all mirrors could be repaired; a signal and the log report those that could not.

        Example::

            for found in storage.find_divergences():
                storage.repair(found.name)
        """
        check_name(name)
        return not self._repair(name)

    def _repair(self, name: str) -> List[Failure]:
        failures: List[Failure] = []
        with self._worker.lock(name):
            for mirror in self._mirrors:
                try:
                    run(copy_to_mirror_steps(self._primary.storage, mirror.storage, name))
                except Exception as error:
                    failures.append((mirror.label, error))
        self._report(name, failures)
        return failures

    def _report(self, name: str, failures: List[Failure]) -> None:
        for label, error in failures:
            logger.warning("%s may differ in %s: %r", name, label, error)
            mirror_diverged.send(
                sender=type(self), storage=self, name=name, backend=label, error=error
            )

    def find_divergences(self, path: str = "") -> Iterator[Divergence]:
        """Yield every file in which a mirror differs from the primary, by name and size.

        Args:
            path: Directory to start from; the whole storage by default.

        Example::

            list(storage.find_divergences("reports"))
        """
        check_path(path)
        directories, files = list_names(self._primary.storage, path)
        below = set(directories)
        for mirror in self._mirrors:
            mirror_directories, mirror_files = list_names(mirror.storage, path)
            below |= mirror_directories
            for file in sorted(files | mirror_files):
                name = os.path.join(path, file)
                if file not in mirror_files:
                    yield Divergence(name, mirror.label, "missing")
                elif file not in files:
                    yield Divergence(name, mirror.label, "extra")
                elif differ_in_size(self._primary.storage, mirror.storage, name):
                    yield Divergence(name, mirror.label, "size")
        for directory in sorted(below):
            yield from self.find_divergences(os.path.join(path, directory))

    def __repr__(self) -> str:
        mirrors = ", ".join(mirror.label for mirror in self._mirrors)
        return f"<MirrorStorage {self._primary.label}, then {mirrors}>"
