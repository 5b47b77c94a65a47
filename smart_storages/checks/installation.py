"""System checks of the installation: which package is imported, and which app is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

from django.apps import apps
from django.core import checks

import smart_storages
from smart_storages.checks.in_use import import_backend, iter_fields, sound_aliases
from smart_storages.common.distribution import describe_conflicts, find_claims

__all__ = ["check_installation", "check_queue_app", "check_uploads_app"]

_QUEUE_APP = "smart_storages.queued"
_UPLOADS_APP = "smart_storages.uploads"

_HINT = (
    "Another project has this name on the public index. Uninstall what is installed under it, "
    "then install from a checkout or a wheel: pip install --force-reinstall dist/*.whl."
)


def check_installation(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that the imported package is the installed distribution, if there is one."""
    package = Path(smart_storages.__file__).parent
    return [
        checks.Warning(text, hint=_HINT, id="smart_storages.W011")
        for text in describe_conflicts(find_claims(), package, smart_storages.__version__)
    ]


def check_queue_app(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that the queue's app is there if ``STORAGES`` or a model has a queued storage."""
    if apps.is_installed(_QUEUE_APP):
        return []
    users = [
        f"STORAGES[{alias!r}]"
        for alias, params in sound_aliases().items()
        if _is_queued(import_backend(params))
    ]
    users += [label for label, storage in iter_fields() if _is_queued(type(storage))]
    return [
        checks.Error(
            f"{label} is a queued storage, but {_QUEUE_APP!r} is not in INSTALLED_APPS.",
            hint=f"Add {_QUEUE_APP!r} to INSTALLED_APPS, and run manage.py migrate.",
            id="smart_storages.Q007",
        )
        for label in users
    ]


def check_uploads_app(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that the app of direct uploads is there if a field takes them."""
    if apps.is_installed(_UPLOADS_APP):
        return []
    users = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.local_fields
        if getattr(field, "takes_direct_uploads", False)
    ]
    return [
        checks.Error(
            f"{label} takes direct uploads, but {_UPLOADS_APP!r} is not in INSTALLED_APPS.",
            hint=f"Add {_UPLOADS_APP!r} to INSTALLED_APPS, and run manage.py migrate.",
            id="smart_storages.U002",
        )
        for label in users
    ]


def _is_queued(cls: Any) -> bool:
    return bool(getattr(cls, "enters_registry", False))
