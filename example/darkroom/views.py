"""The page of scans, what it asks every second, and the scans themselves."""

from __future__ import annotations

import mimetypes

from django.http import FileResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse_lazy
from django.views.generic import CreateView

from darkroom.models import Scan
from darkroom.places import describe
from newsroom.forms import PressForm
from newsroom.views.pages import UploadMixin

SHOWN = 30


class ScanForm(PressForm):
    class Meta:
        model = Scan
        fields = ("title", "image")


class DarkroomPage(UploadMixin, CreateView):
    form_class = ScanForm
    template_name = "darkroom/scans.html"
    success_url = reverse_lazy("darkroom")
    stored_message = "“{}” is here. It travels to its bucket by itself."

    def get_context_data(self, **kwargs):
        return super().get_context_data(scans=describe(Scan.objects.all()[:SHOWN]), **kwargs)


def where(request):
    """Where each scan is now."""
    return JsonResponse({"scans": describe(Scan.objects.all()[:SHOWN])})


def image(request, pk):
    """The scan itself, from wherever it is: the storage knows."""
    scan = get_object_or_404(Scan, pk=pk)
    kind = mimetypes.guess_type(scan.image.name)[0] or "application/octet-stream"
    return FileResponse(scan.image.open("rb"), content_type=kind)
