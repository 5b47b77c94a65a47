"""Bulletins of the two wires, each kept in its own region."""

from __future__ import annotations

from django.urls import reverse_lazy
from django.views.generic import CreateView

from newsroom.forms import BulletinForm
from newsroom.models import Bulletin
from newsroom.views.pages import UploadMixin
from smart_storages.utils import get_storage


class WiresPage(UploadMixin, CreateView):
    form_class = BulletinForm
    template_name = "newsroom/wires.html"
    success_url = reverse_lazy("wires")
    stored_message = "“{}” is on the wire."

    def get_context_data(self, **kwargs):
        bulletins = list(Bulletin.objects.all())
        regions = [
            {
                "label": region.label,
                "region_name": get_storage(f"wire-{region.value}").region_name,
                "bulletins": [each for each in bulletins if each.region == region.value],
            }
            for region in Bulletin.Region
        ]
        return super().get_context_data(regions=regions, **kwargs)
