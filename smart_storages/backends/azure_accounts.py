"""Accounts of Azure, whose clients all storages and threads share.

Clients are made by django-storages' Azure backend, one for each distinct account and credentials.
"""

from __future__ import annotations

import json
import os
from threading import Lock
from typing import Any, Dict, Mapping

from azure.storage.blob import BlobServiceClient
from storages.backends.azure_storage import AzureStorage

from smart_storages.backends.s3.errors.logs import redact_logs
from smart_storages.common.secrets import reveal_all
from smart_storages.config.azure_account import find_account_problems
from smart_storages.exceptions import ConfigurationError

__all__ = ["account_of"]

#: Three retries within ten seconds. The SDK's own would take a minute and a half, and so would a
#: page of the site.
_RETRIES = {
    "increment_base": 2,
    "initial_backoff": 1,
    "random_jitter_range": 1,
    "retry_total": 3,
}

_accounts: Dict[str, AzureStorage] = {}
_making = Lock()


def _begin_anew() -> None:
    # A forked child must not use the sockets of its parent, nor wait for a thread that it has not.
    global _making  # noqa: PLW0603
    _making = Lock()
    _accounts.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def account_of(options: Mapping[str, Any]) -> AzureStorage:
    """Return the storage of django-storages that holds the client of an account.

    Args:
        options: The options of the backend, by the names of django-storages.

    Raises:
        ConfigurationError: no account is named, or what names it cannot be right.
    """
    for problem in find_account_problems(options):
        raise ConfigurationError(f"the option {problem.key!r} {problem.message}. {problem.hint}")
    given = {name: reveal_all(value) for name, value in options.items() if value is not None}
    key = json.dumps(given, sort_keys=True, default=lambda value: f"{type(value)} {id(value)}")
    with _making:
        if key not in _accounts:
            # Not the settings of the project: the module may have an account of its own.
            nothing: Dict[str, Any] = dict.fromkeys(
                ("account_name", "account_key", "connection_string", "sas_token")
            )
            client_options = {**_RETRIES, **(given.pop("client_options", None) or {})}
            account = _Account(**{**nothing, "token_credential": None, **given})
            account.client_options = client_options
            _accounts[key] = account
            redact_logs()  # urllib3 logs URLs, which have the sas_token
        return _accounts[key]


class _Account(AzureStorage):  # type: ignore[misc]
    """django-storages' storage, which keeps the client and delegated keys."""

    client_options: Dict[str, Any]

    def _get_service_client(self) -> Any:
        client = self._make_client()
        if client is None:
            # Past its frames, whose variables hold the key: Django's debug page shows them.
            raise ConfigurationError(
                "The client of Azure cannot be made. Check account_name, endpoint_suffix, "
                "connection_string and client_options."
            )
        return client

    def _make_client(self) -> Any:
        # As django-storages; before 1.14.5 it knows no client_options, and it forgets them if there
        # is a connection string.
        try:
            if self.connection_string is not None:
                return BlobServiceClient.from_connection_string(
                    self.connection_string, **self.client_options
                )
            credential: Any = self.sas_token or self.token_credential
            if self.account_key:
                credential = {"account_name": self.account_name, "account_key": self.account_key}
            url = f"{self.azure_protocol}://{self.account_name}.blob.{self.endpoint_suffix}"
            return BlobServiceClient(url, credential=credential, **self.client_options)
        except (TypeError, ValueError):
            return None
