"""System checks of tenants: whether the tenant of a request can be determined."""

from __future__ import annotations

from typing import Any, List

from django.core import checks

from smart_storages import config
from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import ConfigurationError
from smart_storages.tenancy import TenantMiddleware, find_tenant_function

__all__ = ["check_tenant"]

#: The number of each problem; docs/checks.md has a paragraph for each.
_IDS = {"bad-tenant": "E018", "no-tenant": "E019"}

_HINT = "Set it to the dotted path of a function that takes the request and returns the tenant."


def check_tenant(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that ``TenantMiddleware`` can determine the tenant of a request."""
    try:
        function = find_tenant_function()
    except ConfigurationError as error:
        return [_message("bad-tenant", plain_text(error))]
    middleware = config.get_middleware()
    own = f"{TenantMiddleware.__module__}.{TenantMiddleware.__qualname__}"
    if function is not None or own not in middleware:
        return []
    before = middleware[: middleware.index(own)]
    if not all(str(path).startswith("django.") for path in before):
        return []  # one of them may set request.tenant
    return [
        _message(
            "no-tenant",
            f"TenantMiddleware is installed, but {config.TENANT_SETTING} is not set and nothing "
            "before it sets request.tenant: every request is without a tenant.",
        )
    ]


def _message(code: str, text: str) -> checks.CheckMessage:
    return checks.Error(text, hint=_HINT, id=f"smart_storages.{_IDS[code]}")
