"""One audit: rows, listings, and a second look at whatever seems to be wrong.

The order matters. An object that was saved while the audit ran may be in a listing, and its row
not among those read before. So the rows are read once more after the listings, against the orphans
alone; a row that was there all the time, but moved from an unread page to a read one, is found
then as well. What is left is asked for once more, object by object and name by name.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from django.core.exceptions import SuspiciousOperation

from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import SmartStorageError
from smart_storages.management.auditing.areas import Area, Areas
from smart_storages.management.auditing.columns import (
    Column,
    LedgerColumn,
    find_columns,
    has_ledger,
    has_uploads,
    still_named,
)
from smart_storages.management.auditing.leaves import Leaf, find_leaves, iter_buckets
from smart_storages.management.auditing.store import Missing, Orphan, Reference, Store
from smart_storages.management.moving.merging import read_ahead
from smart_storages.uploads import clearing

__all__ = ["Auditor", "Findings", "Scope"]

_PAGE = 1_000


class Scope(NamedTuple):
    """What an audit looks at.

    Args:
        age: Seconds; a younger object is never an orphan, since its row may not be committed yet.
        exclude: Beginnings of names, or of keys, that are not looked at.
        trash: Name of the directory that holds what was deleted.
    """

    age: float
    exclude: Tuple[str, ...]
    trash: str


@dataclass
class Findings:
    """What an audit found, in numbers.

    Args:
        rows: Names in rows.
        objects: Objects in the listings.
        missing: Rows whose file no bucket has.
        orphans: Objects that no row names.
        orphan_bytes: Their size.
        problems: Rows that could not be judged, by reason; while there is one, nothing may be
            deleted.
    """

    rows: int = 0
    objects: int = 0
    missing: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    problems: Dict[str, int] = field(default_factory=dict)


class Auditor:
    """Finds missing files and orphans.

    Args:
        store: Where to keep what does not fit into memory.
        scope: What to look at.
        advance: Called with a number of rows and objects that were looked at.

    Example::

        with Store() as store:
            auditor = Auditor(store, Scope(86_400, (), ".trash"))
            auditor.run()
            for missing in auditor.missing():
                print(missing.name)
    """

    def __init__(
        self, store: Store, scope: Scope, advance: Callable[[int], None] = lambda _: None
    ) -> None:
        self._store, self._scope, self._advance = store, scope, advance
        self._started = time.time()
        self._ledger: Optional[LedgerColumn] = LedgerColumn() if has_ledger() else None
        self._has_uploads = has_uploads()
        self.columns: List[Column] = find_columns()
        self.areas = Areas()
        self.findings = Findings()

    def run(self) -> None:
        """Read the rows and the listings.

        Raises:
            S3Error: a listing failed.
        """
        self.find_areas()
        for page in _in_pages(self._read_rows()):
            self._store.add_references(page)
            self._advance(len(page))
        for area in self.areas.outermost(self._scope.trash, self._scope.exclude):
            self._hold_against_rows(area)
        self.look_again()

    def find_areas(self) -> None:
        """Find the buckets of the fields' storages, as far as the settings alone tell."""
        for column in self.columns:
            for storage in iter_buckets(column.storage):
                if storage.configuration_problem is None and storage.bucket_name:
                    self.areas.number_of(storage)

    # Rows

    def _read_rows(self) -> Iterator[Reference]:
        for number, column in enumerate(self.columns):
            storage = column.storage
            for pk, name in column.names():
                self.findings.rows += 1
                leaves = self._leaves_of(storage, name, column.label)
                for leaf in leaves:
                    if leaf.storage is not None:
                        bucket = self.areas.number_of(leaf.storage)
                        yield Reference(bucket, leaf.key, number, pk, name, len(leaves) > 1)
        for leaf in chain(self._of_ledger(), self._of_uploads(), self._of_defaults()):
            if leaf.storage is not None:
                bucket = self.areas.number_of(leaf.storage)
                # Whether the file is there, the ledger knows and `transfers verify` tells.
                yield Reference(bucket, leaf.key, -1, "", "", True)

    def _of_ledger(self) -> Iterator[Leaf]:
        if self._ledger is not None:
            for remote, name in self._ledger.names():
                yield from self._leaves_of(remote, name, self._ledger.label)

    def _of_uploads(self) -> Iterator[Leaf]:
        """The files whose forms may still be submitted."""
        if self._has_uploads:
            for storage, name in clearing.iter_live():
                yield from self._leaves_of(storage, name, "direct uploads")

    def _of_defaults(self) -> Iterator[Leaf]:
        """The files that the next row will name, if it is saved without one."""
        for column in self.columns:
            if column.default:
                yield from self._leaves_of(column.storage, column.default, column.label)

    def _leaves_of(self, storage: Any, name: str, label: str) -> Sequence[Leaf]:
        try:
            return find_leaves(storage, name)
        except (SmartStorageError, SuspiciousOperation) as error:
            reason = f"{label}: {type(error).__name__}: {plain_text(error)}"
            problems = self.findings.problems
            problems[reason if len(problems) < _PAGE else "others"] = (
                problems.get(reason if len(problems) < _PAGE else "others", 0) + 1
            )
            return ()

    # Listings

    def _hold_against_rows(self, area: Area) -> None:
        references = (
            each for each in self._store.references(area.bucket) if each.key.startswith(area.start)
        )
        reference = next(references, None)
        oldest = self._started - self._scope.age
        for key, stat in read_ahead(area.storage.iter_keys(area.start)):
            self.findings.objects += 1
            if not self.findings.objects % _PAGE:
                self._advance(_PAGE)
            while reference is not None and reference.key < key:
                self._miss(reference)
                reference = next(references, None)
            named = False
            while reference is not None and reference.key == key:
                named = True
                if reference.others:
                    self._store.hit(reference)
                reference = next(references, None)
            modified = stat.modified_time.timestamp()
            if named or modified > oldest or key.endswith("/") or key.startswith(area.excluded):
                continue
            self._store.add_orphan(Orphan(area.bucket, key, stat.size, stat.etag, modified))
        while reference is not None:
            self._miss(reference)
            reference = next(references, None)

    def _miss(self, reference: Reference) -> None:
        if reference.source >= 0:
            self._store.miss(reference)

    # The second look

    def look_again(self) -> None:
        """Take from the orphans what a row names now."""
        if self._store.has_orphans():
            for page in _in_pages(self._places_named_now()):
                self._store.discard_orphans(page)

    def named_orphans(self) -> Iterator[Orphan]:
        """Yield the orphans that a row names now."""
        for page in _in_pages(self._places_named_now()):
            yield from self._store.find_orphans(page)

    def _places_named_now(self) -> Iterator[Tuple[int, str]]:
        leaves = (
            leaf
            for column in self.columns
            for _, name in column.names()
            for leaf in self._leaves_of(column.storage, name, column.label)
        )
        for each in (leaves, self._of_ledger(), self._of_uploads(), self._of_defaults()):
            for leaf in each:
                if leaf.storage is not None:
                    for number in self.areas.numbers_like(leaf.storage):
                        yield number, leaf.key

    # Results

    def orphans(self) -> Iterator[List[Orphan]]:
        """Yield pages of orphans of one bucket, as they are in the bucket at this moment."""
        self.findings.orphans = self.findings.orphan_bytes = 0
        oldest = self._started - self._scope.age
        for page in self._store.orphans():
            storage = self.areas.storage_in(page[0].bucket)
            stats = storage.stat_keys([each.key for each in page])
            there = []
            for each in page:
                stat = stats[each.key]
                if stat is None or stat.modified_time.timestamp() > oldest:
                    self._store.discard_orphans([each[:2]])
                    continue
                there.append(each._replace(size=stat.size, etag=stat.etag))
            self.findings.orphans += len(there)
            self.findings.orphan_bytes += sum(each.size for each in there)
            if there:
                yield there

    def missing(self) -> Iterator[Missing]:
        """Yield the rows whose file is still missing, and which still name it."""
        self.findings.missing = 0
        for page in self._store.missing():
            for each in self._still_missing(page):
                self.findings.missing += 1
                yield each

    def _still_missing(self, page: List[Missing]) -> Iterator[Missing]:
        named = {
            source: still_named(
                self.columns[source], [each.name for each in page if each.source == source]
            )
            for source in {each.source for each in page}
        }
        left = [each for each in page if each.name in named[each.source]]
        for bucket in sorted({each.bucket for each in left}):
            mine = [each for each in left if each.bucket == bucket]
            stats = self.areas.storage_in(bucket).stat_keys([each.key for each in mine])
            for each in mine:
                if stats[each.key] is None and not self._is_elsewhere(each):
                    yield each

    def _is_elsewhere(self, missing: Missing) -> bool:
        storage = self.columns[missing.source].storage
        leaves = self._leaves_of(storage, missing.name, self.columns[missing.source].label)
        if len(leaves) <= 1:
            return False
        # A queue's local copy, another backend of a fallback: the storage itself knows.
        with suppress(SmartStorageError):
            return bool(storage.exists(missing.name))
        return False


def _in_pages(items: Iterator[Any]) -> Iterator[List[Any]]:
    page: List[Any] = []
    for item in items:
        page.append(item)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page
