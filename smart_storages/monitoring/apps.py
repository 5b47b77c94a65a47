"""The Django app that keeps what is known of the buckets, and shows it in the admin."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["MonitoringConfig"]


class MonitoringConfig(AppConfig):
    """Notes the results of ``manage.py buckets check`` and ``usage``, and errors of storages."""

    name = "smart_storages.monitoring"
    label = "smart_storages_monitoring"
    verbose_name = "Smart storages"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from smart_storages.monitoring import noting

        noting.connect()
