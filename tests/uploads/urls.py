"""A site that takes uploads: the views of the app, and pages with forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import include, path

from smart_storages.uploads.forms import (
    DirectFileField,
    DirectFileInput,
    MultipleDirectFileField,
)
from tests.uploads.models import Film, Plain, Portrait, Report
from tests.uploads.site import site


class PlainForm(forms.ModelForm):
    class Meta:
        model = Plain
        fields = ["title", "attachment"]
        widgets = {"attachment": DirectFileInput("uploads_tests.Plain.attachment")}


class AttachmentForm(forms.Form):
    attachment = DirectFileField(label_of_upload="attachments", required=False)


class AlbumForm(forms.Form):
    photos = MultipleDirectFileField(label_of_upload="attachments")


def model_form(model: Any, *fields: str) -> Any:
    return forms.modelform_factory(model, fields=fields)


FORMS = {
    "film": model_form(Film, "title", "video"),
    "portrait": model_form(Portrait, "image"),
    "report": model_form(Report, "title", "file"),
    "secret": model_form(Report, "secret"),
    "plain": PlainForm,
}


def page(request: Any, kind: str, pk: Any = None) -> HttpResponse:
    """Show a form; save it, and answer with what the row names, or show it again."""
    form_class = FORMS[kind]
    instance = get_object_or_404(form_class._meta.model, pk=pk) if pk else None
    form = form_class(request.POST or None, request.FILES or None, instance=instance)
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        names = {
            field.name: str(getattr(saved, field.name))
            for field in saved._meta.concrete_fields
            if field.name in form.fields
        }
        return JsonResponse({"pk": saved.pk, **names})
    return HttpResponse(f"{form.media}<form>{form}</form>")


def fail_after_saving(request: Any) -> HttpResponse:
    """Save a film, and then roll back."""
    form = FORMS["film"](request.POST, request.FILES)
    assert form.is_valid(), form.errors
    try:
        with transaction.atomic():
            form.save()
            raise ArithmeticError
    except ArithmeticError:
        return HttpResponse("rolled back", status=500)


def attach(request: Any) -> HttpResponse:
    form = AttachmentForm(request.POST, request.FILES)
    if not form.is_valid():
        return HttpResponse(str(form), status=400)
    file = form.cleaned_data["attachment"]
    return JsonResponse({"name": file.name, "size": file.size, "type": file.content_type})


urlpatterns = [
    path("admin/", site.urls),
    path("uploads/", include("smart_storages.uploads.urls")),
    path("page/<str:kind>/", page),
    path("page/<str:kind>/<int:pk>/", page),
    path("fail/", fail_after_saving),
    path("attach/", attach),
]
