"""What a worker does with a file: :class:`Transfer` and :class:`TransferAndDelete`.

A project subclasses one of them to do more, and gives it as the ``task`` of its storage. Claiming,
verifying, recording and retrying are not part of the task: see :mod:`.attempt`. Import the classes
from :mod:`smart_storages.queued.tasks`, the path that rows of the ledger hold.
"""

from __future__ import annotations

from typing import Any, Type, Union

from django.core.files.storage import Storage
from django.utils.module_loading import import_string

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued.transfer.task_storages import copy_in_s3

__all__ = ["Transfer", "TransferAndDelete", "get_task", "how_to_write"]


class Transfer:
    """Transfer a file to the remote storage, and keep the local copy.

    Example:
        >>> class TransferScan(Transfer):
        ...     def transfer(self, name, local, remote, **kwargs):
        ...         if not is_clean(local.open(name)):
        ...             return False
        ...         return super().transfer(name, local, remote, **kwargs)
    """

    #: Whether the local copy is deleted once the remote one is verified.
    delete_local = False

    def transfer(self, name: str, local: Storage, remote: Storage, **kwargs: Any) -> bool:
        """Copy ``name`` from ``local`` to ``remote``. It may run more than once for a file.

        Args:
            name: Name of the file in ``local`` and ``remote``.
            local: The local storage; opens the local copy under ``name``, whatever its real name.
            remote: The remote storage; ``save`` writes the file where the ledger expects it.
            **kwargs: Reserved: ``size`` in bytes, ``generation``, ``attempt`` (starting at 1).

        Returns:
            ``True`` if the file was transferred, ``False`` to try again later. Anything else raises
            ``ValueError``.
        """
        if copy_in_s3(name, local, remote):
            return True
        with local.open(name) as content:
            remote.save(name, content)
        return True


class TransferAndDelete(Transfer):
    """Transfer a file to the remote storage; delete the local copy once it is verified."""

    delete_local = True


def how_to_write(task: Any) -> str:
    """Return a sentence for an error that says how to make a task of a function; else ``""``.

    In django-queued-storage, tasks were Celery tasks, which can be functions.
    """
    if isinstance(task, type) or not callable(task) or isinstance(task, Transfer):
        return ""
    name = getattr(task, "__name__", type(task).__name__)
    return (
        f" To have {name}() called for each file: class {_class_name(name)}(Transfer), with a "
        "method transfer(self, name, local, remote, **kwargs) that calls it and returns "
        "super().transfer(name, local, remote, **kwargs)."
    )


def _class_name(function: str) -> str:
    words = [word for word in function.split("_") if word.isalnum()]
    return "".join(word[:1].upper() + word[1:] for word in words) or "MyTransfer"


def get_task(reference: Union[str, Type[Transfer]]) -> Type[Transfer]:
    """Return the task class that a dotted path names.

    Raises:
        ConfigurationError: There is no such class, or it is not a subclass of ``Transfer``.
    """
    try:
        task = import_string(reference) if isinstance(reference, str) else reference
    except ImportError as error:
        moved = ""
        if str(reference).startswith("queued_storage."):
            moved = " The tasks of django-queued-storage are now in smart_storages.queued.tasks."
        raise ConfigurationError(
            f"The task {reference!r} cannot be imported: {error}.{moved}"
        ) from error
    if not (isinstance(task, type) and issubclass(task, Transfer)):
        raise ConfigurationError(
            f"The task {reference!r} is not a subclass of smart_storages.queued.tasks.Transfer."
            f"{how_to_write(task)}"
        )
    return task


for _class in (Transfer, TransferAndDelete):
    _class.__module__ = "smart_storages.queued.tasks"
