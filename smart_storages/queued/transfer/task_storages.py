"""The two storages that a task gets: they use the file's own name, and check the lease."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, Any, Callable, Dict, Optional, Tuple, cast

from django.core.files import File
from django.utils.functional import LazyObject
from s3transfer.manager import TransferManager

from smart_storages.common.recording import carry
from smart_storages.config.providers import get_provider
from smart_storages.queued import ledger
from smart_storages.queued.ledger.crash_points import reached
from smart_storages.queued.ledger.lease import Lease, LeaseLostError
from smart_storages.queued.ledger.texts import longest
from smart_storages.queued.models import QueuedFile
from smart_storages.queued.transfer.local_copies import delete_quietly, s3_address
from smart_storages.storages.connecting import ConnectingMixin
from smart_storages.storages.operations import recording
from smart_storages.wrappers.calls import Steps
from smart_storages.wrappers.forwarding import ChoosingStorage, ForwardingStorage
from smart_storages.wrappers.health import FULL, kind_of

__all__ = ["LocalView", "RemoteView", "copy_in_s3"]

logger = logging.getLogger("smart_storages.queued")


class LocalView(ChoosingStorage):
    """The local storage, in which the local copy appears under the name of its file.

    Args:
        inner: The local storage.
        row: The row, as it was claimed.
        lease: The lease of the attempt; once it is lost, reads raise.
    """

    def __init__(self, inner: Any, row: QueuedFile, lease: Lease) -> None:
        self.inner = inner
        self._row = row
        self._lease = lease

    def _pick(self, method: str, name: Any, params: Dict[str, Any]) -> Tuple[Any, Any]:
        return self.inner, self.name_of(name)

    def name_of(self, name: str) -> str:
        """Return the name of a file in the local storage."""
        return self._row.local_name if name == self._row.name else name

    def open(self, name: str, mode: str = "rb") -> File[Any]:
        """Open the local copy; each read checks that the lease is still held."""
        try:
            content = self.inner.open(self.name_of(name), mode)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"The local copy of {name!r} is not on this host; it was saved on "
                f"{self._row.host!r}. Run a worker there, or make local a bucket that every host "
                "can reach."
            ) from error
        return File(cast(IO[bytes], _LeasedContent(content, self._lease)), name=name)


class _LeasedContent:
    def __init__(self, content: Any, lease: Lease) -> None:
        self._content = content
        self._lease = lease
        #: Whether any of the content may have been read.
        self.used = False

    def read(self, *args: Any) -> Any:
        self.used = True
        self._lease.check()
        data = self._content.read(*args)
        reached("transfer:uploading")
        return data

    def __getattr__(self, attribute: str) -> Any:
        if attribute not in _REVEALS_NOTHING:
            self.used = True
        return getattr(self._content, attribute)


#: Attributes that can be used without reading any of the content.
_REVEALS_NOTHING = frozenset(
    ["close", "closed", "mode", "name", "seek", "seekable", "size", "tell"]
)


class RemoteView(ChoosingStorage):
    """The remote storage, where ``save`` writes under the name recorded in the ledger.

    Args:
        inner: The remote storage.
        row: The row, as it was claimed.
        lease: The lease of the attempt.
        overwrite: Whether the storage replaces a file by itself.
    """

    def __init__(self, inner: Any, row: QueuedFile, lease: Lease, *, overwrite: bool) -> None:
        self.inner = inner
        self._row = row
        self._lease = lease
        self._overwrite = overwrite
        self._is_new = False

    def _pick(self, method: str, name: Any, params: Dict[str, Any]) -> Tuple[Any, Any]:
        known = name == self._row.name and self._row.remote_name
        return self.inner, self._row.remote_name if known else name

    def _save_steps(self, name: str, content: Any, max_length: Optional[int]) -> Steps:
        claimed = yield self, "claim", (name, max_length), {}
        reached("transfer:sending")
        try:
            saved = yield self._recording_names(), "save", (claimed, content), {}
        except Exception as error:
            if kind_of(error) == FULL and not self._overwrite:
                yield self, "make_room", (), {}
                raise
            source = getattr(content, "file", None)
            if self._is_new and isinstance(source, _LeasedContent) and not source.used:
                yield self, "release_name", (), {}
            raise
        if saved != self._row.remote_name:
            yield self, "adopt", (saved,), {}
        return saved

    def _recording_names(self) -> Any:
        """Return a copy of the remote that records a name in the ledger before it writes.

        Otherwise, if the worker died before it recorded a new name, that object would stay in the
        remote for ever. Django's storages choose names in ``get_available_name``, which is
        replaced here. A composed storage leaves the choice to another storage, so its name is
        recorded only after the write, by :meth:`adopt`.
        """
        inner = self.inner
        while isinstance(inner, LazyObject):  # as default_storage is
            bool(inner)  # makes it build the storage inside
            inner = inner.__dict__["_wrapped"]
        if isinstance(inner, ForwardingStorage):
            return inner
        same = object.__new__(type(inner))
        same.__dict__.update(inner.__dict__)
        same.get_available_name = partial(self._find_name, same.get_available_name)
        return same

    def _find_name(
        self, find: Callable[..., str], name: str, max_length: Optional[int] = None
    ) -> str:
        found = find(name, max_length=max_length)
        claimed = self._row.remote_name
        if found == claimed:
            return found
        self._lease.check()
        if self._is_new:
            self.note(found)
            return found
        # Only attempts at this file use the recorded name, so a late one has just written there.
        self.note(claimed)
        self.inner.delete(claimed)
        return claimed

    def claim(self, name: str, max_length: Optional[int] = None) -> str:
        """Return the name to write under, which is recorded before anything is written."""
        self._lease.check()
        claimed = self._row.remote_name
        self._is_new = not claimed
        if self._is_new:
            most = longest("remote_name")  # a suffix may make the name longer
            limit = min(max_length or most, most)
            available = self.inner.get_available_name(name, max_length=limit)
            claimed = name if self._overwrite else available
            self.note(claimed)
            reached("transfer:named")
        self._lease.check()
        self._lease.sent = True
        if not (self._is_new or self._overwrite):
            # An older generation of this file, or what an attempt that died has left.
            self.inner.delete(claimed)
            reached("transfer:place-freed")
            self._lease.check()
        return claimed

    def release_name(self) -> None:
        """Remove a recorded name under which nothing was written; another file may get it."""
        try:
            if self.inner.exists(self._row.remote_name):
                return
        except Exception:
            logger.info("kept the name %s", self._row.remote_name, exc_info=True)
            return
        self.note("")
        self._lease.sent = False

    def make_room(self) -> None:
        """Delete the part that was written before the disk was full, to free its space."""
        self._lease.check()
        delete_quietly(self.inner, self._row.remote_name)

    def adopt(self, saved: str) -> None:
        """Record the different name under which the remote has stored the file."""
        try:
            self.note(saved)
        except Exception:
            # The name is recorded nowhere else, so the object would never be deleted. If only the
            # database's answer was lost, the next attempt finds no object and sends it again.
            self.inner.delete(saved)
            raise

    def note(self, remote_name: str) -> None:
        """Record the name in the ledger."""
        if not ledger.name_remote(self._row, remote_name):
            raise LeaseLostError(self._row.name)


def _compresses(storage: Any) -> bool:
    return bool(storage.gzip or getattr(storage, "brotli", False))  # the second is only ours


def _name_buckets_alike(local: Any, remote: Any) -> bool:
    if isinstance(local, ConnectingMixin) and isinstance(remote, ConnectingMixin):
        return local.identify_server() == remote.identify_server()
    # One of them is a storage of django-storages itself.
    provider = get_provider(getattr(remote, "provider", None), remote.client.meta.endpoint_url)
    return provider.global_names or local.access_key == remote.access_key


class _CarryingExecutor(ThreadPoolExecutor):
    """Its threads work for the operation of the caller, to which their requests count."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return super().submit(carry(function), *args, **kwargs)


