"""One S3 client per distinct connection, shared by every storage and thread.

A botocore client is thread-safe; a session and a boto3 resource are not. So sessions stay in here,
behind a lock, and each caller gets a new resource around the shared client.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Optional, Tuple

import boto3.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from smart_storages.backends.s3.clients.counting import count_requests_of
from smart_storages.backends.s3.clients.credentials import CredentialSource, load_source
from smart_storages.backends.s3.clients.idle import close_idle_sockets_of
from smart_storages.backends.s3.clients.sessions import SharedSession
from smart_storages.backends.s3.errors.botocore_kinds import also_of_botocore
from smart_storages.backends.s3.errors.cleaning import clean
from smart_storages.backends.s3.errors.logs import redact, redact_logs
from smart_storages.backends.s3.errors.results import require_results
from smart_storages.backends.s3.private_names import given_options
from smart_storages.backends.s3.signing.presigned_urls import UrlSigner
from smart_storages.common import on_loop
from smart_storages.common.documentation import plain_text
from smart_storages.common.secrets import Secret, reveal
from smart_storages.exceptions import ConfigurationError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client, S3ServiceResource
    from mypy_boto3_s3.service_resource import Bucket

__all__ = ["ClientPool", "Connection", "freeze_client_config"]

#: Sockets a client may use at once. botocore's 10 are too few for a threaded server with many
#: buckets behind one client: it logs a warning for each one above. How many stay open while idle
#: is decided in :mod:`smart_storages.backends.s3.clients.idle`.
_SOCKETS = 50


#: How many signers are kept; each takes a few kilobytes, and a millisecond to make.
_SIGNERS = 4096

_DEFAULT_CREDENTIALS = CredentialSource()


@dataclass(frozen=True)
class Connection:
    """Everything in which two S3 clients can differ; equal connections share a client.

    Args:
        credentials: Where the credentials come from.
        region_name: Region, ``None`` for the one that botocore finds.
        endpoint_url: The server, ``None`` for AWS.
        use_ssl: As the option of django-storages.
        verify: As the option of django-storages.
        client_config: Options of ``botocore.config.Config``, frozen by
            :func:`freeze_client_config`.
        signed: ``False`` for a client that does not sign its requests.

    Example:
        >>> Connection(region_name="eu-west-1") == Connection(region_name="eu-west-1")
        True
    """

    credentials: CredentialSource = _DEFAULT_CREDENTIALS
    region_name: Optional[str] = None
    endpoint_url: Optional[str] = None
    use_ssl: bool = True
    verify: Any = None
    client_config: Tuple[Tuple[str, Any], ...] = field(default=(), repr=False)
    signed: bool = True
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Needed at every request: hashing a dozen strings each time would be slow.
        values = (self.credentials, self.region_name, self.endpoint_url, self.use_ssl)
        more = (self.verify, self.client_config, self.signed)
        object.__setattr__(self, "_hash", hash(values + more))

    def __hash__(self) -> int:
        return self._hash


def freeze_client_config(*configs: Any) -> Tuple[Tuple[str, Any], ...]:
    """Return the options that configs set, as a hashable value; a later config wins.

    Args:
        configs: Objects of ``botocore.config.Config``, or ``None``.

    Example:
        >>> from botocore.config import Config
        >>> freeze_client_config(Config(read_timeout=5), None, Config(read_timeout=9))
        (('read_timeout', 9),)
    """
    merged: Dict[str, Any] = {}
    for config in configs:
        if config is None:
            continue
        # Its attributes hold defaults as well.
        for name, value in given_options(config).items():
            if name == "s3" and value:
                styles = {key: each for key, each in value.items() if each is not None}
                merged[name] = {**merged.get(name, {}), **styles}
            elif value is not None:
                merged[name] = value
    if "proxies" in merged:  # whose URLs hold passwords
        merged["proxies"] = {
            scheme: Secret(url) if type(url) is str else url
            for scheme, url in merged["proxies"].items()
        }
    return tuple(sorted((name, _freeze(value)) for name, value in merged.items() if value != {}))


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return _FrozenDict(sorted((key, _freeze(each)) for key, each in value.items()))
    return tuple(value) if isinstance(value, list) else value


class _FrozenDict(tuple):  # type: ignore[type-arg]
    """The items of a dict; a type of its own, so that ``_thaw`` can tell it from a tuple."""

    __slots__ = ()


def _thaw(value: Any) -> Any:
    if isinstance(value, _FrozenDict):
        return {key: reveal(_thaw(each)) for key, each in value}
    return value


class ClientPool:
    """Clients by connection; when there are too many, the least recently used are dropped.

    Args:
        limit: Returns the largest number of clients to keep.

    Example::

        pool = ClientPool()
        client = pool.client(Connection(region_name="eu-west-1"))
    """

    def __init__(self, limit: Callable[[], int] = lambda: 256) -> None:
        self._limit = limit
        self._loader: Any = None
        self.clear()
        pool = weakref.ref(self)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: _clear(pool()))

    def clear(self) -> None:
        """Forget every client; storages that hold one go on using it.

        A forked child calls this first: it must not share sockets and locks with its parent.
        """
        self._clients: OrderedDict[Connection, S3Client] = OrderedDict()
        self._signers: OrderedDict[Tuple[Connection, str], UrlSigner] = OrderedDict()
        self._lock = threading.Lock()
        self._session: Optional[SharedSession] = None
        self._resource_classes: Optional[Tuple[Any, Any]] = None
        self._makers = _makers()

    def __len__(self) -> int:
        return len(self._clients)

    def client(self, connection: Connection) -> S3Client:
        """Return the client of a connection; build it at the first call.

        Args:
            connection: The connection.

        Raises:
            ConfigurationError: there are no credentials, or botocore refuses the options.
        """
        if _makers() != self._makers:
            self.clear()
        try:
            client = self._clients[connection]
            self._clients.move_to_end(connection)
        except KeyError:  # not built yet, or dropped by another thread between the two lines
            built: S3Client = on_loop.run_blocking(self._build_once, connection)
            return built
        return client

    def signer(self, connection: Connection, bucket: str) -> UrlSigner:
        """Return the signer of a bucket's URLs; storages of one bucket share it.

        Args:
            connection: The connection whose client signs.
            bucket: Name of the bucket.

        Raises:
            ConfigurationError: as :meth:`client`.
        """
        # Taken from the pool each time: the client may have been dropped and built again.
        client = self.client(connection)
        key = (connection, bucket)
        signer = self._signers.get(key)
        if signer is None or signer.client is not client:
            signer = UrlSigner(client, bucket)
            with self._lock:
                self._signers[key] = signer
                while len(self._signers) > _SIGNERS:
                    self._signers.popitem(last=False)
        return signer

    def resource(self, connection: Connection) -> S3ServiceResource:
        """Return a new boto3 resource around the shared client; do not share it."""
        if not _are_boto3s_own(_makers()):  # the class of the resource may be anything
            made: S3ServiceResource = SharedSession(self._loader).make_resource()
            return made
        service, _ = self._get_resource_classes()
        resource: S3ServiceResource = service(client=self.client(connection))
        return resource

    def bucket(self, connection: Connection, name: str) -> Bucket:
        """Return a new boto3 ``Bucket`` around the shared client; do not share it."""
        if not _are_boto3s_own(_makers()):
            return self.resource(connection).Bucket(name)
        _, bucket_class = self._get_resource_classes()
        bucket: Bucket = bucket_class(name, client=self.client(connection))
        return bucket

    def _get_resource_classes(self) -> Tuple[Any, Any]:
        # boto3 would generate these classes again for each resource, in half a millisecond.
        if self._resource_classes is None:
            with self._lock:
                service = self._session_for(_DEFAULT_CREDENTIALS).make_resource()
                self._resource_classes = type(service), type(service.Bucket("any"))
        return self._resource_classes

    def _build_once(self, connection: Connection) -> S3Client:
        credentials = self._ask_supplier(connection)
        with self._lock:
            client = self._clients.get(connection)
            if client is None:
                client = self._build(connection, credentials)
                limit = self._limit()
                while len(self._clients) >= limit:
                    dropped, _ = self._clients.popitem(last=False)
                    self._drop_signers(dropped)
                self._clients[connection] = client
        return client

    def _ask_supplier(self, connection: Connection) -> Any:
        # The project's own code, which may be slow or use a storage itself: never under the lock.
        if connection.credentials.supplier is None or not connection.signed:
            return None
        return load_source(connection.credentials, None)

    def _drop_signers(self, connection: Connection) -> None:
        # A signer would keep its client alive.
        for key in [key for key in self._signers if key[0] == connection]:
            del self._signers[key]

    def _build(self, connection: Connection, credentials: Any) -> S3Client:
        # Thawed only where they are passed on: no variable may hold a proxy's password.
        options = {"max_pool_connections": _SOCKETS, **dict(connection.client_config)}
        if not connection.signed:
            options["signature_version"] = UNSIGNED
        redact_logs()
        try:
            session = self._session_for(connection.credentials)
            if options.get("signature_version") is not UNSIGNED:
                credentials = session.complete(connection, credentials)
            client: S3Client = session.make_client(
                credentials,
                region_name=connection.region_name,
                use_ssl=connection.use_ssl,
                endpoint_url=connection.endpoint_url,
                verify=connection.verify,
                config=Config(**{name: _thaw(value) for name, value in options.items()}),
            )
        except ConfigurationError:
            raise
        except (BotoCoreError, OSError, TypeError, ValueError) as error:
            clean(error)
            refused = ConfigurationError(
                f"botocore refuses its options: {redact(plain_text(error))}"
            )
            raise also_of_botocore(refused, error) from error
        require_results(client)
        close_idle_sockets_of(client)
        count_requests_of(client)
        return client

    def _session_for(self, credentials: CredentialSource) -> SharedSession:
        if credentials.session_profile:
            # A profile also sets a region and other options, so it needs a session of its own.
            return SharedSession(self._loader, credentials.session_profile)
        if self._session is None:
            self._session = SharedSession(self._loader)
            self._loader = self._session.loader
        return self._session


def _makers() -> Tuple[Any, Any]:
    """Return the functions with which boto3 makes clients and resources.

    Tests replace them with a mock for a while, and tracers replace them for good. Clients made by
    the functions before are then of no more use, least of all those of a mock once its test ended.
    """
    return boto3.session.Session.client, boto3.session.Session.resource


def _are_boto3s_own(makers: Iterable[Any]) -> bool:
    # Not by what they were at import: this module is imported at first use, which may be in a test
    # that has replaced them.
    own = vars(boto3.session)
    return all(type(each) is FunctionType and each.__globals__ is own for each in makers)


def _clear(pool: Optional[ClientPool]) -> None:
    if pool is not None:
        pool.clear()
