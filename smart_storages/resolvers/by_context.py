"""Rules that use the context of the call: the current tenant, the current region."""

from __future__ import annotations

import re
from typing import Any, Callable, Collection, Dict, Mapping, Optional, Union

from smart_storages import config
from smart_storages.common.arguments import import_path, require_flags, require_tables
from smart_storages.exceptions import ConfigurationError, RoutingRefusedError
from smart_storages.resolvers.base import FALLBACK, StorageResolver, known
from smart_storages.tenancy import TENANT, _tenant, current_region, current_tenant

__all__ = ["ByRegion", "ByTenant"]

#: Aliases that all tenants share; a template must not give one to a tenant of that name.
_COMMON = frozenset(["default", FALLBACK, "staticfiles"])
_MOST_TENANTS = 10_000


class ByTenant(StorageResolver):
    """Chooses by the tenant on whose behalf the code runs; see :mod:`smart_storages.tenancy`.

    With ``record_alias`` on the dispatcher, a name says which tenant owns the file. Used on behalf
    of another tenant, it is refused; it never means that tenant's own file of the same name.

    Args:
        alias: An alias or module that contains ``{tenant}``, or a table of aliases by tenant.
        strict: Refuse all files while there is no tenant. If ``False``, the fallback is used
            while there is none, and recorded names can be read.

    Raises:
        RoutingRefusedError: there is no tenant; the tenant is not in the table; the file is
            another tenant's; or the template would give the tenant ``default``, ``fallback`` or
            ``staticfiles``.

    Example:
        >>> from smart_storages.tenancy import use_tenant
        >>> with use_tenant("acme"):
        ...     ByTenant("tenant_{tenant}").resolve({}, "open", "a.txt", {})
        'tenant_acme'
    """

    by_context = True

    def __init__(
        self, alias: Union[str, Mapping[str, str]] = "tenant_{tenant}", *, strict: bool = True
    ) -> None:
        require_flags(type(self), strict=strict)
        if not isinstance(alias, str):
            require_tables(type(self), alias=alias)
        self.strict = strict
        self.table = None if isinstance(alias, str) else dict(alias)
        if self.table is not None and len(set(self.table.values())) < len(self.table):
            raise ConfigurationError("ByTenant: two tenants share an alias; give each its own.")
        self.template = alias if isinstance(alias, str) else ""
        before, found, after = self.template.partition("{tenant}")
        if self.table is None and (not found or "{tenant}" in after):
            raise ConfigurationError(
                f"ByTenant: the alias {alias!r} must contain {{tenant}} exactly once, or tenants "
                "could get the same storage."
            )
        self._pattern = re.compile(f"{re.escape(before)}{TENANT}{re.escape(after)}")
        # A cache of each tenant's alias, because every call needs one.
        self._found: Dict[Any, str] = dict(self.table or {})

    def _own(self) -> Optional[str]:
        tenant = current_tenant()
        if tenant is None:
            if self.strict:
                raise RoutingRefusedError(
                    f"There is no current tenant, so no file can be used. {_how_to_set_one()}"
                )
            return None
        if self.table is None:
            alias = self.template.replace("{tenant}", tenant)
            if alias in _COMMON:
                raise RoutingRefusedError(
                    f"The tenant {tenant!r} would get the alias {alias!r}, shared by all tenants. "
                    'Give ByTenant a template with a prefix, such as "tenant_{tenant}", or a table.'
                )
            if len(self._found) >= _MOST_TENANTS:
                self._found.clear()
            self._found[tenant] = alias
            return alias
        if tenant not in self.table:
            raise RoutingRefusedError(
                f"The tenant {tenant!r} is not in the table of ByTenant. Add it there."
            )
        return self.table[tenant]

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        return self._found.get(_tenant.get()) or self._own()

    def accepts(self, storages: Mapping[str, Any], alias: str, filename: str) -> bool:
        if self._found.get(_tenant.get()) == alias:
            return True
        own = self._own()
        if self.table is None:
            is_of_a_tenant = alias not in _COMMON and bool(self._pattern.fullmatch(alias))
        else:
            is_of_a_tenant = alias in self.table.values()
        if is_of_a_tenant and own is not None and alias != own:
            raise RoutingRefusedError(
                f"The tenant {current_tenant()!r} asked for a file of {alias!r}."
            )
        return is_of_a_tenant or (alias == FALLBACK and not self.strict)

    def spread(self, storages: Any, path: str) -> Optional[Collection[str]]:
        return known(self._own()) or None

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        return f"The tenant is {current_tenant()!r}."


def _how_to_set_one() -> str:
    hint = (
        "Wrap the code in use_tenant(...); for requests, install "
        f"smart_storages.tenancy.TenantMiddleware and set {config.TENANT_SETTING}"
    )
    unset = "" if config.get_tenant_function() else ", which is not set"
    return f"{hint}{unset}."


class ByRegion(StorageResolver):
    """Chooses by region, for data residency; the choice is recorded in the name.

    Args:
        table: Aliases by region.
        region: A function of ``(method, filename, params)``, or its dotted path, that returns the
            region; by default the one set with :func:`smart_storages.tenancy.use_region`.
        strict: Refuse an unknown region. If ``False``, the fallback is used for it.

    Raises:
        ConfigurationError: ``region`` is not a function, or returns something other than a string
            or ``None``.
        RoutingRefusedError: the region is not in the table.

    Example:
        >>> from smart_storages.tenancy import use_region
        >>> with use_region("eu"):
        ...     ByRegion({"eu": "files_eu", "us": "files_us"}).resolve({}, "save", "a.txt", {})
        'files_eu'
    """

    records = True

    def __init__(
        self,
        table: Mapping[str, str],
        region: Union[str, Callable[..., Optional[str]], None] = None,
        *,
        strict: bool = True,
    ) -> None:
        require_tables(type(self), table=table)
        require_flags(type(self), strict=strict)
        if not (region is None or isinstance(region, str) or callable(region)):
            raise ConfigurationError(
                "ByRegion: region must be a function of (method, filename, params), or the dotted "
                f"path of one, not {region!r}."
            )
        self.table = dict(table)
        self.region = region
        self._function: Any = None
        self.strict = strict
        # A function may depend on the file alone; the context variable never does.
        self.by_context = region is None
        self.aliases = known(*self.table.values(), None if strict else FALLBACK)

    def _region(self, method: str, filename: str, params: Any) -> Optional[str]:
        if self.region is None:
            return current_region()
        function = self._function or self._find_function()
        region: Optional[str] = function(method, filename, params)
        if region is not None and not isinstance(region, str):
            raise ConfigurationError(
                f"ByRegion: {self.region!r} returned {region!r}; a region is a string, or None."
            )
        return region

    def _find_function(self) -> Any:
        # Not in the constructor: settings.py may create this rule, and importing what it names
        # may need the settings.
        function = self.region
        if isinstance(function, str):
            function = import_path("ByRegion: the region", function)
            if not callable(function):
                raise ConfigurationError(
                    f"ByRegion: region must name a function; {self.region!r} is not one."
                )
        self._function = function
        return function

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        region = self._region(method, filename, params)
        alias = None if region is None else self.table.get(region)
        if alias is not None:
            return alias
        if self.strict:
            raise RoutingRefusedError(
                f"No storage for the region {region!r}; ByRegion knows {sorted(self.table)}."
            )
        return None

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        return f"The region is {self._region(method, filename, params)!r}."
