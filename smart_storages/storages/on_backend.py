"""A storage whose files another backend than S3 keeps: a directory, or memory.

A project's class, such as ``MediaStorage``, is a subclass of the S3 storage, and its fields hold
instances of it. So the backend of such an instance is changed by changing its class: to a subclass
of the project's class and of one that has :class:`BackendMixin` before the S3 storage. So the
project's own methods come first, then those of the mixin, then those for S3. A change of settings
takes it back.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    NoReturn,
    Optional,
    Tuple,
)
from urllib.parse import urlsplit

from storages.utils import clean_name

from smart_storages import backends, config
from smart_storages.backends import s3
from smart_storages.common.compat import cache
from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import (
    ConfigurationError,
    ObjectExistsError,
    ObjectNotFoundError,
    S3Error,
)
from smart_storages.storages import cloud_stores, other_backends
from smart_storages.storages.backend_uploads import BackendUploadsMixin
from smart_storages.storages.backend_urls import BackendUrlsMixin
from smart_storages.storages.operations import begin_lasting, operation
from smart_storages.storages.reading import S3ReadFile
from smart_storages.storages.spooled_write_file import SpooledWriteFile

if TYPE_CHECKING:
    from storages.backends.s3boto3 import S3Boto3Storage as _Base

    from smart_storages.backends.s3.stat import Stat
    from smart_storages.backends.s3.writing.parameters import Written
    from smart_storages.backends.s3.writing.source import Source
    from smart_storages.backends.store import Attributes, Store, StoreReader
else:
    _Base = object

__all__ = ["BackendMixin", "class_on_backend"]

_CHUNK = 8 * 1024**2

#: Files at once: a disk is not faster with more, and memory is not faster with any.
_THREADS = 4


def class_on_backend(storage_class: Any, s3_class: Any) -> Any:
    """Return the class of an instance of ``storage_class`` whose files are not in S3.

    Args:
        storage_class: The class of the project: ``s3_class``, or a subclass of it.
        s3_class: The class of this package for files in S3.
    """
    if storage_class is s3_class:
        return _between(s3_class)
    return _subclass(storage_class, _between(s3_class))


#: Whoever asks for the class of an instance finds the project's own, too: sorl-thumbnail compares
#: it with those of STORAGES, to remember the alias of a file's storage.
_SHOWN_CLASS = property(
    lambda storage: type(storage)._declared_class,
    vars(object)["__class__"].__set__,
)


@cache
def _between(s3_class: Any) -> Any:
    made = _subclass(BackendMixin, s3_class)
    _name_after(made, s3_class)
    return made


@cache
def _subclass(first: Any, second: Any) -> Any:
    try:
        made = type(first)(first.__name__, (first, second), {"__class__": _SHOWN_CLASS})
    except TypeError as error:  # its __init_subclass__ or metaclass wants arguments
        raise ConfigurationError(
            f"{first.__module__}.{first.__qualname__} cannot keep its files outside of S3, because "
            f"no subclass of it can be made: {error}. Give the arguments defaults."
        ) from error
    _name_after(made, first)
    return made


def _name_after(made: Any, storage_class: Any) -> None:
    # Whoever reads the name of the class finds the project's own: migrations, pickles, messages.
    made.__doc__ = storage_class.__doc__
    made.__module__ = storage_class.__module__
    made.__name__ = storage_class.__name__
    made.__qualname__ = storage_class.__qualname__
    made._declared_class = storage_class


def _chunks(source: Source, *, repeatable: bool) -> Iterator[bytes]:
    pieces_of = s3.requests.bodies.pieces_of
    if source.is_whole:
        yield from map(bytes, pieces_of(source.head))
        return
    for part in source.parts(_CHUNK, repeatable=repeatable):
        yield from map(bytes, pieces_of(part))


class BackendMixin(BackendUploadsMixin, BackendUrlsMixin, _Base):  # type: ignore[misc]
    """What differs for a storage whose files are not in S3."""

    is_in_s3 = False

    if TYPE_CHECKING:
        backend: str
        base_url: Optional[str]
        blob_chunk_size: Optional[int]
        custom_endpoint: Optional[str]
        module_name: str
        root: Any
        url_stable_for: int

    def _store(self) -> Store:
        store: Store
        if self.backend == "memory":
            store = backends.memory.memory_store(self._folder_name)
        elif self.backend == "azure":
            store = cloud_stores.azure_store(self)
        elif self.backend == "gcs":
            store = cloud_stores.google_store(self)
        elif config.plain_backends.is_plain(self.backend):
            store = other_backends.make_store(self)
        else:
            backends.directory.remember_root(str(self.root))
            store = backends.directory.DirectoryStore(
                str(self.root), self._folder_name, config.get_upload_permissions()
            )
        if backends.failures.orders:  # of a test
            return backends.failures.FailingStore(store, self.module_name)
        return store

    @property
    def _folder_name(self) -> str:
        """The name of the bucket; with its server, if that is not the one of the settings."""
        # Access points are named by an ARN, which has slashes.
        bucket = str(self.bucket_name).replace("/", "-")
        usual = config.get_upstream_options()["endpoint_url"]
        if not self.endpoint_url or self.endpoint_url == usual:
            return bucket
        return f"{bucket}@{urlsplit(self.endpoint_url).netloc.replace(':', '-')}"

    @contextmanager
    def _translating(self, key: str) -> Iterator[None]:
        places = self.s3_target().places(key)
        try:
            yield
        except S3Error as error:
            if error.module is None:  # of a store, which does not know
                error.module, error.bucket, error.key = places.values()
            raise
        except ConfigurationError as error:
            module = f"The module {self.module_name!r}"
            if plain_text(error).startswith(module):
                raise
            raise ConfigurationError(f"{module}: {plain_text(error)}") from None
        except OSError as error:
            if getattr(error, "is_on_order", False):  # of a test
                raise
            raise self._translate(error, places) from error

    def _translate(self, error: OSError, places: Dict[str, Any]) -> S3Error:
        if isinstance(error, FileNotFoundError):
            return ObjectNotFoundError("There is no such file.", **places)
        if isinstance(error, FileExistsError):
            return ObjectExistsError("There is such a file already.", **places)
        reason = error.strerror or type(error).__name__
        what = f"The files of this module are kept {self._store().place}: {reason}."
        return S3Error(what, **places)

    # Reading

    @operation()
    def stat(self, name: str) -> Stat:
        return self._stat_key(self._normalize_name(clean_name(name)))

    def _stat_key(self, key: str) -> Stat:
        with self._translating(key):
            return self._store().find(key).stat

    def _require(self, key: str) -> None:
        self._stat_key(key)

    def _open_key(self, key: str, record: Any = None) -> StoreReader:
        with self._translating(key):
            content, found = self._store().open(key)
        return backends.store.StoreReader(content, found, record, partial(self._translating, key))

    def _open(self, name: Any, mode: str = "rb") -> Any:
        if "r" in mode and "w" in mode:
            raise ValueError("Can't combine 'r' and 'w' in mode.")
        if "r" not in mode and set(mode) & set("wax"):
            key = self._normalize_name(clean_name(name))
            relative = key[len(self.location) :].lstrip("/")
            return SpooledWriteFile(relative, mode, self._put_written)
        return self._open_to_read(name, mode, decompress=self.gzip or self.brotli)

    def _open_to_read(
        self, name: Any, mode: str, *, decompress: bool = False, lazily: bool = False
    ) -> S3ReadFile:
        key = self._normalize_name(clean_name(name))
        relative = key[len(self.location) :].lstrip("/")

        def open_reader() -> Any:
            record = begin_lasting(self, "open", name)
            try:
                return self._open_key(key, record)
            except BaseException as error:
                if record is not None:
                    record.finish(error)
                raise

        return S3ReadFile(
            relative,
            mode,
            open_reader,
            decompress=decompress,
            get_object=lambda: self.bucket.Object(key),
        )

    def file_on_disk(self, name: str) -> Optional[Tuple[str, str]]:
        """Return the directory of all files, and the path in it of one; else ``None``."""
        return self._store().file_on_disk(self._normalize_name(clean_name(name)))

    @operation("open")
    def _put_written(self, name: str, content: Any) -> str:
        # Not by save(), which a project may have changed, and which chooses another name.
        key = self._normalize_name(clean_name(name))
        source = s3.writing.source.Source(content, self.transfer_config.multipart_threshold)
        params = self._get_write_parameters(key)
        try:
            self._put(key, source, params, overwrite=content.is_written)
        except ObjectExistsError:
            if content.is_written:
                raise
            # As in S3, opening a file for writing does not empty it.
        finally:
            source.close()
        return name

    # Writing

    @property
    def _adds_random_suffixes(self) -> bool:
        # Whatever a server of S3 at endpoint_url could do.
        return not self.file_overwrite and not self._store().refuses_taken_keys

    @property
    def keeps_attributes(self) -> bool:
        return not config.plain_backends.is_plain(self.backend)

    def _choose_encoding(self, params: Dict[str, Any]) -> Optional[str]:
        # Whoever reads it must be told that it is compressed.
        return super()._choose_encoding(params) if self.keeps_attributes else None

    def _put(self, key: str, source: Source, params: Dict[str, Any], *, overwrite: bool) -> Written:
        attributes = self._attributes_of(params)
        chunks = _chunks(source, repeatable=not overwrite)
        with self._translating(key):
            stat = self._store().put(key, chunks, attributes, overwrite=overwrite)
        return s3.writing.parameters.Written(stat.etag, stat.size)

    def _attributes_of(self, params: Dict[str, Any]) -> Attributes:
        attributes = backends.store.Attributes.from_parameters(params)
        has_acl = self.default_acl or params.get("ACL") or self.backend == "gcs"
        if not self.querystring_auth and not has_acl:
            # Whoever gives out unsigned URLs has a bucket whose policy lets everybody read it.
            attributes = replace(attributes, is_public=True)
        return attributes

    def _delete_key(self, key: str) -> None:
        with self._translating(key):
            self._store().delete(key)

    @operation()
    def listdir(self, path: str) -> Tuple[List[str], List[str]]:
        prefix = self._normalize_name(clean_name(path))
        if prefix and not prefix.endswith("/"):
            prefix += "/"
        with self._translating(prefix):
            return self._store().list_folder(prefix)

    # Many files

    def _delete_all(self, keys: Iterable[str]) -> Dict[str, S3Error]:
        failed: Dict[str, S3Error] = {}
        for key in keys:
            try:
                self._delete_key(key)
            except S3Error as error:
                failed[key] = error
        return failed

    def stat_keys(self, keys: Iterable[str]) -> Dict[str, Optional[Stat]]:
        found: Dict[str, Optional[Stat]] = {}
        for key in keys:
            try:
                found[key] = self._stat_key(key)
            except ObjectNotFoundError:
                found[key] = None
        return found

    def iter_keys(self, prefix: str, after: str = "") -> Iterator[Tuple[str, Stat]]:
        with self._translating(prefix):
            for key, stat in self._store().entries(prefix):
                if key > after:
                    yield key, stat

    def count_threads(self) -> int:
        return _THREADS

    def _copy_on_server(
        self, key: str, to: Any, new_key: str, *, overwrite: bool, etag: str = ""
    ) -> bool:
        return False  # there is no server: the bytes pass through this process in any case

    def _is_same_object(self, key: str, to: Any, new_key: str) -> bool:
        if to.is_in_s3:
            # Google's buckets can be reached by the protocol of S3 too.
            is_of_google = "storage.googleapis.com" in str(to.endpoint_url)
            is_of_google = is_of_google or to.s3_provider.name == "gcs"
            same_name = (self.bucket_name, key) == (to.bucket_name, new_key)
            return self.backend == "gcs" and is_of_google and same_name
        return self._store().is_same(key, to._store(), new_key)

    # What only S3 has

    def get_connection(self) -> NoReturn:
        """Raise an error: there is no connection, and no client of boto3."""
        self._raise_for_problem()
        raise ConfigurationError(
            f"The files of the module {self.module_name!r} are kept {self._store().place}: it has "
            "no bucket of boto3 and no client. Use the methods of the storage."
        )

    def identify_server(self) -> Tuple[str, str]:
        if config.plain_backends.is_plain(self.backend):
            return (other_backends.identify(self), self._folder_name)
        return (self._store().identity(), self._folder_name)

    def find_folder(self) -> Optional[str]:
        path = self._store().local_path("a")
        if path is None:
            return None
        return os.path.realpath(os.path.dirname(path)).replace(os.sep, "/").rstrip("/")

    @property
    def credentials_identity(self) -> str:
        return self.backend

    def _answers_of(self, key: str) -> None:
        # To ask the cache would take longer than to look.
        return None

    def _can_run_on_loop(self, method: str, *args: Any, **kwargs: Any) -> bool:
        return False  # a disk blocks
