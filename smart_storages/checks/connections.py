"""System checks of the connection: endpoints, providers, profiles, credentials.

They look where boto3 will look for credentials: at environment variables, and which configuration
files exist. They send no request, and open the files only if a profile is configured.
``docs/checks.md`` has the numbers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Set, Tuple
from urllib.parse import urlsplit

from botocore import UNSIGNED
from botocore.exceptions import BotoCoreError
from botocore.session import Session
from django.core import checks

from smart_storages import config
from smart_storages.checks.buckets import is_in_s3, look_at_buckets
from smart_storages.checks.names import find_used_storages, list_users
from smart_storages.config.options import OPTIONS
from smart_storages.exceptions import ConfigurationError

__all__ = ["User", "check_credentials", "check_endpoints", "check_provider", "find_users"]

#: The number of each problem; docs/checks.md has a paragraph for each.
_IDS = {
    "endpoint-path": "W009",
    "no-profile": "W010",
    "no-credentials": "W012",
    "several-servers": "W015",
}

_OPTIONS = (
    "access_key",
    "addressing_style",
    "bucket_name",
    "client_config",
    "credentials",
    "endpoint_url",
    "provider",
    "public_endpoint_url",
    "region_name",
    "session_profile",
    "signature_version",
    "use_ssl",
    "verify",
)

#: Environment variables with which boto3 finds credentials.
#: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html
_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "BOTO_CONFIG",
)
_OLDER_FILES = ("/etc/boto.cfg", "~/.boto")
#: Names the manufacturer of the machine; on Linux every process can read it, in containers too.
_VENDOR_FILE = Path("/sys/class/dmi/id/sys_vendor")


class User(NamedTuple):
    """A module, an alias, a field or a class, and the options of its connection."""

    label: str
    options: Mapping[str, Any]
    repeats_entry: bool = False


def check_endpoints(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check for endpoints that have a path, which often is the name of a bucket."""
    messages = []
    for key in ("endpoint_url", "public_endpoint_url"):
        for label, endpoint in _find_values(key):
            path = _path_of(endpoint)
            if path:
                text = f"{label} has the path {path!r}: the bucket and the key come after it."
                hint = (
                    "Write the server alone, https://s3.example.com, and the bucket as "
                    "bucket_name. Silence this if the server is under that path."
                )
                messages.append(_message("endpoint-path", text, hint))
    return messages


def _path_of(endpoint: str) -> str:
    try:
        return urlsplit(endpoint).path.strip("/")
    except ValueError:
        return ""  # reported by check_buckets


def check_provider(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that ``SMART_STORAGE_PROVIDER`` is used for one server only."""
    modules, _ = look_at_buckets()
    upstream = config.get_upstream_options() if modules else {}
    if not upstream.get("provider"):
        return []
    labels: Dict[str, str] = {}
    for module in modules:
        if "provider" not in module.options and is_in_s3(module.options):
            endpoint = module.options.get("endpoint_url", upstream["endpoint_url"])
            labels.setdefault(str(endpoint or "AWS").rstrip("/"), module.label)
    if len(labels) <= 1:
        return []
    users = " and ".join(f"{label} on {server}" for server, label in list(labels.items())[:2])
    text = (
        f"{OPTIONS['provider'].setting} is {upstream['provider']!r} for modules on several "
        f"servers: {users}."
    )
    hint = "Set 'provider' in the entry of each module that is on another server."
    return [_message("several-servers", text, hint)]


def check_credentials(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that profiles exist, and that boto3 can find credentials where none are configured."""
    messages = list(_check_profiles())
    users = [
        user.label
        for user in find_users()
        if not user.repeats_entry and _needs_credentials(user.options)
    ]
    if users and not _may_have_credentials():
        text = f"No credentials were found for {list_users(users)}, and boto3 will find none here."
        hint = (
            "Set AWS_S3_ACCESS_KEY_ID and AWS_S3_SECRET_ACCESS_KEY, or access_key and secret_key, "
            "session_profile or credentials of a module; or have them in the environment or in "
            "~/.aws. Create the buckets as well: a storage does not. To develop without an "
            "account: SMART_STORAGE_LOCAL makes every bucket a folder."
        )
        messages.append(_message("no-credentials", text, hint))
    return messages


def _check_profiles() -> Iterator[checks.CheckMessage]:
    named = list(_find_values("session_profile"))
    if not named:
        return  # a file with credentials is not opened without need
    try:
        profiles = Session().available_profiles
    except BotoCoreError as error:
        text = f"The AWS configuration files cannot be read: {error}."
        yield _message("no-profile", text, "Correct the file.")
        return
    for label, profile in named:
        if profile not in profiles:
            text = f"{label} names the profile {profile!r}, which is not in {_name_files()}."
            yield _message("no-profile", text, "Add the profile there, or name another.")


def _name_files() -> str:
    return " or ".join(_find_files())


def _find_files() -> List[str]:
    session = Session()
    names = ("config_file", "credentials_file")
    return [str(session.get_config_variable(name)) for name in names]


def _needs_credentials(options: Mapping[str, Any]) -> bool:
    if not options.get("bucket_name"):
        return False  # reported by check_buckets; such a storage cannot be used
    given = options.get("client_config")
    signatures = (options.get("signature_version"), getattr(given, "signature_version", None))
    if UNSIGNED in signatures:
        return False
    return not any(options.get(key) for key in ("access_key", "session_profile", "credentials"))


def _may_have_credentials() -> bool:
    """Tell whether boto3 may find credentials; sends no request and reads no keys."""
    if any(os.environ.get(name) for name in _VARIABLES):
        return True
    files = [*_find_files(), *_OLDER_FILES]
    return any(Path(name).expanduser().exists() for name in files) or _is_instance()


def _is_instance() -> bool:
    # An instance may have a role; finding out would take a request.
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    try:
        return _VENDOR_FILE.read_text().startswith("Amazon EC2")
    except OSError:
        return False


def _find_values(key: str) -> Iterator[Tuple[str, str]]:
    """Yield each value that an option has, once, with the first place that has it."""
    try:
        upstream = config.get_upstream_options()
    except ConfigurationError:
        return  # reported by check_buckets
    seen: Set[str] = set()
    first = User(str(OPTIONS[key].setting), upstream)
    for user in [first, *find_users()]:
        value = user.options.get(key)
        if isinstance(value, str) and value and value not in seen:
            seen.add(value)
            yield (user.label if user is first else f"{user.label}: {key}"), value


def find_users() -> Iterator[User]:
    """Yield every module in S3, and every storage of this package in use, without a problem."""
    modules, _ = look_at_buckets()
    upstream = config.get_upstream_options() if modules else {}
    for module in modules:
        if is_in_s3(module.options):
            yield User(module.label, {**upstream, **module.options})
    keys = {module.name for module in modules}
    for label, storage, _ in find_used_storages():
        if storage.configuration_problem is None and storage.is_in_s3:
            options = {key: getattr(storage, key, None) for key in _OPTIONS}
            yield User(label, options, config.find_key(storage.module_name) in keys)


def _message(code: str, text: str, hint: str) -> checks.CheckMessage:
    return checks.Warning(text, hint=hint, id=f"smart_storages.{_IDS[code]}")
