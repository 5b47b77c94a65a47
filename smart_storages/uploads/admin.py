"""The ledger of direct uploads in Django's admin, and a mixin for a project's own models."""

from __future__ import annotations

from typing import Any, Dict

from django import forms
from django.contrib import admin
from django.db.models import FileField
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from smart_storages.uploads.forms import DirectFileField, DirectImageField, direct_widget
from smart_storages.uploads.models import DirectUpload
from smart_storages.uploads.targets import label_of

__all__ = ["DirectUploadAdmin", "DirectUploadAdminMixin"]


#: Which field of a form takes the place of Django's, and of no subclass of it.
_OURS: Dict[Any, Any] = {forms.FileField: DirectFileField, forms.ImageField: DirectImageField}


class DirectUploadAdminMixin:
    """Uploads every file of a model straight to its bucket, in the admin.

    For models with Django's ``FileField``; a ``DirectFileField`` needs no mixin. It works with a
    ``ModelAdmin`` and with an inline, and stands before it.

    Example::

        class FilmAdmin(DirectUploadAdminMixin, admin.ModelAdmin):
            inlines = [PosterInline]
    """

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Return the field of the form, with the widget that uploads.

        Source: ``BaseModelAdmin.formfield_for_dbfield`` of Django.
        """
        made = super().formfield_for_dbfield(  # type: ignore[misc]
            db_field, request, **kwargs
        )
        ours = _OURS.get(type(made))
        if ours is not None:
            # With Django's, a plain upload has no limits, and an image is read into memory.
            given = {**kwargs, "form_class": ours, "label_of_upload": label_of(db_field)}
            made = super().formfield_for_dbfield(  # type: ignore[misc]
                db_field, request, **given
            )
        if made is not None and isinstance(db_field, FileField):
            made.widget = direct_widget(made.widget)
            made.widget.upload_label = label_of(db_field)
            made.widget.is_required = made.required
        return made


class DirectUploadAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only, because only uploads write the ledger."""

    list_display = ("file_name", "state", "field", "shown_size", "owner", "begun_at")
    list_filter = ("state", "field")
    search_fields = ("file_name", "name", "owner")
    ordering = ("-begun_at",)
    exclude = ("upload_id", "adopter")
    readonly_fields = tuple(
        field.name
        for field in DirectUpload._meta.fields
        if field.name not in ("upload_id", "adopter")
    )

    @admin.display(description=_("size"), ordering="size")
    def shown_size(self, row: DirectUpload) -> str:
        """The size, in a unit that suits it."""
        return filesizeformat(row.size)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are only made by uploading."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only uploads write rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting a row would leave its parts in the bucket; `buckets audit` removes both."""
        return False


admin.site.register(DirectUpload, DirectUploadAdmin)
