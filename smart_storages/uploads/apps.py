"""The Django app of direct uploads."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["UploadsConfig"]


class UploadsConfig(AppConfig):
    """Registers the checks."""

    name = "smart_storages.uploads"
    label = "smart_storages_uploads"
    verbose_name = "Direct uploads"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from smart_storages.uploads import checks  # noqa: F401 - the checks register themselves
