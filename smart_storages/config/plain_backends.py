"""Finds problems of backends that keep the bytes of a file, and nothing beside them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Dict, Iterator, Mapping

from django.conf import settings

from smart_storages.config.options import OPTIONS, SFTP_OPTIONS, guard
from smart_storages.config.sftp_problems import find_sftp_problems
from smart_storages.config.values import Problem, is_class_path
from smart_storages.exceptions import ConfigurationError

__all__ = ["find_lost_options", "find_plain_problems", "get_sftp_options", "is_plain"]


def is_plain(backend: Any) -> bool:
    """Return whether a backend keeps no headers and no metadata with a file.

    Example:
        >>> is_plain("storages.backends.dropbox.DropboxStorage"), is_plain("azure")
        (True, False)
    """
    return backend == "sftp" or is_class_path(backend)


def find_lost_options(entry: Mapping[Any, Any]) -> Iterator[Problem]:
    """Yield the options of an entry that its backend could not keep with the files."""
    backend = entry.get("backend")
    if not is_plain(backend):
        return
    for key in ("brotli", "gzip"):
        if entry.get(key):
            yield Problem(
                "bad-backend",
                key,
                f"is set, and the backend {backend!r} does not keep which files are compressed",
                f"Remove {key!r}.",
            )
    parameters = entry.get("object_parameters")
    if isinstance(parameters, Mapping) and parameters.get("Metadata"):
        yield Problem(
            "bad-backend",
            "object_parameters",
            f"has Metadata, and the backend {backend!r} keeps none",
            "Remove 'Metadata'.",
        )


def find_plain_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of merged options that have to do with such a backend."""
    backend = options.get("backend") or "s3"
    if options.get("options") is not None and not is_class_path(backend):
        yield Problem(
            "bad-backend",
            "options",
            f"holds the arguments of a storage class, and the backend is {backend!r}",
            "Remove 'options', or write the dotted path of the class as 'backend'.",
        )
    bucket = options.get("bucket_name")
    if is_plain(backend) and isinstance(bucket, str) and bucket.startswith("."):
        what = f"is {bucket!r}, and the name of a folder of files cannot begin with a dot"
        yield Problem("bad-backend", "bucket_name", what, "Choose another name.")
    if backend == "sftp":
        yield from find_sftp_problems(options)
    if backend == "sftp" and find_spec("paramiko") is None:
        yield Problem(
            "bad-backend",
            "backend",
            "is 'sftp', which needs the package paramiko, and that is not installed",
            "Run pip install 'django-smart-storages[sftp]'.",
        )


def get_sftp_options() -> Dict[str, Any]:
    """Return the ``SFTP_*`` settings of django-storages by the names of the options.

    Raises:
        ConfigurationError: one of them has a value of the wrong type.
    """
    named = {name: str(OPTIONS[name].setting) for name in SFTP_OPTIONS if OPTIONS[name].setting}
    named["base_url"] = "SFTP_BASE_URL"
    found = guard({name: getattr(settings, each, None) for name, each in named.items()})
    for name, value in found.items():
        option = OPTIONS[name]
        if not option.accepts(value):
            raise ConfigurationError(
                f"{named[name]} must be {option.expected}, not {type(value).__name__}."
            )
    return found
