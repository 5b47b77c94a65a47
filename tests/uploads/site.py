"""An admin with models that take uploads."""

from __future__ import annotations

from django.contrib import admin

from smart_storages.uploads.admin import DirectUploadAdmin, DirectUploadAdminMixin
from smart_storages.uploads.models import DirectUpload
from tests.uploads.models import Film, Plain


class PlainInline(DirectUploadAdminMixin, admin.TabularInline):
    model = Plain
    extra = 1


class FilmAdmin(admin.ModelAdmin):
    inlines = [PlainInline]


class PlainAdmin(DirectUploadAdminMixin, admin.ModelAdmin):
    pass


site = admin.AdminSite()
site.register(Film, FilmAdmin)
site.register(Plain, PlainAdmin)
site.register(DirectUpload, DirectUploadAdmin)
