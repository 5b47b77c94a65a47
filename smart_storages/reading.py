"""How a storage reads: the file that ``open("rb")`` gives, and the questions one HEAD answers."""

from __future__ import annotations

import io
from datetime import datetime
from gzip import GzipFile
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Dict, Optional

from django.core.files.base import File
from django.utils.timezone import make_naive
from s3transfer.manager import TransferManager
from storages.utils import clean_name

from smart_storages import aio, config
from smart_storages.exceptions import ObjectNotFoundError
from smart_storages.options import guard_parameters
from smart_storages.s3.http import fetch
from smart_storages.s3.reader import S3Reader
from smart_storages.s3.stat import Stat
from smart_storages.s3.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from storages.backends.s3boto3 import S3Boto3Storage as _Base

    from smart_storages.providers import Provider
else:
    _Base = object

__all__ = ["ReadingMixin", "S3ReadFile"]

_BUFFER = 64 * 1024


class S3ReadFile(File):  # type: ignore[type-arg]
    """A file of a storage, open for reading: seekable, lazy, and always one version of it.

    It is made by ``storage.open(name)``. Size, type, time and ETag come from the answer that
    opened it and cost no request.

    Args:
        name: Name of the file in its storage.
        mode: ``"rb"``, or ``"r"`` for text in UTF-8.
        open_reader: Returns a reader at the start of the object.
        gunzip: Decompress an object whose ``Content-Encoding`` is gzip.

    Example::

        with storage.open("report.csv", "r") as file:
            for line in file:
                print(line, file.content_type)
    """

    def __init__(
        self, name: str, mode: str, open_reader: Callable[[], S3Reader], *, gunzip: bool = False
    ) -> None:
        self._open_reader = open_reader
        self._gunzip = gunzip
        self.mode = mode
        self._reader = open_reader()
        super().__init__(self._wrap(self._reader), name)

    def _wrap(self, reader: S3Reader) -> Any:
        file: Any = io.BufferedReader(reader, _BUFFER)
        if self._gunzip and reader.headers.get("content-encoding") == "gzip":
            file = GzipFile(fileobj=file, mode="rb")
        return file if "b" in self.mode else io.TextIOWrapper(file, encoding="utf-8")

    @property
    def stat(self) -> Stat:
        """What S3 said of the object when it was opened."""
        return self._reader.stat

    @property
    def size(self) -> int:
        """Bytes stored; of a compressed object, the compressed ones."""
        return self._reader.size

    @property
    def etag(self) -> str:
        """The ETag without its quotes."""
        return self.stat.etag

    @property
    def content_type(self) -> Optional[str]:
        """The type the object was saved with."""
        return self.stat.content_type

    @property
    def modified_time(self) -> datetime:
        """When the object was written, as ``get_modified_time`` of its storage gives it."""
        return localize(self.stat.modified_time)

    def open(self, mode: Optional[str] = None, *args: Any, **kwargs: Any) -> S3ReadFile:
        """Go to the start; after ``close``, open the object again as it is then.

        Raises:
            ValueError: the mode is not the one the file was opened with.

        Source: Django's ``File.open``.
        """
        if mode is not None and mode != self.mode:
            raise ValueError(
                f"The file {self.name!r} is open in mode {self.mode!r}, not {mode!r}. "
                "Open it anew from its storage."
            )
        if self.closed:
            self._reader = self._open_reader()
            self.file = self._wrap(self._reader)
        else:
            self.seek(0)
        return self

    def close(self) -> None:
        """Close the file and give up its connection."""
        file: Any = self.file
        file.close()
        # A GzipFile leaves what it reads from open.
        self._reader.close()

    # Async

    async def aread(self, *args: Any) -> Any:
        """``read`` for async code."""
        return await aio.run(self.read, *args)

    async def aclose(self) -> None:
        """``close`` for async code."""
        await aio.run(self.close)

    async def achunks(self, chunk_size: Optional[int] = None) -> AsyncIterator[Any]:
        """``chunks`` for async code; give it to ``StreamingHttpResponse``.

        Args:
            chunk_size: Bytes of each chunk, ``File.DEFAULT_CHUNK_SIZE`` if ``None``.
        """
        async for chunk in aio.iterate(iter(self.chunks(chunk_size))):
            yield chunk

    def __aiter__(self) -> AsyncIterator[Any]:
        return self.achunks()

    async def __aenter__(self) -> S3ReadFile:
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.aclose()


class ReadingMixin(_Base):  # type: ignore[misc]
    """``open`` for reading, and what a HEAD answers, of a storage."""

    if TYPE_CHECKING:
        bucket_name: str
        gzip: bool
        location: str
        module_name: str
        transfer_config: Any
        get_object_parameters: Callable[[str], Dict[str, Any]]
        _normalize_name: Callable[[str], str]

        @property
        def client(self) -> S3Client: ...

        @property
        def s3_provider(self) -> Provider: ...

    def _get_key(self, name: Any) -> str:
        return self._normalize_name(clean_name(name))

    def s3_target(self, name: str = "") -> Target:
        """Return what the engine needs to know of this storage to read a file.

        Args:
            name: The file; ``get_object_parameters`` may answer by it.
        """
        parameters = guard_parameters(self.get_object_parameters(name))
        return Target(
            self.bucket_name,
            self._get_client,
            module=self.module_name,
            provider=self.s3_provider,
            read_parameters={
                key: parameters[key] for key in parameters if key in _DOWNLOAD_PARAMETERS
            },
        )

    def _get_client(self) -> S3Client:
        return self.client

    def _open(self, name: Any, mode: str = "rb") -> Any:
        if set(mode) & set("wax+"):
            return super()._open(name, mode)
        key = self._get_key(name)
        relative = key[len(self.location) :].lstrip("/")
        target = self.s3_target(relative)
        transfer = self.transfer_config
        threads = transfer.max_concurrency - 1 if transfer.use_threads else 0

        def open_reader() -> S3Reader:
            return S3Reader(target, key, threads=min(threads, _MAX_THREADS))

        return S3ReadFile(relative, mode, open_reader, gunzip=self.gzip)

    def stat(self, name: str) -> Stat:
        """Return size, time, ETag, type and metadata of a file, with one HEAD.

        Args:
            name: Name of the file.

        Raises:
            ObjectNotFoundError: there is no such file.

        Example::

            storage.stat("report.pdf").size
        """
        key = self._get_key(name)
        answer = fetch(self.s3_target(name), key, method="HEAD")
        return Stat.from_headers(answer.headers)

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of that name, with one HEAD.

        Raises:
            AccessDeniedError: S3 would not tell; the message says what may be missing.

        Source: Django's ``Storage.exists``.
        """
        try:
            self.stat(name)
        except ObjectNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """Return the bytes stored, with one HEAD.

        Raises:
            ObjectNotFoundError: there is no such file.

        Source: Django's ``Storage.size``.
        """
        return self.stat(name).size

    def get_modified_time(self, name: str) -> datetime:
        """Return when a file was written, with one HEAD: aware under ``USE_TZ``, else naive.

        Raises:
            ObjectNotFoundError: there is no such file.

        Source: Django's ``Storage.get_modified_time``.
        """
        return localize(self.stat(name).modified_time)


_DOWNLOAD_PARAMETERS = frozenset(TransferManager.ALLOWED_DOWNLOAD_ARGS)

# More do not make it faster, and each holds a connection.
_MAX_THREADS = 7


def localize(moment: datetime) -> datetime:
    """Return an aware time as Django's settings want times."""
    return moment if config.uses_time_zones() else make_naive(moment)
