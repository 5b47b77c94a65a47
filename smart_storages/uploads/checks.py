"""System checks of direct uploads; none of them talks to a server.

=====================  ====================================================================
``smart_storages.U001``  something takes direct uploads, and the URLconf has no views for them
``smart_storages.U002``  a field takes direct uploads, and the app is not installed (checked in
                         ``smart_storages.checks``)
``smart_storages.U003``  ``DirectUploadMiddleware`` is missing, or stands before what it needs
``smart_storages.U004``  sessions or the protection against CSRF are missing
``smart_storages.U005``  the storage of a field or of a name cannot take direct uploads
``smart_storages.U006``  ``SMART_STORAGE_UPLOADS`` is wrong
``smart_storages.U007``  each process counts the uploads of a user for itself, or nothing does
``smart_storages.U008``  a name was registered with a storage that cannot be used
=====================  ====================================================================
"""

from __future__ import annotations

from typing import Any, Iterator, List

from django.apps import apps
from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse

from smart_storages import config
from smart_storages.common.documentation import plain_text, register_check
from smart_storages.exceptions import ConfigurationError, SmartStorageError
from smart_storages.uploads.targets import (
    can_take,
    find_storage,
    iter_registered,
    label_of,
)

__all__ = ["check_fields", "check_middleware", "check_settings", "check_urls"]

MIDDLEWARE = "smart_storages.uploads.middleware.DirectUploadMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
USERS = "django.contrib.auth.middleware.AuthenticationMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"


def _labels() -> List[str]:
    """Return what takes direct uploads: fields of models, then registered names."""
    return [*map(label_of, iter_fields()), *iter_registered()]


def iter_fields() -> Iterator[Any]:
    """Yield the fields of models that are made for direct uploads."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if getattr(field, "takes_direct_uploads", False):
                yield field


@register_check("smart_storages")
def check_urls(**kwargs: Any) -> List[CheckMessage]:
    """Check that the URLconf has the views."""
    labels = _labels()
    if not labels or not config.has_urlconf():
        return []
    try:
        reverse("smart_storages_uploads:begin")
    except (NoReverseMatch, ImproperlyConfigured):
        return [
            checks.Warning(
                f"{labels[0]} takes direct uploads, and the URLconf has no views for "
                "them: its forms upload through Django.",
                hint='Add path("uploads/", include("smart_storages.uploads.urls")) to it.',
                id="smart_storages.U001",
            )
        ]
    return []


@register_check("smart_storages")
def check_middleware(**kwargs: Any) -> List[CheckMessage]:
    """Check that the forms can know whose request they belong to, and whose upload it is."""
    if not _labels() or not config.has_urlconf():
        return []
    used = config.get_middleware()
    found: List[CheckMessage] = []
    before = used[: used.index(MIDDLEWARE)] if MIDDLEWARE in used else None
    late = [each for each in (SESSIONS, USERS) if before is not None and each in used]
    late = [each for each in late if before is not None and each not in before]
    if before is None or late:
        what = f"stands before {late[0]!r}" if late else "is missing"
        found.append(
            Error(
                f"{MIDDLEWARE!r} {what} in MIDDLEWARE: a form cannot know who submits a direct "
                "upload.",
                hint="Put it after sessions and authentication.",
                id="smart_storages.U003",
            )
        )
    if USERS in used and SESSIONS not in used:
        return found  # Django's own check reports it
    missing = [each for each in (SESSIONS, CSRF) if each not in used]
    if missing:
        found.append(
            checks.Warning(
                f"MIDDLEWARE lacks {' and '.join(map(repr, missing))}: nobody can say whose an "
                "upload is, or a page has no token that tells its requests from those of other "
                "sites, and every upload is refused.",
                hint="Add it to MIDDLEWARE, unless a middleware of your own does the same.",
                id="smart_storages.U004",
            )
        )
    return found


@register_check("smart_storages")
def check_fields(**kwargs: Any) -> List[CheckMessage]:
    """Check that the storages of the fields can take direct uploads."""
    found: List[CheckMessage] = []
    for label in _labels():
        try:
            storage = find_storage(label)
            able = can_take(storage)
        except (SmartStorageError, ImproperlyConfigured) as error:
            if label in iter_registered():  # else it is reported by the checks of that storage
                problem = plain_text(error)
                message = f"{label} is registered with a storage that cannot be used: {problem}"
                hint = "Pass an alias of STORAGES, a module or a storage to register_uploader."
                found.append(Error(message, hint=hint, id="smart_storages.U008"))
            continue
        if not able:
            found.append(
                checks.Warning(
                    f"{label} takes direct uploads, and its storage, {_class_of(storage)}, "
                    "cannot: its forms upload through Django.",
                    hint="Give it a storage of this package; a field can be a FileField as well.",
                    id="smart_storages.U005",
                )
            )
    return found


def _class_of(storage: Any) -> str:
    return type(getattr(storage, "_wrapped", storage)).__name__  # of Django's default_storage


@register_check("smart_storages")
def check_settings(**kwargs: Any) -> List[CheckMessage]:
    """Check ``SMART_STORAGE_UPLOADS`` and the cache that counts uploads."""
    try:
        settings = config.get_upload_settings()
    except ConfigurationError as error:
        hint = "docs/uploads.md lists the keys and what may stand in them."
        return [Error(plain_text(error), hint=hint, id="smart_storages.U006")]
    is_limited = settings.uploads_per_hour is not None or settings.bytes_per_hour is not None
    if config.is_debug() or not is_limited or not _labels():
        return []
    cache = caches[settings.cache]
    if isinstance(cache, LocMemCache):
        what = (
            "is in the memory of each process: a user can upload in an hour what "
            "SMART_STORAGE_UPLOADS allows, times the number of processes."
        )
    elif isinstance(cache, DummyCache):
        what = "keeps nothing: a user can upload more in an hour than SMART_STORAGE_UPLOADS allows."
    else:
        return []
    return [
        checks.Warning(
            f"The cache {settings.cache!r} {what}",
            hint="Use a cache that all processes share, or set uploads_per_hour and "
            "bytes_per_hour to None.",
            id="smart_storages.U007",
        )
    ]
