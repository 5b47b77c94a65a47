"""System checks of the queue; none of them talks to a server.

=====================  ====================================================================
``smart_storages.Q001``  ``SMART_STORAGE_TASKS`` or a ``QUEUED_STORAGE_*`` setting is wrong
``smart_storages.Q002``  a queued storage has a local, remote or task that cannot be used
``smart_storages.Q003``  ``SMART_STORAGE_TASKS`` is not set: transfers run inside the request
``smart_storages.Q004``  Django's tasks backend runs inline
``smart_storages.Q005``  ``local`` is a disk, and the worker may run on another host
``smart_storages.Q006``  two queued storages share a remote, but not a ledger
``smart_storages.Q007``  the queue's app is not installed (checked in ``smart_storages.checks``)
``smart_storages.Q008``  an alias of ``STORAGES`` gives a queued storage an unknown option
``smart_storages.Q009``  ``local`` and ``remote`` are the same place
``smart_storages.Q010``  ``local`` or ``remote`` refers back to the queued storage itself
``smart_storages.Q011``  ``local`` or ``remote`` depends on the current tenant or region
``smart_storages.Q012``  ``QUEUED_STORAGE_CACHE_KEY`` is set, but each process has its own cache
``smart_storages.Q013``  a remote signs its URLs, and the URLconf has no view for local copies
=====================  ====================================================================

A remote without a bucket is reported as ``smart_storages.W003``, as for any other storage.
"""

from __future__ import annotations

import difflib
from contextlib import suppress
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from django.core import checks
from django.core.checks import CheckMessage, Error

from smart_storages.common.documentation import plain_text, register_check
from smart_storages.config import find_key, get_queue_settings
from smart_storages.exceptions import CircularStorageError, ConfigurationError
from smart_storages.queued import engines, registry
from smart_storages.queued.composed_parts import ContextDependentError, contains
from smart_storages.queued.ledger import location_cache
from smart_storages.queued.serving import urls_of_copies
from smart_storages.queued.storage_options import known_options
from smart_storages.queued.tasks import get_task
from smart_storages.queued.transfer.local_copies import path_on_disk
from smart_storages.storages import SmartS3Storage
from smart_storages.storages.lookup import read_aliases, storages
from smart_storages.storages.places import is_same_place

__all__ = ["check_cache", "check_engine", "check_storages"]

_BUILT_IN = ("celery", "django", "inline")
#: What to install for an engine whose package is missing.
# Not as an extra of this package: another project has its name on the public index.
_PACKAGES = {
    "celery": "'celery>=5.2'",
    "django": "'django-tasks>=0.12' 'django-tasks-db>=0.13'",
}
_CONTEXT_HINT = "docs/queued.md shows how, under 'Tenants and regions'."


@register_check("smart_storages")
def check_engine(**kwargs: Any) -> List[CheckMessage]:
    """Check the settings of the queue and its engine."""
    name = ""
    try:
        name = get_queue_settings().tasks
        engines.require()
        inline = engines.get_engine().runs_inline
    except (ConfigurationError, ImportError) as error:
        return [Error(plain_text(error), hint=_hint_for(name), id="smart_storages.Q001")]
    if not name:
        return [
            checks.Warning(
                "SMART_STORAGE_TASKS is not set: transfers run inside the request that saves.",
                hint="Set it to 'celery' or 'django'; or to 'inline', if that is what you want.",
                id="smart_storages.Q003",
            )
        ]
    if inline and name != "inline":
        return [
            checks.Warning(
                "The default backend of TASKS runs a task inside the request that enqueues it.",
                hint="Use one with a worker, such as django_tasks_db.DatabaseBackend.",
                id="smart_storages.Q004",
            )
        ]
    return []


@register_check("smart_storages")
def check_cache(**kwargs: Any) -> List[CheckMessage]:
    """Check that all processes share the cache, if it is to be used."""
    try:
        settings = get_queue_settings()
    except ConfigurationError:
        return []  # reported by check_engine
    if not settings.cache_key or settings.cache_per_process or not location_cache.is_per_process():
        return []
    return [
        checks.Warning(
            "QUEUED_STORAGE_CACHE_KEY is set, but the default cache of CACHES is in the memory of "
            "each process, which would miss what the others save and delete: it is not used.",
            hint=(
                "Use a cache that all processes share, or remove the setting. If one process "
                "does everything, set QUEUED_STORAGE_CACHE_PER_PROCESS = True."
            ),
            id="smart_storages.Q012",
        )
    ]


