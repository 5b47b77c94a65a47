"""How a queued storage finds names, saves, opens for writing and deletes."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from smart_storages.queued import listing
from smart_storages.queued.actions import saving
from smart_storages.queued.tasks import get_task
from smart_storages.storages.spooled_write_file import SpooledWriteFile
from smart_storages.wrappers.calls import Steps
from smart_storages.wrappers.forwarding import CombiningStorage
from smart_storages.wrappers.storage_api import is_changing

__all__ = ["WritingStorage"]


class WritingStorage(CombiningStorage):
    """The part of :class:`~smart_storages.queued.backends.QueuedStorage` that changes files."""

    task: str

    def _refuse_context_dependence(self) -> None:
        raise NotImplementedError

    def _read_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        raise NotImplementedError

    # Names

    def _available_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        return saving.find_available(self, name, *args)
        yield  # makes this a generator, as all steps are

    def _is_available_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        too_long = bool(args and args[0] and len(name) > args[0])
        taken = yield self, "exists", (name,), {}
        return not (too_long or taken)

    # Writing

    def _save_steps(self, name: str, content: Any, max_length: Optional[int]) -> Steps:
        # A call of its own, so that its queries run in a thread if the caller is async.
        return (yield self, "_store", (name, content, max_length), {})

    def _store(self, name: str, content: Any, max_length: Optional[int]) -> str:
        self._refuse_context_dependence()
        get_task(self.task)
        return saving.store(self, name, content, max_length)

    def _put_steps(self, name: str, content: Any, replace: bool) -> Steps:
        return (yield self, "_put", (name, content, replace), {})

    def _put(self, name: str, content: Any, replace: bool) -> bool:
        self._refuse_context_dependence()
        get_task(self.task)
        return saving.put(self, name, content, replace=replace)

    def _delete_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        return (yield self, "_delete_file", (name,), {})

    def _delete_file(self, name: str) -> None:
        self._refuse_context_dependence()
        saving.delete_file(self, name)

    def transfer(self, name: str) -> Any:
        """Ask for the transfer of a file that is held back, or whose transfer has failed.

        Args:
            name: Name of the file.

        Returns:
            What the engine returned; ``None`` if there is nothing to do. Inside a transaction also
            ``None``, because the file is queued on commit.

        Raises:
            FileNotFoundError: The ledger has no such file.
        """
        self._refuse_context_dependence()
        return saving.ask_for_transfer(self, name)

    # Opening

    def _open_steps(
        self, method: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Steps:
        if args and is_changing("open", args):
            return self._open_for_writing(name, args[0])
        return (yield from self._read_steps(method, name, args, kwargs))

    def _open_for_writing(self, name: str, mode: str) -> SpooledWriteFile:
        get_task(self.task)
        name = listing.clean(name)
        listing.limit(name, None)
        return SpooledWriteFile(name, mode, lambda name, content: self._store(name, content, None))
