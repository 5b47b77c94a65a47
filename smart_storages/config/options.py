"""The options of a bucket: their names, what each may hold, and which of them are secret."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Dict, FrozenSet, Mapping, NamedTuple, Optional, Tuple

from smart_storages.common.compat import cache
from smart_storages.common.secrets import Secret, conceal, conceal_all

__all__ = [
    "CREDENTIAL_OPTIONS",
    "OPTIONS",
    "Option",
    "guard",
    "guard_parameters",
    "holds_secret",
    "known_options",
]


class Option(NamedTuple):
    """One option of a storage.

    Args:
        types: Types that the value may have; empty for any type.
        default: The value if the option is not set, or set to ``None``.
        setting: The Django setting with its value for all modules, if any.
    """

    types: Tuple[type, ...]
    default: Any
    setting: Optional[str] = None

    def accepts(self, value: Any) -> bool:
        if value is None:
            # None switches off a value from elsewhere; ``default`` is then used.
            return True
        if isinstance(value, bool) and self.types and bool not in self.types:
            return False  # in Python True is an int; here it is a mistake
        return not self.types or isinstance(value, self.types)

    @property
    def expected(self) -> str:
        return " or ".join(map(_name_of, self.types))


def _name_of(kind: type) -> str:
    if kind is PurePath:  # whose module has another name in each version of Python
        return "pathlib.Path"
    name = kind.__name__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"


#: Every option whose type is known. Newer options of django-storages are accepted unchecked.
OPTIONS: Dict[str, Option] = {
    "access_key": Option((str,), None, "AWS_S3_ACCESS_KEY_ID"),
    "secret_key": Option((str,), None, "AWS_S3_SECRET_ACCESS_KEY"),
    "security_token": Option((str,), None, "AWS_SESSION_TOKEN"),
    "session_profile": Option((str,), None, "AWS_S3_SESSION_PROFILE"),
    "role_arn": Option((str,), None),
    "external_id": Option((str,), None),
    "credentials": Option((), None),
    "provider": Option((str,), None, "SMART_STORAGE_PROVIDER"),
    "backend": Option((str,), "s3", "SMART_STORAGE_BACKEND"),
    "root": Option((str, PurePath), None),
    "base_url": Option((str,), None),
    "options": Option((dict,), None),
    "account_name": Option((str,), None, "AZURE_ACCOUNT_NAME"),
    "account_key": Option((str,), None, "AZURE_ACCOUNT_KEY"),
    "connection_string": Option((str,), None, "AZURE_CONNECTION_STRING"),
    "sas_token": Option((str,), None, "AZURE_SAS_TOKEN"),
    "token_credential": Option((), None, "AZURE_TOKEN_CREDENTIAL"),
    "endpoint_suffix": Option((str,), None, "AZURE_ENDPOINT_SUFFIX"),
    "azure_ssl": Option((bool,), None, "AZURE_SSL"),
    "client_options": Option((dict,), None, "AZURE_CLIENT_OPTIONS"),
    "host": Option((str,), None, "SFTP_STORAGE_HOST"),
    "params": Option((dict,), None, "SFTP_STORAGE_PARAMS"),
    "root_path": Option((str,), None, "SFTP_STORAGE_ROOT"),
    "file_mode": Option((int,), None, "SFTP_STORAGE_FILE_MODE"),
    "dir_mode": Option((int,), None, "SFTP_STORAGE_DIR_MODE"),
    "uid": Option((int,), None, "SFTP_STORAGE_UID"),
    "gid": Option((int,), None, "SFTP_STORAGE_GID"),
    "known_host_file": Option((str,), None, "SFTP_KNOWN_HOST_FILE"),
    "verify_host_key": Option((bool,), None),
    "project_id": Option((str,), None, "GS_PROJECT_ID"),
    "iam_sign_blob": Option((bool,), None, "GS_IAM_SIGN_BLOB"),
    "sa_email": Option((str,), None, "GS_SA_EMAIL"),
    "custom_endpoint": Option((str,), None, "GS_CUSTOM_ENDPOINT"),
    "blob_chunk_size": Option((int,), None, "GS_BLOB_CHUNK_SIZE"),
    "public_endpoint_url": Option((str,), None),
    "url_stable_for": Option((int,), 0),
    "metadata_cache_seconds": Option((int,), 0),
    "brotli": Option((bool,), False),
    "file_overwrite": Option((bool,), True, "AWS_S3_FILE_OVERWRITE"),
    "object_parameters": Option((dict,), {}, "AWS_S3_OBJECT_PARAMETERS"),
    "bucket_name": Option((str,), None, "AWS_STORAGE_BUCKET_NAME"),
    "querystring_auth": Option((bool,), True, "AWS_QUERYSTRING_AUTH"),
    "querystring_expire": Option((int,), 3600, "AWS_QUERYSTRING_EXPIRE"),
    "signature_version": Option((), None, "AWS_S3_SIGNATURE_VERSION"),
    "location": Option((str,), "", "AWS_LOCATION"),
    "custom_domain": Option((str,), None, "AWS_S3_CUSTOM_DOMAIN"),
    "cloudfront_key_id": Option((str,), None, "AWS_CLOUDFRONT_KEY_ID"),
    "cloudfront_key": Option((str, bytes), None, "AWS_CLOUDFRONT_KEY"),
    "cloudfront_signer": Option((), None),
    "addressing_style": Option((str,), None, "AWS_S3_ADDRESSING_STYLE"),
    "file_name_charset": Option((str,), "utf-8", "AWS_S3_FILE_NAME_CHARSET"),
    "gzip": Option((bool,), False, "AWS_IS_GZIPPED"),
    "gzip_content_types": Option((tuple, list, set, frozenset), (), "GZIP_CONTENT_TYPES"),
    "url_protocol": Option((str,), "https:", "AWS_S3_URL_PROTOCOL"),
    "endpoint_url": Option((str,), None, "AWS_S3_ENDPOINT_URL"),
    "proxies": Option((dict,), None, "AWS_S3_PROXIES"),
    "region_name": Option((str,), None, "AWS_S3_REGION_NAME"),
    "use_ssl": Option((bool,), True, "AWS_S3_USE_SSL"),
    "verify": Option((bool, str), None, "AWS_S3_VERIFY"),
    "max_memory_size": Option((int,), 0, "AWS_S3_MAX_MEMORY_SIZE"),
    "default_acl": Option((str,), None, "AWS_DEFAULT_ACL"),
    "use_threads": Option((bool,), True, "AWS_S3_USE_THREADS"),
    "transfer_config": Option((), None, "AWS_S3_TRANSFER_CONFIG"),
    "client_config": Option((), None, "AWS_S3_CLIENT_CONFIG"),
}

#: Options of the backend ``azure``, as django-storages' Azure backend names them.
AZURE_OPTIONS: FrozenSet[str] = frozenset(
    name for name, option in OPTIONS.items() if str(option.setting).startswith("AZURE_")
)

#: As :data:`CREDENTIAL_OPTIONS`, for the backend ``azure``.
AZURE_CREDENTIALS: FrozenSet[str] = AZURE_OPTIONS - {
    "azure_ssl",
    "client_options",
    "endpoint_suffix",
}

#: Options of the backend ``sftp``, as django-storages' SFTP backend names them.
SFTP_OPTIONS: FrozenSet[str] = frozenset(
    name for name, option in OPTIONS.items() if str(option.setting).startswith("SFTP_")
) | {"verify_host_key"}

#: As :data:`CREDENTIAL_OPTIONS`, for the backend ``sftp``: no server gets the password of another.
SFTP_CREDENTIALS: FrozenSet[str] = frozenset({"host", "params"})

#: Options of the backend ``gcs`` alone, as django-storages' backend for Google Cloud names them. It
#: has ``credentials`` too, which mean another thing in S3.
GCS_OPTIONS: FrozenSet[str] = frozenset(
    name for name, option in OPTIONS.items() if str(option.setting).startswith("GS_")
)

#: As :data:`CREDENTIAL_OPTIONS`, for the backend ``gcs``.
GCS_CREDENTIALS: FrozenSet[str] = frozenset({"credentials", "iam_sign_blob", "sa_email"})

#: Options that only a backend beside S3 has. A class may have attributes of these names, which mean
#: something else, as long as its files are in S3.
BACKEND_OPTIONS: FrozenSet[str] = (
    AZURE_OPTIONS | GCS_OPTIONS | SFTP_OPTIONS | {"base_url", "options", "root"}
)

#: Options of this package, which django-storages' S3 backend does not know.
OWN_OPTIONS: FrozenSet[str] = frozenset(
    {
        *BACKEND_OPTIONS,
        "backend",
        "brotli",
        "credentials",
        "external_id",
        "metadata_cache_seconds",
        "provider",
        "public_endpoint_url",
        "role_arn",
        "url_stable_for",
    }
)

#: These are one set: a place that has one of them provides all of them.
CREDENTIAL_OPTIONS: FrozenSet[str] = frozenset(
    {"access_key", "secret_key", "security_token", "session_profile", "role_arn", "credentials"}
)

#: Options whose value must not appear in logs, migrations or on a screen.
SECRET_OPTIONS: FrozenSet[str] = frozenset(
    {
        "access_key",
        "account_key",
        "cloudfront_key",
        "connection_string",
        "sas_token",
        "secret_key",
        "security_token",
    }
)


@cache
def known_options() -> FrozenSet[str]:
    """Return the names of all options: those of django-storages' S3 backend, and our own."""
    from storages.backends.s3 import S3Storage

    # get_default_settings() does not use its instance. Calling it also finds options of
    # django-storages that are newer than this package.
    upstream = S3Storage.get_default_settings(None)
    return frozenset({*upstream, "cloudfront_signer", *OWN_OPTIONS})