def copy_in_s3(name: str, local: Any, remote: Any) -> bool:
    """Have S3 copy the file, if both storages are buckets of the same server.

    Returns:
        Whether it was copied; if ``False``, the caller has to transfer the content.
    """
    if not (isinstance(local, LocalView) and isinstance(remote, RemoteView)):
        return False
    source = s3_address(local.inner, local.name_of(name))
    target = s3_address(remote.inner, name)
    if source is None or target is None or _compresses(remote.inner):
        return False
    client = target[0]
    if client.meta.endpoint_url != source[0].meta.endpoint_url:
        return False
    if not _name_buckets_alike(local.inner, remote.inner):
        return False  # the remote's credentials could mean another bucket, and another file
    claimed = remote.claim(name)
    address = s3_address(remote.inner, claimed)
    assert address is not None  # noqa: S101 - it was one above
    parameters = remote.inner._get_write_parameters(address[1]["Key"])
    try:
        with recording(remote.inner, "copy", claimed):
            with TransferManager(client, executor_cls=_CarryingExecutor) as manager:
                manager.copy(
                    source[1],
                    address[1]["Bucket"],
                    address[1]["Key"],
                    extra_args={**parameters, "MetadataDirective": "REPLACE"},
                    source_client=source[0],
                ).result()
    except client.exceptions.ClientError:
        # The remote's credentials may not be allowed to read the staging bucket; the local
        # storage's are.
        logger.info("no server-side copy of %s; it is uploaded instead", name, exc_info=True)
        return False
    return True
