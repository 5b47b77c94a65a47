"""The views of the packages, and those that sign direct uploads."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("uploads/", include("smart_storages.uploads.urls")),
    path("buckets/", include("smart_storages.local.urls")),
]
if find_spec("django_ckeditor_5"):
    urlpatterns.append(path("ckeditor5/", include("django_ckeditor_5.urls")))
if find_spec("wagtail"):
    urlpatterns.append(path("cms/", include("wagtail.admin.urls")))
    urlpatterns.append(path("documents/", include("wagtail.documents.urls")))
