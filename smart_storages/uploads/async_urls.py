"""The URLconf of direct uploads for a site under ASGI: the same with async views.

Example::

    urlpatterns = [..., path("uploads/", include("smart_storages.uploads.async_urls"))]
"""

from __future__ import annotations

from django.urls import path

from smart_storages.uploads.views import async_views

__all__ = ["app_name", "urlpatterns"]

app_name = "smart_storages_uploads"
urlpatterns = [path(action, view, name=action) for action, view in async_views.items()]
