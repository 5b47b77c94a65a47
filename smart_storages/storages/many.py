"""Operations of a storage on many files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Optional, Tuple

from storages.utils import clean_name

from smart_storages.backends import s3
from smart_storages.exceptions import S3Error
from smart_storages.storages.operations import operation, steps
from smart_storages.storages.writing import is_one_of_many

if TYPE_CHECKING:
    from storages.backends.s3boto3 import S3Boto3Storage as _Base

    from smart_storages.backends.s3.stat import Stat
else:
    _Base = object

__all__ = ["ManyMixin"]

#: Files saved at the same time. Each may hold two parts of an upload, 16 MiB.
SAVES = 8


class ManyMixin(_Base):  # type: ignore[misc]
    """``delete_many``, ``stat_many``, ``iter_files`` and ``save_many``."""

    @operation()
    def delete_many(self, names: Iterable[str]) -> Dict[str, S3Error]:
        """Delete files, 1,000 per request; a file that does not exist is not an error.

        Args:
            names: Names of the files.

        Returns:
            An error for each name that could not be deleted; empty if there was none.

        Raises:
            SuspiciousFileOperation: a name is not valid; nothing was deleted.

        Example::

            failed = storage.delete_many(["a.txt", "b.txt"])
        """
        keys = {name: self._normalize_name(clean_name(name)) for name in names}
        try:
            failed = self._delete_all(keys.values())
        finally:
            self._forget(keys.values())
        return {name: failed[key] for name, key in keys.items() if key in failed}

    @operation("delete_many")
    def delete_keys(self, keys: Iterable[str]) -> Dict[str, S3Error]:
        """Delete objects by their keys, location included, also those that no name leads to.

        Returns:
            An error for each key that could not be deleted.
        """
        chosen = list(keys)
        try:
            return self._delete_all(chosen)
        finally:
            self._forget(chosen)

    @operation()
    def exists_many(self, names: Iterable[str]) -> Dict[str, bool]:
        """Return for each name whether there is such a file; see :meth:`stat_many`.

        Example::

            storage.exists_many(["a.txt", "b.txt"])     # {"a.txt": True, "b.txt": False}
        """
        return {name: stat is not None for name, stat in self.stat_many(names).items()}

    @operation()
    def stat_many(self, names: Iterable[str]) -> Dict[str, Optional[Stat]]:
        """Return size, time and ETag of each file, ``None`` for one that does not exist.

        Names that are close to each other in S3's order are covered by listings, 1,000 per request;
        their stat has no content type. Scattered names take a HEAD each, several at a time.

        Args:
            names: Names of the files.

        Raises:
            S3Error: S3 did not answer for one of them.

        Example::

            sizes = {name: stat.size for name, stat in storage.stat_many(names).items() if stat}
        """
        keys = {name: self._normalize_name(clean_name(name)) for name in names}
        stats = self.stat_keys(keys.values())
        return {name: stats[key] for name, key in keys.items()}

    @steps
    def iter_files(self, prefix: str = "") -> Iterator[Tuple[str, Stat]]:
        """Yield the name and the stat of every file, 1,000 per request, in S3's order.

        Objects that other programs wrote under keys without a name, such as ``a//b``, are left
        out: ``open`` and ``delete`` would take another object for them.

        Args:
            prefix: The beginning of the names: ``"photos/"`` for a folder and everything in it.

        Raises:
            S3Error: S3 refused to list them.

        Example::

            total = sum(stat.size for name, stat in storage.iter_files("photos/"))
        """
        start = len(self._normalize_name(""))
        for key, stat in self.iter_keys(self._normalize_name(clean_name(prefix))):
            name = key[start:]
            if self._names(name, key):
                yield name, stat

    def _delete_all(self, keys: Iterable[str]) -> Dict[str, S3Error]:
        return s3.bulk.delete_many(self.s3_target(), keys)

    def stat_keys(self, keys: Iterable[str]) -> Dict[str, Optional[Stat]]:
        """As :meth:`stat_many`, by keys, location included."""
        return s3.bulk.stat_many(self.s3_target(), keys)

    def iter_keys(self, prefix: str, after: str = "") -> Iterator[Tuple[str, Stat]]:
        """Yield the key and the stat of every object below a prefix, in S3's order.

        Unlike :meth:`iter_files` it goes past the location, and yields keys without a name too.

        Args:
            prefix: The beginning of the keys; the whole bucket if empty.
            after: Only keys that sort after this one.
        """
        return s3.bulk.iter_entries(self.s3_target(), prefix, after)

    def count_threads(self) -> int:
        """Return how many files are to be read or written at once."""
        return s3.bulk.count_threads(self.s3_target())

    # Saving

    @operation()
    def save_many(
        self, pairs: Iterable[Tuple[str, Any]], *, return_errors: bool = False
    ) -> List[Any]:
        """Save files, 8 at a time; return their names in the order of the pairs.

        Args:
            pairs: Name and content of each file. A generator is advanced only when there is room
                for the next pair.
            return_errors: Whether to return an error in place of a name. If not, the first error
                is raised after the other files were saved.

        Raises:
            S3Error: S3 refused a file, or did not answer.

        Example::

            names = storage.save_many(
                (path.name, ContentFile(path.read_bytes())) for path in paths
            )
        """
        results: List[Any] = []
        failed: Optional[Exception] = None
        for _, name, error in s3.bulk.run_many(
            lambda pair: self._save_one_of_many(*pair), pairs, threads=SAVES
        ):
            failed = failed or error
            results.append(name if error is None else error)
        if failed is not None and not return_errors:
            raise failed
        return results

    @contextmanager
    def saving_one_of_many(self) -> Iterator[None]:
        """Within this block a large file is sent part by part, since other files are sent too."""
        token = is_one_of_many.set(True)
        try:
            yield
        finally:
            is_one_of_many.reset(token)

    def _save_one_of_many(self, name: str, content: Any) -> str:
        with self.saving_one_of_many():
            saved: str = self.save(name, content)
        return saved
