"""Finds out, without asking Azure, why an account cannot be used."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Iterator, Mapping, Optional

from smart_storages.common.secrets import reveal
from smart_storages.config.values import Problem, find_misspelt

__all__ = ["find_account_problems"]

#: https://learn.microsoft.com/azure/storage/common/storage-account-overview
_is_name = re.compile(r"[a-z0-9]{3,24}\Z").match
_is_suffix = re.compile(r"(?!blob\.)[A-Za-z0-9.-]{1,200}(:[0-9]+)?\Z").match

#: https://learn.microsoft.com/python/api/overview/azure/storage-blob-readme#optional-configuration
_NUMBERS = (
    "connection_timeout",
    "increment_base",
    "initial_backoff",
    "max_block_size",
    "max_chunk_get_size",
    "max_page_size",
    "max_single_get_size",
    "max_single_put_size",
    "min_large_block_upload_threshold",
    "random_jitter_range",
    "read_timeout",
    "retry_connect",
    "retry_read",
    "retry_status",
    "retry_total",
)
_CLIENT_OPTIONS = (
    *_NUMBERS,
    "api_version",
    "audience",
    "connection_cert",
    "connection_verify",
    "headers",
    "logging_body",
    "logging_enable",
    "proxies",
    "raw_request_hook",
    "raw_response_hook",
    "retry_policy",
    "retry_to_secondary",
    "secondary_hostname",
    "transport",
    "use_byte_buffer",
    "use_env_settings",
    "user_agent",
)


def find_account_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of the options that name an account; none of them shows a secret.

    Args:
        options: The options of the backend ``azure``, by the names of django-storages.

    Example:
        >>> [problem.key for problem in find_account_problems({"account_name": "acme"})]
        []
    """
    name, connection = options.get("account_name"), options.get("connection_string")
    if not name and not connection:
        yield _problem(
            "account_name",
            "is missing: the backend 'azure' needs an account",
            "Set account_name and account_key, or connection_string, or AZURE_ACCOUNT_NAME and "
            "AZURE_ACCOUNT_KEY.",
        )
    elif name and not connection and not _is_name(name):
        yield _problem(
            "account_name",
            f"is {name!r}, and an account of Azure has 3 to 24 lower-case letters and digits",
            "Write the name alone: acme, of https://acme.blob.core.windows.net.",
        )
    if connection and not _leads_somewhere(reveal(connection)):
        yield _problem(
            "connection_string",
            "cannot be read",
            "Copy it from the portal of Azure: AccountName=...;AccountKey=...;...",
        )
    if not _is_base64(reveal(options.get("account_key"))):
        yield _problem(
            "account_key",
            "is not a key of Azure: it must be base64",
            "Copy it from the portal of Azure, with the = at its end.",
        )
    sas = reveal(options.get("sas_token"))
    if isinstance(sas, str) and ("://" in sas or "sig=" not in sas):
        yield _problem(
            "sas_token",
            "is not a shared access signature, which has 'sig=' in it",
            "Write what follows the '?' in the URL that Azure shows: sv=...&sig=...",
        )
    token = options.get("token_credential")
    if token is not None and not hasattr(token, "get_token"):
        yield _problem(
            "token_credential",
            f"must be an object with a method get_token(), not {type(token).__name__}",
            "Write azure.identity.DefaultAzureCredential().",
        )
    yield from _find_client_problems(options)


def _find_client_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    suffix = options.get("endpoint_suffix")
    if isinstance(suffix, str) and not _is_suffix(suffix):
        yield _problem(
            "endpoint_suffix",
            f"is {suffix!r}, and that is what follows '.blob.' in the address of an account",
            "Write core.windows.net, without a scheme and a slash.",
        )
    client_options = options.get("client_options")
    if isinstance(client_options, Mapping):
        yield from find_misspelt("client_options", client_options, _CLIENT_OPTIONS)
        for each in _NUMBERS:
            value = client_options.get(each)
            if value is not None and type(value) not in (int, float):
                what = f"has a {each!r} that is no number, but a {type(reveal(value)).__name__}"
                yield _problem("client_options", what, f"Write {{{each!r}: 5}}.")


def _problem(key: str, message: str, hint: str) -> Problem:
    return Problem("bad-backend", key, message, hint)


def _leads_somewhere(connection: str) -> bool:
    parts = [part.partition("=") for part in connection.strip(" ;").split(";")]
    given = {name.strip().lower(): value for name, _, value in parts}
    if not all(equals for _, equals, _ in parts) or not _is_base64(given.get("accountkey")):
        return False
    return bool(given.get("accountname") or given.get("blobendpoint"))


def _is_base64(key: Optional[str]) -> bool:
    try:
        return key is None or bool(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError):
        return False
