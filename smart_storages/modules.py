"""Names of modules: which pattern one matches, and what is made of one in the place of {module}."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, Mapping, Optional, Pattern, Tuple

from smart_storages.compat import cache
from smart_storages.config_errors import BUCKETS_SETTING
from smart_storages.exceptions import InvalidModuleNameError
from smart_storages.options import SECRET_OPTIONS

__all__ = ["fill_in", "find_pattern", "validate_module_name"]


def find_pattern(keys: Iterable[Any], module_name: str) -> Optional[str]:
    """Return the longest of the keys whose ``*`` can stand for a part of the name, if any does.

    Raises:
        TypeError: the name is no text.

    Example:
        >>> find_pattern(["media", "*", "tenant_*"], "tenant_x")
        'tenant_*'
    """
    if not isinstance(module_name, str):
        raise TypeError(
            "module_name must be the name of a module, such as 'tenant_x', "
            f"not {type(module_name).__name__}."
        )
    patterns = [key for key in keys if isinstance(key, str) and "*" in key]
    matching = [key for key in patterns if _compile(key).match(module_name)]
    return max(matching, key=len) if matching else None


@cache
def _compile(pattern: str) -> Pattern[str]:
    return re.compile("(.*)".join(map(re.escape, pattern.split("*"))) + r"\Z", re.DOTALL)


def fill_in(module_name: str, options: Mapping[str, Any]) -> Dict[str, Any]:
    """Return options with the module's name in the place of ``{module}``.

    Raises:
        InvalidModuleNameError: the name could climb out of what is made of it.
    """
    return {
        name: value if name in SECRET_OPTIONS else _fill_in(value, module_name)
        for name, value in options.items()
    }


def _fill_in(value: Any, module_name: str) -> Any:
    if isinstance(value, str):
        if "{module}" not in value:
            return value
        validate_module_name(module_name)
        return value.replace("{module}", module_name)
    if isinstance(value, dict):
        return {key: _fill_in(each, module_name) for key, each in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(_fill_in(each, module_name) for each in value)
    return value


def validate_module_name(module_name: str, pattern: Optional[str] = None) -> None:
    """Refuse a name that could climb out of the key or location which a pattern makes of it.

    Raises:
        InvalidModuleNameError: the name is empty, or holds ``/``, ``\\``, ``..`` or a control
            character, or the pattern's ``*`` stands for nothing.
    """
    reason = None
    if not module_name.strip(". "):
        reason = "is empty"
    elif "/" in module_name or "\\" in module_name:
        reason = "holds a slash"
    elif ".." in module_name:
        reason = "holds '..'"
    elif not module_name.isprintable():
        reason = "holds a control character"
    elif "{" in module_name or "}" in module_name:
        reason = "holds a brace"
    elif pattern and not all(_wildcard_parts(pattern, module_name)):
        reason = "has nothing in the place of '*'"
    if reason:
        where = f"{BUCKETS_SETTING}[{pattern!r}]" if pattern else "a {module} placeholder"
        raise InvalidModuleNameError(
            f"The module name {module_name!r} {reason}; it reached {where}. "
            "Use letters, digits, '-' and '_'."
        )


def _wildcard_parts(pattern: str, module_name: str) -> Tuple[str, ...]:
    match = _compile(pattern).match(module_name)
    return match.groups() if match else ()
