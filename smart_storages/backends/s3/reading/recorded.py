"""A reader that counts what it does to the operation that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smart_storages.backends.s3.reading.reader import S3Reader

if TYPE_CHECKING:
    from smart_storages.backends.s3.target import Target
    from smart_storages.common.recording import Record

__all__ = ["RecordedReader"]


class RecordedReader(S3Reader):
    """An :class:`S3Reader` whose requests, bytes and time count to one record.

    Whoever closes the file ends the record; if it is collected instead, that ends it.

    Args:
        record: The record, which has just begun.
        target: The bucket.
        key: Key of the object.
        threads: As for :class:`S3Reader`.
        lazily: As for :class:`S3Reader`.
    """

    record: Record

    def __init__(
        self, record: Record, target: Target, key: str, *, threads: int, lazily: bool = False
    ) -> None:
        self.record = record
        try:
            with record.active():
                super().__init__(target, key, threads=threads, lazily=lazily)
        except BaseException as error:
            record.finish(error)
            raise

    def __del__(self) -> None:
        self.record.finish_later()
        super().__del__()

    def readinto(self, buffer: Any) -> int:
        try:
            with self.record.active():
                return super().readinto(buffer)
        except BaseException as error:
            self.record.fail(error)
            raise

    def readall(self) -> bytes:
        try:
            with self.record.active():
                return super().readall()
        except BaseException as error:
            self.record.fail(error)
            raise
