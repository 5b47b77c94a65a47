"""What every backend beside S3 can do: keep, read, list and delete objects by their keys."""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from smart_storages.common import recording

if TYPE_CHECKING:
    from smart_storages.backends.s3.stat import Stat
    from smart_storages.backends.uploads import Uploads
    from smart_storages.common.recording import Record

__all__ = ["Attributes", "Found", "Need", "Store", "StoreReader", "split_folder"]

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


class Need(NamedTuple):
    """Something that a store needs, such as a container; ``manage.py buckets create`` makes it.

    Args:
        what: As a person reads it: "the container acme-docs".
        is_met: Returns whether it is there.
        meet: Makes it; fine if somebody else does at the same time.
        is_met_by_a_save: Whether the first file that is saved makes it.
    """

    what: str
    is_met: Callable[[], bool]
    meet: Callable[[], None]
    is_met_by_a_save: bool = False


class Store(ABC):
    """Objects by their keys. Its methods may be called from any thread.

    A missing object is a ``FileNotFoundError``, a key that is taken a ``FileExistsError``, and
    anything else that fails another ``OSError``.
    """

    #: Where the objects are, for messages: "in memory".
    place: str
    #: Whether the view takes uploads for it.
    takes_uploads = True
    #: Whether its URLs can be signed, so that they expire.
    signs_urls = True
    #: Whether ``put`` refuses a key that another process takes at the same moment.
    refuses_taken_keys = True
    #: Whether the service itself takes those of a form.
    takes_forms = False

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
        mine, its = self.local_path(key), other.local_path(other_key)
        try:
            return bool(mine and its) and os.path.samefile(str(mine), str(its))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def local_path(self, key: str) -> Optional[str]:
        """Return the path of an object that is a file of this host, ``None`` for another."""
        return None

    def needs(self, *, is_public: bool, by_acl: bool = False) -> Sequence[Need]:
        """Return what has to be there for the objects, in the order in which it is made.

        Args:
            is_public: Whether anybody is to read every object of the bucket.
            by_acl: Whether objects that are public have an ACL of their own that says so.
        """
        return ()

    def file_on_disk(self, key: str) -> Optional[Tuple[str, str]]:
        """Return the directory of all buckets and the path of an object in it.

        ``None`` if objects are not files of this host. The file need not exist.
        """
        return None

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

    def sign_url(
        self,
        key: str,
        *,
        begins: int,
        expires: int,
        method: str = "GET",
        parameters: Optional[Mapping[str, str]] = None,
    ) -> Optional[str]:
        """Return a signed URL of an object, ``None`` if the view of this package serves it.

        Args:
            key: Key of the object.
            begins: From when on it is valid, in seconds since 1970: not later than now.
            expires: Until when it is valid, in seconds since 1970.
            method: ``"GET"`` or ``"HEAD"``.
            parameters: As for :meth:`url`.

        Raises:
            ValueError: there is no such parameter here.
        """
        return self.url(key, expires=expires, parameters=parameters)

    def sign_form(
        self,
        key: str,
        *,
        max_size: int,
        content_type: str,
        is_public: bool,
        begins: int,
        expires: int,
    ) -> Optional[Dict[str, Any]]:
        """Return a form that uploads one file to the service itself, ``None`` if it takes none.

        Args:
            key: Key of the object.
            max_size: Largest size of the file in bytes.
            content_type: Its type.
            is_public: Whether anybody may read it afterwards.
            begins: From when on it is valid, in seconds since 1970: not later than now.
            expires: Until when it is valid, in seconds since 1970.
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
        translating: Makes a block that turns the errors of the store into those of a storage.
    """

    def __init__(
        self,
        content: Any,
        found: Found,
        record: Optional[Record] = None,
        translating: Callable[[], ContextManager[Any]] = nullcontext,
    ) -> None:
        self._content = content
        self._translating = translating
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
            with self._translating():
                count: Optional[int] = self._content.readinto(buffer)
            return count
        try:
            with self.record.active(), self._translating():
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
