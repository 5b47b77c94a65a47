"""Finds problems in options: in each one by itself, and in several together."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import PurePath
from posixpath import normpath
from typing import Any, Iterator, Mapping, Optional
from urllib.parse import urlsplit

from smart_storages.common.compat import cache
from smart_storages.common.secrets import reveal
from smart_storages.config.gcs_problems import (
    CREDENTIALS_OF_GOOGLE,
    find_gcs_problems,
    is_of_google,
)
from smart_storages.config.options import (
    AZURE_OPTIONS,
    CREDENTIAL_OPTIONS,
    GCS_OPTIONS,
    OPTIONS,
    SECRET_OPTIONS,
    SFTP_OPTIONS,
    Option,
    known_options,
)
from smart_storages.config.plain_backends import find_lost_options, find_plain_problems
from smart_storages.config.values import ANY_MODULE, Problem, did_you_mean, find_value_problems

__all__ = ["find_entry_problems", "find_problems", "find_upstream_problems"]

_PLACEHOLDER = re.compile(r"\{[^{}]*\}?")
# Nested values may contain JSON, which has braces of its own.
_NESTED_PLACEHOLDER = re.compile(r"\{[A-Za-z_]\w*\}")

#: The longest validity of a signed S3 URL in seconds: 7 days.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
MAX_URL_LIFE = 604_800

#: The options that a backend has for itself.
_OF_BACKENDS = {
    "azure": AZURE_OPTIONS,
    "filesystem": frozenset({"base_url", "root"}),
    "sftp": SFTP_OPTIONS | {"base_url"},
    "gcs": GCS_OPTIONS,
}

#: https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
_is_container = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\Z").match

_is_bucket = re.compile(r"[A-Za-z0-9._-]{1,255}\Z").match
# ARNs of AWS, MinIO and Ceph; botocore refuses shorter ones.
_is_role = re.compile(r"arn:(?=.{16}).*:role/.+\Z").match


def find_entry_problems(entry: Mapping[Any, Any]) -> Iterator[Problem]:
    """Yield the problems of options as they were written: unknown names and wrong values."""
    known = known_options()
    for key, value in entry.items():
        if key not in known:
            yield Problem("unknown-key", str(key), "is not an option", did_you_mean(key, known))
        elif key in OPTIONS and not _option(key).accepts(value):
            yield _wrong_type(key, value)
        elif _find_placeholder(key, value):
            yield Problem(
                "unknown-placeholder",
                key,
                f"contains the placeholder {_find_placeholder(key, value)}",
                "The only placeholder is {module}.",
            )
        else:
            yield from find_value_problems(key, value)
    yield from find_lost_options(entry)
    yield from _find_options_of_s3(entry)


#: Options of S3 in whose place another backend has one of its own.
_IN_PLACE_OF_S3 = {
    "azure": {
        "access_key": "account_name",
        "secret_key": "account_key",
        "endpoint_url": "connection_string",
    },
    "gcs": {
        "access_key": "credentials",
        "secret_key": "credentials",
        "custom_domain": "custom_endpoint",
    },
    "sftp": {"access_key": "params", "secret_key": "params", "custom_domain": "base_url"},
}


def _find_options_of_s3(entry: Mapping[Any, Any]) -> Iterator[Problem]:
    # Of the AWS_* settings, which are for all modules, those that do not fit are passed over.
    backend = entry.get("backend")
    for key, own in _IN_PLACE_OF_S3.get(str(backend), {}).items():
        if entry.get(key) is not None:
            what = f"has no effect: the backend is {backend!r}"
            yield Problem("bad-backend", key, what, f"Write {own!r} in its place.")


def find_upstream_problems(upstream: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of each value from the ``AWS_*`` settings.

    django-storages accepts 1 as a flag and a string as seconds, and projects use that: these pass.
    """
    for key, option in OPTIONS.items():
        if option.setting is None or key not in upstream:
            continue
        value = upstream[key]
        if bool in option.types and type(value) is int:
            continue
        if value is None and (option.default is None or bool in option.types):
            continue
        if key == "querystring_expire" and isinstance(value, str):
            continue
        if value is None or not _option(key).accepts(value):
            yield _wrong_type(key, value)
        elif key == "bucket_name":
            yield from _find_bucket_problems(value or "m")
        else:
            yield from find_value_problems(key, value)


def _wrong_type(key: str, value: Any) -> Problem:
    expected = _option(key).expected
    return Problem(
        "wrong-type",
        key,
        f"must be {expected}, not {type(reveal(value)).__name__}",
        f"Give a value of type {expected}.",
    )


