"""The Django app of the queue."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["QueuedConfig"]


class QueuedConfig(AppConfig):
    """Registers the checks and, with Celery, the task that its workers run."""

    name = "smart_storages.queued"
    label = "smart_storages_queued"
    verbose_name = "Queued files"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, engines  # noqa: F401 - the checks register themselves

        engines.prepare()
