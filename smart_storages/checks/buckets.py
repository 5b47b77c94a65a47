"""System checks of buckets: each entry of the setting, and each storage of ours in use."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple, Type

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from smart_storages import config
from smart_storages.backends.django_classes import find_class_problem
from smart_storages.checks.in_use import build_alias, iter_field_storages, sound_aliases
from smart_storages.checks.overlaps import Place, find_overlaps
from smart_storages.common.documentation import plain_text
from smart_storages.common.secrets import reveal, reveal_all
from smart_storages.config.errors import BUCKETS_SETTING, find_setting
from smart_storages.config.modules import find_hidden_problem, find_key_problems, sample_name
from smart_storages.config.options import CREDENTIAL_OPTIONS, OPTIONS
from smart_storages.config.plain_backends import is_plain
from smart_storages.config.problems import find_entry_problems, find_problems
from smart_storages.config.providers import get_provider
from smart_storages.config.values import Problem, is_class_path
from smart_storages.exceptions import ConfigurationError, UnknownModuleError
from smart_storages.storages import SmartS3Storage, StaticStorage
from smart_storages.storages.lookup import ready_made_class

__all__ = ["check_buckets", "check_storages", "is_in_s3", "look_at_buckets"]

_PREFIX = "smart_storages"

#: The number of each problem; docs/checks.md has a paragraph for each.
_IDS = {
    "bad-setting": "E001",
    "unknown-key": "E002",
    "wrong-type": "E003",
    "unknown-choice": "E004",
    "bad-life": "E005",
    "half-credentials": "E006",
    "mixed-credentials": "E007",
    "bad-location": "E008",
    "bad-endpoint": "E009",
    "public-private": "E010",
    "unknown-placeholder": "E011",
    "bad-domain": "E012",
    "bad-backend": "E022",
    "shared-location": "W001",
    "signed-static": "W002",
    "no-bucket": "W003",
    "shared-pattern": "W004",
}

_PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
_HINT_BUCKET = (
    f"Set 'bucket_name' in {BUCKETS_SETTING}, or AWS_STORAGE_BUCKET_NAME for all modules."
)

_HINT_CLASS = "Write the dotted path of a storage class as 'backend', its arguments as 'options'."


class _Module(NamedTuple):
    """A module with the options that its storages have; ``name`` may be a pattern."""

    name: str
    label: str
    options: Dict[str, Any]
    storage_class: Type[SmartS3Storage]


def check_buckets(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check every entry of ``SMART_STORAGE_BUCKETS``, alone and against the others."""
    return look_at_buckets()[1]


def look_at_buckets() -> Tuple[List[_Module], List[checks.CheckMessage]]:
    """Return the modules whose entries are usable, and messages about all that is wrong."""
    try:
        buckets = config.get_buckets()
        upstream = config.get_upstream_options()
        config.get_max_clients()
        config.get_slow_seconds()
        config.get_metadata_cache_alias()
        config.get_lock_cache_alias()
        config.is_strict()
    except ConfigurationError as error:
        return [], [_message("bad-setting", plain_text(error), "Correct the setting.")]
    messages: List[checks.CheckMessage] = [
        _message(problem.code, f"{OPTIONS[problem.key].setting} {problem.message}.", problem.hint)
        for problem in find_problems(upstream)
        if OPTIONS[problem.key].setting  # else it is that of each module
    ]
    modules: List[_Module] = []
    for key, entry in buckets.items():
        label = f"{BUCKETS_SETTING}[{key!r}]"
        problems = list(_find_entry_problems(key, entry))
        if not problems:
            problems = list(find_key_problems(key, entry))
        if not problems:
            try:
                modules.append(_describe(key, label, upstream))
            except ConfigurationError as error:
                problems = [find_hidden_problem(key, config.find_key(sample_name(key)), error)]
        messages += [_from_problem(label, problem) for problem in problems]
    for module in modules:
        messages += _check_module(module, upstream)
        messages += _check_pattern(module)
        messages += _check_supplier(module)
    return modules, messages + _check_pairs(modules)


