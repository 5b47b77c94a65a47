"""Hides the passwords of proxies among the settings on Django's debug page.

Django hides settings whose name contains a word such as key, token or password. The name
``proxies`` contains none, although ``http://joe:secret@proxy:3128`` holds a password. Tracebacks
are safe without this module, because secrets in variables of this package print as ``***``.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, List

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.views.debug import SafeExceptionReporterFilter

from smart_storages import config
from smart_storages.config.errors import BUCKETS_SETTING
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages.lookup import read_aliases

__all__ = ["StorageExceptionReporterFilter", "check_reporter_filter"]

_SAMPLE = {"https": "http://name:password@proxy.example:3128"}

#: A URL with a password in it.
_has_password = re.compile(r"://[^/@\s]*:[^/@\s]+@").search


class StorageExceptionReporterFilter(SafeExceptionReporterFilter):
    """Hides ``proxies`` too: in entries, in ``OPTIONS``, ``AWS_S3_PROXIES`` and ``HTTPS_PROXY``.

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
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|PROXIES|_PROXY$|(?-i:^options$)",
        re.IGNORECASE,
    )


def check_reporter_filter(**kwargs: Any) -> List[checks.CheckMessage]:
    """Warn about passwords of proxies that the project's own filter would show."""
    path = config.get_reporter_filter()
    try:
        cleansed = import_string(path)().cleanse_setting("proxies", _SAMPLE)
    except Exception:  # Django itself reports it, or the filter has no cleanse_setting()
        return []
    shown = sorted(_find_passwords()) if "password" in str(cleansed) else []
    return [
        checks.Warning(
            f"{where} contains a password, and Django's debug page shows it: {path}, the setting "
            "DEFAULT_EXCEPTION_REPORTER_FILTER, does not hide it.",
            hint=f"Derive that class from {__name__}.{StorageExceptionReporterFilter.__name__}.",
            id="smart_storages.W020",
        )
        for where in shown
    ]


def _find_passwords() -> Iterator[str]:
    try:
        if _in_proxies(config.get_upstream_options()):
            yield "AWS_S3_PROXIES"
        for key in config.iter_module_keys():
            if _in_proxies(config.get_buckets()[key]):
                yield f"{BUCKETS_SETTING}[{key!r}]['proxies']"
        for alias, params in read_aliases().items():
            if _in_proxies(params.get("OPTIONS")):
                yield f"STORAGES[{alias!r}]['OPTIONS']['proxies']"
    except (ConfigurationError, ImproperlyConfigured):
        return  # reported by the check of the setting


def _in_proxies(options: Any) -> bool:
    proxies = options.get("proxies") if isinstance(options, dict) else None
    urls = list(proxies.values()) if isinstance(proxies, dict) else []
    return any(isinstance(url, str) and _has_password(url) is not None for url in urls)
