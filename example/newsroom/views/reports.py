"""Reports, tenant by tenant."""

from __future__ import annotations

from django.urls import reverse_lazy
from django.views.generic import CreateView

from newsroom.forms import ReportForm
from newsroom.models import Tenant
from newsroom.views.pages import UploadMixin


class ReportsPage(UploadMixin, CreateView):
    form_class = ReportForm
    template_name = "newsroom/reports.html"
    success_url = reverse_lazy("reports")
    stored_message = "“{}” is stored."

    def get_context_data(self, **kwargs):
        tenants = Tenant.objects.prefetch_related("reports__tenant")
        return super().get_context_data(tenants=tenants, **kwargs)
