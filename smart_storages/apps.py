"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig

from smart_storages import config

__all__ = ["SmartStoragesConfig"]


class SmartStoragesConfig(AppConfig):
    """Registers the system checks when Django starts."""

    name = "smart_storages"
    label = "smart_storages"
    verbose_name = "Smart storages"

    def ready(self) -> None:
        config.adopt_storages_setting(
            default="smart_storages.utils.make_default_storage",
            staticfiles="smart_storages.utils.make_staticfiles_storage",
        )
