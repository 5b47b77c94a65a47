"""The ledger in Django's admin: which files wait, which failed and why, and an action to retry."""

from __future__ import annotations

import re
from typing import Any, Dict, Optional

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import capfirst
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from smart_storages.queued.actions import operations
from smart_storages.queued.models import QueuedFile, State

__all__ = ["QueuedFileAdmin"]

_ERROR_WIDTH = 80
_BREAK = mark_safe("<wbr>")
#: Where a browser may break a word in a narrow column.
_SEAM = re.compile(r"[/_.-](?=\S)|[^\s/_.-]{16}(?=[^\s/_.-])")


def breakable(text: str) -> str:
    """Return text as HTML that wraps in a narrow column, even if its words are long.

    Example:
        >>> breakable("scans/<7>.png")
        'scans/<wbr>&lt;7&gt;.<wbr>png'
    """
    ends = [seam.end() for seam in _SEAM.finditer(text)]
    pieces = [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)])]
    return format_html_join(_BREAK, "{}", ((piece,) for piece in pieces))


class QueuedFileAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only except for the retry, because only the queue writes the ledger."""

    #: The columns that fit beside the sidebar and the filters; a row's page shows the rest.
    list_display = ("shown_name", "state", "shown_age", "shown_size", "attempts", "shown_error")
    list_filter = ("state", "storage")
    search_fields = ("name", "last_error")
    ordering = ("-saved_at",)
    actions = ("retry_transfers",)
    exclude = ("key", "lease_token")
    readonly_fields = tuple(
        field.name for field in QueuedFile._meta.fields if field.name not in ("key", "lease_token")
    )

    @admin.display(description=_("name"), ordering="name")
    def shown_name(self, row: QueuedFile) -> str:
        """The name, with places where it may wrap."""
        return breakable(row.name)

    @admin.display(description=_("age"), ordering="saved_at")
    def shown_age(self, row: QueuedFile) -> str:
        """How long ago the file was saved."""
        return timesince(row.saved_at)

    @admin.display(description=_("size"), ordering="size")
    def shown_size(self, row: QueuedFile) -> str:
        """The size, in a unit that suits it."""
        return filesizeformat(row.size)

    @admin.display(description=_("last error"))
    def shown_error(self, row: QueuedFile) -> str:
        """The beginning of the last error."""
        text = row.last_error
        return breakable(text if len(text) <= _ERROR_WIDTH else f"{text[:_ERROR_WIDTH]}…")

    @admin.action(description=_("Retry the failed transfers"), permissions=["retry"])
    def retry_transfers(self, request: HttpRequest, rows: Any) -> None:
        """Queue the chosen rows again, if they have failed."""
        sent, unsent = operations.retry(rows.filter(state=State.FAILED))
        if sent:
            text = ngettext("%d transfer queued again.", "%d transfers queued again.", sent)
            self.message_user(request, text % sent, messages.SUCCESS)
        elif not unsent:
            nothing = _("None of the chosen transfers has failed: nothing was queued again.")
            self.message_user(request, nothing, messages.WARNING)
        if unsent:
            text = _("The engine did not take %d; a sweep will send them.") % unsent
            self.message_user(request, text, messages.WARNING)

    def changelist_view(
        self, request: HttpRequest, extra_context: Optional[Dict[str, Any]] = None
    ) -> HttpResponse:
        """Show a count by state in the title of the list."""
        counted = operations.count_by_state(self.get_queryset(request))
        parts = [f"{count} {State(state).label}" for state, count in counted.items() if count]
        counts = ", ".join(parts) or _("none")
        title = f"{capfirst(QueuedFile._meta.verbose_name_plural)}: {counts}"
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are only made by saving files."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the queue writes rows, so their pages have no button to save."""
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Users who have Django's permission to change rows may retry failed ones."""
        return super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting a row would leave its local copy behind."""
        return False


admin.site.register(QueuedFile, QueuedFileAdmin)
