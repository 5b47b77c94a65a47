"""Validates the value of a single option, regardless of the others."""

from __future__ import annotations

import difflib
from functools import partial
from typing import Any, Callable, Collection, Dict, Iterator, Mapping, NamedTuple, Tuple

from smart_storages.common.brotli_streams import has_brotli
from smart_storages.common.secrets import reveal
from smart_storages.config.options import OPTIONS, SECRET_OPTIONS
from smart_storages.config.providers import PROVIDERS

__all__ = [
    "ANY_MODULE",
    "Problem",
    "did_you_mean",
    "find_misspelt",
    "find_value_problems",
    "is_class_path",
    "is_of_google",
]

#: Replaces ``*`` in the sample names that checks make of patterns. It matches the pattern and no
#: other key, since nobody types this character.
ANY_MODULE = "\u2217"

#: What can keep the files of a module.
BACKENDS = ("azure", "filesystem", "gcs", "memory", "s3", "sftp")

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

_CHOICES: Dict[str, Tuple[str, ...]] = {
    "default_acl": _CANNED_ACLS,
    "provider": tuple(PROVIDERS),
    "backend": BACKENDS,
    "addressing_style": ("auto", "path", "virtual"),
    "signature_version": ("s3v4", "s3v4a", "s3"),
}


class Problem(NamedTuple):
    """One thing wrong with the options of a module.

    Args:
        code: A short stable name, such as ``unknown-key``.
        key: The wrong option.
        message: What is wrong with it, as the predicate of a sentence; never contains a secret.
        hint: How to fix it.
    """

    code: str
    key: str
    message: str
    hint: str


def find_value_problems(key: str, value: Any) -> Iterator[Problem]:
    """Yield the problems of a value that has the right type."""
    if value is None:
        return
    if key in SECRET_OPTIONS - {"cloudfront_key"} and not str.isprintable(reveal(value)):
        yield Problem(
            "wrong-type",
            key,
            "contains a line break or another control character",
            "Strip the text when you read it from a file: files often end with a line break.",
        )
    elif key in _FINDERS:
        yield from _FINDERS[key](value)
    elif key in _CHOICES:
        yield from _find_choice_problems(key, key, value)


def _find_choice_problems(key: str, choice: str, value: Any) -> Iterator[Problem]:
    choices = _CHOICES[choice]
    if value not in choices:
        yield Problem(
            "unknown-choice",
            key,
            f"is {value!r}, which is not one of {', '.join(choices)}",
            did_you_mean(value, choices),
        )


def is_of_google(value: Any) -> bool:
    """Return whether a value is an object of ``google.auth.credentials.Credentials``."""
    return hasattr(value, "before_request")


def _find_supplier_problems(value: Any) -> Iterator[Problem]:
    if isinstance(value, str):
        # Its text is not shown: it may be the key itself, read from a file.
        is_file = not is_class_path(value)
        message = "is a text that is no dotted path"
    else:
        is_file = not callable(value) and not is_of_google(value)
        message = f"must be a callable or a dotted path, not {type(value).__name__}"
    if is_file:
        yield Problem(
            "wrong-type",
            "credentials",
            message,
            "Give a function that returns access_key, secret_key and, optionally, "
            "security_token and expiry; with the backend 'gcs', one that returns credentials of "
            "Google, such as service_account.Credentials.from_service_account_file(path).",
        )


def _find_brotli_problems(value: Any) -> Iterator[Problem]:
    if value and not has_brotli():
        yield Problem(
            "bad-setting",
            "brotli",
            "needs the package brotli, which is not installed",
            "Run pip install 'django-smart-storages[brotli]'.",
        )


def _find_signature_problems(value: Any) -> Iterator[Problem]:
    if isinstance(value, str):
        yield from _find_choice_problems("signature_version", "signature_version", value)
        return
    from botocore import UNSIGNED

    if value is not UNSIGNED:
        yield Problem(
            "wrong-type",
            "signature_version",
            f"must be str, not {type(value).__name__}",
            "Write 's3v4', or leave it out.",
        )


def _find_signer_problems(value: Any) -> Iterator[Problem]:
    if not hasattr(value, "generate_presigned_url"):
        yield Problem(
            "wrong-type",
            "cloudfront_signer",
            f"must be a signer of botocore, not {type(value).__name__}",
            "Give a botocore.signers.CloudFrontSigner, or cloudfront_key_id and cloudfront_key.",
        )


