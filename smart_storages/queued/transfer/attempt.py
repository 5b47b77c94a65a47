"""One attempt at a row, from the claim to the recorded result.

The order makes it safe (the steps are listed in :mod:`..ledger.crash_points`)::

    claim the row -> record a name in the remote -> upload -> verify what the remote holds
    -> record the result, if the row has not changed -> only then forget and delete the local copy

If the attempt is killed in between, the row is left in a state from which the next one can start.
"""

from __future__ import annotations

import logging
import random
from contextlib import suppress
from typing import Any, Callable, Optional, Type

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.dispatch import Signal

from smart_storages import signals
from smart_storages.backends.s3.errors.logs import redact
from smart_storages.config import get_queue_settings
from smart_storages.exceptions import TransferError
from smart_storages.queued import ledger, registry
from smart_storages.queued.ledger import queries
from smart_storages.queued.ledger.crash_points import reached
from smart_storages.queued.ledger.lease import Lease, LeaseLostError
from smart_storages.queued.ledger.texts import describe_error
from smart_storages.queued.models import QueuedFile, State
from smart_storages.queued.transfer import local_copies
from smart_storages.queued.transfer.task_storages import LocalView, RemoteView
from smart_storages.queued.transfer.tasks import Transfer, get_task

__all__ = ["Outcome", "process_row", "retry_delay"]

logger = logging.getLogger("smart_storages.queued")

_LONGEST_DELAY = 6 * 3600.0


class Outcome:
    """How an attempt ended."""

    DONE = "done"
    SETTLING = "settling"
    DELETED = "deleted"
    RETRY = "retry"
    FAILED = "failed"
    LATE = "late"
    SUPERSEDED = "superseded"


#: Asks an engine to process a row again, after some seconds.
Again = Callable[[int, float], Any]


def process_row(pk: int, again: Again) -> Optional[str]:
    """Do the work of a row, if it has any; the body of every queued task.

    Args:
        pk: Id of the row. If it is gone, finished, or leased to another attempt, nothing happens.
        again: Called with the row's id and seconds, if there will be more to do for it then.

    Returns:
        How the last attempt ended, ``None`` if there was nothing to do.
    """
    outcome = None
    while True:
        row = ledger.claim(pk)
        if row is None:
            return outcome
        outcome = _Attempt(row, again).run()
        if outcome != Outcome.SUPERSEDED:
            return outcome
        # A save or delete came in meanwhile, and waits for the lease that was just released.


def retry_delay(attempts: int) -> float:
    """Return the seconds until the next attempt: doubling, with jitter, at most six hours."""
    delay = get_queue_settings().retry_delay * 2 ** min(attempts - 1, 32)
    return float(min(delay, _LONGEST_DELAY) * random.uniform(0.8, 1.2))  # noqa: S311


