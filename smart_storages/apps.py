"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig

from smart_storages import config
from smart_storages.checks import register_checks, register_on_demand
from smart_storages.common.compat import HAS_STORAGES

__all__ = ["SmartStoragesConfig"]


class SmartStoragesConfig(AppConfig):
    """Registers the system checks when Django starts."""

    name = "smart_storages"
    label = "smart_storages"
    verbose_name = "Smart storages"

    def ready(self) -> None:
        # Nothing heavy is imported here: every process of the project comes past.
        register_checks()
        register_on_demand("smart_storages.monitoring.debug_page", "check_reporter_filter")
        config.adopt_reporter_filter(
            "django.views.debug.SafeExceptionReporterFilter",
            "smart_storages.monitoring.debug_page.StorageExceptionReporterFilter",
        )
        if not HAS_STORAGES:  # goes with Django 4.1
            from smart_storages.storages.lookup import adopt_storages_setting

            adopt_storages_setting()
