"""How a storage reaches its server: the shared client, the credentials, the provider."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from logging import getLogger
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Set, Tuple

from boto3.session import Session
from botocore import UNSIGNED
from botocore.config import Config
from django.utils.module_loading import import_string

from smart_storages import config
from smart_storages.backends import s3
from smart_storages.common.compat import cache
from smart_storages.common.documentation import plain_text
from smart_storages.common.secrets import reveal
from smart_storages.exceptions import ConfigurationError, UnreachableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client, S3ServiceResource
    from mypy_boto3_s3.service_resource import Bucket

    from smart_storages.backends.s3.clients.credentials import CredentialSource
    from smart_storages.backends.s3.clients.pool import ClientPool, Connection
    from smart_storages.backends.s3.signing.presigned_urls import UrlSigner
    from smart_storages.config.providers import Provider

__all__ = ["ConnectingMixin", "plain_config"]

logger = getLogger("smart_storages.config")


@cache
def _client_pool() -> ClientPool:
    # With the pool, a third of the engine would be imported where a storage is only declared.
    from smart_storages.storages.shared_clients import client_pool

    return client_pool


@cache
def plain_config(style: Optional[str], signature: Any, proxies: Tuple[Any, ...]) -> Config:
    addressing: Any = {"addressing_style": style}
    return Config(
        s3=addressing,
        signature_version=signature,
        proxies={scheme: reveal(url) for scheme, url in proxies} or None,
    )


#: Modules for which a warning was logged. There may be one for each tenant: a hundred are enough.
_warned: Set[str] = set()
_MOST_WARNINGS = 100


def _warn_of_missing_entry(module_name: str, bucket_name: str) -> None:
    if module_name in _warned or len(_warned) >= _MOST_WARNINGS:
        return
    _warned.add(module_name)
    known = config.get_buckets()
    logger.warning("%s %s", *config.errors.describe_missing_entry(module_name, bucket_name, known))


# A bucket with a dot does not fit the certificate of *.s3.amazonaws.com.
_HOST_LABEL = "[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"


def _is_special(bucket: str) -> bool:
    # Access points (given by their ARN) and S3 Express buckets use other signatures.
    return bucket.startswith("arn:") or bucket.endswith("--x-s3")


class ConnectingMixin:
    """The part of a storage that reaches its server, or says why it cannot."""

    if TYPE_CHECKING:
        module_name: str
        _lacks_entry: bool
        bucket_name: str
        access_key: Optional[str]
        secret_key: Optional[str]
        security_token: Optional[str]
        session_profile: Optional[str]
        role_arn: Optional[str]
        external_id: Optional[str]
        credentials: Any
        provider: Optional[str]
        region_name: Optional[str]
        endpoint_url: Optional[str]
        use_ssl: bool
        verify: Any
        proxies: Optional[Dict[str, str]]
        addressing_style: Optional[str]
        signature_version: Any
        client_config: Config

    _problem: Optional[ConfigurationError] = None
    _withheld: Tuple[str, ...] = ()
    _connection: Optional[Connection] = None
    _identity: Optional[str] = None

    def _raise_for_problem(self) -> None:
        if self._problem is not None:
            # A copy: with each raise an error gains the frames of its callers, and keeps all of
            # them, with their variables, for as long as the storage lives.
            raise copy.copy(self._problem) from self._problem.__cause__
        if self._withheld:
            raise ConfigurationError(
                f"This storage of module {self.module_name!r} was made with "
                f"{', '.join(self._withheld)}, which migrations and pickles never contain. "
                f"Set them in {config.errors.BUCKETS_SETTING}[{self.module_name!r}] instead."
            )

    def _raise_without_bucket(self) -> None:
        self._raise_for_problem()
        if not self.bucket_name:
            known = config.get_buckets() if self._lacks_entry else ()
            raise config.errors.missing_bucket_error(self.module_name, known)

    @property
    def client(self) -> S3Client:
        """The S3 client of this storage's connection; safe to use from any thread."""
        client: S3Client = self._from_pool(_client_pool().client)
        return client

    @property
    def connection(self) -> S3ServiceResource:
        """A boto3 resource, a new one for each caller: resources must not be shared."""
        resource: S3ServiceResource = self._from_pool(_client_pool().resource)
        return resource

    @property
    def unsigned_connection(self) -> S3ServiceResource:
        """A boto3 resource that signs nothing, a new one for each caller."""
        resource: S3ServiceResource = self._from_pool(
            lambda signed: _client_pool().resource(replace(signed, signed=False))
        )
        return resource

    @property
    def bucket(self) -> Bucket:
        """A boto3 ``Bucket``, a new one for each caller."""
        bucket: Bucket = self._from_pool(
            lambda connection: _client_pool().bucket(connection, self.bucket_name)
        )
        return bucket

    def get_connection(self) -> Connection:
        """Return the connection from which the S3 client of this storage is made.

        Raises:
            ConfigurationError: the storage has no bucket, or one of its settings is wrong.
        """
        if self._connection is None:
            self._raise_without_bucket()
            if self._lacks_entry:
                _warn_of_missing_entry(self.module_name, self.bucket_name)
            self._connection = self._describe_connection()
        return self._connection

    def get_pooled_signer(self, connection: Connection) -> UrlSigner:
        """Return the shared signer of this bucket for a connection; its errors name the module."""
        try:
            return _client_pool().signer(connection, self.bucket_name)
        except ConfigurationError as error:
            raise self._named(error) from error
        except UnreachableError as error:
            error.module = self.module_name
            raise

    def _named(self, error: ConfigurationError) -> ConfigurationError:
        named = ConfigurationError(f"The module {self.module_name!r}: {plain_text(error)}")
        also: ConfigurationError = s3.errors.botocore_kinds.also_of_botocore(named, error)
        return also

    def _from_pool(self, take: Callable[[Connection], Any]) -> Any:
        connection = self.get_connection()
        try:
            return take(connection)
        except ConfigurationError as error:
            raise self._named(error) from error
        except UnreachableError as error:  # of a callable, which may not know the module
            error.module = self.module_name
            raise

    def _describe_connection(self) -> Connection:
        return s3.clients.pool.Connection(
            credentials=self._describe_credentials(),
            region_name=self.region_name,
            endpoint_url=self.endpoint_url,
            use_ssl=self.use_ssl,
            verify=self.verify,
            client_config=s3.clients.pool.freeze_client_config(
                self._provider_config(), self._option_config(), self.client_config
            ),
        )

    def _describe_credentials(self) -> CredentialSource:
        supplier = self.credentials
        if isinstance(supplier, str):
            try:
                supplier = import_string(supplier)
            except ImportError as error:
                missing = ConfigurationError(f"'credentials' cannot be imported: {error}")
                raise self._named(missing) from error
        if supplier is not None and not callable(supplier):
            what = type(supplier).__name__
            raise self._named(ConfigurationError(f"'credentials' must be a callable, not {what}."))
        try:
            named = supplier is not None and s3.clients.credentials.takes_argument(supplier)
        except ConfigurationError as error:
            raise self._named(error) from error
        return s3.clients.credentials.CredentialSource(
            access_key=self.access_key,
            secret_key=self.secret_key,
            security_token=self.security_token,
            session_profile=self.session_profile,
            role_arn=self.role_arn,
            external_id=self.external_id,
            supplier=supplier,
            argument=self.module_name if named else None,
        )

    @property
    def credentials_identity(self) -> str:
        """A digest that identifies whose credentials these are; it contains no secret.

        It is the same in every process of the project.
        """
        if self._identity is None:
            is_anonymous = getattr(self.client_config, "signature_version", None) is UNSIGNED
            names: Tuple[str, ...] = ("nobody",)
            if not is_anonymous:
                names = s3.clients.credentials.identity_of(self._describe_credentials())
            self._identity = config.keyed_digest("credentials", *names)
        return self._identity

    def identify_server(self) -> Tuple[str, str]:
        """Return a value that is equal for two storages if a bucket name means the same bucket.

        It holds the endpoint and, for servers on which each tenant may have a bucket of the same
        name, the identity of the credentials.

        Raises:
            ConfigurationError: the options for the credentials are wrong.
        """
        return (
            self.endpoint_url or "aws",
            "" if self.s3_provider.global_names else self.credentials_identity,
        )

    def _option_config(self) -> Config:
        # django-storages ignores these three options when a client_config is given.
        proxies = tuple(sorted((self.proxies or {}).items()))
        return plain_config(self.addressing_style, self.signature_version, proxies)

    @property
    def s3_provider(self) -> Provider:
        """What the server behind this storage does differently."""
        return config.providers.get_provider(self.provider, self.endpoint_url)

    def _provider_config(self) -> Config:
        row = self.s3_provider
        options: Dict[str, Any] = {}
        if row.addressing_style:
            options["s3"] = {"addressing_style": row.addressing_style}
        elif row.name == "aws" and re.fullmatch(_HOST_LABEL, self.bucket_name):
            # For URLs botocore would use the global host, which redirects to the bucket's region
            # while the bucket is new; a signed URL is not valid after a redirect.
            options["s3"] = {"addressing_style": "virtual"}
        if not _is_special(self.bucket_name):
            # In older regions botocore would sign URLs with SigV2, which newer buckets refuse.
            options["signature_version"] = "s3v4"
        if row.checksum != "crc32":
            # Since boto3 1.36 the default is "when_supported", which these servers refuse.
            options["request_checksum_calculation"] = "when_required"
            options["response_checksum_validation"] = "when_required"
        return Config(**options)

    def _create_session(self) -> Session:
        """Return a new boto3 session, as django-storages does, for subclasses that call this."""
        if self.session_profile:
            return Session(profile_name=self.session_profile)
        return Session(
            aws_access_key_id=reveal(self.access_key),
            aws_secret_access_key=reveal(self.secret_key),
            aws_session_token=reveal(self.security_token),
        )
