from __future__ import annotations

from django.urls import path

from darkroom import views

urlpatterns = [
    path("darkroom/", views.DarkroomPage.as_view(), name="darkroom"),
    path("darkroom/where.json", views.where, name="darkroom-where"),
    path("darkroom/<int:pk>/delete", views.DeleteScanPage.as_view(), name="darkroom-delete"),
    path("darkroom/<int:pk>/image", views.image, name="darkroom-image"),
]