def check_storages(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check the storages of ``STORAGES`` and of the models' file fields, where they are ours."""
    modules, reported = look_at_buckets()
    if any(message.is_serious() for message in reported):
        return []  # these storages have the same mistakes
    messages: List[checks.CheckMessage] = []
    seen = set(config.get_buckets())
    for alias, params in sound_aliases().items():
        label = f"STORAGES[{alias!r}]"
        try:
            storage = build_alias(params)
        except (ImproperlyConfigured, ImportError, TypeError) as error:
            messages.append(
                _message("bad-setting", f"{label}: {plain_text(error)}", "Correct the alias.")
            )
            continue
        if storage is not None:
            messages += _check_storage(label, storage, seen, static=alias == "staticfiles")
            if storage.configuration_problem is None:
                modules.append(_describe_alias(label, storage))
    messages += _check_pairs(modules, of_aliases=True)
    for label, storage in iter_field_storages():
        messages += _check_storage(label, storage, seen)
    return messages


def _check_storage(
    label: str, storage: SmartS3Storage, seen: Set[str], static: bool = False
) -> List[checks.CheckMessage]:
    problem = storage.configuration_problem
    if isinstance(problem, UnknownModuleError):
        return []  # reported by check_module_names
    if problem is not None:
        return [_message("bad-setting", f"{label}: {plain_text(problem)}", "Correct the options.")]
    names = ("bucket_name", "default_acl", "object_parameters", "querystring_auth")
    options = {name: getattr(storage, name, None) for name in ("backend", "options", *names)}
    label = f"{label} (module {storage.module_name!r})"
    module = _Module(storage.module_name, label, options, type(storage))
    # The mistakes of a module are reported once, not again for each field that uses it.
    key = config.find_key(storage.module_name) or storage.module_name
    known = key in seen
    seen.add(key)
    messages = [] if known and options["bucket_name"] else _check_module(module)
    if known and options["bucket_name"]:
        messages += _check_private(module)
    if storage.lacks_entry:  # check_module_names reports it, and the module probably meant
        messages = [each for each in messages if each.id != f"{_PREFIX}.{_IDS['no-bucket']}"]
    if static and not isinstance(storage, StaticStorage):
        messages += _check_static(module)
    return messages


def _describe_alias(label: str, storage: SmartS3Storage) -> _Module:
    names = ("bucket_name", "endpoint_url", "location", "default_acl", "object_parameters")
    of_server = ("backend", "provider", "root", *CREDENTIAL_OPTIONS)
    options = {name: getattr(storage, name, None) for name in (*names, *of_server)}
    key = config.find_key(storage.module_name) or storage.module_name
    return _Module(key, label, options, type(storage))


def _describe(key: str, label: str, upstream: Dict[str, Any]) -> _Module:
    name = sample_name(key)
    storage_class = ready_made_class(name) or SmartS3Storage
    presets = storage_class.find_presets()
    options = config.merge_options(name, presets=presets, upstream=upstream)
    return _Module(key, label, options, storage_class)


def _find_entry_problems(key: Any, entry: Any) -> Iterator[Problem]:
    if not isinstance(key, str) or not key:
        yield Problem(
            "bad-setting", "", "is not under the name of a module", "Use text as the key."
        )
    elif not isinstance(entry, Mapping):
        kind = type(entry).__name__
        yield Problem("bad-setting", "", f"must be a dict of options, not {kind}", "Use a dict.")
    else:
        yield from find_entry_problems(entry)


def _check_module(
    module: _Module, upstream: Optional[Mapping[str, Any]] = None
) -> List[checks.CheckMessage]:
    upstream = config.get_upstream_options() if upstream is None else upstream
    problems = [
        problem
        for problem in find_problems(module.options)
        # A problem of an AWS_* setting is reported once, for the setting.
        if not find_setting(problem, module.options, upstream)
    ]
    if is_in_s3(module.options) and not module.options.get("bucket_name"):
        message = "is set neither for the module nor as AWS_STORAGE_BUCKET_NAME"
        problems.append(Problem("no-bucket", "bucket_name", message, _HINT_BUCKET))
    messages = [_from_problem(module.label, problem) for problem in problems]
    messages += _check_class(module) + _check_private(module)
    if issubclass(module.storage_class, StaticStorage):
        messages += _check_static(module)
    return messages


def is_in_s3(options: Mapping[str, Any]) -> bool:
    """Return whether a module with these options keeps its files in S3."""
    return (options.get("backend") or "s3") == "s3"


def _check_pattern(module: _Module) -> List[checks.CheckMessage]:
    if "*" not in module.name:
        return []
    sample = sample_name(module.name)
    names = ("bucket_name", "location", "root", "root_path")
    places = [str(module.options.get(key)) for key in names]
    places.append(str(reveal_all(module.options.get("options"))))
    if any(sample in place for place in places):
        return []
    problem = Problem(
        "shared-pattern",
        "location",
        "does not contain {module}: all modules that match the pattern have the same files",
        "Write 'location': '{module}/', or a bucket_name with {module}.",
    )
    return [_from_problem(module.label, problem)]


def _check_supplier(module: _Module) -> List[checks.CheckMessage]:
    path = module.options.get("credentials")
    if not isinstance(path, str):
        return []
    try:
        found = import_string(path)
    except ImportError as error:
        what = f"cannot be imported: {error}"
    except Exception as error:  # its text may contain a secret
        what = f"cannot be imported: it raises {type(error).__name__}"
    else:
        if callable(found):
            return []
        what = f"is the path of a {type(found).__name__}, not of a callable"
    hint = "Give the dotted path of a function that returns access_key and secret_key."
    return [_from_problem(module.label, Problem("wrong-type", "credentials", what, hint))]


def _check_class(module: _Module) -> List[checks.CheckMessage]:
    backend, options = module.options.get("backend"), module.options.get("options")
    what = find_class_problem(str(backend), options) if is_class_path(backend) else None
    return [_message("bad-backend", f"{module.label}: {what}", _HINT_CLASS)] if what else []


def _check_private(module: _Module) -> List[checks.CheckMessage]:
    if not _is_private_class(module.storage_class):
        return []
    name = module.storage_class.__name__
    messages = []
    acl = module.options.get("default_acl")
    if acl in _PUBLIC_ACLS:
        problem = Problem(
            "public-private",
            "default_acl",
            f"is {acl!r} although {name} is a private class",
            "Remove this default_acl, or use a class that is public.",
        )
        messages.append(_from_problem(module.label, problem))
    acl = _acl_of_parameters({**config.get_upstream_options(), **module.options})
    if acl in _PUBLIC_ACLS:
        problem = Problem(
            "public-private",
            "object_parameters",
            f"has the ACL {acl!r} although {name} is a private class",
            "Remove this ACL, from AWS_S3_OBJECT_PARAMETERS if it stands there, or use a class "
            "that is public.",
        )
        messages.append(_from_problem(module.label, problem))
    return messages


def _is_private_class(storage_class: Type[SmartS3Storage]) -> bool:
    # Also if a subclass replaces the preset by a public one: its readers see "private" in the
    # name of the class, and rely on it.
    return any(
        vars(each).get("default_acl") == "private"
        or vars(each).get("_class_defaults", {}).get("default_acl") == "private"
        for each in storage_class.__mro__
    )


def _acl_of_parameters(options: Mapping[str, Any]) -> Any:
    # It takes precedence: django-storages adds default_acl only if there is no ACL yet.
    given = options["object_parameters"]
    return given.get("ACL") if isinstance(given, Mapping) else None


def _check_static(module: _Module) -> List[checks.CheckMessage]:
    # Without the option, django-storages signs. So it does for a custom domain with a key.
    if module.options.get("querystring_auth", True) is False:
        return []
    problem = Problem(
        "signed-static",
        "querystring_auth",
        "gives static files signed URLs, which expire and which browsers cannot cache",
        "Set querystring_auth to False.",
    )
    return [_from_problem(module.label, problem)]


def _check_pairs(modules: List[_Module], of_aliases: bool = False) -> List[checks.CheckMessage]:
    modules = [
        module
        for module in modules
        # Where no ACLs are kept, none differ.
        if module.options.get("bucket_name") and not is_plain(module.options.get("backend"))
    ]
    upstream = config.get_upstream_options()
    places = [_place_of(module, upstream) for module in modules]
    messages = []
    for number, another in find_overlaps(places, of_aliases):
        one, other = modules[number], modules[another]
        problem = Problem(
            "shared-location",
            "location",
            f"overlaps that of {other.label} in the bucket {one.options['bucket_name']!r}, "
            f"with the ACL {places[number].acl!r} here and {places[another].acl!r} there",
            "Give each a location or a bucket of its own: the last one to save a file "
            "decides who may read it.",
        )
        messages.append(_from_problem(one.label, problem))
    return messages


def _place_of(module: _Module, upstream: Mapping[str, Any]) -> Place:
    options = {**upstream, **module.options}
    return Place(
        key=module.name,
        is_alias=not module.label.startswith(BUCKETS_SETTING),
        bucket=(
            options["bucket_name"],
            options["endpoint_url"],
            _identify_credentials(options),
            options.get("backend"),
            str(options.get("root")),
        ),
        location=str(options["location"] or ""),
        acl=str(_acl_of_parameters(options) or options["default_acl"] or "private"),
    )


def _identify_credentials(options: Mapping[str, Any]) -> str:
    # On some servers each tenant may have a bucket of that name: the credentials tell which.
    if get_provider(options.get("provider"), options["endpoint_url"]).global_names:
        return ""
    names = sorted(CREDENTIAL_OPTIONS - {"secret_key", "security_token"})
    return config.keyed_digest(*(str(reveal(options.get(name))) for name in names))


def _from_problem(label: str, problem: Problem) -> checks.CheckMessage:
    if label.startswith(BUCKETS_SETTING):
        where = f"{label}[{problem.key!r}]" if problem.key else label
    else:  # a field or an alias, whose options may come from several places
        where = f"{label}: {problem.key}"
    return _message(problem.code, f"{where} {problem.message}.", problem.hint)


def _message(code: str, text: str, hint: str) -> checks.CheckMessage:
    number = _IDS[code]
    kind = checks.Warning if number.startswith("W") else checks.Error
    return kind(text, hint=hint, id=f"{_PREFIX}.{number}")
