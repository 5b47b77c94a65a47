from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("newsroom.urls")),
    path("", include("darkroom.urls")),
    # Scans that are still on this server, under signed links that end.
    path("queued/", include("smart_storages.queued.urls")),
    # What the script of a story's page asks for while it uploads a video.
    path("uploads/", include("smart_storages.uploads.urls")),
    # The files of modules that are not in S3, as all are with SMART_STORAGE_LOCAL.
    path("buckets/", include("smart_storages.local.urls")),
]
