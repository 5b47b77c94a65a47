"""The options of a bucket: what each may hold, and what is wrong with a set of them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any, Collection, Dict, FrozenSet, Iterator, Mapping, Optional, Tuple

from smart_storages.compat import cache
from smart_storages.providers import PROVIDERS
from smart_storages.secrets import Secret

__all__ = ["CREDENTIAL_OPTIONS", "OPTIONS", "Option", "Problem", "find_problems", "guard"]


@dataclass(frozen=True)
class Option:
    """One option of a storage.

    Args:
        types: What the value may be an instance of; empty for anything.
        default: What it is when nobody names it; ``None`` may be given where this is ``None``.
        setting: The Django setting that django-storages reads for it, if any.
    """

    types: Tuple[type, ...]
    default: Any
    setting: Optional[str] = None

    def accepts(self, value: Any) -> bool:
        if value is None:
            # A None that is named switches the default off; what that leaves is ``default``.
            return True
        if isinstance(value, bool) and self.types and bool not in self.types:
            return False  # True is an int to Python, and a mistake here
        return not self.types or isinstance(value, self.types)

    @property
    def expected(self) -> str:
        return " or ".join(kind.__name__ for kind in self.types)


#: Every option whose type is known. django-storages may have newer ones: those pass unchecked.
OPTIONS: Dict[str, Option] = {
    "access_key": Option((str,), None, "AWS_S3_ACCESS_KEY_ID"),
    "secret_key": Option((str,), None, "AWS_S3_SECRET_ACCESS_KEY"),
    "security_token": Option((str,), None, "AWS_SESSION_TOKEN"),
    "session_profile": Option((str,), None, "AWS_S3_SESSION_PROFILE"),
    "role_arn": Option((str,), None),
    "external_id": Option((str,), None),
    "credentials": Option((), None),
    "provider": Option((str,), None),
    "public_endpoint_url": Option((str,), None),
    "url_stable_for": Option((int,), 0),
    "metadata_cache_seconds": Option((int,), 0),
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

#: Options of this package, which django-storages does not know.
OWN_OPTIONS: FrozenSet[str] = frozenset(
    {
        "credentials",
        "external_id",
        "metadata_cache_seconds",
        "provider",
        "public_endpoint_url",
        "role_arn",
        "url_stable_for",
    }
)

#: Naming one of these names a whole set: none is then taken from anywhere else.
CREDENTIAL_OPTIONS: FrozenSet[str] = frozenset(
    {"access_key", "secret_key", "security_token", "session_profile", "role_arn", "credentials"}
)

#: Options whose value must not be read by people, logs or migrations.
SECRET_OPTIONS: FrozenSet[str] = frozenset(
    {"access_key", "secret_key", "security_token", "cloudfront_key"}
)

_PLACEHOLDER = re.compile(r"\{[^{}]*\}?")

_CANNED_ACLS = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "log-delivery-write",
)

#: Seconds a URL of S3 can live: 7 days.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
MAX_URL_LIFE = 604_800

_CHOICES: Dict[str, Tuple[str, ...]] = {
    "default_acl": _CANNED_ACLS,
    "provider": tuple(PROVIDERS),
    "addressing_style": ("auto", "path", "virtual"),
}


@cache
def known_options() -> FrozenSet[str]:
    """Return the name of every option: all that django-storages' S3 backend takes, and ours."""
    from storages.backends.s3 import S3Storage

    # get_default_settings() does not look at its storage; asking it keeps us right about options
    # of django-storages that are newer than this package.
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
        # A PEM may be given as bytes; one kind of secret is enough.
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
        return Secret(text) if type(text) is str else value
    if name == "object_parameters" and isinstance(value, dict):
        return {key: _guarded_parameter(key, each) for key, each in value.items()}
    if name == "proxies" and isinstance(value, dict):
        return {key: Secret(each) if type(each) is str else each for key, each in value.items()}
    return value


def _guarded_parameter(key: str, value: Any) -> Any:
    return Secret(value) if key.endswith("CustomerKey") and type(value) is str else value


