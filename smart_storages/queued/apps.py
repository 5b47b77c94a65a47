"""The Django app of the queue."""

from __future__ import annotations

from django.apps import AppConfig

from smart_storages.exceptions import ConfigurationError

__all__ = ["QueuedConfig"]


class QueuedConfig(AppConfig):
    """Registers the checks and, with Celery, the task that its workers run."""

    name = "smart_storages.queued"
    label = "smart_storages_queued"
    verbose_name = "Queued files"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from smart_storages.queued import checks, engines  # noqa: F401 - the checks register themselves

        try:
            engines.require()
        except ConfigurationError:
            return  # the check Q001 reports it, and the first save raises it
        engines.prepare()
