"""Every option of a storage as it takes effect, and where it comes from; no secret is shown."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from botocore.exceptions import BotoCoreError
from botocore.session import Session

from smart_storages import config
from smart_storages.common.secrets import Secret, SecretBytes
from smart_storages.config.errors import BUCKETS_SETTING
from smart_storages.config.options import (
    CREDENTIAL_OPTIONS,
    OPTIONS,
    SECRET_OPTIONS,
    known_options,
)
from smart_storages.config.plain_backends import is_plain
from smart_storages.config.settings import LOCAL_SETTING
from smart_storages.config.spelling import OLDER_SETTINGS
from smart_storages.management.places import Place, starred

__all__ = ["DEFAULT", "Explained", "explain", "mask"]

DEFAULT = "default"

#: What botocore reads by itself for an option that is not set.
#: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/configuration.html
_VARIABLES: Dict[str, Tuple[str, ...]] = {
    "endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "region_name": ("AWS_DEFAULT_REGION",),
    "verify": ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    "proxies": ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"),
    "session_profile": ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
}
#: Providers of botocore that ask a server, run a program, or need the two.
_NEED_REQUESTS = ("assume-role", "container-role", "custom-process", "iam-role", "login", "sso")

_password = re.compile(r"(?<=://)[^/@\s]+(?=@)")


class Explained(NamedTuple):
    """An option, its value as it may be shown, and where that comes from."""

    option: str
    value: Any
    source: str


def mask(value: Any) -> Any:
    """Return a value as it may be shown: secrets and passwords of URLs as ``***``.

    Example:
        >>> mask({"https": "http://joe:hunter2@proxy:3128", "key": Secret("x")})
        {'https': 'http://***@proxy:3128', 'key': '***'}
    """
    if isinstance(value, (Secret, SecretBytes)):
        return "***"
    if isinstance(value, str):
        return starred(_password.sub("***", value))
    if isinstance(value, Mapping):
        return {str(key): mask(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [mask(each) for each in value]
    is_plain = value is None or isinstance(value, (bool, int, float))
    return value if is_plain else _describe(value)


def _describe(value: Any) -> str:
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return f"a {type(value).__name__}"


def explain(place: Place) -> List[Explained]:
    """Return every option of a place, those that somebody set first.

    Args:
        place: The module; its configuration has to be sound.
    """
    rows = [_explain_option(place, name) for name in sorted(known_options())]
    if place.storage.is_in_s3:
        found = [*_explain_implied(place, rows), *_explain_found_credentials(place, rows)]
    else:
        found = [*_explain_backend(place)]
    replaced = {each.option for each in found}
    rows = [each for each in rows if each.option not in replaced] + found
    return sorted(rows, key=lambda each: (each.source == DEFAULT, each.option))


def _explain_option(place: Place, name: str) -> Explained:
    storage = place.storage
    value = getattr(storage, name, None)
    if isinstance(getattr(type(storage), name, None), property):
        return Explained(name, mask(value), f"the property {type(storage).__name__}.{name}")
    shown = "***" if name in SECRET_OPTIONS and value is not None else mask(value)
    if name in ("client_options", "proxies") and value:
        shown = dict.fromkeys(value, "***")
    return Explained(name, shown, _source_of(place, name))


def _source_of(place: Place, name: str) -> str:
    storage = place.storage
    sources = storage.describe_sources()
    owner = sources.owner_of(name)
    if owner is not None:
        if name not in getattr(sources, owner):
            return DEFAULT  # one of the set of credentials that the owner does not name
        aliases = [each for each in place.used_by if each.startswith("STORAGES")]
        pattern = ", a pattern" if "*" in str(sources.entry_key) else ""
        return {
            "arguments": (
                f"OPTIONS of {aliases[0]}" if aliases else f"constructor of {sources.class_name}"
            ),
            "defaults": f"create_storage_class({starred(storage.module_name)!r})",
            "entry": f"{BUCKETS_SETTING}[{sources.entry_key!r}]{pattern}",
            "presets": f"preset of {_class_that_presets(storage, name)}",
        }[owner]
    upstream = config.get_upstream_options()
    own = storage.get_default_settings() if sources.has_own_defaults else {}
    if name in own and own[name] != upstream.get(name):
        return f"{sources.class_name}.get_default_settings()"
    return _source_of_upstream(name, upstream.get(name))


def _class_that_presets(storage: Any, name: str) -> str:
    owners = (each.__name__ for each in type(storage).__mro__ if name in vars(each))
    return next(owners, type(storage).__name__)


def _source_of_upstream(name: str, value: Any) -> str:
    option = OPTIONS.get(name)
    names = [each for each in (option and option.setting, OLDER_SETTINGS.get(name)) if each]
    known = set(config.get_setting_names())
    for setting in names:
        if setting in known:
            return f"setting {setting}"
    if value is not None:
        for variable in names:
            if os.environ.get(variable):
                return f"environment variable {variable}"
    if value is None:
        for variable in _VARIABLES.get(name, ()):
            if os.environ.get(variable):
                return f"environment variable {variable}, read by boto3"
    return DEFAULT


def _explain_backend(place: Place) -> Iterator[Explained]:
    """Yield what is not as the option says, because the files are not in S3."""
    for name, value in config.get_forced_backend().items():
        yield Explained(name, mask(value), f"setting {LOCAL_SETTING}")
    is_named = place.storage.describe_sources().owner_of("bucket_name")
    if is_plain(place.storage.backend):
        if is_named is None:
            name = mask(place.storage.bucket_name)
            yield Explained("bucket_name", name, "the name of the backend")
    elif is_named is None and not config.get_upstream_options()["bucket_name"]:
        yield Explained("bucket_name", mask(place.storage.bucket_name), "the name of the module")


def _explain_implied(place: Place, rows: List[Explained]) -> Iterator[Explained]:
    """Yield what is not as the option says, because of another option or of the environment."""
    storage = place.storage
    by_name = {each.option: each for each in rows}
    row = storage.s3_provider
    named = "the provider" if storage.provider else "the endpoint's provider"
    if storage.addressing_style is None and row.addressing_style:
        yield Explained("addressing_style", row.addressing_style, f"{named} {row.name!r}")
    if storage.signature_version is None and storage.bucket_name:
        signature = dict(storage.get_connection().client_config).get("signature_version")
        if isinstance(signature, str):
            yield Explained("signature_version", signature, "preset of every bucket")
    if storage.provider is None:
        source = "the endpoint_url" if storage.endpoint_url else "no endpoint_url"
        yield Explained("provider", row.name, source)
    unsigned = by_name["querystring_auth"]
    if unsigned.value is False and unsigned.source == DEFAULT:
        acl = storage.default_acl
        yield Explained("querystring_auth", False, f"implied by default_acl={acl!r}")
    for name in ("endpoint_url", "region_name", "verify"):
        found = by_name[name]
        if found.value is None and found.source.startswith("environment"):
            variable = found.source.split()[2].rstrip(",")
            yield Explained(name, mask(os.environ[variable]), found.source)


def _explain_found_credentials(place: Place, rows: List[Explained]) -> Iterator[Explained]:
    """Yield where boto3 finds keys, if the configuration names none; without a request."""
    given = [each for each in rows if each.option in CREDENTIAL_OPTIONS and each.value is not None]
    profile = place.storage.session_profile
    if any(each.option not in ("session_profile", "role_arn") for each in given):
        return
    found = _find_keys(profile)
    if found is not None:
        yield Explained("access_key", "***", f"found by boto3: {found}")
    else:
        yield Explained("access_key", None, "not in files or environment; boto3 asks for a role")


def _find_keys(profile: Optional[str]) -> Optional[str]:
    session = Session(profile=profile)
    try:
        for provider in session.get_component("credential_provider").providers:
            method = str(getattr(provider, "METHOD", ""))
            if not method.startswith(_NEED_REQUESTS) and provider.load() is not None:
                return method
    except BotoCoreError as error:
        return f"nothing, for {error}"
    return None
