"""The URLconf of direct uploads.

Example::

    urlpatterns = [..., path("uploads/", include("smart_storages.uploads.urls"))]
"""

from __future__ import annotations

from django.urls import path

from smart_storages.uploads.views import views

__all__ = ["app_name", "urlpatterns"]

app_name = "smart_storages_uploads"
urlpatterns = [path(action, view, name=action) for action, view in views.items()]
