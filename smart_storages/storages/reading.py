"""How a storage reads: the file that ``open("rb")`` returns, and what a HEAD request answers."""

from __future__ import annotations

import asyncio
import io
from datetime import datetime
from gzip import GzipFile
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Dict, Mapping, Optional

from django.core.files.base import File
from django.utils.timezone import make_naive
from s3transfer.manager import TransferManager
from storages.utils import clean_name

from smart_storages import common, config
from smart_storages.backends import s3
from smart_storages.common import aio
from smart_storages.exceptions import ObjectNotFoundError
from smart_storages.storages.async_calls import LARGEST
from smart_storages.storages.operations import begin_lasting

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from storages.backends.s3boto3 import S3Boto3Storage as _Base

    from smart_storages.backends.s3.reading.reader import S3Reader
    from smart_storages.backends.s3.stat import Stat
    from smart_storages.backends.s3.target import Target
    from smart_storages.config.providers import Provider
else:
    _Base = object

__all__ = ["ReadingMixin", "S3ReadFile"]

_BUFFER = 64 * 1024
_PLAIN = io.BufferedReader


def _check_mode(mode: str, name: Any) -> str:
    if not set(mode) <= set("rbt") or {"b", "t"} <= set(mode):
        raise ValueError(
            f"The file {name!r} cannot be opened in mode {mode!r}. Read an object of S3 with 'rb' "
            "or 'r', and write it as a whole through its storage, with 'wb' or save(). To change "
            "it, read it and save the new content."
        )
    return mode


