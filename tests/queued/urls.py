from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("queued/", include("smart_storages.queued.urls")),
    path("uploads/", include("smart_storages.uploads.urls")),
]
