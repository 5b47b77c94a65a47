"""What every backend beside S3 can do: keep, read, list and delete objects by their keys."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from smart_storages.common import recording

if TYPE_CHECKING:
    from smart_storages.backends.uploads import Uploads
    from smart_storages.common.recording import Record
    from smart_storages.s3.stat import Stat

__all__ = ["Attributes", "Found", "Store", "StoreReader", "split_folder"]

#: What boto3 calls the attributes of an object that have a header of their own.
_HEADERS = {
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentType": "content-type",
}


@dataclass(frozen=True)
class Attributes:
    """What is kept beside the content of an object.

    Args:
        headers: Headers of its answers, by lower-case name.
        metadata: The object's own metadata.
        is_public: Whether anybody may read it.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    is_public: bool = False

    @classmethod
    def from_parameters(cls, params: Mapping[str, Any]) -> Attributes:
        """Return the attributes that the parameters of boto3's ``put_object`` describe.

        Parameters that no backend but S3 has, such as ``StorageClass``, are left out.

        Example:
            >>> Attributes.from_parameters({"ContentType": "text/css", "ACL": "public-read"})
            Attributes(headers={'content-type': 'text/css'}, metadata={}, is_public=True)
        """
        return cls(
            headers={
                header: str(params[name]) for name, header in _HEADERS.items() if params.get(name)
            },
            metadata={str(key): str(each) for key, each in (params.get("Metadata") or {}).items()},
            is_public=params.get("ACL") in ("public-read", "public-read-write"),
        )


class Found(NamedTuple):
    """An object of a store, without its content."""

    stat: Stat
    attributes: Attributes


class Store(ABC):
    """Objects by their keys. Its methods may be called from any thread.

    A missing object is a ``FileNotFoundError``, a key that is taken a ``FileExistsError``, and
    anything else that fails another ``OSError``.
    """

    #: Where the objects are, for messages: "in memory".
    place: str
    #: Whether the view takes uploads for it.
    takes_uploads = True

    @abstractmethod
    def put(
        self, key: str, chunks: Iterator[bytes], attributes: Attributes, *, overwrite: bool
    ) -> Stat:
        """Keep an object, whole or not at all.

        Args:
            key: Its key.
            chunks: Its content.
            attributes: What is kept beside it.
            overwrite: ``False`` to fail if the key is taken, also by another writer meanwhile.

        Raises:
            FileExistsError: the key is taken.
        """

    @abstractmethod
    def open(self, key: str) -> Tuple[io.RawIOBase, Found]:
        """Return the content of one version of an object, and what is known about that version."""

    @abstractmethod
    def find(self, key: str) -> Found:
        """Return what is known about an object."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete an object; a missing one is not an error."""

    @abstractmethod
    def entries(self, prefix: str) -> Iterator[Tuple[str, Stat]]:
        """Yield every key that begins with the prefix, and its stat, in the order of S3."""

    def list_folder(self, prefix: str) -> Tuple[List[str], List[str]]:
        """Return the names of the folders and of the files directly below a prefix."""
        return split_folder(self.entries(prefix), prefix)

    def is_same(self, key: str, other: Store, other_key: str) -> bool:
        """Return whether a key here and a key of another store are the same object."""
        return False

    def uploads(self) -> Optional[Uploads]:
        """Return the uploads in parts, ``None`` if it takes none."""
        return None

    @abstractmethod
    def identity(self) -> str:
        """Return what is equal for two stores if a bucket name means the same bucket in both."""

    def url(
        self,
        key: str,
        *,
        expires: Optional[int] = None,
        parameters: Optional[Mapping[str, str]] = None,
    ) -> Optional[str]:
        """Return the URL of an object, ``None`` if the view of this package serves it.

        Args:
            key: Key of the object.
            expires: Until when it is valid, in seconds since 1970; ``None`` for an unsigned one.
            parameters: Parameters of S3's ``get_object`` that change headers of the answer.

        Raises:
            ValueError: there is no such parameter here.
        """
        return None


def split_folder(entries: Iterator[Tuple[str, Stat]], prefix: str) -> Tuple[List[str], List[str]]:
    """Return the names of the folders and of the files directly below a prefix.

    Example:
        >>> split_folder(iter([("a/b/c.txt", None), ("a/d.txt", None)]), "a/")
        (['b'], ['d.txt'])
    """
    folders: Dict[str, None] = {}
    files: List[str] = []
    for key, _ in entries:
        name, slash, _ = key[len(prefix) :].partition("/")
        if slash:
            folders[name] = None
        elif name:
            files.append(name)
    return list(folders), files


class StoreReader(io.RawIOBase):
    """One version of an object, open for reading; it counts what it reads to an operation.

    Args:
        content: What is read, from its beginning.
        found: What is known about this version.
        record: The record of the operation that this is, ``None`` if nobody listens.
    """

    def __init__(self, content: Any, found: Found, record: Optional[Record] = None) -> None:
        self._content = content
        self.record = record
        self.stat = found.stat
        self.size = found.stat.size
        self.attributes = found.attributes
        self.headers = found.attributes.headers

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._content.seek(offset, whence))

    def tell(self) -> int:
        return int(self._content.tell())

    def readinto(self, buffer: Any) -> Optional[int]:
        if self.record is None:
            count: Optional[int] = self._content.readinto(buffer)
            return count
        try:
            with self.record.active():
                count = self._content.readinto(buffer)
                recording.count_bytes(count or 0)
        except BaseException as error:
            self.record.fail(error)
            raise
        return count

    def close(self) -> None:
        if not self.closed:
            self._content.close()
        super().close()

    def __del__(self) -> None:
        if self.record is not None:
            self.record.finish_later()
        super().__del__()
