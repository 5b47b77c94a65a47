"""Signatures of Azure: a shared access signature allows one thing on one blob, for a time."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from smart_storages.backends.azure_errors import translating
from smart_storages.exceptions import ConfigurationError

__all__ = ["sign"]


def sign(
    account: Any,
    container: str,
    key: str,
    expires: int,
    permission: BlobSasPermissions,
    **changed: Any,
) -> str:
    """Return the query of a signed URL.

    Args:
        account: What :func:`smart_storages.backends.azure.account_of` returned.
        container: Name of the container.
        key: Name of the blob.
        expires: Until when it is valid, in seconds since 1970.
        permission: What it allows.
        changed: Headers of the answer that it changes.

    Raises:
        ConfigurationError: the credentials cannot sign.
    """
    service = account.service_client
    expiry = datetime.fromtimestamp(expires, timezone.utc)
    has_key = getattr(service.credential, "account_key", None) is not None
    delegated = None
    if not has_key:
        with translating():
            # django-storages compares it with naive times.
            delegated = account.get_user_delegation_key(expiry.replace(tzinfo=None))
        if delegated is None:
            raise ConfigurationError(
                "A signed URL needs the account_key or a token_credential; with a sas_token "
                "alone it cannot be made. Set querystring_auth to False if the container is "
                "public."
            )
    signature = ""
    with suppress(ValueError):
        signature = generate_blob_sas(
            service.account_name,
            container,
            key,
            account_key=service.credential.account_key if has_key else None,
            user_delegation_key=delegated,
            permission=permission,
            expiry=expiry,
            **changed,
        )
    if not signature:  # past its frames, whose variables hold the key
        raise ConfigurationError("The account_key is not one of Azure: it must be base64.")
    return signature
