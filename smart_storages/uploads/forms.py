"""The widget that uploads, and the fields of forms that know what to do with it.

The widget works with any ``FileField`` of a form, a ModelForm, a formset or the admin. Without
JavaScript it is Django's own.
"""

from __future__ import annotations

import json
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Type

from django import forms
from django.core.exceptions import SynchronousOnlyOperation, ValidationError
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from smart_storages.common.compat import module_script
from smart_storages.config import keyed_digest
from smart_storages.exceptions import ConfigurationError, UploadError
from smart_storages.uploads.adopting import adopt_at_save
from smart_storages.uploads.files import DirectUploadFile, find_upload
from smart_storages.uploads.limits import check_plain
from smart_storages.uploads.middleware import current_request
from smart_storages.uploads.targets import (
    Target,
    can_take,
    find_field,
    find_target,
    reference_to,
)
from smart_storages.uploads.texts import texts_as_json

__all__ = [
    "DirectFileField",
    "DirectFileInput",
    "DirectImageField",
    "MultipleDirectFileField",
    "MultipleDirectFileInput",
    "direct_widget",
    "endpoint",
]

#: What follows the name of the field in the name of the hidden input that has the token.
SUFFIX = "-upload"


def endpoint() -> str:
    """Return the address below which the views of uploads are, ``""`` if the URLconf has none."""
    try:
        return reverse("smart_storages_uploads:begin")[: -len("begin")]
    except NoReverseMatch:
        return ""


