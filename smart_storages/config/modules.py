"""Names of modules: which pattern a name matches, and how it is filled in for ``{module}``."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional, Pattern, Tuple

from smart_storages.common.compat import cache
from smart_storages.common.documentation import plain_text
from smart_storages.common.secrets import Secret
from smart_storages.config.errors import BUCKETS_SETTING
from smart_storages.config.options import SECRET_OPTIONS
from smart_storages.config.values import ANY_MODULE, Problem
from smart_storages.exceptions import ConfigurationError, InvalidModuleNameError

__all__ = [
    "fill_in",
    "find_hidden_problem",
    "find_key_problems",
    "find_pattern",
    "sample_name",
    "validate_folder_name",
    "validate_module_name",
]

_HINT = "Use letters, digits, '-' and '_', and '*' as in 'tenant_*'."


def find_pattern(keys: Iterable[Any], module_name: str) -> Optional[str]:
    """Return the longest of the keys that is a pattern with ``*`` and matches the name, if any.

    Raises:
        TypeError: the name is not a string.

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
    """Return options with ``{module}`` replaced by the module's name.

    Raises:
        InvalidModuleNameError: the name could lead out of a location or bucket made from it.
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
        filled = value.replace("{module}", module_name)
        return Secret(filled) if isinstance(value, Secret) else filled
    if isinstance(value, PurePath):
        return type(value)(_fill_in(str(value), module_name))
    if isinstance(value, dict):
        return {key: _fill_in(each, module_name) for key, each in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(_fill_in(each, module_name) for each in value)
    return value


def validate_module_name(module_name: str, pattern: Optional[str] = None) -> None:
    """Refuse a name that could lead out of the key or location that is made from it.

    Raises:
        InvalidModuleNameError: the name is empty, or contains ``/``, ``\\``, ``..``, a brace or a
            control character, or a ``*`` of the pattern matches nothing.
    """
    reason = None
    if not module_name.strip(". "):
        reason = "is empty"
    elif "/" in module_name or "\\" in module_name:
        reason = "contains a slash"
    elif ".." in module_name:
        reason = "contains '..'"
    elif not module_name.isprintable():
        reason = "contains a control character"
    elif "{" in module_name or "}" in module_name:
        reason = "contains a brace"
    elif pattern and not all(_wildcard_parts(pattern, module_name)):
        reason = "has nothing in the place of '*'"
    if reason:
        where = f"{BUCKETS_SETTING}[{pattern!r}]" if pattern else "a {module} placeholder"
        raise InvalidModuleNameError(
            f"The module name {module_name!r} {reason}; it was used for {where}. "
            "Use letters, digits, '-' and '_'."
        )


def _wildcard_parts(pattern: str, module_name: str) -> Tuple[str, ...]:
    match = _compile(pattern).match(module_name)
    return match.groups() if match else ()


def sample_name(key: str) -> str:
    """Return a name that matches a pattern and no other key."""
    return key.replace("*", ANY_MODULE)


def validate_folder_name(module_name: str) -> None:
    """Refuse a name that cannot be that of a folder, beside those that no module may have.

    Raises:
        InvalidModuleNameError: see :func:`validate_module_name`; or it begins with a dot.
    """
    validate_module_name(module_name)
    if module_name.startswith("."):
        raise InvalidModuleNameError(
            f"The module {module_name!r} has no bucket_name, and its own name cannot be that of a "
            "folder: it begins with a dot."
        )


def find_key_problems(key: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield why no module can use a key, or the options that its entry makes from the name."""
    if "*" not in key:
        try:
            fill_in(key, entry)
        except InvalidModuleNameError as error:
            yield Problem(
                "bad-setting", "", f"cannot fill in {{module}}: {plain_text(error)}", _HINT
            )
        return
    try:
        validate_module_name(sample_name(key), key)
    except InvalidModuleNameError:  # its message is about the sample name, which nobody wrote
        what = (
            "matches no module: a name that matches a pattern must not contain a slash, '..', a "
            "brace or a control character, and must have something for each '*'"
        )
        yield Problem("bad-setting", "", what, _HINT)


def find_hidden_problem(key: str, reached: Optional[str], error: ConfigurationError) -> Problem:
    """Return why the options of a valid key could not be read.

    Args:
        key: A key of ``SMART_STORAGE_BUCKETS``.
        reached: The key that is used for its :func:`sample_name`.
        error: The error that reading them raised.
    """
    if reached == key:
        return Problem(
            "bad-setting",
            "",
            f"cannot be used: {plain_text(error).rstrip('.')}",
            "Correct its options.",
        )
    what = (
        f"is never used: every name that matches it also matches the longer {reached!r}, and is "
        "refused there because it has nothing in the place of a '*'"
    )
    return Problem("bad-setting", "", what, "Write patterns that do not match the same names.")
