from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("buckets/", include("smart_storages.local.urls"))]
