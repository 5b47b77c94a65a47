"""People, with a public portrait and a press card that only a signed link opens."""

from __future__ import annotations

from django.urls import reverse_lazy
from django.views.generic import CreateView

from newsroom.forms import PersonForm
from newsroom.models import Person
from newsroom.views.pages import UploadMixin


class PeoplePage(UploadMixin, CreateView):
    form_class = PersonForm
    template_name = "newsroom/people.html"
    success_url = reverse_lazy("people")
    stored_message = "{} is on the list."

    def get_context_data(self, **kwargs):
        return super().get_context_data(people=Person.objects.all(), **kwargs)