class S3ReadFile(File):  # type: ignore[type-arg]
    """A file of a storage, open for reading: seekable, read on demand, and always one version.

    It is made by ``storage.open(name)``. Size, type, time and ETag come from the answer that
    opened it and cost no request.

    Args:
        name: Name of the file in its storage.
        mode: ``"rb"``, or ``"r"`` or ``"rt"`` for text in UTF-8.
        open_reader: Returns a reader at the start of the object.
        decompress: Whether to decompress an object whose ``Content-Encoding`` is gzip or br.
        get_object: Returns boto3's ``s3.Object`` of the file, for :attr:`obj`.

    Raises:
        ValueError: any other mode.

    Example::

        with storage.open("report.csv", "r") as file:
            for line in file:
                print(line, file.content_type)
    """

    def __init__(
        self,
        name: str,
        mode: str,
        open_reader: Callable[[], S3Reader],
        *,
        decompress: bool = False,
        get_object: Optional[Callable[[], Any]] = None,
    ) -> None:
        # Initialised before the request: if that fails, a traceback may show the repr of this file.
        super().__init__(None, name)
        self.mode = _check_mode(mode, name)
        self._open_reader = open_reader
        self._decompress = decompress
        self._get_object = get_object
        self._turn: Optional[asyncio.Lock] = None
        self._open()

    def _open(self) -> None:
        self._reader = self._open_reader()
        self.file = self._wrap(self._reader)
        self._waits_on_loop = common.on_loop.is_here() and self._reader.size <= LARGEST
        self._is_in_memory = False
        if self._waits_on_loop and self._reader.size <= _BUFFER and type(self.file) is _PLAIN:
            # Its bytes have arrived with its headers. Taking them now leaves the connection to the
            # next file: thousands may be open at once.
            self.file.peek(1)
            self._is_in_memory = True

    def _wrap(self, reader: S3Reader) -> Any:
        file: Any = io.BufferedReader(reader, _BUFFER)
        encoding = reader.headers.get("content-encoding") if self._decompress else None
        if encoding == "gzip":
            file = GzipFile(fileobj=file, mode="rb")
        elif encoding == "br":
            file = io.BufferedReader(common.brotli_streams.BrotliDecompressed(file), _BUFFER)
        return file if "b" in self.mode else io.TextIOWrapper(file, encoding="utf-8")

    @property
    def stat(self) -> Stat:
        """What S3 said about the object when it was opened."""
        return self._reader.stat

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer that opened it, by lower-case name."""
        return self._reader.headers

    @property
    def is_decompressed(self) -> bool:
        """Whether what is read is the decompressed content of a compressed object."""
        return self._decompress and self.stat.content_encoding in ("gzip", "br")

    @property
    def size(self) -> int:
        """Bytes stored; for a compressed object, its compressed size."""
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

    @property
    def obj(self) -> Any:
        """boto3's ``s3.Object`` of the file, as ``S3File.obj`` of django-storages.

        Its attributes cost a request each time it is made; :attr:`stat` costs none.
        """
        if self._get_object is None:
            raise AttributeError("This file has no obj: it was not opened by a storage.")
        return self._get_object()

    def open(self, mode: Optional[str] = None, *args: Any, **kwargs: Any) -> S3ReadFile:
        """Go to the start; after ``close``, open the object again as it is then.

        Args:
            mode: The mode in which to open a closed file. An open file keeps its mode, as Django's
                own files do.

        Raises:
            ValueError: the mode is not one for reading.

        Source: Django's ``File.open``.
        """
        wanted = _check_mode(mode or self.mode, self.name)
        if self.closed:
            self.mode = wanted
            self._open()
        else:
            self.seek(0)
        return self

    def expect(self, start: int, stop: int) -> None:
        """Go to a position, before any read, to read the bytes from there to ``stop`` alone.

        Of a file in S3, exactly these are then requested.

        Args:
            start: Position of the first byte.
            stop: Position after the last byte.
        """
        expect = getattr(self._reader, "expect", None)
        if expect is not None:
            expect(start, stop)
        self.seek(start)

    def close(self) -> None:
        """Close the file and release its connection."""
        file: Any = self.file
        if file is not None:
            file.close()
            # A GzipFile does not close the file that it reads from.
            self._reader.close()
            if self._reader.record is not None:
                self._reader.record.finish()

    # Async

    async def aread(self, *args: Any) -> Any:
        """``read`` for async code."""
        return await self._run(self.read, *args)

    async def aclose(self) -> None:
        """``close`` for async code."""
        await self._run(self.close)

    async def _run(self, method: Callable[..., Any], *args: Any) -> Any:
        if self._is_in_memory:
            return method(*args)
        if not self._waits_on_loop:
            return await aio.run(method, *args)
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:  # a buffered file refuses two reads at once in one thread
            return await common.on_loop.call(method, *args)

    def achunks(self, chunk_size: Optional[int] = None) -> AsyncIterator[Any]:
        """``chunks`` for async code; pass it to ``StreamingHttpResponse``, which closes the file.

        Args:
            chunk_size: Bytes of each chunk, ``File.DEFAULT_CHUNK_SIZE`` if ``None``.
        """
        chunks = iter(self.chunks(chunk_size))
        return aio.Items(chunks, self.close, blocks=not self._is_in_memory)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self.achunks()

    async def __aenter__(self) -> S3ReadFile:
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.aclose()


class ReadingMixin(_Base):  # type: ignore[misc]
    """The part of a storage that opens files for reading and sends HEAD requests."""

    if TYPE_CHECKING:
        bucket_name: str
        brotli: bool
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
        """Return what the engine needs to know about this storage.

        Args:
            name: Name of the file; ``get_object_parameters`` may depend on it.
        """
        parameters = config.options.guard_parameters(self.get_object_parameters(name))
        return s3.target.Target(
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
        return self._open_to_read(name, mode, decompress=self.gzip or self.brotli)

    def open_stored(self, name: str, *, lazily: bool = False) -> S3ReadFile:
        """Open a file to pass on its bytes as they are stored, compressed or not.

        Args:
            name: Name of the file.
            lazily: Whether to send a HEAD, and to request bytes only when they are read: for a
                request that may want a few of them, or none.

        Raises:
            ObjectNotFoundError: there is no such file.

        Example::

            with storage.open_stored("film.mp4", lazily=True) as file:
                file.expect(1_000, 2_000)
                part = file.read(1_000)
        """
        return self._open_to_read(name, "rb", lazily=lazily)

    def _open_to_read(
        self, name: Any, mode: str, *, decompress: bool = False, lazily: bool = False
    ) -> S3ReadFile:
        key = self._get_key(name)
        relative = key[len(self.location) :].lstrip("/")
        target = self.s3_target(relative)
        transfer = self.transfer_config
        threads = transfer.max_concurrency - 1 if transfer.use_threads else 0

        def open_reader() -> S3Reader:
            record = begin_lasting(self, "open", name)
            most = min(threads, _MAX_THREADS)
            if record is None:
                return s3.reading.reader.S3Reader(target, key, threads=most, lazily=lazily)
            return s3.reading.recorded.RecordedReader(
                record, target, key, threads=most, lazily=lazily
            )

        return S3ReadFile(
            relative,
            mode,
            open_reader,
            decompress=decompress,
            get_object=lambda: self.bucket.Object(key),
        )

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
        return s3.reading.sizes.stat_object(self.s3_target(name), key)

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name, with one HEAD.

        Raises:
            AccessDeniedError: S3 does not say; the message says which permission may be missing.

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

# More threads are not faster, and each of them uses a connection.
_MAX_THREADS = 7


def localize(moment: datetime) -> datetime:
    """Return an aware time as it is under ``USE_TZ``, else as a naive one."""
    return moment if config.uses_time_zones() else make_naive(moment)
