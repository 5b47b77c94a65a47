"""System checks of the queue; none of them talks to a server.

=====================  ====================================================================
``smart_storages.Q001``  ``SMART_STORAGE_TASKS`` or a ``QUEUED_STORAGE_*`` setting is wrong
``smart_storages.Q002``  a queued storage names a local, a remote or a task that is not there
``smart_storages.Q003``  ``SMART_STORAGE_TASKS`` is not set: transfers run inside the request
``smart_storages.Q004``  Django's tasks backend runs inline
``smart_storages.Q005``  ``local`` is a disk, and the worker may run on another host
``smart_storages.Q006``  two queued storages share a remote, but not a ledger
=====================  ====================================================================
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List

from django.core import checks
from django.core.checks import CheckMessage, Error, register

from smart_storages.config import get_queue_settings
from smart_storages.exceptions import ConfigurationError

from . import engines, registry
from .tasks import get_task

__all__ = ["check_engine", "check_storages"]


@register("smart_storages")
def check_engine(**kwargs: Any) -> List[CheckMessage]:
    """Check the settings of the queue and its engine."""
    try:
        engine = engines.get_engine()
        name = get_queue_settings().tasks
        inline = engine.runs_inline
    except (ConfigurationError, ImportError) as error:
        return [
            Error(
                str(error),
                hint="Set SMART_STORAGE_TASKS to 'celery', 'django', 'inline' or a dotted path.",
                id="smart_storages.Q001",
            )
        ]
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


@register("smart_storages")
def check_storages(**kwargs: Any) -> List[CheckMessage]:
    """Check every queued storage that the models and the settings make."""
    try:
        storages = registry.known_storages(with_settings=True)
        engine = engines.get_engine()
        elsewhere = not (engine.on_this_host or engine.runs_inline)
    except (ConfigurationError, ImportError):
        return []  # told above, or by Django
    found: List[CheckMessage] = []
    sound = []
    for storage in storages:
        try:
            sound.append((storage, storage.local, storage.remote))
            get_task(storage.task)
        except Exception as error:
            found.append(
                Error(
                    f"The queued storage {storage.key!r} cannot be used: {error}",
                    hint="Correct its local, remote or task.",
                    id="smart_storages.Q002",
                )
            )
    if elsewhere:
        found += [_warn_of_disk(storage) for storage, local, _ in sound if _is_disk(local)]
    found += _find_shared_remotes(sound)
    return found


def _is_disk(storage: Any) -> bool:
    try:
        storage.path("a")
    except Exception:
        return False
    return True


def _warn_of_disk(storage: Any) -> CheckMessage:
    return checks.Warning(
        f"The local storage of {storage.key!r} is a disk: a worker on another host does not see "
        "the files.",
        hint=(
            "Run the workers where the files are saved, share the disk, or make local a staging "
            "bucket. Then silence this check, or not at all."
        ),
        id="smart_storages.Q005",
    )


def _find_shared_remotes(sound: List[Any]) -> Iterator[CheckMessage]:
    first: Dict[str, Any] = {}
    for storage, _, _ in sound:
        other = first.setdefault(storage.remote_key, storage)
        if other.key != storage.key:
            yield checks.Warning(
                f"The queued storages {other.key!r} and {storage.key!r} have the same remote, and "
                "neither knows what the other has under a name.",
                hint="Give each a location of its own, or give both the same local and key.",
                id="smart_storages.Q006",
            )
