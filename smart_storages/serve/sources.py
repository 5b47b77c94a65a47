"""What is served: a file of any storage, described, and opened with as few requests as it takes."""

from __future__ import annotations

import io
import os
import re
from contextlib import suppress
from datetime import datetime
from gzip import GzipFile
from typing import Any, Dict, Optional, Tuple

from django.core.files.storage import FileSystemStorage

from smart_storages.common.brotli_streams import BrotliDecompressed, has_brotli
from smart_storages.common.names import check_name
from smart_storages.common.serving import Content
from smart_storages.storages.places import unwrap
from smart_storages.storages.reading import S3ReadFile
from smart_storages.wrappers.forwarding import ChoosingStorage, ForwardingStorage

__all__ = ["find_content", "find_path", "holder_of"]

#: Headers of a request that may make do with a part of the file, or with none of it.
_SAVING = ("If-Match", "If-Modified-Since", "If-None-Match", "If-Unmodified-Since", "Range")
_MOST_LAYERS = 20
_SKIP = 256 * 1024
_WEIGHT = re.compile(r"q\s*=\s*([\d.]+)")


def holder_of(storage: Any, name: str) -> Tuple[Any, str]:
    """Return the storage that has a file, and its name there, as far as that is known.

    A dispatcher is asked which storage it chooses, and a queue where the file is now. A fallback
    would have to look: it stays as it is.

    Raises:
        FileNotFoundError: a queue deleted the file.
    """
    for _ in range(_MOST_LAYERS):
        storage = unwrap(storage)
        check_name(name)
        if isinstance(storage, ChoosingStorage):
            storage, name = storage._pick("open", name, {"mode": "rb"})
        elif isinstance(storage, ForwardingStorage) and hasattr(storage, "locate"):
            place = storage.locate(name)
            if place.gone:
                raise FileNotFoundError(f"{name!r} was deleted.")
            storage, name = place.storage, place.name
        else:
            break
    return storage, str(name)


def find_path(storage: Any, name: str) -> Optional[Tuple[str, str]]:
    """Return the directory and the path in it of a file on this host; ``None`` if it is elsewhere.

    Args:
        storage: The storage that has it, see :func:`holder_of`.
        name: Its name there.

    Raises:
        FileNotFoundError: it would be on this host, but is not there.
    """
    found: Optional[Tuple[str, str]] = None
    if isinstance(storage, FileSystemStorage):
        root = os.path.abspath(storage.location)
        found = root, os.path.relpath(storage.path(name), root).replace(os.sep, "/")
    elif hasattr(storage, "file_on_disk"):
        found = storage.file_on_disk(name)
    if found is not None and not os.path.isfile(os.path.join(*found)):
        raise FileNotFoundError(f"There is no file {name!r}.")
    return found


def find_content(request: Any, storage: Any, name: str) -> Tuple[Content, Any]:
    """Return what is known about a file, and the file, which the caller closes.

    Args:
        request: The request; if it may make do without the content, that is not requested.
        storage: The storage that has it, see :func:`holder_of`.
        name: Its name there.

    Raises:
        FileNotFoundError: there is no such file.
    """
    is_lazy = False
    if hasattr(storage, "open_stored"):
        is_lazy = request.method == "HEAD" or any(each in request.headers for each in _SAVING)
        file = storage.open_stored(name, lazily=is_lazy)
    else:
        file = storage.open(name, "rb")
    try:
        if isinstance(file, S3ReadFile):  # also of a storage that a fallback chose
            return _describe_ours(request, name, file, is_lazy), file
        return _describe_other(storage, name, file), file
    except BaseException:
        file.close()
        raise


