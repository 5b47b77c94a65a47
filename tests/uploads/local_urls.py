from django.urls import include, path

from tests.uploads import urls

urlpatterns = [
    *urls.urlpatterns,
    path("buckets/", include("smart_storages.local.urls")),
]
