"""The sessions that make clients: with credentials as objects, and without a look at each service.

A session is not thread-safe; :mod:`smart_storages.backends.s3.clients.pool` keeps them behind its
lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Optional

import boto3.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader
from botocore.session import Session

from smart_storages.backends.s3.clients.credentials import (
    assume_role,
    load_source,
    missing_credentials_error,
)
from smart_storages.backends.s3.errors.cleaning import clean
from smart_storages.backends.s3.private_names import InterceptsCalls
from smart_storages.common.secrets import reveal

if TYPE_CHECKING:
    from smart_storages.backends.s3.clients.pool import Connection

__all__ = ["SharedSession"]


class SharedSession:
    """A boto3 session that makes clients with credentials other than its own.

    Args:
        loader: The loader of another botocore session, which has already parsed the service model,
            2 MB of JSON; ``None`` for a new one.
        profile: A profile of the AWS configuration files.
    """

    def __init__(self, loader: Any, profile: Optional[str] = None) -> None:
        self.botocore = _LendingSession(profile=profile)
        self.botocore.register("creating-client-class", _add_error_cleaning)
        if loader is None and self.botocore.get_config_variable("data_path") is None:
            loader = _Loader()
        if loader is not None:
            self.botocore.register_component("data_loader", loader)
        self._boto3 = boto3.session.Session(botocore_session=self.botocore)
        self.loader = self.botocore.get_component("data_loader")

    def make_client(self, credentials: Any, **options: Any) -> Any:
        self.botocore.lent = credentials
        try:
            return self._boto3.client("s3", **options)
        finally:
            self.botocore.lent = None

    def complete(self, connection: Connection, credentials: Any) -> Any:
        """Return the credentials to sign with; ``credentials`` are those of a callable, if any."""
        source = connection.credentials
        credentials = credentials or load_source(source, self.botocore)
        if credentials is None:
            raise missing_credentials_error(source)
        if source.role_arn is not None:
            return assume_role(source, self.botocore, credentials, connection.region_name)
        return credentials

    def make_resource(self) -> Any:
        config = Config(signature_version=UNSIGNED)
        return self._boto3.resource("s3", region_name="us-east-1", config=config)


class _Loader(Loader):
    """A loader that knows whether there is a service without looking for all the others.

    botocore lists the files of 400 services to refuse a name that is none of them, twice for a
    first client: a sixth of the time that the client takes.
    """

    def list_available_services(self, type_name: str) -> Any:
        return _Services(self, type_name)


class _Services:
    def __init__(self, loader: Loader, type_name: str) -> None:
        self._loader = loader
        self._type_name = type_name

    def __contains__(self, name: str) -> bool:
        try:
            self._loader.determine_latest_version(name, self._type_name)
        except DataNotFoundError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(Loader.list_available_services(self._loader, self._type_name))


class _LendingSession(Session):
    """Gives the client that is being made its credentials, as an object.

    Keys passed to ``create_client`` as text would appear in the frames of a traceback, and so on
    Django's debug page.
    """

    lent: Any = None

    def get_credentials(self, *args: Any, **kwargs: Any) -> Any:
        return self.lent or super().get_credentials(*args, **kwargs)


class _CleansErrors(InterceptsCalls):
    """What every client of ours is: no error of a request leaves it with a secret.

    It is done here because otherwise every caller of a client would have to do it. Secret values
    of parameters become plain text here too, and are deleted before an error is raised.
    """

    def call_api(self, send: Any, operation_name: str, params: Any) -> Any:
        params = {name: reveal(value) for name, value in params.items()}
        try:
            return send(operation_name, params)
        except BaseException as error:
            raise clean(error)  # noqa: B904 - it is the same error
        finally:
            del params


def _add_error_cleaning(**event: Any) -> None:
    # botocore sends this event so that base classes can be added to the class it will make.
    event["base_classes"].insert(0, _CleansErrors)
