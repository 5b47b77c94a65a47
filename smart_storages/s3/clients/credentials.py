"""Where the credentials of a connection come from, as a value, and how botocore gets them."""

from __future__ import annotations

import inspect
import os
import sys
import uuid
import weakref
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Tuple

from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError
from dateutil.parser import parse as parse_time
from django.utils.crypto import get_random_string

from smart_storages.common.secrets import Secret, reveal
from smart_storages.exceptions import ConfigurationError, S3Error
from smart_storages.s3.errors.botocore_kinds import also_of_botocore
from smart_storages.s3.errors.translation import CREDENTIALS_HINT, translate_error

if TYPE_CHECKING:
    from botocore.session import Session

__all__ = [
    "CredentialSource",
    "assume_role",
    "identity_of",
    "load_source",
    "missing_credentials_error",
    "takes_argument",
]

# A callable's keys are asked for again this long before they expire, in seconds: in the background
# of a request at the first, while it waits at the second. botocore's own 15 and 10 minutes would
# ask at every request for keys that live five.
_REFRESH_EARLY = 60
_REFRESH_NOW = 15

_SPELLINGS = {
    "access_key": ("access_key", "AccessKeyId", "aws_access_key_id"),
    "secret_key": ("secret_key", "SecretAccessKey", "aws_secret_access_key"),
    "token": ("security_token", "token", "SessionToken", "aws_session_token"),
    "expiry_time": ("expiry", "expiration", "Expiration", "expiry_time"),
}


#: Where botocore finds credentials by itself, as far as the environment says which ones.
_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
)

#: Stands for this process in the name of a supplier that only this process has.
_PROCESS = uuid.uuid4().hex

#: Names of suppliers that no other process could find: lambdas, partials, methods, closures.
_local_names: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class CredentialSource:
    """One set of credentials, or the way to get one. Two equal sources can share a client.

    Args:
        access_key: With ``secret_key`` and, for temporary keys, ``security_token``.
        session_profile: A profile of the AWS configuration files.
        role_arn: A role to assume with the credentials above, or with botocore's own.
        external_id: What the role's owner asks for.
        supplier: A callable that returns keys, called again before they expire.
        argument: What the supplier is called with, ``None`` for nothing.

    Example:
        >>> CredentialSource(access_key="a", secret_key="b")
        CredentialSource(***)
        >>> CredentialSource()
        CredentialSource()
    """

    access_key: Optional[str] = None
    secret_key: Optional[str] = None
    security_token: Optional[str] = None
    session_profile: Optional[str] = None
    role_arn: Optional[str] = None
    external_id: Optional[str] = None
    supplier: Optional[Callable[..., Mapping[str, Any]]] = field(default=None)
    argument: Optional[str] = None

    def __repr__(self) -> str:
        return "CredentialSource()" if self == CredentialSource() else "CredentialSource(***)"


def identity_of(source: CredentialSource) -> Tuple[str, ...]:
    """Return what tells the owner of some credentials from another one.

    It holds an access key id, but no secret key and no session token. It is the same in every
    process that has the same configuration, and stays the same while a callable, a profile or a
    role gives new keys. Only for a callable that cannot be imported, such as a lambda, each
    process has a name of its own.

    Args:
        source: Where the credentials come from.

    Example:
        >>> identity_of(CredentialSource(session_profile="acme", role_arn="arn:aws:iam::1:role/a"))
        ('profile', 'acme', 'role', 'arn:aws:iam::1:role/a')
    """
    role = ("role", source.role_arn) if source.role_arn else ()
    if source.supplier is not None:
        return ("callable", _address_of(source.supplier), str(source.argument), *role)
    if source.access_key is not None:
        return ("key", str(reveal(source.access_key)), *role)
    if source.session_profile is not None:
        return ("profile", source.session_profile, *role)
    return ("environment", *(os.environ.get(name, "") for name in _ENVIRONMENT), *role)


def _address_of(supplier: Callable[..., Any]) -> str:
    module = getattr(supplier, "__module__", None) or ""
    path = getattr(supplier, "__qualname__", None) or ""
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if found is supplier:
        return f"{module}.{path}"
    try:
        return _local_names.setdefault(supplier, uuid.uuid4().hex)
    except TypeError:  # cannot be hashed, or not be referred to weakly
        return f"{id(supplier)}-{_PROCESS}"


def load_source(source: CredentialSource, session: Optional[Session]) -> Any:
    """Return the credentials themselves: keys, a profile's, a callable's, or what botocore finds.

    Args:
        source: Where they come from; a role is left to :func:`assume_role`.
        session: A botocore session for what it finds by itself (environment, files, instance);
            not needed for a callable's keys.

    Returns:
        Credentials of botocore, or ``None`` if there are none anywhere.

    Raises:
        ConfigurationError: the callable returned something that is not a set of keys.
    """
    if source.supplier is not None:
        return _from_supplier(source)
    if source.access_key is not None:
        keys = (source.access_key, source.secret_key, source.security_token)
        return Credentials(*map(reveal, keys))
    return session.get_credentials() if session else None


