"""Deleting a row together with its files, which Django by itself leaves in their storages."""

from __future__ import annotations

from django.contrib import messages
from django.db import models
from django.http import Http404
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.views.generic import TemplateView
from django.views.generic.detail import SingleObjectMixin

from newsroom.models import Article, Attachment, Bulletin, Person, Report, RowStoredFile, Video
from newsroom.views.pages import STORAGE_ERRORS, told
from smart_storages.utils import storages


def files_of(row):
    """Return a function for each file of a row, and of the rows deleted with it, to delete it."""
    if isinstance(row, RowStoredFile):
        return [row.delete_file]
    found = []
    for field in row._meta.get_fields():
        if isinstance(field, models.FileField):
            file = getattr(row, field.name)
            if file:
                found.append(lambda file=file: file.storage.delete(file.name))
        elif field.one_to_many:
            for each in getattr(row, field.get_accessor_name()).all():
                found += files_of(each)
    return found


def delete(row):
    """Delete a row, then its files, since a file without a row does no harm; return the errors."""
    deletions = files_of(row)
    row.delete()
    problems = []
    for deletion in deletions:
        try:
            deletion()
        except STORAGE_ERRORS as error:
            problems.append(told(error))
    return problems


class DeletePage(TemplateView):
    """Asks for confirmation on GET, and deletes on POST."""

    template_name = "newsroom/delete.html"
    back = reverse_lazy("home")

    def get_what(self):
        """Return what is to be deleted, in the form that the page shows."""
        raise NotImplementedError

    def delete(self):
        """Delete it, and return the errors."""
        raise NotImplementedError

    def get_context_data(self, **kwargs):
        return super().get_context_data(what=self.get_what(), back=self.back, **kwargs)

    def post(self, request, *args, **kwargs):
        what = self.get_what()
        problems = self.delete()
        if problems:
            told = " ".join(problems)
            messages.error(request, f"“{what}” is deleted, but not all of its files. {told}")
        else:
            messages.success(request, f"“{what}” and its files are deleted.")
        return redirect(self.back)


class DeleteRowPage(DeletePage, SingleObjectMixin):
    """For a row of ``model``."""

    def get_what(self):
        self.object = self.get_object()
        return self.object

    def delete(self):
        return delete(self.object)


class DeleteNewsPage(DeleteRowPage):
    """For the models of the newsroom, by their names in the URL."""

    pages = {
        "article": (Article, "home"),
        "attachment": (Attachment, "article"),
        "video": (Video, "article"),
        "person": (Person, "people"),
        "report": (Report, "reports"),
        "bulletin": (Bulletin, "wires"),
    }

    def get_what(self):
        try:
            self.model, page = self.pages[self.kwargs["kind"]]
        except KeyError:
            raise Http404("This kind of object does not exist.") from None
        what = super().get_what()
        self.back = reverse(page, args=[what.article_id] if page == "article" else [])
        return what


class DeleteDevelopmentPage(DeletePage):
    """For a file on the disk: the fallback deletes only where it writes, never in production."""

    back = reverse_lazy("development")

    def get_what(self):
        name = self.kwargs["name"]
        if not storages["workbench"].exists(name):
            raise Http404(f"The disk has no {name!r}.")
        return name

    def delete(self):
        storages["development"].delete(self.kwargs["name"])
        return []
