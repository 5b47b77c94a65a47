"""Problems of the options of a module whose files are in Google Cloud Storage."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any, Iterator, Mapping

from smart_storages.config.values import ANY_MODULE, Problem, is_of_google

__all__ = ["CREDENTIALS_OF_GOOGLE", "find_gcs_problems", "is_of_google"]

#: https://cloud.google.com/storage/docs/buckets#naming
_is_bucket = re.compile(r"(?=.{3,222}\Z)[a-z0-9][a-z0-9._-]*[a-z0-9]\Z").match
#: What the sizes of parts of an upload must be multiples of.
#: https://cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload
_PART = 256 * 1024

CREDENTIALS_OF_GOOGLE = Problem(
    "bad-backend",
    "credentials",
    "are credentials of Google, and the backend of this module is 's3'",
    "Write 'backend': 'gcs', or give a function that returns access_key and secret_key.",
)


def find_gcs_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of the merged options of a module with the backend ``gcs``."""
    bucket = options.get("bucket_name")
    if isinstance(bucket, str) and bucket and not _is_bucket(bucket.replace(ANY_MODULE, "m")):
        yield Problem(
            "bad-backend",
            "bucket_name",
            f"is {bucket!r}, and a bucket of Google Cloud has 3 to 63 lower-case letters, digits, "
            "dashes, underscores and dots",
            "Write the name of the bucket.",
        )
    endpoint = options.get("custom_endpoint")
    if isinstance(endpoint, str) and not endpoint.startswith(("http://", "https://")):
        yield Problem(
            "bad-endpoint",
            "custom_endpoint",
            "must start with http:// or https://",
            "Write the scheme: https://files.example.com.",
        )
    elif isinstance(endpoint, str) and "@" in endpoint.split("/")[2]:
        yield Problem(
            "bad-endpoint",
            "custom_endpoint",
            "contains a user name or password",
            "Remove it: a URL shows it to everybody.",
        )
    size = options.get("blob_chunk_size")
    if isinstance(size, int) and (size <= 0 or size % _PART):
        yield Problem(
            "bad-backend",
            "blob_chunk_size",
            f"is {size}, and Google Cloud takes multiples of {_PART:,} bytes",
            f"Write {max(1, size // _PART) * _PART}.",
        )
    if not has_google_auth():
        yield Problem(
            "bad-backend",
            "backend",
            "is 'gcs', which needs the packages google-auth and requests, and one of them is not "
            "installed",
            "Run pip install 'django-smart-storages[gcs]'.",
        )


def has_google_auth() -> bool:
    """Return whether the packages ``google-auth`` and ``requests`` are installed."""
    try:
        return None not in (find_spec("google.auth"), find_spec("requests"))
    except ModuleNotFoundError:  # there is no package google either
        return False
