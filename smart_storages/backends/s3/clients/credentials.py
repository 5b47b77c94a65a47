"""Where the credentials of a connection come from, and how botocore is given them."""

from __future__ import annotations

import inspect
import os
import sys
import uuid
import weakref
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from socket import timeout as socket_timeout
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Tuple

from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.exceptions import NoCredentialsError
from dateutil.parser import parse as parse_time
from django.utils.crypto import get_random_string

from smart_storages.backends.s3.errors.botocore_kinds import also_of_botocore
from smart_storages.backends.s3.errors.cleaning import clean_foreign
from smart_storages.backends.s3.errors.translation import CREDENTIALS_HINT, translate_error
from smart_storages.common.secrets import Secret, reveal
from smart_storages.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    S3Error,
    SmartStorageError,
    ThrottledError,
    UnreachableError,
)

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

# A credentials callable is called again when its keys expire within this many seconds. From the
# first limit on, one request refreshes them while the others go on with the old keys; from the
# second on, every request waits for the new ones. With botocore's own limits of 15 and 10 minutes,
# keys that live five minutes would be refreshed at every request.
_REFRESH_EARLY = 60
_REFRESH_NOW = 15

_SPELLINGS = {
    "access_key": ("access_key", "AccessKeyId", "aws_access_key_id"),
    "secret_key": ("secret_key", "SecretAccessKey", "aws_secret_access_key"),
    "token": ("security_token", "token", "SessionToken", "aws_session_token"),
    "expiry_time": ("expiry", "expiration", "Expiration", "expiry_time"),
}


#: Environment variables that decide which credentials botocore finds by itself.
_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
)

#: Errors of a callable that could not reach what it asks for keys.
_NO_ANSWER = (ConnectionError, TimeoutError, socket_timeout, BotoConnectionError, UnreachableError)

#: Identifies this process, in the name of a supplier that exists only here.
_PROCESS = uuid.uuid4().hex

#: Names for suppliers that cannot be imported: lambdas, partials, methods, closures.
_local_names: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class CredentialSource:
    """One set of credentials, or how to get one. Two equal sources can share a client.

    Args:
        access_key: With ``secret_key`` and, for temporary keys, ``security_token``.
        session_profile: A profile of the AWS configuration files.
        role_arn: A role to assume with the credentials above, or with botocore's own.
        external_id: The external ID that the role's owner requires.
        supplier: A callable that returns keys; it is called again before they expire.
        argument: The argument to call the supplier with, ``None`` for no argument.

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
    """Return strings that identify whose credentials these are.

    They include an access key ID, but no secret key and no session token. They are the same in
    every process with the same configuration, and stay the same when a callable, a profile or a
    role gives new keys. Only a callable that cannot be imported, such as a lambda, has a different
    identity in each process.

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
    except TypeError:  # not hashable, or no weak reference to it is possible
        return f"{id(supplier)}-{_PROCESS}"


def load_source(source: CredentialSource, session: Optional[Session]) -> Any:
    """Return botocore's credentials: from keys, a profile, a callable, or wherever it finds some.

    Args:
        source: Where they come from. A role is not assumed here; see :func:`assume_role`.
        session: A botocore session, which looks in the environment, files and instance metadata;
            not needed for a callable's keys.

    Returns:
        Credentials of botocore, or ``None`` if there are none anywhere.

    Raises:
        ConfigurationError: the callable failed, or did not return a set of keys.
        UnreachableError: the callable could not reach what it asks for keys.
    """
    if source.supplier is not None:
        return _from_supplier(source)
    if source.access_key is not None:
        keys = (source.access_key, source.secret_key, source.security_token)
        return Credentials(*map(reveal, keys))
    return session.get_credentials() if session else None


def missing_credentials_error(source: CredentialSource) -> ConfigurationError:
    """Return the error for a source without credentials, where botocore finds none either.

    It can also be caught as botocore's ``NoCredentialsError``.
    """
    if source.session_profile is not None:
        what = (
            f"The profile {source.session_profile!r} has no credentials. Give it "
            "aws_access_key_id and aws_secret_access_key, or another way to get them, in "
            "~/.aws/credentials or ~/.aws/config."
        )
    elif source.role_arn is not None:
        what = (
            f"No credentials were found to assume the role {source.role_arn!r} with: role_arn "
            f"only names the role. {CREDENTIALS_HINT}"
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
    """Return whether a ``credentials`` callable takes the name of the module.

    Raises:
        ConfigurationError: it requires other arguments.
    """
    try:
        signature = inspect.signature(supplier)
    except (TypeError, ValueError):  # written in C, without a signature
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
    try:
        # Guarded at once: Django's debug page shows the variables here if an error is raised below.
        answer = _guard(source.supplier(*arguments))
    except Exception as error:
        # Raised as it is, a KeyError or FileNotFoundError would be taken for one about a file.
        raise _supplier_error(source, error) from clean_foreign(error)
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
            f"is not a string: {type(keys['token']).__name__}."
        )
    try:
        keys["expiry_time"] = _as_text(keys["expiry_time"])
    except (OverflowError, TypeError, ValueError):
        raise ConfigurationError(
            f"The 'credentials' callable {_name(source.supplier)} returned an expiry that is not a "
            "time. Return a datetime, seconds since 1970, or text such as 2026-01-31T12:00:00Z."
        ) from None
    return {name: reveal(value) for name, value in keys.items()}


def _supplier_error(source: CredentialSource, error: BaseException) -> SmartStorageError:
    """Return the error for a callable that raised one, whose text may hold anything."""
    # The frames are removed since they have keys in their variables: one place is named instead.
    called = error.__traceback__ and error.__traceback__.tb_next
    path = called.tb_frame.f_code.co_filename if called else ""
    where = f" at line {called.tb_lineno} of {os.path.basename(path)}" if called else ""
    name = _name(source.supplier)
    what = (
        f"The 'credentials' callable {name} raised {type(error).__name__}{where}. "
        "Correct it, or what it asks for keys; its own error is the cause of this one."
    )
    if isinstance(error, _NO_ANSWER):
        return UnreachableError(what, module=source.argument)
    return ConfigurationError(what)


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
    # botocore takes a time without a zone as local time; AWS's own times, and naive datetimes, are
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
    """Return credentials of the source's role, fetched at first use and refreshed by botocore.

    Args:
        source: Names the role and, optionally, the external ID.
        session: A botocore session, to make a client of the security token service.
        credentials: The credentials that assume the role.
        region_name: Region whose security token service is used, ``None`` for that of the session,
            or else us-east-1, as for a bucket.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    extra = {"RoleSessionName": f"smart-storages-{get_random_string(12)}"}
    if source.external_id:
        extra["ExternalId"] = source.external_id
    # Without a region botocore has a host for S3, but none for this service.
    region = region_name or session.get_config_variable("region") or "us-east-1"
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=partial(session.create_client, region_name=region),
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
        if not isinstance(ours, (AccessDeniedError, ThrottledError, UnreachableError)):
            # A 404 of this service says nothing of a file; exists() would take it for one.
            ours = also_of_botocore(S3Error(status=ours.status, code=ours.code), error)
        ours.what = f"The role {role_arn!r} could not be assumed: {error}"
        ours.args = (ours.what,)
        raise ours from error
