from __future__ import annotations

from django.urls import path

from newsroom.views.articles import ArticlePage, HomePage, download_video
from newsroom.views.buckets import BucketsPage
from newsroom.views.deleting import DeleteDevelopmentPage, DeleteNewsPage
from newsroom.views.development import DevelopmentPage, development_file
from newsroom.views.people import PeoplePage
from newsroom.views.reports import ReportsPage
from newsroom.views.wires import WiresPage

urlpatterns = [
    path("", HomePage.as_view(), name="home"),
    path("stories/<int:pk>/", ArticlePage.as_view(), name="article"),
    path("videos/<int:pk>/download/", download_video, name="video-download"),
    path("reports/", ReportsPage.as_view(), name="reports"),
    path("wires/", WiresPage.as_view(), name="wires"),
    path("people/", PeoplePage.as_view(), name="people"),
    path("development/", DevelopmentPage.as_view(), name="development"),
    path("development/files/<path:name>", development_file, name="development-file"),
    path(
        "development/delete/<path:name>",
        DeleteDevelopmentPage.as_view(),
        name="development-delete",
    ),
    path("delete/<str:kind>/<int:pk>/", DeleteNewsPage.as_view(), name="delete"),
    path("buckets/", BucketsPage.as_view(), name="buckets"),
]
