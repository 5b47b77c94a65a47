"""Turns the errors of paramiko into those of a store; none of them shows a credential."""

from __future__ import annotations

import socket
from typing import Any

import paramiko

from smart_storages.exceptions import ConfigurationError, S3Error, UnreachableError

__all__ = ["is_lost", "translating"]

_PASSED = (ConfigurationError, S3Error)
_LOST = (
    ConnectionError,
    EOFError,
    paramiko.SFTPError,
    paramiko.SSHException,
    socket.gaierror,
    socket.timeout,
    TimeoutError,
)
_CLOSED = "Socket is closed"
#: What SFTP has for all that it has no number for.
_EXPLAINED = {"Failure": "Failure (it says no more; look whether its disk or a quota is full)"}


def is_lost(error: BaseException) -> bool:
    """Return whether an error means that the connection is lost, or does not answer."""
    return isinstance(error, _LOST) or str(error) == _CLOSED


class translating:  # noqa: N801 - a block, as contextlib's
    """A block that turns errors of paramiko into those of a store, without its frames.

    Args:
        host: The host, for messages.
    """

    def __init__(self, host: str) -> None:
        self._host = host

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, _PASSED):
            return
        if is_lost(error):
            name = type(error).__name__
            made: OSError = UnreachableError(
                f"The connection to {self._host} was lost, or there was no answer ({name})."
            )
        elif isinstance(error, OSError) and type(error).__module__ == "builtins":
            # SFTP has a number for few reasons; of the others it has a text, such as "Failure".
            text = str(error)
            made = type(error)(error.errno, error.strerror or _EXPLAINED.get(text, text))
        else:
            return
        del kind, error, trace
        raise made from None
