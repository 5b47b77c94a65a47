"""The engines, which send a row's id to a worker: Celery, ``django.tasks``, or none of them.

This is the only module that imports any of these, and only when one is used.
``SMART_STORAGE_TASKS`` selects it: ``"celery"``, ``"django"``, ``"inline"``, or the dotted path of
a subclass of :class:`Engine` or of a function ``enqueue(pk, delay)``.

An engine may lose a message, or deliver it late or twice. That does no harm, because the ledger is
the record of what there is to do.
"""

from __future__ import annotations

import datetime
import importlib
import logging
import time
from functools import lru_cache
from typing import Any, Callable, Dict, Optional, Tuple, Type

from django.utils import timezone
from django.utils.module_loading import import_string

from smart_storages.config import get_queue_settings, get_tasks_backend
from smart_storages.exceptions import ConfigurationError
from smart_storages.queued.transfer.attempt import process_row
from smart_storages.queued.transfer.page_attempt import process_page
from smart_storages.wrappers.health import Breaker

__all__ = [
    "Engine",
    "enqueue",
    "get_engine",
    "prepare",
    "require",
    "run",
    "send",
    "works_here",
]

logger = logging.getLogger("smart_storages.queued")

CELERY_TASK = "smart_storages.queued.carry"


class Engine:
    """Base class of the engines; ``SMART_STORAGE_TASKS`` may name a subclass.

    Example:
        >>> class Threads(Engine):
        ...     def enqueue(self, pk, delay):
        ...         threading.Timer(delay, run, [pk]).start()
    """

    #: Whether the work is done before ``enqueue`` returns.
    runs_inline = False
    #: Whether it is done on the host that saved the file, so that it can read that disk.
    on_this_host = False

    def prepare(self) -> None:
        """Make the task known to a worker; called once, when the app is ready."""

    def enqueue(self, pk: int, delay: float) -> Any:
        """Ask a worker to call ``run(pk)`` after ``delay`` seconds.

        Args:
            pk: Id of the row, the only content of a message. Below zero, it is that of a page of
                ``buckets copy --queue``.
            delay: Seconds to wait before.

        Returns:
            What the engine offers to look up the result, such as Celery's ``AsyncResult``.
        """
        raise NotImplementedError


def run(pk: int) -> Optional[str]:
    """Do the work of a row; the body of every task, in every engine."""
    # A page's id is sent below zero: an engine of a project passes on one whole number.
    if int(pk) < 0:
        return process_page(-int(pk), lambda page, delay: enqueue(-page, delay))
    return process_row(int(pk), enqueue)


class InlineEngine(Engine):
    """Does the work at once, in the process that saved; the sweep does what has to wait."""

    runs_inline = True
    on_this_host = True

    def enqueue(self, pk: int, delay: float) -> Any:
        return run(pk) if delay <= 0 else None


class CeleryEngine(Engine):
    """Celery 5, with the broker and queues of the project's app."""

    def prepare(self) -> None:
        _make_celery_task()

    def enqueue(self, pk: int, delay: float) -> Any:
        options: Dict[str, Any] = {"retry_policy": _ONCE_MORE}
        if delay > 0:
            options["countdown"] = delay
        queue = get_queue_settings().tasks_queue
        if queue:
            options["queue"] = queue
        if not _breaker.allows():
            raise ConnectionError(
                f"The broker did not answer; no message is sent for up to {_PAUSE:g} s."
            )
        started = time.monotonic()
        try:
            result = self._send(_make_celery_task(), pk, options)
        except Exception:
            if time.monotonic() - started >= _BROKER_SECONDS:
                _breaker.failed()
            raise
        _breaker.succeeded()
        return result

    def _send(self, task: Any, pk: int, options: Dict[str, Any]) -> Any:
        pool = _producers(task.app)
        with pool.acquire(block=True, timeout=_BROKER_SECONDS) as producer:
            # Otherwise a broker that is down would keep a request waiting seconds for each file.
            producer.connection.ensure_connection(**{**_ONCE_MORE, "max_retries": 0})
            return task.apply_async(args=(pk,), producer=producer, **options)


@lru_cache(maxsize=None)
def _make_celery_task() -> Any:
    # Only once: Celery keeps each shared task, to register it with apps that are created later.
    from celery import shared_task

    # Acknowledged when done: if a worker dies, the broker delivers the message again.
    return shared_task(name=CELERY_TASK, acks_late=True, reject_on_worker_lost=True)(run)


def _producers(app: Any) -> Any:
    """Return a pool of the app's producers, on connections with short timeouts.

    With Celery's defaults, the project's connections have no timeout. If a broker accepts a
    connection but does not answer (out of memory, suspended, behind a firewall), a save would wait
    as long as the operating system allows. kombu keeps a separate pool for each set of options.
    """
    from kombu import pools

    connection = app.connection_for_write(connect_timeout=_BROKER_SECONDS)
    given = connection.transport_options
    limits = {
        name: min(given.get(name) or _BROKER_SECONDS, _BROKER_SECONDS)
        for name in _TIMEOUTS.get(connection.transport.driver_type, ())
    }
    connection.transport_options = {**given, **limits}
    pool = pools.producers[connection]
    if pool.limit != app.pool.limit:
        pool.limit = app.pool.limit
    return pool


#: Seconds that the broker may take for each answer.
_BROKER_SECONDS = 1.5
#: Seconds for which no message is sent to a broker that did not answer.
_PAUSE = 30.0
_breaker = Breaker(_PAUSE, time.monotonic)

