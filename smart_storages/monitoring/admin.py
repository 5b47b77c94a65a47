"""The page "Buckets" of Django's admin: their health, what they take up, transfers and errors.

It shows what was noted, and sends no request to S3.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import ConfigurationError
from smart_storages.management.places import Place, find_places
from smart_storages.monitoring.models import BucketCheck, BucketUsage
from smart_storages.monitoring.noting import read_errors
from smart_storages.queued import ledger
from smart_storages.queued.models import State

__all__ = ["BucketsAdmin"]

#: Size of the drawing of a module's usage, and how many counts it shows.
_WIDTH, _HEIGHT = 160, 32
_MOST_POINTS = 90
_MOST_FAILED = 20


class Row(NamedTuple):
    """A module on the page."""

    place: Place
    check: Optional[BucketCheck]
    usage: List[BucketUsage]

    @property
    def last(self) -> Optional[BucketUsage]:
        """What it took up when it was counted last."""
        return self.usage[-1] if self.usage else None

    @property
    def access(self) -> str:
        """Who may read its files, ``""`` where the settings are wrong."""
        return "" if self.place.problem else self.place.access

    @property
    def points(self) -> str:
        """The bytes over time, as points of an SVG polyline; ``""`` for fewer than two counts."""
        return draw([(each.measured_at.timestamp(), each.bytes) for each in self.usage])


def draw(counts: List[Any]) -> str:
    """Return pairs of a time and a number as points of an SVG polyline.

    Example:
        >>> draw([(0, 0), (50, 5), (100, 10)])
        '1.0,31.0 80.0,16.0 159.0,1.0'
    """
    if len(counts) < 2:  # noqa: PLR2004
        return ""
    first, last = counts[0][0], counts[-1][0]
    most = max(number for _, number in counts) or 1
    return " ".join(
        f"{1 + (_WIDTH - 2) * (at - first) / ((last - first) or 1):.1f},"
        f"{_HEIGHT - 1 - (_HEIGHT - 2) * number / most:.1f}"
        for at, number in counts
    )


class BucketsAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """One row for each module in place of the list of checks; a check has a page of its own."""

    fields = ("module", "bucket", "checked_at", "is_fine", "findings")
    readonly_fields = fields

    def changelist_view(
        self, request: HttpRequest, extra_context: Optional[Dict[str, Any]] = None
    ) -> HttpResponse:
        """Show the page to staff who may view it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows, problem = self._find_rows()
        may_see_transfers = apps.is_installed("smart_storages.queued") and request.user.has_perm(
            "smart_storages_queued.view_queuedfile"
        )
        context = {
            **self.admin_site.each_context(request),
            "title": _("Buckets"),
            "opts": self.opts,
            "rows": rows,
            "problem": problem,
            "width": _WIDTH,
            "height": _HEIGHT,
            **_find_errors(),
            "transfers": _count_transfers() if may_see_transfers else {},
            "failed": _find_failed() if may_see_transfers else [],
            **(extra_context or {}),
        }
        template = "admin/smart_storages_monitoring/bucketcheck/buckets.html"
        return TemplateResponse(request, template, context)

    def _find_rows(self) -> Any:
        try:
            places = find_places()
        except ConfigurationError as error:
            return [], plain_text(error)
        return [
            Row(
                place,
                BucketCheck.objects.filter(module=place.module).order_by("-pk").first(),
                list(
                    reversed(
                        BucketUsage.objects.filter(module=place.module).order_by("-pk")[
                            :_MOST_POINTS
                        ]
                    )
                ),
            )
            for place in places
        ], ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are made by the command alone."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are not changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The oldest ones go by themselves."""
        return False


def _find_errors() -> Dict[str, Any]:
    try:
        return {"errors": read_errors()}
    except Exception as error:  # of the cache's server, which may be down: the rest is shown
        return {"errors": [], "errors_problem": type(error).__name__}


def _count_transfers() -> Dict[str, List[Tuple[str, int]]]:
    """Return how many files of each queued storage are in which state."""
    counted: Dict[str, List[Tuple[str, int]]] = {}
    rows = ledger.rows().order_by("storage", "state").values_list("storage", "state")
    for storage, state, count in rows.annotate(count=Count("pk")):
        counted.setdefault(storage, []).append((str(State(state).label), count))
    return counted


def _find_failed() -> List[Any]:
    """Return the transfers that failed last."""
    return list(ledger.rows().filter(state=State.FAILED).order_by("-pk")[:_MOST_FAILED])


admin.site.register(BucketCheck, BucketsAdmin)
