"""Errors about the configuration; they name the module or setting, the key and the fix."""

from __future__ import annotations

from typing import (
    Any,
    Callable,
    Collection,
    FrozenSet,
    Iterable,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
)

from smart_storages.config.options import CREDENTIAL_OPTIONS, OPTIONS
from smart_storages.config.problems import find_entry_problems, find_problems
from smart_storages.config.spelling import hint_at_modules
from smart_storages.config.values import Problem
from smart_storages.exceptions import ConfigurationError, UnknownModuleError

__all__ = [
    "BUCKETS_SETTING",
    "Sources",
    "configuration_error",
    "describe_missing_entry",
    "find_setting",
    "missing_bucket_error",
    "raise_for_problems",
    "raise_for_unknown_options",
    "unknown_module_error",
]

BUCKETS_SETTING = "SMART_STORAGE_BUCKETS"


def configuration_error(module_key: str, problem: Problem) -> ConfigurationError:
    """Return the error for a problem in a module's entry."""
    return ConfigurationError(
        f"{BUCKETS_SETTING}[{module_key!r}][{problem.key!r}] {problem.message}. {problem.hint}"
    )


class Sources(NamedTuple):
    """The names of the options that each place sets, in order of precedence; never their values."""

    class_name: str = "SmartS3Storage"
    arguments: FrozenSet[str] = frozenset()
    defaults: FrozenSet[str] = frozenset()
    entry_key: Optional[str] = None
    entry: FrozenSet[str] = frozenset()
    presets: FrozenSet[str] = frozenset()
    has_own_defaults: bool = False

    def owner_of(self, key: str) -> Optional[str]:
        """Return the first place that sets an option, ``None`` if only a setting can.

        Credentials are one set: the first place that has one of them is that of all. An option
        that belongs to that set and is not named there is not set at all.

        Returns:
            ``"arguments"``, ``"defaults"``, ``"entry"`` or ``"presets"``.

        Example:
            >>> Sources(entry=frozenset({"access_key"})).owner_of("security_token")
            'entry'
        """
        of_set = CREDENTIAL_OPTIONS | {"external_id"}
        keys = of_set if key in of_set else {key}
        places = ("arguments", "defaults", "entry", "presets")
        return next((place for place in places if keys & getattr(self, place)), None)

    def find(self, problem: Problem, module_name: str) -> Optional[str]:
        """Return the place that sets the wrong option, as the subject of a sentence, if known."""
        key, keys = problem.key, _at_fault(problem)
        if keys & self.arguments:
            return (
                f"The option {key!r} of the module {module_name!r}, given to {self.class_name} "
                "(by its constructor, or as OPTIONS in STORAGES),"
            )
        if keys & self.defaults:
            return f"The option {key!r} given to create_storage_class({module_name!r})"
        if keys & self.entry:
            return f"{BUCKETS_SETTING}[{self.entry_key!r}][{key!r}]"
        if keys & self.presets:
            return f"The attribute {self.class_name}.{key}, of the module {module_name!r},"
        if self.has_own_defaults:
            return f"{self.class_name}.get_default_settings(): the option {key!r}"
        return None


def _at_fault(problem: Problem) -> FrozenSet[str]:
    # A problem of several options together is reported under the key of one of them.
    if problem.key in CREDENTIAL_OPTIONS:
        return CREDENTIAL_OPTIONS | {"external_id"}
    if problem.code == "bad-life":
        return frozenset({"querystring_expire", "url_stable_for"})
    return frozenset({problem.key})


def raise_for_problems(
    module_name: str,
    options: Mapping[str, Any],
    upstream: Mapping[str, Any],
    find_sources: Callable[[], Sources] = Sources,
) -> None:
    """Raise for the first thing wrong with the options of a storage.

    Args:
        module_name: Name of the module.
        options: The result of :func:`smart_storages.config.merge_options`.
        upstream: The result of :func:`smart_storages.config.get_upstream_options`.
        find_sources: Returns where the options come from; called only if one is wrong.

    Raises:
        ConfigurationError: names the module, the place the option comes from, and the fix.
    """
    for problem in find_problems({**upstream, **options}):
        where = find_sources().find(problem, module_name)
        if where is None:
            setting = find_setting(problem, options, upstream)
            if setting is None:
                raise configuration_error(module_name, problem)
            where = f"The setting {setting}, which the module {module_name!r} uses,"
        raise ConfigurationError(f"{where} {problem.message}. {problem.hint}")


def find_setting(
    problem: Problem, options: Mapping[str, Any], upstream: Mapping[str, Any]
) -> Optional[str]:
    """Return the ``AWS_*`` setting that is wrong, ``None`` if it is one of the module's options."""
    of_set = CREDENTIAL_OPTIONS if problem.key in CREDENTIAL_OPTIONS else {problem.key}
    own = any(key in options and options[key] != upstream.get(key) for key in of_set)
    return None if own or problem.key not in OPTIONS else OPTIONS[problem.key].setting


def raise_for_unknown_options(owner: str, options: Mapping[str, Any]) -> None:
    """Raise if a constructor or factory was given something that is not an option.

    Args:
        owner: The constructor or factory, for the message.
        options: The options that it was called with.

    Raises:
        ConfigurationError: names the option, and one that was probably meant.
    """
    for problem in find_entry_problems(options):
        raise ConfigurationError(
            f"{owner}: the option {problem.key!r} {problem.message}. {problem.hint}"
        )


def missing_bucket_error(module_name: str, known: Collection[Any] = ()) -> ConfigurationError:
    """Return the error for a storage that is used without a bucket.

    Args:
        module_name: Name of the module.
        known: The modules that have an entry, if this one has none.
    """
    hint = hint_at_modules(module_name, [*map(str, known)]) if known else ""
    return ConfigurationError(
        f"The module {module_name!r} has no bucket. Set "
        f"{BUCKETS_SETTING}[{module_name!r}]['bucket_name'] or AWS_STORAGE_BUCKET_NAME. "
        f"{hint}".rstrip()
    )


def describe_missing_entry(
    module_name: str, bucket_name: Optional[str], known: Iterable[Any]
) -> Tuple[str, str]:
    """Return what happens because a module has no entry, and a hint at the one probably meant.

    Args:
        module_name: Name of the module.
        bucket_name: The default bucket that it uses instead, ``None`` if there is none.
        known: The keys of ``SMART_STORAGE_BUCKETS``.
    """
    if bucket_name:
        what = f"its files go to {bucket_name!r}, the bucket of AWS_STORAGE_BUCKET_NAME"
    else:
        what = "it has no bucket"
    text = f"The module {module_name!r} has no entry in {BUCKETS_SETTING}, so that {what}."
    hint = (
        f"{hint_at_modules(module_name, [*map(str, known)])} If the module is meant to use the "
        f"AWS_* settings, add an empty entry: {{{module_name!r}: {{}}}}."
    )
    return text, hint


def unknown_module_error(
    module_name: str, bucket_name: Optional[str], known: Iterable[Any]
) -> UnknownModuleError:
    """Return the error for a module without an entry while ``SMART_STORAGE_STRICT`` is set."""
    text, hint = describe_missing_entry(module_name, bucket_name, known)
    return UnknownModuleError(f"{text} SMART_STORAGE_STRICT does not allow that. {hint}")
