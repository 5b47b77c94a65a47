"""A panel for django-debug-toolbar: what the storages did for a request.

In the settings::

    DEBUG_TOOLBAR_PANELS = [
        "debug_toolbar.panels.sql.SQLPanel",
        "smart_storages.monitoring.debug_toolbar.StoragesPanel",
    ]

Source: https://django-debug-toolbar.readthedocs.io/en/latest/panels.html
"""

from __future__ import annotations

import os
from collections import Counter
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Dict, List, Optional

from debug_toolbar.panels import Panel
from debug_toolbar.utils import get_stack_trace, render_stacktrace
from django.template import Context, Engine

import smart_storages
from smart_storages.common.documentation import plain_text
from smart_storages.common.reporting import flush
from smart_storages.signals import storage_operation

__all__ = ["StoragesPanel"]

_SHOWN = ("module", "bucket", "operation", "name", "requests", "retries", "bytes")

#: How a storage works inside tells a user nothing.
_INSIDE = tuple(
    part.replace("/", os.sep)
    for part in (
        f"{Path(smart_storages.__file__).resolve().parent.as_posix()}/",
        "/django/core/files/",
        "/django/dispatch/",
        "/storages/backends/",
    )
)

_engine = Engine(dirs=[str(Path(__file__).parent / "templates")])

#: The panel of the request that this thread or task works for.
_current: ContextVar[Optional[StoragesPanel]] = ContextVar("smart_storages_panel", default=None)


class StoragesPanel(Panel):  # type: ignore[misc]
    """Shows each operation of a storage with its requests, retries, bytes, time and stack.

    What a signal of :mod:`smart_storages` says is all that it knows: there is no credential in it,
    and no signed URL. An operation that is made twice with the same file is marked.
    """

    title = nav_title = "Storages"
    is_async = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._operations: List[Dict[str, Any]] = []

    @property
    def nav_subtitle(self) -> str:
        stats = self.get_stats()
        if not stats.get("operations"):
            return "no operations"
        return (
            f"{_count(len(stats['operations']), 'operation')}, "
            f"{_count(stats['requests'], 'request')} in {stats['milliseconds']:.2f}ms"
        )

    @property
    def content(self) -> str:
        template = _engine.get_template("smart_storages/debug_toolbar.html")
        return template.render(Context(self.get_stats()))

    def enable_instrumentation(self) -> None:
        _current.set(self)
        storage_operation.connect(_add, dispatch_uid=__name__)

    def disable_instrumentation(self) -> None:
        # The receiver stays for the requests of other threads; without a panel it does nothing.
        _current.set(None)

    def add(self, operation: Dict[str, Any]) -> None:
        """Note an operation of this request."""
        self._operations.append(operation)

    def generate_stats(self, request: Any, response: Any) -> None:
        """Store what was noted, as values that JSON can hold."""
        flush()
        noted = list(self._operations)
        times = Counter(_identity(each) for each in noted)
        self.record_stats(
            {
                "operations": [{**each, "times": times[_identity(each)]} for each in noted],
                "milliseconds": sum(each["milliseconds"] for each in noted),
                **{
                    name: sum(each[name] for each in noted)
                    for name in ("requests", "retries", "bytes")
                },
            }
        )

    def generate_server_timing(self, request: Any, response: Any) -> None:
        """Tell the browser's developer tools."""
        stats = self.get_stats()
        title = f"Storages: {_count(stats.get('requests', 0), 'request')}"
        self.record_server_timing("storages", title, stats.get("milliseconds", 0))


def _identity(operation: Dict[str, Any]) -> Any:
    return operation["module"], operation["bucket"], operation["operation"], operation["name"]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _add(*, seconds: float, error: Optional[BaseException], **said: Any) -> None:
    panel = _current.get()
    if panel is None:
        return
    panel.add(
        {
            **{name: said[name] for name in _SHOWN},
            "milliseconds": seconds * 1000,
            "error": None if error is None else f"{type(error).__name__}: {plain_text(error)}",
            "stack": str(render_stacktrace(_find_stack())),
        }
    )


def _find_stack() -> Any:
    """Return the frames down to the line that called the storage."""
    stack = list(get_stack_trace())
    while stack and any(part in stack[-1][0] for part in _INSIDE):
        stack.pop()
    return stack
