"""What an audit has to remember, in a temporary SQLite file instead of memory."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from typing import Any, Iterable, Iterator, List, NamedTuple, Tuple

__all__ = ["Missing", "Orphan", "Reference", "Store"]

# SQLite compares text by its UTF-8 bytes, as S3 orders keys; databases have orders of their own.
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -8000;
CREATE TABLE refs (bucket INTEGER, key TEXT, source INTEGER, pk TEXT, name TEXT, others INTEGER);
CREATE TABLE hits (source INTEGER, pk TEXT, PRIMARY KEY (source, pk)) WITHOUT ROWID;
CREATE TABLE misses (source INTEGER, pk TEXT, name TEXT, bucket INTEGER, key TEXT);
CREATE TABLE orphans (
    bucket INTEGER, key TEXT, size INTEGER, etag TEXT, modified REAL, PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
"""
_PAGE = 1_000


class Reference(NamedTuple):
    """A row names a file that may be this object.

    Args:
        bucket: Number of the bucket.
        key: Key of the object.
        source: Number of the column.
        pk: Primary key of the row, as text.
        name: The name in the row.
        others: Whether the file may be elsewhere too.
    """

    bucket: int
    key: str
    source: int
    pk: str
    name: str
    others: bool


class Missing(NamedTuple):
    """A row whose file was not found; the fields are those of :class:`Reference`."""

    source: int
    pk: str
    name: str
    bucket: int
    key: str


class Orphan(NamedTuple):
    """An object that no row names.

    Args:
        bucket: Number of the bucket.
        key: Its key.
        size: Bytes stored.
        etag: Its ETag without quotes.
        modified: When it was written, in seconds since 1970.
    """

    bucket: int
    key: str
    size: int
    etag: str
    modified: float


class Store:
    """The temporary file; deleted when the ``with`` block ends.

    Example::

        with Store() as store:
            store.add_references(references)
    """

    def __enter__(self) -> Store:
        descriptor, self._path = tempfile.mkstemp(prefix="smart-storages-audit-", suffix=".sqlite3")
        os.close(descriptor)
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        self._connection.executescript(_SCHEMA)
        self._connection.execute("BEGIN")
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()
        os.unlink(self._path)

    def _pages(self, query: str, *values: Any) -> Iterator[List[Any]]:
        cursor = self._connection.execute(query, values)
        while True:
            page = cursor.fetchmany(_PAGE)
            if not page:
                return
            yield page

    def add_references(self, references: Iterable[Reference]) -> None:
        """Remember what rows name."""
        self._connection.executemany("INSERT INTO refs VALUES (?, ?, ?, ?, ?, ?)", references)

    def references(self, bucket: int) -> Iterator[Reference]:
        """Yield what rows name in a bucket, in the order of the keys."""
        query = "SELECT * FROM refs WHERE bucket = ? ORDER BY key"
        for page in self._pages(query, bucket):
            yield from map(Reference._make, page)

    def hit(self, reference: Reference) -> None:
        """Remember that the object of a reference is there; needed if there are others."""
        pair = (reference.source, reference.pk)
        self._connection.execute("INSERT OR IGNORE INTO hits VALUES (?, ?)", pair)

    def miss(self, reference: Reference) -> None:
        """Remember that the object of a reference is not there."""
        bucket, key, source, pk, name, _ = reference
        row = (source, pk, name, bucket, key)
        self._connection.execute("INSERT INTO misses VALUES (?, ?, ?, ?, ?)", row)

    def missing(self) -> Iterator[List[Missing]]:
        """Yield pages of the rows of which no object was found, in the order of the keys."""
        query = """
            SELECT source, pk, name, min(bucket), min(key) FROM misses
            WHERE NOT EXISTS (
                SELECT 1 FROM hits WHERE hits.source = misses.source AND hits.pk = misses.pk
            )
            GROUP BY source, pk, name ORDER BY 4, 5
        """
        for page in self._pages(query):
            yield [Missing(*each) for each in page]

    def add_orphan(self, orphan: Orphan) -> None:
        """Remember an object that no row names."""
        self._connection.execute("INSERT OR REPLACE INTO orphans VALUES (?, ?, ?, ?, ?)", orphan)

    def has_orphans(self) -> bool:
        """Return whether there is one."""
        return self._connection.execute("SELECT 1 FROM orphans LIMIT 1").fetchone() is not None

    def discard_orphans(self, places: Iterable[Tuple[int, str]]) -> None:
        """Forget orphans, given as bucket and key: a row names them, or they are gone."""
        self._connection.executemany("DELETE FROM orphans WHERE bucket = ? AND key = ?", places)

    def find_orphans(self, places: Iterable[Tuple[int, str]]) -> List[Orphan]:
        """Return those of the objects, given as bucket and key, that are orphans."""
        query = "SELECT * FROM orphans WHERE bucket = ? AND key = ?"
        found = (self._connection.execute(query, each).fetchone() for each in places)
        return [Orphan(*each) for each in found if each is not None]

    def orphans(self) -> Iterator[List[Orphan]]:
        """Yield pages of the orphans of one bucket each, in the order of the keys.

        The loop may discard orphans of the page that it was given.
        """
        after: Tuple[int, str] = (-1, "")
        while True:
            query = (
                "SELECT * FROM orphans WHERE (bucket, key) > (?, ?) ORDER BY bucket, key LIMIT ?"
            )
            page = self._connection.execute(query, (*after, _PAGE)).fetchall()
            if not page:
                return
            orphans = [Orphan(*each) for each in page if each[0] == page[0][0]]
            after = orphans[-1][:2]
            yield orphans