class _DirectWidget:
    """What the widget adds to one of Django's.

    Args:
        upload_label: What is uploaded for: ``"app.Model.field"``, or a registered name.
    """

    needs_multipart_form = True
    upload_label: str = ""
    is_multiple = False
    #: The uploads that were submitted, by name: Django shows a file field without its value.
    _submitted: Mapping[str, List[DirectUploadFile]] = MappingProxyType({})

    def __init__(self, upload_label: str = "", attrs: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(attrs)  # type: ignore[call-arg]
        self.upload_label = upload_label

    @property
    def media(self) -> forms.Media:
        """The script and the style sheet; a page needs them once."""
        return forms.Media(
            css={"all": ["smart_storages/uploads/smart-upload.css"]},
            js=[module_script("smart_storages/uploads/smart-upload.js")],
        )

    # What was submitted

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """Return the uploads that were submitted, else what Django's widget returns."""
        tokens = self._tokens_in(data, name)
        if not tokens:
            return super().value_from_datadict(data, files, name)  # type: ignore[misc]
        if self._wants_clearing(data, files, name):
            return forms.widgets.FILE_INPUT_CONTRADICTION
        found = self._submitted.get(name, [])
        if [each.token for each in found] != tokens:
            field = find_field(self.upload_label)
            if field is not None:
                adopt_at_save(field.model)
            found = [DirectUploadFile(token, self.upload_label) for token in tokens]
            # A new dict: the copy of this widget that another form has shares the old one.
            self._submitted = {**self._submitted, name: found}
        return found if self.is_multiple else found[0]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Return whether neither an upload nor a file was submitted."""
        if self._tokens_in(data, name):
            return False
        return bool(
            super().value_omitted_from_data(data, files, name)  # type: ignore[misc]
        )

    def _wants_clearing(self, data: Any, files: Any, name: str) -> bool:
        cleared = self.clear_checkbox_name(name)  # type: ignore[attr-defined]
        is_required = self.is_required  # type: ignore[attr-defined]
        return not is_required and bool(
            forms.CheckboxInput().value_from_datadict(data, files, cleared)
        )

    def _tokens_in(self, data: Any, name: str) -> List[str]:
        given = data.get(name + SUFFIX)
        if not isinstance(given, str) or not given:
            return []
        if not self.is_multiple:
            return [given]
        try:
            tokens = json.loads(given)
        except ValueError:
            return [given]
        is_list = isinstance(tokens, list) and all(isinstance(each, str) for each in tokens)
        # Each once: how many a user can have is limited where they are begun.
        return list(dict.fromkeys(tokens)) if is_list else [given]

    # What is shown

    def is_initial(self, value: Any) -> bool:
        """Return whether a value is a file that was saved before."""
        if isinstance(value, (DirectUploadFile, list)):
            return False
        return bool(super().is_initial(value))  # type: ignore[misc]

    def _left_uploads(self, name: str) -> List[DirectUploadFile]:
        """Return the uploads of a form that is shown again, without those that were refused."""
        left = []
        for each in self._submitted.get(name, []):
            with suppress(UploadError):
                each.take()
            if not each.is_refused:
                left.append(each)
        return left

    def get_context(self, name: str, value: Any, attrs: Any) -> Dict[str, Any]:
        """Return the context of the template of Django's widget."""
        if self._left_uploads(name):  # a file that is already there need not be chosen again
            attrs = {key: each for key, each in (attrs or {}).items() if key != "required"}
        shown = None if isinstance(value, (DirectUploadFile, list)) else value
        context: Dict[str, Any] = super().get_context(  # type: ignore[misc]
            name, shown, attrs
        )
        target = self._find_target()
        if target.limits.types is not None:
            context["widget"]["attrs"].setdefault("accept", ",".join(target.limits.types))
        return context

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return Django's HTML, within the element that the script looks for."""
        inner: SafeString = super().render(  # type: ignore[misc]
            name, value, attrs, renderer
        )
        address, target = endpoint(), self._find_target()
        if not address or not can_take(target.storage):
            return inner  # the checks U001 and U005 report it
        if not _may_upload(target):
            return inner
        uploads = self._left_uploads(name)
        tokens = [each.token for each in uploads]
        form = {**self.attrs, **(attrs or {})}.get("form")  # type: ignore[attr-defined]
        return format_html(
            '<div class="smart-upload" data-smart-upload data-endpoint="{}" data-field="{}"'
            ' data-max-size="{}" data-accept="{}" data-texts="{}"{}{}>{}'
            '<input type="hidden" name="{}" value="{}"{}></div>',
            address,
            reference_to(self.upload_label, _mark_of_user()),
            target.limits.max_size,
            ",".join(target.limits.types or ()),
            texts_as_json(),
            mark_safe(" data-multiple") if self.is_multiple else "",
            format_html(' data-uploaded="{}"', _describe(uploads)) if uploads else "",
            inner,
            name + SUFFIX,
            (json.dumps(tokens) if self.is_multiple else tokens[0]) if tokens else "",
            # An input that stands outside of its form names it.
            format_html(' form="{}"', form) if form else "",
        )

    def _find_target(self) -> Target:
        try:
            return find_target(self.upload_label)
        except UploadError as error:
            raise ConfigurationError(
                f"{type(self).__name__}: {self.upload_label!r} is neither a file field of a model "
                "nor a name given to register_uploader. Write "
                f"{type(self).__name__}('app.Model.field'), or use DirectUploadAdminMixin."
            ) from error


class DirectFileInput(_DirectWidget, forms.ClearableFileInput):
    """Django's file input; the file is uploaded to the bucket before the form is submitted.

    Args:
        upload_label: What is uploaded for: ``"app.Model.field"``, or a registered name. The form
            fields of a ``DirectFileField`` set it themselves.
        attrs: Attributes of the input.

    Example::

        class FilmForm(forms.ModelForm):
            class Meta:
                model = Film
                fields = ["video"]
                field_classes = {"video": DirectFileField}
                widgets = {"video": DirectFileInput("press.Film.video")}
    """


class MultipleDirectFileInput(_DirectWidget, forms.ClearableFileInput):
    """As :class:`DirectFileInput`, for several files; see :class:`MultipleDirectFileField`."""

    is_multiple = True
    allow_multiple_selected = True

    def __init__(self, upload_label: str = "", attrs: Optional[Dict[str, Any]] = None) -> None:
        # Django 4.2 refuses "multiple" without the attribute of the class, older ones do not know.
        super().__init__(upload_label, {"multiple": True, **(attrs or {})})

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """Return a list of the uploads, else of the files that were submitted."""
        found = super().value_from_datadict(data, files, name)
        if found and not isinstance(found, list) and hasattr(files, "getlist"):
            return files.getlist(name) or found
        return found


def direct_widget(widget: Any) -> Any:
    """Return the widget that uploads, in place of one of Django's.

    Args:
        widget: A widget or its class; ``None`` for the default one.
    """
    if widget is None:
        return DirectFileInput
    is_class = isinstance(widget, type)
    given: Type[Any] = widget if is_class else type(widget)
    if issubclass(given, _DirectWidget) or not issubclass(given, forms.ClearableFileInput):
        return widget
    made: Type[Any] = type(f"Direct{given.__name__}", (_DirectWidget, given), {})
    return made if is_class else made(attrs=widget.attrs)


def _may_upload(target: Target) -> bool:
    """Return whether the user of the current request may upload; yes if there is no request.

    Who may not can still use the form: its file goes through Django.
    """
    request = current_request()
    return request is None or target.may_upload(request)


def _mark_of_user() -> str:
    user = getattr(current_request(), "user", None)
    with suppress(SynchronousOnlyOperation):  # an async view that has not asked for the user
        if user is not None and user.is_authenticated:
            return keyed_digest("interrupted uploads", str(user.pk))[:8]
    return ""


def _describe(uploads: List[DirectUploadFile]) -> str:
    described = []
    for each in uploads:
        try:
            row = each.take().row
        except UploadError:
            described.append({"token": each.token, "name": "", "size": 0})
        else:
            described.append({"token": each.token, "name": row.file_name, "size": row.size})
    return json.dumps(described)


class DirectFileField(forms.FileField):
    """A file field of a form whose file is uploaded to the bucket before the form is submitted.

    ``cleaned_data`` has a :class:`~smart_storages.uploads.files.DirectUploadFile`, or Django's
    ``UploadedFile`` where the browser runs no script.

    Args:
        label_of_upload: What is uploaded for: ``"app.Model.field"``, or a registered name; that of
            the widget if it is left out.

    Example::

        class ContactForm(forms.Form):
            attachment = DirectFileField(label_of_upload="attachments", required=False)
    """

    widget: Any = DirectFileInput

    def __init__(self, *, label_of_upload: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if label_of_upload:
            self.widget.upload_label = label_of_upload
        self.label_of_upload = label_of_upload or getattr(self.widget, "upload_label", "")

    def to_python(self, data: Any) -> Any:
        """Return the file; a plain upload is held to the same limits as a direct one."""
        found = super().to_python(data)
        if found is not None and find_upload(found) is None and self.label_of_upload:
            _check_plain(found, find_target(self.label_of_upload))
        return found


class DirectImageField(DirectFileField, forms.ImageField):
    """As :class:`DirectFileField`, for images; only the beginning of the image is read."""

    def to_python(self, data: Any) -> Any:
        """Return the file, if Pillow recognises it as an image.

        Source: ``ImageField.to_python`` of Django.
        """
        upload = find_upload(data)
        if upload is None:
            return super().to_python(data)
        found = forms.FileField.to_python(self, data)
        if found is None:
            return None
        from PIL import Image

        try:
            image = Image.open(upload.open_head())
        except Exception as error:
            # Pillow raises what it likes. One with long metadata has its dimensions further on.
            try:
                image = Image.open(upload.file)
            except Exception:
                raise ValidationError(
                    forms.ImageField.default_error_messages["invalid_image"], code="invalid_image"
                ) from error
        found.image = image  # type: ignore[attr-defined]
        upload.close()
        return found


class MultipleDirectFileField(DirectFileField):
    """As :class:`DirectFileField`, for several files: ``cleaned_data`` has a list.

    Example::

        class AlbumForm(forms.Form):
            photos = MultipleDirectFileField(label_of_upload="photos")
    """

    widget = MultipleDirectFileInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Return the list of files."""
        if not data or not isinstance(data, (list, tuple)):
            data = None if isinstance(data, (list, tuple)) else data
            found = super().clean(data, initial)
            return [found] if found and found is not initial else (initial or [])
        return [super(MultipleDirectFileField, self).clean(each, initial) for each in data]


def _check_plain(file: Any, target: Target) -> None:
    try:
        check_plain(target.limits, file)
    except UploadError as error:
        raise ValidationError(error.message, code=error.code) from error
