"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

from smart_storages.compat import FILES_TAG

__all__ = ["SmartStoragesConfig"]


class SmartStoragesConfig(AppConfig):
    """Registers the system checks when Django starts."""

    name = "smart_storages"
    label = "smart_storages"
    verbose_name = "Smart storages"

    def ready(self) -> None:
        from smart_storages.alias_checks import check_aliases
        from smart_storages.checks import check_buckets, check_queue_app, check_storages
        from smart_storages.connection_checks import check_credentials, check_endpoints
        from smart_storages.debug import adopt_reporter_filter, check_reporter_filter
        from smart_storages.install_checks import check_installation
        from smart_storages.name_checks import check_module_names, check_setting_names
        from smart_storages.routing_checks import check_routing
        from smart_storages.tenant_checks import check_tenant
        from smart_storages.utils import adopt_storages_setting

        register(check_aliases, FILES_TAG)
        register(check_buckets, FILES_TAG)
        register(check_storages, FILES_TAG)
        register(check_queue_app, FILES_TAG)
        register(check_endpoints, FILES_TAG)
        register(check_credentials, FILES_TAG)
        register(check_installation, FILES_TAG)
        register(check_module_names, FILES_TAG)
        register(check_setting_names, FILES_TAG)
        register(check_routing, FILES_TAG)
        register(check_tenant, FILES_TAG)
        register(check_reporter_filter, FILES_TAG)
        adopt_reporter_filter()
        adopt_storages_setting()
