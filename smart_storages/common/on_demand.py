"""Packages whose modules are imported when they are first used, so that they cost nothing before.

A model with a file field imports its storage in every process of a project, also in those that
never touch a file. So declaring a storage imports neither the engine nor the configuration.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Callable, Mapping, Optional, Sequence

__all__ = ["importing_on_demand"]


def importing_on_demand(
    package: str, names_in: Optional[Mapping[str, Sequence[str]]] = None
) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a package, which imports what is asked for.

    Args:
        package: Full name of the package.
        names_in: Names that the package hands on, by the module of the package that has them.

    Example::

        __getattr__ = importing_on_demand(__name__)

    Source: https://peps.python.org/pep-0562/
    """
    homes = {
        name: f"{package}.{module}" for module, names in (names_in or {}).items() for name in names
    }

    def import_it(name: str) -> Any:
        if name in homes:
            value = getattr(import_module(homes[name]), name)
            setattr(sys.modules[package], name, value)  # the next time it is not asked for here
            return value
        module = f"{package}.{name}"
        if not name.startswith("_"):
            try:
                return import_module(module)  # which also sets the package's attribute
            except ModuleNotFoundError as error:
                if error.name != module:
                    raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return import_it
