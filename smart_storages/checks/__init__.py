"""System checks: what is wrong with the settings, before anybody uploads a file.

Settings, aliases of ``STORAGES`` and file fields come in; numbered messages with hints go out. A
check does no network I/O and shows no secret. This room may not know the queue, which has its own
checks. Every id is stable and documented in ``docs/checks.md``; a retired id is never used again.
"""

from __future__ import annotations

from django.core.checks import register

from smart_storages.common.compat import FILES_TAG

from .aliases import check_aliases
from .buckets import check_buckets, check_storages
from .connections import check_credentials, check_endpoints, check_provider
from .installation import check_installation, check_queue_app
from .names import check_module_names, check_setting_names
from .routing import check_routing
from .s3_names import check_s3_names
from .tenants import check_tenant

__all__ = [
    "check_aliases",
    "check_buckets",
    "check_credentials",
    "check_endpoints",
    "check_installation",
    "check_module_names",
    "check_provider",
    "check_queue_app",
    "check_routing",
    "check_s3_names",
    "check_setting_names",
    "check_storages",
    "check_tenant",
    "register_checks",
]


def register_checks() -> None:
    """Register every check of this room with Django; the app does so when it is ready."""
    for check in (
        check_aliases,
        check_buckets,
        check_storages,
        check_queue_app,
        check_endpoints,
        check_provider,
        check_s3_names,
        check_credentials,
        check_installation,
        check_module_names,
        check_setting_names,
        check_routing,
        check_tenant,
    ):
        register(check, FILES_TAG)
