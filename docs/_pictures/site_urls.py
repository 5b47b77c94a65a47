"""The addresses of the example site, and those of django-debug-toolbar."""

from __future__ import annotations

from django.urls import include, path

from pressoffice.urls import urlpatterns as of_the_site

urlpatterns = [path("__debug__/", include("debug_toolbar.urls", "djdt")), *of_the_site]
