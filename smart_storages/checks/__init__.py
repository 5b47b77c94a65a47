"""System checks: what is wrong with the settings, before anybody uploads a file.

Settings, aliases of ``STORAGES`` and file fields come in; numbered messages with hints go out. A
check does no network I/O and shows no secret. This room may not know the queue, which has its own
checks. Every id is stable and documented in ``docs/checks.md``; a retired id is never used again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable, List

from django.core.checks import CheckMessage, register

from smart_storages.common.compat import FILES_TAG, cache
from smart_storages.common.documentation import with_links
from smart_storages.common.on_demand import importing_on_demand

# A server that starts runs no check: only who runs them pays for their import.
_NAMES_IN = {
    "aliases": ["check_aliases"],
    "backends": ["check_accounts", "check_local", "check_view"],
    "buckets": ["check_buckets", "check_storages"],
    "installation": ["check_installation", "check_queue_app", "check_uploads_app"],
    "connections": ["check_credentials", "check_endpoints", "check_provider"],
    "names": ["check_module_names", "check_setting_names"],
    "routing": ["check_routing"],
    "s3_names": ["check_s3_names"],
    "tenants": ["check_tenant"],
}

if TYPE_CHECKING:
    from .aliases import check_aliases
    from .backends import check_accounts, check_local, check_view
    from .buckets import check_buckets, check_storages
    from .connections import check_credentials, check_endpoints, check_provider
    from .installation import check_installation, check_queue_app, check_uploads_app
    from .names import check_module_names, check_setting_names
    from .routing import check_routing
    from .s3_names import check_s3_names
    from .tenants import check_tenant
else:
    __getattr__ = importing_on_demand(__name__, _NAMES_IN)

__all__ = [
    "check_accounts",
    "check_aliases",
    "check_buckets",
    "check_credentials",
    "check_endpoints",
    "check_installation",
    "check_local",
    "check_module_names",
    "check_provider",
    "check_queue_app",
    "check_routing",
    "check_s3_names",
    "check_setting_names",
    "check_storages",
    "check_tenant",
    "check_uploads_app",
    "check_view",
    "register_checks",
]


def register_checks() -> None:
    """Register every check of this room with Django; the app does so when it is ready."""
    for module, names in _NAMES_IN.items():
        for name in names:
            register_on_demand(f"{__name__}.{module}", name)


def register_on_demand(module: str, name: str) -> None:
    """Register a check that is imported when it runs.

    Args:
        module: Full name of its module.
        name: Name of the function.
    """

    register(_check_on_demand(module, name), FILES_TAG)


@cache
def _check_on_demand(module: str, name: str) -> Callable[..., List[CheckMessage]]:
    # Cached: Django registers one function once, however often an app becomes ready.
    def check(**kwargs: Any) -> List[CheckMessage]:
        found: List[CheckMessage] = getattr(import_module(module), name)(**kwargs)
        return found

    check.__name__ = name
    return with_links(check)
