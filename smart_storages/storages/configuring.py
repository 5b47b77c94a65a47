"""Where the options of a storage come from: its class, its module, and its constructor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Mapping, Optional, Sequence

from smart_storages import config
from smart_storages.exceptions import ConfigurationError

if TYPE_CHECKING:
    from smart_storages.config.errors import Sources

__all__ = ["ConfiguringMixin"]


class ConfiguringMixin:
    """The part of a storage that knows its options and where each of them comes from."""

    module_name: str
    _options: Dict[str, Any]
    _lacks_entry = False

    # What create_storage_class was given; these override settings, which override presets.
    _class_defaults: Dict[str, Any] = {}  # noqa: RUF012
    # Options that only an override of get_default_settings() defines.
    _added_options: FrozenSet[str] = frozenset()

    def get_default_settings(self) -> Dict[str, Any]:
        """Return the ``AWS_*`` options; a subclass may override this to return other values.

        Source: ``S3Storage.get_default_settings`` of django-storages.
        """
        return config.get_upstream_options()

    @classmethod
    def _has_own_defaults(cls) -> bool:
        return cls.get_default_settings is not ConfiguringMixin.get_default_settings

    def _read_defaults(self) -> Dict[str, Any]:
        upstream = config.get_upstream_options()
        if not self._has_own_defaults():
            return upstream
        owner = f"{type(self).__name__}.get_default_settings()"
        own = _complete_defaults(owner, self.get_default_settings(), upstream)
        self._added_options = frozenset(own) - config.options.known_options()
        return own

    def _refuse_unknown(self, options: Dict[str, Any]) -> None:
        unknown = {*options} - config.options.known_options()
        if unknown and self._has_own_defaults():
            # An override may add options of its own.
            unknown -= {*self.get_default_settings()}
            options = {
                name: each
                for name, each in options.items()
                if name in unknown or name in config.options.known_options()
            }
        config.errors.raise_for_unknown_options(type(self).__name__, options)

    def _require_entry(self, bucket: Optional[str], named: Sequence[Mapping[str, Any]]) -> None:
        # A misspelt module name would send its files to the default bucket. If the storage itself
        # names a bucket, there is no such mistake.
        if self._is_computed("bucket_name") or any("bucket_name" in each for each in named):
            return
        if config.has_entry(self.module_name):
            return
        if self._has_own_defaults() and bucket != config.get_upstream_options()["bucket_name"]:
            return
        self._lacks_entry = True
        if config.is_strict():
            raise config.errors.unknown_module_error(self.module_name, bucket, config.get_buckets())

    def describe_sources(self) -> Sources:
        """Return the names of the options that each place sets, in order of precedence."""
        return config.errors.Sources(
            class_name=type(self).__name__,
            arguments=frozenset(self._options),
            defaults=frozenset(self._class_defaults),
            entry_key=config.find_key(self.module_name),
            entry=frozenset(config.get_module_entry(self.module_name)),
            presets=frozenset(self.find_presets()),
            has_own_defaults=self._has_own_defaults(),
        )

    @classmethod
    def find_presets(cls) -> Dict[str, Any]:
        """Return the options that the class presets: its attributes with the name of an option."""
        known = config.options.known_options()
        backend = getattr(cls, "backend", None)
        if backend not in config.values.BACKENDS and not config.values.is_class_path(backend):
            known -= config.options.BACKEND_OPTIONS | {"backend"}
        named = [name for name in known if hasattr(cls, name)]
        return {name: getattr(cls, name) for name in named if not cls._is_computed(name)}

    @classmethod
    def class_defaults(cls) -> Dict[str, Any]:
        """Return the options that ``create_storage_class`` was given."""
        return dict(cls._class_defaults)

    @classmethod
    def _is_computed(cls, name: str) -> bool:
        # A property chooses at run time: it is neither a preset value nor settable.
        return isinstance(getattr(cls, name, None), property)

    @property
    def lacks_entry(self) -> bool:
        """Whether ``SMART_STORAGE_BUCKETS`` is set but has no entry for this storage's module."""
        return self._lacks_entry


def _complete_defaults(
    owner: str, own: Mapping[str, Any], upstream: Mapping[str, Any]
) -> Dict[str, Any]:
    """Return the options of an overridden ``get_default_settings()``, completed from the settings.

    Args:
        owner: The method, for messages.
        own: What it returned. Options that are missing come from ``upstream``.
        upstream: What ``config.get_upstream_options`` returned.

    Returns:
        The options, guarded. Credentials are one set, as everywhere: if one of them differs from
        the settings, none is taken from the settings.

    Raises:
        ConfigurationError: it is not a dict, or a value has the wrong type.
    """
    if not isinstance(own, Mapping):
        raise ConfigurationError(f"{owner} must return a dict, not {type(own).__name__}.")
    own = config.options.guard(own)  # a traceback shows the arguments
    for problem in config.problems.find_upstream_problems(own):
        raise ConfigurationError(
            f"{owner}: the option {problem.key!r} {problem.message}. {problem.hint}"
        )
    options = {**upstream, **own}
    credentials = config.options.CREDENTIAL_OPTIONS
    named = {key for key in credentials if options.get(key) != upstream.get(key)}
    if named:
        options.update(dict.fromkeys((credentials & {*options}) - named))
    return options
