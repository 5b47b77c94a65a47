"""Work on local disk, and save the result in the storage."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat as file_kinds
import tempfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Iterator, List, Optional, Tuple

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from storages.utils import clean_name

from smart_storages import config
from smart_storages.backends import s3
from smart_storages.exceptions import ObjectChangedError
from smart_storages.storages.many import SAVES
from smart_storages.storages.operations import steps

if TYPE_CHECKING:
    from storages.backends.s3boto3 import S3Boto3Storage as _Base
else:
    _Base = object

__all__ = ["WorkspaceMixin"]

_CHUNK = 1024**2


class WorkspaceMixin(_Base):  # type: ignore[misc]
    """``local_copy`` and ``workspace``: real paths for work that needs them."""

    @contextmanager
    @steps
    def local_copy(self, name: str, write_back: bool = False) -> Iterator[Path]:
        """Provide a local file with the content of a stored one; remove it when the block ends.

        Args:
            name: Name of the file.
            write_back: Whether to save the file if its content changed and the block ends without
                an exception.

        Raises:
            ObjectNotFoundError: there is no such file.
            ObjectChangedError: another writer saved it meanwhile; it was not written back.

        Example::

            with storage.local_copy("film.mp4", write_back=True) as path:
                subprocess.run(["mogrify", path], check=True)
        """
        self._normalize_name(clean_name(name))
        with _folder() as folder:
            path = folder / (PurePosixPath(str(clean_name(name))).name or "file")
            with self.open(name, "rb") as file, path.open("xb") as copy:
                shutil.copyfileobj(file, copy, _CHUNK)
                opened = file
            before = _digest(path) if write_back else ""
            yield path
            if write_back and _digest(path) != before:
                self._write_back(name, path, opened)

    def _write_back(self, name: str, path: Path, opened: Any) -> None:
        now = self.stat_many([name])[name]
        if now is not None and now.etag != opened.etag:
            raise ObjectChangedError(
                "Another writer saved the file meanwhile, so it was not written back. Repeat the "
                "change on the new content.",
                **self.s3_target().places(self._normalize_name(clean_name(name))),
            )
        with _open_for_upload(path) as file:
            # Under the same name even if file_overwrite is False: write_back asks for that.
            content: Any = File(file, name)
            content.content_type = opened.content_type
            self._save(name, content)

    @contextmanager
    @steps
    def workspace(self, prefix: str = "") -> Iterator[Path]:
        """Provide an empty local folder; save its files if the block ends without an exception.

        After an exception nothing is saved. The local folder is removed in either case.

        Args:
            prefix: The folder of the storage in which the files are saved.

        Raises:
            SuspiciousFileOperation: a symbolic link leads out of the folder, or something is
                neither a file nor a folder. Nothing was saved.
            S3Error: a file could not be saved; others may have been.

        Example::

            with storage.workspace("reports/2024") as folder:
                (folder / "a.csv").write_text("1,2")        # becomes reports/2024/a.csv
        """
        self._normalize_name(clean_name(prefix))
        with _folder() as folder:
            yield folder
            failed: Optional[Exception] = None
            for _, _, error in s3.bulk.run_many(
                lambda found: self._save_found(prefix, *found), _find_files(folder), threads=SAVES
            ):
                failed = failed or error
            if failed is not None:
                raise failed

    def _save_found(self, prefix: str, parts: Tuple[str, ...], path: Path) -> str:
        name = str(PurePosixPath(prefix, *parts))
        # A folder may contain thousands of files: each is open only while it is saved.
        with _open_for_upload(path) as file:
            saved: str = self._save_one_of_many(name, File(file, name))
        return saved


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix="smart-storages-", dir=config.get_upload_folder()
    ) as folder:
        yield Path(folder)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with _open_for_upload(path) as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _find_files(folder: Path) -> List[Tuple[Tuple[str, ...], Path]]:
    """Return every file below a folder, as parts of its name and its real path."""
    root = Path(os.path.realpath(folder))
    found: List[Tuple[Tuple[str, ...], Path]] = []
    for where, folders, files in os.walk(root):
        for name in sorted(folders + files):
            path = Path(where, name)
            parts = path.relative_to(root).parts
            real = Path(os.path.realpath(path))
            kind = os.lstat(path).st_mode
            if root not in real.parents:
                raise SuspiciousFileOperation(
                    f"{'/'.join(parts)!r} leads out of the workspace. Copy the file into it."
                )
            if file_kinds.S_ISDIR(kind):
                continue
            if not real.is_file():
                raise SuspiciousFileOperation(
                    f"{'/'.join(parts)!r} is neither a file nor a folder. Remove it."
                )
            found.append((parts, real))
    return found


def _open_for_upload(path: Path) -> Any:
    # The path is already resolved: a link that has replaced the file since then is not followed.
    descriptor = os.open(str(path), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    if not file_kinds.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SuspiciousFileOperation(f"{path.name!r} is no longer a file.")
    return os.fdopen(descriptor, "rb")