#: The names of the socket timeouts in kombu's transports.
_TIMEOUTS: Dict[str, Tuple[str, ...]] = {
    "redis": ("socket_timeout", "socket_connect_timeout"),
    "amqp": ("read_timeout", "write_timeout"),
}

#: One more try at once: a pooled connection may have been lost in a restart of the broker.
_ONCE_MORE: Dict[str, int] = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}


class DjangoEngine(Engine):
    """``django.tasks`` of Django 6, or the ``django-tasks`` backport, as ``TASKS`` is set up."""

    def prepare(self) -> None:
        self._task()

    def _task(self) -> Any:
        return importlib.import_module(__name__).carry_queued_file

    @property
    def runs_inline(self) -> bool:  # type: ignore[override]
        """Whether the backend of ``TASKS`` does the work in the request, as Django's own does."""
        return "immediate" in type(self._task().get_backend()).__name__.lower()

    def enqueue(self, pk: int, delay: float) -> Any:
        task = self._task()
        options: Dict[str, Any] = {}
        if delay > 0:
            if not task.get_backend().supports_defer:
                return None  # the sweep does it when it is due
            options["run_after"] = timezone.now() + datetime.timedelta(seconds=delay)
        queue = get_queue_settings().tasks_queue
        if queue:
            options["queue_name"] = queue
        return (task.using(**options) if options else task).enqueue(pk)


class _FunctionEngine(Engine):
    def __init__(self, function: Callable[[int, float], Any]) -> None:
        self._function = function

    def enqueue(self, pk: int, delay: float) -> Any:
        return self._function(pk, delay)


_ENGINES: Dict[str, Type[Engine]] = {
    "celery": CeleryEngine,
    "django": DjangoEngine,
    "inline": InlineEngine,
    "": InlineEngine,
}


def get_engine() -> Engine:
    """Return the engine that ``SMART_STORAGE_TASKS`` names.

    Raises:
        ConfigurationError: It is neither one of the names nor a dotted path of an engine.
    """
    name = get_queue_settings().tasks
    if name in _ENGINES:
        return _ENGINES[name]()
    try:
        found = import_string(name)
    except ImportError as error:
        raise ConfigurationError(
            f"SMART_STORAGE_TASKS = {name!r} is neither 'celery', 'django' nor 'inline', and "
            f"cannot be imported as a dotted path: {error}"
        ) from error
    if isinstance(found, type) and issubclass(found, Engine):
        return found()
    if isinstance(found, Engine):
        return found
    if callable(found):
        return _FunctionEngine(found)
    raise ConfigurationError(
        f"SMART_STORAGE_TASKS = {name!r} is neither an Engine nor a function. Name one of these, "
        "or set it to 'celery', 'django' or 'inline'."
    )


def works_here() -> bool:
    """Whether the engine does the work on the same host, so that it can read the same disks."""
    try:
        engine = get_engine()
        return engine.on_this_host or engine.runs_inline
    except (ConfigurationError, ImportError):
        return False  # reported by the check Q001, and raised on every use


def require() -> None:
    """Make sure that there is an engine; this is cheap enough to do for every save.

    Raises:
        ConfigurationError: A setting of the queue is wrong, or the engine's package is missing.
    """
    engine = get_engine()
    if type(engine) not in _ENGINES.values():
        return
    try:
        engine.prepare()
    except ImportError as error:
        raise ConfigurationError(
            f"SMART_STORAGE_TASKS = {get_queue_settings().tasks!r} cannot be used: {error}."
        ) from error


def prepare() -> None:
    """Make the task known to a worker of the engine."""
    get_engine().prepare()


def send(pk: int, delay: float = 0.0) -> Tuple[bool, Any]:
    """Hand a row to the engine. Never raises: the sweep sends later what could not be sent.

    Args:
        pk: Id of the row, which must be committed.
        delay: Seconds to wait before the work is done.

    Returns:
        Whether the engine took it, and what it returned.
    """
    try:
        return True, get_engine().enqueue(pk, delay)
    except Exception:
        logger.exception("row %s could not be queued; the sweep will do it", pk)
        return False, None


def enqueue(pk: int, delay: float = 0.0) -> Any:
    """Hand a row to the engine as :func:`send`; return what it returned, ``None`` if it failed."""
    return send(pk, delay)[1]


def _make_django_task() -> Any:
    def carry_queued_file(pk: int) -> Optional[str]:
        """Do the work of a row of the ledger."""
        return run(pk)

    # A worker imports the task by the dotted path of its function, so it must be found there.
    carry_queued_file.__module__ = __name__
    carry_queued_file.__qualname__ = "carry_queued_file"
    return _tasks_module().task(carry_queued_file)


def _tasks_module() -> Any:
    # Tasks of the backport do not run on a backend of Django itself, nor the reverse.
    backports = get_tasks_backend().startswith("django_tasks.")
    preferred = "django_tasks" if backports else "django.tasks"
    other = {"django.tasks": "django_tasks", "django_tasks": "django.tasks"}[preferred]
    for name in (preferred, other):
        try:
            return importlib.import_module(name)
        except ImportError as error:
            missing = error
    raise ConfigurationError(
        "SMART_STORAGE_TASKS = 'django' needs Django 6.0, or the package django-tasks."
    ) from missing


def __getattr__(name: str) -> Any:
    if name != "carry_queued_file":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = made = _make_django_task()
    return made