class _Attempt:
    def __init__(self, row: QueuedFile, again: Again) -> None:
        self.row = row
        self.again = again
        self.lease = Lease(row)
        self.storage: Any = None
        self.task: Type[Transfer] = Transfer

    def run(self) -> str:
        work = {State.DELETING: self._remove, State.SETTLING: self._settle}
        try:
            with self.lease:
                self.storage = registry.find_storage(self.row.storage)
                return work.get(State(self.row.state), self._transfer)()
        except LeaseLostError:
            return self._end_late()
        except _NotABoolError as error:
            self._end_failed(error, retry=False)
            raise ValueError(str(error)) from None
        except Exception as error:
            if isinstance(error, AnyDatabaseError):
                queries.replace_lost_connection()  # otherwise the failure could not be recorded
            return self._end_failed(error)
        except BaseException as error:  # the worker was told to stop: put the row back
            ledger.fail(self.row, describe_error(error), retry_in=0, sent=self.lease.sent)
            ledger.release(self.row)
            raise

    # The three kinds of work

    def _transfer(self) -> str:
        row = self.row
        reached("transfer:claimed")
        self.task = get_task(row.task)
        self._send(signals.transfer_started)
        remote = self.storage.remote
        if not self._is_there_already():
            target = RemoteView(remote, row, self.lease, overwrite=self.storage.overwrites)
            source = LocalView(self.storage.local, row, self.lease)
            done = self.task().transfer(
                row.name,
                source,
                target,
                size=row.size,
                generation=row.generation,
                attempt=row.attempts,
            )
            if not isinstance(done, bool):
                raise _NotABoolError(
                    f"{row.task}.transfer() must return True or False, not {done!r}."
                )
            if not done:
                raise TransferError("The task returned False.")
            reached("transfer:uploaded")
            if not local_copies.holds(remote, self._remote_name, row):
                raise TransferError(
                    f"The remote does not hold {self._remote_name!r} with the size ({row.size}) "
                    f"and SHA-256 ({row.checksum}) of the local copy."
                )
        if self.storage.durable:
            local_copies.sync_to_disk(remote, self._remote_name)
        reached("transfer:verified")
        return self._finish()

    @property
    def _remote_name(self) -> str:
        return self.row.remote_name or self.row.name

    def _is_there_already(self) -> bool:
        # An earlier attempt may have died after the upload, before it recorded the result.
        row = self.row
        return bool(
            row.attempts > 1
            and row.remote_name
            and local_copies.holds(self.storage.remote, row.remote_name, row)
        )

    def _settle(self) -> str:
        row = self.row
        reached("settle:claimed")
        self.task = get_task(row.task)
        if local_copies.holds(self.storage.remote, self._remote_name, row):
            reached("settle:verified")
            return self._finish()
        if row.local_name:
            error = "A late attempt overwrote the transferred file; it is sent again."
            return self._end_failed(TransferError(error), delay=0.0)
        error = "The remote file was changed, and no local copy is left to send it again."
        return self._end_failed(TransferError(error), retry=False)

    def _finish(self) -> str:
        row = self.row
        self.lease.check()
        state = ledger.finish(row)
        if state is None:
            return self._end_superseded()
        reached("transfer:recorded")
        if state == State.SETTLING:
            # The doubt lasts at most one lease.
            self.again(row.pk, get_queue_settings().lease)
            return Outcome.SETTLING
        if self.task.delete_local and ledger.forget_local(row):
            reached("transfer:local-forgotten")
            transaction.on_commit(self._delete_local, using=ledger.database())
        reached("transfer:finished")
        logger.info("transferred %s to %s (%d bytes)", row.name, self._remote_name, row.size)
        self.storage.moved(row.name)
        self._send(signals.file_transferred)
        return Outcome.DONE

    def _delete_local(self) -> None:
        local_copies.delete_quietly(self.storage.local, self.row.local_name)
        reached("transfer:local-deleted")

    def _remove(self) -> str:
        row = self.row
        reached("remove:claimed")
        remote = self.storage.remote
        self.lease.check()
        if row.remote_name:  # otherwise no attempt has written anything
            self.lease.sent = True
            with suppress(FileNotFoundError):
                remote.delete(row.remote_name)
        reached("remove:remote-deleted")
        self.lease.check()
        if ledger.remove(row):
            reached("remove:finished")
            logger.info("deleted %s from the remote", row.name)
            self.storage.moved(row.name)
            self._send(signals.file_deleted)
            return Outcome.DELETED
        if ledger.release(row):  # the lease was still ours, so a save came in meanwhile
            return self._superseded()
        self.again(row.pk, get_queue_settings().lease)
        return Outcome.SETTLING

    # The ways to end early

    def _end_superseded(self) -> str:
        return self._superseded() if ledger.release(self.row) else self._end_late()

    def _superseded(self) -> str:
        reached("transfer:superseded")
        logger.info("%s was replaced or deleted during its transfer", self.row.name)
        return Outcome.SUPERSEDED

    def _end_late(self) -> str:
        row = self.row
        logger.warning("the attempt on %s lost its lease; it changes nothing", row.name)
        if self.lease.sent:
            for pk in ledger.mark_in_doubt(row):
                self.again(pk, get_queue_settings().lease)
        return Outcome.LATE

    def _end_failed(
        self, error: Exception, *, retry: bool = True, delay: Optional[float] = None
    ) -> str:
        row = self.row
        if row.state != State.DELETING and row.attempts > get_queue_settings().retries:
            retry = False
        if delay is None:
            delay = retry_delay(row.attempts)
        # The errors of other packages' storages may contain signed URLs; ours are clean already.
        text = redact(describe_error(error))
        if not ledger.fail(row, text, retry_in=delay if retry else None, sent=self.lease.sent):
            return self._end_superseded()
        row.last_error = text
        if retry or row.state == State.DELETING:
            logger.warning("%s: attempt %d failed: %s", row.name, row.attempts, text)
            self._send(signals.transfer_retried)
            self.again(row.pk, delay)
            return Outcome.RETRY
        logger.error("%s: gave up after attempt %d: %s", row.name, row.attempts, text)
        self._send(signals.transfer_failed)
        return Outcome.FAILED

    def _send(self, signal: Signal) -> None:
        if self.storage is None:
            return
        sent = signal.send_robust(
            sender=type(self.storage),
            storage=self.storage,
            name=self.row.name,
            transfer=self.row,
            # As in django-queued-storage, whose receivers take them by name.
            local=self.storage.local,
            remote=self.storage.remote,
        )
        for receiver, answer in sent:
            if isinstance(answer, Exception):
                logger.error("receiver %r raised", receiver, exc_info=answer)


class _NotABoolError(Exception):
    pass
