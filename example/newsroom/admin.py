from __future__ import annotations

from django.contrib import admin

from newsroom.forms import BulletinForm, ReportForm
from newsroom.models import Article, Attachment, Bulletin, Person, Report, Tenant, Video


@admin.register(Article)
class ArticleAdmin(admin.ModelAdmin):
    list_display = ("headline", "published", "image", "source", "kit")
    search_fields = ("headline",)


@admin.register(Attachment)
class AttachmentAdmin(admin.ModelAdmin):
    list_display = ("file", "article", "reason")


@admin.register(Video)
class VideoAdmin(admin.ModelAdmin):
    list_display = ("file", "article")


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):
    list_display = ("name", "role", "avatar")
    search_fields = ("name", "role")


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):
    list_display = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):
    form = ReportForm
    list_display = ("title", "tenant", "name", "added")
    list_filter = ("tenant",)


@admin.register(Bulletin)
class BulletinAdmin(admin.ModelAdmin):
    form = BulletinForm
    list_display = ("title", "region", "name", "added")
    list_filter = ("region",)
