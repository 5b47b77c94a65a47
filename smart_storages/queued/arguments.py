"""What the constructor of a queued storage accepts, and what it says to anything else."""

from __future__ import annotations

import inspect
from typing import Any, Dict, List, Mapping, Optional, Tuple

from smart_storages.exceptions import ConfigurationError

from .tasks import Transfer

__all__ = ["check_places", "check_task", "check_types", "known_options", "with_options"]

#: What each argument has to be, and the types that are.
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


def check_types(cls: str, given: Mapping[str, Any]) -> None:
    """Refuse arguments of the wrong type: what is "no" is not False.

    Raises:
        ConfigurationError: Names the class, the argument, what it should be and what was given.
    """
    for name, value in given.items():
        what, types = _TYPES[name]
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if fits and not (type(value) is int and value < 0):
            continue
        raise ConfigurationError(f"{cls}: {name} must be {what}, not {value!r}.")


def check_places(cls: str, local: Place, remote: Place) -> None:
    """Refuse a class, and a local and a remote that are plainly one storage; looks nothing up.

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
            f"{cls}: local and remote are the same storage, so that no file would travel. Give "
            "each a place of its own."
        )


def check_task(cls: str, task: Any) -> None:
    """Refuse what is neither a task nor a path; a path is looked up when a file is saved.

    Raises:
        ConfigurationError: Names the class, and what was given.
    """
    if isinstance(task, str) or (isinstance(task, type) and issubclass(task, Transfer)):
        return
    raise ConfigurationError(
        f"{cls}: task must be a subclass of smart_storages.queued.tasks.Transfer, or its dotted "
        f"path, not {task!r}."
    )


def known_options(cls: Any) -> List[str]:
    """Return what a class of queued storages takes, its parents' options too."""
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
    """Return one reference for a dotted path and its options."""
    if not options:
        return reference
    return {"BACKEND": reference, "OPTIONS": dict(options)}
