"""File fields of models whose forms upload straight from the browser to the bucket."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Sequence, Tuple, Type, cast

from django.core.files.images import get_image_dimensions
from django.db import connections, router
from django.db.models import FileField, ImageField, Model
from django.db.models.fields.files import FieldFile, ImageFieldFile

from smart_storages.config import check_upload_options
from smart_storages.uploads import forms, ledger
from smart_storages.uploads.adopting import (
    adopt_at_save,
    adopt_now,
    adopt_with_row,
    find_unsaved,
)
from smart_storages.uploads.files import find_upload
from smart_storages.uploads.targets import Permission, check_permission, label_of

__all__ = ["DirectFieldFile", "DirectFileField", "DirectImageField", "DirectImageFieldFile"]


class _DirectFieldFile(FieldFile):
    def save(self, name: Optional[str], content: Any, save: bool = True) -> None:
        """Take a direct upload over, or save any other content.

        A file that was uploaded under its final name stays where it is, and no request is sent. The
        upload is used up together with the row: here, or with ``save=False`` when it is saved.

        Args:
            name: Name of the file.
            content: The file.
            save: Whether to save the instance too.

        Source: ``FieldFile.save`` of Django.
        """
        upload = find_upload(content)
        if upload is None:
            super().save(cast(str, name), content, save)
            return
        if upload.is_being_saved:
            self._take_over(name, upload)
        elif save:
            with adopt_now(self.instance, self.field, upload):
                self._take_over(name, upload)
                self.instance.save()
        else:
            self._take_over(name, upload)
            adopt_with_row(self.instance, self.field, upload)

    def _take_over(self, name: Optional[str], upload: Any) -> None:
        if _is_in_place(self, upload) and upload.hold(self.instance, self.field.attname):
            self.name = upload.stored_name
            setattr(self.instance, self.field.attname, self.name)
            self._committed = True
        else:
            super().save(cast(str, name), upload, save=False)

    save.alters_data = True  # type: ignore[attr-defined]


def _is_in_place(file: FieldFile, upload: Any) -> bool:
    target = upload.take().target
    return bool(
        target.is_final
        and target.label == label_of(file.field)
        and target.storage is file.field.storage
    )


class DirectFieldFile(_DirectFieldFile):
    """The file of a :class:`DirectFileField`."""


class DirectImageFieldFile(_DirectFieldFile, ImageFieldFile):
    """The file of a :class:`DirectImageField`; its dimensions are in its first bytes."""

    def _get_image_dimensions(self) -> Tuple[int, int]:
        if not hasattr(self, "_dimensions_cache"):
            upload = None if self._committed else find_upload(self)
            found = (None, None) if upload is None else get_image_dimensions(upload.open_head())
            if None not in found:
                self._dimensions_cache = found
        dimensions: Tuple[int, int] = super()._get_image_dimensions()  # type: ignore[misc]
        return dimensions


class _DirectField(FileField):
    #: Programs may name this field without a signature; whether they may upload is asked then.
    takes_direct_uploads = True

    form_class: Type[forms.DirectFileField] = forms.DirectFileField

    def __init__(
        self,
        *args: Any,
        permission: Optional[Callable[[Any, Any], bool]] = None,
        max_size: Optional[int] = None,
        types: Optional[Sequence[str]] = None,
        uploads_per_hour: Optional[int] = None,
        bytes_per_hour: Optional[int] = None,
        expiry: Optional[int] = None,
        **kwargs: Any,
    ) -> None:
        given = {
            "max_size": max_size,
            "types": types,
            "uploads_per_hour": uploads_per_hour,
            "bytes_per_hour": bytes_per_hour,
            "expiry": expiry,
        }
        check_permission(type(self).__name__, permission)
        self.upload_permission: Optional[Permission] = permission
        self.upload_limits: Dict[str, Any] = check_upload_options(
            type(self).__name__,
            {name: value for name, value in given.items() if value is not None},
        )
        super().__init__(*args, **kwargs)

    def contribute_to_class(  # type: ignore[override]
        self, cls: Type[Model], name: str, **kwargs: Any
    ) -> None:
        super().contribute_to_class(cls, name, **kwargs)
        adopt_at_save(cls)

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        """Return the file, saved.

        Raises:
            ValueError: ``bulk_create()`` has it saved outside of a transaction.
        """
        upload = find_unsaved(model_instance, self)
        if upload is None or upload.is_being_saved:
            return super().pre_save(model_instance, add)
        # Django 6.1 begins no transaction for what it inserts with one statement.
        used = {ledger.database(), router.db_for_write(type(model_instance))}
        if not any(connections[alias].in_atomic_block for alias in used):
            raise ValueError(
                f"{label_of(self)}: bulk_create() of a direct upload needs a transaction, or a row "
                "that cannot be saved would lose its file. Call it within transaction.atomic()."
            )
        with adopt_now(model_instance, self, upload):
            return super().pre_save(model_instance, add)

    def get_prep_value(self, value: Any) -> Any:
        """Return the name of the file.

        Raises:
            ValueError: it is an upload that no row has taken over: the name would be that of no
                file.
        """
        if not getattr(value, "_committed", False) and find_upload(value) is not None:
            raise ValueError(
                f"{label_of(self)}: update() and bulk_update() do not save files. Assign the "
                "upload to a row, and call its save()."
            )
        return super().get_prep_value(value)

    def formfield(self, **kwargs: Any) -> Any:
        """Return the field of a form, with the widget that uploads; the admin's looks the same.

        Source: ``FileField.formfield`` of Django.
        """
        widget = forms.direct_widget(kwargs.pop("widget", None))
        given = {"form_class": self.form_class, "label_of_upload": label_of(self), **kwargs}
        return super().formfield(widget=widget, **given)


class DirectFileField(_DirectField):
    """Django's ``FileField``; a browser uploads its file straight to the bucket.

    Args:
        permission: Who may upload: a function of the request and the
            :class:`~smart_storages.uploads.targets.Target`. By default staff who may add or change
            rows of the model.
        max_size: Most bytes of a file.
        types: What may be uploaded: ``["image/*", "application/pdf", ".csv"]``.
        uploads_per_hour: Most uploads of a user in an hour.
        bytes_per_hour: Most bytes of a user in an hour.
        expiry: Seconds from the beginning of an upload until its form must have been submitted.

    Other arguments are those of ``FileField``. What is not given is taken from
    ``SMART_STORAGE_UPLOADS``. None of these arguments is written into migrations.

    Raises:
        ConfigurationError: a limit has a wrong value, or the permission is no function.

    Example::

        class Film(models.Model):
            video = DirectFileField(upload_to="films/%Y", types=["video/*"], max_size=50 * 1024**3)
    """

    attr_class = DirectFieldFile


class DirectImageField(_DirectField, ImageField):
    """Django's ``ImageField``; a browser uploads its file straight to the bucket.

    As :class:`DirectFileField`. ``width_field`` and ``height_field`` are filled from the first
    bytes of the image.

    Example::

        class Author(models.Model):
            portrait = DirectImageField(upload_to="portraits", max_size=20 * 1024**2)
    """

    attr_class = DirectImageFieldFile
    form_class = forms.DirectImageField
