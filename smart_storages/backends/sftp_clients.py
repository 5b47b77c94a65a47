"""Connects to a server of SFTP, if it is the one that is meant, and says why it cannot."""

from __future__ import annotations

import base64
import hashlib
import inspect
import os
from typing import Any, Mapping, Optional, Tuple

import paramiko

from smart_storages.backends.sftp_errors import is_lost
from smart_storages.common.documentation import plain_text
from smart_storages.common.secrets import reveal_all
from smart_storages.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    S3Error,
    UnreachableError,
)

__all__ = ["make_client"]

#: Seconds for each step of connecting.
_CONNECTING = {"timeout": 10.0, "banner_timeout": 15.0, "auth_timeout": 15.0}
#: Seconds between signs of life; a firewall forgets a connection without them.
_KEEPALIVE = 30


def make_client(
    host: str, params: Mapping[str, Any], known_host_file: Optional[str], *, verify: bool
) -> Tuple[Any, Optional[Exception]]:
    """Return a client that is connected, or why there is none.

    Args:
        host: Name or address of the host.
        params: Parameters of paramiko's ``SSHClient.connect``; texts may be secrets.
        known_host_file: Keys of known hosts, ``None`` for those of the user.
        verify: ``False`` to accept a host without a known key.
    """
    client = paramiko.SSHClient()
    policy = _Refusing() if verify else paramiko.AutoAddPolicy()
    client.set_missing_host_key_policy(policy)
    try:
        path = known_host_file
        client.load_system_host_keys(path and os.path.expanduser(path))
    except (OSError, ValueError, paramiko.SSHException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return None, ConfigurationError(
            f"The file of known hosts {known_host_file!r} cannot be read: {reason}. "
            "Correct known_host_file."
        )
    try:
        client.connect(host, **{**_CONNECTING, **reveal_all(dict(params))})
        transport: Any = client.get_transport()
        transport.set_keepalive(_KEEPALIVE)
    except Exception as error:
        client.close()
        return None, _describe(error, host, params)
    return client, None


def _describe(error: Exception, host: str, params: Mapping[str, Any]) -> Exception:
    if isinstance(error, _UnknownHostError):
        return AccessDeniedError(
            f"The key of the host {host} is not known: {plain_text(error)}. If that is its key, "
            f"add it to known_host_file, or to ~/.ssh/known_hosts."
        )
    if isinstance(error, paramiko.BadHostKeyException):
        return AccessDeniedError(
            f"The host {host} has another key than the known one: "
            f"{_fingerprint(error.key)} instead of {_fingerprint(error.expected_key)}. "
            "Somebody may be in between. Correct the file of known hosts if it was changed."
        )
    if isinstance(error, (paramiko.AuthenticationException, paramiko.PasswordRequiredException)):
        return AccessDeniedError(
            f"The server {host} refused the user name, password or key in params "
            f"({type(error).__name__})."
        )
    is_of_file = isinstance(error, OSError) and not is_lost(error) and error.filename
    if isinstance(error, (TypeError, ValueError)) or is_of_file:
        return ConfigurationError(
            f"The connection to {host} cannot be made with these params "
            f"({_name_cause(error, params)}). They are those of paramiko's SSHClient.connect: "
            "username, password, key_filename, port and so on."
        )
    if isinstance(error, S3Error):
        return error
    return UnreachableError(
        f"The server {host} did not answer ({type(error).__name__}). Check host, port and "
        "the network."
    )


def _name_cause(error: Any, params: Mapping[str, Any]) -> str:
    if isinstance(error, OSError):  # a file of a key, by its path
        return f"{error.strerror}: {error.filename!r}"
    known = inspect.signature(paramiko.SSHClient.connect).parameters
    unknown = sorted(str(name) for name in params if name not in known)
    return f"there is no {unknown[0]!r}" if unknown else type(error).__name__


class _UnknownHostError(paramiko.SSHException):  # type: ignore[misc]
    """A host whose key is in no file of known hosts."""


class _Refusing(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        raise _UnknownHostError(_fingerprint(key))


def _fingerprint(key: Any) -> str:
    # As ssh-keygen -l prints it.
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"
