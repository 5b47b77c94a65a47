"""What the settings of a project on another storage package are here.

The settings and the storages of the fields are read; no storage of another package is called. No
secret is shown: where one stands in the settings, an environment variable is named instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, Callable, Dict, List, Mapping

from django.apps import apps

from smart_storages import config
from smart_storages.checks.in_use import import_backend, iter_fields, sound_aliases
from smart_storages.common.compat import READS_OLD_STORAGE_SETTINGS
from smart_storages.common.secrets import reveal
from smart_storages.config.options import OPTIONS, holds_secret, known_options
from smart_storages.management import of_django_s3_storage
from smart_storages.storages import S3Boto3Storage, SmartS3Storage
from smart_storages.storages.lookup import ready_made_class

__all__ = ["Plan", "make_plan"]

_FALLBACK = "fallback_storage.storage.FallbackStorage"
#: Storages of other packages that have the same name, or nearly, and the same options here.
_SAME: Dict[str, str] = {
    _FALLBACK: "smart_storages.FallbackStorage",
    "queued_storage.backends.DelayedStorage": "smart_storages.queued.backends.DelayedStorage",
    "queued_storage.backends.DoubleFilesystemStorage": (
        "smart_storages.queued.backends.DoubleFilesystemStorage"
    ),
    "queued_storage.backends.QueuedFileSystemStorage": (
        "smart_storages.queued.backends.QueuedStorage"
    ),
    "queued_storage.backends.QueuedS3BotoStorage": "smart_storages.queued.backends.QueuedStorage",
    "queued_storage.backends.QueuedStorage": "smart_storages.queued.backends.QueuedStorage",
    "queued_storage.backends.S3Storage": "smart_storages.queued.backends.S3Storage",
    "storage_dispatcher.StorageDispatcher": "smart_storages.StorageDispatcher",
    "storage_dispatcher.storage.StorageDispatcher": "smart_storages.StorageDispatcher",
}

#: Options of django-queued-storage that have no meaning here.
_DROPPED = {
    "cache_prefix": "the ledger records where a file is",
    "task": "it becomes a subclass of smart_storages.queued.tasks.Transfer",
}

#: Ways to name django-storages' classes, without the module.
_PLAIN = ("S3Boto3Storage", "S3ManifestStaticStorage", "S3StaticStorage", "S3Storage")
_DJANGO_STORAGES = re.compile(rf"storages\.backends\.s3(boto3)?\.({'|'.join(_PLAIN)})")

#: Storages of django-s3-storage.
_S3_STORAGE = re.compile(r"django_s3_storage\.storage\.\w+")
_MODULES = {"default": "media", "staticfiles": "static"}
_LITERALS = (str, int, float, bool, type(None))


@dataclass
class Plan:
    """The settings to write, and what else is to be done.

    Args:
        buckets: Entries of ``SMART_STORAGE_BUCKETS``, by module.
        storages: ``STORAGES``, with the aliases that stay; empty if none changes.
        notes: What is to be changed by hand, a sentence each.
    """

    buckets: Dict[str, Dict[str, Any]] = field(default_factory=dict)
    storages: Dict[str, Dict[str, Any]] = field(default_factory=dict)
    notes: List[str] = field(default_factory=list)

    def as_settings(self) -> str:
        """Return lines for the end of the settings."""
        lines: List[str] = []
        for name, entries in (
            ("SMART_STORAGE_BUCKETS", self.buckets),
            ("STORAGES", self.storages),
        ):
            if entries:
                lines += [f"{name} = {{"]
                if name == "SMART_STORAGE_BUCKETS" and _existing_entries():
                    lines += ["    **SMART_STORAGE_BUCKETS,"]
                lines += [f"    {_source(key)}: {_source(each)}," for key, each in entries.items()]
                lines += ["}", ""]
        source = "\n".join(lines)
        return f"import os\n\n{source}" if "os.environ[" in source else source


class _Variable(str):
    """The name of the environment variable that takes the place of a secret."""

    __slots__ = ()


def make_plan() -> Plan:
    """Return what the project's storages are here; nothing is changed.

    Raises:
        ConfigurationError: ``STORAGES`` cannot be read.
    """
    plan = Plan()
    for alias, params in sound_aliases().items():
        _adopt_alias(plan, alias, params)
    if plan.storages:
        _keep_other_aliases(plan)
    for label, storage in iter_fields():
        _adopt_field(plan, label, storage)
    if any("queued" in str(each["BACKEND"]) for each in plan.storages.values()) and (
        not apps.is_installed("smart_storages.queued")
    ):
        plan.notes.append("Add 'smart_storages.queued' to INSTALLED_APPS, and run migrate.")
    _note_unread_settings(plan)
    return plan


def _note_unread_settings(plan: Plan) -> None:
    # Who moves in and comes to a new Django at once may still have them.
    for name, alias in (
        ("DEFAULT_FILE_STORAGE", "default"),
        ("STATICFILES_STORAGE", "staticfiles"),
    ):
        path = _setting(name, None)
        if path and not READS_OLD_STORAGE_SETTINGS:
            plan.notes.append(
                f"{name} is not read by Django 5.1 and newer: write its path, {path!r}, as BACKEND "
                f"of STORAGES[{alias!r}], and run this again."
            )


def _keep_other_aliases(plan: Plan) -> None:
    # In full: the settings may have no STORAGES, but what older versions of Django use.
    for alias, params in sound_aliases().items():
        if alias not in plan.storages:
            options = _literals(plan, alias, params.get("OPTIONS") or {})
            plan.storages[alias] = _alias(str(params.get("BACKEND")), options)


def _adopt_alias(plan: Plan, alias: str, params: Mapping[str, Any]) -> None:
    path, options = params.get("BACKEND"), dict(params.get("OPTIONS") or {})
    if not isinstance(path, str):
        return
    wanted = _MODULES.get(alias, alias)
    if path == _FALLBACK:
        # There a delete of a file that the first backend lacks reached no other.
        options.setdefault("delete_from", [0])
    if path in _SAME:
        plan.storages[alias] = _alias(_SAME[path], _kept(plan, alias, options))
    elif _S3_STORAGE.fullmatch(path) or _DJANGO_STORAGES.fullmatch(path):
        plan.storages[alias] = _ours(path, _add_module(plan, path, options, wanted))
    else:
        backend = import_backend(params)
        if _is_theirs(backend):
            _adopt_class(plan, backend, f"STORAGES[{alias!r}]", options)


def _adopt_field(plan: Plan, label: str, storage: Any) -> None:
    # A lazy object is the storage of an alias, or of a callable, which is seen as its class.
    cls = type(storage)
    path = f"{cls.__module__}.{cls.__qualname__}"
    if path in _SAME:
        more = ", and add delete_from=[0]" if path == _FALLBACK else ""
        plan.notes.append(f"{label}: import {_SAME[path]} in place of {path}{more}.")
    elif _S3_STORAGE.fullmatch(path) or _DJANGO_STORAGES.fullmatch(path):
        app, model, field_name = label.lower().rsplit(".", 2)
        names = (model, f"{model}_{field_name}", f"{app}_{model}_{field_name}")
        module = _add_module(plan, path, _arguments(storage), *names)
        plan.notes.append(
            f"{label}: write SmartS3Storage(module_name={module!r}) in place of {cls.__name__}()."
        )
    elif _is_theirs(cls):
        _adopt_class(plan, cls, label, _arguments(storage))


def _add_module(plan: Plan, path: str, options: Mapping[str, Any], *names: str) -> str:
    """Add the module of a storage of another package; return the name that it got."""

    def entry_in(plan: Plan, module: str) -> Dict[str, Any]:
        if _S3_STORAGE.fullmatch(path):
            found, notes = of_django_s3_storage.options_of(options, "Static" in path, _setting)
            plan.notes += [f"{module!r}: {note}" for note in notes]
            return _literals(plan, module, found)
        entry = {"querystring_auth": False} if "Static" in path else {}
        return {**entry, **_literals(plan, module, options)}

    return _place(plan, entry_in, *names)


def _place(plan: Plan, entry_in: Callable[[Plan, str], Dict[str, Any]], *names: str) -> str:
    """Add an entry under the first name that no other entry has; return that name."""
    existing = _existing_entries()
    for name in chain(names, (f"{names[-1]}_{number}" for number in count(2))):
        draft = Plan()
        entry = _completed(name, entry_in(draft, name))
        taken = existing.get(name, plan.buckets.get(name, entry))
        if not _is_same(entry, taken):
            continue
        if name not in existing:
            plan.buckets[name] = entry
            plan.notes += [note for note in draft.notes if note not in plan.notes]
        return name
    raise AssertionError("count() has no end")  # pragma: no cover


def _existing_entries() -> Mapping[str, Any]:
    found = _setting("SMART_STORAGE_BUCKETS", {})
    return found if isinstance(found, Mapping) else {}


def _is_same(entry: Mapping[str, Any], other: Any) -> bool:
    # What a secret is cannot be seen: the variable may hold that of the other one.
    return (
        isinstance(other, Mapping)
        and entry.keys() == other.keys()
        and all(isinstance(v, _Variable) or v == reveal(other[k]) for k, v in entry.items())
    )


def _arguments(storage: Any) -> Dict[str, Any]:
    # What Django's @deconstructible keeps of the call that made it.
    _, given = getattr(storage, "_constructor_args", ((), {}))
    return dict(given)


def _adopt_class(plan: Plan, cls: Any, user: str, options: Mapping[str, Any]) -> None:
    """A project's own subclass of django-storages' class: a module that is named after it."""
    given = {**_attributes(cls), **options}
    wanted = _module_of(cls)
    names = (wanted, f"{cls.__module__.split('.')[0].lower()}_{wanted}")
    module = _place(plan, lambda draft, name: _literals(draft, name, given), *names)
    place = f"{cls.__module__}.{cls.__qualname__} ("
    if not any(note.startswith(place) and f" {module!r} " in note for note in plan.notes):
        plan.notes.append(
            f"{place}{user}): derive it from smart_storages.SmartS3Storage, write "
            f"module_name = {module!r} into it, and remove the attributes that the entry has."
        )


def _is_theirs(cls: Any) -> bool:
    is_storage = isinstance(cls, type) and issubclass(cls, S3Boto3Storage)
    return is_storage and not issubclass(cls, SmartS3Storage)


def _attributes(cls: Any) -> Dict[str, Any]:
    """The options that the project's classes set, not those of django-storages."""
    found: Dict[str, Any] = {}
    for each in reversed(cls.__mro__):
        if not each.__module__.startswith(("storages.", "django.")):
            known = known_options()
            found.update({name: value for name, value in vars(each).items() if name in known})
    return found