def _find_placeholder(key: str, value: Any) -> Optional[str]:
    # An unknown placeholder would stay in the location, which would be the same for every tenant.
    # Of the last two, any may be secret; the others are no place for it.
    if key in SECRET_OPTIONS or key in ("credentials", "options", "params"):
        return None
    pattern = _PLACEHOLDER
    texts = [str(value)] if isinstance(value, (str, PurePath)) else []
    if isinstance(value, Mapping):
        pattern, texts = _NESTED_PLACEHOLDER, list(_iter_texts(value))
    found = (each for text in texts if "{" in text for each in pattern.findall(text))
    return next((each for each in found if each != "{module}"), None)


def _iter_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _iter_texts(each)


@cache
def _option(key: str) -> Option:
    # The types of these two are in botocore and boto3, which are only imported when needed.
    if key == "client_config":
        from botocore.config import Config

        return Option((Config,), None)
    if key == "transfer_config":
        from boto3.s3.transfer import TransferConfig

        return Option((TransferConfig,), None)
    return OPTIONS[key]


def find_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of merged options, in which ``{module}`` is already filled in.

    Args:
        options: The options of a storage, from all places.
    """
    bucket = options.get("bucket_name")
    if isinstance(bucket, str) and bucket:
        yield from _find_bucket_problems(bucket.replace(ANY_MODULE, "m"))
    location = options.get("location")
    if isinstance(location, str):
        yield from _find_location_problems(location)
    yield from _find_credential_problems(options)
    for key in ("endpoint_url", "public_endpoint_url"):
        if isinstance(options.get(key), str):
            yield from _find_endpoint_problems(key, options[key])
    domain = options.get("custom_domain")
    if isinstance(domain, str) and ("//" in domain or domain.endswith("/")):
        yield Problem(
            "bad-domain",
            "custom_domain",
            "must be a host, without a scheme and without a slash at its end",
            "Write cdn.example.com, and the scheme as url_protocol.",
        )
    yield from _find_life_problems(options)
    yield from _find_backend_problems(options)


def _find_backend_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    backend = options.get("backend") or "s3"
    if backend == "filesystem":
        yield from _find_directory_problems(options)
    if backend == "azure":
        yield from _find_azure_problems(options)
    yield from find_plain_problems(options)
    url = options.get("base_url")
    if isinstance(url, str) and not url.startswith(("/", "https://", "http://")):
        what = f"is {url!r}, which browsers would take for a path below that of each page"
        hint = "Write https://files.example.com/, or /files/."
        yield Problem("bad-backend", "base_url", what, hint)
    if backend == "gcs":
        yield from find_gcs_problems(options)
    elif backend == "s3" and is_of_google(options.get("credentials")):
        yield CREDENTIALS_OF_GOOGLE
    for owner, keys in _OF_BACKENDS.items():
        for key in sorted(keys - _OF_BACKENDS.get(backend, frozenset())):
            if options.get(key) is not None:
                yield Problem(
                    "bad-backend",
                    key,
                    f"is an option of the backend {owner!r}, and this one is {backend!r}",
                    f"Remove {key!r}, or write 'backend': {owner!r}.",
                )


def _find_directory_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    bucket = options.get("bucket_name")
    if not options.get("root"):
        what = "is missing: the backend 'filesystem' needs a directory"
        yield Problem("bad-backend", "root", what, "Write 'root': BASE_DIR / 'buckets'.")
    elif not PurePath(options["root"]).is_absolute():
        what = f"is not an absolute path: {str(options['root'])!r}"
        yield Problem("bad-backend", "root", what, "Write BASE_DIR / 'buckets'.")
    if isinstance(bucket, str) and bucket.startswith("."):
        what = f"is {bucket!r}, and the name of a bucket in a directory cannot begin with a dot"
        yield Problem("bad-backend", "bucket_name", what, "Choose another name.")


def _find_azure_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    bucket = options.get("bucket_name")
    if isinstance(bucket, str) and bucket and not _is_container(bucket.replace(ANY_MODULE, "m")):
        yield Problem(
            "bad-backend",
            "bucket_name",
            f"is {bucket!r}, and a container of Azure has 3 to 63 lower-case letters, digits and "
            "single dashes",
            "Write the name of the container.",
        )
    if not has_azure():
        yield Problem(
            "bad-backend",
            "backend",
            "is 'azure', which needs the package azure-storage-blob, and that is not installed",
            "Run pip install 'django-smart-storages[azure]'.",
        )


def has_azure() -> bool:
    """Return whether the package ``azure-storage-blob`` is installed."""
    try:
        return find_spec("azure.storage.blob") is not None
    except ModuleNotFoundError:  # there is no package azure either
        return False


def _find_bucket_problems(bucket: str) -> Iterator[Problem]:
    if not _is_bucket(bucket) and not bucket.startswith("arn:"):
        yield Problem(
            "unknown-choice",
            "bucket_name",
            f"is {bucket!r}, which is not a valid bucket name",
            "Write the name alone, of letters, digits, '.', '-' and '_', or the ARN of an "
            "access point.",
        )


def _find_endpoint_problems(key: str, endpoint: str) -> Iterator[Problem]:
    if not endpoint.startswith(("http://", "https://")):
        hint = "Write the scheme: https://s3.example.com."
        yield Problem("bad-endpoint", key, "must start with http:// or https://", hint)
    elif "@" in endpoint.split("/")[2]:
        hint = "Remove it: S3 has access_key and secret_key, and a URL shows it to everybody."
        yield Problem("bad-endpoint", key, "contains a user name or password", hint)
    elif not _has_host(endpoint):
        hint = "Write https://s3.example.com, or https://s3.example.com:9000."
        yield Problem("bad-endpoint", key, "has no host, or a port that is not a number", hint)


def _has_host(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _find_life_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    # The AWS_* setting may be a string, which django-storages accepts too.
    given = options.get("querystring_expire", 3600)
    try:
        life, window = int(given), int(options.get("url_stable_for") or 0)
    except (TypeError, ValueError):
        hint = "Give a whole number of seconds."
        yield Problem("bad-life", "querystring_expire", "is not a number of seconds", hint)
        return
    limited = not options.get("custom_domain") and options.get("querystring_auth", True)
    if life < 1 or window < 0 or (limited and life + window > MAX_URL_LIFE):
        yield Problem(
            "bad-life",
            "querystring_expire",
            f"is {life}, and url_stable_for is {window}: a signed URL is valid for more than 0 "
            f"and, both together, at most {MAX_URL_LIFE} seconds",
            "Choose values within these limits: 7 days are the limit of S3.",
        )


def _find_location_problems(location: str) -> Iterator[Problem]:
    if location.startswith("/"):
        yield Problem(
            "bad-location",
            "location",
            f"begins with a slash: {location!r}",
            f"Use {location.lstrip('/')!r}.",
        )
    elif ".." in location.replace("\\", "/").split("/"):
        yield Problem(
            "bad-location",
            "location",
            f"contains '..': {location!r}",
            "Write the prefix itself, without '..'.",
        )
    elif location and normpath(location) != location.rstrip("/"):
        yield Problem(
            "bad-location",
            "location",
            f"contains '.' or an empty name between slashes: {location!r}",
            f"Use {normpath(location)!r}: django-storages would refuse every name in the other.",
        )


def _find_credential_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    given = {name for name in CREDENTIAL_OPTIONS if options.get(name)}
    halves = {"access_key": "secret_key", "secret_key": "access_key"}
    for half, other in halves.items():
        if half in given and other not in given:
            yield Problem(
                "half-credentials",
                other,
                f"is missing although {half!r} is set",
                "A module that sets one credential takes none from the AWS_* defaults: "
                "set all of them.",
            )
    if "security_token" in given and not given & {"access_key", "secret_key"}:
        yield Problem(
            "half-credentials",
            "access_key",
            "is missing although 'security_token' is set",
            "A token goes with the access_key and secret_key it was issued with.",
        )
    kinds = sorted(given & {"access_key", "session_profile", "credentials"})
    if len(kinds) > 1:
        yield Problem(
            "mixed-credentials",
            kinds[1],
            f"is set together with {kinds[0]!r}",
            "Use one kind of credentials for a module: keys, a profile, or a callable.",
        )
    role = options.get("role_arn")
    if isinstance(role, str) and not _is_role(role):
        yield Problem(
            "unknown-choice",
            "role_arn",
            f"is {role!r}, which is not the ARN of a role",
            "Write arn:aws:iam::123456789012:role/name.",
        )
    if options.get("external_id") and "role_arn" not in given:
        yield Problem(
            "half-credentials",
            "role_arn",
            "is missing although 'external_id' is set",
            "An external id is only used to assume a role.",
        )
