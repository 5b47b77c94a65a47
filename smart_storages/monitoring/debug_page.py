"""Hides the passwords of proxies, and connection strings, among the settings on the debug page.

Django hides settings whose name contains a word such as key, token or password. The names
``proxies`` and ``connection_string`` contain none, although ``http://ada:secret@proxy:3128`` holds
a password, and the connection string of Azure the account's key. Tracebacks are safe without
this module, because secrets in variables of this package print as ``***``.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.views.debug import SafeExceptionReporterFilter

from smart_storages import config
from smart_storages.config.errors import BUCKETS_SETTING
from smart_storages.config.options import OPTIONS
from smart_storages.config.settings import get_azure_options
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages.lookup import read_aliases

__all__ = ["StorageExceptionReporterFilter", "check_reporter_filter"]

#: Options that hold a secret under a name that contains no such word, and what they may hold.
_SAMPLES: Dict[str, Any] = {
    "proxies": {"https": "http://name:password@proxy.example:3128"},
    "connection_string": "AccountName=acme;AccountKey=password",
}

#: A URL with a password in it.
_has_password = re.compile(r"://[^/@\s]*:[^/@\s]+@").search


class StorageExceptionReporterFilter(SafeExceptionReporterFilter):
    """Hides ``proxies`` and ``connection_string`` too: in entries, ``OPTIONS`` and settings.

    The settings are ``AWS_S3_PROXIES``, ``HTTPS_PROXY`` and ``AZURE_CONNECTION_STRING``.

    So it does ``options``, the arguments of a storage class that is a backend.

    With ``"smart_storages"`` in ``INSTALLED_APPS``, it is used unless a project sets a filter of
    its own. Derive that filter from this class.

    Example::

        class Filter(StorageExceptionReporterFilter):
            cleansed_substitute = "hidden"

        DEFAULT_EXCEPTION_REPORTER_FILTER = "acme.debug.Filter"
    """

    hidden_settings = re.compile(
        # "options" holds the arguments of a storage class; the OPTIONS of Django stay visible.
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|PROXIES|_PROXY$|CONNECTION_STRING"
        "|(?-i:^options$)",
        re.IGNORECASE,
    )


def check_reporter_filter(**kwargs: Any) -> List[checks.CheckMessage]:
    """Warn about passwords and keys that the project's own filter would show."""
    path = config.get_reporter_filter()
    try:
        cleanse = import_string(path)().cleanse_setting
        names = [
            name for name, sample in _SAMPLES.items() if "password" in str(cleanse(name, sample))
        ]
    except Exception:  # Django itself reports it, or the filter has no cleanse_setting()
        return []
    return [
        checks.Warning(
            f"{where} contains a password or a key, and Django's debug page shows it: {path}, the "
            "setting DEFAULT_EXCEPTION_REPORTER_FILTER, does not hide it.",
            hint=f"Derive that class from {__name__}.{StorageExceptionReporterFilter.__name__}.",
            id="smart_storages.W020",
        )
        for where in sorted(_find_secrets(names))
    ]


def _find_secrets(names: List[str]) -> Iterator[str]:
    try:
        of_settings = {**config.get_upstream_options(), **get_azure_options()}
        for name in names:
            if _holds_secret(name, of_settings.get(name)):
                yield str(OPTIONS[name].setting)
        yield from _find_in(of_settings["client_options"], "AZURE_CLIENT_OPTIONS", names)
        for key in config.iter_module_keys():
            entry = f"{BUCKETS_SETTING}[{key!r}]"
            yield from _find_in(config.get_buckets()[key], entry, names)
        for alias, params in read_aliases().items():
            options = params.get("OPTIONS") if isinstance(params, dict) else None
            yield from _find_in(options, f"STORAGES[{alias!r}]['OPTIONS']", names)
    except (ConfigurationError, ImproperlyConfigured):
        return  # reported by the check of the setting


def _find_in(options: Any, where: str, names: List[str]) -> Iterator[str]:
    if not isinstance(options, dict):
        return
    for name in names:
        if _holds_secret(name, options.get(name)):
            yield f"{where}[{name!r}]"
    yield from _find_in(options.get("client_options"), f"{where}['client_options']", names)


def _holds_secret(name: str, value: Any) -> bool:
    if name == "connection_string":
        return bool(value)
    urls = list(value.values()) if isinstance(value, dict) else []
    return any(isinstance(url, str) and _has_password(url) is not None for url in urls)
