"""The URLconf of the view that serves files which are kept in a directory or in memory.

Example::

    urlpatterns = [..., path("buckets/", include("smart_storages.local.urls"))]
"""

from __future__ import annotations

from django.urls import path

from smart_storages.local.views import serve

__all__ = ["app_name", "urlpatterns"]

app_name = "smart_storages_local"
urlpatterns = [path("<str:bucket>/<path:key>", serve, name="object")]
