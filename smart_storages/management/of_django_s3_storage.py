"""The settings of django-s3-storage as options of a module.

Its settings for static files have the suffix ``_STATIC``, and nothing is taken from those without:
only the region and the keys are of both. Source:
https://github.com/etianen/django-s3-storage/blob/master/README.rst
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Tuple
from urllib.parse import urlsplit

__all__ = ["options_of"]

#: The settings that are an option as they are; those of the account first, which have no suffix.
_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "access_key",
    "AWS_SECRET_ACCESS_KEY": "secret_key",
    "AWS_SESSION_TOKEN": "security_token",
}
_OPTIONS = {
    "AWS_S3_BUCKET_NAME": "bucket_name",
    "AWS_S3_ENDPOINT_URL": "endpoint_url",
    "AWS_S3_ADDRESSING_STYLE": "addressing_style",
    "AWS_S3_SIGNATURE_VERSION": "signature_version",
    "AWS_S3_FILE_OVERWRITE": "file_overwrite",
    "AWS_S3_GZIP": "gzip",
}
#: Settings that are parameters of an upload; a value may be a function of the name.
_PARAMETERS = {
    "AWS_S3_CONTENT_DISPOSITION": "ContentDisposition",
    "AWS_S3_CONTENT_LANGUAGE": "ContentLanguage",
}
#: Settings of the client, and its arguments.
_CLIENT = {
    "AWS_S3_MAX_POOL_CONNECTIONS": "max_pool_connections",
    "AWS_S3_CONNECT_TIMEOUT": "connect_timeout",
}
_DEFAULTS: Dict[str, Any] = {
    "AWS_REGION": "us-east-1",
    "AWS_S3_BUCKET_AUTH": True,
    "AWS_S3_FILE_OVERWRITE": False,
    "AWS_S3_GZIP": True,
    "AWS_S3_MAX_AGE_SECONDS": 3600,
    "AWS_S3_USE_THREADS": True,
}
#: Settings that are read here too, without a suffix: an entry has to say that they do not hold.
_READ_HERE = {
    "AWS_S3_ADDRESSING_STYLE",
    "AWS_S3_ENDPOINT_URL",
    "AWS_S3_SIGNATURE_VERSION",
}

Settings = Callable[[str, Any], Any]


def options_of(
    given: Mapping[str, Any], is_static: bool, setting: Settings
) -> Tuple[Dict[str, Any], List[str]]:
    """Return the options of a module that was a storage of django-s3-storage, and notes.

    Args:
        given: The arguments of the storage, such as ``aws_s3_bucket_name``.
        is_static: Whether it is one of the two for static files.
        setting: Returns a setting, or the default that it is given.
    """
    taken = {str(name).upper(): value for name, value in given.items()}
    suffix = "_STATIC" if is_static else ""
    defaults = {**_DEFAULTS, "AWS_S3_BUCKET_AUTH": not is_static}

    def value_of(name: str) -> Any:
        return taken.get(name, setting(name + suffix, defaults.get(name)))

    options: Dict[str, Any] = {
        "region_name": taken.get("AWS_REGION", setting("AWS_REGION", defaults["AWS_REGION"]))
    }
    options.update({_ACCOUNT[name]: taken[name] for name in _ACCOUNT if taken.get(name)})
    for name, option in _OPTIONS.items():
        value = value_of(name)
        if value not in (None, ""):
            options[option] = value
        elif suffix and name in _READ_HERE and setting(name, None):
            options[option] = None
    options["location"] = str(value_of("AWS_S3_KEY_PREFIX") or "").strip("/")
    if not value_of("AWS_S3_USE_THREADS"):
        options["use_threads"] = False
    notes: List[str] = []
    _add_access(options, value_of, notes)
    parameters = _find_parameters(value_of, notes)
    options["object_parameters"] = {**options["object_parameters"], **parameters}
    _add_client(value_of, notes)
    return options, notes


def _add_access(options: Dict[str, Any], value_of: Callable[[str], Any], notes: List[str]) -> None:
    age = value_of("AWS_S3_MAX_AGE_SECONDS")
    if value_of("AWS_S3_BUCKET_AUTH"):
        if age != _DEFAULTS["AWS_S3_MAX_AGE_SECONDS"]:  # which is that of this option too
            options["querystring_expire"] = age
        options["object_parameters"] = {"CacheControl": f"private,max-age={age}"}
    else:
        options["querystring_auth"] = False
        options["default_acl"] = "public-read"
        options["object_parameters"] = {"CacheControl": f"public,max-age={age}"}
    url = value_of("AWS_S3_PUBLIC_URL")
    if not url:
        return
    # There the name follows the URL, and here the key does: its path has to end with the location.
    parts, location = urlsplit(str(url)), options["location"]
    path = parts.path.strip("/")
    if parts.netloc and (path == location or (location and path.endswith(f"/{location}"))):
        base = path[: len(path) - len(location)].strip("/")
        options["custom_domain"] = f"{parts.netloc}/{base}".rstrip("/")
    elif parts.netloc and not location:
        options["custom_domain"] = f"{parts.netloc}/{path}"
    else:
        notes.append(
            f"AWS_S3_PUBLIC_URL, {url!r}, does not end with the location {location!r}, which is in "
            "every URL here. Serve the bucket under such a URL, and write custom_domain."
        )
        return
    options["url_protocol"] = f"{parts.scheme}:"


def _find_parameters(value_of: Callable[[str], Any], notes: List[str]) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for name, parameter in _PARAMETERS.items():
        value = value_of(name)
        if callable(value):
            notes.append(_by_name(name))
        elif value:
            found[parameter] = value
    metadata = value_of("AWS_S3_METADATA") or {}
    plain = {key: value for key, value in metadata.items() if not callable(value)}
    if plain:
        found["Metadata"] = plain
    if len(plain) < len(metadata):
        notes.append(_by_name("AWS_S3_METADATA"))
    if value_of("AWS_S3_REDUCED_REDUNDANCY"):
        found["StorageClass"] = "REDUCED_REDUNDANCY"
    encryption = value_of("AWS_S3_ENCRYPT_KEY")
    if encryption:
        found["ServerSideEncryption"] = encryption if isinstance(encryption, str) else "AES256"
        if isinstance(encryption, str) and value_of("AWS_S3_KMS_ENCRYPTION_KEY_ID"):
            found["SSEKMSKeyId"] = value_of("AWS_S3_KMS_ENCRYPTION_KEY_ID")
    return found


def _by_name(setting: str) -> str:
    return f"{setting} has a function: write get_object_parameters(name) of a class of yours."


def _add_client(value_of: Callable[[str], Any], notes: List[str]) -> None:
    found = {argument: value_of(name) for name, argument in _CLIENT.items()}
    given = ", ".join(f"{name}={value}" for name, value in found.items() if value is not None)
    if given:
        notes.append(f"add client_config=botocore.config.Config({given}).")
