"""A list of objects as S3 Batch Operations takes it: CSV, the bucket and the encoded key.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html
"""

from __future__ import annotations

import csv
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.core.management.base import CommandError

from smart_storages.management.moving.ends import BucketEnd, End

__all__ = ["Manifest"]


class Manifest:
    """A manifest; the file appears when it is complete.

    Args:
        path: The file.
        source: The end whose objects are listed.

    Raises:
        CommandError: the source is no bucket of S3, or the file cannot be written.

    Example::

        with Manifest(Path("manifest.csv"), end) as manifest:
            manifest.add("a.txt")
    """

    def __init__(self, path: Path, source: End) -> None:
        if not isinstance(source, BucketEnd) or not source.storage.is_in_s3:
            raise CommandError(
                f"{source.label!r} is no bucket of S3: S3 Batch Operations copies objects only.",
                returncode=2,
            )
        self._path, self._source = path, source
        self._temporary = f"{path}.new"

    def __enter__(self) -> Manifest:
        try:
            self._file = open(self._temporary, "w", encoding="ascii", newline="")
        except OSError as error:
            raise CommandError(
                f"The manifest {str(self._path)!r} cannot be written: {error.strerror}.",
                returncode=2,
            ) from error
        self._writer = csv.writer(self._file, lineterminator="\n")
        return self

    def __exit__(self, kind: Any, *error: object) -> None:
        self._file.close()
        if kind is None:
            os.replace(self._temporary, str(self._path))
        else:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def add(self, name: str) -> None:
        """Add an object of the source."""
        key = quote(self._source.key_of(name), safe="/-_.~")
        self._writer.writerow([self._source.target.bucket, key])