def _find_proxy_problems(value: Mapping[Any, Any]) -> Iterator[Problem]:
    if not _is_texts(value):
        yield Problem(
            "wrong-type",
            "proxies",
            "must map schemes to URLs, both as text",
            "Write {'https': 'http://proxy.example.com:3128'}.",
        )


def _find_parameter_problems(value: Mapping[Any, Any]) -> Iterator[Problem]:
    key = "object_parameters"
    strange = next((name for name in value if not isinstance(name, str)), None)
    if strange is not None:
        yield Problem(
            "wrong-type",
            key,
            f"has the key {strange!r}, which is not a string",
            "Name the parameters of put_object: {'CacheControl': 'max-age=60'}.",
        )
        return
    if value.get("ACL") is not None:
        yield from _find_choice_problems(key, "default_acl", value["ACL"])
    metadata = value.get("Metadata", {})
    if not isinstance(metadata, Mapping) or not _is_texts(metadata):
        yield Problem(
            "wrong-type",
            key,
            "has Metadata that is not a dict of strings",
            "Write {'Metadata': {'department': 'press'}}.",
        )


def is_class_path(backend: Any) -> bool:
    """Return whether a backend is the dotted path of a storage class.

    Example:
        >>> is_class_path("django.core.files.storage.FileSystemStorage"), is_class_path("s3")
        (True, False)
    """
    is_path = isinstance(backend, str) and "." in backend
    return is_path and all(map(str.isidentifier, backend.split(".")))


def _find_backend_problems(value: Any) -> Iterator[Problem]:
    if is_class_path(value):
        return
    for problem in _find_choice_problems("backend", "backend", value):
        message = f"{problem.message}, nor the dotted path of a storage class"
        yield problem._replace(message=message)


def _find_argument_problems(key: str, value: Mapping[Any, Any]) -> Iterator[Problem]:
    strange = next((name for name in value if not isinstance(name, str)), None)
    if strange is not None:
        yield Problem(
            "wrong-type",
            key,
            f"has a key of the type {type(strange).__name__}, which is not a string",
            "Name the arguments: {'location': '/srv/files'} of a class, {'username': 'ada'} of a "
            "connection.",
        )


def _is_texts(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(each, str) for pair in value.items() for each in pair)


#: Options of django-storages' Azure backend that have the names of S3 here.
_OF_AZURE_STORAGE = {
    "azure_container": "bucket_name",
    "expiration_secs": "querystring_expire",
    "overwrite_files": "file_overwrite",
}


#: What belongs in ``params`` of the backend ``sftp``.
_OF_PARAMS = ("key_filename", "passphrase", "password", "pkey", "port", "username")


def did_you_mean(name: Any, known: Collection[str]) -> str:
    """Return a hint: the known name that was probably meant, or all known names."""
    if name in _OF_PARAMS:
        return f"Of the backend 'sftp', it belongs in 'params': {{{name!r}: ...}}."
    if name in _OF_AZURE_STORAGE:
        return f"It is called {_OF_AZURE_STORAGE[name]!r} here."
    by_setting = {option.setting: key for key, option in OPTIONS.items() if option.setting}
    if by_setting.get(str(name)) in known:
        return f"Did you mean {by_setting[name]!r}?"
    close = difflib.get_close_matches(str(name).lower(), known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(sorted(known))}."


def find_misspelt(key: str, given: Mapping[Any, Any], known: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each name in a nested dict that is nearly a known one.

    Any other may be a name that a later release of the package behind it knows.

    Args:
        key: The option that holds the dict.
        given: The dict.
        known: Names that are known.

    Example:
        >>> [problem.hint for problem in find_misspelt("params", {"pasword": "x"}, ["password"])]
        ["Did you mean 'password'?"]
    """
    for name in given:
        if isinstance(name, str) and name not in known:
            close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.85)
            if close:
                message = f"has {name!r}, which means nothing there"
                yield Problem("bad-backend", key, message, f"Did you mean {close[0]!r}?")


_FINDERS: Dict[str, Callable[[Any], Iterator[Problem]]] = {
    "backend": _find_backend_problems,
    "brotli": _find_brotli_problems,
    "credentials": _find_supplier_problems,
    "signature_version": _find_signature_problems,
    "cloudfront_signer": _find_signer_problems,
    "options": partial(_find_argument_problems, "options"),
    "params": partial(_find_argument_problems, "params"),
    "proxies": _find_proxy_problems,
    "object_parameters": _find_parameter_problems,
}
