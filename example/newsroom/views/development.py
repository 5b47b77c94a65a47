"""Development mode: reads from this disk, then from a production bucket; writes to the disk."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar

from django.urls import reverse, reverse_lazy
from django.views.generic import FormView

from newsroom.files import StoredFile
from newsroom.forms import DevelopmentForm
from newsroom.views.pages import STORAGE_ERRORS, UploadMixin, told
from smart_storages.serve import serve_file
from smart_storages.signals import backend_answered
from smart_storages.utils import resolve_storage, storages

SHOWN = 50
DISK, PRODUCTION = "workbench", "production"

# One list for each caller, because the site serves several requests at a time.
_heard = ContextVar("heard", default=None)


def _note(sender, backend, failures, **kwargs):
    heard = _heard.get()
    if heard is not None:
        heard.append((backend, [label for label, _ in failures]))


backend_answered.connect(_note)


@contextmanager
def listening():
    """Collect each backend that answers, with those that were tried before it, in a list."""
    heard = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


class SavingForm:
    """Lets a form without a model store its file where ``UploadMixin`` expects it."""

    def form_valid(self, form):
        self.object = form.save()
        return super().form_valid(form)


class DevelopmentPage(UploadMixin, SavingForm, FormView):
    form_class = DevelopmentForm
    template_name = "newsroom/development.html"
    success_url = reverse_lazy("development")
    stored_message = "“{}” is on this disk. Production is unchanged."

    def get_context_data(self, **kwargs):
        files, problem = [], ""
        try:
            files = describe(storages["development"])
        except STORAGE_ERRORS as error:
            problem = told(error)
        return super().get_context_data(
            disk_files=[file for file in files if file.module == DISK],
            production_files=[file for file in files if file.module == PRODUCTION],
            production=resolve_storage(PRODUCTION),
            problem=problem,
            **kwargs,
        )


def describe(storage):
    _, names = storage.listdir("")
    return [describe_one(storage, name) for name in names[:SHOWN]]


def describe_one(storage, name):
    with listening() as heard:
        size = storage.size(name)
    [(label, before)] = heard
    backend = resolve_storage(label)
    why = f"{size:,} bytes, says {label}."
    if before:
        why += f" Asked before, without success: {', '.join(before)}."
    location = getattr(backend, "bucket_name", None) and backend.location
    return StoredFile(
        handle=f"development-{name}",
        label=name,
        module=label,
        bucket=getattr(backend, "bucket_name", "this disk"),
        key=f"{location or ''}{name}",
        url=reverse("development-file", args=[name]),
        signed=False,
        expires=0,
        why=why,
        through_site=True,
    )


def development_file(request, name):
    """Serve a file from the backend that has it, as a download.

    From here and not by a redirect: the links of the page are the same, whichever has it.
    """
    storage = storages["development"]
    return serve_file(request, name, storage=storage, method="stream", download=True)
