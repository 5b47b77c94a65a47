"""What is wrong with a configuration, as errors that name the module or setting, key and fix."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from smart_storages.exceptions import ConfigurationError
from smart_storages.option_problems import find_entry_problems, find_problems
from smart_storages.option_values import Problem
from smart_storages.options import CREDENTIAL_OPTIONS, OPTIONS

__all__ = [
    "BUCKETS_SETTING",
    "configuration_error",
    "find_setting",
    "missing_bucket_error",
    "raise_for_problems",
    "raise_for_unknown_options",
]

BUCKETS_SETTING = "SMART_STORAGE_BUCKETS"


def configuration_error(module_key: str, problem: Problem) -> ConfigurationError:
    """Return the error that tells of a problem in a module's options."""
    return ConfigurationError(
        f"{BUCKETS_SETTING}[{module_key!r}][{problem.key!r}] {problem.message}. {problem.hint}"
    )


def raise_for_problems(
    module_name: str, options: Mapping[str, Any], upstream: Mapping[str, Any]
) -> None:
    """Raise for the first thing wrong with the options of a storage.

    Args:
        module_name: Name of the module.
        options: What :func:`smart_storages.config.merge_options` gave.
        upstream: What ``get_upstream_options`` of that module gave.

    Raises:
        ConfigurationError: names the module, or the setting, the key and the fix.
    """
    for problem in find_problems({**upstream, **options}):
        setting = find_setting(problem, options, upstream)
        if setting:
            raise ConfigurationError(
                f"The setting {setting}, which the module {module_name!r} uses, "
                f"{problem.message}. {problem.hint}"
            )
        raise configuration_error(module_name, problem)


def find_setting(
    problem: Problem, options: Mapping[str, Any], upstream: Mapping[str, Any]
) -> Optional[str]:
    """Return the ``AWS_*`` setting at fault, ``None`` if the module's own options are."""
    of_set = CREDENTIAL_OPTIONS if problem.key in CREDENTIAL_OPTIONS else {problem.key}
    own = any(key in options and options[key] != upstream.get(key) for key in of_set)
    return None if own or problem.key not in OPTIONS else OPTIONS[problem.key].setting


def raise_for_unknown_options(owner: str, options: Mapping[str, Any]) -> None:
    """Raise if a constructor or factory was given something that is not an option.

    Args:
        owner: Who was called, for the message.
        options: What it was called with.

    Raises:
        ConfigurationError: names the option, and one that may have been meant.
    """
    for problem in find_entry_problems(options):
        raise ConfigurationError(
            f"{owner}: the option {problem.key!r} {problem.message}. {problem.hint}"
        )


def missing_bucket_error(module_name: str) -> ConfigurationError:
    """Return the error for a storage that is used without a bucket."""
    return ConfigurationError(
        f"The module {module_name!r} has no bucket. Set "
        f"{BUCKETS_SETTING}[{module_name!r}]['bucket_name'] or AWS_STORAGE_BUCKET_NAME."
    )