def missing_credentials_error(source: CredentialSource) -> ConfigurationError:
    """Return the error for a source that, with all that botocore finds, gives no credentials.

    It can be caught as botocore's ``NoCredentialsError``, too.
    """
    if source.session_profile is not None:
        what = (
            f"The profile {source.session_profile!r} has no credentials. Give it "
            "aws_access_key_id and aws_secret_access_key, or another way to get them, in "
            "~/.aws/credentials or ~/.aws/config."
        )
    elif source.role_arn is not None:
        what = (
            f"No credentials were found to assume the role {source.role_arn!r} with; role_arn "
            f"names what is wanted, not who asks. {CREDENTIALS_HINT}"
        )
    else:
        what = f"No credentials were found. {CREDENTIALS_HINT}"
    return also_of_botocore(ConfigurationError(what), NoCredentialsError())


def _from_supplier(source: CredentialSource) -> Any:
    keys = _call_supplier(source)
    if keys["expiry_time"] is None:
        return Credentials(keys["access_key"], keys["secret_key"], keys["token"])
    return RefreshableCredentials.create_from_metadata(
        keys,
        refresh_using=lambda: _call_supplier(source),
        method="smart-storages-credentials",
        advisory_timeout=_REFRESH_EARLY,
        mandatory_timeout=_REFRESH_NOW,
    )


def takes_argument(supplier: Callable[..., Any]) -> bool:
    """Tell whether a ``credentials`` callable wants the name of the module.

    Raises:
        ConfigurationError: it wants more than that.
    """
    try:
        signature = inspect.signature(supplier)
    except (TypeError, ValueError):  # written in C, and it does not say
        return False
    if _binds(signature, "module"):
        return True
    if not _binds(signature):
        raise ConfigurationError(
            f"The 'credentials' callable {_name(supplier)} must take no argument, or the name of "
            "the module."
        )
    return False


def _binds(signature: inspect.Signature, *arguments: str) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


def _call_supplier(source: CredentialSource) -> Dict[str, Any]:
    assert source.supplier is not None  # noqa: S101 - for the type checker
    arguments = () if source.argument is None else (source.argument,)
    # At once, for the frames of what is raised below are on Django's debug page.
    answer = _guard(source.supplier(*arguments))
    if not isinstance(answer, Mapping):
        raise ConfigurationError(
            f"The 'credentials' callable {_name(source.supplier)} must return a dict with "
            f"access_key and secret_key, not {type(answer).__name__}."
        )
    keys = {name: _first(answer, spellings) for name, spellings in _SPELLINGS.items()}
    for name in ("access_key", "secret_key"):
        if not isinstance(keys[name], str) or not keys[name]:
            raise ConfigurationError(
                f"The 'credentials' callable {_name(source.supplier)} returned no {name}. "
                "Return access_key and secret_key, and security_token and expiry if they expire."
            )
    if keys["token"] is not None and not isinstance(keys["token"], str):
        raise ConfigurationError(
            f"The 'credentials' callable {_name(source.supplier)} returned a security_token that "
            f"is no text: {type(keys['token']).__name__}."
        )
    try:
        keys["expiry_time"] = _as_text(keys["expiry_time"])
    except (OverflowError, TypeError, ValueError):
        raise ConfigurationError(
            f"The 'credentials' callable {_name(source.supplier)} returned an expiry that is no "
            "time. Return a datetime, seconds since 1970, or text such as 2026-01-31T12:00:00Z."
        ) from None
    return {name: reveal(value) for name, value in keys.items()}


def _guard(answer: Any) -> Any:
    if not isinstance(answer, Mapping):
        return answer
    expiries = _SPELLINGS["expiry_time"]
    return {
        name: Secret(value) if type(value) is str and name not in expiries else value
        for name, value in answer.items()
    }


def _first(answer: Mapping[str, Any], spellings: Any) -> Any:
    return next((answer[name] for name in spellings if answer.get(name)), None)


def _as_text(expiry: Any) -> Optional[str]:
    # botocore takes a naive time for local; one that AWS gives, or a datetime without a zone, is
    # meant as UTC.
    if expiry is None:
        return None
    if isinstance(expiry, (int, float)):
        expiry = datetime.fromtimestamp(expiry, timezone.utc)
    moment = expiry if isinstance(expiry, datetime) else parse_time(expiry)
    aware: datetime = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return aware.isoformat()


def _name(supplier: Any) -> str:
    return getattr(supplier, "__qualname__", type(supplier).__qualname__)


def assume_role(
    source: CredentialSource, session: Session, credentials: Any, region_name: Optional[str]
) -> Any:
    """Return credentials of the source's role, asked for at first use and renewed by themselves.

    Args:
        source: Names the role and, optionally, the external id.
        session: A botocore session, to make a client of the security token service.
        credentials: Who assumes the role.
        region_name: Region whose security token service is asked, ``None`` for botocore's choice.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    extra = {"RoleSessionName": f"smart-storages-{get_random_string(12)}"}
    if source.external_id:
        extra["ExternalId"] = source.external_id
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=partial(session.create_client, region_name=region_name),
        source_credentials=credentials,
        role_arn=str(source.role_arn),
        extra_args=extra,
        cache={},
    )
    fetch = partial(_fetch, fetcher, source.role_arn)
    return DeferredRefreshableCredentials(fetch, method="assume-role")


def _fetch(fetcher: AssumeRoleCredentialFetcher, role_arn: Optional[str]) -> Any:
    try:
        return fetcher.fetch_credentials()
    except Exception as error:
        ours = translate_error(error)
        if not isinstance(ours, S3Error) or ours is error:
            raise
        ours.what = f"The role {role_arn!r} could not be assumed: {error}"
        ours.args = (ours.what,)
        raise ours from error
