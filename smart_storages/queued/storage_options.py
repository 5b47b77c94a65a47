"""Validation of the arguments of a queued storage's constructor."""

from __future__ import annotations

import inspect
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, Union

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued.ledger.texts import longest, storable
from smart_storages.queued.tasks import Transfer, how_to_write

__all__ = [
    "DEFAULT_BUCKET",
    "FILESYSTEM",
    "check",
    "choose",
    "known_options",
    "path_of_task",
    "refuse_cache_prefix",
    "take_attributes",
    "with_options",
]

FILESYSTEM = "django.core.files.storage.FileSystemStorage"
DEFAULT_BUCKET = "smart_storages.storages.SmartS3Storage"

#: What a class may have as an attribute, as in django-queued-storage, and what holds if neither the
#: class nor the call says so.
_DEFAULTS: Dict[str, Any] = {
    "local": FILESYSTEM,
    "remote": DEFAULT_BUCKET,
    "local_options": None,
    "remote_options": None,
    "delayed": False,
    "task": Transfer,
}

#: For each argument, what it must be in words, and the types that are accepted.
_TYPES: Dict[str, Tuple[str, Tuple[type, ...]]] = {
    "ask_remote": ("True or False", (bool,)),
    "delayed": ("True or False", (bool,)),
    "durable": ("True or False", (bool,)),
    "key": ("text, or None", (str, type(None))),
    "max_local_bytes": ("a whole number of bytes, 0 or more, or None", (int, type(None))),
    "overwrite": ("True, False or None", (bool, type(None))),
    "signed_urls": ("True, False or None", (bool, type(None))),
}

Place = Tuple[Any, Optional[Mapping[str, Any]]]


def take_attributes(cls: Any) -> None:
    """Make the attributes of a class the defaults of its arguments.

    ``local`` and ``remote`` are removed from the class, where they would hide the properties.
    """
    found = {
        name: value
        for name, value in vars(cls).items()
        if name in _DEFAULTS and not isinstance(value, property)
    }
    for name in found:
        delattr(cls, name)
    cls.declared = {**cls.declared, **found}


def choose(declared: Mapping[str, Any], **given: Any) -> List[Any]:
    """Return each argument that was given, else the attribute of the class, else the default."""
    return [
        declared.get(name, _DEFAULTS[name])
        if value is (Transfer if name == "task" else None)
        else value
        for name, value in given.items()
    ]


def check(cls: str, local: Place, remote: Place, task: Any, **given: Any) -> None:
    """Refuse arguments that cannot be meant.

    Args:
        cls: The name of the class.
        local: The reference to the local storage, and its options.
        remote: The same of the remote.
        task: The task, or its path.
        **given: The other arguments.

    Raises:
        ConfigurationError: Names the class, the argument and the fix.
    """
    _check_types(cls, given)
    _check_places(cls, local, remote)
    _check_task(cls, task)
    _check_key(cls, given["key"])


def _check_types(cls: str, given: Mapping[str, Any]) -> None:
    """Refuse arguments of the wrong type, such as the text ``"no"`` for ``False``.

    Raises:
        ConfigurationError: Names the class, the argument, what it should be and what was given.
    """
    for name, value in given.items():
        what, types = _TYPES[name]
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if fits and not (type(value) is int and value < 0):
            continue
        raise ConfigurationError(f"{cls}: {name} must be {what}, not {value!r}.")


def refuse_cache_prefix(cls: str, cache_prefix: Any, delayed: Any) -> None:
    """Refuse an option of django-queued-storage, which was its fifth argument.

    Raises:
        ConfigurationError: Says what to write instead.
    """
    if cache_prefix is None and not isinstance(delayed, str):
        return
    given = cache_prefix if cache_prefix is not None else delayed
    raise ConfigurationError(
        f"{cls}: cache_prefix ({given!r}) is an option of django-queued-storage. Here the ledger "
        "says where a file is, without a cache: leave it out, and give the arguments after it by "
        "name (delayed=, task=). To cache the ledger's answers, set QUEUED_STORAGE_CACHE_KEY, a "
        "prefix for all storages."
    )


def _check_places(cls: str, local: Place, remote: Place) -> None:
    """Refuse a class as local or remote, and one reference for both; builds no storage.

    Raises:
        ConfigurationError: Names the class, the argument and the fix.
    """
    for name, (_, options) in (("local_options", local), ("remote_options", remote)):
        if not (options is None or isinstance(options, Mapping)):
            kind = type(options).__name__  # not the value, which may hold credentials
            raise ConfigurationError(f"{cls}: {name} must be a dict or None, not {kind}.")
    for name, (reference, _) in (("local", local), ("remote", remote)):
        if isinstance(reference, type):
            raise ConfigurationError(
                f"{cls}: {name} is the class {reference.__qualname__}. Give a storage, "
                f"{reference.__qualname__}(...), or the dotted path of the class, with the options "
                f"in {name}_options."
            )
    same = local[0] is remote[0] or (isinstance(local[0], (str, Mapping)) and local[0] == remote[0])
    if same and dict(local[1] or {}) == dict(remote[1] or {}):
        raise ConfigurationError(
            f"{cls}: local and remote are the same storage, so no file would be transferred. Give "
            "each a place of its own."
        )


def path_of_task(task: Union[str, Type[Transfer]]) -> str:
    """Return the dotted path of a task."""
    return task if isinstance(task, str) else f"{task.__module__}.{task.__qualname__}"


def _check_task(cls: str, task: Any) -> None:
    """Refuse what is neither a task nor a dotted path; a path is imported when a file is saved.

    Raises:
        ConfigurationError: Names the class, the value and the fix.
    """
    if isinstance(task, str) or (isinstance(task, type) and issubclass(task, Transfer)):
        path, most = path_of_task(task), longest("task")
        if len(path) <= most:
            return
        raise ConfigurationError(
            f"{cls}: the path of the task, {path[:40]!r}..., has {len(path)} characters, and the "
            f"ledger holds at most {most}. Import it in a module with a shorter path, and give "
            "that path."
        )
    raise ConfigurationError(
        f"{cls}: task must be a subclass of smart_storages.queued.tasks.Transfer, or its dotted "
        f"path, not {task!r}.{how_to_write(task)}"
    )


def _check_key(cls: str, key: Optional[str]) -> None:
    """Refuse a key that the ledger cannot hold.

    Raises:
        ConfigurationError: Names the class, the key and the fix.
    """
    most = longest("storage")
    if key is None or (len(key) <= most and storable(key) == key):
        return
    if len(key) > most:
        problem = f"has {len(key)} characters, and the ledger holds at most {most}"
    else:
        problem = "contains a NUL or a lone surrogate, which databases refuse"
    raise ConfigurationError(f"{cls}: key {storable(key)[:40]!r}... {problem}. Give another key.")


def known_options(cls: Any) -> List[str]:
    """Return the options that a class of queued storages takes, its parents' included."""
    known: List[str] = []
    for each in cls.__mro__:
        if "__init__" not in vars(each):
            continue
        parameters = list(inspect.signature(each.__init__).parameters.values())[1:]
        known += [
            one.name for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        ]
        if not any(one.kind is one.VAR_KEYWORD for one in parameters):
            break
    return known


def with_options(reference: Any, options: Optional[Mapping[str, Any]]) -> Any:
    """Return a reference that includes the options, if there are any."""
    if not options:
        return reference
    return {"BACKEND": reference, "OPTIONS": dict(options)}