def guard(options: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a copy of ``options`` in which every secret prints as ``***``.

    Example:
        >>> guard({"bucket_name": "acme", "secret_key": "hunter2"})
        {'bucket_name': 'acme', 'secret_key': ***}
    """
    return {name: _guarded(name, value) for name, value in options.items()}


def _guarded(name: str, value: Any) -> Any:
    if name in SECRET_OPTIONS:
        # A key in PEM format may be given as bytes; it is kept as text, like the others.
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
        return Secret(text) if type(text) is str else value
    if name == "object_parameters" and isinstance(value, dict):
        return guard_parameters(value)
    if name == "proxies" and isinstance(value, dict):
        return {key: conceal(each) for key, each in value.items()}
    # Which arguments of somebody else's code are secret is not known.
    return conceal_all(value) if name in ("client_options", "options", "params") else value


def guard_parameters(parameters: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a copy of a request's parameters in which a customer key prints as ``***``.

    Example:
        >>> guard_parameters({"ACL": "private", "SSECustomerKey": "hunter2"})
        {'ACL': 'private', 'SSECustomerKey': ***}
    """
    return {
        name: conceal(value) if _is_customer_key(name) else value
        for name, value in parameters.items()
    }


def _is_customer_key(name: Any) -> bool:
    return isinstance(name, str) and name.endswith("CustomerKey")


def holds_secret(name: str, value: Any) -> bool:
    """Return whether an option must stay out of migrations and pickles.

    Example:
        >>> holds_secret("secret_key", "hunter2"), holds_secret("location", "media/")
        (True, False)
    """
    if value is None:
        return False
    if name == "object_parameters":
        return isinstance(value, Mapping) and any(map(_is_customer_key, value))
    if name == "client_options":
        # The password of a proxy, a header, a transport: only of numbers it is known what they say.
        is_dict = isinstance(value, Mapping)
        return is_dict and not all(isinstance(each, (int, float)) for each in value.values())
    named = {"account_name", "role_arn", "session_profile"}
    return name in (CREDENTIAL_OPTIONS | AZURE_CREDENTIALS) - named or name in {
        "cloudfront_key",
        "cloudfront_signer",
        "options",
        "params",
        "proxies",
    }


def default_of(name: str) -> Any:
    """Return the value of an option that was switched off with ``None``."""
    option = OPTIONS.get(name)
    return option.default if option else None
