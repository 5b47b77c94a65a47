"""Pages for browsers: forms under a strict Content-Security-Policy, and an admin."""

from __future__ import annotations

import json
from typing import Any, Callable, List

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.core.cache import cache
from django.http import HttpResponse, JsonResponse
from django.template import engines
from django.test import override_settings
from django.urls import include, path
from django.utils import translation
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_exempt

from smart_storages.storages import SmartS3Storage
from smart_storages.uploads.admin import DirectUploadAdminMixin
from smart_storages.uploads.models import DirectUpload
from smart_storages.uploads.targets import register_uploader
from tests.uploads.models import Film, Plain, anybody
from tests.uploads.urls import AlbumForm

#: Path of each request, its seconds, and those of them without a processor; see server.py.
TOOK: List[Any] = []
#: What browsers reported as against the policy.
_reports: List[str] = []
#: Settings that a test wants, in force.
_override: List[override_settings] = []

_PAGE = """<!doctype html>
<html lang="{{ language }}" dir="{% if rtl %}rtl{% else %}ltr{% endif %}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Films</title>
  <link rel="icon" href="/page.css">
  <link rel="stylesheet" href="/page.css">
  {{ form.media }}
</head>
<body><main>
  <h1>Films</h1>
  <form method="post" enctype="multipart/form-data">{% csrf_token %}
    {% for field in form %}
    <div>{{ field.label_tag }} {{ field }} {{ field.errors }}</div>
    {% endfor %}
    <button name="save" value="yes">Save</button>
  </form>
</main></body></html>"""

_STYLE = """
:root { color-scheme: light dark; background: Canvas; color: CanvasText }
body { margin: 2rem auto; max-inline-size: 40rem; padding-inline: 1rem;
       font-family: system-ui, sans-serif }
form > div { margin-block: 1rem }
label { display: block; margin-block-end: .25rem; font-weight: 600 }
"""


class FilmForm(forms.ModelForm):
    class Meta:
        model = Film
        fields = ["title", "video"]


FORMS = {"film": FilmForm, "album": AlbumForm}


def page(request: Any, kind: str) -> HttpResponse:
    """A form; what was submitted is saved and named."""
    form = FORMS[kind](request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        if kind == "film":
            names = [form.save().video.name]
        else:
            names = [each.stored_name for each in form.cleaned_data["photos"]]
        said = json.dumps({"saved": names, "button": request.POST.get("save", "")})
        return HttpResponse(format_html('<title>Saved</title><pre id="saved">{}</pre>', said))
    language = request.GET.get("language", "en")
    with translation.override(language):
        context = {"form": form, "language": language, "rtl": translation.get_language_bidi()}
        template = engines["django"].from_string(_PAGE)
        return HttpResponse(template.render(context, request))


def took(request: Any) -> JsonResponse:
    return JsonResponse(TOOK, safe=False)


def style(request: Any) -> HttpResponse:
    return HttpResponse(_STYLE, content_type="text/css")


@csrf_exempt
def report(request: Any) -> HttpResponse:
    _reports.append(request.body.decode())
    return HttpResponse(status=204)


@csrf_exempt
def configure(request: Any) -> JsonResponse:
    """Use other settings from now on, and forget what was; say what browsers reported."""
    for override in _override:
        override.disable()
    _override[:] = [override_settings(**json.loads(request.body))]
    _override[0].enable()
    for model in (Plain, Film, DirectUpload):
        model.objects.all().delete()
    cache.clear()
    storage = SmartS3Storage(module_name="media", file_overwrite=False, location="")
    for model, name in ((Film, "video"), (Plain, "attachment")):
        model._meta.get_field(name).storage = storage
    register_uploader("attachments", storage=storage, permission=anybody)
    found = {"reports": _reports[:]}
    _reports.clear()
    TOOK.clear()
    return JsonResponse(found)


def strict_policy(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Middleware: nothing inline, nothing from elsewhere but the bucket."""

    def respond(request: Any) -> Any:
        response = get_response(request)
        if request.path == "/configure":
            return response
        response["Content-Security-Policy"] = (
            f"default-src 'self'; connect-src 'self' {settings.AWS_S3_ENDPOINT_URL}; "
            "img-src 'self' blob:; report-uri /report"
        )
        return response

    return respond


class PlainInline(DirectUploadAdminMixin, admin.StackedInline):
    model = Plain
    fields = ["title", "attachment"]
    extra = 0


class FilmAdmin(admin.ModelAdmin):
    fields = ["title", "video"]
    inlines = [PlainInline]


films = admin.AdminSite(name="films")
films.register(Film, FilmAdmin)

urlpatterns = [
    path("uploads/", include("smart_storages.uploads.urls")),
    path("films/", films.urls),
    path("static/<path:path>", serve, {"insecure": True}),
    path("page.css", style),
    path("report", report),
    path("configure", configure),
    path("took", took),
    path("<str:kind>/", page),
]
