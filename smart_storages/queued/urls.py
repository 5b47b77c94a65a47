"""The URLconf of the view that serves local copies under signed URLs.

Example::

    urlpatterns = [..., path("queued/", include("smart_storages.queued.urls"))]
"""

from __future__ import annotations

from django.urls import path

from smart_storages.queued.serving.views import serve

__all__ = ["app_name", "urlpatterns"]

app_name = "smart_storages_queued"
urlpatterns = [path("<str:token>/<str:filename>", serve, name="file")]