def _hint_for(name: str) -> str:
    if not name:  # reading the settings failed before this one
        return "Correct the setting that the message names."
    if name in _PACKAGES:
        return f"pip install {_PACKAGES[name]}"
    close = difflib.get_close_matches(name.lower(), _BUILT_IN, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return (
        "Set SMART_STORAGE_TASKS to 'celery', 'django', 'inline' or the dotted path of an Engine "
        "or of a function."
    )


class _Usable(NamedTuple):
    """A queued storage whose local and remote could be built."""

    storage: Any
    local: Any
    remote: Any


@register_check("smart_storages")
def check_storages(**kwargs: Any) -> List[CheckMessage]:
    """Check every queued storage that the models and the settings make."""
    try:
        read_aliases()
    except ConfigurationError:
        return []  # reported by smart_storages.checks.aliases
    found = list(_check_aliases())
    registry.make_nested()
    usable: List[_Usable] = []
    for storage in registry.known_storages():
        try:
            each = _Usable(storage, storage.local, storage.remote)
            get_task(storage.task)
        except CircularStorageError:
            found.append(_circle(storage))
            continue
        except ContextDependentError as error:
            found.append(Error(plain_text(error), hint=_CONTEXT_HINT, id="smart_storages.Q011"))
            continue
        except Exception as error:
            found.append(_unusable(f"The queued storage {storage.key!r}", error))
            continue
        problem = _find_problem(each)
        if problem is None:
            usable.append(each)
            found += _check_bucket(each)
        else:
            found.append(problem)
    disks = [each.storage for each in usable if path_on_disk(each.local, "a")]
    if disks and _works_elsewhere():
        found.append(_warn_of_disks(disks))
    found += _find_shared_remotes(usable)
    found += _find_missing_view(usable)
    return found


def _check_aliases() -> Iterator[CheckMessage]:
    for alias, backend, options in registry.queued_aliases():
        label = f"STORAGES[{alias!r}]"
        known = known_options(backend)
        unknown = [str(name) for name in options if name not in known]
        for name in unknown:
            close = difflib.get_close_matches(name.lower(), known, n=1)
            listed = ", ".join(sorted(known))
            yield Error(
                f"{label}['OPTIONS'][{name!r}] is not an option of {backend.__qualname__}.",
                hint=f"Did you mean {close[0]!r}?" if close else f"Its options are: {listed}.",
                id="smart_storages.Q008",
            )
        if unknown:
            continue
        try:
            registry.enter(storages[alias])
        except Exception as error:
            yield _unusable(label, error)


def _unusable(label: str, error: Exception) -> CheckMessage:
    return Error(
        f"{label} cannot be used: {plain_text(error)}",
        hint="Correct its local, remote, task or other options.",
        id="smart_storages.Q002",
    )


def _circle(storage: Any) -> CheckMessage:
    return Error(
        f"local or remote of the queued storage {storage.key!r} refers back to the storage itself.",
        hint="Give another alias, module or storage.",
        id="smart_storages.Q010",
    )


def _find_problem(each: _Usable) -> Optional[CheckMessage]:
    storage = each.storage
    for name, place in (("local", each.local), ("remote", each.remote)):
        if contains(place, storage):
            return _circle(storage)
        problem = getattr(place, "configuration_problem", None)
        if problem is not None:
            return _unusable(f"The {name} of the queued storage {storage.key!r}", problem)
    if each.local is each.remote or _same_place(each.local, each.remote):
        return Error(
            f"local and remote of the queued storage {storage.key!r} are the same place, so no "
            "file would be transferred.",
            hint="Give each a directory, or a bucket or location, of its own.",
            id="smart_storages.Q009",
        )
    return None


def _same_place(one: Any, other: Any) -> bool:
    with suppress(ConfigurationError):  # wrong credentials, which their own checks report
        return is_same_place(one, other)
    return False


def _check_bucket(each: _Usable) -> Iterator[CheckMessage]:
    for name, place in (("local", each.local), ("remote", each.remote)):
        if not isinstance(place, SmartS3Storage) or place.bucket_name:
            continue
        reference = getattr(each.storage, f"_{name}").reference
        if isinstance(reference, str) and (
            reference in storages.backends or find_key(place.module_name)
        ):
            continue  # reported by the checks of that alias or module
        yield checks.Warning(
            f"The {name} of the queued storage {each.storage.key!r} has no bucket: bucket_name is "
            "set neither for the module nor as AWS_STORAGE_BUCKET_NAME.",
            hint=f"Name another {name}, or set AWS_STORAGE_BUCKET_NAME.",
            id="smart_storages.W003",
        )


def _works_elsewhere() -> bool:
    try:
        engine = engines.get_engine()
        return not (engine.on_this_host or engine.runs_inline)
    except (ConfigurationError, ImportError):
        return False  # reported by check_engine


def _warn_of_disks(found: List[Any]) -> CheckMessage:
    keys = ", ".join(repr(storage.key) for storage in found)
    return checks.Warning(
        f"The local storage of {keys} is a disk: a worker on another host does not see the files.",
        hint=(
            "If every worker sees that disk (it runs where the files are saved, or the disk is "
            "shared), nothing is wrong, and you can silence this check with "
            "SILENCED_SYSTEM_CHECKS. If not, make local a staging bucket."
        ),
        id="smart_storages.Q005",
    )


def _find_shared_remotes(usable: List[_Usable]) -> Iterator[CheckMessage]:
    first: Dict[str, Any] = {}
    for storage, _, _ in usable:
        other = first.setdefault(storage.remote_key, storage)
        if other.key != storage.key:
            yield checks.Warning(
                f"The queued storages {other.key!r} and {storage.key!r} have the same remote, but "
                "neither knows which names the other uses.",
                hint="Give each a location of its own, or give both the same local and key.",
                id="smart_storages.Q006",
            )


def _find_missing_view(usable: List[_Usable]) -> Iterator[CheckMessage]:
    keys = [repr(each.storage.key) for each in usable if urls_of_copies.needs_view(each.storage)]
    try:
        if not keys or urls_of_copies.has_view():
            return
    except Exception:  # the URLconf cannot be imported, which Django's own checks report
        return
    yield checks.Warning(
        f"The remote of {', '.join(keys)} signs its URLs, so the URLs of files that wait for their "
        "transfer are signed too. They need a view that is missing from the URLconf: until it is "
        "added, url() of such a file raises ConfigurationError.",
        hint=f"Add {urls_of_copies.LINE} to the URLconf.",
        id="smart_storages.Q013",
    )
