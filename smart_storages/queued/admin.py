"""The ledger in Django's admin: what waits, what failed and why, and a button to try again."""

from __future__ import annotations

from typing import Any, Dict, Optional

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from . import operations
from .models import QueuedFile, State

__all__ = ["QueuedFileAdmin"]

_ERROR_WIDTH = 80


class QueuedFileAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only, but for the retry: the ledger is written by the queue alone."""

    list_display = (
        "name", "state", "shown_age", "shown_size", "attempts", "shown_error", "storage",
        "generation", "host",
    )  # fmt: skip
    list_filter = ("state", "storage")
    search_fields = ("name", "last_error")
    ordering = ("-saved_at",)
    actions = ("retry_transfers",)
    exclude = ("key", "lease_token")
    readonly_fields = tuple(
        field.name for field in QueuedFile._meta.fields if field.name not in ("key", "lease_token")
    )

    @admin.display(description=_("age"), ordering="saved_at")
    def shown_age(self, row: QueuedFile) -> str:
        """How long ago the file was saved."""
        return timesince(row.saved_at)

    @admin.display(description=_("size"), ordering="size")
    def shown_size(self, row: QueuedFile) -> str:
        """The size, readable."""
        return filesizeformat(row.size)

    @admin.display(description=_("last error"))
    def shown_error(self, row: QueuedFile) -> str:
        """The beginning of the last error."""
        return row.last_error[:_ERROR_WIDTH]

    @admin.action(description=_("Retry the failed transfers"), permissions=["change"])
    def retry_transfers(self, request: HttpRequest, rows: Any) -> None:
        """Queue the chosen rows again, if they have failed."""
        sent, unsent = operations.retry(rows.filter(state=State.FAILED))
        text = ngettext("%d transfer queued again.", "%d transfers queued again.", sent)
        self.message_user(request, text % sent, messages.SUCCESS)
        if unsent:
            told = _("The engine did not take %d; a sweep will send them.") % unsent
            self.message_user(request, told, messages.WARNING)

    def changelist_view(
        self, request: HttpRequest, extra_context: Optional[Dict[str, Any]] = None
    ) -> HttpResponse:
        """Show a count by state in the title of the list."""
        counted = operations.count_by_state(self.get_queryset(request))
        parts = [f"{count} {State(state).label}" for state, count in counted.items() if count]
        title = ", ".join(parts) or _("Nothing is queued")
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows come from saving files."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A row that is deleted would strand its local copy."""
        return False


admin.site.register(QueuedFile, QueuedFileAdmin)
