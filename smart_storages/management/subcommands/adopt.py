"""``manage.py buckets adopt``: the settings of a project on another package, as they are here."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict

from smart_storages.management.adopting import make_plan
from smart_storages.management.output import Context
from smart_storages.management.subcommands import FINE

__all__ = ["HELP", "add_arguments", "handle"]

HELP = (
    "Read the settings of a project on django-storages, django-s3-storage, "
    "django-fallback-storage, django-queued-storage or django-storage-dispatcher, and print those "
    "that replace them. Nothing is changed."
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no argument."""


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Print the settings, and what is to be changed by hand."""
    plan = make_plan()
    if context.json:
        context.write_json(
            {"SMART_STORAGE_BUCKETS": plan.buckets, "STORAGES": plan.storages, "notes": plan.notes}
        )
        return FINE
    source = plan.as_settings()
    if not source and not plan.notes:
        context.write("There is nothing to change: no storage of those packages is in use.")
        return FINE
    if source:
        context.write("# At the end of the settings; what stands above stays.")
        context.write(source)
    if source and plan.notes:
        context.write()
    for note in plan.notes:
        context.write(f"# - {note}")
    return FINE