def holds_secret(name: str, value: Any) -> bool:
    """Tell whether an option must stay out of migrations and pickles.

    Example:
        >>> holds_secret("secret_key", "hunter2"), holds_secret("location", "media/")
        (True, False)
    """
    if value is None:
        return False
    if name == "object_parameters":
        return isinstance(value, Mapping) and any(key.endswith("CustomerKey") for key in value)
    return name in CREDENTIAL_OPTIONS - {"role_arn", "session_profile"} or name in {
        "cloudfront_key",
        "cloudfront_signer",
        "proxies",
    }


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the options of a module.

    Args:
        code: A short stable name, ``unknown-key``.
        key: The option at fault.
        message: What is wrong, as a sentence; never holds a secret.
        hint: What to do about it.
    """

    code: str
    key: str
    message: str
    hint: str


def find_entry_problems(entry: Mapping[Any, Any]) -> Iterator[Problem]:
    """Yield what is wrong with options as somebody wrote them: unknown names and wrong types."""
    known = known_options()
    for key, value in entry.items():
        if key not in known:
            yield Problem("unknown-key", str(key), "is not an option", _did_you_mean(key, known))
        elif key in OPTIONS and not _option(key).accepts(value):
            expected = _option(key).expected
            yield Problem(
                "wrong-type",
                key,
                f"must be {expected}, not {type(value).__name__}",
                f"Give a value of type {expected}.",
            )
        elif key == "credentials" and not (value is None or callable(value) or _is_path(value)):
            yield Problem(
                "wrong-type",
                key,
                f"must be a callable or a dotted path, not {type(value).__name__}",
                "Give a function that returns access_key, secret_key and, optionally, "
                "security_token and expiry.",
            )
        elif isinstance(value, str) and _find_placeholder(key, value):
            yield Problem(
                "unknown-placeholder",
                key,
                f"holds the placeholder {_find_placeholder(key, value)}",
                "The only placeholder is {module}.",
            )
        elif key in _CHOICES and value is not None and value not in _CHOICES[key]:
            choices = _CHOICES[key]
            yield Problem(
                "unknown-choice",
                key,
                f"is {value!r}, which is not one of {', '.join(choices)}",
                _did_you_mean(value, choices),
            )


def _find_placeholder(key: str, value: str) -> Optional[str]:
    # Left as it is, an unknown one would be the same location for every tenant.
    if key in SECRET_OPTIONS:
        return None
    return next((found for found in _PLACEHOLDER.findall(value) if found != "{module}"), None)


@cache
def _option(key: str) -> Option:
    # The two whose types are botocore's, which is not imported before it is needed.
    if key == "client_config":
        from botocore.config import Config

        return Option((Config,), None)
    if key == "transfer_config":
        from boto3.s3.transfer import TransferConfig

        return Option((TransferConfig,), None)
    return OPTIONS[key]


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and "." in value.strip(".")


def _did_you_mean(name: Any, known: Collection[str]) -> str:
    by_setting = {option.setting: key for key, option in OPTIONS.items() if option.setting}
    if by_setting.get(str(name)) in known:
        return f"Did you mean {by_setting[name]!r}?"
    close = difflib.get_close_matches(str(name).lower(), known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(sorted(known))}."


def find_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with options together, names and types and the bucket name aside.

    Args:
        options: The options of a storage, from wherever each of them comes.
    """
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


def _find_endpoint_problems(key: str, endpoint: str) -> Iterator[Problem]:
    if not endpoint.startswith(("http://", "https://")):
        hint = "Write the scheme: https://s3.example.com."
        yield Problem("bad-endpoint", key, "must start with http:// or https://", hint)
    elif "@" in endpoint.split("/")[2]:
        hint = "Remove it: S3 has access_key and secret_key, and a URL shows it to everybody."
        yield Problem("bad-endpoint", key, "holds a user name or password", hint)


def _find_life_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    # The AWS_* setting may be text, which django-storages takes as well.
    given = options.get("querystring_expire", 3600)
    try:
        life, window = int(given), int(options.get("url_stable_for") or 0)
    except (TypeError, ValueError):
        yield Problem("bad-life", "querystring_expire", "is no number of seconds", "Give one.")
        return
    limited = not options.get("custom_domain") and options.get("querystring_auth", True)
    if life < 1 or window < 0 or (limited and life + window > MAX_URL_LIFE):
        yield Problem(
            "bad-life",
            "querystring_expire",
            f"is {life}, and url_stable_for {window}: a signed URL lives more than 0 and, both "
            f"together, at most {MAX_URL_LIFE} seconds",
            "Make them shorter: 7 days are the limit of S3.",
        )


def _find_location_problems(location: str) -> Iterator[Problem]:
    if location.startswith("/"):
        yield Problem(
            "bad-location",
            "location",
            f"begins with a slash: {location!r}",
            f"Use {location.lstrip('/')!r}.",
        )
    if ".." in location.replace("\\", "/").split("/"):
        yield Problem(
            "bad-location",
            "location",
            f"holds '..': {location!r}",
            "Name the prefix itself; a location never climbs.",
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
                "A module that names one credential takes none from the AWS_* defaults: "
                "name the whole set.",
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
            "Use one kind of credentials a module: keys, a profile, or a callable.",
        )
    if options.get("external_id") and "role_arn" not in given:
        yield Problem(
            "half-credentials",
            "role_arn",
            "is missing although 'external_id' is set",
            "An external id is only used to assume a role.",
        )


def default_of(name: str) -> Any:
    """Return what an option is when it was switched off with ``None``."""
    option = OPTIONS.get(name)
    return option.default if option else None