def _describe_ours(request: Any, name: str, file: S3ReadFile, is_lazy: bool) -> Content:
    stat = file.stat
    headers: Dict[str, str] = {}
    for header in ("Content-Disposition", "Content-Language"):
        if file.headers.get(header.lower()):
            headers[header] = file.headers[header.lower()]

    def open_whole() -> S3ReadFile:
        return _go_to(file, 0, file.size) if is_lazy else file

    content = Content(
        name=name,
        size=file.size,
        etag=stat.etag,
        saved=int(stat.modified_time.timestamp()),
        open=open_whole,
        content_type=stat.content_type,
        headers=headers,
        open_part=lambda start, length: _go_to(file, start, length),
    )
    encoding = _encoding_of(stat.content_encoding)
    if not encoding:
        return content
    headers["Vary"] = "Accept-Encoding"
    if file.is_decompressed:
        return content._replace(size=None)
    if _accepts(request, encoding) or not _can_decode(encoding):
        headers["Content-Encoding"] = encoding
        return content
    return content._replace(size=None, open=lambda: _Decoded(open_whole(), encoding))


def _go_to(file: S3ReadFile, start: int, length: int) -> S3ReadFile:
    file.expect(start, start + length)
    return file


def _describe_other(storage: Any, name: str, file: Any) -> Content:
    size, saved, etag = _look_at_disk(storage, file)
    is_on_disk = size is not None
    if not is_on_disk:
        size = _size_of(storage, name, file)
        moment = _modified_time_of(storage, name)
        if moment is not None:
            saved, etag = int(moment.timestamp()), f"{int(moment.timestamp() * 1e6):x}-{size:x}"
    return Content(
        name=name,
        size=size,
        etag=etag,
        saved=saved,
        open=lambda: file if is_on_disk else _Measured(file, size),
        open_part=lambda start, length: _skip_to(file, start),
    )


def _look_at_disk(storage: Any, file: Any) -> Tuple[Optional[int], Optional[int], str]:
    """Return size, time and ETag of the very file that is open, if it is one of a directory."""
    if isinstance(storage, FileSystemStorage):
        with suppress(AttributeError, OSError):  # of a subclass whose files are something else
            status = os.fstat(file.fileno())
            etag = f"{status.st_mtime_ns:x}-{status.st_size:x}"
            return status.st_size, int(status.st_mtime), etag
    return None, None, ""


def _size_of(storage: Any, name: str, file: Any) -> int:
    try:
        return int(file.size)
    except (AttributeError, NotImplementedError, TypeError):
        return int(storage.size(name))


def _modified_time_of(storage: Any, name: str) -> Optional[datetime]:
    try:
        moment: Optional[datetime] = storage.get_modified_time(name)
    except (AttributeError, NotImplementedError):
        return None
    return moment


def _skip_to(file: Any, start: int) -> Any:
    try:
        file.seek(start)
    except (AttributeError, OSError):  # a stream
        while start > 0:
            data = file.read(min(_SKIP, start))
            if not data:
                break
            start -= len(data)
    return file


class _Measured:
    """The content of a file of another package, which must be as long as it says.

    A storage that decompresses what it reads may say how long the compressed content is.
    """

    def __init__(self, file: Any, size: Optional[int]) -> None:
        self._file = file
        self._left = size or 0
        self.close = file.close

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        self._left -= len(data)
        if not self._left and self._file.read(1):
            raise OSError("The file has more bytes than its storage says.")
        return data


# Compressed objects


class _Decoded:
    """The decompressed content of a compressed object."""

    def __init__(self, file: Any, encoding: str) -> None:
        self._file = file
        stream: Any = GzipFile(fileobj=file) if encoding == "gzip" else BrotliDecompressed(file)
        self._stream = stream if encoding == "gzip" else io.BufferedReader(stream)

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        return data

    def close(self) -> None:
        self._stream.close()
        self._file.close()


def _encoding_of(stored: Optional[str]) -> str:
    # Some servers keep what was only the encoding of the upload.
    names = [each.strip().lower() for each in (stored or "").split(",")]
    return ", ".join(each for each in names if each not in ("", "aws-chunked", "identity"))


def _can_decode(encoding: str) -> bool:
    return encoding == "gzip" or (encoding == "br" and has_brotli())


def _accepts(request: Any, encoding: str) -> bool:
    weights: Dict[str, float] = {}
    for each in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, parameters = each.partition(";")
        found = _WEIGHT.search(parameters)
        with suppress(ValueError):
            weights[name.strip()] = float(found.group(1)) if found else 1.0
    return weights.get(encoding, weights.get("*", 0.0)) > 0
