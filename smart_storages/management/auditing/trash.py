"""Objects that nobody names go to a trash prefix, come back from it, and are purged in the end."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, TypeVar

from smart_storages.exceptions import ObjectExistsError
from smart_storages.management.auditing.areas import Area
from smart_storages.management.moving.workers import Workers
from smart_storages.storages import SmartS3Storage

__all__ = ["Trash"]

_Item = TypeVar("_Item")

_STAMP = "%Y%m%dT%H%M%SZ"
_PAGE = 1_000

#: What to move: an object's key, the key to move it to, and the ETag it must have, if known.
_Move = Tuple[str, str, str]


class Trash:
    """The trash of one area, ``<location>/<name>/<time>/<the object's name>``.

    Args:
        area: The area.
        name: Name of the trash directory.
        now: When this run was started, an aware datetime.
        tell: Called with what became of an object, its key, and the error if there was one.

    Example::

        Trash(area, ".trash", now).throw_away([("media/old.pdf", "9a0364b9")])
    """

    def __init__(
        self,
        area: Area,
        name: str,
        now: datetime,
        tell: Callable[[str, str, Optional[Exception]], None] = lambda *_: None,
    ) -> None:
        self._storage: SmartS3Storage = area.storage
        self._start = area.start
        self._name = name
        self._now = now
        self._tell = tell

    def key_of(self, key: str, stamp: str = "") -> str:
        """Return where an object is in the trash."""
        stamp = stamp or self._now.strftime(_STAMP)
        return f"{self._start}{self._name}/{stamp}/{key[len(self._start) :]}"

    def throw_away(self, objects: Sequence[Tuple[str, str]]) -> int:
        """Move objects, given as key and ETag, to the trash; return how many were."""
        moves = [(key, self.key_of(key), etag) for key, etag in objects]
        return self._move(moves, "moved to the trash")

    def bring_back(self, keys: Iterable[str]) -> int:
        """Bring back objects that this run has thrown away; return how many were."""
        return self._restore((self.key_of(key), key) for key in keys)

    def restore(self, prefix: str = "") -> int:
        """Bring back everything whose name begins with ``prefix``; return how much.

        What was thrown away last comes first: an older object of the same name stays in the trash,
        as does one whose name is taken again.
        """
        count = 0
        for stamp in reversed(self._stamps()):
            start = f"{self._start}{self._name}/{stamp}/"
            entries = self._storage.iter_keys(f"{start}{prefix}")
            count += self._restore((key, f"{self._start}{key[len(start) :]}") for key, _ in entries)
        return count

    def purge(self, days: float) -> int:
        """Delete what was thrown away more than so many days ago; return how many objects."""
        count = 0
        for stamp in self._stamps():
            thrown = datetime.strptime(stamp, _STAMP).replace(tzinfo=timezone.utc)
            # What this run has thrown away can be brought back, even with 0 days.
            if stamp == self._now.strftime(_STAMP) or self._now - thrown <= timedelta(days=days):
                continue
            start = f"{self._start}{self._name}/{stamp}/"
            keys = (key for key, _ in self._storage.iter_keys(start))
            for page in _pages(keys):
                failed = self._storage.delete_keys(page)
                for key, error in failed.items():
                    self._tell("failed", key, error)
                count += len(page) - len(failed)
        return count

    def _stamps(self) -> List[str]:
        names, _ = self._storage.listdir(self._name)
        return sorted(name for name in names if _is_stamp(name))

    def _restore(self, pairs: Iterable[Tuple[str, str]]) -> int:
        count = 0
        for page in _pages(pairs):
            taken = self._storage.stat_keys([key for _, key in page])
            for _, key in page:
                if taken[key] is not None:
                    self._tell("not restored, its name is taken", key, None)
            free = [(thrown, key, "") for thrown, key in page if taken[key] is None]
            count += self._move(free, "restored")
        return count

    def _move(self, moves: Sequence[_Move], done: str) -> int:
        """Copy each object, then delete those that were copied and have not changed since."""
        copies: Dict[str, str] = {}
        workers = Workers(self._copy, moves, threads=self._storage.count_threads())
        for move, _, error in workers:
            if error is None:
                copies[move[0]] = move[1]
            else:
                self._tell("failed", move[0], error)
        self._keep_changed(copies, {key: etag for key, _, etag in moves if etag})
        failed = self._storage.delete_keys(copies)
        for key, error in failed.items():
            self._tell("failed", key, error)
        if failed:
            # Two of a file would be one too many; but a delete whose answer was lost has been done.
            there = self._storage.stat_keys(failed)
            self._storage.delete_keys([copies[key] for key in failed if there[key] is not None])
        for key in copies.keys() - failed.keys():
            self._tell(done, key, None)
        return len(copies) - len(failed)

    def _keep_changed(self, copies: Dict[str, str], etags: Dict[str, str]) -> None:
        """Leave out, and take out of the trash again, what was overwritten after it was copied."""
        stats = self._storage.stat_keys([key for key in copies if key in etags])
        changed = [key for key, now in stats.items() if now is not None and now.etag != etags[key]]
        self._storage.delete_keys([copies.pop(key) for key in changed])
        for key in changed:
            self._tell("not moved, it was saved again", key, None)

    def _copy(self, move: _Move) -> None:
        key, new_key, etag = move
        if not etag and self._storage.stat_keys([new_key])[new_key] is not None:
            raise ObjectExistsError(
                "The name has been taken.", **self._storage.s3_target().places(new_key)
            )
        self._storage.replicate(key, self._storage, new_key, etag=etag)


def _is_stamp(text: str) -> bool:
    try:
        datetime.strptime(text, _STAMP)
    except ValueError:
        return False
    return True


def _pages(items: Iterable[_Item]) -> Iterator[List[_Item]]:
    rest = iter(items)
    while True:
        page = list(islice(rest, _PAGE))
        if not page:
            return
        yield page
