"""The page of scans, the JSON that it polls every second, and the images."""

from __future__ import annotations

from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.views.generic import CreateView

from darkroom.models import Scan
from darkroom.places import describe
from newsroom.forms import PressForm
from newsroom.views.deleting import DeleteRowPage
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
    stored_message = "“{}” is saved. It will be sent to its bucket in the background."

    def get_context_data(self, **kwargs):
        return super().get_context_data(scans=describe(Scan.objects.all()[:SHOWN]), **kwargs)


class DeleteScanPage(DeleteRowPage):
    model = Scan
    back = reverse_lazy("darkroom")


def where(request):
    """Return where each scan is now, as JSON."""
    return JsonResponse({"scans": describe(Scan.objects.all()[:SHOWN])})


def image(request, pk):
    """Redirect to a link that expires: to this server, or to the bucket once the scan is there."""
    return redirect(get_object_or_404(Scan, pk=pk).image.url)
