"""Makes the stores of storages whose files Azure or Google keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smart_storages import backends, config
from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import ConfigurationError

if TYPE_CHECKING:
    from smart_storages.backends.store import Store

__all__ = ["azure_store", "google_store"]


def azure_store(storage: Any) -> Store:
    """Return the store of a storage whose files are in Azure.

    Args:
        storage: The storage.

    Raises:
        ConfigurationError: it is misconfigured; the message names the module.
    """
    _require_bucket(storage, "container", "AZURE_CONTAINER")
    options = {name: getattr(storage, name) for name in config.options.AZURE_OPTIONS}
    try:
        account = backends.azure.account_of(options)
    except (ConfigurationError, ValueError) as error:
        # Not its text: it may show the connection string.
        reason = "its connection_string cannot be read. Copy it from the portal of Azure."
        if isinstance(error, ConfigurationError):
            reason = plain_text(error)
        raise ConfigurationError(f"The module {storage.module_name!r}: {reason}") from None
    return backends.azure.AzureStore(account, storage.bucket_name, storage.custom_domain)


def google_store(storage: Any) -> Store:
    """Return the store of a storage whose files are in Google Cloud Storage.

    Args:
        storage: The storage.

    Raises:
        ConfigurationError: it is misconfigured; the message names the module.
    """
    _require_bucket(storage, "bucket", "GS_BUCKET_NAME")
    names = config.options.GCS_OPTIONS | config.options.GCS_CREDENTIALS
    options = {name: getattr(storage, name) for name in names}
    return backends.gcs.GoogleStore(
        backends.gcs_requests.connection_of(options, storage.endpoint_url),
        storage.bucket_name,
        storage.custom_endpoint,
        storage.blob_chunk_size,
        storage.project_id,
    )


def _require_bucket(storage: Any, what: str, setting: str) -> None:
    storage._raise_for_problem()
    if not storage.bucket_name:
        raise ConfigurationError(
            f"The module {storage.module_name!r} has no {what}. Set "
            f"{config.errors.BUCKETS_SETTING}[{storage.module_name!r}]['bucket_name'] or {setting}."
        )