def _module_of(cls: Any) -> str:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", re.sub(r"Storage$", "", cls.__name__))
    return "_".join(words).lower() or "files"


def _completed(module: str, entry: Mapping[str, Any]) -> Dict[str, Any]:
    """Say what follows from the old settings, and what the presets of a ready-made class change."""
    names = ["bucket_name"]
    ready_made = ready_made_class(module)
    if ready_made is not None:
        names += [name for name in vars(ready_made) if name in OPTIONS]
    before = {name: _setting(str(OPTIONS[name].setting), OPTIONS[name].default) for name in names}
    found = {**before, **entry}
    # A None of the entry switches a setting off.
    return {name: each for name, each in found.items() if each is not None or name in entry}


def _kept(plan: Plan, alias: str, options: Dict[str, Any]) -> Dict[str, Any]:
    for name in _DROPPED.keys() & options.keys():
        plan.notes.append(f"STORAGES[{alias!r}]: {name} is left out: {_DROPPED[name]}.")
    return _literals(
        plan, alias, {name: each for name, each in options.items() if name not in _DROPPED}
    )


def _literals(plan: Plan, module: str, options: Mapping[str, Any]) -> Dict[str, Any]:
    """The options that can be printed; a note for each of the others."""
    found: Dict[str, Any] = {}
    for name, value in options.items():
        if holds_secret(name, value):
            variable = re.sub(r"\W", "_", f"{module}_{name}").upper()
            found[name] = _Variable(variable)
            plan.notes.append(f"{module!r}: put {name} into the environment, as {variable}.")
        elif _is_literal(value):
            found[name] = value
        else:
            plan.notes.append(
                f"{module!r}: add {name}, a {type(value).__name__}, as it is written now."
            )
    return found


def _is_literal(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_literal(each) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_literal, value))
    return type(value) in _LITERALS


def _source(value: Any) -> str:
    if isinstance(value, _Variable):
        return f'os.environ["{value}"]'
    if isinstance(value, Mapping):
        pairs = (f"{_source(key)}: {_source(each)}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"' if value.isprintable() else repr(value)
    return repr(value)


def _alias(path: str, options: Dict[str, Any]) -> Dict[str, Any]:
    return {"BACKEND": path, **({"OPTIONS": options} if options else {})}


def _ours(path: str, module: str) -> Dict[str, Any]:
    ready_made = ready_made_class(module)
    if "Manifest" in path:
        ours, named = "ManifestStaticStorage", module == "static"
    else:
        ours = ready_made.__name__ if ready_made is not None else "SmartS3Storage"
        named = ready_made is not None
    return _alias(f"smart_storages.{ours}", {} if named else {"module_name": module})


def _setting(name: str, default: Any) -> Any:
    return config.get_other_setting(name, default)
