from django.urls import include, path

from tests.uploads import urls

urlpatterns = [
    path("uploads/", include("smart_storages.uploads.async_urls")),
    *(each for each in urls.urlpatterns if str(each.pattern) != "uploads/"),
]
