"""What the application does with files: save, delete, ask for the transfer.

A save writes the local copy first, then the row, in the caller's own transaction. Nothing is sent
to a worker before that transaction is committed.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import IO, Any, Optional, cast

from django.core.files import File
from django.core.files.storage import Storage
from django.db import transaction

from smart_storages import signals
from smart_storages.common.names import check_name
from smart_storages.exceptions import TransferError
from smart_storages.queued import engines, ledger, listing
from smart_storages.queued.ledger import location_cache, queries, recording
from smart_storages.queued.ledger.crash_points import reached
from smart_storages.queued.ledger.texts import check_fits
from smart_storages.queued.models import QueuedFile, State
from smart_storages.queued.readiness import explained, require
from smart_storages.queued.transfer import local_copies
from smart_storages.wrappers.health import UNREACHABLE, is_failure_of_storage, kind_of

__all__ = ["ask_for_transfer", "delete_file", "find_available", "put", "store"]

logger = logging.getLogger("smart_storages.queued")


def find_available(storage: Any, name: str, max_length: Optional[int] = None) -> str:
    """Return the name under which a file will be saved."""
    name = listing.clean(name)
    max_length = listing.limit(name, max_length)
    if storage.replaces and len(name) <= max_length:
        return name
    if storage.ask_remote:
        try:
            return str(Storage.get_available_name(storage, name, max_length=max_length))
        except Exception as error:
            if not is_failure_of_storage(error):
                raise
            logger.warning("the remote did not say whether %s is free", name, exc_info=True)
    return listing.make_unique(storage, name, max_length)


@explained()
def store(storage: Any, name: str, content: Any, max_length: Optional[int]) -> str:
    """Save a file locally, and have it transferred once the transaction is committed."""
    require()
    name = find_available(storage, name, max_length)
    check_name(name)
    if _is_full(storage, content):
        content, size, sha256, md5 = local_copies.measure(content)  # can be read twice from now on
        in_remote = recording.LocalCopy("", size, sha256, md5, "")
        if _store_remotely(storage, name, content, in_remote):
            return name
    copy = _keep(storage, name, content)
    while True:
        try:
            _record(storage, name, copy, overwrite=storage.replaces)
            return name
        except recording.NameTakenError:
            try:
                name = listing.make_unique(storage, name, listing.limit(name, max_length))
            except BaseException:
                local_copies.delete_quietly(storage.local, copy.name)
                raise


@explained()
def put(storage: Any, name: str, content: Any, *, replace: bool) -> bool:
    """Save a file under exactly this name, and return whether that was possible."""
    require()
    name = listing.clean(name)
    check_fits(name=name)
    if not replace and storage.exists(name):
        return False
    copy = _keep(storage, name, content)
    try:
        _record(storage, name, copy, overwrite=replace)
    except recording.NameTakenError:
        local_copies.delete_quietly(storage.local, copy.name)
        return False
    return True


def _keep(storage: Any, name: str, content: Any) -> recording.LocalCopy:
    location_cache.forget(storage.key, name)
    copy = local_copies.keep(storage.local, storage.key, name, content, durable=storage.durable)
    reached("save:local-written")
    return copy


def _record(storage: Any, name: str, copy: recording.LocalCopy, *, overwrite: bool) -> None:
    state = State.HELD if storage.delayed else State.QUEUED
    row, replaced = recording.record_save(
        storage.key,
        name,
        copy,
        task=storage.task,
        state=state,
        overwrite=overwrite,
        undo=partial(local_copies.delete_quietly, storage.local, copy.name),
    )
    reached("save:row-written")
    _on_commit(storage, row, replaced, "save", work=not storage.delayed)


def _is_full(storage: Any, content: Any) -> bool:
    if storage.max_local_bytes is None:
        return False
    try:
        size = content.size
    except (AttributeError, OSError):
        size = 0
    return bool(queries.local_bytes(storage.key) + size > storage.max_local_bytes)


def _store_remotely(storage: Any, name: str, body: File[Any], copy: recording.LocalCopy) -> bool:
    """Save a file in the remote at once, or return ``False`` to have it kept locally.

    An object in the remote is never replaced, because that could not be rolled back. The file gets
    a new name there, and the row, in the caller's transaction, points readers to it.
    """
    if ledger.find(storage.key, name) or (storage.replaces and _may_have(storage.remote, name)):
        return False
    saved = _send(storage, name, body, copy)
    if saved is None:
        return False
    reached("save:remote-written")
    try:
        row = recording.record_remote(
            storage.key,
            name,
            copy,
            task=storage.task,
            remote_name=saved,
            undo=partial(local_copies.delete_quietly, storage.remote, saved),
        )
    except recording.NameTakenError:
        # A save or delete took the name in the meantime; saved as a local copy, this file is
        # ordered after it.
        _delete_unreferenced(storage, saved)
        return False
    reached("save:row-written")
    _on_commit(storage, row, "", "save", work=False)
    return True


def _may_have(remote: Any, name: str) -> bool:
    try:
        return bool(remote.exists(name))
    except Exception as error:
        if not is_failure_of_storage(error):
            raise
        return True


def _send(storage: Any, name: str, body: File[Any], copy: recording.LocalCopy) -> Optional[str]:
    """Return the name under which the remote holds the file, verified; ``None`` if it does not."""
    remote = storage.remote
    saved = listing.make_unique(storage, name, listing.limit(name, None))
    try:
        saved = _save_under(remote, saved, _prevent_move(body))
        if not local_copies.holds(remote, saved, copy):
            raise TransferError(f"The remote does not hold what was written to {saved!r}.")
        if storage.durable:
            local_copies.sync_to_disk(remote, saved)
        return listing.clean(saved)
    except Exception as error:
        # It may have written all of the file or a part of it before it failed.
        if not is_failure_of_storage(error):
            local_copies.delete_quietly(remote, saved)
            raise
        _delete_unreferenced(storage, saved, error)
        logger.warning("the remote did not take %s; it is kept locally", name, exc_info=True)
        return None


def _save_under(remote: Any, name: str, content: File[Any]) -> str:
    if getattr(remote, "_adds_random_suffixes", None) is not True:
        return str(remote.save(name, content))
    # Its save() would choose another name, which would be unknown if it failed. This one is unique.
    remote._save_exactly(name, content, replace=True)
    return name


def _delete_unreferenced(storage: Any, saved: str, error: Optional[Exception] = None) -> None:
    """Delete an object that no row refers to: now, or by a worker once the remote answers."""
    if error is None or kind_of(error) != UNREACHABLE:
        try:
            storage.remote.delete(saved)
            return
        except Exception:
            logger.warning("could not delete %s; a worker will", saved, exc_info=True)
    row, _ = recording.record_delete(storage.key, saved, storage.task, saved)
    _on_commit(storage, row, "", "delete", work=True)


def _prevent_move(content: File[Any]) -> File[Any]:
    """Wrap the content so that a storage cannot move its file away: it may be needed again."""
    covered: File[Any] = File(cast(IO[Any], content), name=content.name)
    if hasattr(content, "content_type"):
        vars(covered)["content_type"] = content.content_type
    return covered


@explained()
def delete_file(storage: Any, name: str) -> None:
    """Delete a file: for readers when the transaction commits, from the remote soon after."""
    require()
    name = listing.clean(name)
    check_fits(name=name)
    location_cache.forget(storage.key, name)
    row, replaced = recording.record_delete(storage.key, name, storage.task, name)
    reached("delete:row-written")
    _on_commit(storage, row, replaced, "delete", work=True)


@explained()
def ask_for_transfer(storage: Any, name: str) -> Any:
    """Queue a file that is held, whose transfer has failed, or whose message may be lost."""
    require()
    row = ledger.find(storage.key, listing.clean(name))
    if row is None or not row.is_live:
        raise FileNotFoundError(f"The ledger of {storage.key!r} has no file {name!r}.")
    if row.state not in (State.HELD, State.FAILED, State.QUEUED):
        return None
    storage.result = None
    ledger.requeue(row, reset=True)
    _on_commit(storage, row, "", "ask", work=True)
    return storage.result


def _on_commit(storage: Any, row: QueuedFile, replaced: str, what: str, *, work: bool) -> None:
    done = partial(_committed, storage, row, replaced, what, work)
    transaction.on_commit(done, using=ledger.database())


def _committed(storage: Any, row: QueuedFile, replaced: str, what: str, work: bool) -> None:
    # The row is committed: if anything fails from here on, the sweep repairs it.
    reached(f"{what}:committed")
    location_cache.forget(storage.key, row.name)
    if work:
        storage.result = engines.enqueue(row.pk)
        reached(f"{what}:enqueued")
    if replaced:
        local_copies.delete_quietly(storage.local, replaced)
        reached("save:old-copy-deleted")
    if what == "save":
        logger.info("saved %s locally (%d bytes)", row.name, row.size)
        signals.file_queued.send_robust(
            sender=type(storage), storage=storage, name=row.name, transfer=row
        )
