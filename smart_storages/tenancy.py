"""The current tenant, in a context variable, safe with threads and with async code.

A request, a task or a test sets the tenant on whose behalf it runs;
:class:`smart_storages.resolvers.ByTenant` sends its files to that tenant's storage. The current
region works the same way.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any, Awaitable, Callable, Optional, Union, cast

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.utils.module_loading import import_string

from smart_storages import config
from smart_storages.common.compat import iscoroutinefunction, markcoroutinefunction
from smart_storages.common.context_blocks import Block, plain
from smart_storages.common.documentation import plain_text
from smart_storages.common.names import CARRIED
from smart_storages.exceptions import (
    ConfigurationError,
    InvalidTenantNameError,
    RoutingRefusedError,
)

__all__ = [
    "TenantMiddleware",
    "current_region",
    "current_tenant",
    "use_region",
    "use_tenant",
]

_tenant: ContextVar[Any] = ContextVar("smart_storages_tenant", default=None)
_region: ContextVar[Any] = ContextVar("smart_storages_region", default=None)
CARRIED.extend([_tenant, _region])

#: Pattern of a valid tenant name, which becomes part of an alias, a key or a directory.
TENANT = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"


def current_tenant() -> Optional[str]:
    """Return the tenant on whose behalf this code runs, ``None`` if there is none.

    Example:
        >>> with use_tenant("acme"):
        ...     current_tenant()
        'acme'
    """
    return cast(Optional[str], plain(_tenant.get()))


def current_region() -> Optional[str]:
    """Return the region set by :func:`use_region`, ``None`` if there is none.

    Example:
        >>> with use_region("eu"):
        ...     current_region()
        'eu'
    """
    return cast(Optional[str], plain(_region.get()))


def use_tenant(tenant: Optional[str]) -> Block:
    """Run a block on behalf of a tenant; at its end, the previous tenant is restored.

    ``sync_to_async``, ``async_to_sync`` and asyncio tasks inherit the tenant. Threads that the
    block starts itself do not; they begin without a tenant.

    Do not ``yield`` inside the block, except in a context manager or a test fixture: the code that
    consumes the generator would run on behalf of the tenant. A warning is logged if such code asks
    for the tenant.

    Args:
        tenant: At most 63 letters, digits, ``-`` and ``_``; ``None`` for no tenant.

    Raises:
        InvalidTenantNameError: the name holds anything else.
        TenantBlockError: the block ends in a different order, thread or task than it began.

    Example:
        >>> with use_tenant("acme"):
        ...     with use_tenant("globex"):
        ...         pass
        ...     current_tenant()
        'acme'
    """
    return Block(_tenant, _checked(tenant), "use_tenant")


def use_region(region: Optional[str]) -> Block:
    """Run a block for a region, as :func:`use_tenant` does for a tenant.

    Args:
        region: A key of the table given to :class:`smart_storages.resolvers.ByRegion`; ``None``
            for no region.

    Raises:
        ConfigurationError: the region is not a string.
        TenantBlockError: the block ends in a different order, thread or task than it began.

    Example:
        >>> with use_region("eu"):
        ...     current_region()
        'eu'
    """
    if region is not None and not isinstance(region, str):
        raise ConfigurationError(f"use_region takes the name of a region, not {region!r}.")
    return Block(_region, region, "use_region")


def _checked(tenant: Optional[str]) -> Optional[str]:
    if tenant is None or (isinstance(tenant, str) and re.fullmatch(TENANT, tenant)):
        return tenant
    raise InvalidTenantNameError(
        f"{tenant!r} cannot name a tenant: use at most 63 letters, digits, '-' and '_', beginning "
        "with a letter or a digit."
    )


def find_tenant_function() -> Optional[Callable[[Any], Optional[str]]]:
    """Return the function that ``SMART_STORAGE_TENANT`` names, ``None`` if it is not set.

    Raises:
        ConfigurationError: it cannot be imported, or is not callable.
    """
    path = config.get_tenant_function()
    if not path:
        return None
    try:
        function = import_string(path) if isinstance(path, str) else path
    except ImportError as error:
        raise ConfigurationError(
            f"{config.TENANT_SETTING} is {path!r}, which cannot be imported: {error}."
        ) from error
    if not callable(function):
        raise ConfigurationError(
            f"{config.TENANT_SETTING} must be a function that takes the request, or the dotted "
            f"path of one; {path!r} is of type {type(function).__name__}."
        )
    return function


class TenantMiddleware:
    """Runs each request on behalf of its tenant, under WSGI and ASGI.

    If a view is refused a file, because there is no tenant or the file is another tenant's, the
    response is 403. If the tenant's name is not valid, it is 400.

    ``SMART_STORAGE_TENANT`` names a function of yours that takes the request and returns the
    tenant, or ``None``; without that setting, ``request.tenant`` is used if it is a string.

    Args:
        get_response: The next middleware, sync or async.

    Raises:
        InvalidTenantNameError: the function returned a name that is not valid.
        ConfigurationError: ``SMART_STORAGE_TENANT`` cannot be imported, or is not callable.

    Example::

        MIDDLEWARE = [..., "smart_storages.tenancy.TenantMiddleware"]
        SMART_STORAGE_TENANT = "myproject.tenants.of_request"
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Union[Any, Awaitable[Any]]:
        if self.is_async:
            return self._acall(request)
        with use_tenant(self.get_tenant(request)):
            return self.get_response(request)

    async def _acall(self, request: Any) -> Any:
        with use_tenant(await sync_to_async(self.get_tenant)(request)):
            return await self.get_response(request)

    def get_tenant(self, request: Any) -> Optional[str]:
        """Return the tenant of a request; override it or set ``SMART_STORAGE_TENANT``."""
        function = find_tenant_function()
        if function is not None:
            return function(request)
        tenant = getattr(request, "tenant", None)
        return tenant if isinstance(tenant, str) else None

    def process_exception(self, request: Any, exception: BaseException) -> None:
        """Make the response 403 if a view was refused a file; override it for another response."""
        is_bad_request = isinstance(exception, SuspiciousOperation)
        if isinstance(exception, RoutingRefusedError) and not is_bad_request:
            raise PermissionDenied(plain_text(exception)) from exception
