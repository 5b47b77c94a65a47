"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

from smart_storages.common.compat import FILES_TAG

__all__ = ["SmartStoragesConfig"]


class SmartStoragesConfig(AppConfig):
    """Registers the system checks when Django starts."""

    name = "smart_storages"
    label = "smart_storages"
    verbose_name = "Smart storages"

    def ready(self) -> None:
        from smart_storages.checks import register_checks
        from smart_storages.debug import adopt_reporter_filter, check_reporter_filter
        from smart_storages.storages.lookup import adopt_storages_setting

        register_checks()
        register(check_reporter_filter, FILES_TAG)
        adopt_reporter_filter()
        adopt_storages_setting()
