"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["SmartStoragesConfig"]


class SmartStoragesConfig(AppConfig):
    """Registers the system checks when Django starts."""

    name = "smart_storages"
    label = "smart_storages"
    verbose_name = "Smart storages"
